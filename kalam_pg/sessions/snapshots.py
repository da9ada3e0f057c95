"""The rows that a subscription begins with: read and encoded once for all who subscribe to the same.

Two snapshots are the same when their tablet, bound query, parameters, limit, formats and settings are, and
no commit has changed the tablet between them (`query.shared_reads`). A bound query holds the table as it is
defined, and what depends on who asks or when is the same as nothing (`live.filter`); the tablet is the
user's own, or everybody's who was found to have the right to it. So what is shared is what each would read.

Shared is what each form can take as it is: messages (SUBSCRIBE), stored rows (COPY, cursors and endless
results, which add columns of their own), objects (LISTEN).
"""

import marshal
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from catalog.model import TableKind, User
from kalam_pg.engines.request import ResultStream, WireChunk
from kalam_pg.functions.table import EvalContext
from kalam_pg.live.filter import LiveQuery, is_exact
from kalam_pg.live.subscription import Subscription
from kalam_pg.query import outcome
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.portion import Portion, RowPortion, unpack_rows
from kalam_pg.query.prepare import PlannedSubscription
from kalam_pg.query.row_source import RowSource
from kalam_pg.query.shared_reads import Making, SharedRead, Taker
from kalam_pg.query.transaction import READ_COMMITTED, Transaction
from kalam_pg.query.waits import STRIDE, Steps, breathe, run_async
from kalam_pg.rows.form import RowForm, names_objects
from kalam_pg.sql.statements_live import SubscribeOptions
from storage.engine import WriteSet
from storage.ids import TabletId
from storage.layout import Row, Value

if TYPE_CHECKING:
    from kalam_pg.query.database import Database
    from kalam_pg.sessions.sql_session import SqlSession

Encode = Callable[[Portion], bytes | memoryview]
"""What of some rows is shared."""


def kind_of(
    sql: "SqlSession",
    query: LiveQuery,
    tablet: TabletId,
    params: Sequence[Value],
    options: SubscribeOptions,
) -> Hashable:
    """What subscriptions that show the same have in common; None: this one is like no other."""
    if query.tree is None or not all(map(is_exact, params)):
        return None
    return (tablet, query.tree, tuple(params), (sql.settings.types, options.bigint, options.old))


def may_be_shared(sql: "SqlSession", planned: PlannedSubscription, form: RowForm) -> bool:
    """Whether a snapshot is that of a commit alone, and told in whole messages.

    The rows of a STREAM table pass by themselves; a transaction above READ COMMITTED sees what it saw; names
    of objects are shown as they are found by who asks.
    """
    return (
        not form.names_objects
        and planned.query.table.kind is not TableKind.STREAM
        and sql.begin_implicit().isolation == READ_COMMITTED
    )


def read(
    x: Execution,
    planned: PlannedSubscription,
    made: Subscription,
    form: RowForm,
    last_rows: int | None,
) -> Steps[Result]:
    """The rows of a snapshot, oldest first; the subscription goes on behind it.

    last_rows: only so many of the newest, and `planned` has these newest first.
    """
    # Its own: it may go on when this statement has ended.
    context = replace(x.context, params=tuple(x.context.params))
    snapshot = _Snapshot(
        x.database,
        planned,
        x.user,
        context,
        form,
        last_rows is not None,
        lambda portion: portion.messages(form),
    )
    # The kind has the settings that its text depends on, and the columns.
    key = object() if made.kind is None else (made.kind, last_rows, form.formats)
    taker = x.own(
        x.database.shared_reads.ask(key, made.subscriber.tablet, x.user.id, snapshot.make)
    )
    # No commit of the tablet lies between that one and the subscription's beginning.
    made.subscriber.start((yield from taker.begun(x.statement_timeout_s)))
    return Result("SUBSCRIBE", None, planned.columns, shared=taker)


def rows_may_be_shared(kind: Hashable, planned: PlannedSubscription) -> bool:
    """Whether `rows` and `objects` can be had of a subscription that reads what is committed."""
    return (
        kind is not None
        and planned.query.table.kind is not TableKind.STREAM
        and not names_objects(planned.columns)
    )


