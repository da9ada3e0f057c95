"""DO: a block of statements runs in the transaction that it is in, each handler over a savepoint.

A block with EXCEPTION is undone to its beginning when one of its statements raises what a handler is for;
then the handler's statements run (PostgreSQL's manual, "Trapping Errors"). What no handler is for goes on,
and fails the transaction as any statement's error does. SQLERRM, SQLSTATE and FOUND are known in statements
and expressions, where there is no column of that name; there are no other variables.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from catalog.errors import (
    FeatureNotSupportedError,
    NullValueNotAllowedError,
    RaiseExceptionError,
    SqlSyntaxError,
    UndefinedColumnError,
    UndefinedObjectError,
)
from catalog.types.registry import BOOL
from catalog.types.table import PgType
from kalam_pg.pgwire.notices import Notice, is_told
from kalam_pg.query.execution import Result
from kalam_pg.query.waits import Steps
from kalam_pg.sessions import definitions, dispatch, long_texts
from kalam_pg.sessions.prepared import PreparedStatement
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sessions.transactions import set_constraints
from kalam_pg.sql import statements as st
from kalam_pg.sql.conditions import SQLSTATES, catches
from kalam_pg.sql.parse import parse
from kalam_pg.sql.rename_in import with_values
from kalam_pg.sql.statements import QueryStatement, Statement
from kalam_pg.sql.statements_constraints import SetConstraints
from kalam_pg.sql.statements_derived import (
    CreateMaterializedView,
    CreateTableAs,
    LockTable,
    RefreshMaterializedView,
)
from kalam_pg.sql.statements_do import Block, BlockStatement, Do, ExecuteText, If, Perform, Raise
from kalam_pg.sql.statements_live import Listen, Notify, Unlisten
from storage.errors import KalamError
from storage.layout import Value

_ALLOWED = (
    QueryStatement,
    *definitions.STATEMENTS,
    CreateTableAs,
    CreateMaterializedView,
    RefreshMaterializedView,
    LockTable,
    st.SetSetting,
    st.ResetSetting,
    Notify,
    Listen,
    Unlisten,
    Do,
    SetConstraints,
)
_SAVEPOINT = "\0DO"  # No name that a client could write.
_SOURCE = ("pl_exec.c", "3893", "exec_stmt_raise")
"""Where PostgreSQL raises: drivers show it, and asyncpg's listeners look for it."""

_ROWS = 1000


def run(sql: SqlSession, statement: Do) -> Steps[Result]:
    """Run a block. Raises what its statements raise and no handler is for."""
    sql.begin_implicit()
    this = _Run(sql)
    yield from this.check(statement.block)
    yield from this.block(statement.block, None)
    return Result("DO")


def _read(sql: SqlSession, text: str) -> Steps[list[Statement]]:
    found = yield from long_texts.in_turn(sql, text, lambda: parse(text))
    for statement in found:
        if isinstance(statement, st.Unsupported):
            raise FeatureNotSupportedError(
                f"{statement.what} is not supported yet", hint=statement.hint
            )
        if not isinstance(statement, _ALLOWED):
            raise FeatureNotSupportedError(
                f"{st.command_name(statement)} is not supported in a DO block"
            )
    return found


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'::text"


def _kind(statement: Perform) -> str:
    return "PERFORM" if statement.query else "SQL statement"


def _where(line: int, what: str) -> str:
    return f"PL/pgSQL function inline_code_block line {line} at {what}"


@contextmanager
def _at(line: int, what: str, text: str = "") -> Iterator[None]:
    """Say where in the block an error is; its position counts in a text that the client never sent."""
    try:
        yield
    except KalamError as exc:
        where = _where(line, what)
        # Of a text that cannot be read or bound PostgreSQL shows the place instead.
        within = f'SQL statement "{text}"' if text and not exc.position else ""
        parts = (exc.context, within, where)
        exc.context = "\n".join([part for part in parts if part])
        exc.position = 0
        raise


