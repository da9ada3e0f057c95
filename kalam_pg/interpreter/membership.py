"""Which group each row is in, and what is added up for all groups in one pass over the rows.

To call an aggregate for each of many small groups takes longer than to add: sums, means and counts of
numbers are made here, in the order of the rows, as each group's own would be. Whatever of them is not plain
(a NULL, a sum that is not finite or too large) is left to the aggregate.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

from catalog.types.registry import FLOAT4, FLOAT8, INT2, INT4, INT8
from catalog.types.table import PgType
from kalam_pg.functions import decimals
from kalam_pg.functions.aggregates import OVERLOADS, mean_of_floats
from kalam_pg.functions.floats import to_real
from kalam_pg.functions.table import Overload
from storage.layout import Value

_BUILT_IN: Final = frozenset(OVERLOADS)
_FLOATS: Final = frozenset({FLOAT4, FLOAT8})
_INTEGERS: Final = frozenset({INT2, INT4, INT8})

_INT8_END: Final = 1 << 63


class Membership:
    """Rows by their groups, which are numbered in the order of their first rows.

    keys: of each group; sizes: how many rows each has.
    """

    __slots__ = ("_first", "_made", "_numbers", "_places", "keys", "sizes")

    def __init__(self, made: Sequence[Value]) -> None:
        """made: a key for each row, equal ones for those of a group."""
        counted = Counter(made)
        self.keys = list(counted)
        self.sizes = list(counted.values())
        self._made = made
        self._numbers: list[int] | None = None
        self._first: list[int] | None = None
        self._places: list[list[int]] | None = None

    @property
    def numbers(self) -> Sequence[int]:
        """Of each row's group."""
        found = self._numbers
        if found is None:
            number = dict(zip(self.keys, range(len(self.keys)), strict=True))
            found = self._numbers = list(map(number.__getitem__, self._made))
        return found

    @property
    def first(self) -> Sequence[int]:
        """The place of each group's first row."""
        found = self._first
        if found is None:
            made = self._made  # Of places that are put under one key the first is put last.
            place = dict(zip(reversed(made), range(len(made) - 1, -1, -1), strict=True))
            found = self._first = [place[key] for key in self.keys]
        return found

    @property
    def places(self) -> Sequence[Sequence[int]]:
        """The places of each group's rows, in their order."""
        found = self._places
        if found is None:
            found = self._places = [[] for _ in self.keys]
            for at, number in enumerate(self.numbers):
                found[number].append(at)
        return found

    def sums(self, column: Sequence[Any], zero: float) -> list[Any]:
        """The sum of each group's values, from `zero` on."""
        totals = [zero] * len(self.keys)
        for number, value in zip(self.numbers, column, strict=True):
            totals[number] += value
        return totals


OfAll = Callable[[Membership, Sequence[Any]], list[Value] | None]
"""An aggregate of every group, from a column without NULLs; None: one of them must be asked by itself."""


def of_all(overload: Overload, kind: PgType) -> OfAll | None:
    """How an aggregate of a column of some type is made of all groups at once; None: it is not."""
    if overload not in _BUILT_IN:
        return None
    if overload.name == "count":
        return lambda groups, _column: [*groups.sizes]
    if overload.name not in ("sum", "avg"):
        return None
    mean = overload.name == "avg"
    if kind in _FLOATS:
        return _means_of_floats if mean else _sums_of_reals if kind is FLOAT4 else _sums_of_floats
    if kind in _INTEGERS:
        return _means_of_integers if mean else _sums_of_int8 if kind is INT8 else _sums_of_integers
    return None


def _sums_of_floats(groups: Membership, column: Sequence[Any]) -> list[Any] | None:
    """-0 is what nothing changes that is added to it, not even -0."""
    totals = groups.sums(column, -0.0)
    return totals if all(map(math.isfinite, totals)) else None


def _sums_of_reals(groups: Membership, column: Sequence[Any]) -> list[Any] | None:
    totals = _sums_of_floats(groups, column)
    return None if totals is None else list(map(to_real, totals))


def _means_of_floats(groups: Membership, column: Sequence[Any]) -> list[Any] | None:
    totals = _sums_of_floats(groups, column)
    return None if totals is None else list(map(mean_of_floats, totals, groups.sizes))


def _sums_of_int8(groups: Membership, column: Sequence[Any]) -> list[Any]:
    return list(map(str, groups.sums(column, 0)))


def _sums_of_integers(groups: Membership, column: Sequence[Any]) -> list[Any] | None:
    totals = groups.sums(column, 0)
    return totals if all(-_INT8_END <= total < _INT8_END for total in totals) else None


def _means_of_integers(groups: Membership, column: Sequence[Any]) -> list[Any]:
    totals = map(str, groups.sums(column, 0))
    return list(map(decimals.divide, totals, map(str, groups.sizes)))
