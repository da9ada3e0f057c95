"""Conditions that compare a column with a value that is given: tested column by column, without closures."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from catalog.types.registry import DATE, FLOAT4, FLOAT8, INT2, INT4, INT8, TIMESTAMP, TIMESTAMPTZ
from catalog.types.table import PgType
from kalam_pg.functions.comparison import SYMBOLS, compare_floats
from kalam_pg.functions.cost import weight_of
from kalam_pg.interpreter.joins import Source
from kalam_pg.interpreter.relation import Relation
from kalam_pg.interpreter.running import Run
from kalam_pg.sql.closures import Run as Closure
from kalam_pg.sql.closures import Slot
from kalam_pg.sql.tree import Call, ColumnRef, Const, Expr, Param
from storage.layout import Value
from storage.tail.live_rows import NUMBERS, Numbers

_TESTS: Final = dict(SYMBOLS)
_PLAIN: Final = frozenset(_TESTS.values())
"""Python's own comparisons, of values whose order is SQL's."""

_KERNELS: Final = {
    "=": pc.equal, "<>": pc.not_equal,
    "<": pc.less, ">": pc.greater, "<=": pc.less_equal, ">=": pc.greater_equal,
}  # fmt: skip

_SAME: Final = {name: name for name in _TESTS}
_TURNED: Final = {**_SAME, "<": ">", ">": "<", "<=": ">=", ">=": "<="}
"""Each comparison, and what it is with its sides exchanged."""

_ALIKE: Final[tuple[tuple[frozenset[PgType], Numbers], ...]] = (
    (frozenset({INT2, INT4, INT8}), "q"),
    (frozenset({DATE}), "q"),
    (frozenset({TIMESTAMP}), "q"),
    (frozenset({TIMESTAMPTZ}), "q"),
    (frozenset({FLOAT4, FLOAT8}), "d"),
)
"""Types of which any two compare as their stored values do."""

ROWS_MIN: Final = 1000
"""Fewer rows are looked at one by one sooner than Arrow has begun."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Column `at`, compared with a constant or parameter: it raises nothing, whatever the values.

    numbers: what Arrow compares it by, and as what numbers; None: it is none.
    """

    at: int
    test: Callable[[Any, Any], bool]
    given: Closure
    numbers: "tuple[Callable[..., pa.BooleanArray], Numbers] | None" = None

    def places(self, relation: Relation, among: Sequence[int] | None, run: Run) -> Sequence[int]:
        """Which of the rows at `among` (None: of all) it is true of."""
        run.budget.check()
        given = self.given((), run)
        if given is None:
            return ()
        if among is None and self.numbers is not None and len(relation) >= ROWS_MIN:
            found = _places(relation.numbers(self.at, self.numbers[1]), given, *self.numbers)
            if found is not None:
                return found
        test, column = self.test, relation.column(self.at)
        if among is None:
            return [at for at, v in enumerate(column) if v is not None and test(v, given)]
        return [at for at in among if (v := column[at]) is not None and test(v, given)]


def _places(
    column: pa.Array, given: Value, kernel: Callable[..., pa.BooleanArray], kind: Numbers
) -> Sequence[int] | None:
    """Where it is true; None: there is a NaN, which to Arrow is like nothing, and to PostgreSQL the most."""
    if kind == "d" and (_is_nan(given) or pc.any(pc.is_nan(column)).as_py()):
        return None
    found: list[int] = pc.indices_nonzero(
        kernel(column, pa.scalar(given, NUMBERS[kind]))
    ).to_pylist()
    return found


def _is_nan(given: Value) -> bool:
    return isinstance(given, float) and math.isnan(given)


@dataclass(frozen=True, slots=True)
class Compared:
    """The rows of a source of which all comparisons are true."""

    source: Source
    comparisons: Sequence[Comparison]

    def __call__(self, run: Run) -> Relation:
        relation = self.source(run)
        places: Sequence[int] | None = None
        for comparison in self.comparisons:
            places = comparison.places(relation, places, run)
        assert places is not None, "there is a comparison"
        return relation if len(places) == len(relation) else relation.taken(places)


def leading(conditions: Sequence[Expr], compile_: Callable[[Expr], Closure]) -> list[Comparison]:
    """The comparisons that the conditions begin with, in `compile_`'s slots.

    Only those: a condition that may raise comes before what stands behind it, as in PostgreSQL.
    """
    found: list[Comparison] = []
    for condition in conditions:
        made = _comparison(condition, compile_)
        if made is None:
            break
        found.append(made)
    return found


def _comparison(condition: Expr, compile_: Callable[[Expr], Closure]) -> Comparison | None:
    if not isinstance(condition, Call) or len(condition.args) != 2:
        return None
    overload, (left, right) = condition.overload, condition.args
    if not overload.strict or weight_of(overload) is not None:
        return None
    for column, given, names in ((left, right, _SAME), (right, left, _TURNED)):
        if not isinstance(column, ColumnRef) or not isinstance(given, Const | Param):
            continue
        name = names.get(overload.name, "")
        numbers = _numbers(name, column.type, given.type)
        if numbers is not None and numbers[1] == "d":
            test = _of_floats(_TESTS[name])
        elif overload.row in _PLAIN:
            test = _TESTS[name]
        else:
            continue
        slot = compile_(column)
        if isinstance(slot, Slot):
            return Comparison(slot.index, test, compile_(given), numbers)
    return None


def _of_floats(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda a, b: test(compare_floats(a, b), 0)


def _numbers(
    name: str, column: PgType, given: PgType
) -> tuple[Callable[..., pa.BooleanArray], Numbers] | None:
    for types, kind in _ALIKE if name else ():
        if column in types and given in types:
            return _KERNELS[name], kind
    return None
