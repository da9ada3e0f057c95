"""The extended query protocol: Parse, Bind, Describe, Execute, Close, Sync.

Everything between two Syncs is one implicit transaction; Sync commits it ("Extended Query" in the
manual). Describe never executes. A portal suspended by a row limit keeps the rest of its answer.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from catalog.errors import (
    DuplicatePreparedStatementError,
    InvalidCursorNameError,
    InvalidSqlStatementNameError,
    SqlSyntaxError,
)
from catalog.types.table import PgType, TypeContext
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
from kalam_pg.query.aside import aside
from kalam_pg.query.execution import Result
from kalam_pg.query.lru import cost
from kalam_pg.query.waits import Steps
from kalam_pg.rows.form import RowForm, described
from kalam_pg.rows.transcoding import FindType, Transcoder
from kalam_pg.sessions import cursors, dispatch, long_texts
from kalam_pg.sessions.live_cursors import LiveCursor
from kalam_pg.sessions.portals import Portal
from kalam_pg.sessions.prepared import PreparedStatement
from kalam_pg.sql.statements_cursor import FetchCursor
from kalam_pg.wire import portals
from kalam_pg.wire.copy_in import receive_copy
from kalam_pg.wire.copying import send_copy
from kalam_pg.wire.results import send_all, send_some
from storage.layout import Value, row_bytes

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession
    from kalam_pg.wire.session import WireSession


def _begin(session: "WireSession") -> "SqlSession":
    session.flow_is_extended = True
    sql = session.sql
    assert sql is not None
    return sql


def parse(session: "WireSession", message: m.Parse) -> Steps[None]:
    """Make a prepared statement; its parameter and result types are settled now."""
    sql = _begin(session)
    if message.statement and message.statement in sql.prepared:
        raise DuplicatePreparedStatementError(
            f'prepared statement "{message.statement}" already exists'
        )
    if not message.statement:
        sql.prepared.drop("")
    shaped = None
    if not message.statement and not message.parameter_types:
        shaped = session.shapes.taken_out(sql, message.query)  # A new text of a form that is known.
    if shaped is not None and shaped.statement is not None:
        dispatch.check_allowed(sql, shaped.statement)
        prepared = shaped
    else:
        prepared = yield from _read(sql, message)
    prepared.text, prepared.prepared_us = message.query, sql.database.now_us()
    sql.prepared[message.statement] = prepared
    session.send(PARSE_COMPLETE)


def _read(sql: "SqlSession", message: m.Parse) -> Steps[PreparedStatement]:
    sql.account.check(2 * cost(message.query))
    statements = yield from long_texts.statements(sql, message.query)
    if len(statements) > 1:
        raise SqlSyntaxError("cannot insert multiple commands into a prepared statement")
    declared = portals.parameter_types(message.parameter_types, sql.snapshot)
    if not statements:
        return PreparedStatement(None, (), ())
    dispatch.check_allowed(sql, statements[0])
    return (yield from dispatch.prepare_in_turn(sql, statements[0], declared))


def bind(session: "WireSession", message: m.Bind) -> Steps[None]:
    """Give a prepared statement its parameters."""
    sql = _begin(session)
    prepared = _prepared(sql, message.statement)
    if prepared.statement is not None:
        dispatch.check_allowed(sql, prepared.statement)
    if message.portal:
        sql.portals.check_free(message.portal)
    else:
        sql.portals.drop("")
    if isinstance(prepared.statement, FetchCursor):
        # Its columns are those of the cursor that has the name now.
        prepared = dispatch.prepare(sql, prepared.statement, ())
    transaction = sql.begin_implicit()  # A portal ends with its transaction, so it has one.
    types = prepared.param_types
    context, started_us = sql.types_for(types), transaction.started_us
    coder = session.text.follow()
    if coder is None:
        reading = partial(portals.bind_parameters, message, types, context, started_us)
    else:
        find = sql.snapshot.type_by_oid
        reading = partial(_read_foreign, coder, find, message, types, context, started_us)
    size = sum([len(value or b"") for value in message.parameters])
    if size > portals.LARGE_PARAMETERS:
        params = yield from _read_large(sql, message, types, reading)
        size = row_bytes(params)
    else:
        params = reading()
    formats = portals.result_formats(message.result_formats, len(prepared.columns))
    created_us = transaction.started_us
    name, depth = message.portal, sql.savepoints_deep
    portal = Portal(name, prepared, params, formats, created_us, depth)
    portal.parameter_bytes = size
    sql.portals.add(portal)
    session.send(BIND_COMPLETE)


def _read_foreign(
    coder: Transcoder,
    find: FindType,
    message: m.Bind,
    types: tuple[PgType, ...],
    context: TypeContext,
    started_us: int,
) -> tuple[Value, ...]:
    """The parameters of a client that has another encoding than UTF8."""
    values = coder.parameters(message.parameters, types, message.parameter_formats, find)
    return portals.bind_parameters(replace(message, parameters=values), types, context, started_us)


def _read_large(
    sql: "SqlSession",
    message: m.Bind,
    types: Sequence[PgType],
    reading: Callable[[], tuple[Value, ...]],
) -> Steps[tuple[Value, ...]]:
    """The parameters, read in a thread. Raises 53200 where the session has no room for that."""
    timeout_s = int(sql.settings["statement_timeout"]) / 1000.0
    held = sql.account.holding("parameters")
    lease = held.lease(sum([len(value or b"") for value in message.parameters]))
    try:
        measured = partial(portals.reading_bytes, message, types)
        size = yield from aside(measured, user=held.user, timeout_s=timeout_s)
        lease.grow(size)
    except BaseException:
        lease.end()
        raise
    return (yield from aside(reading, user=held.user, timeout_s=timeout_s, lease=lease))


def describe(session: "WireSession", message: m.Describe) -> Steps[None]:
    """Tell the types of a statement's parameters and result, or of a portal's result."""
    sql = _begin(session)
    formats: tuple[int, ...] = ()
    if message.kind == "S":
        prepared = _prepared(sql, message.name)
    else:
        portal = _portal(sql, message.name)
        prepared, formats = portal.prepared, portal.formats
    columns, statement = prepared.columns, prepared.statement
    has_rows = bool(columns) or (statement is not None and dispatch.returns_rows(statement))
    if has_rows:
        sql.check_usable()
    if message.kind == "S":
        session.send(parameter_description([t.oid for t in prepared.param_types]))
    if has_rows:
        formats = formats or portals.result_formats((), len(columns))
        session.send(session.text.description(described(columns, formats)))
    else:
        session.send(NO_DATA)
    return
    yield


def execute(session: "WireSession", message: m.Execute) -> Steps[None]:
    """Run a portal, or go on with it: at most `max_rows` rows (0: all)."""
    sql = _begin(session)
    portal = _portal(sql, message.portal)
    statement = portal.prepared.statement
    if statement is None:
        session.send(EMPTY_QUERY)
        return
    dispatch.check_allowed(sql, statement)
    portal.check_runnable(sql.login_user.role.rank)
    sql.text = portal.prepared.text
    # As the settings are now: they may have changed since the portal was made, and between its parts.
    form = sql.row_form(portal.columns, portal.formats)
    if portal.result is None:
        whole = form if form.columns and message.max_rows <= 0 else None
        result = yield from cursors.begin(sql, portal, whole)
        if sql.notices:
            session.send_notices()
        if portal.rows is None:
            yield from _send_whole(session, portal, result, form)
            return
    else:
        portal.go_on(int(sql.settings["statement_timeout"]) / 1000.0)
    yield from _send_part(session, portal, form, max(message.max_rows, 0))


def _send_whole(
    session: "WireSession", portal: Portal, result: Result, form: RowForm
) -> Steps[None]:
    """Send all that a portal's statement answers."""
    count: int | None = None
    try:
        if result.copy is not None:
            count = yield from send_copy(session, result)
        elif result.copy_in is not None:
            count = yield from receive_copy(session, result.copy_in)
        elif portal.can_run:
            count = yield from send_all(session, result, form)
    except BaseException:
        portal.can_run = False
        raise
    finally:
        result.close()
    session.send(command_complete(result.command_tag if count is None else result.tag_of(count)))


