"""COPY FROM: rows that a client sends, put as an INSERT puts them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from catalog.errors import ConfigurationLimitExceededError, UniqueViolationError
from catalog.uses import sequences_used
from kalam_pg.query import elsewhere
from kalam_pg.query.aside import aside
from kalam_pg.query.at_once import AtOnce
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.insert import open_target
from kalam_pg.query.loads import LARGE_BYTES, Road, put_before
from kalam_pg.query.row_changes import insert
from kalam_pg.query.rows import Target
from kalam_pg.query.rules import Closure, RowRules
from kalam_pg.query.spool import Spool
from kalam_pg.query.waits import STRIDE, Pace, Steps
from kalam_pg.rows.copy_lines import LARGE
from kalam_pg.rows.copy_reading import CopyReader, Place, Values, add_context
from storage.errors import DiskFullError, IoError, KalamError
from storage.layout import Row, Value

_NO_ROW: Row = ()


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """A compiled COPY FROM. sent: for each column of the table its place among what is sent, or None.

    where: what a row must satisfy to be put, over the row. road: loads what is large; None: nothing does.
    """

    rules: RowRules
    sent: tuple[int | None, ...]
    where: Closure | None
    reader: CopyReader
    road: Road | None = None

    def run(self, x: Execution) -> Steps[Result]:
        """Open the table; the rows come with `Result.copy_in`. Raises what putting earlier rows raises."""
        if self.road is None:  # They are put as they come.
            yield from put_before(x, open_target(x, self.rules))
        return Result("COPY", copy_in=CopyIn(self, x))


_COPIES: Final = 4
"""Of a long line: as it came, put together, in fields, and as values."""

_NO_FILE: Final = (ConfigurationLimitExceededError, DiskFullError, IoError)
"""There is no file for what is sent, or no room in it: rows are put as they come."""


class CopyIn:
    """The rows of one COPY FROM on their way into its table.

    response: what asks the client for them.
    """

    __slots__ = (
        "_at_once",
        "_count",
        "_pace",
        "_plan",
        "_spool",
        "_stride",
        "_target",
        "_x",
        "response",
    )

    def __init__(self, plan: CopyPlan, x: Execution) -> None:
        self.response = plan.reader.response
        self._plan = plan
        self._x = x
        self._open()
        self._count = 0
        self._pace = Pace()
        columns = zip(plan.sent, plan.rules.table.columns, strict=True)
        numbered = any(at is None and sequences_used(column.default) for at, column in columns)
        self._stride = 1 if numbered else STRIDE  # A number is taken when its row is put.
        self._spool: Spool | None = None
        if plan.road is not None:
            spool = self._spool = Spool(x.database.spills)
            x.transaction.on_end.append(spool.close)

    def _open(self) -> None:
        self._target: Target = open_target(self._x, self._plan.rules)
        self._at_once = AtOnce.of(self._x, self._target)

    @property
    def statement_timeout_s(self) -> float:
        """What is left of the statement's time in seconds; 0: there is no limit."""
        return self._x.statement_timeout_s

    def take(self, data: bytes) -> Steps[None]:
        """Put the rows that are whole with these bytes. Raises what reading and putting them raise."""
        self._pace.restart()
        elsewhere.renew(self._x)
        spool = self._spool
        if spool is None:
            yield from self._put_all(self._plan.reader.rows(data))
            return
        try:
            yield from spool.add(data)
        except _NO_FILE:
            self._spool = None  # As if it had never been thought of.
            yield from self._put_spooled(spool)
            spool.close()

    def finish(self) -> Steps[int]:
        """Put what is left, or load all of it; how many rows were put."""
        spool, road = self._spool, self._plan.road
        if spool is not None and road is not None:
            if spool.size >= LARGE_BYTES and (yield from _is_written(spool)):
                loaded = yield from road.load(self._x, self._target, spool)
                if loaded is not None:
                    spool.close()
                    return loaded
            yield from self._put_spooled(spool)
            spool.close()
        return (yield from self._finish())

    def _finish(self) -> Steps[int]:
        yield from self._put_all(self._plan.reader.end())
        yield from self._x.settle()
        return self._count

    def _put_spooled(self, spool: Spool) -> Steps[None]:
        yield from put_before(self._x, self._target)
        self._open()  # What was loaded is not where it was.
        at = 0
        while at < spool.size:
            data = yield from spool.read(at)
            at += len(data)
            self._pace.restart()
            elsewhere.renew(self._x)
            yield from self._put_all(self._plan.reader.rows(data))

    def _put_all(self, rows: Iterator[Values]) -> Steps[None]:
        reader, refused = self._plan.reader, None
        ready: list[Row] = []
        places: list[Place] = []
        while refused is None:
            row: Row | None = None
            try:
                if reader.waiting > LARGE:
                    values = yield from self._read_aside(rows)
                else:
                    values = next(rows, None)
                if values is None:
                    break
                row = yield from self._row(values, reader.place)
            except KalamError as exc:
                refused = exc  # What comes before it is put first: one of those may be refused.
            if row is not None:
                ready.append(row)
                places.append(reader.place)
            if len(ready) >= self._stride or self._pace.is_due():
                yield from self._put(ready, places)
                ready, places = [], []
                if self._pace.is_due():  # WHERE lets no row pass.
                    yield from elsewhere.rest(self._x, self._pace)
        yield from self._put(ready, places)
        if refused is not None:
            raise refused

    def _read_aside(self, rows: Iterator[Values]) -> Steps[Values | None]:
        """The next row, of a line that is long: it is there several times while it is read. Raises 53200."""
        x = self._x
        lease = x.answers.lease(_COPIES * self._plan.reader.waiting)
        timeout_s = self.statement_timeout_s
        values: Values | None = yield from aside(
            partial(next, rows, None), user=x.payer, timeout_s=timeout_s, lease=lease
        )
        return values

    def _put(self, rows: Sequence[Row], places: Sequence[Place]) -> Steps[None]:
        """Put rows, in their order, as many at a time as need not wait."""
        at = 0
        while at < len(rows):
            count = 0 if self._at_once is None else self._at_once.insert(rows, at)
            if not count:
                count = 1
                with self._told(places[at]):
                    yield from elsewhere.checked(self._x, self._plan.rules, rows[at])
                    yield from insert(self._x, self._target, rows[at])
            at += count
            self._count += count
            if self._pace.is_due():
                yield from elsewhere.rest(self._x, self._pace)

    @contextmanager
    def _told(self, place: Place) -> Iterator[None]:
        """Errors of a row in here say its place."""
        try:
            yield
        except KalamError as exc:
            # What a key collides with is found for many rows at once, and their lines are not shown.
            line = not isinstance(exc, UniqueViolationError)
            add_context(exc, self._plan.reader.where(place, line=line))
            exc.position = 0
            raise

    def _row(self, values: Values, place: Place) -> Steps[Row | None]:
        """The row that is to be put; None: it is not to be."""
        plan, x = self._plan, self._x
        row: list[Value] = []
        with self._told(place):
            for at, default in zip(plan.sent, plan.rules.defaults, strict=True):
                if at is not None:
                    row.append(values[at])
                else:
                    row.append((yield from elsewhere.evaluated(x, default, _NO_ROW)))
            made = tuple(row)
            if plan.where and (yield from elsewhere.evaluated(x, plan.where, made)) is not True:
                return None
            if plan.rules.generated:
                made = yield from elsewhere.generated(x, plan.rules, made)
        return made


def _is_written(spool: Spool) -> Steps[bool]:
    try:
        yield from spool.write()
    except _NO_FILE:
        return False
    return True
