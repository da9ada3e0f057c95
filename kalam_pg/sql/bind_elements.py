"""UPDATE … SET a[1] = x, j['k'] = x: the column becomes itself with another element."""

from sqlglot import exp

from catalog.errors import DatatypeMismatchError
from catalog.model import Column
from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.functions.elements import ARRAY_WITH, DOCUMENT_WITH
from kalam_pg.sql.bind_expr import bind_expr, unsupported
from kalam_pg.sql.bind_values import array_index, json_step
from kalam_pg.sql.coerce import coerce, with_typmod
from kalam_pg.sql.positions import position
from kalam_pg.sql.scope import Level
from kalam_pg.sql.tree import Call, Const, Expr

_INTEGERS = (types.INT2, types.INT4, types.INT8)


def parts_of(target: exp.Expr) -> tuple[exp.Expr, list[exp.Expr]]:
    """The column that is assigned to, and the subscripts behind it."""
    subscripts: list[exp.Expr] = []
    while type(target) is exp.Bracket:
        subscripts = [*target.expressions, *subscripts]
        target = target.args["this"]
    return target, subscripts


def with_element(
    level: Level, column: Column, now: Expr, target: exp.Expr, value: exp.Expr
) -> Expr:
    """What `now`, the column's value so far, becomes.

    Raises:
        DatatypeMismatchError: 42804, the column has no parts, or the value does not fit one.
        FeatureNotSupportedError: 0A000, DEFAULT, or a fixed length of the elements.
    """
    written, subscripts = parts_of(target)
    at = position(written)
    if type(value) is exp.Var:
        raise unsupported("DEFAULT for a part of a column", value)
    bound = bind_expr(level, value)
    kind = column.type
    if kind is types.JSONB:
        by_number = bind_expr(level, subscripts[0]).type in _INTEGERS
        steps = [json_step(level, step) for step in subscripts]
        new = _fitting(level, column, bound, kind, at)
        numbered = Const(value=by_number, type=types.BOOL)
        return Call(DOCUMENT_WITH, (now, new, numbered, *steps), kind, -1, at)
    element = kind.element
    if element is None or kind.is_vector:
        raise DatatypeMismatchError(
            f"cannot subscript type {kind.sql_name} because it does not support subscripting",
            position=at,
        )
    places = [array_index(level, index) for index in subscripts]
    new = _fitting(level, column, bound, element, at)
    new = with_typmod(new, column.typmod, explicit=False)
    return Call(ARRAY_WITH, (now, new, *places), kind, column.typmod, at)


def _fitting(level: Level, column: Column, bound: Expr, kind: PgType, at: int) -> Expr:
    cast = coerce(level.state, bound, kind, "a")
    if cast is None:
        raise DatatypeMismatchError(
            f'subscripted assignment to "{column.name}" requires type {kind.sql_name} but '
            f"expression is of type {bound.type.sql_name}",
            hint="You will need to rewrite or cast the expression.",
            position=at,
        )
    return cast
