"""What a WHERE says about one table: does it name a key? what else must hold?"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from catalog.model import Table
from catalog.types.table import PgType
from kalam_pg.functions.table import OverloadKind
from kalam_pg.sql.tree import (
    AnyAll,
    BoolKind,
    BoolOp,
    Call,
    ColumnRef,
    Const,
    Expr,
    InList,
    Param,
)
from kalam_pg.sql.walk import walk


@dataclass(frozen=True, slots=True)
class KeyLookup:
    """A WHERE that pins the whole primary key: one value expression per key column.

    rest: what else the row must satisfy, already without the key's conjuncts; () if nothing.
    """

    values: tuple[Expr, ...]
    rest: tuple[Expr, ...]


def conjuncts(where: Expr | None) -> list[Expr]:
    """A WHERE as the list of what must all be true."""
    if where is None:
        return []
    if isinstance(where, BoolOp) and where.kind is BoolKind.AND:
        return [part for arg in where.args for part in conjuncts(arg)]
    return [where]


def is_constant(expr: Expr) -> bool:
    """Whether an expression has one value for the whole statement and needs no row."""
    if isinstance(expr, Const | Param):
        return True
    if isinstance(expr, Call):
        return expr.overload.volatility.value != "v" and all(is_constant(a) for a in expr.args)
    return False


def key_lookup(
    where: Expr | None,
    table: Table,
    relation: int,
    is_value: Callable[[Expr], bool] = is_constant,
) -> KeyLookup | None:
    """The key that a WHERE pins by equalities of the key columns' own types, if it does.

    is_value: what a column may be equal to.
    """
    wanted: dict[int, Expr] = {}
    rest: list[Expr] = []
    key = table.layout.key
    for part in conjuncts(where):
        pinned = _equality(part, table, relation, is_value)
        if pinned is not None and pinned[0] in key and pinned[0] not in wanted:
            wanted[pinned[0]] = pinned[1]
        else:
            rest.append(part)
    if len(wanted) != len(key):
        return None
    return KeyLookup(tuple(wanted[at] for at in key), tuple(rest))


_PLAIN_KINDS = frozenset(("bool", "int", "text", "uuid"))


def equalities(where: Expr | None, table: Table, relation: int) -> tuple[tuple[int, Expr], ...]:
    """(column, value) of those conjuncts `column = constant` that storage can test by itself.

    There two values are equal when their stored forms are, and every value fits into the column.
    """
    found = []
    for part in conjuncts(where):
        pinned = _equality(part, table, relation)
        if pinned is not None and _fits(pinned[1].type, table.columns[pinned[0]].type):
            found.append(pinned)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Listed:
    """`column IN (items)`, or with one item `column = ANY (item)` (`is_array`)."""

    column: int
    items: tuple[Expr, ...]
    is_array: bool


def listed(where: Expr | None, table: Table, relation: int) -> Listed | None:
    """The first conjunct that names constants of which a column has one, as `equalities` compares."""
    for part in conjuncts(where):
        found = listed_with(part)
        if found is None:
            continue
        column, items, is_array = found
        if (
            isinstance(column, ColumnRef)
            and column.relation == relation
            and not column.outer
            and column.column < len(table.columns)
            and all(
                _fits(type_, table.columns[column.column].type) for type_ in _types(items, is_array)
            )
        ):
            return Listed(column.column, items, is_array)
    return None


def listed_with(part: Expr) -> tuple[Expr, tuple[Expr, ...], bool] | None:
    """(expression, items, is_array) of `expression IN (items)` or `= ANY (item)`.

    The items are constants, and of the same domain of keys as the expression.
    """
    if isinstance(part, InList) and not part.negated:
        items, is_array = part.items, False
    elif isinstance(part, AnyAll) and not part.all and part.operator.name == "=":
        items, is_array = (part.array,), True
    else:
        return None
    expr, types = _bare(part.arg), _types(items, is_array)
    if not types or not all(map(is_constant, items)):
        return None
    if not all(_same_domain(expr.type.name, type_.name) for type_ in types):
        return None
    return expr, items, is_array


def _types(items: Sequence[Expr], is_array: bool) -> list[PgType]:
    if not is_array:
        return [item.type for item in items]
    element = items[0].type.element
    return [element] if element else []


def _fits(given: PgType, column: PgType) -> bool:
    """Whether every value of a type fits into a column, and storage tells whether it is there."""
    fits = given is column or column.name in ("int8", "text", "varchar")
    fits = fits or (given.name, column.name) == ("int2", "int4")
    return fits and column.key_kind in _PLAIN_KINDS


def comparisons(
    where: Expr | None, table: Table, relation: int, at: int
) -> tuple[tuple[str, Expr], ...]:
    """(operator, value) of those conjuncts `column < constant` (<=, >, >=) that are of column `at`.

    () when the column is not stored as an int.
    """
    if table.columns[at].type.key_kind != "int":
        return ()
    parts = [_comparison(part, table, relation) for part in conjuncts(where)]
    return tuple((p[0], p[2]) for p in parts if p is not None and p[0] != "=" and p[1] == at)


@dataclass(frozen=True, slots=True)
class Implied:
    """`column operator value` that must hold where a conjunct does. whole: that is all it says.

    column -1: nothing is known of what the conjunct needs.
    """

    column: int
    operator: str
    value: Expr
    whole: bool


def implied(where: Expr | None, table: Table, relation: int) -> tuple[Implied, ...]:
    """What each conjunct of a WHERE implies, one for each.

    `(a, b) < (c, d)`, which is `a < c OR (a = c AND b < d)`, implies `a <= c`: where a page begins.
    """
    return tuple(_implied(part, table, relation) for part in conjuncts(where))


def _implied(part: Expr, table: Table, relation: int) -> Implied:
    found = _comparison(part, table, relation)
    if found is not None:
        operator, column, value = found
        return Implied(column, operator, value, whole=True)
    if isinstance(part, BoolOp) and part.kind is BoolKind.OR and len(part.args) == 2:
        beyond = _comparison(part.args[0], table, relation)
        equal = _comparison(conjuncts(part.args[1])[0], table, relation)
        if beyond is not None and equal is not None and equal == ("=", *beyond[1:]):
            operator, column, value = beyond
            return Implied(column, operator.rstrip("=") + "=", value, whole=False)
    return Implied(-1, "", part, whole=False)


def is_volatile(expr: Expr | None) -> bool:
    """Whether an expression may have another value each time that it is evaluated."""
    return expr is not None and any(
        isinstance(part, Call) and part.overload.volatility.value == "v" for part in walk(expr)
    )


def _equality(
    part: Expr, table: Table, relation: int, is_value: Callable[[Expr], bool] = is_constant
) -> tuple[int, Expr] | None:
    """(column, value) of `column = value`, where `=` compares exactly the encoded keys' equality."""
    found = _comparison(part, table, relation, is_value)
    return found[1:] if found is not None and found[0] == "=" else None


