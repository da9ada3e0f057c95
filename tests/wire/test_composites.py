"""Composite types and rows as values: side by side with PostgreSQL 15, hot and cold, and through the drivers."""

# ruff: noqa: E501 -- one statement a line

import asyncio
from datetime import date
from decimal import Decimal

import asyncpg
import pg8000.native
import psycopg
import pytest
from psycopg.types.composite import CompositeInfo, register_composite

from tests.wire.composite_scripts import (
    ALTERED,
    CHANGED,
    DEFINED,
    LATER,
    MADE,
    MORE,
    MORE_ROWS,
    PARTS,
    PASSED,
    QUESTIONS,
    ROWS,
    USED,
)
from tests.wire.server import PASSWORD, KalamServer
from tests.wire.side_by_side import Side, differences


@pytest.fixture
def sides(servers):
    server, theirs = servers
    with server.root() as ours, psycopg.connect(theirs, autocommit=True) as other:
        yield Side(ours), Side(other)


@pytest.mark.slow
@pytest.mark.parametrize(
    "script",
    [USED, ALTERED, PARTS, ROWS, MORE_ROWS, DEFINED, PASSED],
    ids=["used", "altered", "parts", "rows", "more", "defined", "passed"],
)
def test_composite_types_are_postgresqls(sides, script):
    assert differences(sides, script) == []


@pytest.mark.slow
def test_questions_are_answered_alike_hot_and_cold(sides):
    ours, _ = sides
    assert differences(sides, MADE) == []
    ours.ask("STORAGE FLUSH TABLE big")
    assert differences(sides, MORE) == []
    ours.ask("STORAGE FLUSH TABLE big")
    assert differences(sides, CHANGED) == []
    assert differences(sides, QUESTIONS) == []
    ours.ask("STORAGE FLUSH TABLE big")
    assert differences(sides, QUESTIONS) == []
    assert differences(sides, LATER) == []


def points(connection: psycopg.Connection) -> None:
    connection.execute("DROP SCHEMA IF EXISTS app CASCADE")
    connection.execute("CREATE SCHEMA app")
    connection.execute("CREATE TYPE app.point3 AS (x float8, y text, z int)")
    connection.execute(
        "CREATE TYPE app.seg AS (a app.point3, b app.point3[], d date, n numeric(6,2))"
    )
    connection.execute(
        "CREATE TABLE app.r (id int PRIMARY KEY, p app.point3, s app.seg, ps app.point3[])"
    )


@pytest.fixture
def server(servers):
    with servers[0].root() as root:
        points(root)
        yield servers[0]
        root.execute("DROP SCHEMA app CASCADE")


