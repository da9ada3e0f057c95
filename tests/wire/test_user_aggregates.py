"""Aggregates that people make, by what a file of statements cannot show: who calls, bounds, kill -9.

What they answer is in `conformance/files/own/aggregates_of_people.sql`, beside PostgreSQL.
"""

from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import psycopg
import pytest

from tests.wire.server import PASSWORD, KalamServer


@pytest.fixture
def schema(server: KalamServer) -> Iterator[KalamServer]:
    with server.root() as root:
        root.execute("CREATE SCHEMA ag")
        for name in ("anne", "arno"):
            root.execute(f"CREATE USER {name} PASSWORD '{PASSWORD}'")
        root.execute(
            "CREATE FUNCTION ag.joined(text, text) RETURNS text LANGUAGE sql "
            "AS $$ SELECT concat_ws(',', $1, $2) $$"
        )
        root.execute("CREATE AGGREGATE ag.list (text) (sfunc = ag.joined, stype = text)")
    yield server
    with server.root() as root:
        root.execute("DROP SCHEMA ag CASCADE")
        root.execute("DROP USER anne, arno")


@pytest.mark.parametrize("kind", ["USER", "SHARED"])
def test_hot_and_cold_rows_are_answered_alike(schema: KalamServer, kind: str) -> None:
    with schema.root() as root:
        root.execute(
            f"CREATE TABLE ag.t (id int PRIMARY KEY, g int, s text) WITH (TYPE = '{kind}')"
        )
        root.execute("INSERT INTO ag.t SELECT i, i % 7, 'v' || i FROM generate_series(1, 5000) i")
        asked = (
            "SELECT g, md5(ag.list(s ORDER BY id DESC)), ag.list(DISTINCT s ORDER BY s) FILTER "
            "(WHERE id < 40) FROM ag.t GROUP BY g ORDER BY g",
            "SELECT id, ag.list(s) OVER (PARTITION BY g ORDER BY id ROWS 2 PRECEDING) FROM ag.t "
            "ORDER BY id LIMIT 50",
            "SELECT g FROM ag.t GROUP BY g HAVING ag.list(s ORDER BY id) LIKE 'v3,%' ORDER BY g",
            "SELECT (SELECT ag.list(u.s ORDER BY u.id) FROM ag.t u WHERE u.id BETWEEN t.id AND "
            "t.id + 2) FROM ag.t t WHERE id < 30 ORDER BY id",
        )
        hot = [root.execute(text).fetchall() for text in asked]
        assert hot[0][0][2] == "v14,v21,v28,v35,v7"
        assert hot[2] == [(3,)]
        root.execute("STORAGE FLUSH TABLE ag.t")
        root.execute("UPDATE ag.t SET s = s WHERE id % 50 = 0")
        assert [root.execute(text).fetchall() for text in asked] == hot
        assert [root.execute(text, prepare=True).fetchall() for text in asked] == hot


def test_a_frame_that_grows_is_gone_over_once(schema: KalamServer) -> None:
    """A state for each of 20 000 rows anew would take 200 million steps."""
    with schema.root() as root:
        root.execute("CREATE AGGREGATE ag.sum (int) (sfunc = int4_sum, stype = int8)")
        root.execute("SET statement_timeout = '20s'")
        asked = (
            "SELECT sum(a), max(a), count(*) FILTER (WHERE a = x * (x + 1) / 2) FROM (SELECT x, "
            "ag.sum(x) OVER (ORDER BY x) AS a FROM generate_series(1, 20000) x) s"
        )
        assert root.execute(asked).fetchone() == (1333533340000, 200010000, 20000)


def test_explain_shows_it_with_its_schema(schema: KalamServer) -> None:
    with schema.root() as root:
        root.execute("CREATE TABLE ag.t (id int PRIMARY KEY, s text)")
        plan = root.execute("EXPLAIN VERBOSE SELECT ag.list(s ORDER BY id) FROM ag.t").fetchall()
        assert "ag.list(s ORDER BY id)" in "\n".join([line for (line,) in plan])


def test_it_is_of_the_own_rows_of_who_calls_it(schema: KalamServer) -> None:
    with schema.root() as root:
        root.execute("CREATE TABLE ag.own (id int PRIMARY KEY, t text) WITH (TYPE = 'USER')")
        root.execute("CREATE VIEW ag.mine AS SELECT ag.list(t ORDER BY id) AS l FROM ag.own")
    for name in ("anne", "arno"):
        with schema.connect(name) as user:
            user.execute("INSERT INTO ag.own VALUES (1, %s), (2, 'x')", (name,))
            assert user.execute("SELECT l FROM ag.mine").fetchone() == (f"{name},x",)


