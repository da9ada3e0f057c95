"""A subscription as rows without an end: behind COPY (SUBSCRIBE …), cursors and endless result sets.

It gives its snapshot first and then every change, each once and in order, as fast as it is pulled: who does
not pull keeps no more than a position in the log waiting (decision 0024). It reads what is committed and
nothing else, so it belongs to no transaction's snapshot; its own view is given back with the snapshot's
last row.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from math import inf
from time import monotonic
from typing import Final, NamedTuple

import trio

from catalog.errors import QueryCanceledError
from catalog.types.registry import INT8, NUMERIC, TEXT, by_oid
from catalog.types.table import PgType
from kalam_pg.functions.dimensions import items_of, with_each
from kalam_pg.functions.table import EvalContext
from kalam_pg.live.commits import Commit, Gap
from kalam_pg.live.filter import LiveQuery, Seen
from kalam_pg.live.hub import Hub
from kalam_pg.live.subscriber import OUTBOX_BYTES_MAX, Subscriber
from kalam_pg.live.subscription import About, LiveQueries
from kalam_pg.query.portion import Portion, RowPortion
from kalam_pg.query.row_source import RowSource
from kalam_pg.query.waits import STRIDE, Resume, Spawn, Steps, Wait, breathe, wait
from kalam_pg.sql.tree import OutputColumn
from storage.errors import KalamError
from storage.layout import Row, Value
from storage.log.log_entry import Op

SEQ, OP, TOKEN = "_seq", "_op", "_token"
TEXT_ARRAY = by_oid(1009)
HEAD: Final = 3
"""Columns before those of the query."""


PORTION_BYTES_MAX: Final = 128 << 10
"""What is encoded before the client is asked to read on."""


class Shown(NamedTuple):
    """What a subscription's rows have beside its query's columns, as its options say.

    progress_s: so long after its last row comes one of op progress; inf is never. strings: int8 and numeric
    values are text. old: what deleted rows were is told, and not their key alone. flush: what is in segments
    is told. page: rows of a snapshot that are read at a time, at most.
    """

    progress_s: float = inf
    strings: bool = False
    old: bool = True
    flush: bool = False
    page: int = STRIDE


def live_columns(query: LiveQuery, shown: Shown) -> tuple[OutputColumn, ...]:
    """The columns of a subscription's rows: `_seq`, `_op`, `_token`, then those of its query."""
    columns = (
        OutputColumn(SEQ, INT8),
        OutputColumn(OP, TEXT),
        OutputColumn(TOKEN, TEXT),
        *query.columns,
    )
    return tuple(map(_as_text, columns)) if shown.strings else columns


def _as_text(column: OutputColumn) -> OutputColumn:
    type_ = column.type
    if type_ in (INT8, NUMERIC):
        return OutputColumn(column.name, TEXT)
    if type_.element in (INT8, NUMERIC):
        return OutputColumn(column.name, TEXT_ARRAY)
    return column


