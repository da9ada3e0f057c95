"""Functions that people make, by what a file of statements cannot show: who calls, who replaces, kill -9.

What they answer is in `conformance/files/own/functions_in_sql.sql`, beside PostgreSQL.
"""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.wire.server import PASSWORD, KalamServer


@pytest.fixture
def schema(server: KalamServer) -> Iterator[KalamServer]:
    with server.root() as root:
        root.execute("CREATE SCHEMA fn")
        for name in ("fiona", "finn"):
            root.execute(f"CREATE USER {name} PASSWORD '{PASSWORD}'")
    yield server
    with server.root() as root:
        root.execute("DROP SCHEMA fn CASCADE")
        root.execute("DROP USER fiona, finn")


def test_a_function_reads_the_own_rows_of_who_calls_it(schema: KalamServer) -> None:
    with schema.root() as root:
        root.execute("CREATE TABLE fn.notes (id int PRIMARY KEY, t text) WITH (TYPE = 'USER')")
        root.execute(
            "CREATE FUNCTION fn.mine() RETURNS SETOF text LANGUAGE sql AS "
            "'SELECT t FROM fn.notes ORDER BY id'"
        )
        root.execute(
            "CREATE FUNCTION fn.note(i int) RETURNS text BEGIN ATOMIC "
            "SELECT t FROM fn.notes WHERE id = i; END"
        )
    for name in ("fiona", "finn"):
        with schema.connect(name) as user:
            user.execute("INSERT INTO fn.notes VALUES (1, %s)", (f"{name}'s",))
            assert user.execute("SELECT fn.note(1), fn.note(2)").fetchall() == [(f"{name}'s", None)]
            assert user.execute("SELECT * FROM fn.mine()").fetchall() == [(f"{name}'s",)]


def test_execute_can_be_revoked_also_of_what_another_function_calls(schema: KalamServer) -> None:
    with schema.root() as root, schema.connect("fiona") as fiona:
        root.execute("CREATE FUNCTION fn.secret() RETURNS int LANGUAGE sql AS 'SELECT 7'")
        root.execute("CREATE FUNCTION fn.around() RETURNS int LANGUAGE sql AS 'SELECT fn.secret()'")
        asked = "SELECT fn.around()"
        assert fiona.execute(asked, prepare=True).fetchone() == (7,)
        root.execute("REVOKE EXECUTE ON FUNCTION fn.secret FROM PUBLIC")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="for function secret"):
            fiona.execute(asked, prepare=True)
        root.execute("GRANT EXECUTE ON FUNCTION fn.secret() TO fiona")
        assert fiona.execute(asked, prepare=True).fetchone() == (7,)
        for refused in (
            "CREATE FUNCTION fn.own() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "DROP FUNCTION fn.secret()",
            "ALTER FUNCTION fn.secret() STABLE",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                fiona.execute(refused)


def test_a_replaced_function_is_what_prepared_statements_call(schema: KalamServer) -> None:
    with schema.root() as one, schema.root() as two:
        one.execute("CREATE FUNCTION fn.f(a int) RETURNS int LANGUAGE sql AS 'SELECT a + 1'")
        one.execute("CREATE VIEW fn.v AS SELECT fn.f(1) AS x")
        asked = "SELECT fn.f(%s::int), x FROM fn.v"
        assert two.execute(asked, (1,), prepare=True).fetchone() == (2, 2)
        with one.transaction():
            one.execute(
                "CREATE OR REPLACE FUNCTION fn.f(a int) RETURNS int LANGUAGE sql AS 'SELECT a * 10'"
            )
            assert one.execute(asked, (1,)).fetchone() == (10, 10)
            assert two.execute(asked, (1,), prepare=True).fetchone() == (2, 2)
        assert two.execute(asked, (1,), prepare=True).fetchone() == (10, 10)


def test_two_sessions_that_make_the_same_function_wait_for_each_other(schema: KalamServer) -> None:
    make = "CREATE FUNCTION fn.g() RETURNS int LANGUAGE sql AS 'SELECT 1'"
    with schema.root() as one, schema.root() as two:
        two.execute("SET lock_timeout = '50ms'")
        with one.transaction():
            one.execute(make)
            with pytest.raises(psycopg.errors.LockNotAvailable):
                two.execute(make)
        with pytest.raises(psycopg.errors.DuplicateFunction):
            two.execute(make)


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO fn.counted SELECT fn.upto() FROM generate_series(1, 3)",
        "INSERT INTO fn.counted VALUES (fn.upto()), (fn.upto())",
        "INSERT INTO fn.counted VALUES (7) RETURNING fn.upto()",
        "UPDATE fn.counted SET n = fn.upto()",
        "DELETE FROM fn.counted WHERE n < fn.upto()",
        "MERGE INTO fn.counted c USING generate_series(1, 3) g ON c.n = g + fn.upto() "
        "WHEN NOT MATCHED THEN INSERT VALUES (g)",
        "WITH w AS (UPDATE fn.counted SET n = fn.upto() RETURNING n) SELECT * FROM w",
    ],
)
def test_a_volatile_function_would_see_what_its_statement_has_changed(
    schema: KalamServer, text: str
) -> None:
    """PostgreSQL's does; here it is refused, but for the one row that is made before any change."""
    with schema.root() as root:
        root.execute("CREATE TABLE fn.counted (n bigint)")
        root.execute(
            "CREATE FUNCTION fn.upto() RETURNS bigint LANGUAGE sql AS "
            "'SELECT coalesce(max(n), 0) + 1 FROM fn.counted'"
        )
        for expected in (1, 2):
            made = root.execute("INSERT INTO fn.counted VALUES (fn.upto()) RETURNING n").fetchall()
            assert made == [(expected,)]
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="upto reads table"):
            root.execute(text)
        root.execute("ALTER FUNCTION fn.upto() STABLE")
        root.execute(text)


