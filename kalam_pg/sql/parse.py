"""Text to typed statements: `parse` is what sessions call.

Queries and data changes are read by the grammar (`grammar_*`) into sqlglot nodes for the binder; every
other statement is read by a function in `parse_*` or `kalam`, chosen by its first word. Positions of
errors raised here count from the beginning of the message; positions in the statements and nodes count
from the beginning of the statement (`Parsed.offset` is the difference).
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from catalog.errors import SqlSyntaxError
from kalam_pg.sql import (
    kalam,
    parse_copy,
    parse_cursors,
    parse_ddl,
    parse_derived,
    parse_do,
    parse_functions,
    parse_live,
    parse_maintenance,
    parse_materialized,
    parse_session,
    parse_tables,
    parse_users,
)
from kalam_pg.sql.grammar_data import Grammar
from kalam_pg.sql.leaves import forget_parents
from kalam_pg.sql.lexer import Token, tokenize
from kalam_pg.sql.limits import check_text, check_tokens
from kalam_pg.sql.reader import StatementReader
from kalam_pg.sql.statements import QueryStatement, Statement, Unsupported


@dataclass(frozen=True, slots=True)
class Parsed:
    """One statement of a message: its own text and where that begins (0-based character)."""

    statement: Statement
    text: str
    offset: int


def parse(text: str) -> list[Statement]:
    """The statements of a message; none when it is empty or only comments.

    Raises 42601 with PostgreSQL's words and position, 0A000 for what is known and not built, 54000,
    54001 beyond the limits of `limits`.
    """
    return [parsed.statement for parsed in parse_message(text)]


def parse_message(text: str) -> list[Parsed]:
    """Like `parse`, with the text and place of each statement."""
    check_text(text)
    tokens = tokenize(text)
    check_tokens(tokens)
    pieces = _split(tokens, len(text))
    statements = []
    for piece, end, ended_by in pieces:
        start = piece[0].start
        body = text[start : piece[-1].end]
        own = tokenize(body) if start else piece
        statement = _read(body, own, start, ended_by, end - start)
        statements.append(Parsed(statement, body, start))
    return statements


def parse_expression(text: str) -> exp.Expr:
    """One expression (a stored DEFAULT or CHECK, an argument of EXECUTE), as a node."""
    check_text(text)
    tokens = tokenize(text)
    check_tokens(tokens)
    grammar = Grammar(text, tokens)
    node = grammar.expression()
    grammar.expect_end()
    return node


def column_names(text: str) -> tuple[str, ...]:
    """The names that an expression uses as columns, each once."""
    found = (node.name for node in parse_expression(text).find_all(exp.Column, bfs=False))
    return tuple(dict.fromkeys(found))


def column_places(text: str, name: str, part: str = "this") -> frozenset[int]:
    """Where an expression says `name` as a column, or (part "table") as the table of one; from 0."""
    found = parse_expression(text).find_all(exp.Column)
    parts = [node.args.get(part) for node in found]
    return frozenset(
        identifier.meta["start"]
        for identifier in parts
        if identifier is not None and identifier.args["this"] == name
    )


def _split(tokens: list[Token], size: int) -> list[tuple[list[Token], int, str]]:
    """The tokens of each statement that has any, where it ends, and the semicolon if one ends it."""
    pieces: list[tuple[list[Token], int, str]] = []
    piece: list[Token] = []
    atomic, cases = False, 0
    for token in tokens:
        if atomic:  # A body of BEGIN ATOMIC has its own semicolons, and ends where its END is.
            piece.append(token)
            atomic = token.key != "end" or cases > 0
            cases += (token.key == "case") - (token.key == "end" and cases > 0)
        elif token.key == ";":
            if piece:
                pieces.append((piece, token.start, ";"))
            piece = []
        else:
            atomic = token.key == "atomic" and piece != [] and piece[-1].key == "begin"
            piece.append(token)
    if piece:
        pieces.append((piece, size, ""))
    return pieces


def _read(
    text: str, tokens: list[Token], offset: int, ended_by: str, ended_at: int | None = None
) -> Statement:
    """One statement from its own text and tokens."""
    reader = StatementReader(
        text, tokens, _nested, offset=offset, ended_by=ended_by, ended_at=ended_at
    )
    statement = _statement(reader)
    reader.expect_end()
    return statement


def _nested(text: str, offset: int, ended_by: str) -> Statement:
    """A statement inside another: of EXPLAIN, PREPARE, EXECUTE AS USER."""
    tokens = tokenize(text)
    if not tokens:
        near = f'at or near "{ended_by}"' if ended_by else "at end of input"
        raise SqlSyntaxError(f"syntax error {near}", position=offset + len(text) + 1)
    return _read(text, tokens, offset, ended_by)


def _statement(reader: StatementReader) -> Statement:
    word = reader.token.key
    if word in _QUERIES:
        kind, tree = reader.query_statement()
        forget_parents(tree)
        query = QueryStatement(kind, tree, reader.text, reader.offset)
        return query if reader.into is None else parse_derived.select_into(reader, query)
    read = _READERS.get(word)
    if read is not None:
        return read(reader)
    if word in _UNSUPPORTED:
        reader.advance()
        if reader.at_end() and word not in _COMPLETE:
            reader.fail()
        reader.skip_rest()
        return Unsupported(word.upper())
    return reader.fail()


_QUERIES = frozenset(
    ("select", "insert", "update", "delete", "merge", "with", "values", "table", "(")
)

_READERS: dict[str, Callable[[StatementReader], Statement]] = {
    "create": parse_ddl.create,
    "drop": parse_ddl.drop,
    "alter": parse_ddl.alter,
    "truncate": parse_tables.truncate,
    "comment": parse_ddl.comment,
    "grant": parse_users.grant,
    "revoke": parse_users.revoke,
    "begin": parse_session.begin,
    "start": parse_session.begin,
    "commit": parse_session.commit,
    "end": parse_session.commit,
    "rollback": parse_session.rollback,
    "abort": parse_session.rollback,
    "savepoint": parse_session.savepoint,
    "release": parse_session.release,
    "set": parse_session.set_,
    "reset": parse_session.reset,
    "show": kalam.show,
    "discard": parse_session.discard,
    "prepare": parse_session.prepare,
    "execute": kalam.execute,
    "deallocate": parse_session.deallocate,
    "explain": parse_session.explain,
    "declare": parse_cursors.declare,
    "fetch": parse_cursors.fetch,
    "move": parse_cursors.fetch,
    "close": parse_cursors.close,
    "copy": parse_copy.copy,
    "lock": parse_derived.lock,
    "do": parse_do.do,
    "call": parse_functions.call,
    "refresh": parse_materialized.refresh,
    "analyze": parse_maintenance.analyze,
    "analyse": parse_maintenance.analyze,
    "reindex": parse_maintenance.reindex,
    "vacuum": parse_maintenance.vacuum,
    "checkpoint": parse_maintenance.checkpoint,
    "use": kalam.use,
    "describe": kalam.describe,
    "desc": kalam.describe,
    "storage": kalam.storage,
    "flush": kalam.flush,
    "kill": parse_live.kill,
    "subscribe": parse_live.subscribe,
    "unsubscribe": parse_live.unsubscribe,
    "listen": parse_live.listen,
    "unlisten": parse_live.unlisten,
    "notify": parse_live.notify,
    "backup": kalam.backup,
    "restore": kalam.restore,
    "export": kalam.export,
}

# Those of the following that may stand alone.
_COMPLETE = frozenset(("cluster",))

# Statements that PostgreSQL has and this server does not (yet).
_UNSUPPORTED = frozenset(
    """
    cluster import load reassign security
    """.split()  # noqa: SIM905 - a table of words
)