def rows(
    sql: "SqlSession",
    planned: PlannedSubscription,
    context: EvalContext,
    key: tuple[Hashable, int | None],
    tablet: TabletId,
) -> "SharedRows":
    """The rows of a snapshot, oldest first, `_seq` as their last value.

    key: the subscription's kind, and how many rows of the newest at most.
    """
    snapshot = _Snapshot(
        sql.database, planned, sql.user, context, None, key[1] is not None, _packed
    )
    asked = sql.database.shared_reads.ask((*key, "rows"), tablet, sql.user.id, snapshot.make)
    return SharedRows(asked, int(sql.settings["statement_timeout"]) / 1000.0)


def objects(
    sql: "SqlSession",
    planned: PlannedSubscription,
    context: EvalContext,
    key: tuple[Hashable, int | None],
    made: Subscription,
) -> Taker:
    """The objects of a snapshot's rows, oldest first: `unpacked` makes texts of each piece. key: as above."""
    show = made.show  # Not `made`: the read may be there longer.

    def packed(portion: Portion) -> bytes:
        return marshal.dumps(list(map(show, portion.rows())))

    snapshot = _Snapshot(sql.database, planned, sql.user, context, None, key[1] is not None, packed)
    tablet = made.subscriber.tablet
    return sql.database.shared_reads.ask((*key, "objects"), tablet, sql.user.id, snapshot.make)


def unpacked(data: bytes | memoryview) -> list[str]:
    """The texts of a piece of `objects`."""
    texts: list[str] = marshal.loads(data)  # noqa: S302 -- what this process wrote
    return texts


def _packed(portion: Portion) -> bytes:
    return RowPortion(portion.rows()).pack()


class SharedRows(RowSource):
    """Stored rows of a read that others may take too.

    taker: closed with it. timeout_s: how long the next piece may take, 0: for ever.
    """

    __slots__ = ("taker", "timeout_s")

    def __init__(self, taker: Taker, timeout_s: float) -> None:
        super().__init__()
        self.taker = taker
        self.timeout_s = timeout_s

    def next_portion(self) -> Steps[Portion | None]:
        piece = yield from self.taker.next(self.timeout_s)
        return None if piece is None else unpack_rows(piece.data)

    def close(self) -> None:
        self.taker.close()


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """How a snapshot is made.

    form: of DataRow messages, None where something else is shared. newest_first: so `planned` has the rows;
    oldest first is how they are told. encode: what is shared of some rows.
    """

    database: "Database"
    planned: PlannedSubscription
    user: User
    context: EvalContext
    form: RowForm | None
    newest_first: bool
    encode: Encode

    def make(self, shared: SharedRead) -> Making:
        """The rows as of one commit, which is durable."""
        database = self.database
        transaction = Transaction(self.context.now_us)
        form = None if self.newest_first else self.form
        x = Execution(database, transaction, self.user, self.context, form=form)
        try:
            seq = x.view.stored_seq
            shared.seen(seq)
            if database.engine.durable_seq < seq:
                yield from run_async(
                    lambda: database.committer.commit(WriteSet([], [], [], sync=True))
                )
            yield from self._add(shared, (yield from self.planned.plan.run(x)))
        finally:
            x.close()
            outcome.rollback(database, transaction)

    def _add(self, shared: SharedRead, result: Result) -> Steps[None]:
        if result.stream is not None:
            while (chunk := (yield from result.stream.use(_next_chunk))) is not None:
                yield from shared.add(chunk.data, chunk.rows)
        elif result.messages is not None:
            yield from shared.add(result.messages, result.count or 0)
        elif result.source is not None and not self.newest_first:
            while len(portion := (yield from result.source.take(STRIDE))):
                yield from shared.add(self.encode(portion), len(portion))
        else:
            rows = result.rows
            if result.source is not None:
                rows = yield from result.source.every()
            yield from self._add_rows(shared, rows[::-1] if self.newest_first else rows)

    def _add_rows(self, shared: SharedRead, rows: Sequence[Row]) -> Steps[None]:
        for start in range(0, len(rows), STRIDE):
            if start:
                yield from breathe()
            portion = RowPortion(rows[start : start + STRIDE])
            yield from shared.add(self.encode(portion), len(portion))


async def _next_chunk(stream: ResultStream) -> WireChunk | None:
    return await anext(aiter(stream), None)
