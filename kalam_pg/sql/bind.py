"""The binder's entry points: from a parsed query or data change to the typed tree."""

from collections.abc import Callable

from sqlglot import exp

from catalog.changes_depend import Then
from catalog.domain_values import value_table
from catalog.errors import (
    AmbiguousParameterError,
    FeatureNotSupportedError,
    IndeterminateDatatypeError,
    StatementTooComplexError,
)
from catalog.model import Table, View
from catalog.snapshot import Snapshot
from catalog.types import registry as types
from catalog.types.domain import DomainDefinition
from catalog.types.table import PgType
from kalam_pg.sql import (
    bind_aggregate,
    bind_domain,
    bind_function,
    bind_function_from,
    bind_predicate,
    bind_sample,
    bind_subquery,
    bind_values,
    returning_queries,
)
from kalam_pg.sql.bind_dml import bind_delete, bind_update
from kalam_pg.sql.bind_expr import bind_expr
from kalam_pg.sql.bind_from import BIND_CHANGE, BIND_VIEW, scan_table
from kalam_pg.sql.bind_insert import bind_insert
from kalam_pg.sql.bind_merge import bind_merge
from kalam_pg.sql.bind_query import query_at
from kalam_pg.sql.coerce import assign, settle, to_boolean
from kalam_pg.sql.function_call import FUNCTION
from kalam_pg.sql.function_runs import with_runs
from kalam_pg.sql.parse import parse, parse_expression
from kalam_pg.sql.relation_source import RelationSource
from kalam_pg.sql.scope import Binding, BindScope, Level
from kalam_pg.sql.statements import QueryStatement
from kalam_pg.sql.tree import Bound, Dml, Expr, Query
from storage.errors import KalamError

__all__ = ["BindScope", "RelationSource", "bind", "bind_expression"]

# Their handlers are registered when they are imported.
_PARTS = (
    bind_aggregate,
    bind_function,
    bind_function_from,
    bind_predicate,
    bind_sample,
    bind_subquery,
    bind_values,
)

_VIEWS_DEEP_MAX = 32
_CHANGES: dict[type[exp.Expr], Callable[[Binding, exp.Expr, Level | None], Dml]] = {
    exp.Insert: bind_insert,
    exp.Update: bind_update,
    exp.Delete: bind_delete,
    exp.Merge: bind_merge,
}


def bind(statement: QueryStatement, scope: BindScope) -> Bound:
    """Resolve names, types, operators and functions of a statement as PostgreSQL does.

    Raises:
        KalamError: With PostgreSQL's SQLSTATE, words and position in the statement's text.
    """
    state = Binding(scope, statement.text, list(scope.param_types))
    try:
        bound = _statement(state, statement.tree)
    except RecursionError:
        raise StatementTooComplexError("stack depth limit exceeded") from None
    columns = bound.returning_columns if isinstance(bound, Dml) else bound.columns
    made = Bound(
        bound, columns, parameters(state), tuple(state.tables.values()), tuple(state.virtual),
        state.volatile, relations=tuple(state.relations), changes=tuple(state.changes),
        nested=state.nested, functions=tuple(state.functions.values()), early=state.early,
        derives=state.derives,
    )  # fmt: skip
    return returning_queries.apart(with_runs(made, state.runs))


def _statement(state: Binding, node: exp.Expr) -> Query | Dml:
    change = _CHANGES.get(type(node))
    if change is not None:
        bound = change(state, node, None)
        _check_read_anew(state, bound)
        return bound
    return query_at(Level(state), node)


def _check_read_anew(state: Binding, change: Dml) -> None:
    """Raise 0A000 where a volatile function reads the rows that the statement has changed so far.

    Its query would see them in PostgreSQL, and sees the database as it was before the statement here.
    """
    found = state.read_anew.get(change.table.id)
    if found is None:
        return
    function, at = found
    raise FeatureNotSupportedError(
        f'volatile function {function} reads table "{change.table.name}", which the statement changes',
        hint="A STABLE function sees the table as it was before the statement.",
        position=at,
    )


