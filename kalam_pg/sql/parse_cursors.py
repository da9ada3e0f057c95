"""DECLARE, FETCH, MOVE, CLOSE."""

from catalog.errors import InvalidCursorDefinitionError
from kalam_pg.sql.reader import StatementReader
from kalam_pg.sql.statements_cursor import CloseCursor, DeclareCursor, FetchCursor


def declare(reader: StatementReader) -> DeclareCursor:
    """DECLARE name [options] CURSOR [WITH | WITHOUT HOLD] FOR query."""
    reader.advance()
    name = reader.column_name()
    scroll: bool | None = None
    contradicts = False
    while not reader.at("cursor"):
        if reader.accept("binary"):
            reader.unsupported("DECLARE ... BINARY CURSOR")
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
    query = reader.nested_query()
    if contradicts:
        raise InvalidCursorDefinitionError("cannot specify both SCROLL and NO SCROLL")
    return DeclareCursor(name, query, scroll, hold)


def fetch(reader: StatementReader) -> FetchCursor:
    """FETCH | MOVE [direction] [FROM | IN] name."""
    move = reader.advance().key == "move"
    direction, count = _direction(reader)
    if not reader.accept("from"):
        reader.accept("in")
    return FetchCursor(reader.column_name(), direction, count, move)


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