@pytest.mark.parametrize("form", ["%t", "%b"])
def test_psycopg_registers_types_and_tables_and_reads_what_it_wrote(server, form):
    with server.root() as root:
        found = [CompositeInfo.fetch(root, name) for name in ("app.point3", "app.seg", "app.r")]
        assert [info.field_names for info in found if info] == [
            ("x", "y", "z"),
            ("a", "b", "d", "n"),
            ("id", "p", "s", "ps"),
        ]
        for info in found:
            register_composite(info, root)
        point, seg, row = [info.python_type for info in found if info]
        p = point(1.0, 'é "q" \\, (', None)
        s = seg(p, [point(2.0, "", 3), None], date(2020, 1, 2), Decimal("1.50"))
        root.execute(
            f"INSERT INTO app.r VALUES (1, {form}, {form}, {form})", (p, s, [p, point(0.5, "x", 7)])
        )
        for _ in ("hot", "cold"):
            for binary in (False, True):
                asked = root.cursor(binary=binary)
                whole = row(1, p, s, [p, point(0.5, "x", 7)])
                assert asked.execute("SELECT p, s, r FROM app.r r").fetchone() == (p, s, whole)
                back = asked.execute(f"SELECT ({form}).s, pg_typeof({form})::text", (whole, whole))
                assert back.fetchone() == (s, "app.r")
                found_by = asked.execute(f"SELECT id FROM app.r WHERE p = {form}", (p,))
                assert found_by.fetchall() == [(1,)]
            root.execute("STORAGE FLUSH TABLE app.r")
        with root.cursor().copy("COPY app.r (id, p) FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "app.point3"])
            copy.write_row((9, point(9.5, "nine", 9)))
        with root.cursor().copy("COPY (SELECT p FROM app.r WHERE id = 9) TO STDOUT") as copy:
            assert list(copy.rows()) == [("(9.5,nine,9)",)]


def test_asyncpg_finds_the_types_by_itself(server):
    async def talk() -> None:
        connection = await asyncpg.connect(
            host=str(server.directory), port=server.port, user="root", database="kalam"
        )
        try:
            seg = ((1.0, "s", 2), [(3.0, "t", 4), None], None, Decimal("2.00"))
            put = "INSERT INTO app.r VALUES ($1, $2, $3, $4)"
            await connection.execute(put, 20, (2.0, "async", None), seg, [])
            row = await connection.fetchrow(
                "SELECT p, s, ps, r FROM app.r r WHERE p = $1::app.point3", (2.0, "async", None)
            )
            assert tuple(row[0]) == (2.0, "async", None)
            assert [tuple(row[1]["a"]), row[1]["b"][1], row[1]["n"]] == [
                (1.0, "s", 2),
                None,
                Decimal("2.00"),
            ]
            assert row[3]["p"]["y"] == "async"
            with pytest.raises(asyncpg.DatatypeMismatchError):
                await connection.execute(put, 21, (2.0, "one too few"), None, [])
            await connection.set_type_codec(
                "point3", schema="app", format="tuple",
                encoder=lambda v: (v, "enc", 1), decoder=lambda v: f"point {tuple(v)}",
            )  # fmt: skip
            assert (
                await connection.fetchval("SELECT $1::app.point3", 4.5) == "point (4.5, 'enc', 1)"
            )
        finally:
            await connection.close()

    asyncio.run(talk())


def test_pg8000_writes_and_reads_texts(server):
    with server.root() as root:
        root.execute("DROP USER IF EXISTS pointer")
        root.execute(f"CREATE USER pointer WITH PASSWORD '{PASSWORD}' ROLE 'dba'")
    connection = pg8000.native.Connection(
        "pointer", host="127.0.0.1", port=server.port, database="kalam", password=PASSWORD
    )
    try:
        connection.run("INSERT INTO app.r (id, p) VALUES (:i, :p)", i=30, p=(1.5, "pg8000", 4))
        row = connection.run("SELECT p, (p).y, p = row(1.5::float8, 'pg8000'::text, 4) FROM app.r")
        assert row == [["(1.5,pg8000,4)", "pg8000", True]]
    finally:
        connection.close()


BAD = {
    "22P03": b"\0\0\0",
    "42804": b"\0\0\0\1\0\0\0\x17\0\0\0\4\0\0\0\1",
}


@pytest.mark.parametrize("sqlstate", BAD)
def test_bytes_that_are_no_row_are_refused(server, sqlstate):
    with server.root() as root:
        row = root.execute("SELECT 'app.point3'::regtype::oid").fetchone()
        assert row is not None
        answer = root.pgconn.exec_params(
            b"SELECT $1", [BAD[sqlstate]], param_types=[row[0]], param_formats=[1]
        )
        assert answer.error_field(psycopg.pq.DiagnosticField.SQLSTATE) == sqlstate.encode()
        assert root.execute("SELECT 1").fetchone() == (1,)


def test_a_statement_prepared_before_sees_an_attribute_that_another_session_adds(server):
    with server.root() as root, server.root() as other:
        ask, put = "SELECT p FROM app.r ORDER BY id", "INSERT INTO app.r (id, p) VALUES (%s, %s)"
        root.execute(put, (1, "(1,a,2)"), prepare=True)
        assert root.execute(ask, prepare=True).fetchall() == [("(1,a,2)",)]
        other.execute("ALTER TYPE app.point3 ADD ATTRIBUTE w bool, DROP ATTRIBUTE y")
        assert root.execute(ask, prepare=True).fetchall() == [("(1,2,)",)]
        root.execute(put, (2, "(2,3,t)"), prepare=True)
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            root.execute(put, (3, "(1,a,2)"), prepare=True)
        assert root.execute(ask, prepare=True).fetchall() == [("(1,2,)",), ("(2,3,t)",)]


def test_rows_in_rows_whose_quotes_would_double_without_end_are_refused(server):
    with server.root() as root:
        root.execute("CREATE TYPE app.in0 AS (a text)")
        value = "row('\"')"
        for at in range(1, 40):
            root.execute(f"CREATE TYPE app.in{at} AS (p app.in{at - 1}, q int)")  # type: ignore[arg-type]
            value = f"row({value}, 1)"
        with pytest.raises(psycopg.errors.ProgramLimitExceeded):
            root.execute(f"SELECT {value}::app.in39")  # type: ignore[arg-type]
        assert root.execute(f"SELECT ({value}::app.in39).q").fetchone() == (1,)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "first", ["DROP TYPE app.part", "ALTER TYPE app.part ALTER ATTRIBUTE n TYPE text"]
)
def test_what_others_are_being_made_of_does_not_change_meanwhile(server, first):
    with server.root() as root, server.root() as other:
        root.execute("CREATE TYPE app.part AS (n int)")
        if first.startswith("ALTER"):
            root.execute("CREATE TYPE app.whole AS (p app.part)")
            second = ["CREATE TABLE app.t (w app.whole)"]
        else:
            second = ["CREATE TYPE app.whole AS (p app.part)", "CREATE DOMAIN app.d AS app.part"]
        other.execute("SET lock_timeout = '50ms'")
        root.execute("BEGIN")
        root.execute(first)  # type: ignore[arg-type]
        for statement in second:
            with pytest.raises(psycopg.errors.LockNotAvailable):
                other.execute(statement)  # type: ignore[arg-type]
        root.execute("ROLLBACK")
        for statement in second:
            other.execute(statement)  # type: ignore[arg-type]


