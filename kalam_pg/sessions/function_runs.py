"""Functions that are more than one query: their statements run, in the transaction of who calls them.

A statement's calls are run before it (`sql.function_runs`), in the order in which they stand there; what the
last statement of each gives is a parameter's value then. CALL is nothing else.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from catalog.errors import (
    FeatureNotSupportedError,
    StatementTooComplexError,
    WrongObjectTypeError,
)
from catalog.functions import Function
from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.query.execution import Result
from kalam_pg.query.prepare import Planned
from kalam_pg.query.waits import Steps
from kalam_pg.sessions import dispatch, long_texts, table_locks
from kalam_pg.sessions.prepared import PreparedStatement
from kalam_pg.sessions.run_before import RUN_FUNCTIONS
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql import statements as st
from kalam_pg.sql.bind import BindScope
from kalam_pg.sql.function_body import statements, type_of
from kalam_pg.sql.function_call import path_of
from kalam_pg.sql.function_check import declared
from kalam_pg.sql.function_result import as_columns, columns_of, fitted_row
from kalam_pg.sql.scope import Binding
from kalam_pg.sql.statements import QueryStatement
from kalam_pg.sql.statements_functions import CallProcedure
from kalam_pg.sql.to_python import compile_expr
from kalam_pg.sql.tree import ColumnRef, FunctionRun, OutputColumn
from storage.errors import KalamError
from storage.layout import Row, Value

_DEEP_MAX = 32
_ROWS = 1000


def run_all(sql: SqlSession, planned: Planned, params: Sequence[Value]) -> Steps[Sequence[Value]]:
    """Run what a statement calls before it. Returns its parameters, with those that the runs gave."""
    known = [*params[: len(planned.param_types)]]
    for run in planned.runs:
        closures = [compile_expr(arg, _no_column) for arg in run.args]
        context = sql.context(known)
        given = tuple([closure((), context) for closure in closures])
        known.append((yield from _run(sql, run, given)))
    return known


def prepare_call(
    sql: SqlSession, statement: CallProcedure, declared_types: Sequence[PgType | None]
) -> Planned:
    """The plan of CALL, whose columns are those that the procedure gives back."""
    snapshot = sql.snapshot
    scope = sql.cache.scope(snapshot, sql.search_path, sql.settings.types, declared_types)
    scope.calling = True
    planned = sql.cache.of_function(statement.query, snapshot, scope)
    (*_, run) = planned.runs or (None,)
    if run is None or run.function.kind != "p":
        name = statement.query.tree.expressions[0].name
        raise WrongObjectTypeError(
            f"{name} is not a procedure", hint="To call a function, use SELECT."
        )
    columns = columns_of(declared(run.function, scope)) if run.function.outputs else ()
    return replace(planned, columns=columns or ())


def call(
    sql: SqlSession, statement: CallProcedure, params: Sequence[Value], prepared: PreparedStatement
) -> Steps[Result]:
    """CALL."""
    planned = prepared.current(sql) or prepare_call(sql, statement, prepared.param_types)
    planned.check(sql.user, sql.begin_implicit(), len(params))
    known = yield from run_all(sql, planned, params)
    if not planned.columns:
        return Result("CALL")
    row = known[-1]
    assert isinstance(row, tuple)
    return Result("CALL", None, planned.columns, [row])


def _no_column(reference: ColumnRef) -> int:
    raise AssertionError(reference)


def _run(sql: SqlSession, run: FunctionRun, given: Row) -> Steps[Value]:
    function = run.function
    if function.strict and any(value is None for value in given):
        return () if function.returns_set else None
    sql.functions_deep += 1
    try:
        if sql.functions_deep > _DEEP_MAX:
            raise StatementTooComplexError("stack depth limit exceeded")
        rows = yield from _body(sql, function, given)
    finally:
        sql.functions_deep -= 1
    if function.returns_set:
        return tuple(rows)
    return rows[0] if rows else None


def _body(sql: SqlSession, function: Function, given: Row) -> Steps[list[Value]]:
    """Run the statements of a body. Returns what the last one gives, as the function gives it back."""
    rows: list[Value] = []
    turns = long_texts.Turns()
    for number, statement in enumerate(statements(function), 1):
        yield from turns.next()
        with _at(function, number):
            if isinstance(statement, QueryStatement):
                found, columns = yield from _query(sql, function, statement, given)
                last = number == len(statements(function))
                if last and columns and function.result != types.VOID.oid:
                    make = _giving(sql, function, columns)
                    rows = [make(row) for row in found]
            else:
                yield from _other(sql, statement)
    return rows


@contextmanager
def _at(function: Function, number: int) -> Iterator[None]:
    try:
        yield
    except KalamError as error:
        where = f'SQL function "{function.name}" statement {number}'
        error.context = f"{error.context}\n{where}" if error.context else where
        error.position = 0
        raise


def _query(
    sql: SqlSession, function: Function, statement: QueryStatement, given: Row
) -> Steps[tuple[list[Row], tuple[OutputColumn, ...]]]:
    planned = yield from table_locks.wait(sql, lambda: _planned(sql, function, statement))
    if planned.writes and function.volatility != "v":
        raise FeatureNotSupportedError(
            f"{planned.command} is not allowed in a non-volatile function"
        )
    result = yield from sql.run_planned(planned, given)
    rows: list[Row] = [*result.rows]
    wanted = None if function.returns_set else 1
    try:
        while result.source is not None and (
            wanted is None or len(rows) < wanted or planned.writes
        ):
            part = yield from result.source.take(_ROWS)
            if not len(part):
                break
            rows += part.rows()
    finally:
        result.close()
    return rows, planned.columns


def _planned(sql: SqlSession, function: Function, statement: QueryStatement) -> Planned:
    snapshot = sql.snapshot
    scope = sql.cache.scope(snapshot, path_of(function, sql.search_path), sql.settings.types)
    scope.param_types = tuple([type_of(snapshot, p.type) for p in function.inputs])
    scope.param_names = tuple([p.name for p in function.inputs])
    scope.function = function.name
    return sql.cache.of_function(statement, snapshot, scope)


def _giving(
    sql: SqlSession, function: Function, columns: Sequence[OutputColumn]
) -> Callable[[Row], Value]:
    """What makes of a row of the last statement what the function gives back. Raises 42P13."""
    scope = BindScope(sql.snapshot, sql.search_path, types=sql.settings.types)
    state = Binding(scope)
    shown = [(at, c) for at, c in enumerate(columns) if not c.hidden]
    state.columns = [tuple(columns)]
    refs = [ColumnRef(0, at, c.name, c.type, c.typmod) for at, c in shown]
    chosen = declared(function, scope)
    context = sql.context()
    if function.kind == "p":
        columns_given = columns_of(chosen) or ()
        values = as_columns(state, chosen, refs, columns_given)
        each = [compile_expr(value, lambda reference: reference.column) for value in values]
        return lambda row: tuple([closure(row, context) for closure in each])
    value = fitted_row(state, chosen, refs, [c.name for _, c in shown])
    closure = compile_expr(value, lambda reference: reference.column)
    return lambda row: closure(row, context)


def _other(sql: SqlSession, statement: st.Statement) -> Steps[None]:
    if isinstance(statement, st.SetSetting) and statement.local:
        sql.settings.set(statement.name, statement.value, local=True)
        return
    if isinstance(statement, st.Unsupported):
        raise FeatureNotSupportedError(f"{statement.what} is not supported yet")
    prepared = yield from dispatch.prepare_in_turn(sql, statement, ())
    result: Result = yield from dispatch.run(sql, statement, (), prepared, None, told=False)
    result.close()


RUN_FUNCTIONS.append(run_all)
