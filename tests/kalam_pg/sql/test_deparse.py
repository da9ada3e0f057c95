"""SQL text of bound expressions: bound again, it is the same."""

import pytest

from catalog.types import registry as T  # noqa: N812
from kalam_pg.sql.bind import bind_expression
from kalam_pg.sql.deparse import Deparser, quote_identifier, quote_literal
from kalam_pg.sql.tree import Expr, Query
from tests.kalam_pg.sql.bind_fixtures import T_TABLE, scope

EXPRESSIONS = [
    ("id > 0", "(id > 0)"),
    ("amt > 0 AND name IS NOT NULL", "((amt > (0)::numeric) AND (name IS NOT NULL))"),
    ("name LIKE 'a%' OR NOT flag", "((name ~~ 'a%'::text) OR (NOT flag))"),
    ("id IN (1, 2)", "(id IN (1, 2))"),
    ("'x' = ANY (tags)", "('x'::text = ANY (tags))"),
    ("coalesce(name, 'none')", "COALESCE(name, 'none'::text)"),
    ("now() - interval '1 day'", "(now() - '1 day'::interval)"),
    ("CASE id WHEN 1 THEN 'a' END", "CASE WHEN (id = 1) THEN 'a'::text ELSE NULL::text END"),
    ("current_date", "CURRENT_DATE"),
    ("tags[1]", "tags[1]"),
    ("-id", "(- id)"),
    ("-5", "'-5'::integer"),
    ("E'it''s \\\\'", "'it''s \\'::text"),
    ("extract(year FROM ts)", "\"extract\"('year'::text, ts)"),
]


def deparse(expr: Expr) -> str:
    def subquery(query: Query) -> str:
        raise AssertionError(query)

    return Deparser(lambda column: quote_identifier(column.name), subquery).expr(expr)


@pytest.mark.parametrize(("text", "written"), EXPRESSIONS)
def test_an_expression_is_written_so_that_it_means_the_same_again(text, written):
    expr = bind_expression(text, scope(), T_TABLE)
    assert deparse(expr) == written
    assert bind_expression(written, scope(), T_TABLE) == expr


def test_names_are_quoted_when_they_must_be():
    assert [quote_identifier(n) for n in ("a_1", "A", "select", 'q"q', "", "1a")] == [
        "a_1", '"A"', '"select"', '"q""q"', '""', '"1a"',
    ]  # fmt: skip


def test_literals_with_backslashes_are_escape_strings():
    assert quote_literal("it's") == "'it''s'"
    assert quote_literal("a\\b") == "E'a\\\\b'"


def test_a_default_for_a_bigint_is_stored_as_bigint():
    assert deparse(bind_expression("5", scope(), None, T.INT8)) == "'5'::bigint"