class LiveRows(RowSource):
    """The rows of one subscription.

    As `live.subscription.Live` has it: about, number, query, subscriber, delivered (rows). closed: nobody
    reads on.
    """

    __slots__ = (
        "_changes",
        "_context",
        "_due",
        "_error",
        "_flushed",
        "_hearing",
        "_held",
        "_hub",
        "_key",
        "_listed",
        "_on_close",
        "_shown",
        "_skipped",
        "_snapshot",
        "_statement_until",
        "_texts",
        "_until",
        "about",
        "channel",
        "closed",
        "delivered",
        "number",
        "query",
        "subscriber",
    )

    def __init__(
        self,
        hub: Hub,
        subscriber: Subscriber,
        query: LiveQuery,
        about: About,
        context: EvalContext,
        shown: Shown,
        listed: LiveQueries,
        on_close: Callable[["LiveRows"], None],
    ) -> None:
        """context: its own, with the settings that it begins with."""
        super().__init__()
        self.query = query
        self.about = about
        self.subscriber = subscriber
        self.channel = ""
        self.delivered = 0
        self.closed = False
        self._hub = hub
        self._context = context
        self._shown = shown
        self._on_close = on_close
        self._key = _shown_key(query)
        self._texts = _texts([column.type for column in query.columns]) if shown.strings else None
        self._snapshot: _Snapshot | None = None
        self._held: Row | None = None
        """The newest row of the snapshot, as long as it may be the last one, which has the token."""
        self._changes: Iterator[Row | None] = iter(())
        self._error: KalamError | None = None
        self._hearing: Hearing | None = None
        self._due = inf
        self._until = inf
        self._statement_until = inf
        self._skipped = 0  # Changes that it does not show, since the last that it does.
        self._flushed = 0  # To be told once everything before is: later ones take its place.
        self._listed = listed
        subscriber.wake = self._wake
        self.number = listed.add(self)
        if shown.flush:
            listed.follow_flushes(self)

    def begin(self, snapshot: RowSource | None, release: Callable[[], None]) -> None:
        """It goes on behind a position; a snapshot as of there comes first.

        snapshot: rows of the query's columns and `_seq`. release: called when all of them were read.
        """
        if snapshot is not None:
            self._snapshot = _Snapshot(snapshot, release)
        self._due = monotonic() + self._shown.progress_s

    def allow(self, wait_s: float = inf, statement_s: float = 0.0) -> None:
        """How long the statement that pulls now may wait for a row, and (0: for ever) run at all."""
        now = monotonic()
        self._until = now + wait_s
        self._statement_until = now + statement_s if statement_s else inf

    @property
    def patient(self) -> bool:
        return self._snapshot is None

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._stop()
            self._end_snapshot()
            self._listed.remove(self)
            self._on_close(self)

    @property
    def silence(self) -> str:
        """See `Live`."""
        if self._hearing is None:
            return "the client does not read on"
        if self._skipped:
            return f"the newest {self._skipped} changes are not shown by its query"
        return "" if self.delivered else "nothing has changed"

    def flushed(self, through: int) -> None:
        """The table's changes up to this commit are in segments."""
        self._flushed = through
        self._wake()

    def next_portion(self) -> Steps[Portion | None]:
        """The next rows; None when there was none in the time that `allow` gives.

        Raises 57014, and what ends the subscription: that for ever.
        """
        while True:
            rows = yield from self._next()
            now = monotonic()
            if not rows:
                rows = self._beside(now)
            if rows:
                self.delivered += len(rows)
                self._due = now + self._shown.progress_s
                return RowPortion(rows)
            if now >= self._until:
                return None
            if now >= self._statement_until:
                raise QueryCanceledError("canceling statement due to statement timeout")
            hearing = self._hearing = Hearing(
                min(self._due, self._until, self._statement_until) - now
            )
            try:
                yield from wait(hearing)
            finally:
                self._hearing = None

    # ------------------------------------------------------------------ inside

    def _wake(self) -> None:
        if self._hearing is not None:
            self._hearing.end()

    def _stop(self) -> None:
        self._hub.stop(self.subscriber)
        self._changes = iter(())

    def _next(self) -> Steps[list[Row]]:
        if self._error is not None:
            raise self._error
        if self._snapshot is not None:
            rows = yield from self._of_snapshot(self._snapshot)
            if rows:
                return rows
        while True:
            rows = self._some_changes()
            if rows:
                return rows
            taken = self._take()
            if not taken:
                return rows
            self._changes = self._see(taken)
            yield from breathe()

    def _of_snapshot(self, snapshot: "_Snapshot") -> Steps[list[Row]]:
        """The next rows of the snapshot; the token of its commit is in the last one."""
        while len(portion := (yield from snapshot.source.take(self._shown.page))):
            rows = [] if self._held is None else [self._held]
            rows += [self._row(row[-1], "insert", None, row[:-1]) for row in portion.rows()]
            self._held = rows.pop()
            if rows:
                return rows
        self._end_snapshot()
        last, self._held = self._held, None
        rows = [] if last is None else [(*last[:2], str(self._position), *last[HEAD:])]
        if self._shown.progress_s < inf:
            rows.append(self._progress(self._position))
        return rows

    def _end_snapshot(self) -> None:
        snapshot, self._snapshot = self._snapshot, None
        if snapshot is not None:
            snapshot.source.close()
            snapshot.release()

    def _some_changes(self) -> list[Row]:
        """Rows of changes that were taken already. What a change raises comes after those before it."""
        rows: list[Row] = []
        size = 0
        try:
            for row in islice(self._changes, STRIDE):
                if row is None:
                    self._skipped += 1
                else:
                    self._skipped = 0
                    rows.append(row)
                    size += _size(row)
                    if size > PORTION_BYTES_MAX:
                        break
        except KalamError as exc:
            self._fail(exc)
            if not rows:
                raise
        return rows

    def _take(self) -> Sequence[Commit | Gap]:
        try:
            return self.subscriber.take(OUTBOX_BYTES_MAX)
        except KalamError as exc:
            self._fail(exc)
            raise

    def _fail(self, error: KalamError) -> None:
        self._error = error
        self._stop()

    def _see(self, taken: Sequence[Commit | Gap]) -> Iterator[Row | None]:
        """The rows of some commits; None for a change that is not shown."""
        query, context = self.query, self._context
        nothing = (None,) * len(query.columns)
        for item in taken:
            if isinstance(item, Gap):
                yield self._row(None, "gap", str(item.dropped), nothing)
                continue
            seq = item.seq
            for change in item.changes:
                token = f"{seq}.{change.n}"
                if change.op is Op.TRUNCATE:
                    yield self._row(seq, "truncate", token, nothing)
                    continue
                seen = query.see(change.op, change.row, change.old, seq, context)
                yield None if seen is None else self._row(seq, seen.op, token, self._values(seen))

    def _values(self, seen: Seen) -> Row:
        if seen.row is not None:
            return seen.row
        if seen.old is not None and self._shown.old:
            return seen.old
        values: list[Value] = [None] * len(self.query.columns)
        for value, at in zip(seen.key, self._key, strict=True):
            if at is not None:
                values[at] = value
        return tuple(values)

    def _beside(self, now: float) -> list[Row]:
        """What there is to tell when all changes were given."""
        if self._flushed:
            seq, self._flushed = self._flushed, 0
            return [self._row(seq, "flush", None, (None,) * len(self.query.columns))]
        if now >= self._due and self._shown.progress_s < inf:
            return [self._progress(self.subscriber.told_through)]
        return []

    @property
    def _position(self) -> int:
        position = self.subscriber.position
        assert position is not None
        return position.seq

    def _progress(self, seq: int) -> Row:
        """All that was committed up to there has been given."""
        return self._row(seq, "progress", str(seq), (None,) * len(self.query.columns))

    def _row(self, seq: Value, op: str, token: str | None, values: Row) -> Row:
        if self._texts is not None:
            seq = None if seq is None else str(seq)
            values = tuple(
                [
                    value if text is None or value is None else text(value)
                    for text, value in zip(self._texts, values, strict=True)
                ]
            )
        return (seq, op, token, *values)


