"""One subscription: what its query shows of the commits of its tablet, as the objects that a client gets."""

from collections.abc import Iterator

from kalam_pg.functions.table import EvalContext
from kalam_pg.live import payload
from kalam_pg.live.filter import LiveQuery, Seen
from kalam_pg.live.hub import Commit, Gap, Subscriber
from kalam_pg.live.payload import ChangeEncoder
from storage.errors import KalamError
from storage.log.log_entry import Op


class Subscription:
    """A client's, on one channel.

    user: the id of whose rows and rights it is. ended: its last object has been
    given. query: compiled. A context of its own: its settings are those that it began with.
    """

    __slots__ = ("_context", "_encoder", "channel", "ended", "query", "subscriber", "user")

    def __init__(
        self,
        channel: str,
        user: int,
        query: LiveQuery,
        context: EvalContext,
        encoder: ChangeEncoder,
        subscriber: Subscriber,
    ) -> None:
        self.channel = channel
        self.user = user
        self.query = query
        self.subscriber = subscriber
        self.ended = False
        self._context = context
        self._encoder = encoder

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

    def _told(self, commit: Commit) -> Iterator[str]:
        """The objects of one commit; the last of them says so."""
        seen: list[tuple[int, Seen]] = []
        for change in commit.changes:
            if change.op is Op.TRUNCATE:
                yield payload.truncate(self._encoder.table, commit.seq)
                continue
            one = self.query.see(change.op, change.row, change.old, commit.seq, self._context)
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
