"""Catalogue queries, from SQL text through the binder to rows out of sqlite."""

import time
from collections.abc import Iterator

import pytest

from catalog.snapshot import Snapshot
from catalog.types import registry as t
from catalog.types.registry import array_of
from kalam_pg.engines.catalog_sqlite import CatalogQuery, run_catalog
from kalam_pg.functions.table import EvalContext
from kalam_pg.sql.bind import BindScope, bind
from kalam_pg.sql.parse import parse
from kalam_pg.sql.statements import QueryStatement
from kalam_pg.sql.to_sqlite import emit, reads_only_catalogue
from kalam_pg.sql.tree import Bound, OutputColumn
from storage.errors import KalamError

TEXTS = array_of(t.TEXT)
assert TEXTS is not None

RELATIONS = {
    "pg_class": (
        (("oid", t.OID), ("relname", t.NAME), ("relkind", t.CHAR), ("owner", t.OID)),
        [(1, "a", "r", 10), (2, "b", "v", 10), (3, "c", "r", None), (4, "d", "i", 11)],
    ),
    "pg_roles": ((("oid", t.OID), ("rolname", t.NAME)), [(10, "root"), (11, "ann"), (12, "bob")]),
    "pg_types": (
        (("flag", t.BOOL), ("words", TEXTS), ("number", t.NUMERIC), ("at", t.TIMESTAMP)),
        [(True, ("x", "y"), "10", 5), (False, (), "9.0", None), (None, None, "9", 7)],
    ),
}


def columns(schema: str, name: str) -> tuple[OutputColumn, ...] | None:
    found = RELATIONS.get(name) if schema == "pg_catalog" else None
    return tuple(OutputColumn(n, of) for n, of in found[0]) if found else None


def bound_of(text: str) -> Bound:
    (statement,) = parse(text)
    assert isinstance(statement, QueryStatement)
    return bind(statement, BindScope(Snapshot(0, {}, {}, {}), ("pg_catalog",), columns))


def run(text: str, *params: object, **options: object) -> list[tuple]:
    bound = bound_of(text)
    context = EvalContext(params=params, user="ann")  # type: ignore[arg-type]
    return run_catalog(
        bound.statement,  # type: ignore[arg-type]
        lambda _schema, name, _equal: RELATIONS[name][1],
        context,
        **options,  # type: ignore[arg-type]
    )


