"""Statements end where psql says that they end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalam_pg.shell.scanner import scan
from kalam_pg.shell.terminal import is_whole

CASES = [
    # text, statements, rest, within
    ("", [], "", ""),
    ("  -- nothing\n /* at /* all */ */ ", [], "", ""),
    ("SELECT 1;", ["SELECT 1;"], "", ""),
    ("SELECT 1; SELECT\n2;", ["SELECT 1;", "SELECT\n2;"], "", ""),
    ("SELECT 1", [], "SELECT 1", "-"),
    ("SELECT ';'';'; x", ["SELECT ';'';';"], "x", "-"),
    ("SELECT 'a", [], "SELECT 'a", "'"),
    (r"SELECT E'\';'; SELECT '\';", [r"SELECT E'\';';", r"SELECT '\';"], "", ""),
    ('SELECT "a;""b";', ['SELECT "a;""b";'], "", ""),
    ('SELECT "a;', [], 'SELECT "a;', '"'),
    ("SELECT $$;$$, $a$ $$;$b$ $a$;", ["SELECT $$;$$, $a$ $$;$b$ $a$;"], "", ""),
    ("SELECT $a$;", [], "SELECT $a$;", "$"),
    ("SELECT $1;", ["SELECT $1;"], "", ""),
    ("SELECT a$b$;", ["SELECT a$b$;"], "", ""),
    ("SELECT /* ; */ 1 -- ;\n;", ["SELECT /* ; */ 1 -- ;\n;"], "", ""),
    ("SELECT /* ;", [], "SELECT /* ;", "*"),
    ("EXECUTE AS USER 'a' (SELECT 1;", [], "EXECUTE AS USER 'a' (SELECT 1;", "("),
    ("EXECUTE AS USER 'a' (SELECT 1; SELECT 2);", ["EXECUTE AS USER 'a' (SELECT 1; SELECT 2);"], "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "statements", "rest", "within"), CASES)
def test_a_text_is_parted_into_its_statements(text, statements, rest, within):
    assert scan(text) == (statements, rest, within)


@given(st.text(alphabet="a';\"$-/*()\\\n e1", max_size=40))
def test_any_text_is_parted_and_nothing_of_it_is_lost(text):
    found = scan(text)
    assert all(one.endswith(";") for one in found.statements)
    whole = "".join(text.split())
    kept = "".join("".join([*found.statements, found.rest]).split())
    assert whole.startswith(kept)
    assert bool(found.rest) == bool(found.within)


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("", True),
        ("\\d", True),
        ("  \\subscribe x", True),
        ("SELECT 1", False),
        ("SELECT 1;", True),
    ],
)
def test_enter_sends_what_is_whole(text, sent):
    assert is_whole(text) is sent
