"""The rows of an answer, pulled by who wants them and as fast as they are wanted.

Behind every answer that may be long: SELECT by an engine or of the catalogue, RETURNING, cursors, and
what INSERT … SELECT, UPDATE and DELETE find. Nothing collects such an answer in this process.
"""

from collections.abc import Callable, Sequence
from functools import partial

import pyarrow as pa

from kalam_pg.engines.request import ResultStream
from kalam_pg.query.aside import aside
from kalam_pg.query.engine_answer import EngineAnswer
from kalam_pg.query.portion import NO_ROWS, ArrowPortion, Portion, RowPortion
from kalam_pg.query.row_store import RowStore, Spills
from kalam_pg.query.waits import STRIDE, Steps
from storage.layout import Row, row_bytes

LARGE_BATCH_BYTES = 128 << 10
"""A larger batch is read in a thread: a megabyte of text takes a millisecond, and one of small numbers in an
array, a byte each, a hundred."""

TOGETHER_BYTES = 1 << 20
"""So much of large rows is made into values at a time, or one row: each is some milliseconds' work, and as
much again when it is forgotten."""


class RowSource:
    """Rows in their order, each once. A subclass says where the next ones come from.

    there: all its rows, where nothing has to be waited for; None where they must be taken.
    """

    __slots__ = ("_at", "_rest", "there")

    @property
    def patient(self) -> bool:
        """Whether its client may read when it likes: it holds nothing that others need."""
        return False

    def __init__(self, there: Sequence[Row] | None = None) -> None:
        self.there = there
        self._rest: Portion = NO_ROWS
        self._at = 0

    def next_portion(self) -> Steps[Portion | None]:
        """The next rows, as many as come in one piece; None: there are no more."""
        raise NotImplementedError

    def close(self) -> None:
        """No more are wanted. Again is no error."""

    def take(self, limit: int) -> Steps[Portion]:
        """The next rows, at most `limit` and at least one; none when there are no more."""
        rest, at = self._rest, self._at
        while at == len(rest):
            found = yield from self.next_portion()
            if found is None:
                self._rest, self._at = NO_ROWS, 0
                return NO_ROWS
            rest, at = found, 0
        stop = min(at + limit, len(rest))
        if stop == len(rest):
            self._rest, self._at = NO_ROWS, 0  # One row may have a gigabyte.
        else:
            self._rest, self._at = rest, stop
        return rest if at == 0 and stop == len(rest) else rest.part(at, stop)

    def every(self) -> Steps[list[Row]]:
        """All the rows that are left, for who has room for them."""
        rows: list[Row] = []
        while len(portion := (yield from self.take(STRIDE))):
            rows += portion.rows()
        return rows

    def take_rows(self, limit: int, *, user: int, timeout_s: float = 0.0) -> Steps[Sequence[Row]]:
        """As `take`, as stored values; fewer of them where they are large, which are read in a thread.

        user: whose statement it is. timeout_s: what it may still wait, 0 without a limit. Raises 57014.
        """
        portion = yield from self.take(limit)
        size = portion.size if isinstance(portion, ArrowPortion) else 0
        if size <= LARGE_BATCH_BYTES:
            return portion.rows()
        few = max(1, len(portion) * TOGETHER_BYTES // size)
        if few < len(portion):
            # They are all of what was left, or the others lie behind them.
            rest = portion if self._at == 0 else self._rest
            at = 0 if self._at == 0 else self._at - len(portion)
            self._rest, self._at = rest, at + few
            portion = portion.part(0, few)
        return (yield from aside(portion.rows, user=user, timeout_s=timeout_s))

    def keep(self, spills: Spills) -> Steps[RowStore]:
        """All the rows that are left, in a store; the source is closed. Raises 53100."""
        store = spills.store()
        try:
            while len(portion := (yield from self.take(1 << 30))):
                yield from store.add(portion)
        except BaseException:
            store.close()
            raise
        finally:
            self.close()
        return store


class Whole(RowSource):
    """Rows that are all there."""

    __slots__ = ()

    def __init__(self, rows: Sequence[Row]) -> None:
        super().__init__(rows)
        self._rest = RowPortion(rows)

    def next_portion(self) -> Steps[Portion | None]:
        return None
        yield


class Stored(RowSource):
    """The rows of a store, which is closed with it."""

    __slots__ = ("_next", "_store")

    def __init__(self, store: RowStore) -> None:
        super().__init__()
        self._store = store
        self._next = 0

    def next_portion(self) -> Steps[Portion | None]:
        found = yield from self._store.read(self._next, 1 << 30)
        self._next += len(found)
        return found if len(found) else None

    def close(self) -> None:
        self._store.close()


class BatchRows(RowSource):
    """An engine's answer in Arrow. portion: the rows of a batch. time_left_s: what a statement may still
    wait, 0 without a limit.
    """

    __slots__ = ("_answer", "_over", "_portion", "_time_left_s")

    def __init__(
        self,
        answer: EngineAnswer,
        portion: Callable[[pa.RecordBatch], Portion],
        time_left_s: Callable[[], float],
    ) -> None:
        super().__init__()
        self._answer = answer
        self._portion = portion
        self._time_left_s = time_left_s
        self._over = False

    def next_portion(self) -> Steps[Portion | None]:
        while not self._over:
            batch = yield from self._answer.use(_next_batch, timeout_s=self._time_left_s())
            if batch is None:
                self._over = True
                self._answer.close()
            elif batch.num_rows:
                if batch.nbytes > LARGE_BATCH_BYTES:
                    make = partial(self._portion, batch)
                    left_s, user = self._time_left_s(), self._answer.user
                    return (yield from aside(make, user=user, timeout_s=left_s))
                return self._portion(batch)
        return None

    def close(self) -> None:
        self._over = True
        self._answer.close()


async def _next_batch(stream: ResultStream) -> pa.RecordBatch | None:
    return await anext(aiter(stream), None)


class Gathered:
    """Rows that a statement makes before any of them may be told: few in memory, many in a store."""

    __slots__ = ("_bytes", "_rows", "_spills", "_store")

    def __init__(self, spills: Spills) -> None:
        self._bytes = 0
        self._rows: list[Row] = []
        self._spills = spills
        self._store: RowStore | None = None

    def add(self, row: Row) -> Steps[None]:
        """One more. Raises 53100."""
        self._rows.append(row)
        self._bytes += row_bytes(row)
        if len(self._rows) > STRIDE or self._bytes > self._spills.memory_bytes:
            if self._store is None:
                self._store = self._spills.store()
            yield from self._store.add(RowPortion(self._rows))
            self._rows, self._bytes = [], 0

    def source(self) -> Steps[RowSource]:
        """All of them. To be asked for once."""
        store = self._store
        if store is None:
            return Whole(self._rows)
        yield from store.add(RowPortion(self._rows))
        return Stored(store)

    def close(self) -> None:
        """Forget them. Again is no error."""
        if self._store is not None:
            self._store.close()
