"""PostgreSQL's aggregates over frames that grow: what there is goes on with the rows that come.

Only those whose value of some rows, taken as one more value before others, gives the value of all of them, to
the last bit; and what is reckoned of such.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from catalog.types.registry import (
    BOOL,
    FLOAT8,
    INT2,
    INT4,
    INT8,
    INTERVAL,
    NUMERIC,
    TEXT,
)
from kalam_pg.functions import decimals, lookup
from kalam_pg.functions.aggregates import OfValues, mean_of_floats
from kalam_pg.functions.table import Overload
from storage.layout import Row, Value


class Total(Protocol):
    """An aggregate of the rows so far."""

    def add(self, rows: Sequence[Row]) -> None:
        """Take in more rows of arguments, in their order."""

    def value(self) -> Value:
        """The aggregate's value of all of them."""


class _Rows:
    """count: of all rows, or of those with a value."""

    def __init__(self) -> None:
        self._count = 0

    def add(self, rows: Sequence[Row]) -> None:
        self._count += len([row for row in rows if not row or row[0] is not None])

    def value(self) -> Value:
        return self._count


class _Folded:
    """What is itself a value of the kind that it is of."""

    def __init__(self, compute: Callable[[list[Any]], Value]) -> None:
        self._compute = compute
        self._value: Value = None

    def add(self, rows: Sequence[Row]) -> None:
        found = [row[0] for row in rows if row[0] is not None]
        if found:
            self._value = self._compute(found if self._value is None else [self._value, *found])

    def value(self) -> Value:
        return self._value


class _Whole:
    """sum and avg of integers, and what numeric they are."""

    def __init__(self, shown: Callable[[int, int], Value]) -> None:
        self._shown = shown
        self._sum = self._count = 0

    def add(self, rows: Sequence[Row]) -> None:
        found: list[Any] = [row[0] for row in rows if row[0] is not None]
        self._sum += sum(found)
        self._count += len(found)

    def value(self) -> Value:
        return self._shown(self._sum, self._count) if self._count else None


class _Average:
    """avg, of a sum that is folded."""

    def __init__(self, total: _Folded, divided: Callable[[Any, int], Value]) -> None:
        self._total = total
        self._divided = divided
        self._rows = _Rows()

    def add(self, rows: Sequence[Row]) -> None:
        self._total.add(rows)
        self._rows.add(rows)

    def value(self) -> Value:
        count = self._rows.value()
        assert isinstance(count, int)
        return self._divided(self._total.value(), count) if count else None


class _Text:
    """string_agg of texts: each but the first with what is before it."""

    def __init__(self) -> None:
        self._text: str | None = None

    def add(self, rows: Sequence[Row]) -> None:
        for value, separator in rows:
            if value is None:
                continue
            assert isinstance(value, str)
            if self._text is None:
                self._text = value
            else:
                assert separator is None or isinstance(separator, str)
                self._text += (separator or "") + value

    def value(self) -> Value:
        return self._text


_FOLDED: Final = {
    "sum": frozenset((INT2, INT4, FLOAT8, NUMERIC, INTERVAL)),
    "bool_and": frozenset((BOOL,)),
    "bool_or": frozenset((BOOL,)),
    "every": frozenset((BOOL,)),
    **dict.fromkeys(("bit_and", "bit_or", "bit_xor"), frozenset((INT2, INT4, INT8))),
}


def _folded(overload: Overload) -> Callable[[], Total] | None:
    row = overload.row
    if not isinstance(row, OfValues):
        return None
    kind = overload.args[0]
    if kind in _FOLDED.get(overload.name, ()) or overload.name in {"min", "max"}:
        return lambda: _Folded(row.compute)
    return None


def _sum_of(name: str) -> Callable[[], _Folded]:
    (row,) = [o.row for o in lookup.aggregates("sum") if o.args[0].name == name]
    assert isinstance(row, OfValues)
    return lambda: _Folded(row.compute)


def _made() -> dict[Overload, Callable[[], Total]]:
    made: dict[Overload, Callable[[], Total]] = {}
    for name in (*_FOLDED, "min", "max"):
        for overload in lookup.aggregates(name):
            total = _folded(overload)
            if total is not None:
                made[overload] = total
    for overload in lookup.aggregates("count"):
        made[overload] = _Rows
    sums, floats = _sum_of("numeric"), _sum_of("float8")
    for overload in (*lookup.aggregates("sum"), *lookup.aggregates("avg")):
        kind = overload.args[0]
        if overload.name == "sum" and kind is INT8:
            made[overload] = lambda: _Whole(lambda total, _count: str(total))
        elif overload.name == "avg" and kind in {INT2, INT4, INT8}:
            made[overload] = lambda: _Whole(lambda s, n: decimals.divide(str(s), str(n)))
        elif overload.name == "avg" and kind is NUMERIC:
            made[overload] = lambda: _Average(sums(), lambda s, n: decimals.divide(s, str(n)))
        elif overload.name == "avg" and kind is FLOAT8:
            made[overload] = lambda: _Average(floats(), mean_of_floats)
    for overload in lookup.aggregates("string_agg"):
        if overload.args[0] is TEXT:
            made[overload] = _Text
    return made


_MADE: Final = _made()


def running_total(overload: Overload) -> Callable[[], Total] | None:
    """What begins an aggregate of rows that come; None: it is of all of them at once."""
    return _MADE.get(overload)
