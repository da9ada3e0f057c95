"""EXPLAIN names the plan that a statement has, in PostgreSQL's shape; ANALYZE runs it."""

import re

import psycopg
import pytest

from tests.wire import postgresql
from tests.wire.raw import RawClient
from tests.wire.side_by_side import both

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tables(server):
    with server.root() as root:
        root.execute(
            """
            CREATE NAMESPACE x;
            CREATE TABLE x.m (id bigint PRIMARY KEY, conv bigint, body text, at timestamp)
              WITH (TYPE = 'USER');
            CREATE TABLE x.u (a int PRIMARY KEY, b int);
            INSERT INTO x.m SELECT g, g % 10, 'x' || g::text,
              timestamp '2020-01-01' + g * interval '1 s' FROM generate_series(1, 100) g;
            """
        )
    return server


@pytest.fixture
def root(tables):
    with tables.root() as connection:
        connection.execute("SET search_path TO x")
        yield connection


def explained(connection, statement: str) -> str:
    """The lines; measured times as N."""
    lines = [line for (line,) in connection.execute(f"EXPLAIN {statement}").fetchall()]
    return re.sub(r"\d+\.\d{3}", "N", "\n".join(lines))


PLANS = {
    "SELECT 1 + 1": "Result",
    "SELECT * FROM m WHERE id = 5 AND body <> 'q'": """
Point Lookup on m
  Key: (id = 5)
  Filter: (body <> 'q'::text)""",
    "SELECT * FROM m WHERE conv = 3 ORDER BY at DESC LIMIT 5": """
Limit
  Limit: 5
  ->  Tail Index Scan on m
        Index On: (conv = 3)
        Order: at DESC
        Filter: (conv = 3)""",
    "SELECT * FROM m WHERE conv > 3 ORDER BY at DESC LIMIT 5": """
Limit
  Limit: 5
  ->  Newest Rows Scan on m
        Order: at DESC
        Filter: (conv > 3)""",
    "SELECT body FROM m z WHERE conv < 3 ORDER BY body OFFSET 2": """
Limit
  Offset: 2
  ->  Sort
        Sort Key: body
        ->  Hot Rows Scan on m z
              Filter: (conv < 3)""",
    "SELECT conv, count(*) FROM m GROUP BY conv HAVING count(*) > 1 ORDER BY 2 DESC": """
Local Query
  ->  Sort
        Sort Key: count(*) DESC
        ->  Aggregate
              Group Key: conv
              Filter: (count(*) > 1)
              ->  Hot Rows Scan on m
                    Hot Rows: 100""",
    "WITH w AS (SELECT a FROM u) SELECT m.id FROM m LEFT JOIN w ON w.a = m.id": """
Local Query
  ->  Left Join
        Join Filter: (w.a = m.id)
        CTE w
          ->  Hot Rows Scan on u
                Hot Rows: 0
        ->  Hot Rows Scan on m
              Hot Rows: 100
        ->  CTE Scan on w""",
    "SELECT id FROM m WHERE EXISTS (SELECT 1 FROM u WHERE u.a = m.conv)": """
Local Query
  ->  Hot Rows Scan on m
        Hot Rows: 100
        Filter: (EXISTS (SubPlan 1))
        SubPlan 1
          ->  Hot Rows Scan on u
                Hot Rows: 0
                Filter: (u.a = m.conv)""",
    "SELECT relname FROM pg_class WHERE relkind = 'r'": """
Catalog Query
  ->  Catalog Scan on pg_class
        Filter: (relkind = 'r'::"char")""",
    "SELECT * FROM m WHERE id = 5 FOR UPDATE": """
LockRows
  ->  Point Lookup on m
        Key: (id = 5)""",
    "DELETE FROM m WHERE id = (SELECT id FROM m WHERE conv = 1 LIMIT 1 FOR UPDATE) AND conv = 1": """
Delete on m
  ->  Point Lookup on m
        Key: (id = $1)
        Filter: (m.conv = 1)
  InitPlan 1 (returns $1)
    ->  Limit
          ->  LockRows
                ->  Tail Index Scan on m
                      Index On: (conv = 1)
                      Filter: (m.conv = 1)""",
    "INSERT INTO u VALUES (1, 2), (3, 4) ON CONFLICT DO NOTHING": """
Insert on u
  Conflict Resolution: NOTHING
  ->  Values Scan on "*VALUES*"
        Rows: 2""",
    "UPDATE u SET b = 5 WHERE a = 3": """
Update on u
  ->  Point Lookup on u
        Key: (a = 3)""",
    "DELETE FROM u WHERE b = 3": """
Delete on u
  ->  Tail Index Scan on u
        Index On: (b = 3)
        Filter: (b = 3)""",
    "ANALYZE SELECT id FROM m WHERE conv = 3": """
Tail Index Scan on m  (actual time=N..N rows=10 loops=1)
  Index On: (conv = 3)
  Filter: (conv = 3)
Planning Time: N ms
Execution Time: N ms""",
    "(ANALYZE, TIMING OFF, SUMMARY OFF) SELECT sum(id) FROM m": """
Local Query  (actual rows=1 loops=1)
  ->  Aggregate
        ->  Hot Rows Scan on m
              Hot Rows: 100""",
}


