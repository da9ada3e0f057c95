"""Row values as json: the one use of a whole row that is not a comparison or a test for NULL.

`row_to_json(t)`, `to_jsonb(t)`, `json_agg(t)` and their like take a row; both back ends see it as
a call that makes the json object.
"""

from dataclasses import replace
from typing import TypeVar

from catalog.types import registry as types
from kalam_pg.functions.jsonbuild import ROW_OBJECT, ROWS_ARRAY
from kalam_pg.sql.tree import Aggregate, Call, Case, Const, Expr, IsNull, RowExpr

_TAKES_ROWS = frozenset(
    {
        "row_to_json", "to_json", "to_jsonb", "json_agg", "jsonb_agg", "json_build_object",
        "jsonb_build_object", "json_build_array", "jsonb_build_array", "json_object_agg",
        "jsonb_object_agg",
    }
)  # fmt: skip


_Node = TypeVar("_Node", Call, Aggregate)


def with_json_rows(call: _Node) -> _Node:
    """The call with its row arguments as json objects; itself when it has none."""
    if call.overload.name not in _TAKES_ROWS:
        return call
    if not any(_row(a) is not None for a in call.args):
        return call
    overload = ROWS_ARRAY if call.overload.name == "json_agg" else call.overload
    return replace(call, overload=overload, args=tuple([_object(a) for a in call.args]))


def _row(expr: Expr) -> RowExpr | None:
    """The row that an argument is, or is as a record."""
    if isinstance(expr, Call) and expr.type is types.RECORD and len(expr.args) == 1:
        expr = expr.args[0]
    return expr if isinstance(expr, RowExpr) else None


def _object(expr: Expr) -> Expr:
    row = _row(expr)
    if row is None:
        return expr
    expr = row
    names = expr.names or tuple([f"f{i}" for i in range(1, len(expr.items) + 1)])
    pairs: list[Expr] = []
    for name, item in zip(names, expr.items, strict=True):
        pairs += [Const(name, types.TEXT), _object(item)]
    made = Call(ROW_OBJECT, tuple(pairs), types.JSON, -1, expr.position)
    if expr.present is None:
        return made
    none = IsNull(expr.present, False, types.BOOL, whole=True)
    return Case(((none, Const(None, types.JSON)),), made, types.JSON, -1, expr.position)
