"""Rows of one table through an index of its tail: those with a value in a column, the first N in an order.

The newest fifty messages of a conversation, the fifty before these, all that are not read yet.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from catalog.model import Table, TableKind
from kalam_pg.functions.table import EvalContext
from kalam_pg.interpreter.sorting import Bounds, Order, sort_rows
from kalam_pg.query.rules import Closure
from kalam_pg.rows.form import Shape, names_objects
from kalam_pg.sql.closures import Slot, is_given
from kalam_pg.sql.tree import OutputColumn
from storage.layout import Row, Value
from storage.log.view import View
from storage.tablet import Tablet
from storage.tail.ranked import Ranked
from storage.tail.value_index import Range

_NO_ROW: Row = ()

ROWS_MAX = 500
"""Most rows that are read this way: some 3 ms of the event loop."""

MISSES_MAX = 2000
"""Rows that may be looked at in vain: some 6 ms of the event loop."""

_CHUNK = 64
_FEW = 256
"""An index that finds so few is good enough; no other one is tried."""


class NoIndexError(Exception):
    """There is no index for this (yet)."""


@dataclass(frozen=True, slots=True)
class Along:
    """An order that an index has: of the column at `position`, None of the commits."""

    position: int | None
    descending: bool


@dataclass(frozen=True, slots=True)
class Indexed:
    """How a query is answered through an index on a column that the WHERE has a value for.

    along: the order of its rows that the ORDER BY begins with (any, without ORDER BY); None: the
    index has no such order. lows, highs: what the WHERE compares that column with, each with
    whether the bound is just above the value. exact: that is all that the WHERE says. ordered:
    `along` is all that the ORDER BY says.
    """

    along: Along | None
    lows: tuple[tuple[Closure, bool], ...]
    highs: tuple[tuple[Closure, bool], ...]
    exact: bool
    ordered: bool

    def range(self, wanted: int, context: EvalContext) -> Range | None:
        """The part of the order that the WHERE leaves, None when it compares with NULL."""
        descending = self.along is not None and self.along.descending
        if not self.lows and not self.highs:
            return Range(wanted, None, None, descending)
        lows = [(closure(_NO_ROW, context), above) for closure, above in self.lows]
        highs = [(closure(_NO_ROW, context), above) for closure, above in self.highs]
        low = [value + above for value, above in lows if isinstance(value, int)]
        high = [value + above for value, above in highs if isinstance(value, int)]
        if len(low) < len(lows) or len(high) < len(highs):
            return None
        return Range(wanted, max(low, default=None), min(high, default=None), descending)


def plain_slots(
    targets: Sequence[Closure], columns: Sequence[OutputColumn], width: int
) -> tuple[int, ...] | None:
    """The columns of a table of `width` that are asked for, None when anything else is too.

    An object's name, unlike what else is made of a value, may be another one tomorrow.
    """
    slots = [t.index for t in targets if isinstance(t, Slot) and t.index < width]
    if len(slots) < len(targets) or not slots or names_objects(columns):
        return None
    return tuple(slots)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One run of a query. end: rows wanted in all, None: every one. where: None when it holds anyway."""

    equals: Sequence[tuple[int, Value]]
    end: int | None
    where: Closure | None
    order: Sequence[Order]
    context: EvalContext


def indexed_rows(tablet: Tablet, view: View, how: Indexed, wanted: Wanted) -> Sequence[Row] | None:
    """Rows with their system columns, in order, at least the first `wanted.end` if there are so many.

    None when they would be too many, or may be in segments. Raises NoIndexError.
    """
    along = how.along
    ranked = _ranked(tablet, view, wanted.equals, None if along is None else along.position)
    end = wanted.end
    if end == 0:
        return ()
    if end is None or along is None:
        return _every_row(ranked, how, wanted)
    if end > ROWS_MAX and ranked.count > ROWS_MAX:
        return None
    return _first_rows(ranked, how, along, wanted, end)


def first_ordinals(ranked: Ranked, within: Range) -> Sequence[int] | None:
    """The first rows, when the index tells all: `exact` and `ordered`. None as in `indexed_rows`."""
    found = ranked.find(within)
    if ranked.cold:
        if len(found) < within.wanted:
            return None
        if not ranked.beats_cold(found[-1], descending=within.descending, ties=True):
            return None
    return found


