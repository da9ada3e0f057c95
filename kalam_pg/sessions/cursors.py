"""Cursors in SQL: DECLARE, FETCH, MOVE, CLOSE; and how a portal's statement is begun, whoever asks."""

from collections.abc import Sequence
from math import inf

from catalog.errors import FeatureNotSupportedError, UndefinedParameterError
from catalog.types.table import PgType
from kalam_pg.query.execution import Result
from kalam_pg.query.locking import LockingPlan
from kalam_pg.query.row_source import Stored
from kalam_pg.query.waits import STRIDE, Steps, breathe
from kalam_pg.rows.form import RowForm
from kalam_pg.sessions import dispatch, following, long_texts, positioned, subscribing, table_locks
from kalam_pg.sessions.nested import counting_from
from kalam_pg.sessions.portals import Options, Portal
from kalam_pg.sessions.prepared import PreparedStatement
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sessions.validity import Validity
from kalam_pg.sql.statements import QueryStatement
from kalam_pg.sql.statements_cursor import CloseCursor, DeclareCursor, FetchCursor
from kalam_pg.sql.statements_live import Subscribe
from kalam_pg.sql.tree import OutputColumn
from storage.layout import Value

STATEMENTS = (DeclareCursor, FetchCursor, CloseCursor)


def prepare(
    sql: SqlSession, statement: DeclareCursor, declared: Sequence[PgType | None]
) -> tuple[PgType, ...]:
    """Types of the parameters of a cursor's query. Raises what binding raises."""
    if isinstance(statement.query, Subscribe):
        return subscribing.prepare(sql, statement.query, declared).param_types
    with counting_from(statement.query):
        return sql.plan(statement.query, declared).param_types


def columns(sql: SqlSession, statement: FetchCursor) -> tuple[OutputColumn, ...]:
    """Result columns of FETCH. Raises 34000."""
    portal = sql.portals.find(statement.name)
    return () if statement.move else portal.columns


def run(
    sql: SqlSession,
    statement: DeclareCursor | FetchCursor | CloseCursor,
    params: Sequence[Value],
    types: Sequence[PgType],
) -> Steps[Result]:
    """Run one of `STATEMENTS`. Raises 34000, 42P03, 25P01, 55000, and what the query raises."""
    match statement:
        case DeclareCursor():
            return (yield from _declare(sql, statement, params, types))
        case FetchCursor():
            return (yield from _fetch(sql, statement))
        case CloseCursor(None):
            sql.portals.drop_all()
            return Result("CLOSE CURSOR ALL")
        case CloseCursor(name):
            assert name is not None
            sql.portals.find(name)
            sql.portals.drop(name)
            return Result("CLOSE CURSOR")


def begin(sql: SqlSession, portal: Portal, form: RowForm | None) -> Steps[Result]:
    """Run a portal's statement. Without a form its rows are to be read from `Portal.rows`, if it has any.

    Raises what the statement raises; the portal cannot be run then.
    """
    statement = portal.prepared.statement
    assert statement is not None
    portal.can_run = False  # Until it has been: what raises here leaves it so.
    portal.rank = sql.login_user.role.rank
    result = yield from dispatch.run(sql, statement, portal.params, portal.prepared, form)
    has_rows = bool(result.columns) or dispatch.returns_rows(statement)
    portal.counts = result.count is not None or result.open
    if form is None and has_rows:
        if result.source is not None and not isinstance(statement, QueryStatement | Subscribe):
            # FETCH, EXECUTE: done as a whole, then read in parts.
            try:
                store = yield from result.source.keep(sql.database.spills)
            finally:
                result.close()
            result = Result(result.tag, result.count, result.columns, source=Stored(store))
        portal.open_rows(result, sql.database.spills)
    portal.result = result
    portal.can_run = has_rows
    return result


