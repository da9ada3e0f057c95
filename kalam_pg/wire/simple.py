"""The simple query protocol: one text, any number of statements, text results."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from catalog.types.table import PgType
from kalam_pg.pgwire.encode import EMPTY_QUERY, command_complete
from kalam_pg.query.execution import Result
from kalam_pg.query.insert import ParamRows
from kalam_pg.query.waits import Steps
from kalam_pg.rows.form import RowForm
from kalam_pg.sessions.prepared import PreparedStatement
from kalam_pg.sessions.run_text import run_prepared, run_text
from kalam_pg.sql.tree import OutputColumn
from kalam_pg.wire import quick
from kalam_pg.wire.copy_in import receive_copy
from kalam_pg.wire.copying import send_copy
from kalam_pg.wire.quick_statement import Params
from kalam_pg.wire.results import send_all
from storage.errors import KalamError
from storage.layout import Value

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession
    from kalam_pg.wire.session import WireSession


def query(session: "WireSession", text: str) -> Steps[None]:
    """Run every statement of the text, commit, ReadyForQuery."""
    sql = session.sql
    assert sql is not None
    session.flow_is_extended = False
    session.release()
    sql.prepared.drop("")
    sql.portals.drop("")
    shaped = session.shapes.again(sql, text) or session.shapes.find(sql, text)
    if shaped is not None:
        sql.text = text
        yield from _run_shaped(session, sql, *shaped)
        return
    if not (yield from run_text(sql, text, _Client(session, sql))):
        session.send(EMPTY_QUERY)
    session.ready()


def _run_shaped(
    session: "WireSession", sql: "SqlSession", prepared: PreparedStatement, params: Params
) -> Steps[None]:
    """Run the one statement of a text, its literals taken out."""
    assert prepared.statement is not None
    if prepared.given is None and not isinstance(params, ParamRows) and session.may_be_quick(sql):
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
        client = _Client(session, sql)
        yield from run_prepared(sql, prepared.statement, prepared, params, client)
    except KalamError as exc:
        exc.position = 0  # It would count in the text with parameters, which the client never saw.
        raise
    session.ready()


class _Client:
    """The other end of the wire, as `sessions.run_text` sees it: everything is sent as text."""

    __slots__ = ("_session", "_sql")

    def __init__(self, session: "WireSession", sql: "SqlSession") -> None:
        self._session = session
        self._sql = sql

    def parameters(self, types: Sequence[PgType]) -> Sequence[Value]:
        return ()

    def form(self, columns: tuple[OutputColumn, ...]) -> RowForm | None:
        return self._sql.row_form(columns)

    def notices(self) -> None:
        self._session.send_notices()

    def take(self, result: Result, form: RowForm | None, *, has_rows: bool) -> Steps[int | None]:
        """RowDescription and rows."""
        session = self._session
        if result.copy is not None:
            return (yield from send_copy(session, result))
        if result.copy_in is not None:
            return (yield from receive_copy(session, result.copy_in))
        if not has_rows:
            return None
        assert form is not None
        if result.binary:
            form = self._sql.row_form(result.columns, (1,) * len(result.columns))
        session.send(session.text.description(form.description))
        return (yield from send_all(session, result, form))

    def complete(self, tag: str) -> None:
        self._session.send(command_complete(tag))
