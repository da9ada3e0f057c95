"""Every SQL example of the documents that the project grew from is read, or says what it waits for."""

import pytest

from catalog.errors import SqlSyntaxError
from catalog.model import TableKind
from catalog.options import parse_options
from kalam_pg.sql.parse import parse
from kalam_pg.sql.statements import CreateTable, Unsupported
from tests.kalam_pg.sql.seed_statements import SEED_STATEMENTS, Example

TABLES = [
    e for e in SEED_STATEMENTS if e.read_as == "CreateTable" and "STORAGE s3_prod" not in e.text
]


def name(example: Example) -> str:
    return f"{example.document}: {example.text[:30]}"


@pytest.mark.parametrize("example", SEED_STATEMENTS, ids=name)
def test_an_example_is_read_as_what_it_is(example):
    if example.read_as == "SqlSyntaxError":
        assert example.waits_for
        with pytest.raises(SqlSyntaxError):
            parse(example.text)
        return
    (statement,) = parse(example.text)
    assert type(statement).__name__ == example.read_as
    if isinstance(statement, Unsupported):
        assert example.waits_for


@pytest.mark.parametrize("example", TABLES, ids=name)
def test_all_three_generations_of_tables_have_options_that_are_understood(example):
    (statement,) = parse(example.text)
    assert isinstance(statement, CreateTable)
    kind, options = parse_options(statement.options)
    assert kind.value in example.text
    if kind is TableKind.STREAM:
        assert options.ttl_s > 0
    else:
        assert options.flush_rows or options.flush_interval_s


def test_the_generations_say_the_same_in_their_own_words():
    said = [
        "CREATE USER TABLE t (a int) FLUSH ROW_THRESHOLD 1000",
        "CREATE USER TABLE t (a int) FLUSH POLICY ROW_LIMIT 1000",
        "CREATE USER TABLE t (a int) USING kalamdb FLUSH ROW_THRESHOLD 1000 STORAGE local",
        "CREATE TABLE t (a int) WITH (TYPE = 'USER', FLUSH_POLICY = 'rows:1000')",
        "CREATE TABLE t (a int) USING kalamdb WITH (table_type = user, flush_policy = 'rows:1000')",
    ]
    meant = []
    for text in said:
        (statement,) = parse(text)
        assert isinstance(statement, CreateTable)
        meant.append((statement.columns[0].name, parse_options(statement.options)))
    assert meant == [meant[0]] * len(said)
