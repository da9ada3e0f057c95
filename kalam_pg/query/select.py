"""SELECT without an engine: constants, one row by key, the newest N, a few hot rows.

Each plan answers exactly what an engine would; `query.plan` chooses one only where that is certain. A plan
that finds at run time that it cannot (segments, uncommitted rows of its own) hands over to `general`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable

from catalog.model import Table
from kalam_pg.functions.cost import TakesLongError
from kalam_pg.functions.table import EvalContext
from kalam_pg.interpreter.sorting import Bounds, Order, sort_rows, sorted_places
from kalam_pg.query.among import Among
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.first_rows import First
from kalam_pg.query.indexed import (
    MISSES_MAX,
    Indexed,
    Newest,
    NoIndexError,
    Wanted,
    indexed_rows,
)
from kalam_pg.query.key_range import KeyRange
from kalam_pg.query.local.tables import live_rows
from kalam_pg.query.net_change import NetChange
from kalam_pg.query.quick_rows import projected
from kalam_pg.query.row_source import RowSource, Whole
from kalam_pg.query.rows import Place, visible
from kalam_pg.query.rules import Closure, RowRules
from kalam_pg.query.scan import scan_tablet
from kalam_pg.query.tail_loads import load
from kalam_pg.query.unique_lookup import UniqueLookup
from kalam_pg.query.waits import Steps, breathe
from kalam_pg.rows.form import RowForm, Shape
from kalam_pg.sql.tree import OutputColumn
from storage.keys import encode_key
from storage.layout import Row, Value
from storage.log.view import View
from storage.stream import StreamTablet
from storage.tablet import Tablet
from storage.tail.live_rows import LiveRows

_NO_ROW: Row = ()

IN_ORDER_ROWS_MAX = 2000
"""Most rows that are read newest first in Python, in some milliseconds; a worker is for more."""

OWN_CHANGES_MAX = 100
"""Changes of its own that a transaction's reads by an index are laid over."""

SMALL_SCAN_ROWS = 200
"""Most live rows that are filtered and sorted in Python: about where a worker becomes cheaper (0.6 ms)."""


class SelectPlan(Protocol):
    """A way to answer one query."""

    @property
    def columns(self) -> tuple[OutputColumn, ...]: ...

    def run(self, x: Execution) -> Steps[Result]:
        """Answer for the client: rows, or a stream of DataRow messages."""

    def source(self, x: Execution) -> Steps[RowSource]:
        """Answer as stored values, for a cursor or another statement. `x` owns what it holds."""


@runtime_checkable
class AtHand(Protocol):
    """A plan that can tell whether all that it needs is in memory, and few."""

    def at_hand(self, x: Execution) -> Steps[Result | None]:
        """The answer; None: it takes more than that. It may wait for rows to be loaded."""


class RowPlan:
    """A plan whose rows are all there at once, unless an expression takes long: `general` answers then."""

    __slots__ = ()
    columns: tuple[OutputColumn, ...]

    def run(self, x: Execution) -> Steps[Result]:
        try:
            rows = yield from self.rows(x)
        except TakesLongError:
            general = yield from self.general(x)
            if general is None:
                raise
            return (yield from general.run(x))
        return Result("SELECT", len(rows), self.columns, rows)

    def at_hand(self, x: Execution) -> Steps[Result | None]:
        """See `AtHand`. Raises 0A000 where an expression takes long: `run` has it answered elsewhere."""
        rows = yield from self.rows(x)
        return Result("SELECT", len(rows), self.columns, rows)

    def source(self, x: Execution) -> Steps[RowSource]:
        try:
            return Whole((yield from self.rows(x)))
        except TakesLongError:
            general = yield from self.general(x)
            if general is None:
                raise
            return (yield from general.source(x))

    def general(self, x: Execution) -> Steps[SelectPlan | None]:
        """What answers where this plan's expressions take long; None: nothing does."""
        return None
        yield

    def rows(self, x: Execution) -> Steps[Sequence[Row]]:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class PointPlan(RowPlan):
    """One row of one table by its whole primary key.

    key: one closure per key column. system: whether a closure reads `_seq` or `_deleted`.
    """

    columns: tuple[OutputColumn, ...]
    table: Table
    rules: RowRules
    key: tuple[Closure, ...]
    where: Closure | None
    targets: tuple[Closure, ...]
    bounds: Bounds
    slowly: Callable[[], SelectPlan]

    def general(self, x: Execution) -> Steps[SelectPlan]:
        return self.slowly()
        yield

    def rows(self, x: Execution) -> Steps[Sequence[Row]]:
        context = x.context
        values = [closure(_NO_ROW, context) for closure in self.key]
        if None in values:
            return ()
        table = self.table
        tablet = x.tablet(table)
        target = Place(tablet.id, tablet, stream=False, version=table.version)
        found = yield from visible(x, target, encode_key(values, self.rules.kinds))
        if found.row is None:
            return ()
        row = (*found.row, found.seq, False)
        limit, offset = self.bounds.values(context)
        if limit == 0 or (self.where is not None and self.where(row, context) is not True):
            return ()
        if offset:
            return ()
        return (tuple([closure(row, context) for closure in self.targets]),)


