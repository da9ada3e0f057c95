"""The leaves of a FROM clause: tables, WITH items, derived tables, VALUES."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kalam_pg.interpreter.expressions import Program
from kalam_pg.interpreter.joins import Source, hashed
from kalam_pg.interpreter.relation import Relation
from kalam_pg.interpreter.running import Run
from kalam_pg.interpreter.values import Key, keys, values
from kalam_pg.sql.closures import Run as Closure
from storage.layout import Row

_NO_ROW: Row = ()


@dataclass(frozen=True, slots=True)
class Scan:
    """All rows of a stored table."""

    relation: int

    def __call__(self, run: Run) -> Relation:
        return run.tables[self.relation]


@dataclass(frozen=True, slots=True)
class CteRows:
    """The rows of a WITH item, which were made before, or are made by whom `run.ctes` names."""

    number: int

    def __call__(self, run: Run) -> Relation:
        found = run.ctes[self.number]
        if not isinstance(found, Relation):
            found = run.ctes[self.number] = Relation(found(run))
        return found


class Derived:
    """A query in FROM. fixed: it reads nothing of the queries around it."""

    __slots__ = ("_fixed", "_program")

    def __init__(self, program: Program, *, fixed: bool) -> None:
        self._program = program
        self._fixed = fixed

    def __call__(self, run: Run) -> Relation:
        if not self._fixed:
            return Relation(self._program(run))
        found: Relation | None = run.kept.get(self)
        if found is None:
            found = run.kept[self] = Relation(self._program(run))
        return found


@dataclass(frozen=True, slots=True)
class Listed:
    """VALUES."""

    lines: Sequence[Sequence[Closure]]

    def __call__(self, run: Run) -> Relation:
        return Relation([tuple([c(_NO_ROW, run) for c in line]) for line in self.lines])


@dataclass(frozen=True, slots=True)
class SelectionBy:
    """`mine = given`: an expression of the rows, and one of the queries around."""

    mine: Closure
    given: Closure
    key: Key


class Selection:
    """The rows of a source for which an equality with something outside holds, by a hash of them all."""

    __slots__ = ("_by", "_source")

    def __init__(self, source: Source, by: SelectionBy) -> None:
        self._source = source
        self._by = by

    def __call__(self, run: Run) -> Relation:
        by = self._by
        table: dict[Any, list[Row]] | None = run.kept.get(self)
        if table is None:
            relation = self._source(run)
            made = keys([values(by.mine, relation, run)], [by.key], nulls=False)
            table = run.kept[self] = hashed(made, relation.rows)
        value = by.given(_NO_ROW, run)
        if value is None:
            return Relation(())
        return Relation(table.get(value if by.key is None else by.key(value), ()))
