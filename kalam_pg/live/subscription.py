"""One subscription: what its query shows of the commits of its tablet, as the objects that a client gets."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kalam_pg.functions.table import EvalContext
from kalam_pg.live import payload
from kalam_pg.live.filter import LiveQuery, Seen
from kalam_pg.live.hub import Commit, Gap, Subscriber
from kalam_pg.live.payload import ChangeEncoder
from storage.errors import KalamError
from storage.layout import Row
from storage.log.log_entry import Op


class About(NamedTuple):
    """What others may know of a subscription (`system.live_queries`).

    form: by which statement it is read, in lower case. text: of its query, or the channel of a LISTEN.
    user: the id of whose rows and rights it is. process: the number of its session.
    """

    form: str
    text: str
    user: int
    process: int


class Subscription:
    """A client's, on one channel.

    about: see there. number: its own among the `LiveQueries`. ended: its last object has been given.
    query: compiled. context: its own; its settings are those that it began with.
    """

    __slots__ = (
        "_encoder",
        "_listed",
        "about",
        "channel",
        "context",
        "ended",
        "number",
        "query",
        "subscriber",
    )

    def __init__(
        self,
        channel: str,
        about: About,
        query: LiveQuery,
        context: EvalContext,
        encoder: ChangeEncoder,
        subscriber: Subscriber,
        listed: "LiveQueries",
    ) -> None:
        self.channel = channel
        self.about = about
        self.query = query
        self.subscriber = subscriber
        self.ended = False
        self.context = context
        self._encoder = encoder
        self._listed = listed
        self.number = listed.add(self)

    def stop(self) -> None:
        """Nobody wants it any more. Again is no error."""
        self._listed.remove(self)
        self.subscriber.stop()

    @property
    def waits(self) -> bool:
        """Whether `take` may have something."""
        return not self.ended and self.subscriber.waits

    def take(self, bytes_max: int) -> list[str]:
        """The next objects, of whole commits; the last one is the error that ended it, if one did.

        bytes_max: about how much of the commits to look at.
        """
        told: list[str] = []
        position = self.subscriber.position
        seq = 0 if position is None else position.seq  # The last that was told.
        try:
            for item in self.subscriber.take(bytes_max):
                if isinstance(item, Gap):
                    told.append(payload.gap(item.dropped))
                else:
                    told += self._told(item)
                    seq = item.seq
        except KalamError as exc:
            told.append(payload.error(exc.sqlstate, exc.message, seq))
            self.ended = True
        return told

    def snapshot(self, rows: Sequence[Row]) -> Iterator[str]:
        """The objects of a snapshot's rows: their columns, then the key's, then `_seq`."""
        width = len(self.query.columns)
        for row in rows:
            seq = row[-1]
            assert isinstance(seq, int)
            yield self._encoder.snapshot(seq, row[width:-1], row[:width])

    def _told(self, commit: Commit) -> Iterator[str]:
        """The objects of one commit; the last of them says so."""
        seen: list[tuple[int, Seen]] = []
        for change in commit.changes:
            if change.op is Op.TRUNCATE:
                yield payload.truncate(self._encoder.table, commit.seq)
                continue
            one = self.query.see(change.op, change.row, change.old, commit.seq, self.context)
            if one is not None:
                seen.append((change.n, one))
        for at, (n, one) in enumerate(seen, 1):
            yield self._encoder.change(
                one.op,
                commit.seq,
                n,
                one.key,
                last=at == len(seen),
                row=one.row,
                old=one.old,
                why=one.why,
            )


class LiveQueries:
    """Every subscription that is open, by number."""

    def __init__(self) -> None:
        self._open: dict[int, Subscription] = {}
        self._newest = 0

    def add(self, subscription: Subscription) -> int:
        """For `Subscription`: the number that it has."""
        self._newest += 1
        self._open[self._newest] = subscription
        return self._newest

    def remove(self, subscription: Subscription) -> None:
        """For `Subscription`."""
        self._open.pop(subscription.number, None)

    def find(self, number: int) -> Subscription | None:
        """The one of that number."""
        return self._open.get(number)

    def __iter__(self) -> Iterator[Subscription]:
        return iter(list(self._open.values()))

    def __len__(self) -> int:
        return len(self._open)
