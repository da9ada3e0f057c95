"""The extended query protocol: Parse, Bind, Describe, Execute, Close, Sync.

Everything between two Syncs is one implicit transaction; Sync commits it ("Extended Query" in the
manual). Describe never executes. A portal suspended by a row limit keeps the rest of its answer.
"""

from typing import TYPE_CHECKING

from catalog.errors import (
    DuplicateCursorError,
    DuplicatePreparedStatementError,
    InvalidCursorNameError,
    InvalidSqlStatementNameError,
    SqlSyntaxError,
)
from kalam_pg.pgwire import messages as m
from kalam_pg.pgwire.encode import (
    BIND_COMPLETE,
    CLOSE_COMPLETE,
    EMPTY_QUERY,
    NO_DATA,
    PARSE_COMPLETE,
    PORTAL_SUSPENDED,
    command_complete,
    parameter_description,
)
from kalam_pg.query.execution import Result
from kalam_pg.query.waits import Steps
from kalam_pg.rows.form import RowForm, described
from kalam_pg.sessions import dispatch, long_texts
from kalam_pg.sessions.prepared import PreparedStatement
from kalam_pg.sessions.sql_session import now_us
from kalam_pg.sql.statements_cursor import FetchCursor
from kalam_pg.wire import portals
from kalam_pg.wire.portals import Portal
from kalam_pg.wire.results import send_all

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession
    from kalam_pg.wire.session import Session


def _begin(session: "Session") -> "SqlSession":
    session.flow_is_extended = True
    sql = session.sql
    assert sql is not None
    return sql


def parse(session: "Session", message: m.Parse) -> Steps[None]:
    """Make a prepared statement; its parameter and result types are settled now."""
    sql = _begin(session)
    if message.statement and message.statement in sql.prepared:
        raise DuplicatePreparedStatementError(
            f'prepared statement "{message.statement}" already exists'
        )
    if not message.statement:
        sql.prepared.pop("", None)
    statements = yield from long_texts.statements(sql, message.query)
    if len(statements) > 1:
        raise SqlSyntaxError("cannot insert multiple commands into a prepared statement")
    declared = portals.parameter_types(message.parameter_types)
    if not statements:
        prepared = PreparedStatement(None, (), ())
    else:
        dispatch.check_allowed(sql, statements[0])
        prepared = yield from dispatch.prepare_in_turn(sql, statements[0], declared)
    sql.prepared[message.statement] = prepared
    session.send(PARSE_COMPLETE)


def bind(session: "Session", message: m.Bind) -> Steps[None]:
    """Give a prepared statement its parameters."""
    sql = _begin(session)
    prepared = _prepared(sql, message.statement)
    if message.portal and (message.portal in session.portals or message.portal in sql.cursors):
        raise DuplicateCursorError(f'cursor "{message.portal}" already exists')
    if prepared.statement is not None:
        dispatch.check_allowed(sql, prepared.statement)
    if isinstance(prepared.statement, FetchCursor):
        # Its columns are those of the cursor that has the name now.
        prepared = dispatch.prepare(sql, prepared.statement, ())
    started_us = now_us() if sql.transaction is None else sql.transaction.started_us
    types = prepared.param_types
    params = portals.bind_parameters(message, types, sql.types_for(types), started_us)
    formats = portals.result_formats(message.result_formats, len(prepared.columns))
    session.portals[message.portal] = Portal(prepared, params, formats)
    session.send(BIND_COMPLETE)
    return
    yield


def describe(session: "Session", message: m.Describe) -> Steps[None]:
    """Tell the types of a statement's parameters and result, or of a portal's result."""
    sql = _begin(session)
    if message.kind == "S":
        prepared = _prepared(sql, message.name)
        session.send(parameter_description([t.oid for t in prepared.param_types]))
        formats: tuple[int, ...] = ()
    elif message.name in sql.cursors and message.name not in session.portals:
        columns = sql.cursors[message.name].columns
        session.send(described(columns, portals.result_formats((), len(columns))))
        return
    else:
        portal = _portal(session, message.name)
        prepared, formats = portal.prepared, portal.formats
    columns = prepared.columns
    if columns:
        session.send(described(columns, formats or portals.result_formats((), len(columns))))
    elif prepared.statement is not None and dispatch.returns_rows(prepared.statement):
        session.send(described((), ()))
    else:
        session.send(NO_DATA)
    return
    yield


