"""How a query of one table could use its declared indexes: which part of each, and in which direction.

An index is of use by its first keys that the WHERE has values for, by what the key behind these is compared
with, and by its order from there on, if the ORDER BY with a LIMIT begins like it. Whatever the index says,
the WHERE is tested of each row that it finds, unless the part of the index is all that the WHERE says.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kalam_pg.functions.table import EvalContext
from kalam_pg.query.among import Among
from kalam_pg.query.index_definitions import IndexDefinition, plain
from kalam_pg.query.predicates import compared_with, conjuncts, implied, listed_with
from kalam_pg.query.rules import Closure
from kalam_pg.sql.to_python import compile_expr
from kalam_pg.sql.tree import ColumnRef, Expr, IsNull, Select, TableScan
from storage.cold.extents import Condition
from storage.cold.index_keys import Bound, KeyPart, between, key_of
from storage.cold.index_reader import Reach
from storage.cold.indexed_rows import Walk
from storage.layout import Row, Value

_NO_ROW: Row = ()


class TooManyValuesError(Exception):
    """So many are listed that to look for each is not the way."""


@dataclass(frozen=True, slots=True)
class IndexUse:
    """One index for one query.

    equal: values of its first keys. listed: of the next key one of some values. bounds: operator and value,
    of the next one. covered: the places of the WHERE's conjuncts that say no more than these do. ordered:
    how many keys of the ORDER BY come as the index has them behind the equal ones, read `backward` or not.
    """

    definition: IndexDefinition
    equal: tuple[Closure, ...]
    bounds: tuple[tuple[str, Closure], ...]
    covered: frozenset[int]
    ordered: int
    backward: bool
    listed: Among | None = None

    def walk(
        self, conditions: Sequence[tuple[int, Condition]], context: EvalContext
    ) -> Walk | None:
        """What is read of it in one run; None when the WHERE compares with NULL.

        conditions: with the number of the conjunct that each is of. Raises TooManyValuesError.
        """
        values: list[Value] = [closure(_NO_ROW, context) for closure in self.equal]
        bounds = [Bound(op, closure(_NO_ROW, context)) for op, closure in self.bounds]
        if None in values or any(bound.value is None for bound in bounds):
            return None
        parts = self.definition.parts
        ends = [values]
        if self.listed is not None:
            listed = self.listed.values(context)
            if listed is None:
                raise TooManyValuesError
            ends = [[*values, value] for value in listed]
        return Walk(
            self.definition.mark,
            parts,
            len(values),
            len(key_of(parts[: len(values)], values)),
            tuple(
                Reach(*between(parts, end, bounds), self.backward)
                for end in _each_once(parts, ends)
            ),
            self.ordered,
            tuple(condition for number, condition in conditions if number not in self.covered),
        )


def _each_once(
    parts: Sequence[KeyPart], ends: Sequence[Sequence[Value]]
) -> Iterable[Sequence[Value]]:
    """Values that are equal come once, however they are written."""
    return {key_of(parts[: len(end)], end): end for end in ends}.values()


@dataclass(frozen=True, slots=True)
class _Compared:
    """A conjunct, by its number: `expr operator value`, or that at least."""

    number: int
    operator: str
    expr: Expr
    value: Expr


def index_uses(
    query: Select, scan: TableScan, definitions: Sequence[IndexDefinition]
) -> tuple[IndexUse, ...]:
    """The indexes that are of use, the most promising first."""
    if not definitions:
        return ()
    parts = conjuncts(query.where)
    wholes = {plain(part, scan.relation) for part in parts}
    compared = list(_compared(query, scan))
    found = [
        use
        for one in definitions
        if _has_all(one, wholes, compared) and (use := _use(one, query, scan, compared)) is not None
    ]
    found.sort(key=_promise, reverse=True)
    return tuple(found)


def _promise(use: IndexUse) -> tuple[int, int, bool, int]:
    equal = len(use.equal) + (use.listed is not None)
    return equal, use.ordered, bool(use.bounds), -len(use.definition.keys)


def _compared(query: Select, scan: TableScan) -> "list[_Compared]":
    table, relation = scan.table, scan.relation
    found: list[_Compared] = []
    pages = implied(query.where, table, relation)
    for number, (part, page) in enumerate(zip(conjuncts(query.where), pages, strict=True)):
        whole = [
            _Compared(number, operator, plain(expr, relation), value)
            for operator, expr, value in compared_with(part)
        ]
        if not whole and page.column >= 0:
            column = table.columns[page.column]
            ref = ColumnRef(0, page.column, "", column.type)
            whole = [_Compared(number, page.operator, ref, page.value)]
        found += whole
    return found


def _has_all(definition: IndexDefinition, wholes: set[Expr], compared: Sequence[_Compared]) -> bool:
    """Whether the WHERE lets no row pass that the index does not have."""
    known = {one.expr for one in compared}
    for part in conjuncts(definition.where):
        strict = isinstance(part, IsNull) and part.negated and part.arg in known
        if part not in wholes and not strict:
            return False
    return True


def _use(
    definition: IndexDefinition, query: Select, scan: TableScan, compared: Sequence[_Compared]
) -> IndexUse | None:
    equal: list[_Compared] = []
    for key in definition.keys:
        pinned = next((one for one in compared if one.operator == "=" and one.expr == key), None)
        if pinned is None:
            break
        equal.append(pinned)
    keys = definition.keys[len(equal) :]
    number, listed = _listed(keys[0], query, scan) if keys else (-1, None)
    if listed is not None:
        return IndexUse(
            definition,
            tuple(compile_expr(one.value, _no_column) for one in equal),
            (),
            frozenset((number, *(one.number for one in equal))),
            ordered=0,
            backward=False,
            listed=listed,
        )
    bounds = [one for one in compared if keys and one.operator != "=" and one.expr == keys[0]]
    ordered, backward = _order(definition, len(equal), bool(bounds), query, scan)
    if not (equal or bounds or (ordered and query.limit is not None)):
        return None
    return IndexUse(
        definition,
        tuple(compile_expr(one.value, _no_column) for one in equal),
        tuple((one.operator, compile_expr(one.value, _no_column)) for one in bounds),
        frozenset(one.number for one in (*equal, *bounds)),
        ordered,
        backward,
    )


def _listed(key: Expr, query: Select, scan: TableScan) -> tuple[int, Among | None]:
    """The first conjunct that names values of which a key has one."""
    for number, part in enumerate(conjuncts(query.where)):
        found = listed_with(part)
        if found is not None and plain(found[0], scan.relation) == key:
            _, items, is_array = found
            closures = tuple(compile_expr(item, _no_column) for item in items)
            return number, Among(-1, closures, is_array)
    return -1, None


def _order(
    definition: IndexDefinition, equal: int, bounded: bool, query: Select, scan: TableScan
) -> tuple[int, bool]:
    """How many keys of the ORDER BY come as the index has them, and whether read backwards."""
    backward: bool | None = None
    count = 0
    rest = zip(definition.keys[equal:], definition.parts[equal:], strict=True)
    for order, (key, part) in zip(query.order_by, rest, strict=False):
        if plain(order.expr, scan.relation) != key:
            break
        turned = order.descending != part.descending
        is_null = not (bounded and not count) and not _never_null(key, scan)
        if is_null and (order.nulls_first != part.nulls_first) != turned:
            break
        if backward is not None and turned != backward:
            break
        backward = turned
        count += 1
    return count, bool(backward)


def _never_null(key: Expr, scan: TableScan) -> bool:
    if not isinstance(key, ColumnRef):
        return False
    return scan.table.columns[key.column].not_null


def _no_column(reference: ColumnRef) -> int:
    raise AssertionError(f"{reference.name} is no constant")
