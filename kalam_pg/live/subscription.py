"""One subscription: what its query shows of the commits of its tablet, as the objects that a client gets."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import NamedTuple, Protocol

from kalam_pg.functions.table import EvalContext
from kalam_pg.live import payload
from kalam_pg.live.alike import Alike, Kinds
from kalam_pg.live.commits import Commit, Gap
from kalam_pg.live.filter import LiveQuery, Seen
from kalam_pg.live.payload import ChangeEncoder
from kalam_pg.live.subscriber import Subscriber
from storage.errors import KalamError
from storage.ids import TabletId
from storage.layout import Row
from storage.log.log_entry import Op


class About(NamedTuple):
    """What others may know of a subscription (`system.live_queries`).

    form: by which statement it is read, in lower case. text: of its query, or the channel of a LISTEN.
    user: the id of whose rows and rights it is. process: the number of its session. since_us: when it
    was opened, in microseconds since 1970.
    """

    form: str
    text: str
    user: int
    process: int
    since_us: int


class Live(Protocol):
    """A subscription as the server's owner sees it, however it is read.

    number: its own among all. channel: "" where it is not told on one. delivered: objects or rows.
    """

    about: About
    number: int
    channel: str
    query: LiveQuery
    subscriber: Subscriber
    delivered: int

    @property
    def silence(self) -> str:
        """Why it has told nothing of what it could take; "" for no reason of its own."""

    def flushed(self, through: int) -> None:
        """The table's changes up to this commit are in segments."""


Shown = tuple[int, Seen | None]
"""A change's place in its commit, and what it is to the subscription; None: the table was truncated."""