CASES = [
    ("SELECT relname FROM pg_class WHERE relkind = 'r' ORDER BY 1", [("a",), ("c",)]),
    (
        "SELECT relname FROM pg_class WHERE relkind IN ('v', 'i') ORDER BY oid DESC",
        [("d",), ("b",)],
    ),
    (
        "SELECT c.relname, r.rolname FROM pg_class c LEFT JOIN pg_roles r ON r.oid = c.owner"
        " ORDER BY 1",
        [("a", "root"), ("b", "root"), ("c", None), ("d", "ann")],
    ),
    (
        "SELECT r.rolname, c.relname FROM pg_class c RIGHT JOIN pg_roles r"
        " ON r.oid = c.owner AND c.relkind = 'r' ORDER BY 1, 2",
        [("ann", None), ("bob", None), ("root", "a")],
    ),
    (
        "SELECT relname, (SELECT rolname FROM pg_roles WHERE oid = owner) FROM pg_class"
        " WHERE oid < 4 ORDER BY 1",
        [("a", "root"), ("b", "root"), ("c", None)],
    ),
    (
        "SELECT rolname, ARRAY(SELECT relname FROM pg_class WHERE owner = r.oid ORDER BY 1 DESC)"
        " FROM pg_roles r ORDER BY 1",
        [("ann", ("d",)), ("bob", ()), ("root", ("b", "a"))],
    ),
    (
        "SELECT rolname FROM pg_roles r WHERE EXISTS"
        " (SELECT 1 FROM pg_class c WHERE c.owner = r.oid) ORDER BY 1",
        [("ann",), ("root",)],
    ),
    ("SELECT oid FROM pg_roles WHERE oid NOT IN (SELECT owner FROM pg_class)", []),
    (
        "SELECT oid FROM pg_roles WHERE oid NOT IN"
        " (SELECT owner FROM pg_class WHERE owner IS NOT NULL)",
        [(12,)],
    ),
    ("SELECT oid FROM pg_roles WHERE oid > ALL (SELECT oid FROM pg_class)", [(10,), (11,), (12,)]),
    ("SELECT 5 > ANY (SELECT owner FROM pg_class) FROM pg_roles WHERE oid = 10", [(None,)]),
    (
        "SELECT owner, count(*), string_agg(relname, '+' ORDER BY relname DESC) FROM pg_class"
        " GROUP BY owner HAVING count(*) > 0 ORDER BY owner NULLS FIRST",
        [(None, 1, "c"), (10, 2, "b+a"), (11, 1, "d")],
    ),
    ("SELECT count(owner), count(DISTINCT owner), max(oid) FROM pg_class", [(3, 2, 4)]),
    ("SELECT count(oid), max(oid), array_agg(oid) FROM pg_class WHERE oid > 9", [(0, None, None)]),
    ("SELECT flag, words, at FROM pg_types WHERE flag", [(True, ("x", "y"), 5)]),
    ("SELECT at FROM pg_types WHERE NOT flag OR flag IS NULL ORDER BY at", [(7,), (None,)]),
    ("SELECT at FROM pg_types WHERE flag IS NOT TRUE ORDER BY at DESC", [(None,), (7,)]),
    ("SELECT number FROM pg_types ORDER BY number, at", [("9",), ("9.0",), ("10",)]),
    ("SELECT count(*) FROM (SELECT DISTINCT number FROM pg_types) x", [(2,)]),
    ("SELECT count(*) FROM pg_types WHERE 'y' = ANY (words)", [(1,)]),
    ("SELECT words[1] || '!' FROM pg_types WHERE flag", [("x!",)]),
    ("SELECT w, n FROM pg_types, unnest(words) WITH ORDINALITY AS u(w, n)", [("x", 1), ("y", 2)]),
    ("SELECT unnest(words) FROM pg_types", [("x",), ("y",)]),
    (
        "SELECT unnest(words), generate_series(1, 3) FROM pg_types WHERE flag",
        [("x", 1), ("y", 2), (None, 3)],
    ),
    ("SELECT g * 2 FROM generate_series(1, 3) g ORDER BY 1 DESC LIMIT 2", [(6,), (4,)]),
    ("SELECT oid FROM pg_roles ORDER BY oid OFFSET 1 LIMIT 1", [(11,)]),
    ("SELECT oid FROM pg_roles ORDER BY oid LIMIT NULL OFFSET 2", [(12,)]),
    (
        "SELECT r.rolname, x.relname FROM pg_roles r, LATERAL"
        " (SELECT relname FROM pg_class c WHERE c.owner = r.oid ORDER BY relname DESC LIMIT 1) x"
        " ORDER BY 1",
        [("ann", "d"), ("root", "b")],
    ),
    (
        "SELECT relname FROM pg_class UNION SELECT rolname FROM pg_roles ORDER BY 1 LIMIT 3",
        [("a",), ("ann",), ("b",)],
    ),
    ("SELECT 1 FROM pg_roles EXCEPT SELECT 1", []),
    (
        "SELECT oid::int8 FROM pg_class INTERSECT SELECT oid::int8 - 9 FROM pg_roles ORDER BY 1",
        [(1,), (2,), (3,)],
    ),
    (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4)"
        " SELECT i, relname FROM n JOIN pg_class ON oid = i ORDER BY i DESC LIMIT 2",
        [(4, "d"), (3, "c")],
    ),
    ("SELECT x FROM (VALUES (1), (2)) v(x), pg_roles WHERE oid = 10 ORDER BY x", [(1,), (2,)]),
    (
        "SELECT rolname, row_number() OVER (ORDER BY rolname DESC) FROM pg_roles ORDER BY 1",
        [("ann", 3), ("bob", 2), ("root", 1)],
    ),
    (
        "SELECT CASE relkind WHEN 'r' THEN 'table' ELSE 'other' END FROM pg_class WHERE oid = 2",
        [("other",)],
    ),
    ("SELECT coalesce(owner, 0::oid), nullif(oid, 3) FROM pg_class WHERE oid = 3", [(0, None)]),
    (
        "SELECT relname FROM pg_class WHERE relname LIKE '_' AND relname ~ '^[ab]$'",
        [("a",), ("b",)],
    ),
    ("SELECT oid FROM pg_class WHERE owner IS DISTINCT FROM 10 ORDER BY 1", [(3,), (4,)]),
    ("SELECT oid FROM pg_class WHERE relname = current_user", []),
    ("SELECT greatest(oid, 2::oid) FROM pg_class ORDER BY 1 DESC LIMIT 1", [(4,)]),
    ("SELECT 'it''s' || relname FROM pg_class WHERE oid = 1", [("it'sa",)]),
]


@pytest.mark.parametrize(("sql", "rows"), CASES, ids=lambda value: str(value)[:70])
def test_a_catalogue_query_answers_as_postgresql_does(sql, rows):
    assert run(sql) == rows


def test_parameters_are_values_and_never_sql():
    assert run("SELECT relname FROM pg_class WHERE relname = $1", "b") == [("b",)]
    assert run("SELECT relname FROM pg_class WHERE relname = $1", "b' OR '1'='1") == []
    assert run("SELECT $1::text FROM pg_roles WHERE oid = 10", 'x"; DROP') == [('x"; DROP',)]