def execute(session: "Session", message: m.Execute) -> Steps[None]:
    """Run a portal, or go on with it: at most `max_rows` rows (0: all)."""
    sql = _begin(session)
    portal = _portal(session, message.portal)
    statement = portal.prepared.statement
    if statement is None:
        session.send(EMPTY_QUERY)
        return
    result = portal.result
    # As the settings are now: they may have changed since the portal was made, and between its parts.
    form = sql.row_form(portal.prepared.columns, portal.formats)
    if result is None:
        dispatch.check_allowed(sql, statement)
        whole = form if form.columns and message.max_rows <= 0 else None
        result = yield from dispatch.run(sql, statement, portal.params, portal.prepared, whole)
        portal.result = result
        if sql.notices:
            session.send_notices()
        if result.source is not None:
            result.rows = yield from result.source.every()
            result.source = None
            if result.count is None:
                result.count = len(result.rows)
            result.close()
    elif portal.done:
        session.send(command_complete(_rest_tag(result, 0)))
        return
    if result.messages is not None:
        portal.done = True
        session.outbox += result.messages
        session.send(command_complete(result.command_tag))
        return
    if result.stream is not None:
        portal.done = True
        try:
            count = yield from send_all(session, result, form)
        finally:
            result.close()
        session.send(command_complete(f"{result.tag} {count}"))
        return
    _send_rows(session, portal, message.max_rows, form)


def _send_rows(session: "Session", portal: Portal, max_rows: int, form: RowForm) -> None:
    result = portal.result
    assert result is not None
    rows = result.rows
    if not result.columns and not rows:
        portal.done = True
        session.send(command_complete(result.command_tag))
        return
    start = portal.sent
    part = rows[start : start + max_rows] if max_rows > 0 else (rows[start:] if start else rows)
    encode, out = form.encode, session.outbox
    for row in part:
        out += encode(row)
    portal.sent = start + len(part)
    if max_rows > 0 and len(part) == max_rows:
        # That there is no more is said by the next Execute, as PostgreSQL does.
        session.send(PORTAL_SUSPENDED)
        return
    portal.done = True
    session.send(command_complete(_rest_tag(result, len(part)) if start else result.command_tag))


def _rest_tag(result: Result, count: int) -> str:
    """The tag of the last part of a portal: SELECT counts the rows of that Execute."""
    return f"SELECT {count}" if result.tag == "SELECT" else result.command_tag


def close(session: "Session", message: m.Close) -> Steps[None]:
    """Forget a statement (its portals too) or a portal; closing what is not there is no error."""
    sql = _begin(session)
    if message.kind == "S":
        prepared = sql.prepared.pop(message.name, None)
        for name in [n for n, p in session.portals.items() if p.prepared is prepared]:
            del session.portals[name]
    else:
        session.portals.pop(message.name, None)
        sql.cursors.pop(message.name, None)
    session.send(CLOSE_COMPLETE)
    return
    yield


def sync(session: "Session") -> Steps[None]:
    """End the implicit transaction, then ReadyForQuery, whatever happened before."""
    sql = session.sql
    assert sql is not None
    # An error now is answered at once: this Sync was the one to skip to.
    session.flow_is_extended = False
    transaction = sql.transaction
    if transaction is not None and not transaction.block:
        yield from sql.commit()
    if sql.transaction is None:
        session.portals.clear()
    session.ready()


def _prepared(sql: "SqlSession", name: str) -> PreparedStatement:
    prepared = sql.prepared.get(name)
    if prepared is None:
        if name:
            raise InvalidSqlStatementNameError(f'prepared statement "{name}" does not exist')
        raise InvalidSqlStatementNameError("unnamed prepared statement does not exist")
    return prepared


def _portal(session: "Session", name: str) -> Portal:
    portal = session.portals.get(name)
    if portal is None:
        raise InvalidCursorNameError(f'portal "{name}" does not exist')
    return portal