@pytest.mark.parametrize("statement", PLANS)
def test_the_plan_is_named(root, statement):
    assert explained(root, statement) == PLANS[statement].strip()


@pytest.mark.parametrize("statement", [s for s in PLANS if "Local Query" in PLANS[s]])
def test_what_is_not_answered_here_is_an_engines(root, statement):
    root.execute("SET kalam.in_process_queries = off")
    here = PLANS[statement].strip()
    there = here.replace("Local Query", "Engine Query").replace("Hot Rows Scan", "Engine Scan")
    assert explained(root, statement) == there


def test_verbose_tells_output_schema_and_what_the_engine_is_asked(root):
    with root.transaction(force_rollback=True):
        root.execute("SET LOCAL kalam.in_process_queries = off")
        text = explained(root, "VERBOSE SELECT conv, count(*) OVER () FROM m")
    assert "SQL: SELECT " in text
    assert "Output: conv, count(*) OVER ()" in text
    assert "Engine Scan on x.m" in text


def test_analyze_does_what_it_measures(root):
    with root.transaction(force_rollback=True):
        text = explained(root, "(ANALYZE, COSTS OFF) INSERT INTO u SELECT id, conv FROM m")
        assert "Insert on u  (actual time=N..N rows=0 loops=1)" in text
        assert "Hot Rows Scan on m  (actual rows=100 loops=1)" in text
        assert root.execute("SELECT count(*) FROM u").fetchone() == (100,)
    explained(root, "INSERT INTO u VALUES (1, 1)")
    assert root.execute("SELECT count(*) FROM u").fetchone() == (0,)


def test_statements_that_have_or_name_a_query_are_explained_by_it(root):
    with root.transaction(force_rollback=True):
        root.execute("PREPARE found(int) AS SELECT id FROM m WHERE id = $1")
        root.execute("PREPARE made(int) AS INSERT INTO u VALUES ($1, 1)")
        assert explained(root, "EXECUTE found(3)") == explained(
            root, "SELECT id FROM m WHERE id = 3"
        ).replace("id = 3", "id = $1")
        assert "(actual rows=1 loops=1)" in explained(
            root, "(ANALYZE, TIMING OFF) EXECUTE found(3)"
        )
        explained(root, "EXECUTE made(7)")
        assert root.execute("SELECT count(*) FROM u").fetchone() == (0,)
        explained(root, "ANALYZE EXECUTE made(7)")
        assert root.execute("SELECT * FROM u").fetchone() == (7, 1)
        plan = explained(root, "SELECT id FROM m")
        for statement in (
            "CREATE TABLE y AS SELECT id FROM m",
            "CREATE MATERIALIZED VIEW y AS SELECT id FROM m",
            "SELECT id INTO y FROM m",
            "DECLARE y CURSOR FOR SELECT id FROM m",
        ):
            assert explained(root, statement) == plan
        assert root.execute("SELECT to_regclass('y'), count(*) FROM pg_cursors").fetchone() == (
            None,
            0,
        )


def test_a_transactions_own_rows_are_looked_at_one_by_one(root):
    with root.transaction(force_rollback=True):
        root.execute("INSERT INTO m VALUES (5000, 3)")
        assert explained(root, "SELECT id FROM m WHERE conv = 3").startswith("Hot Rows Scan")