ERRORS = [
    ("SELECT oid / (oid - 1) FROM (SELECT oid::int8 AS oid FROM pg_class) x", "22012"),
    ("SELECT (SELECT oid FROM pg_roles) FROM pg_class", "21000"),
    ("SELECT relname::int FROM (SELECT relname::text FROM pg_class) x", "22P02"),
    ("SELECT DISTINCT ON (owner) oid FROM pg_class", "0A000"),
    ("SELECT owner, count(*) FROM pg_class GROUP BY ROLLUP (owner)", "0A000"),
    ("SELECT relname FROM pg_class WHERE relname ~ '('", "2201B"),
    ("SELECT relname FROM pg_class WHERE relname ~ '(?=x'", "2201B"),
]


@pytest.mark.parametrize(("sql", "sqlstate"), ERRORS)
def test_errors_are_postgresqls(sql, sqlstate):
    with pytest.raises(KalamError) as caught:
        run(sql)
    assert caught.value.sqlstate == sqlstate


def test_a_query_that_takes_too_long_is_ended():
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1::int8 UNION ALL SELECT i + 1 FROM n)"
        " SELECT count(*) FROM n, pg_class"
    )
    with pytest.raises(KalamError, match="statement timeout") as caught:
        run(endless, timeout_s=0.05)
    assert caught.value.sqlstate == "57014"
    with pytest.raises(KalamError, match="user request"):
        run(endless, is_canceled=lambda: True)


def test_only_catalogue_relations_are_read_here():
    (statement,) = parse("SELECT 1 FROM pg_class")
    query = bind(statement, BindScope(Snapshot(0, {}, {}, {}), ("pg_catalog",), columns)).statement
    assert reads_only_catalogue(query)  # type: ignore[arg-type]
    (statement,) = parse("SELECT 1")
    query = bind(statement, BindScope(Snapshot(0, {}, {}, {}), ("pg_catalog",), columns)).statement
    assert not reads_only_catalogue(query)  # type: ignore[arg-type]


def test_a_condition_on_a_constant_is_told_to_whoever_makes_the_rows():
    sql = (
        "SELECT 1 FROM pg_class c JOIN pg_roles r ON r.oid = c.owner"
        " WHERE c.oid = $1 AND 'r' = c.relkind"
    )
    (statement,) = parse(sql)
    query = bind(statement, BindScope(Snapshot(0, {}, {}, {}), ("pg_catalog",), columns)).statement
    emitted = emit(query, EvalContext(params=(2,)))  # type: ignore[arg-type]
    found = {table.name: dict(table.equal) for table in emitted.relations.values()}
    assert found == {"pg_class": {0: 2}, "pg_roles": {}}


MANY = 2000
STEP_S = 0.001


def compute() -> None:
    """What a view's text takes, say: far below what a run may take, but there are many."""
    end = time.monotonic() + STEP_S
    while time.monotonic() < end:
        pass


def test_relations_are_read_while_there_is_time_and_on_from_there_by_the_next_run():
    asked: list[str] = []
    slow = True

    def provide(_schema: str, name: str, _equal: object) -> Iterator[tuple]:
        asked.append(name)
        if name == "pg_roles":
            yield from RELATIONS[name][1]
            return
        for oid in range(MANY):
            if slow:
                compute()
            yield (oid, f"r{oid}", "r", 10)

    query = bound_of("SELECT count(*), max(rolname) FROM pg_roles r JOIN pg_class ON owner = r.oid")
    with CatalogQuery(query.statement, provide, EvalContext()) as running:  # type: ignore[arg-type]
        started = time.process_time()
        assert running.run(50 * STEP_S) is None
        assert time.process_time() - started < MANY * STEP_S / 4
        slow = False
        assert running.run(60.0) == [(MANY, "root")]
        assert running.run(60.0) == [(MANY, "root")]
    assert len(asked) == 3  # The one in which time was up is asked for again, and nothing else is.


def test_functions_that_take_long_look_at_the_clock():
    calls = 0

    def privilege(*_names: object) -> bool:
        nonlocal calls
        calls += 1
        compute()
        return True

    rows = [(oid, f"r{oid}", "r", 10) for oid in range(MANY)]
    query = bound_of("SELECT oid FROM pg_class WHERE has_table_privilege(oid, 'SELECT')")
    context = EvalContext(services={"has_table_privilege": privilege})
    with CatalogQuery(query.statement, lambda *_: rows, context) as running:  # type: ignore[arg-type]
        while not calls:  # The time may have gone into reading the rows.
            assert running.run(50 * STEP_S) is None
    assert calls < MANY / 4