@dataclass(frozen=True, slots=True)
class Few:
    """Some of a few rows that are all in memory, in the order asked for. all: with system columns."""

    live: LiveRows
    all: Sequence[Row]
    places: Sequence[int]

    def __len__(self) -> int:
        return len(self.places)

    def rows(self) -> Sequence[Row]:
        """The rows."""
        return [self.all[at] for at in self.places]

    def messages(self, shape: Shape) -> Sequence[bytes] | None:
        """The rows as DataRow messages, made of each row once; None: nothing of these rows is kept."""
        live = self.live
        if live.encodings is None or len(live.ordinals) < len(self.all):
            return None
        wanted = [live.ordinals[at] for at in self.places]
        kept = list(map(live.encodings.of(shape).get, wanted))
        if None not in kept:
            return cast("list[bytes]", kept)
        slots, encode = shape.slots, shape.encode
        made = [encode(tuple([row[slot] for slot in slots])) for row in self.rows()]
        live.encodings.put(shape, wanted, made)
        return made


@dataclass(frozen=True, slots=True)
class HotPlan:
    """Filter, sort and project one table's hot rows in Python, newest first.

    newest_by: position of the column whose descending order with a LIMIT is the whole ORDER BY; when
    the tablet wrote that column in order, the scan stops at the LIMIT. -1: `_seq`; None: no such order.
    equals: (column, value) pairs among the WHERE's conditions that storage can test by itself.
    indexed: how an index on one of these answers, None without them. newest: when that is all there is to it.
    slots: the columns asked for, None when anything else is too (`indexed.plain_slots`).
    first: how few row groups of segments answer, and uncommitted rows; None: not at all.
    declared: the columns that indexes begin with: the first read that could use one makes it.
    unique: a value of a unique index that the WHERE names.
    among, by_key: values of which a column has one, or a part of the primary key, where `indexed` is None.
    """

    columns: tuple[OutputColumn, ...]
    table: Table
    where: Closure | None
    order: tuple[Order, ...]
    targets: tuple[Closure, ...]
    bounds: Bounds
    newest_by: int | None
    equals: tuple[tuple[int, Closure], ...]
    indexed: Indexed | None
    newest: Newest | None
    slots: tuple[int, ...] | None
    first: First | None
    general: SelectPlan
    declared: frozenset[int] = frozenset()
    among: Among | None = None
    by_key: KeyRange | None = None
    unique: UniqueLookup | None = None

    def run(self, x: Execution) -> Steps[Result]:
        try:
            return (yield from self._run(x))
        except TakesLongError:
            return (yield from self.general.run(x))  # An expression takes long.

    def _run(self, x: Execution) -> Steps[Result]:
        messages = self._messages(x)
        if messages is not None:
            data = b"".join(messages)
            return Result("SELECT", len(messages), self.columns, messages=data)
        found = yield from self._found(x)
        if found is None:
            return (yield from self.general.run(x))
        return self._result(found, x)

    def at_hand(self, x: Execution) -> Steps[Result | None]:
        """See `AtHand`."""
        found = yield from self._found(x)
        if found is not None:
            return self._result(found, x)
        return (yield from self.general.at_hand(x)) if isinstance(self.general, AtHand) else None

    def _result(self, found: "Sequence[Row] | Few", x: Execution) -> Result:
        messages = None if x.form is None else self._encoded(found, x.form)
        if messages is not None:
            return Result("SELECT", len(messages), self.columns, messages=b"".join(messages))
        return Result("SELECT", len(found), self.columns, self._rows_of(found, x))

    def source(self, x: Execution) -> Steps[RowSource]:
        try:
            found = yield from self._found(x)
            if found is not None:
                return Whole(self._rows_of(found, x))
        except TakesLongError:
            pass  # An expression takes long.
        return (yield from self.general.source(x))

    def _rows_of(self, found: "Sequence[Row] | Few", x: Execution) -> Sequence[Row]:
        return projected(self.targets, found.rows(), x.context) if isinstance(found, Few) else found

    def _encoded(self, found: "Sequence[Row] | Few", form: RowForm) -> Sequence[bytes] | None:
        """The answer as DataRow messages, when these can be kept for the next time."""
        if self.slots is None or not isinstance(found, Few):
            return None
        return found.messages(form.shape(self.slots))

    def _messages(self, x: Execution) -> Sequence[bytes] | None:
        """The answer as DataRow messages, None when it is not all in an index that is there."""
        form, newest = x.form, self.newest
        if form is None or newest is None:
            return None
        tablet = x.tablet(self.table)
        if x.own_changes(tablet.id) or not isinstance(tablet, Tablet):
            return None
        return newest.read(tablet, x.view, x.context, form.shape(newest.slots))

    def _found(self, x: Execution) -> "Steps[Sequence[Row] | Few | None]":
        """The answer, or None when this tablet needs an engine."""
        found = yield from self._hot(x)
        if found is not None or self.first is None:
            return found
        tablet = x.tablet(self.table)
        if not isinstance(tablet, Tablet):
            return None
        limit, offset = self.bounds.values(x.context)
        end = None if limit is None else limit + offset
        rows = yield from self.first.find(x, tablet, end)
        return None if rows is None else projected(self.targets, rows[offset:], x.context)

    def _hot(self, x: Execution) -> "Steps[Sequence[Row] | Few | None]":
        """The answer, or None when it is not in memory or takes long."""
        tablet = x.tablet(self.table)
        context = x.context
        limit, offset = self.bounds.values(context)
        if limit == 0:
            return ()  # PostgreSQL asks for no row, so nothing in one can be an error.
        equals = [(at, closure(_NO_ROW, context)) for at, closure in self.equals]
        if any(value is None for _, value in equals):
            return ()
        own = x.own_changes(tablet.id) or {}
        if own:
            few = yield from self._few(x, tablet, limit, offset)
            if few is not None or len(own) > OWN_CHANGES_MAX:
                return few
        view = x.view_of(self.table.id)
        if (self.indexed is not None or self.among is not None) and isinstance(tablet, Tablet):
            if not tablet.warm(view):
                yield from load(x, tablet, view)
            while True:
                try:
                    return self._by_index(tablet, view, equals, (limit, offset), context, own)
                except NoIndexError:
                    if not self.makes_index(tablet):
                        break
                yield from breathe()
        if tablet.newest_floor(view):
            return None
        by_key = self.by_key
        along_key = by_key is not None and by_key.how.ordered
        few_wanted = limit is not None and limit + offset <= IN_ORDER_ROWS_MAX
        in_order = few_wanted and not (own or along_key) and (yield from self._in_order(x, tablet))
        if limit is not None and in_order:
            kept = _first(_rows(tablet, view, equals), self.where, context, limit + offset)
            return None if kept is None else projected(self.targets, kept[offset:], context)
        few = None if own else (yield from self._few(x, tablet, limit, offset))
        if few is not None or by_key is None or not isinstance(tablet, Tablet):
            return few
        return self._by_range(tablet, view, by_key, (limit, offset), context, own)

    def _few(
        self, x: Execution, tablet: Tablet | StreamTablet, limit: int | None, offset: int
    ) -> "Steps[Few | None]":
        """By looking at all rows, which are in memory and few; None: they are not."""
        live = yield from live_rows(x, tablet, SMALL_SCAN_ROWS)
        if live is None:
            return None
        where, context = self.where, x.context
        rows = live.with_system(len(self.table.columns))
        places: Sequence[int] = range(len(rows))
        if where is not None:
            places = [at for at in places if where(rows[at], context) is True]
        if self.order:
            kept = [rows[at] for at in places]
            columns = [[item.closure(row, context) for row in kept] for item in self.order]
            places = [places[at] for at in sorted_places(columns, self.order)]
        return Few(live, rows, places[offset : None if limit is None else offset + limit])

    def makes_index(self, tablet: Tablet) -> bool:
        """Whether an index that was declared is to be made whole before anything else is tried."""
        how = self.indexed
        by = None if how is None or how.along is None else how.along.position
        asked = [at for at, _ in self.equals]
        if self.among is not None:
            asked.append(self.among.position)
        return any(tablet.index_is_coming(at, by) for at in asked if at in self.declared)

    def _by_index(
        self,
        tablet: Tablet,
        view: View,
        equals: Sequence[tuple[int, Value]],
        bounds: tuple[int | None, int],
        context: EvalContext,
        own: Mapping[bytes, NetChange],
    ) -> Sequence[Row] | None:
        how, among = self.indexed, self.among
        limit, offset = bounds
        end = None if limit is None else limit + offset
        if how is None:
            assert among is not None
            rows = among.rows(tablet, view, self.where, self.order, context)
            if rows is not None and own:
                rows = self._with_own(tablet, rows, own, context)
            return None if rows is None else projected(self.targets, rows[offset:end], context)
        where = None if how.exact else self.where
        # Each change of the transaction's own may take one of the rows that are found.
        wanted = None if end is None else end + len(own)
        rows = indexed_rows(tablet, view, how, Wanted(equals, wanted, where, self.order, context))
        if rows is not None and own:
            rows = self._with_own(tablet, rows, own, context)
        return None if rows is None else projected(self.targets, rows[offset:end], context)

    def _by_range(
        self,
        tablet: Tablet,
        view: View,
        by_key: KeyRange,
        bounds: tuple[int | None, int],
        context: EvalContext,
        own: Mapping[bytes, NetChange],
    ) -> Sequence[Row] | None:
        limit, offset = bounds
        end = None if limit is None else limit + offset
        # As in `_by_index`.
        wanted = Wanted(
            (), None if end is None else end + len(own), self.where, self.order, context
        )
        rows = by_key.rows(tablet, view, wanted)
        if rows is not None and own:
            rows = self._with_own(tablet, rows, own, context)
        return None if rows is None else projected(self.targets, rows[offset:end], context)

    def _with_own(
        self,
        tablet: Tablet,
        rows: Sequence[Row],
        own: Mapping[bytes, NetChange],
        context: EvalContext,
    ) -> Sequence[Row]:
        """What the transaction has made of rows that were found, and of others, in order."""
        key_of, where = tablet.schema.key_of, self.where
        kept = [row for row in rows if key_of(row) not in own]
        made = [(*c.row, 0, False) for c in own.values() if c.row is not None]
        kept += [row for row in made if where is None or where(row, context) is True]
        return sort_rows(kept, self.order, context) if self.order else kept

    def _in_order(self, x: Execution, tablet: Tablet | StreamTablet) -> Steps[bool]:
        """Whether newest first is the order asked for; a long log is loaded to know it."""
        position = self.newest_by
        if position is None:
            return False
        if position < 0:
            return True
        if isinstance(tablet, Tablet) and not tablet.has_tail:
            yield from scan_tablet(x, tablet)
        return tablet.in_order(position)


def _rows(
    tablet: Tablet | StreamTablet, view: View, equals: Sequence[tuple[int, Value]]
) -> Iterator[Row]:
    """Live rows, newest first, their system columns behind."""
    # Without a tail every entry of the log would be decoded just to be left out.
    tested = equals if not isinstance(tablet, Tablet) or tablet.has_tail else ()
    versions = tablet.newest(view, tested)
    return ((*version.row, version.seq, False) for version in versions or ())


def _first(
    source: Iterable[Row], where: Closure | None, context: EvalContext, wanted: int
) -> list[Row] | None:
    """The first rows that pass; None when too many do not, which an engine does better."""
    kept: list[Row] = []
    if wanted <= 0:
        return kept
    for read, row in enumerate(source):
        if where is None or where(row, context) is True:
            kept.append(row)
            if len(kept) == wanted:
                break
        elif read - len(kept) > MISSES_MAX:
            return None
    return kept
