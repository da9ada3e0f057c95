"""The binder against PostgreSQL 15's own answers (answers/README.md).

A statement that is bound must have PostgreSQL's column names, types, typmods and parameter types; an
error its SQLSTATE, words and position. What differs is listed in answers/differences.csv, to be shrunk:
`position` (same SQLSTATE and words, elsewhere), `ours` (on purpose, such as our own columns, or earlier
than PostgreSQL, or not yet alike), `not built` (refused by name until the function or clause exists).
"""

import ast
import csv
from pathlib import Path

import pytest

from kalam_pg.sql.parse import parse
from kalam_pg.sql.statements import QueryStatement
from storage.errors import KalamError
from tests.kalam_pg.sql.bind_fixtures import bound

FACTS = Path(__file__).parent / "answers"


def rows(name: str) -> list[dict[str, str]]:
    with (FACTS / name).open(newline="") as file:
        return list(csv.DictReader(file))


def listed(kind: str) -> set[str]:
    return {row["query"] for row in rows("differences.csv") if row["kind"] == kind}


ANSWERS = rows("postgresql15.csv")
BINDINGS = rows("bind15.csv")
POSITIONS, OURS, NOT_BUILT = listed("position"), listed("ours"), listed("not built")

# Refusals that are documented: not built (0A000), or built in part (no such overload: 42883).
REFUSALS = {"0A000", "42883"}

# PostgreSQL raises these when it plans or runs, not when it parses.
LATER = ("division by zero", "out of range", "is out of range for type")


@pytest.mark.parametrize(
    "row",
    [r for r in ANSWERS if not r["answer"].startswith("'ERROR")],
    ids=lambda row: str(row["query"])[:60],
)
def test_a_result_has_postgresqls_column_names_and_types(row):
    try:
        result = bound(row["query"])
    except KalamError as error:
        assert error.sqlstate in REFUSALS, error.message  # noqa: PT017
        assert row["query"] in NOT_BUILT, error.message  # noqa: PT017
        return
    assert [c.name for c in result.columns] == ast.literal_eval(row["names"])
    # Types that are not PostgreSQL's own have their schema in their name here.
    ours = [c.type.name.removeprefix("public.") for c in result.columns]
    assert ours == ast.literal_eval(row["types"])


@pytest.mark.parametrize(
    "row",
    [r for r in ANSWERS if r["answer"].startswith("'ERROR")],
    ids=lambda row: str(row["query"])[:60],
)
def test_an_error_of_binding_has_postgresqls_words(row):
    words = ast.literal_eval(row["answer"]).removeprefix("ERROR:  ")
    try:
        bound(row["query"])
    except KalamError as error:
        assert error.message == words  # noqa: PT017
    else:
        assert words.endswith(LATER) or LATER[2] in words


def described(query: str) -> tuple[str, str, str]:
    (statement,) = parse(query)
    assert isinstance(statement, QueryStatement)
    result = bound(query)
    columns = ", ".join(f"{c.name}:{c.type.name}:{c.typmod}" for c in result.columns)
    return columns, ", ".join(p.name for p in result.param_types), ""


@pytest.mark.parametrize("row", BINDINGS, ids=lambda row: str(row["query"])[:70])
def test_a_statement_is_described_as_postgresql_describes_it(row):
    query = row["query"]
    answer = (row["columns"], row["params"], row["error"])
    try:
        ours = described(query)
    except KalamError as error:
        if error.sqlstate in REFUSALS and query in NOT_BUILT:
            return
        ours = ("", "", f"{error.sqlstate}|{error.message}|{error.position}")
    if query in POSITIONS:
        ours, answer = ("", "", ours[2].rpartition("|")[0]), ("", "", answer[2].rpartition("|")[0])
    if query in OURS:
        assert ours != answer
        return
    assert ours == answer