class Newest:
    """The whole answer of a query from an index: the newest rows with a value, the page before these.

    What was sent of a row before is sent again: rows do not change, newer versions are other rows.
    """

    __slots__ = (
        "_along", "_bounds", "_equal", "_how", "_is_settled", "_settled", "_value", "slots", "timed"
    )  # fmt: skip

    def __init__(
        self,
        how: Indexed,
        along: Along,
        equal: tuple[int, Closure],
        bounds: Bounds,
        slots: tuple[int, ...],
    ) -> None:
        """slots: the columns asked for, and nothing else is."""
        self._how = how
        self._along = along.position
        self._equal, self._value = equal
        self._bounds = bounds
        self.slots = slots
        asked = [self._value, *(closure for closure, _ in how.lows + how.highs)]
        asked += [bound for bound in (bounds.limit, bounds.offset) if bound is not None]
        self.timed = not all(map(is_given, asked))
        """Whether it may ask for the time."""
        self._is_settled = bounds.settled and not (how.lows or how.highs)
        self._settled: tuple[Range, int] | None = None
        """What was asked the first time, when it is the same each time."""

    def read(
        self, tablet: Tablet, view: View, context: EvalContext, shape: Shape
    ) -> Sequence[bytes] | None:
        """The rows as DataRow messages; None when the index is not there, or does not have them all.

        shape: a form's, of `slots`.
        """
        within, offset = self._settled or self._ask(context)
        value = self._value(_NO_ROW, context)
        if value is None or not within.wanted:
            return ()
        ranked = tablet.ranked(view, self._equal, value, self._along)
        if ranked is None:
            return None
        found = first_ordinals(ranked, within)
        if found is None or len(found) > ROWS_MAX:
            return None
        if offset:
            found = found[offset:]
        made = list(map(ranked.encodings.of(shape).get, found))
        return _completed(made, found, ranked, shape) if None in made else cast("list[bytes]", made)

    def _ask(self, context: EvalContext) -> tuple[Range, int]:
        """Which rows, and how many of them are skipped. Raises 2201W, 2201X, and what closures raise."""
        limit, offset = self._bounds.values(context)
        end = ROWS_MAX + 1 if limit is None else min(limit + offset, ROWS_MAX + 1)
        within = self._how.range(end, context)
        asked = (Range(0) if within is None else within, offset)
        if self._is_settled:
            self._settled = asked
        return asked


def newest(
    table: Table,
    columns: Sequence[OutputColumn],
    targets: Sequence[Closure],
    bounds: Bounds,
    equals: Sequence[tuple[int, Closure]],
    how: Indexed | None,
) -> Newest | None:
    """How such a query is answered by an index alone, None if it asks for more."""
    if how is None or not (how.exact and how.ordered) or table.kind is TableKind.STREAM:
        return None
    slots = plain_slots(targets, columns, len(table.columns))
    if slots is None:
        return None
    assert how.along is not None, "ordered says that the index has the order"
    return Newest(how, how.along, equals[0], bounds, slots)


def _completed(
    made: Sequence[bytes | None], ordinals: Sequence[int], ranked: Ranked, shape: Shape
) -> list[bytes]:
    """The messages of rows of which some were made before."""
    lacking = [at for at, data in zip(ordinals, made, strict=True) if data is None]
    fresh = [shape.encode(row) for _, row in ranked.rows(lacking, shape.slots)]
    ranked.encodings.put(shape, lacking, fresh)
    more = iter(fresh)
    return [next(more) if data is None else data for data in made]


def _ranked(
    tablet: Tablet, view: View, equals: Sequence[tuple[int, Value]], by: int | None
) -> Ranked:
    """The index that finds the fewest rows."""
    best: Ranked | None = None
    for at, value in equals:
        found = tablet.ranked(view, at, value, by)
        if found is not None and (best is None or found.count < best.count):
            best = found
            if best.count <= _FEW:
                break
    if best is None:
        raise NoIndexError
    return best


def _every_row(ranked: Ranked, how: Indexed, wanted: Wanted) -> Sequence[Row] | None:
    within = how.range(ROWS_MAX + 1, wanted.context)
    if within is None:
        return ()
    if ranked.cold:
        return None
    ordinals = ranked.find(within)
    if len(ordinals) > ROWS_MAX:
        return None
    rows = _passing(ranked, ordinals, wanted)
    return rows if how.ordered else sort_rows(rows, wanted.order, wanted.context)


def _first_rows(
    ranked: Ranked, how: Indexed, along: Along, wanted: Wanted, end: int
) -> Sequence[Row] | None:
    all_pass = wanted.where is None
    most = end if all_pass and how.ordered else end + MISSES_MAX
    within = how.range(most, wanted.context)
    if within is None:
        return ()
    if all_pass and how.ordered:
        found = first_ordinals(ranked, within)
        return None if found is None else _passing(ranked, found, wanted)
    ordinals = ranked.find(within)
    at = -2 if along.position is None else along.position
    rows: list[Row] = []
    edge = -1  # The row with which there were enough.
    done = False
    for ordinal, row in _lazily(ranked, ordinals, wanted):
        if edge >= 0 and row[at] != rows[-1][at]:
            done = True
            break
        rows.append(row)
        if len(rows) == end:
            edge, done = ordinal, how.ordered
            if done:
                break
    if not done and len(ordinals) == most:
        return None
    if ranked.cold and (
        edge < 0 or not ranked.beats_cold(edge, descending=along.descending, ties=how.ordered)
    ):
        return None
    return rows if how.ordered else sort_rows(rows, wanted.order, wanted.context)


def _lazily(ranked: Ranked, ordinals: Sequence[int], wanted: Wanted) -> Iterator[tuple[int, Row]]:
    """(ordinal, row with its system columns) of those that the WHERE lets pass."""
    where, context = wanted.where, wanted.context
    for start in range(0, len(ordinals), _CHUNK):
        chunk = ordinals[start : start + _CHUNK]
        for ordinal, (seq, stored) in zip(chunk, ranked.rows(chunk), strict=True):
            row = (*stored, seq, False)
            if where is None or where(row, context) is True:
                yield ordinal, row


def _passing(ranked: Ranked, ordinals: Sequence[int], wanted: Wanted) -> list[Row]:
    """These rows with their system columns, but for those that the WHERE leaves out."""
    rows: list[Row] = [(*row, seq, False) for seq, row in ranked.rows(ordinals)]
    where, context = wanted.where, wanted.context
    return rows if where is None else [row for row in rows if where(row, context) is True]