_FLIPPED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _comparison(
    part: Expr, table: Table, relation: int, is_value: Callable[[Expr], bool] = is_constant
) -> tuple[str, int, Expr] | None:
    """(operator, column, value) of a comparison with a constant of the same domain of keys."""
    for name, column, value in compared_with(part, is_value):
        if (
            isinstance(column, ColumnRef)
            and column.relation == relation
            and not column.outer
            and column.column < len(table.columns)
        ):
            return name, column.column, value
    return None


def compared_with(
    part: Expr, is_value: Callable[[Expr], bool] = is_constant
) -> Iterator[tuple[str, Expr, Expr]]:
    """(operator, expression, value) of a comparison with a constant of the same domain of keys.

    Either way round, where both sides are such.
    """
    if not isinstance(part, Call) or part.overload.kind is not OverloadKind.OPERATOR:
        return
    operator = part.overload.name
    if operator not in _FLIPPED or len(part.args) != 2:
        return
    for name, (left, value) in (
        (operator, part.args),
        (_FLIPPED[operator], part.args[::-1]),
    ):
        expr = _bare(left)
        if is_value(value) and _same_domain(expr.type.name, value.type.name):
            yield name, expr, value


_INTEGERS = frozenset(("int2", "int4", "int8"))


def _same_domain(*types: str) -> bool:
    """Whether equal values of these types have one key encoding: of one type, of any two integers."""
    names = set(types)
    if "bpchar" in names:
        return False  # its equality ignores trailing blanks, its keys do not
    return len(names) == 1 or names <= _INTEGERS or names <= {"text", "varchar"}


def _bare(expr: Expr) -> Expr:
    """A varchar column under the cast to text that the operators of text put on it."""
    if isinstance(expr, Call) and expr.overload.name == "varchar->text":
        return expr.args[0]
    return expr
