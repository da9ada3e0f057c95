"""SQL text of bound expressions and queries: bound again, it is the same."""

import pytest

from catalog.types import registry as T  # noqa: N812
from kalam_pg.sql.bind import bind_expression
from kalam_pg.sql.deparse import deparse, quote_identifier, quote_literal
from kalam_pg.sql.deparse_query import deparse_query
from kalam_pg.sql.tree import Select, SetOp, ValuesQuery
from storage.errors import KalamError
from tests.kalam_pg.sql.bind_fixtures import T_TABLE, bound, scope
from tests.kalam_pg.sql.test_bind_oracle import ANSWERS, BINDINGS

EXPRESSIONS = [
    ("id > 0", "(id > 0)"),
    ("amt > 0 AND name IS NOT NULL", "((amt > '0'::numeric) AND (name IS NOT NULL))"),
    ("name LIKE 'a%' OR NOT flag", "((name ~~ 'a%'::text) OR (NOT flag))"),
    ("id IN (1, 2)", "(id IN (1, 2))"),
    ("'x' = ANY (tags)", "('x'::text = ANY (tags))"),
    ("coalesce(name, 'none')", "COALESCE(name, 'none'::text)"),
    ("now() - interval '1 day'", "(now() - '1 day'::interval)"),
    ("CASE id WHEN 1 THEN 'a' END", "CASE WHEN (id = 1) THEN 'a'::text ELSE NULL::text END"),
    ("current_date", "CURRENT_DATE"),
    ("tags[1]", "(tags)[1]"),
    ("-id", "(- id)"),
    ("-5", "'-5'::integer"),
    ("E'it''s \\\\'", "E'it''s \\\\'::text"),
    ("extract(year FROM ts)", "\"extract\"('year'::text, ts)"),
]


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


def test_names_in_a_query_are_qualified_and_never_clash():
    text = deparse_query(bound("SELECT a.id FROM t a, t b, (SELECT 1 AS id) AS t").statement)
    assert text == (
        "SELECT a.id AS id FROM public.t AS a, public.t AS b, (SELECT 1 AS id) AS t(id)"
    )


def queries():
    for row in [*ANSWERS, *BINDINGS]:
        try:
            result = bound(row["query"])
        except (KalamError, ValueError):
            continue
        if isinstance(result.statement, Select | SetOp | ValuesQuery):
            yield row["query"], result


# The output of a subquery may name two columns alike; and an interval's typmod is not written.
NOT_THE_SAME = {
    "select * from (select 1 as a, 2 as a) x",
    "select interval '1' day",
    "select '2020-01-01'::timestamp(3), now()::timestamp(0), '1 day'::interval(3)",
}


def test_every_query_of_the_oracle_is_the_same_after_a_round_trip():
    count = 0
    for query, result in queries():
        if query in NOT_THE_SAME:
            continue
        text = deparse_query(result.statement)
        again = bound(text, *result.param_types)
        assert deparse_query(again.statement) == text
        columns = [[(c.name, c.type, c.typmod) for c in b.columns] for b in (result, again)]
        assert columns[0] == columns[1], query
        count += 1
    assert count > 300


def test_a_default_for_a_bigint_is_stored_as_bigint():
    assert deparse(bind_expression("5", scope(), None, T.INT8)) == "'5'::bigint"