def test_who_calls_it_needs_no_right_on_its_functions(schema: KalamServer) -> None:
    with schema.root() as root, schema.connect("anne") as anne:
        asked = "SELECT ag.list(x::text) FROM generate_series(1, 3) x"
        root.execute("REVOKE EXECUTE ON FUNCTION ag.joined FROM PUBLIC")
        assert anne.execute(asked, prepare=True).fetchone() == ("1,2,3",)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="for function joined"):
            anne.execute("SELECT ag.joined('a', 'b')")
        root.execute("REVOKE EXECUTE ON FUNCTION ag.list(text) FROM PUBLIC")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="for aggregate list"):
            anne.execute(asked, prepare=True)
        root.execute("GRANT EXECUTE ON FUNCTION ag.list(text) TO anne")
        assert anne.execute(asked, prepare=True).fetchone() == ("1,2,3",)
        root.execute("GRANT CREATE ON SCHEMA ag TO anne")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="for function joined"):
            anne.execute("CREATE AGGREGATE ag.own (text) (sfunc = ag.joined, stype = text)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="owner of aggregate list"):
            anne.execute("DROP AGGREGATE ag.list (text)")


def test_a_replaced_function_is_what_prepared_statements_use(schema: KalamServer) -> None:
    asked = "SELECT ag.list(x::text) FROM generate_series(1, 2) x"
    with schema.root() as one, schema.root() as two:
        assert two.execute(asked, prepare=True).fetchone() == ("1,2",)
        with one.transaction():
            one.execute(
                "CREATE OR REPLACE FUNCTION ag.joined(text, text) RETURNS text LANGUAGE sql STRICT "
                "AS $$ SELECT $2 || $1 $$"
            )
            assert one.execute(asked).fetchone() == ("21",)
            assert two.execute(asked, prepare=True).fetchone() == ("1,2",)
        assert two.execute(asked, prepare=True).fetchone() == ("21",)


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ("SELECT $1 + random()::int", "volatile"),
        ("SELECT $1 + (SELECT count(*)::int FROM ag.rows)", "reads rows"),
        ("SELECT $1 + current_setting('work_mem')::int", "asks the session"),
        ("SELECT 1; SELECT $1", "not a single query"),
        ("INSERT INTO ag.rows VALUES ($1) RETURNING 1", "not a single query"),
    ],
)
def test_what_asks_more_than_a_state_and_a_row_is_refused(
    schema: KalamServer, steps: str, why: str
) -> None:
    with schema.root() as root:
        root.execute("CREATE TABLE ag.rows (n int)")
        root.execute(f"CREATE FUNCTION ag.step(int, int) RETURNS int LANGUAGE sql AS $${steps}$$")
        with pytest.raises(psycopg.errors.FeatureNotSupported) as told:
            root.execute("CREATE AGGREGATE ag.bad (int) (sfunc = ag.step, stype = int)")
        assert why in (told.value.diag.message_detail or "")
        # Nor when the function comes to do so only later.
        root.execute(
            "CREATE OR REPLACE FUNCTION ag.step(int, int) RETURNS int LANGUAGE sql AS 'SELECT $1'"
        )
        root.execute("CREATE AGGREGATE ag.bad (int) (sfunc = ag.step, stype = int)")
        root.execute(
            f"CREATE OR REPLACE FUNCTION ag.step(int, int) RETURNS int LANGUAGE sql AS $${steps}$$"
        )
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            root.execute("SELECT ag.bad(1)")


def test_a_function_that_calls_its_own_aggregate_is_refused(schema: KalamServer) -> None:
    with schema.root() as root:
        root.execute(
            "CREATE OR REPLACE FUNCTION ag.joined(text, text) RETURNS text LANGUAGE sql "
            "AS 'SELECT ag.list(x) FROM (VALUES ($1), ($2)) v(x)'"
        )
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="recursive"):
            root.execute("SELECT ag.list('a')")


DOUBLED = (
    "CREATE FUNCTION ag.doubled(text, int) RETURNS text LANGUAGE sql AS 'SELECT $1 || $1'",
    "CREATE AGGREGATE ag.grown (int) (sfunc = ag.doubled, stype = text, initcond = 'xxxxxxxx')",
    "CREATE TABLE ag.few AS SELECT i FROM generate_series(1, 60) i",
)