def test_a_generated_column_calls_the_function_as_it_is_now(schema: KalamServer) -> None:
    with schema.root() as root:
        root.execute("SET search_path = fn")
        make = "CREATE OR REPLACE FUNCTION f(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x + %s'"
        root.execute(make % 100)
        root.execute(
            "CREATE TABLE g (id int PRIMARY KEY, v int GENERATED ALWAYS AS (f(id)) STORED)"
        )
        root.execute("ALTER TABLE g ADD COLUMN w int GENERATED ALWAYS AS (f(id) * 2) STORED")
        root.execute("INSERT INTO g VALUES (1)")
        root.execute(make % 7)
        root.execute("SET search_path = public")
        root.execute("INSERT INTO fn.g VALUES (2)")
        found = root.execute("SELECT * FROM fn.g ORDER BY id").fetchall()
        assert found == [(1, 101, 202), (2, 9, 18)]
        with pytest.raises(psycopg.errors.DependentObjectsStillExist):
            root.execute("DROP FUNCTION fn.f(int)")


def test_calls_in_calls_are_bounded(schema: KalamServer) -> None:
    with schema.root() as root:
        root.execute("CREATE FUNCTION fn.n0(a int) RETURNS int LANGUAGE sql AS 'SELECT a + 1'")
        for n in range(1, 51):
            root.execute(
                f"CREATE FUNCTION fn.n{n}(a int) RETURNS int LANGUAGE sql "
                f"AS 'SELECT fn.n{n - 1}(a) + 1'"
            )
        assert root.execute("SELECT fn.n50(0)").fetchone() == (51,)
        root.execute("CREATE FUNCTION fn.m0() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        twice = "CREATE FUNCTION fn.m%d() RETURNS int LANGUAGE sql AS 'SELECT fn.m%d() + fn.m%d()'"
        for n in range(1, 8):
            root.execute(twice % (n, n - 1, n - 1))
        assert root.execute("SELECT fn.m7()").fetchone() == (128,)
        with pytest.raises(psycopg.errors.StatementTooComplex):
            root.execute(twice % (8, 7, 7))
        again = "CREATE OR REPLACE FUNCTION fn.m0() RETURNS int LANGUAGE sql AS 'SELECT fn.m1()'"
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="recursive"):
            root.execute(f"{again}; SELECT fn.m0()")


