"""TABLESAMPLE: the rows of a table that its key and a seed choose, as a query in FROM.

Rows lie on no pages here that could be chosen: SYSTEM takes single rows, as BERNOULLI does.
"""

from dataclasses import replace

from sqlglot import exp

from catalog.errors import (
    DatatypeMismatchError,
    FeatureNotSupportedError,
    InvalidTablesampleArgumentError,
    UndefinedObjectError,
)
from catalog.row_types import row_type
from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.functions import lookup
from kalam_pg.functions.sampling import SAMPLED
from kalam_pg.functions.table import EvalContext
from kalam_pg.sql.bind_expr import bind_expr, consumed
from kalam_pg.sql.bind_from import BIND_SAMPLE, alias_of, below, derived
from kalam_pg.sql.coerce import coerce
from kalam_pg.sql.constancy import is_constant
from kalam_pg.sql.positions import mark, position
from kalam_pg.sql.scope import Level
from kalam_pg.sql.to_python import evaluate
from kalam_pg.sql.tree import Call, ColumnRef, Const, Expr, Param, Select, SubqueryScan, TableScan
from kalam_pg.sql.walk import location, walk

_METHODS = frozenset(("bernoulli", "system"))
(_NOW,) = lookup.functions("statement_timestamp")


def _sampled(level: Level, node: exp.Expr) -> SubqueryScan:
    sample, at = node.args["sample"], position(node)
    _check_method(sample)
    table = node.copy()
    table.set("sample", None)
    every = mark(exp.Select(expressions=[exp.Star()], from_=exp.From(this=table)), at - 1)
    query = below(level, every, lateral=False)
    scan = query.from_[0] if isinstance(query, Select) else None
    if not isinstance(query, Select) or not isinstance(scan, TableScan):
        raise FeatureNotSupportedError(
            "TABLESAMPLE clause can only be applied to tables and materialized views", position=at
        )
    percent = _argument(level, sample.expressions[0], types.FLOAT4, "TABLESAMPLE")
    seed: Expr = Call(_NOW, (), types.TIMESTAMPTZ)
    if sample.args.get("seed") is not None:
        seed = _argument(level, sample.args["seed"], types.FLOAT8, "REPEATABLE")
    places = {column.id: place for place, column in enumerate(scan.table.columns)}
    key = [_column(scan, places[column]) for column in scan.table.primary_key]
    test = Call(SAMPLED, (percent, seed, *key), types.BOOL, -1, at)
    if is_constant(percent) and is_constant(seed):
        _check(test)
    alias, _, _ = alias_of(node)
    named = query.columns
    return derived(
        *(level, replace(query, where=test), named, alias or scan.table.name, (), at),
        schema="" if alias else scan.table.namespace,
        row=row_type(scan.table),
    )


def _check_method(sample: exp.Expr) -> None:
    consumed(sample, "this", "expressions", "seed")
    method: str = sample.args["this"]
    if method not in _METHODS:
        raise UndefinedObjectError(
            f"tablesample method {method} does not exist", position=position(sample)
        )
    given = len(sample.expressions)
    if given != 1:
        raise InvalidTablesampleArgumentError(
            f"tablesample method {method} requires 1 argument, not {given}",
            position=position(sample),
        )


def _argument(level: Level, node: exp.Expr, kind: PgType, what: str) -> Expr:
    """A number that may be of queries around this one, and of nothing else in FROM."""
    here, hidden = level.items, level.hidden
    inner = Level(level.state, level, clause="FROM")
    level.items, level.hidden = [], [*hidden, *here]
    try:
        bound = bind_expr(inner, node)
    finally:
        level.items, level.hidden = here, hidden
    found = coerce(level.state, bound, kind, "a")
    if found is None:
        raise DatatypeMismatchError(
            f"argument of {what} must be type {kind.sql_name}, not type {bound.type.sql_name}",
            position=location(bound),
        )
    return found


def _column(scan: TableScan, at: int) -> Expr:
    column = scan.columns[at]
    return ColumnRef(scan.relation, at, column.name, column.type, column.typmod)


def _check(test: Call) -> None:
    """Raise now what no row would be asked for."""
    percent, seed, *_ = test.args
    if any(isinstance(node, Param) for arg in (percent, seed) for node in walk(arg)):
        return
    nothing = Const(None, types.INT4)
    evaluate(Call(SAMPLED, (percent, seed, nothing), types.BOOL), EvalContext())


BIND_SAMPLE.append(_sampled)