class _Snapshot(NamedTuple):
    source: RowSource
    release: Callable[[], None]


class Hearing(Wait):
    """Until `end` is called, or a time has passed (inf: none): neither is an error."""

    __slots__ = ("_over", "_resume", "_scope", "_timeout_s")

    patient = True

    def __init__(self, timeout_s: float) -> None:
        super().__init__()
        self._timeout_s = timeout_s
        self._scope: trio.CancelScope | None = None
        self._resume: Resume | None = None
        self._over = False

    def start(self, resume: Resume, spawn: Spawn) -> None:
        self._resume = resume
        if self._timeout_s < inf:
            self._scope = trio.CancelScope()
            spawn(self._sleep)

    async def _sleep(self) -> None:
        assert self._scope is not None
        with self._scope:
            await trio.sleep(max(self._timeout_s, 0.0))
        self.end()

    def end(self) -> None:
        """Go on. Again is no error."""
        if not self._over and self._resume is not None:
            self._over = True
            if self._scope is not None:
                self._scope.cancel()
            self._resume()

    def cancel(self, error: BaseException | None = None) -> None:
        self.error = error or QueryCanceledError("canceling statement due to user request")
        self.end()


def _size(row: Row) -> int:
    """About how many bytes a row takes, as far as it can be many."""
    size = 0
    for value in row:
        if value.__class__ is str or value.__class__ is bytes or value.__class__ is tuple:
            size += len(value)
    return size


def _shown_key(query: LiveQuery) -> tuple[int | None, ...]:
    """For each column of the primary key, where the query's columns show it."""
    table = query.table
    places = {
        column.column_id: at
        for at, column in enumerate(query.columns)
        if column.table_id == table.id
    }
    return tuple([places.get(table.columns[at].id) for at in query.key])


def _texts(types: Sequence[PgType]) -> tuple[Callable[[Value], Value] | None, ...]:
    """What makes text of the values of int8 and numeric columns, and of their arrays."""

    def array(value: Value) -> Value:
        found: Value = with_each(items_of(value), lambda item: None if item is None else str(item))
        return found

    return tuple(
        [
            str if of in (INT8, NUMERIC) else array if of.element in (INT8, NUMERIC) else None
            for of in types
        ]
    )
