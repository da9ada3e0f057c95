"""A text of any number of statements, run for whoever sent it: the simple protocol, or a call in process.

The statements of one text are one transaction, definitions included, unless they say otherwise ("Multiple
Statements in a Simple Query" in the manual). Who sent it is a `Client`, who takes the answers.
"""

from collections.abc import Sequence
from typing import Protocol

from catalog.errors import SqlSyntaxError
from catalog.types.table import PgType
from kalam_pg.query.execution import Result
from kalam_pg.query.waits import Steps
from kalam_pg.rows.form import RowForm
from kalam_pg.sessions import dispatch, long_texts
from kalam_pg.sessions.prepared import PreparedStatement
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql.statements import Statement
from kalam_pg.sql.tree import OutputColumn
from storage.layout import Value


class Client(Protocol):
    """Who a text is run for: how the answers are wanted, and what is told of each statement in turn."""

    def parameters(self, types: Sequence[PgType]) -> Sequence[Value]:
        """The values of a statement's parameters, of these types."""

    def form(self, columns: tuple[OutputColumn, ...]) -> RowForm | None:
        """How rows of these columns are wanted; None: as stored values."""

    def notices(self) -> None:
        """There are some in `SqlSession.notices`, to be told before what comes next."""

    def take(self, result: Result, form: RowForm | None, *, has_rows: bool) -> Steps[int | None]:
        """A statement's answer, its transaction still open. How many rows a stream had, else None.

        form: what `Client.form` said of it. has_rows: it may have columns or rows, though none now.
        """

    def complete(self, tag: str) -> None:
        """The statement has ended; the last one of a text when its transaction is committed."""


def run_text(sql: SqlSession, text: str, client: Client, *, single: bool = False) -> Steps[int]:
    """Run every statement of a text, commit; how many statements there were.

    What is raised has rolled back the transaction, or left a block that waits for ROLLBACK.
    single: more or less than one statement is 42601.
    """
    sql.text = text
    try:
        statements = yield from _read(sql, text, single=single)
        last = len(statements) - 1
        turns = long_texts.Turns()
        for at, statement in enumerate(statements):
            yield from _run(sql, statement, client, last=at == last)
            if at < last:
                yield from turns.next()
        if not statements:
            yield from _commit(sql)
    except Exception:
        sql.fail()
        raise
    return len(statements)


def run_prepared(
    sql: SqlSession,
    statement: Statement,
    prepared: PreparedStatement,
    params: Sequence[Value],
    client: Client,
) -> Steps[None]:
    """Run a statement that is a whole text and has been prepared. Raises as `run_text`."""
    try:
        dispatch.check_allowed(sql, statement)
        yield from _run_one(sql, statement, prepared, params, client, last=True)
    except Exception:
        sql.fail()
        raise


def _read(sql: SqlSession, text: str, *, single: bool) -> Steps[tuple[Statement, ...]]:
    statements = yield from long_texts.statements(sql, text)
    if single and len(statements) != 1:
        raise SqlSyntaxError("cannot insert multiple commands into a prepared statement")
    return statements


def _run(sql: SqlSession, statement: Statement, client: Client, *, last: bool) -> Steps[None]:
    dispatch.check_allowed(sql, statement)
    prepared = yield from dispatch.prepare_in_turn(sql, statement, ())
    params = client.parameters(prepared.param_types)
    yield from _run_one(sql, statement, prepared, params, client, last=last)


def _run_one(
    sql: SqlSession,
    statement: Statement,
    prepared: PreparedStatement,
    params: Sequence[Value],
    client: Client,
    *,
    last: bool,
) -> Steps[None]:
    columns = prepared.columns
    form = client.form(columns)
    result = yield from dispatch.run(
        sql, statement, params, prepared, form if columns else None, told=False
    )
    if sql.notices:
        client.notices()
    if result.columns is not columns:
        form = client.form(result.columns)  # EXPLAIN, FETCH and their like tell them last.
    has_rows = bool(result.columns) or dispatch.returns_rows(statement)
    try:
        count = yield from client.take(result, form, has_rows=has_rows)
    finally:
        result.close()
    if last:
        # The last statement is complete when its transaction is.
        yield from _commit(sql)
        if sql.notices:
            client.notices()
    client.complete(result.command_tag if count is None else result.tag_of(count))


def _commit(sql: SqlSession) -> Steps[None]:
    """End the transaction that the text is; a block goes on."""
    transaction = sql.transaction
    if transaction is not None and not transaction.block:
        yield from sql.commit()
