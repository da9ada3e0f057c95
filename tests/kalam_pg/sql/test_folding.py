"""How much of a statement is looked at for constants that have no value (`kalam_pg.sql.folding`)."""

import time

import pytest

from catalog.snapshot import Snapshot
from catalog.types.table import TypeContext
from kalam_pg.sql import folding
from kalam_pg.sql.bind import BindScope, bind
from kalam_pg.sql.folding import raising
from kalam_pg.sql.parse import parse
from kalam_pg.sql.statements import QueryStatement


def _raising(text: str) -> bool:
    """Whether something raises; found in less than a second."""
    (statement,) = parse(text)
    assert isinstance(statement, QueryStatement)
    scope = BindScope(Snapshot(1, {}, {}, {}), ("public",), lambda _: None, (), TypeContext())
    bound = bind(statement, scope)
    began = time.process_time()
    found = raising(bound, TypeContext()) is not None
    assert time.process_time() - began < 1.0
    return found


def _nested(levels: int, tail: str) -> str:
    query = "SELECT 1 AS x"
    for level in range(levels):
        query = f"SELECT x + x AS x FROM ({query}{tail}) s{level}"
    return query


def _chained(levels: int, tail: str) -> str:
    items = [f"w0 AS NOT MATERIALIZED (SELECT 1 AS x{tail})"]
    for at in range(1, levels):
        query = f"SELECT a.x + b.x AS x FROM w{at - 1} a, w{at - 1} b{tail}"
        items.append(f"w{at} AS NOT MATERIALIZED ({query})")
    return f"WITH {', '.join(items)} SELECT x FROM w{levels - 1}"


def test_a_column_is_looked_at_once_however_often_it_is_mentioned() -> None:
    assert not _raising(_nested(30, ""))  # By every mention it were 2**30.
    assert _raising(_nested(40, ""))  # 2**40 is no integer.
    assert not _raising(_nested(40, " LIMIT 1"))


def test_a_with_item_is_looked_into_once_however_often_it_is_read() -> None:
    assert not _raising(_chained(30, ""))
    assert _raising(_chained(40, ""))
    assert not _raising(_chained(40, " LIMIT 1"))


def test_a_very_long_statement_is_looked_at_as_far_as_is_cheap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(folding, "_FOLDS_MAX", 100)
    calls = ", ".join(["abs(1)"] * 100)
    assert _raising(f"SELECT 1/0, {calls}")
    assert not _raising(f"SELECT {calls}, 1/0")
