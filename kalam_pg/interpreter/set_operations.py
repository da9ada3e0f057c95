"""UNION, INTERSECT and EXCEPT of rows that are all there."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from kalam_pg.interpreter.expressions import Program
from kalam_pg.interpreter.relation import Relation
from kalam_pg.interpreter.running import Run
from kalam_pg.interpreter.values import Key, row_keys
from kalam_pg.sql.tree import Query, SetOp
from storage.layout import Row


def compares(query: SetOp) -> bool:
    """Whether it asks which rows are equal."""
    return not (query.kind == "union" and query.all)


def parts_of(query: SetOp) -> list[Query]:
    """What UNION ALL puts together, whatever chain of it nothing else is asked of."""
    found: list[Query] = []
    for side in (query.left, query.right):
        if isinstance(side, SetOp) and not (
            compares(side) or side.with_ or side.order_by or side.limit or side.offset
        ):
            found += parts_of(side)
        else:
            found.append(side)
    return found


@dataclass(frozen=True, slots=True)
class UnionAll:
    """The rows of some queries, one after the other."""

    parts: Sequence[Program]

    def __call__(self, run: Run) -> Relation:
        rows: list[Row] = []
        for part in self.parts:
            rows += part(run)
            run.budget.check()
        return Relation(rows)


@dataclass(frozen=True, slots=True)
class SetOperation:
    """UNION, INTERSECT, EXCEPT: the left rows first, each where it first stood. by: keys of the columns."""

    kind: str
    all: bool
    left: Program
    right: Program
    by: Sequence[Key]

    def __call__(self, run: Run) -> Relation:
        left, right = self.left(run), self.right(run)
        run.budget.check()
        if self.kind == "union":
            rows = [*left, *right]
            return Relation(first_of_each(rows, row_keys(rows, self.by)))
        mine, theirs = row_keys(left, self.by), row_keys(right, self.by)
        wanted = self.kind == "intersect"
        if not self.all:
            there = set(theirs)
            rows = first_of_each(left, mine)
            made = first_of_each(mine, mine)
            return Relation([r for r, k in zip(rows, made, strict=True) if (k in there) is wanted])
        counts = Counter(theirs)
        found: list[Row] = []
        for row, key in zip(left, mine, strict=True):
            matched = counts[key] > 0
            if matched:
                counts[key] -= 1
            if matched is wanted:
                found.append(row)
        return Relation(found)


def first_of_each(rows: Sequence[Row], made: Sequence[Row]) -> list[Row]:
    """The first row of each key, in their order."""
    if made is rows:
        return list(dict.fromkeys(rows))
    first: dict[Row, Row] = {}
    for row, key in zip(rows, made, strict=True):
        first.setdefault(key, row)
    return list(first.values())
