"""Queries over the oracle's table answer as PostgreSQL 15 did, run by DataFusion in this process.

`postgresql15.csv`: query, state (`ok` or a SQLSTATE), answer (rows of text values, or the message).
"""

import ast
import csv
from pathlib import Path

import pytest

from catalog.errors import CardinalityViolationError, FeatureNotSupportedError
from kalam_pg.functions.arrow_udf import split_key
from kalam_pg.functions.lookup import by_key
from kalam_pg.functions.table import EvalContext
from storage.errors import KalamError
from tests.kalam_pg.sql.oracle import (
    Database,
    make_context,
    make_table,
    oracle_database,
    read_rows,
)

with (Path(__file__).parent / "postgresql15.csv").open(newline="", encoding="utf-8") as _file:
    ANSWERS = [(r["query"], r["state"], r["answer"]) for r in csv.DictReader(_file)]

DATABASE = oracle_database()


@pytest.mark.parametrize(("query", "state", "answer"), ANSWERS)
def test_a_query_has_postgresqls_answer(query, state, answer):
    try:
        rows = DATABASE.query(query)
    except KalamError as error:
        outcome = error.sqlstate, error.message
    else:
        outcome = "ok", ""
    if state != "ok" or outcome[0] != "ok":
        assert outcome == (state, answer)
        return
    wanted = ast.literal_eval(answer)
    if "order by" not in query.lower():
        rows, wanted = sorted(rows, key=repr), sorted(wanted, key=repr)
    assert rows == wanted


def test_a_scan_needs_only_the_columns_that_are_read():
    _, emitted = DATABASE.emit("SELECT name FROM t WHERE id > 1")
    (need,) = emitted.scans
    assert set(need.columns) == {"c1", "c2"}


def test_a_scan_of_which_nothing_is_read_still_gives_its_rows():
    _, emitted = DATABASE.emit("SELECT count(*) FROM t")
    assert emitted.scans[0].columns == ("_seq",)


def test_result_columns_have_names_of_their_own():
    bound, emitted = DATABASE.emit("SELECT id, id, id + 1 AS id FROM t")
    assert [c.name for c in bound.columns] == ["id", "id", "id"]
    assert all(f"AS c{i}" in emitted.sql for i in range(3))


def test_numerics_with_a_precision_stay_decimals():
    _, emitted = DATABASE.emit("SELECT amt + 1, amt * 2.5, sum(amt) OVER () FROM t")
    assert [str(p) for p in emitted.physical] == [
        "decimal128(13, 2)", "decimal128(15, 3)", "decimal128(38, 2)",
    ]  # fmt: skip
    assert emitted.udfs == ()


def test_every_function_that_is_sent_can_be_found_again():
    _, emitted = DATABASE.emit("SELECT id + 1, upper(name), ts::date, name::varchar(2) FROM t")
    assert len(emitted.udfs) == 4
    for spec in emitted.udfs:
        by_key(split_key(spec.key)[0])


def test_text_of_the_user_only_ever_stands_in_quoted_literals():
    hostile = "'); DROP TABLE t; --"
    context = make_context()
    rows = DATABASE.query("SELECT name FROM t WHERE name = '''); DROP TABLE t; --'", context)
    assert rows == []
    _, emitted = DATABASE.emit("SELECT name FROM t WHERE name = '''); DROP TABLE t; --'", context)
    assert hostile.replace("'", "''") in emitted.sql


def test_a_scalar_subquery_of_several_rows_is_an_error():
    with pytest.raises(CardinalityViolationError):
        DATABASE.query("SELECT (SELECT id FROM t)")


def test_what_may_raise_is_not_evaluated_where_the_condition_before_it_is_false():
    assert DATABASE.query("SELECT id FROM t WHERE id <> 1 AND 10 / (id - 1) > 3 ORDER BY id") == [
        ("2",), ("3",),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id, sum(id) OVER (ORDER BY d RANGE BETWEEN '1 day' PRECEDING AND CURRENT ROW) FROM t",
        "SELECT sum(id) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE TIES) FROM t",
    ],
)
def test_what_is_not_known_to_be_right_is_refused(query):
    with pytest.raises(FeatureNotSupportedError):
        DATABASE.query(query)


def test_parameters_become_literals():
    bound = DATABASE.bind("SELECT id FROM t WHERE id = $1 AND name = $2")
    from kalam_pg.sql.to_datafusion import emit

    emitted = emit(bound.statement, EvalContext(params=(3, "Carol")))
    assert "arrow_cast(3, 'Int32')" in emitted.sql
    assert "'Carol'" in emitted.sql


def test_a_table_without_rows_has_aggregates():
    empty = Database((make_table("e", (("id", "int4", -1), ("v", "float8", -1))), []))
    assert empty.query(
        "SELECT count(*), sum(id), avg(v), sum(v), max(id), array_agg(id) FROM e"
    ) == [("0", None, None, None, None, None)]
    assert empty.query("SELECT id, count(*) FROM e GROUP BY id") == []


def test_a_volatile_function_without_a_table_is_evaluated_once_and_here():
    context = make_context()
    context.next_snowflake = lambda: 42
    assert DATABASE.query("SELECT snowflake_id(), gen_random_uuid() IS NOT NULL", context) == [
        ("42", "t")
    ]


@pytest.mark.parametrize("call", ["snowflake_id()", "current_setting(name)", "id::regclass::text"])
def test_what_a_worker_cannot_know_is_refused_over_rows(call):
    with pytest.raises(FeatureNotSupportedError):
        DATABASE.query(f"SELECT {call} FROM t")


def test_a_volatile_function_is_called_for_every_row():
    rows = DATABASE.query("SELECT gen_random_uuid() FROM t")
    assert len(set(rows)) == 5


@pytest.mark.parametrize(
    "call",
    ["repeat(name, 2000000000)", "lpad(name, 2000000000, 'x')", "rpad(name, 2000000000)",
     "replace(repeat(name, 10000), 'i', repeat('x', 100000))"],
)  # fmt: skip
def test_a_string_that_would_be_huge_is_refused(call):
    with pytest.raises(KalamError) as caught:
        DATABASE.query(f"SELECT {call} FROM t WHERE id = 1")
    assert caught.value.sqlstate == "54000"


def test_a_series_that_would_be_huge_is_refused():
    for bounds in (
        "1, 1000000000000",
        "1, 10000000, 0.5",
        "'2000-01-01'::timestamp, '2100-01-01', '1 minute'",
    ):
        with pytest.raises(KalamError) as caught:
            DATABASE.query(f"SELECT count(*) FROM generate_series({bounds})")
        assert caught.value.sqlstate == "54000"


@pytest.mark.parametrize(
    ("outputs", "rows"),
    [
        ("n, b / a", [("2", "-2"), ("3", "3")]),
        ("n, power(b, 1.0 / a)", None),
        ("b / a, n", [("-2", "2"), ("3", "3")]),
        ("n, n + b / a", [("2", "0"), ("3", "6")]),
    ],
)
def test_outputs_of_rows_that_the_filter_leaves_out_are_not_computed(outputs, rows):
    kinds = (("n", "int4", -1), ("a", "int4", -1), ("b", "int4", -1))
    table = make_table("zeros", kinds)
    values = [("1", "0", "1"), ("2", "-1", "2"), ("3", "1", "3")]
    database = Database((table, read_rows(table, values)))
    for condition in ("n > 1", "n IN (2, 3)", "n = 2 OR n = 3"):
        found = database.query(f"SELECT {outputs} FROM zeros WHERE {condition} ORDER BY n")
        assert found == rows if rows is not None else len(found) == 2