def test_types_and_rows_of_every_kind_of_table_are_kept_over_kill_and_restart(tmp_path):
    server = KalamServer(tmp_path / "data").start()
    try:
        with server.root() as root:
            root.execute(f"CREATE USER anna WITH PASSWORD '{PASSWORD}'")
            root.execute("CREATE TYPE outside AS (n int)")
            root.execute("CREATE TYPE item AS (name text, at timestamptz)")
            root.execute("ALTER TYPE outside ADD ATTRIBUTE items item[]")  # made of a later type
            root.execute("CREATE DOMAIN named AS item CHECK ((VALUE).name <> '')")
            root.execute("CREATE USER TABLE mine (id int PRIMARY KEY, o outside, d named)")
            root.execute("CREATE SHARED TABLE ours (id int PRIMARY KEY, o outside)")
            root.execute(
                "CREATE STREAM TABLE runs (id int PRIMARY KEY, o outside) WITH (TTL_SECONDS = 600)"
            )
        value = r'(1,"{""(a,\\""2020-01-02 00:00:00+00\\"")"",NULL}")'
        with server.connect("anna", autocommit=True) as anna:
            for table in ("mine", "runs"):
                anna.execute(f"INSERT INTO {table} (id, o) VALUES (1, %s)", (value,))  # type: ignore[arg-type]
                assert anna.execute(f"SELECT o, (o).items[1].name FROM {table}").fetchall() == [
                    (value, "a")
                ]  # type: ignore[arg-type]
            with pytest.raises(psycopg.errors.CheckViolation):
                anna.execute("INSERT INTO mine (id, d) VALUES (2, row('', null))")
        with server.root() as root:
            root.execute("INSERT INTO ours VALUES (1, %s), (2, row(2, null))", (value,))
            root.execute("STORAGE FLUSH TABLE ours")
            root.execute("UPDATE ours SET o.n = 3 WHERE id = 2")
            assert root.execute("SELECT * FROM mine").fetchall() == []
        server.kill()
        server.start()
        with server.root() as root:
            asked = "SELECT o FROM ours ORDER BY id"
            assert root.execute(asked).fetchall() == [(value,), ("(3,)",)]
            root.execute("ALTER TYPE item RENAME ATTRIBUTE at TO moment")
            asked = "SELECT (o).items[1].moment IS NULL FROM ours WHERE id = 1"
            assert root.execute(asked).fetchall() == [(False,)]
            with pytest.raises(psycopg.errors.DependentObjectsStillExist) as told:
                root.execute("DROP TYPE item")
            assert "column items of composite type outside depends on type item[]" in str(
                told.value.diag.message_detail
            )
        with server.connect("anna", autocommit=True) as anna:
            assert anna.execute("SELECT o FROM mine").fetchall() == [(value,)]
    finally:
        server.stop()


def test_rows_that_a_worker_made_are_read_by_a_cursor(server):
    with server.root() as root:
        root.execute("CREATE TYPE app.mood AS ENUM ('sad', 'glad')")
        root.execute(
            "CREATE TABLE app.m (id int PRIMARY KEY, m app.mood, ms app.mood[], p app.point3)"
        )
        root.execute("INSERT INTO app.m VALUES (1, 'glad', '[0:1]={sad,glad}', (1, 'x', 2))")
        root.execute("SET kalam.in_process_queries = off")
        made = "ROW(o.m, o.ms, o.p, o, ROW('a', o.p, '[3:3]={7}'::int[]))"
        beside = "(SELECT i.id FROM app.m i WHERE i.id >= o.id ORDER BY i.id LIMIT 1)"
        with root.transaction():
            root.execute(f"DECLARE c CURSOR FOR SELECT {made}::text, {made}, {beside} FROM app.m o")
            ((text, *_),) = root.execute("FETCH ALL FROM c").fetchall()
            asked = root.cursor().execute(
                f"DECLARE d CURSOR FOR SELECT {made}, ARRAY[ROW(o.p, 1)], {beside} FROM app.m o"
            )
            asked.execute("FETCH ALL FROM d")
            result = asked.pgresult
            assert result is not None
            assert result.get_value(0, 0) == text.encode()
            assert result.get_value(0, 1) == b'{"(\\"(1,x,2)\\",1)"}'
