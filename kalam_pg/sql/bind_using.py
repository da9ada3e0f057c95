"""JOIN … USING and NATURAL: the join condition and the merged columns."""

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from catalog.errors import AmbiguousColumnError, DatatypeMismatchError, UndefinedColumnError
from catalog.types import registry as types
from kalam_pg.sql.bind_expr import apply_operator
from kalam_pg.sql.coerce import coerce
from kalam_pg.sql.overloads import common_type
from kalam_pg.sql.positions import position
from kalam_pg.sql.scope import Item, Level, names_of
from kalam_pg.sql.tree import BoolKind, BoolOp, Coalesce, Expr, OutputColumn


def natural(left: Sequence[Item], right: Sequence[Item]) -> list[str]:
    """The columns that NATURAL joins by: those of the left side that the right has too."""
    theirs = {c.name for item in right if item.cols_visible for c in item.columns if not c.hidden}
    found: dict[str, None] = {}
    for item in left:
        if item.cols_visible:
            for column in item.columns:
                if not column.hidden and column.name in theirs:
                    found[column.name] = None
    return list(found)


def using_condition(
    level: Level, kind: str, left: Sequence[Item], right: Sequence[Item], names: Sequence[str],
    at: int, alias: exp.Identifier | None = None,
) -> Expr | None:  # fmt: skip
    """Join columns of the same names; their merged columns come first in `*`, and alone under `alias`."""
    terms: list[Expr] = []
    columns: list[OutputColumn] = []
    exprs: list[Expr] = []
    for name in names:
        a, origin = _side_column(left, name, "left")
        b, other = _side_column(right, name, "right")
        equals = apply_operator(level, "=", (a, b), at)
        terms.append(equals)
        merged = _merged(level, kind, a, b, name, at)
        source = other if kind == "right" else origin
        if merged is a or merged is b:
            columns.append(replace(source, name=name))
        else:
            columns.append(OutputColumn(name, merged.type, merged.typmod))
        exprs.append(merged)
    merged_alone = tuple(columns), tuple(exprs)
    for item in (*left, *right):
        if item.cols_visible:
            for index, column in enumerate(item.columns):
                if column.name not in names:
                    columns.append(column)
                    exprs.append(item.ref(index, 0))
            item.cols_visible = False
    shown = tuple(columns)
    level.items.append(Item("", -1, shown, names_of(shown), exprs=tuple(exprs), rel_visible=False))
    if alias is not None:
        shown, refs = merged_alone
        named = Item(alias.name, -1, shown, names_of(shown), exprs=refs, cols_visible=False)
        level.add(named, position(alias))
    if not terms:
        return None
    return terms[0] if len(terms) == 1 else BoolOp(BoolKind.AND, tuple(terms), types.BOOL)


def _side_column(items: Sequence[Item], name: str, side: str) -> tuple[Expr, OutputColumn]:
    found: list[tuple[Expr, OutputColumn]] = []
    for item in items:
        index = item.names.get(name) if item.cols_visible else None
        if index is None:
            continue
        if index < 0 or found:
            raise AmbiguousColumnError(
                f'common column name "{name}" appears more than once in {side} table'
            )
        found.append((item.ref(index, 0), item.columns[index]))
    if not found:
        raise UndefinedColumnError(
            f'column "{name}" specified in USING clause does not exist in {side} table'
        )
    return found[0]


def _merged(level: Level, kind: str, a: Expr, b: Expr, name: str, at: int) -> Expr:
    """The merged column of USING: the side that always has a row, or COALESCE for FULL."""
    state = level.state
    target = common_type([a.type, b.type])
    left = None if target is None else coerce(state, a, target)
    right = None if target is None else coerce(state, b, target)
    if left is None or right is None:
        raise DatatypeMismatchError(
            f"JOIN/USING types {a.type.sql_name} and {b.type.sql_name} cannot be matched",
            position=at,
        )
    if kind == "full":
        typmod = left.typmod if left.typmod == right.typmod else -1
        return Coalesce((left, right), left.type, typmod)
    if kind == "right":
        return right
    return left if left is a or right is not b or kind == "left" else right


def join_kind(args: dict[str, object]) -> str:
    """Which it is of inner, left, right, full and cross, of a join's node."""
    side = str(args.get("side") or "").lower()
    if side:
        return side
    word = str(args.get("kind") or "").lower()
    return "cross" if word == "cross" else "inner"