def test_what_is_more_than_a_query_runs_once_or_not_at_all(schema: KalamServer) -> None:
    with schema.root() as root, schema.connect("fiona") as fiona:
        root.execute("CREATE TABLE fn.own (id int PRIMARY KEY) WITH (TYPE = 'USER')")
        root.execute(
            "CREATE FUNCTION fn.put(i int) RETURNS int LANGUAGE sql AS "
            "'INSERT INTO fn.own VALUES (i); SELECT count(*)::int FROM fn.own'"
        )
        root.execute(
            "CREATE PROCEDURE fn.puts(INOUT i int) LANGUAGE sql AS "
            "'SELECT fn.put(i); SELECT fn.put(i + 1)'"
        )
        root.execute("CREATE VIEW fn.v AS SELECT fn.put(1)")
        for refused in (
            "SELECT CASE WHEN true THEN fn.put(1) END",
            "SELECT fn.put(x) FROM generate_series(1, 2) x",
            "SELECT 1 WHERE fn.put(1) > 0",
            "VALUES (fn.put(1)), (2)",
            "UPDATE fn.own SET id = fn.put(1)",
            "SELECT (SELECT fn.put(1))",
            "SELECT * FROM fn.v",
            "EXPLAIN ANALYZE SELECT fn.put(1)",
        ):
            with pytest.raises(psycopg.errors.FeatureNotSupported):
                root.execute(refused)
        assert root.execute("SELECT count(*) FROM fn.own").fetchone() == (0,)
        for n, prepare in enumerate((False, True, True), 1):
            assert fiona.execute("SELECT fn.put(%s)", (n,), prepare=prepare).fetchone() == (n,)
        assert fiona.execute("CALL fn.puts(%s)", (10,)).fetchone() == (5,)
        with pytest.raises(psycopg.errors.UniqueViolation) as told:
            fiona.execute("CALL fn.puts(%s)", (9,))
        assert told.value.diag.context == (
            'SQL function "put" statement 1\nSQL function "puts" statement 2'
        )
        assert fiona.execute("SELECT count(*) FROM fn.own").fetchone() == (5,)
        assert root.execute("SELECT count(*) FROM fn.own").fetchone() == (0,)
        root.execute("CREATE FUNCTION fn.deep() RETURNS void LANGUAGE sql AS ''")
        root.execute(
            "CREATE OR REPLACE FUNCTION fn.deep() RETURNS void LANGUAGE sql AS "
            "'SELECT 1; SELECT fn.deep()'"
        )
        with pytest.raises(psycopg.errors.StatementTooComplex):
            root.execute("SELECT fn.deep()")
        assert root.execute("SELECT 1").fetchone() == (1,)


def test_kill_9(tmp_path: Path) -> None:
    server = KalamServer(tmp_path / "k").start()
    with server.root() as root:
        root.execute("CREATE TABLE t (id int PRIMARY KEY, n int DEFAULT 1)")
        root.execute("INSERT INTO t VALUES (1, 5)")
        root.execute(
            "CREATE FUNCTION f(a int, b int DEFAULT 3, OUT c int, OUT d text) LANGUAGE sql "
            "IMMUTABLE STRICT SET search_path = public AS $$ SELECT a + b, 'x' || a $$"
        )
        root.execute("CREATE FUNCTION g(t) RETURNS int LANGUAGE sql AS 'SELECT $1.n * 2'")
        root.execute("CREATE FUNCTION h() RETURNS bigint BEGIN ATOMIC SELECT sum(n) FROM t; END")
        root.execute("ALTER TABLE t ALTER n SET DEFAULT (f(1)).c, ADD CHECK (g(ROW(id, n)::t) > 0)")
        kept = (
            "SELECT oid, proname, prosrc, proargdefaults, proconfig FROM pg_proc WHERE oid > 16000"
        )
        before = root.execute(f"{kept} ORDER BY 1").fetchall()
        server.kill()
    server = KalamServer(tmp_path / "k").start()
    try:
        with server.root() as root:
            assert root.execute(f"{kept} ORDER BY 1").fetchall() == before
            assert root.execute("SELECT (f(1)).*, g(t), h() FROM t").fetchall() == [
                (4, "x1", 10, 5)
            ]
            root.execute("INSERT INTO t (id) VALUES (2)")
            assert root.execute("SELECT n FROM t WHERE id = 2").fetchone() == (4,)
            with pytest.raises(psycopg.errors.CheckViolation):
                root.execute("INSERT INTO t VALUES (3, -1)")
            with pytest.raises(psycopg.errors.DependentObjectsStillExist):
                root.execute("DROP TABLE t")
    finally:
        server.stop()
