"""Binding of subqueries in expressions."""

from sqlglot import exp

from catalog.errors import (
    FeatureNotSupportedError,
    InvalidColumnReferenceError,
    SqlSyntaxError,
    UndefinedObjectError,
)
from catalog.types import registry as types
from kalam_pg.functions.table import Overload
from kalam_pg.sql.bind_expr import (
    QUANTIFIED,
    ROW_SUBQUERY,
    STORED,
    apply_operator,
    bind_expr,
    consumed,
    handles,
    unsupported,
)
from kalam_pg.sql.bind_query import bind_query
from kalam_pg.sql.bind_setop import cast_output
from kalam_pg.sql.bind_values import ARRAY_SUBQUERY
from kalam_pg.sql.positions import mark, position
from kalam_pg.sql.row_values import field as field_of
from kalam_pg.sql.scope import Level
from kalam_pg.sql.tree import (
    ArraySubquery,
    Call,
    ColumnRef,
    Exists,
    Expr,
    InSubquery,
    Query,
    RowExpr,
    ScalarSubquery,
    Select,
    SubqueryScan,
)


def _inner(level: Level, node: exp.Expr) -> Query:
    query = node.args["this"] if type(node) is exp.Subquery else node
    # A subquery's own aggregates are no business of the call they may stand in.
    if level.clause in STORED:
        raise FeatureNotSupportedError(
            f"cannot use subquery in {STORED[level.clause]}", position=position(node)
        )
    inside, level.inside = level.inside, ""
    suspended, level.suspended = level.suspended, inside
    clause = level.clause
    result = bind_query(level, query)
    level.inside, level.clause, level.suspended = inside, clause, suspended
    return result


def _one_column(query: Query, at: int) -> None:
    if len(query.columns) != 1:
        raise SqlSyntaxError("subquery must return only one column", position=at)


@handles(exp.Subquery)
def _scalar(level: Level, node: exp.Subquery) -> Expr:
    consumed(node, "this")
    query = _inner(level, node)
    _one_column(query, position(node))
    column = query.columns[0]
    return ScalarSubquery(query, column.type, column.typmod, position(node))


_ROW = "?row"


def _one_row(level: Level, node: exp.Subquery, width: int) -> Expr:
    """The row of `width` columns that a query gives, to be compared field by field; NULLs of no row."""
    names = [f"f{n + 1}" for n in range(width)]
    at = position(node)
    alias = exp.TableAlias(this=_identifier(_ROW), columns=[_identifier(n) for n in names])
    derived = mark(exp.Subquery(this=node.args["this"], alias=alias), at)
    row = exp.Tuple(
        expressions=[
            mark(exp.Column(this=_identifier(n), table=_identifier(_ROW)), at) for n in names
        ]
    )
    select = exp.Select(expressions=[mark(row, at)], from_=exp.From(this=derived))
    try:
        query = _inner(level, mark(exp.Subquery(this=mark(select, at)), at))
    except InvalidColumnReferenceError as exc:
        if f'"{_ROW}"' in exc.message:
            raise SqlSyntaxError("subquery has too few columns", position=at) from None
        raise
    assert isinstance(query, Select)
    (scan,) = query.from_
    assert isinstance(scan, SubqueryScan)
    if len(scan.columns) > width:
        raise SqlSyntaxError("subquery has too many columns", position=at)
    value = ScalarSubquery(query, types.RECORD, -1, at)
    fields = query.columns[0].fields
    items = tuple([field_of(value, n, column, at) for n, column in enumerate(fields)])
    return RowExpr(items, types.RECORD, -1, at, tuple(names))


def _identifier(name: str) -> exp.Identifier:
    return exp.Identifier(this=name, quoted=True)


ROW_SUBQUERY.append(_one_row)


@handles(exp.Exists)
def _exists(level: Level, node: exp.Exists) -> Expr:
    return Exists(_inner(level, node.args["this"]), types.BOOL, -1, position(node))


def _array(level: Level, node: exp.Subquery, at: int) -> Expr:
    query = _inner(level, node)
    _one_column(query, at)
    kind = query.columns[0].type
    array = kind if kind.element is not None else types.array_of(kind)
    if array is None:
        raise UndefinedObjectError(
            f"could not find array type for data type {kind.sql_name}", position=at
        )
    return ArraySubquery(query, array, -1, at)


ARRAY_SUBQUERY.append(_array)


def _quantified(
    level: Level, left: exp.Expr, subquery: exp.Expr, symbol: str, is_all: bool, at: int
) -> Expr:
    """`left op ANY|ALL (query)`, IN and NOT IN too."""
    bound = bind_expr(level, left)
    items = bound.items if isinstance(bound, RowExpr) and not bound.whole else (bound,)
    query = _inner(level, subquery)
    columns = query.columns
    if len(columns) != len(items):
        many = "many" if len(columns) > len(items) else "few"
        raise SqlSyntaxError(f"subquery has too {many} columns", position=at)
    if len(items) > 1 and symbol not in ("=", "<>"):
        raise unsupported(f"row comparison {symbol} with a subquery", left)
    operators: list[Overload] = []
    args: list[Expr] = []
    kinds = []
    for item, column in zip(items, columns, strict=True):
        # A column that stands for what the query gives, to resolve the operator and its casts.
        right = ColumnRef(0, 0, column.name, column.type, column.typmod, at)
        call = apply_operator(level, symbol, (item, right), at)
        assert isinstance(call, Call)
        operators.append(call.overload)
        args.append(call.args[0])
        kinds.append(call.args[1].type)
    query = cast_output(level.state, query, kinds, "IN")
    return InSubquery(tuple(args), query, tuple(operators), is_all, types.BOOL, -1, at)


QUANTIFIED.append(_quantified)
