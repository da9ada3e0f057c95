"""DECLARE, FETCH, MOVE, CLOSE."""

from catalog.errors import (
    FeatureNotSupportedError,
    InvalidCursorDefinitionError,
    InvalidParameterValueError,
)
from kalam_pg.sql.reader import StatementReader
from kalam_pg.sql.statements import QueryStatement
from kalam_pg.sql.statements_cursor import CloseCursor, DeclareCursor, FetchCursor
from kalam_pg.sql.statements_live import Subscribe
from kalam_pg.sql.subscribe_options import duration_ms


def declare(reader: StatementReader) -> DeclareCursor:
    """DECLARE name [options] CURSOR [WITH | WITHOUT HOLD] FOR query."""
    reader.advance()
    name = reader.column_name()
    scroll: bool | None = None
    contradicts = binary = False
    while not reader.at("cursor"):
        if reader.accept("binary"):
            binary = True
        elif reader.accept("no", "scroll"):
            contradicts, scroll = contradicts or scroll is True, False
        elif reader.accept("scroll"):
            contradicts, scroll = contradicts or scroll is False, True
        elif not (reader.accept("insensitive") or reader.accept("asensitive")):
            reader.fail()
    reader.expect("cursor")
    hold = reader.accept("with", "hold")
    if not hold:
        reader.accept("without", "hold")
    reader.expect("for")
    subscribes = reader.at("subscribe")
    query = reader.nested_statement() if subscribes else reader.nested_query()
    assert isinstance(query, QueryStatement | Subscribe)
    if contradicts:
        raise InvalidCursorDefinitionError("cannot specify both SCROLL and NO SCROLL")
    if subscribes and scroll:
        raise FeatureNotSupportedError("DECLARE SCROLL CURSOR ... SUBSCRIBE is not supported")
    if subscribes and binary:
        raise FeatureNotSupportedError("DECLARE BINARY CURSOR ... SUBSCRIBE is not supported")
    return DeclareCursor(name, query, scroll, hold, binary)


def fetch(reader: StatementReader) -> FetchCursor:
    """FETCH | MOVE [direction] [FROM | IN] name [WITH (timeout = '5s')]."""
    move = reader.advance().key == "move"
    direction, count = _direction(reader)
    if not reader.accept("from"):
        reader.accept("in")
    name = reader.column_name()
    timeout_ms = _timeout_ms(reader) if reader.accept("with") else None
    return FetchCursor(name, direction, count, move, timeout_ms)


def _timeout_ms(reader: StatementReader) -> int:
    """(timeout = duration), the one option."""
    reader.expect("(")
    if reader.label() != "timeout":
        reader.unrecognized("FETCH option", reader.tokens[reader.index - 1].value)
    reader.expect("=")
    token = reader.token
    if token.kind not in ("string", "number"):
        reader.fail()
    value = reader.advance().value
    reader.expect(")")
    try:
        return duration_ms(value, *TIMEOUT_MS)
    except ValueError:
        raise InvalidParameterValueError(
            f'invalid value for FETCH option "timeout": "{value}"', position=reader.position(token)
        ) from None


TIMEOUT_MS = (0, 86_400_000)

_PLACES = {
    "next": ("forward", 1),
    "prior": ("backward", 1),
    "first": ("absolute", 1),
    "last": ("absolute", -1),
}


def _direction(reader: StatementReader) -> tuple[str, int | None]:
    # A word that nothing follows is the cursor's name.
    word = "" if reader.peek().kind == "end" else reader.token.key
    if word in _PLACES:
        reader.advance()
        return _PLACES[word]
    if word in ("absolute", "relative"):
        reader.advance()
        return word, reader.signed_integer()
    if word in ("forward", "backward"):
        reader.advance()
        if reader.accept("all"):
            return word, None
        return word, reader.signed_integer() if _is_number(reader) else 1
    if reader.accept("all"):
        return "forward", None
    return "forward", reader.signed_integer() if _is_number(reader) else 1


def _is_number(reader: StatementReader) -> bool:
    return reader.token.kind == "number" or reader.at("-", "+")


def close(reader: StatementReader) -> CloseCursor:
    """CLOSE name | ALL."""
    reader.advance()
    return CloseCursor(None if reader.accept("all") else reader.column_name())
