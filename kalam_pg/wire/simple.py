"""The simple query protocol: one text, any number of statements, text results.

The statements of one text are one transaction, definitions included, unless they say otherwise
("Multiple Statements in a Simple Query" in the manual).
"""

from typing import TYPE_CHECKING

from kalam_pg.engines.request import WireResult
from kalam_pg.pgwire.encode import EMPTY_QUERY, command_complete
from kalam_pg.query.execution import Result
from kalam_pg.query.waits import Steps
from kalam_pg.rows import row_encoder
from kalam_pg.sessions import dispatch, long_texts
from kalam_pg.sessions.prepared import PreparedStatement
from kalam_pg.sql.statements import QueryStatement, Statement
from kalam_pg.wire import portals, quick
from kalam_pg.wire.results import pump
from storage.errors import KalamError

if TYPE_CHECKING:
    from kalam_pg.wire.session import Session


def query(session: "Session", text: str) -> Steps[None]:
    """Run every statement of the text, commit, ReadyForQuery."""
    sql = session.sql
    assert sql is not None
    session.flow_is_extended = False
    sql.prepared.pop("", None)
    session.portals.pop("", None)
    shaped = session.shapes.again(sql, text) or session.shapes.find(sql, text)
    if shaped is not None:
        yield from _run_shaped(session, *shaped)
        return
    statements = yield from long_texts.statements(sql, text)
    if not statements:
        session.send(EMPTY_QUERY)
    last = len(statements) - 1
    turns = long_texts.Turns()
    for at, statement in enumerate(statements):
        try:
            yield from _statement(session, statement, last=at == last)
        except KalamError as exc:
            # Positions count from the beginning of the text, not of the statement.
            if exc.position and isinstance(statement, QueryStatement):
                exc.position += statement.offset
            raise
        yield from turns.next()
    if not statements and sql.transaction is not None and not sql.transaction.block:
        yield from sql.commit()
    session.ready()


def _run_shaped(
    session: "Session", prepared: PreparedStatement, params: quick.Params
) -> Steps[None]:
    """Run the one statement of a text, its literals taken out."""
    sql = session.sql
    assert sql is not None
    assert prepared.statement is not None
    if session.may_be_quick(sql):
        # This Query has been taken from the decoder already: nothing more is, when it is done.
        done = quick.run_simple(session, sql, prepared, params, 0)
        if done is quick.ANSWERED:
            return
        if done is quick.COMMITTING:
            commit = session.quick_commit
            yield commit
            if not commit.failed:
                return  # It has answered.
            commit.failed = False
    try:
        dispatch.check_allowed(sql, prepared.statement)
        yield from _run(session, prepared.statement, prepared, params, last=True)
    except KalamError as exc:
        exc.position = 0  # It would count in the text with parameters, which the client never saw.
        raise
    session.ready()


def _statement(session: "Session", statement: Statement, *, last: bool) -> Steps[None]:
    sql = session.sql
    assert sql is not None
    dispatch.check_allowed(sql, statement)
    prepared = yield from dispatch.prepare_in_turn(sql, statement, ())
    yield from _run(session, statement, prepared, (), last=last)


def _run(
    session: "Session",
    statement: Statement,
    prepared: PreparedStatement,
    params: quick.Params,
    *,
    last: bool,
) -> Steps[None]:
    sql = session.sql
    assert sql is not None
    columns = prepared.columns
    wire = None
    if columns:
        wire = WireResult(
            tuple([c.type.oid for c in columns]),
            tuple([c.typmod for c in columns]),
            (0,) * len(columns),
            sql.text_context(columns),
        )
    result = yield from dispatch.run(sql, statement, params, prepared, wire)
    if sql.notices:
        session.send_notices()
    try:
        count = yield from _send_result(session, statement, result)
    finally:
        result.close()
    transaction = sql.transaction
    if last and transaction is not None and not transaction.block:
        # The last statement is complete when its transaction is.
        yield from sql.commit()
        if sql.notices:
            session.send_notices()
    tag = result.command_tag if count is None else f"{result.tag} {count}"
    session.send(command_complete(tag))


def _send_result(session: "Session", statement: Statement, result: Result) -> Steps[int | None]:
    """RowDescription and rows; the count of a stream, known only now."""
    columns = result.columns
    assert session.sql is not None
    types = session.sql.text_context(columns)
    if columns or dispatch.returns_rows(statement):
        session.send(portals.describe(columns, ()))
        if result.stream is not None:
            return (yield from pump(session, result.stream))
        if result.messages is not None:
            session.outbox += result.messages
            return None
        encode = row_encoder(
            tuple([c.type for c in columns]),
            tuple([c.typmod for c in columns]),
            (0,) * len(columns),
            types,
        )
        out = session.outbox
        for row in result.rows:
            out += encode(row)
    return None
