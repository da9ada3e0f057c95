"""Rows are laid out as psql does, whatever is in them."""

import json

import pytest

from kalam_pg.shell.live import change_text, statement
from kalam_pg.shell.output import Output
from kalam_pg.shell.tables import aligned, expanded, shown, width

INT, TEXT = 23, 25


def test_numbers_stand_right_and_wide_characters_take_two_columns():
    rows = [["1", "日本"], ["-20", None], ["3", "two\nlines"]]
    assert aligned(["n", "text"], [INT, TEXT], rows).splitlines() == [
        "  n  | text",
        "-----+-------",
        "   1 | 日本",
        " -20 |",
        "   3 | two  +",
        "     | lines",
        "(3 rows)",
        "",
    ]


def test_no_rows_and_no_columns():
    assert aligned(["a"], [INT], []) == " a\n---\n(0 rows)\n\n"
    assert aligned([], [], [[]]) == "\n\n\n(1 row)\n\n"
    assert expanded(["a"], []) == "(0 rows)\n\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [("a\tb\r", "a\\tb\\r"), ("\x1b[31m", "\\x1b[31m"), ("\u202e", "\\u202e"), ("ä\n", "ä\n")],
)
def test_what_would_move_the_cursor_is_written_out(value, text):
    assert shown(value) == text


def test_combining_characters_take_no_column():
    assert (width("e\u0301"), width("日"), width("x")) == (1, 2, 1)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"op": "insert", "key": ["1"], "row": {"a": 1, "b": None}}, "insert [1]  a = 1 | b = NULL"),
        (
            {"op": "update", "key": ["1"], "row": {"a": 1, "b": "y"}, "old": {"a": 1, "b": "x"}},
            "update [1]  b = x -> y",
        ),
        ({"op": "update", "key": ["1"], "row": {"a": 1}}, "update [1]  a = 1"),
        ({"op": "delete", "key": ["1", "x"], "old": {"a": 1}, "why": "filter"}, "delete [1, x] (filter)"),
        ({"op": "insert", "key": ["1"], "truncated": True}, "insert [1]  truncated = true"),
        ({"op": "gap", "dropped": 3}, "gap  dropped = 3"),
    ],
)  # fmt: skip
def test_a_change_is_one_line(change, line):
    assert change_text(json.loads(json.dumps(change)), Output()) == line


def test_a_subscription_takes_what_stands_behind_the_command():
    assert statement("chat.m WHERE a = 1 OPTIONS (last_rows=5);") == (
        "SUBSCRIBE TO chat.m WHERE a = 1 OPTIONS (last_rows=5)"
    )
