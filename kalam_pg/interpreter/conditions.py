"""Conditions that compare a column with a value that is given: tested column by column, without closures."""

import operator as py
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kalam_pg.functions.cost import weight_of
from kalam_pg.interpreter.joins import Source
from kalam_pg.interpreter.relation import Relation
from kalam_pg.interpreter.running import Run
from kalam_pg.sql.closures import Run as Closure
from kalam_pg.sql.closures import Slot
from kalam_pg.sql.tree import Call, ColumnRef, Const, Expr, Param

_TURNED: Final[dict[object, Callable[[Any, Any], bool]]] = {
    py.eq: py.eq, py.ne: py.ne, py.lt: py.gt, py.gt: py.lt, py.le: py.ge, py.ge: py.le,
}  # fmt: skip
"""Python's comparisons, and what each is with its sides exchanged."""

_SAME: Final[dict[object, Callable[[Any, Any], bool]]] = {test: test for test in _TURNED.values()}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Column `at`, compared with a constant or parameter: it raises nothing, whatever the values."""

    at: int
    test: Callable[[Any, Any], bool]
    given: Closure

    def places(self, relation: Relation, among: Sequence[int] | None, run: Run) -> Sequence[int]:
        """Which of the rows at `among` (None: of all) it is true of."""
        run.budget.check()
        given = self.given((), run)
        if given is None:
            return ()
        test, column = self.test, relation.column(self.at)
        if among is None:
            return [at for at, v in enumerate(column) if v is not None and test(v, given)]
        return [at for at in among if (v := column[at]) is not None and test(v, given)]


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
    for column, given, of_row in ((left, right, _SAME), (right, left, _TURNED)):
        test = of_row.get(overload.row)
        if test is None or not overload.strict or weight_of(overload) is not None:
            return None
        if isinstance(column, ColumnRef) and isinstance(given, Const | Param):
            slot = compile_(column)
            if isinstance(slot, Slot):
                return Comparison(slot.index, test, compile_(given))
    return None