def _declare(
    sql: SqlSession, statement: DeclareCursor, params: Sequence[Value], types: Sequence[PgType]
) -> Steps[Result]:
    query, name = statement.query, statement.name
    if isinstance(query, Subscribe):
        return (yield from _declare_live(sql, statement, query, params, types))
    if not statement.hold:
        sql.require_block("DECLARE CURSOR")
    with counting_from(query):
        planned = yield from long_texts.in_turn(sql, query.text, lambda: sql.plan(query, types))
        if planned.writes:
            raise FeatureNotSupportedError(
                "DECLARE CURSOR must not contain data-modifying statements in WITH"
            )
        if isinstance(planned.plan, LockingPlan):
            _check_read_only(statement, planned.plan)
        sql.portals.check_free(name)
        if (planned.reads or planned.locks) and not table_locks.lock_nowait(sql, planned):
            planned = yield from table_locks.wait(sql, lambda: sql.plan(query, types))
        with_keys, keys = positioned.keyed(sql, query, planned, types)
        result = yield from sql.run_planned(with_keys, params)
    prepared = PreparedStatement(
        query, planned.param_types, planned.columns, planned, Validity(sql), text=sql.text
    )
    portal = Portal(
        name,
        prepared,
        tuple(params),
        (0,) * len(planned.columns),
        sql.database.now_us(),
        sql.savepoints_deep,
        Options(
            # Rows are locked when they are fetched, and as they are then: there is no going back.
            scroll=statement.scroll is not False and not isinstance(planned.plan, LockingPlan),
            hold=statement.hold,
            binary=statement.binary,
        ),
    )
    portal.keys = keys
    portal.counts, portal.rank = True, sql.login_user.role.rank
    portal.open_rows(result, sql.database.spills)
    sql.portals.add(portal)
    return Result("DECLARE CURSOR")


def _declare_live(
    sql: SqlSession,
    statement: DeclareCursor,
    query: Subscribe,
    params: Sequence[Value],
    types: Sequence[PgType],
) -> Steps[Result]:
    """A cursor over a subscription: outside a block it lives as long as the session."""
    following.check_options(query.options, "a cursor")
    planned = subscribing.prepare(sql, query, types)
    if len(params) < len(planned.param_types):
        raise UndefinedParameterError(f"there is no parameter ${len(params) + 1}")
    sql.portals.check_free(statement.name)
    in_block = sql.begin_implicit().block
    source = yield from following.open_rows(
        sql, query, planned, params, form="cursor", in_parts=True
    )
    columns = following.columns(query.options, planned)
    portal = Portal(
        statement.name,
        PreparedStatement(query, planned.param_types, columns, text=sql.text),
        tuple(params),
        (0,) * len(columns),
        sql.database.now_us(),
        sql.savepoints_deep,
        Options(hold=statement.hold or not in_block, part_max=query.options.batch_size),
    )
    portal.counts = True
    portal.open_rows(Result("SUBSCRIBE", None, columns, source=source), sql.database.spills)
    sql.portals.add(portal)
    return Result("DECLARE CURSOR")


def _check_read_only(statement: DeclareCursor, plan: LockingPlan) -> None:
    """Raise 0A000 for kinds of cursors that lock no rows."""
    for refused, option, kind in (
        (statement.hold, "CURSOR WITH HOLD", "Holdable"),
        (statement.scroll, "SCROLL CURSOR", "Scrollable"),
    ):
        if refused:
            raise FeatureNotSupportedError(
                f"DECLARE {option} ... {plan.strength} is not supported",
                detail=f"{kind} cursors must be READ ONLY.",
            )


def _fetch(sql: SqlSession, statement: FetchCursor) -> Steps[Result]:
    portal = sql.portals.find(statement.name)
    portal.check_runnable(sql.login_user.role.rank)
    is_new = portal.result is None
    if is_new:
        yield from begin(sql, portal, None)
    rows, timeout_ms = portal.rows_left(), statement.timeout_ms
    if timeout_ms is not None and not rows.endless:
        raise FeatureNotSupportedError("FETCH WITH (timeout) needs a cursor over a subscription")
    if rows.endless or not is_new:
        wait_s = inf if timeout_ms is None else timeout_ms / 1000.0
        portal.go_on(int(sql.settings["statement_timeout"]) / 1000.0, wait_s)
    portal.check_runnable(sql.login_user.role.rank)
    source = yield from portal.rows_left().fetch(statement.direction, statement.count)
    if not statement.move:
        binary = portal.options.binary
        return Result("FETCH", None, portal.columns, source=source, binary=binary)
    count = 0
    while passed := len((yield from source.take(STRIDE))):
        count += passed
        if not count % STRIDE:
            yield from breathe()
    return Result("MOVE", count)