@pytest.mark.parametrize(
    "asked",
    [
        "SELECT length(ag.grown(i)) FROM ag.few",
        "SELECT length(ag.grown(a.attnum)), max(pg_get_userbyid(10)) FROM pg_attribute a",
    ],
)
def test_a_state_that_grows_for_ever_ends_its_statement_only(
    schema: KalamServer, asked: str
) -> None:
    with schema.root() as root, schema.root() as other:
        for text in DOUBLED:
            root.execute(text)
        root.pgconn.send_query(asked.encode())
        waits = []
        while root.pgconn.is_busy():
            began = monotonic()
            assert other.execute("SELECT 1").fetchone() == (1,)
            waits.append(monotonic() - began)
            root.pgconn.consume_input()
        result = root.pgconn.get_result()
        assert result is not None
        state = result.error_field(psycopg.pq.DiagnosticField.SQLSTATE)
        assert state in (b"53200", b"54000", b"0A000", b"57014")
        assert root.pgconn.get_result() is None
        assert max(waits, default=0) < 0.5
        assert root.execute("SELECT 2").fetchone() == (2,)


def test_a_long_one_can_be_cancelled_while_others_are_answered(schema: KalamServer) -> None:
    with schema.root() as busy, schema.root() as other:
        busy.execute(
            "CREATE FUNCTION ag.slow(int, int) RETURNS int LANGUAGE sql AS "
            "'SELECT $1 + count(*)::int FROM generate_series(1, 1000 + $2 % 2)'"
        )
        busy.execute(
            "CREATE AGGREGATE ag.slowly (int) (sfunc = ag.slow, stype = int, initcond = 0)"
        )
        busy.pgconn.send_query(b"SELECT ag.slowly(x) FROM generate_series(1, 3000000) x")
        assert other.execute("SELECT ag.slowly(x) FROM generate_series(1, 3) x").fetchone() == (
            3002,
        )
        busy.cancel_safe()
        result = busy.pgconn.get_result()
        assert result is not None
        assert result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) == b"57014"
        assert busy.pgconn.get_result() is None
        assert busy.execute("SELECT 2").fetchone() == (2,)


def test_two_sessions_that_make_the_same_one_wait_for_each_other(schema: KalamServer) -> None:
    make = "CREATE AGGREGATE ag.more (int) (sfunc = int4pl, stype = int)"
    with schema.root() as one, schema.root() as two:
        two.execute("SET lock_timeout = '50ms'")
        with one.transaction():
            one.execute(make)
            with pytest.raises(psycopg.errors.LockNotAvailable):
                two.execute(make)
        with pytest.raises(psycopg.errors.DuplicateFunction):
            two.execute(make)
        with two.transaction(force_rollback=True):
            two.execute("DROP AGGREGATE ag.more (int)")
            with pytest.raises(psycopg.errors.UndefinedFunction), two.transaction():
                two.execute("SELECT ag.more(1)")
        assert two.execute("SELECT ag.more(1)").fetchone() == (1,)


def test_kill_9(tmp_path: Path) -> None:
    server = KalamServer(tmp_path / "k").start()
    kept = "SELECT * FROM pg_aggregate WHERE aggfnoid > 16000 ORDER BY 1"
    asked = "SELECT total(x), moved(x), list(x::text) FROM generate_series(1, 4) x"
    with server.root() as root:
        root.execute(
            "CREATE FUNCTION joined(text, text) RETURNS text LANGUAGE sql AS $$ SELECT $1 || $2 $$"
        )
        root.execute(
            "CREATE AGGREGATE list (text) (sfunc = joined, stype = text, initcond = '>', sspace = 9)"
        )
        root.execute(
            "CREATE AGGREGATE total (int) (sfunc = int4pl, stype = int, combinefunc = int4pl)"
        )
        root.execute(
            "CREATE AGGREGATE moved (int) (sfunc = int4pl, stype = int, mstype = int, msfunc = int4pl, "
            "minvfunc = int4mi, minitcond = 7)"
        )
        rows, answer = root.execute(kept).fetchall(), root.execute(asked).fetchone()
        assert answer == (10, 10, ">1234")
        server.kill()
    server = KalamServer(tmp_path / "k").start()
    try:
        with server.root() as root:
            assert root.execute(kept).fetchall() == rows
            assert root.execute(asked).fetchone() == answer
            with pytest.raises(psycopg.errors.DependentObjectsStillExist):
                root.execute("DROP FUNCTION joined(text, text)")
    finally:
        server.stop()