def _nested_change(level: Level, node: exp.Expr) -> Dml:
    """A data change in the WITH of a statement whose level is `level`."""
    level.state.nested = True
    bound = _CHANGES[type(node)](level.state, node, level)
    _check_read_anew(level.state, bound)
    return bound


BIND_CHANGE.append(_nested_change)


def parameters(state: Binding) -> tuple[PgType, ...]:
    """The parameters' types; 42P18 when one has none, 42P08 when only some of its places gave one."""
    found: list[PgType] = []
    for index, kind in enumerate(state.params):
        message = f"could not determine data type of parameter ${index + 1}"
        if kind is None:
            raise IndeterminateDatatypeError(message)
        if left := state.pending.get(index):
            raise AmbiguousParameterError(message, position=left[0])
        found.append(kind)
    return tuple(found)


_CONDITIONS = {"check constraints": "CHECK", "COPY FROM WHERE conditions": "WHERE"}
"""What an error calls a condition that is not boolean, by where it stands."""


def bind_expression(
    text: str,
    scope: BindScope,
    table: Table | None = None,
    expected: PgType | None = None,
    typmod: int = -1,
    what: str = "",
) -> Expr:
    """A stored or separate expression: DEFAULT, CHECK, an argument of EXECUTE.

    With a table its columns may be used; they are relation 0. With `expected` the result is assigned
    to that type (boolean: required). what: how error messages name the place, one of
    `bind_expr.STORED`; when not given, check constraints with a table, DEFAULT expressions without.
    """
    state = Binding(scope, text, list(scope.param_types))
    what = what or ("DEFAULT expressions" if table is None else "check constraints")
    level = Level(state, clause=what)
    if table is not None:
        scan_table(level, table, "")
    try:
        expr = bind_expr(level, parse_expression(text))
        if expected is types.BOOL:
            expr = to_boolean(state, expr, _CONDITIONS.get(what, what))
        elif expected is not None:
            expr = assign(state, expr, expected, typmod, "?column?")
        else:
            expr = settle(state, expr)
    except RecursionError:
        raise StatementTooComplexError("stack depth limit exceeded") from None
    parameters(state)
    return expr


def bind_domain_check(scope: BindScope, domain: DomainDefinition, text: str) -> Expr:
    """A domain's CHECK over a row that is the value alone."""
    plain = BindScope(scope.snapshot, scope.search_path, scope.virtual, (), scope.types)
    return bind_expression(text, plain, value_table(domain), types.BOOL)


bind_domain.BIND_CHECK.append(bind_domain_check)


def _view(state: Binding, view: View) -> Query:
    """A view's query, bound where the view is; its own schema is looked in first."""
    name = f"{view.namespace}.{view.name}"
    views = [one for one in state.views if not one.endswith(FUNCTION)]
    if name in state.views or len(views) >= _VIEWS_DEEP_MAX:
        raise FeatureNotSupportedError(f'view "{view.name}" refers to itself or nests too deeply')
    before = (state.scope, state.text, state.views, state.inside, state.trace)
    scope = state.scope
    path = (view.namespace, *(s for s in scope.search_path if s != view.namespace))
    snapshot: RelationSource = scope.snapshot
    if isinstance(snapshot, Then):
        snapshot = snapshot.now  # Of the view around it.
    if isinstance(snapshot, Snapshot):
        snapshot = Then(snapshot, view.names, view.reads)
    state.scope = BindScope(snapshot, path, scope.virtual, (), scope.types)
    state.views_characters += len(state.text) + len(view.query)
    state.text, state.views, state.inside = view.query, (*state.views, name), ()
    state.trace = None
    try:
        statement = parse(view.query)[0]
        assert isinstance(statement, QueryStatement)
        return query_at(Level(state), statement.tree)
    except KalamError as error:
        error.position = 0  # It counts in the view's text, which the client has not sent.
        raise
    finally:
        state.scope, state.text, state.views, state.inside, state.trace = before


BIND_VIEW.append(_view)