class _Run:
    """One run of a block."""

    def __init__(self, sql: SqlSession) -> None:
        self._sql = sql
        self._turns = long_texts.Turns()
        self._found = False  # Whether the last statement had a row to it.

    def check(self, block: Block) -> Steps[None]:
        """Read every statement before the first one runs: 42601 and 0A000 change nothing."""
        for statements in (block.body, *[body for _, body in block.handlers]):
            yield from self._check_all(statements)

    def _check_all(self, statements: tuple[BlockStatement, ...]) -> Steps[None]:
        for statement in statements:
            yield from self._turns.next()
            match statement:
                case Perform(text, line):
                    with _at(line, _kind(statement), text):
                        yield from _read(self._sql, text)
                case If(branches):
                    for _, body in branches:
                        yield from self._check_all(body)
                case Block():
                    yield from self.check(statement)
                case ExecuteText() | Raise():
                    pass

    def block(self, block: Block, caught: KalamError | None) -> Steps[None]:
        """caught: what the handler that it stands in is there for."""
        if not block.handlers:
            yield from self._all(block.body, caught)
            return
        sql = self._sql
        sql.savepoint(_SAVEPOINT, inside=True)
        try:
            yield from self._all(block.body, caught)
        except KalamError as exc:
            for sqlstates, body in block.handlers:
                if catches(sqlstates, exc.sqlstate):
                    yield from sql.rollback_to(_SAVEPOINT, inside=True)
                    sql.release(_SAVEPOINT, inside=True)
                    yield from self._all(body, exc)
                    return
            raise
        sql.release(_SAVEPOINT, inside=True)

    def _all(
        self, statements: tuple[BlockStatement, ...], caught: KalamError | None
    ) -> Steps[None]:
        for statement in statements:
            yield from self._turns.next()
            match statement:
                case Block():
                    yield from self.block(statement, caught)
                case Perform(text, line, query):
                    with _at(line, _kind(statement), text):
                        yield from self._perform(text, self._known(caught), query=query)
                case ExecuteText(expression, line):
                    with _at(line, "EXECUTE"):
                        made = yield from self._text(expression, caught)
                        if made is None:
                            raise NullValueNotAllowedError(
                                "query string argument of EXECUTE is null"
                            )
                    with _at(line, "EXECUTE", made):
                        # Its rows are dropped, as those of a PERFORM; of variables it knows nothing.
                        found = self._found
                        yield from self._perform(made, {}, query=True)
                        self._found = found
                case If(branches, line):
                    for condition, body in branches:
                        with _at(line, "IF"):
                            holds = yield from self._condition(condition, caught)
                        if holds is True:
                            yield from self._all(body, caught)
                            break
                case Raise():
                    yield from self._raise(statement, caught)

    def _known(self, caught: KalamError | None) -> dict[str, str]:
        """What variables there are, by name, as expressions of SQL."""
        known = {"found": "true" if self._found else "false"}
        if caught is not None:
            known["sqlerrm"] = _literal(caught.message)
            known["sqlstate"] = _literal(caught.sqlstate)
        return known

    def _prepared(
        self, statement: Statement, known: dict[str, str]
    ) -> Steps[tuple[Statement, PreparedStatement]]:
        """A statement, with the values of variables where it names some, and what it was prepared to."""
        sql = self._sql
        try:
            return statement, (yield from dispatch.prepare_in_turn(sql, statement, ()))
        except UndefinedColumnError:
            if not isinstance(statement, QueryStatement):
                raise
            text = with_values(statement, known)
            if text == statement.text:
                raise
        (made,) = yield from _read(sql, text)
        return made, (yield from dispatch.prepare_in_turn(sql, made, ()))

    def _perform(self, text: str, known: dict[str, str], *, query: bool) -> Steps[None]:
        sql = self._sql
        for read in (yield from _read(sql, text)):
            if isinstance(read, st.SetSetting) and read.local:
                sql.settings.set(read.name, read.value, local=True)
                continue  # In a function it lasts as long as the transaction, without a word.
            if isinstance(read, SetConstraints):
                yield from set_constraints(sql, read, inside=True)
                continue
            statement, prepared = yield from self._prepared(read, known)
            if prepared.param_types:
                raise FeatureNotSupportedError("parameters are not supported in a DO block")
            if prepared.columns and not query:
                raise SqlSyntaxError(
                    "query has no destination for result data",
                    position=1,  # It is not running yet.
                    hint="If you want to discard the results of a SELECT, use PERFORM instead."
                    if dispatch.returns_rows(statement)
                    else "",
                )
            result = yield from dispatch.run(sql, statement, (), prepared, None, told=False)
            try:
                count = len(result.rows) or result.count or 0
                if result.source is not None:
                    while taken := len((yield from result.source.take(_ROWS))):
                        count += taken
            finally:
                result.close()
            if isinstance(statement, QueryStatement):
                self._found = count > 0

    def _condition(self, expression: str, caught: KalamError | None) -> Steps[bool | None]:
        """What IF asks for: a value of another type is read as a boolean."""
        value, of = yield from self._value(expression, caught)
        if value is not None and of is not BOOL:
            value = BOOL.input(self._written(value, of), -1, self._sql.types_for((of,)))
        assert value is None or isinstance(value, bool)
        return value

    def _value(self, expression: str, caught: KalamError | None) -> Steps[tuple[Value, PgType]]:
        """The value of an expression of SQL, and its type."""
        statements = yield from _read(self._sql, f"SELECT {expression}")
        if len(statements) != 1 or not isinstance(statements[0], QueryStatement):
            raise SqlSyntaxError("an expression is expected")
        sql = self._sql
        statement, prepared = yield from self._prepared(statements[0], self._known(caught))
        if len(prepared.columns) != 1 or prepared.param_types:
            raise SqlSyntaxError(f"query returned {len(prepared.columns)} columns")
        result = yield from dispatch.run(sql, statement, (), prepared, None, told=False)
        try:
            rows = result.rows
            if result.source is not None:
                rows = (yield from result.source.take(2)).rows()
        finally:
            result.close()
        if len(rows) > 1:
            raise SqlSyntaxError("query returned more than one row")
        return (rows[0][0] if rows else None), prepared.columns[0].type

    def _written(self, value: Value, of: PgType) -> str:
        return of.output(value, self._sql.types_for((of,)))

    def _text(self, expression: str, caught: KalamError | None) -> Steps[str | None]:
        value, of = yield from self._value(expression, caught)
        return None if value is None else self._written(value, of)

    def _raise(self, statement: Raise, caught: KalamError | None) -> Steps[None]:
        if not statement.level:
            if caught is None:
                with _at(statement.line, "RAISE"):
                    raise RaiseExceptionError(
                        "RAISE without parameters cannot be used outside an exception handler",
                        "0Z002",
                    )
            raise caught
        with _at(statement.line, "RAISE"):
            values = []
            for argument in statement.arguments:
                value = yield from self._text(argument, caught)
                values.append("<NULL>" if value is None else value)
            using: dict[str, str] = {}
            for option, expression in statement.using:
                value = yield from self._text(expression, caught)
                if value is None:
                    raise NullValueNotAllowedError("RAISE statement option cannot be null")
                using[option] = value
            sqlstate = statement.sqlstate
            if "errcode" in using:
                sqlstate = _sqlstate(using["errcode"])
            message = using.get("message", "")
            if statement.format is not None:
                message = _filled(statement.format, values)
            told = message or _name(sqlstate) or sqlstate or "P0001"
            detail, hint = using.get("detail", ""), using.get("hint", "")
            if statement.level == "exception":
                raise RaiseExceptionError(told, sqlstate or "P0001", detail=detail, hint=hint)
        if is_told(statement.level, self._sql.settings["client_min_messages"]):
            state = sqlstate or ("01000" if statement.level == "warning" else "00000")
            where = _where(statement.line, "RAISE")
            level = "DEBUG" if statement.level == "debug" else statement.level.upper()
            self._sql.notices.append(Notice(told, level, state, detail, hint, where, _SOURCE))


def _filled(form: str, values: list[str]) -> str:
    parts = form.split("%%")
    rest = iter(values)
    return "%".join(
        [
            "".join([piece + (next(rest) if at else "") for at, piece in _pieces(part)])
            for part in parts
        ]
    )


def _pieces(part: str) -> Iterator[tuple[int, str]]:
    """Each piece of a format, and whether a value stands behind it (1)."""
    pieces = part.split("%")
    for piece in pieces[:-1]:
        yield 1, piece
    yield 0, pieces[-1]


def _sqlstate(written: str) -> str:
    if len(written) == 5 and written.isascii() and written.isalnum() and written.upper() == written:
        return written
    found = SQLSTATES.get(written)
    if found is None:
        raise UndefinedObjectError(f'unrecognized exception condition "{written}"')
    return found


def _name(sqlstate: str) -> str:
    return next((name for name, state in SQLSTATES.items() if state == sqlstate), "")