def _send_part(session: "WireSession", portal: Portal, form: RowForm, max_rows: int) -> Steps[None]:
    """Send the next rows of a portal (0: all that are left)."""
    rows, result = portal.rows_left(), portal.result
    assert result is not None
    if isinstance(rows, LiveCursor):
        yield from _send_live(session, rows, form, max_rows)
        return
    count, enough = yield from send_some(session, rows.forward, form, max_rows)
    if enough:
        # That there is no more is said by the next Execute, as PostgreSQL does.
        session.send(PORTAL_SUSPENDED)
        return
    # The tag counts the rows of this Execute.
    tag = Result(result.tag, count).command_tag if portal.counts else result.tag
    session.send(command_complete(tag))


def _send_live(
    session: "WireSession", rows: LiveCursor, form: RowForm, max_rows: int
) -> Steps[None]:
    """Send what is there of an endless result, at least one row (pgjdbc takes none for the end).

    max_rows 0: every row as it comes, until it is cancelled.
    """
    take = rows.part(max_rows).take if max_rows else rows.forward
    yield from send_some(session, take, form, 0, rows.source)
    session.send(PORTAL_SUSPENDED)


def close(session: "WireSession", message: m.Close) -> Steps[None]:
    """Forget a statement or a portal; closing what is not there is no error.

    The portals of a statement stay, whatever the manual says: PostgreSQL keeps them too.
    """
    sql = _begin(session)
    if message.kind == "S":
        sql.prepared.drop(message.name)
    else:
        sql.portals.drop(message.name)
    session.send(CLOSE_COMPLETE)
    return
    yield


def sync(session: "WireSession") -> Steps[None]:
    """End the implicit transaction, then ReadyForQuery, whatever happened before."""
    sql = session.sql
    assert sql is not None
    # An error now is answered at once: this Sync was the one to skip to.
    session.flow_is_extended = False
    transaction = sql.transaction
    if transaction is not None and not transaction.block:
        yield from sql.commit()
    session.ready()


def _prepared(sql: "SqlSession", name: str) -> PreparedStatement:
    prepared = sql.prepared.get(name)
    if prepared is None:
        if name:
            raise InvalidSqlStatementNameError(f'prepared statement "{name}" does not exist')
        raise InvalidSqlStatementNameError("unnamed prepared statement does not exist")
    prepared.renew_types(sql.snapshot)
    return prepared


def _portal(sql: "SqlSession", name: str) -> Portal:
    portal = sql.portals.get(name)
    if portal is None:
        raise InvalidCursorNameError(f'portal "{name}" does not exist')
    return portal