class Subscription:
    """A client's, on one channel.

    about: see there. number: its own among the `LiveQueries`. ended: its last object has been given.
    query: compiled. context: its own; its settings are those that it began with. delivered: objects
    told. progress_s: how long it may be silent without saying how far it is, 0: for ever; silent_until:
    by `time.monotonic`, 0 before it begins.
    """

    __slots__ = (
        "_alike",
        "_encoder",
        "_flushed",
        "_listed",
        "_open",
        "_push",
        "_skipped",
        "about",
        "channel",
        "context",
        "delivered",
        "ended",
        "number",
        "progress_s",
        "query",
        "silent_until",
        "subscriber",
    )

    def __init__(
        self,
        channel: str,
        about: About,
        query: LiveQuery,
        context: EvalContext,
        encoder: ChangeEncoder,
        alike: Alike,
        subscriber: Subscriber,
        listed: "LiveQueries",
        push: Callable[[Sequence[bytes]], bool],
        *,
        progress_s: float = 0.0,
        flush: bool = False,
    ) -> None:
        """push: sends bodies of notifications to a client that may be told something now; whether it did.

        flush: it tells which of its changes are in segments.
        """
        self.channel = channel
        self.about = about
        self.query = query
        self.subscriber = subscriber
        self.ended = False
        self.context = context
        self.delivered = 0
        self.progress_s = progress_s
        self.silent_until = 0.0
        self._encoder = encoder
        self._alike = alike
        self._push = push
        subscriber.tell = self.tell
        self._skipped = 0  # Changes that it does not show, since the last that it does.
        self._flushed = 0  # To be told once everything before is: later ones take its place.
        self._open: Shown | None = None
        """Of a commit that is told in parts, the last change that it shows so far: it may be its last."""
        self._listed = listed
        self.number = listed.add(self)
        if flush:
            listed.follow_flushes(self)

    def stop(self) -> None:
        """Nobody wants it any more. Again is no error."""
        self._listed.remove(self)
        self.subscriber.stop()

    @property
    def kind(self) -> Hashable:
        """What equal subscriptions have in common; None: nothing."""
        return self._alike.key

    @property
    def waits(self) -> bool:
        """Whether `take` may have something."""
        if self.ended or self.subscriber.position is None:
            return False
        return self.subscriber.waits or self._flushed > 0

    @property
    def silence(self) -> str:
        """See `Live`."""
        if self._skipped:
            return f"the newest {self._skipped} changes are not shown by its query"
        return "" if self.delivered else "nothing has changed"

    def flushed(self, through: int) -> None:
        """The table's changes up to this commit are in segments."""
        self._flushed = through
        self.subscriber.wake()

    def tell(self, commit: Commit) -> bool:
        """For `Subscriber.tell`: tell it now, if the client may be told; whether that is done."""
        if self._flushed or self.progress_s or self.ended:
            return False  # In its turn, with what else there is to tell.
        try:
            telling = self._alike.telling(commit, self.channel, self._told)
        except KalamError:
            return False  # It is told in its turn, as the last.
        if telling.objects:
            if not self._push(telling.bodies):
                return False
            self._skipped = 0
            self.delivered += telling.objects
        else:
            self._skipped += len(commit.changes)
        return True

    def take(self, bytes_max: int) -> list[str]:
        """The next objects; the last one is the error that ended it, if one did.

        bytes_max: about how much of the commits to look at.
        """
        told: list[str] = []
        position = self.subscriber.position
        seq = 0 if position is None else position.whole_seq  # The last that was told.
        try:
            for item in self.subscriber.take(bytes_max):
                if isinstance(item, Gap):
                    told += self._close(seq + 1)
                    told.append(payload.gap(item.dropped))
                    continue
                if item.more or self._open is not None:
                    objects: Sequence[str] = self._part(item)
                else:
                    objects = self._alike.told(item, self._told)
                self._skipped = 0 if objects or self._open else self._skipped + len(item.changes)
                told += objects
                seq = item.end.whole_seq
        except KalamError as exc:
            told += self._close(seq + 1)
            told.append(self._end(exc, seq))
        if self._flushed and not self.subscriber.waits:
            told.append(payload.flush(self._encoder.table, self._flushed))
            self._flushed = 0
        self.delivered += len(told)
        return told

    def end(self, error: KalamError) -> str:
        """Its last object, whatever it has not told yet."""
        position = self.subscriber.position
        return self._end(error, 0 if position is None else position.whole_seq)

    def _end(self, error: KalamError, seq: int) -> str:
        self.ended = True
        return payload.error(error, seq)

    def progress(self) -> str:
        """How far everything has been told."""
        return payload.progress(self.subscriber.told_through)

    def snapshot(self, rows: Sequence[Row]) -> Iterator[str]:
        """The objects of a snapshot's rows: their columns, then the key's, then `_seq`."""
        show = self.show
        for row in rows:
            self.delivered += 1
            yield show(row)

    @property
    def show(self) -> Callable[[Row], str]:
        """What makes an object of a snapshot's row, for all of this kind."""
        encode, width = self._encoder.snapshot, len(self.query.columns)

        def shown(row: Row) -> str:
            seq = row[-1]
            assert isinstance(seq, int)
            return encode(seq, row[width:-1], row[:width])

        return shown

    def _told(self, commit: Commit) -> Iterator[str]:
        """The objects of one commit; the last of them says so."""
        shown = self._shown(commit)
        for at, one in enumerate(shown, 1):
            yield self._object(commit.seq, one, last=at == len(shown))

    def _part(self, commit: Commit) -> list[str]:
        """The objects of a part of a commit, but for one that may be its last: that comes with the next."""
        shown = self._shown(commit)
        if self._open is not None:
            shown.insert(0, self._open)
        self._open = shown.pop() if commit.more and shown else None
        whole = not commit.more
        return [
            self._object(commit.seq, one, last=whole and at == len(shown))
            for at, one in enumerate(shown, 1)
        ]

    def _close(self, seq: int) -> list[str]:
        """What was held back of commit `seq`, of which the rest is not told."""
        held, self._open = self._open, None
        return [] if held is None else [self._object(seq, held, last=False)]

    def _shown(self, commit: Commit) -> list[Shown]:
        shown: list[Shown] = []
        for change in commit.changes:
            if change.op is Op.TRUNCATE:
                shown.append((change.n, None))
                continue
            seen = self.query.see(change.op, change.row, change.old, commit.seq, self.context)
            if seen is not None:
                shown.append((change.n, seen))
        return shown

    def _object(self, seq: int, shown: Shown, *, last: bool) -> str:
        encoder, (n, seen) = self._encoder, shown
        if seen is None:
            return payload.truncate(encoder.table, seq, n, last=last)
        return encoder.change(
            seen.op, seq, n, seen.key, last=last, row=seen.row, old=seen.old, why=seen.why
        )


class LiveQueries:
    """Every subscription that is open, by number; and who wants to know of flushes.

    kinds: what equal ones share.
    """

    def __init__(self) -> None:
        self.kinds = Kinds()
        self._open: dict[int, Live] = {}
        self._newest = 0
        self._flushes: dict[TabletId, dict[Live, None]] = {}

    def add(self, live: Live) -> int:
        """For who makes one: the number that it has."""
        self._newest += 1
        self._open[self._newest] = live
        return self._newest

    def remove(self, live: Live) -> None:
        """For who ends it. Again is no error."""
        self._open.pop(live.number, None)
        followers = self._flushes.get(live.subscriber.tablet)
        if followers is not None:
            followers.pop(live, None)
            if not followers:
                del self._flushes[live.subscriber.tablet]

    def follow_flushes(self, live: Live) -> None:
        """For who makes one: it is told of flushes."""
        self._flushes.setdefault(live.subscriber.tablet, {})[live] = None

    def flushed(self, tablet: TabletId, through: int) -> None:
        """A tablet's changes up to this commit are in segments."""
        for live in self._flushes.get(tablet, ()):
            live.flushed(through)

    def find(self, number: int) -> Live | None:
        """The one of that number."""
        return self._open.get(number)

    def __iter__(self) -> Iterator[Live]:
        return iter(list(self._open.values()))

    def __len__(self) -> int:
        return len(self._open)