def test_first_rows_of_segments_tell_how_few_of_them_were_read(root):
    root.execute("CREATE TABLE x.cold (id bigint PRIMARY KEY, n int, at timestamp)")
    try:
        for start in (0, 100, 200):
            root.execute(
                "INSERT INTO x.cold SELECT g, g % 10, timestamp '2020-01-01' + g * interval '1 s'"
                f" FROM generate_series({start + 1}, {start + 100}) g"
            )
            root.execute("STORAGE FLUSH TABLE x.cold")
        root.execute("UPDATE x.cold SET n = 11 WHERE id = 1")  # So that no tail has it all.
        plan = explained(root, "SELECT id FROM x.cold ORDER BY at LIMIT 5 OFFSET 1")
        count = explained(root, "SELECT count(*) FROM x.cold WHERE id > 150 AND n = 7")
    finally:
        root.execute("DROP TABLE x.cold")
    assert plan == (
        "Limit\n  Limit: 5\n  Offset: 1\n"
        "  ->  First Rows Scan on cold\n"
        "        Order: at\n        Segments: 1 (2 pruned)\n        Row Groups: 1"
    )
    assert count == (
        "Aggregate\n  ->  Count Scan on cold\n        Segments: 2 (1 pruned)\n"
        "        Row Groups: 2\n        Filter: ((id > 150) AND (n = 7))"
    )


def test_the_answer_is_one_column_and_its_tag_explain(root):
    cursor = root.execute("EXPLAIN SELECT * FROM m WHERE id = %s", (5,))
    assert [(c.name, c.type_code) for c in cursor.description] == [("QUERY PLAN", 25)]
    assert cursor.statusmessage == "EXPLAIN"
    assert cursor.fetchall() == [("Point Lookup on m",), ("  Key: (id = $1)",)]


def test_json_is_postgresqls(root):
    cursor = root.execute("EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM m ORDER BY id LIMIT 2")
    assert [(c.name, c.type_code) for c in cursor.description] == [("QUERY PLAN", 114)]
    ((found,),) = cursor.fetchall()
    assert found[0]["Plan"]["Node Type"] == "Limit"
    assert found[0]["Plan"]["Actual Rows"] == 2
    assert found[0]["Plan"]["Plans"][0]["Sort Key"] == ["id"]
    assert found[0]["Execution Time"] > 0


def test_explaining_needs_the_rights_of_doing(tables):
    with tables.connect("alice") as alice:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            alice.execute("EXPLAIN INSERT INTO x.u VALUES (1, 1)")
        alice.execute("BEGIN READ ONLY")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            alice.execute("EXPLAIN ANALYZE INSERT INTO x.m VALUES (1, 1)")


def test_what_cannot_be_shown_is_refused_by_name(tables):
    with RawClient(tables) as client:
        for option, message in (
            ("FORMAT XML", "EXPLAIN (FORMAT XML) is not supported"),
            ("FORMAT YAML", "EXPLAIN (FORMAT YAML) is not supported"),
            ("BUFFERS", "EXPLAIN option BUFFERS is not supported"),
            ("COSTS ON", "EXPLAIN option COSTS is not supported"),
        ):
            answer = client.simple(f"EXPLAIN ({option}) SELECT 1")
            assert (answer.sqlstate, answer.errors[0]["M"]) == ("0A000", message)
        answer = client.simple("EXPLAIN ANALYZE CREATE TABLE y AS SELECT 1")
        assert (answer.sqlstate, answer.errors[0]["M"]) == (
            "0A000",
            "EXPLAIN ANALYZE does not support CREATE TABLE AS",
        )


ERRORS = (
    "EXPLAIN (TIMING) SELECT 1",
    "EXPLAIN (FORMAT foo) SELECT 1",
    "EXPLAIN (nothing) SELECT 1",
    "EXPLAIN (ANALYZE maybe) SELECT 1",
    "EXPLAIN (VERBOSE maybe) SELECT 1",
    "EXPLAIN SELECT nothing",
    "EXPLAIN SELECT * FROM nothing",
    "EXPLAIN DROP TABLE nothing",
    "EXPLAIN EXECUTE nothing",
    "EXPLAIN EXECUTE nothing(1)",
    "EXPLAIN ANALYZE SELECT 1 / 0",
    "EXPLAIN",
)


@pytest.mark.skipif(not postgresql.installed(), reason="needs Debian's package postgresql-15")
def test_errors_are_postgresqls(tmp_path):
    with both(tmp_path) as (ours, theirs):
        for statement in ERRORS:
            assert ours.ask(statement) == theirs.ask(statement), statement
