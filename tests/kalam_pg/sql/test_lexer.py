"""Tokens are PostgreSQL's, and so are the words for what is none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import SqlSyntaxError
from kalam_pg.sql.lexer import tokenize
from storage.errors import KalamError

CASES = [
    ("select A_b$1", [("word", "select"), ("word", "a_b$1")]),
    ("ÄÖ été", [("word", "ÄÖ"), ("word", "été")]),  # only ASCII letters fold
    ('"A ""b"""', [("name", 'A "b"')]),
    ("'it''s'", [("string", "it's")]),
    ("'a'\n  'b' -- c\n 'd'", [("string", "abd")]),
    ("'a'\n-- can't\n, 'b'", [("string", "a"), ("op", ","), ("string", "b")]),
    ("'a' -- 'x\n -- y'z\n 'b'", [("string", "ab")]),
    ("'a' 'b'", [("string", "a"), ("string", "b")]),
    (r"E'a\n\t\\\'\x41\u00e9\101'", [("string", "a\n\t\\'AéA")]),
    (r"e'\xC3\xA9'", [("string", "é")]),
    (r"'a\n'", [("string", r"a\n")]),
    (r"U&'d\0061t\+000061'", [("string", "data")]),
    (r"U&'d!0061' UESCAPE '!'", [("string", "da")]),
    (r"U&'\D83D\DE00'", [("string", "😀")]),
    (r'U&"d\0061"', [("name", "da")]),
    ("$$a'b$$ $x$c$$d$x$", [("string", "a'b"), ("string", "c$$d")]),
    ("n'x' B'01' x'1F'", [("string", "x"), ("bits", "01"), ("hex", "1F")]),
    ("1 1.5 .5 1. 1e3 1.5E-3", [("number", t) for t in ("1", "1.5", ".5", "1.", "1e3", "1.5E-3")]),
    ("1..2", [("number", "1"), ("op", ".."), ("number", "2")]),
    ("$1 $23", [("param", "1"), ("param", "23")]),
    ("300s", [("junk", "300s")]),
    ("a->>'b'", [("word", "a"), ("op", "->>"), ("string", "b")]),
    ("a!=b<>c", [("word", "a"), ("op", "<>"), ("word", "b"), ("op", "<>"), ("word", "c")]),
    ("1+-2", [("number", "1"), ("op", "+"), ("op", "-"), ("number", "2")]),
    ("@-1", [("op", "@-"), ("number", "1")]),
    ("a*-- c\nb", [("word", "a"), ("op", "*"), ("word", "b")]),
    ("a/* x /* y */ z */b", [("word", "a"), ("word", "b")]),
    ("x::int[1:2];", [("word", "x"), ("op", "::"), ("word", "int"), ("op", "["), ("number", "1"),
                      ("op", ":"), ("number", "2"), ("op", "]"), ("op", ";")]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "tokens"), CASES)
def test_text_is_cut_into_tokens(text, tokens):
    assert [(token.kind, token.value) for token in tokenize(text)] == tokens


ERRORS = [
    ("select 'abc", 'unterminated quoted string at or near "\'abc"', 8),
    ("select E'abc\\", 'unterminated quoted string at or near "E\'abc\\"', 8),
    ('select "abc', 'unterminated quoted identifier at or near ""abc"', 8),
    ('select ""', 'zero-length delimited identifier at or near """"', 8),
    ("select $a$ x", 'unterminated dollar-quoted string at or near "$a$ x"', 8),
    ("select /* /* */", 'unterminated /* comment at or near "/* /* */"', 8),
    ("select B'01", 'unterminated bit string literal at or near "B\'01"', 8),
    ("select \\d", 'syntax error at or near "\\"', 8),
    ("select $1a", 'trailing junk after parameter at or near "$1a"', 8),
    ("select U&'\\00'", "invalid Unicode escape", 11),
]


@pytest.mark.parametrize(("text", "message", "position"), ERRORS)
def test_what_is_no_token_is_refused_in_postgresqls_words(text, message, position):
    with pytest.raises(SqlSyntaxError) as raised:
        tokenize(text)
    assert (raised.value.message, raised.value.position) == (message, position)


def test_names_are_cut_at_63_bytes_and_never_inside_a_character():
    assert tokenize("a" * 70)[0].value == "a" * 63
    assert tokenize('"' + "é" * 40 + '"')[0].value == "é" * 31


@given(st.text(st.sampled_from("ab'\"$\\E&U-/*+;:.01() \n"), max_size=30))
@settings(max_examples=300)
def test_garbage_gives_tokens_in_order_or_an_error_and_nothing_else(text):
    try:
        tokens = tokenize(text)
    except KalamError:
        return
    at = 0
    for token in tokens:
        assert at <= token.start < token.end <= len(text)
        at = token.end
