"""DECLARE, FETCH, MOVE and CLOSE are read as PostgreSQL reads them."""

import pytest

from catalog.errors import FeatureNotSupportedError, InvalidCursorDefinitionError, SqlSyntaxError
from kalam_pg.sql.parse import parse
from kalam_pg.sql.statements_cursor import CloseCursor, DeclareCursor, FetchCursor

FETCHES = {
    "FETCH c": ("forward", 1),
    "FETCH FROM c": ("forward", 1),
    "FETCH NEXT c": ("forward", 1),
    "FETCH PRIOR IN c": ("backward", 1),
    "FETCH FIRST FROM c": ("absolute", 1),
    "FETCH LAST FROM c": ("absolute", -1),
    "FETCH ABSOLUTE -3 FROM c": ("absolute", -3),
    "FETCH RELATIVE 3 c": ("relative", 3),
    "FETCH 10 c": ("forward", 10),
    "FETCH -1 FROM c": ("forward", -1),
    "FETCH ALL c": ("forward", None),
    "FETCH FORWARD c": ("forward", 1),
    "FETCH FORWARD 5 FROM c": ("forward", 5),
    "FETCH FORWARD ALL IN c": ("forward", None),
    "FETCH BACKWARD c": ("backward", 1),
    "FETCH BACKWARD 2 c": ("backward", 2),
    "FETCH BACKWARD ALL c": ("backward", None),
}


@pytest.mark.parametrize("text", FETCHES)
def test_a_fetch_says_where_and_how_many(text):
    direction, count = FETCHES[text]
    assert parse(text) == [FetchCursor("c", direction, count)]
    move = text.replace("FETCH", "MOVE")
    assert parse(move) == [FetchCursor("c", direction, count, move=True)]


@pytest.mark.parametrize("name", ["next", "absolute", "forward"])
def test_a_word_that_nothing_follows_is_the_cursors_name(name):
    assert parse(f"FETCH {name}") == [FetchCursor(name, "forward", 1)]


@pytest.mark.parametrize(
    ("options", "scroll", "hold"),
    [
        ("CURSOR", None, False),
        ("SCROLL CURSOR", True, False),
        ("NO SCROLL CURSOR WITHOUT HOLD", False, False),
        ("INSENSITIVE SCROLL CURSOR WITH HOLD", True, True),
    ],
)
def test_a_declaration_says_how(options, scroll, hold):
    (statement,) = parse(f"DECLARE c {options} FOR SELECT 1")
    assert isinstance(statement, DeclareCursor)
    assert (statement.name, statement.scroll, statement.hold) == ("c", scroll, hold)
    assert statement.query.text == "SELECT 1"


def test_closing():
    assert parse("CLOSE c; CLOSE ALL") == [CloseCursor("c"), CloseCursor(None)]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("DECLARE c CURSOR FOR INSERT INTO t VALUES (1)", SqlSyntaxError),
        ("DECLARE c SCROLL NO SCROLL CURSOR FOR SELECT 1", InvalidCursorDefinitionError),
        ("DECLARE c BINARY CURSOR FOR SUBSCRIBE TO t", FeatureNotSupportedError),
        ("FETCH 1 2 FROM c", SqlSyntaxError),
        ("FETCH ABSOLUTE FROM c", SqlSyntaxError),
        ("CLOSE", SqlSyntaxError),
    ],
)
def test_what_is_wrong_is_refused(text, error):
    with pytest.raises(error):
        parse(text)
