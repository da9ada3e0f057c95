"""kalam_pg.embed: the same SQL in process, from synchronous code."""

import os
import subprocess
import sys
import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from buenavista.core import BVType, Connection, QueryResult, Session

from kalam_pg import embed
from kalam_pg.config import ConfigError
from kalam_pg.query import virtual
from storage.errors import DirectoryInUseError, KalamError

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "embed.py"
ENDLESS = "SELECT count(*) FROM generate_series(1, 100000) g, generate_series(1, 10000000) h"


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    with embed.open(tmp_path_factory.mktemp("embed") / "data", workers=1) as database:
        with database.connect().create_session() as root:
            root.execute_sql(
                """CREATE NAMESPACE chat;
                CREATE TABLE chat.messages (id INT PRIMARY KEY, t TEXT) WITH (TYPE = 'USER');
                CREATE TABLE chat.notes (id INT PRIMARY KEY, t TEXT) WITH (TYPE = 'SHARED');
                CREATE USER alice WITH PASSWORD 'a password';
                CREATE USER bob WITH PASSWORD 'a password'"""
            )
        yield database


@pytest.fixture
def root(database):
    with database.connect("root").create_session() as session:
        yield session


@pytest.fixture
def alice(database):
    with database.connect("alice").create_session() as session:
        session.execute_sql("DELETE FROM chat.messages")
        yield session


def rows(session, sql, params=None):
    return [tuple(row) for row in session.execute_sql(sql, params).rows()]


def error(session, sql, params=None):
    with pytest.raises(KalamError) as caught:
        session.execute_sql(sql, params)
    return caught.value


# ---------------------------------------------------------------------- opening and closing


@pytest.mark.slow
def test_what_was_committed_is_there_when_it_is_opened_again(tmp_path):
    for opening in range(2):
        with embed.open(tmp_path / "new" / "data", workers=1) as database:
            session = database.connect("root").create_session()
            if opening == 0:
                session.execute_sql("CREATE TABLE t (id INT PRIMARY KEY)")
                session.execute_sql("INSERT INTO t VALUES (1)")
                session.execute_sql("BEGIN; INSERT INTO t VALUES (2)")
            else:
                assert rows(session, "SELECT id FROM t") == [(1,)]


@pytest.mark.slow
def test_a_second_opener_is_told_that_the_directory_is_in_use(database, tmp_path):
    with embed.open(tmp_path / "data", workers=1):
        for _ in range(2):
            with pytest.raises(DirectoryInUseError):
                embed.open(tmp_path / "data")
    embed.open(str(tmp_path / "data"), workers=1).close()


@pytest.mark.slow
def test_what_is_used_after_close_says_so(tmp_path):
    database = embed.open(tmp_path / "data", workers=1)
    connection = database.connect("root")
    session = connection.create_session()
    database.close()
    database.close()
    for use in (
        lambda: session.execute_sql("SELECT 1"),
        lambda: database.connect("root"),
        connection.create_session,
        session.cancel,
    ):
        with pytest.raises(KalamError, match="database is closed") as caught:
            use()
        assert caught.value.sqlstate == "57P01"
    session.close()
    connection.close_session(session)


@pytest.mark.slow
def test_closing_ends_a_statement_that_runs(tmp_path):
    database = embed.open(tmp_path / "data", workers=1)
    session = database.connect("root").create_session()
    caught = []

    def run():
        try:
            session.execute_sql(ENDLESS)
        except KalamError as exc:
            caught.append(exc.sqlstate)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until_running(session)
    database.close()
    thread.join(10)
    assert caught in (["57014"], ["57P01"])


def wait_until_running(session):
    while session._waiting is None:
        pass


@pytest.mark.parametrize("setting", [{"wrokers": 1}, {"workers": 0}, {"workers": "many"}])
def test_a_setting_that_is_unknown_or_bad_is_an_error(tmp_path, setting):
    with pytest.raises(ConfigError, match=next(iter(setting))):
        embed.open(tmp_path / "data", **setting)
    assert not (tmp_path / "data").exists()


# ---------------------------------------------------------------------- roles


def test_a_connection_is_a_role_and_sees_that_roles_rows(database, alice):
    assert rows(alice, "SELECT current_user, session_user") == [("alice", "alice")]
    alice.execute_sql("INSERT INTO chat.messages VALUES (1, 'mine')")
    bob = database.connect("bob").create_session()
    assert rows(bob, "SELECT * FROM chat.messages") == []
    assert rows(alice, "SELECT * FROM chat.messages") == [(1, "mine")]
    assert error(alice, "CREATE NAMESPACE n").sqlstate == "42501"
    assert error(alice, "INSERT INTO chat.notes VALUES (1, 'x')").sqlstate == "42501"


def test_a_role_that_does_not_exist_cannot_connect(database, root):
    with pytest.raises(KalamError, match='role "nobody" does not exist') as caught:
        database.connect("nobody")
    assert caught.value.sqlstate == "28000"
    root.execute_sql("CREATE USER gone WITH PASSWORD 'a password'")
    session = database.connect("gone").create_session()
    root.execute_sql("DROP USER gone")
    assert error(session, "SELECT 1").sqlstate == "57P01"
    with pytest.raises(KalamError, match='role "gone" does not exist'):
        database.connect("gone")


def test_it_is_buena_vistas_connection_session_and_result(database):
    connection = database.connect("alice")
    session = connection.create_session()
    result = session.execute_sql(
        "SELECT 1 AS one, 'x' AS text, 1.5::float8, true, 7::bigint, now()"
    )
    assert isinstance(connection, Connection)
    assert isinstance(session, Session)
    assert isinstance(result, QueryResult)
    assert session.cursor() is session
    assert connection.get_session(session.id) is session
    assert result.column(0) == ("one", BVType.INTEGER)
    assert [result.column(i)[1] for i in range(1, result.column_count())] == [
        BVType.TEXT, BVType.FLOAT, BVType.BOOL, BVType.BIGINT, BVType.TEXT,
    ]  # fmt: skip
    connection.close_session(session)
    assert connection.get_session(session.id) is None
    assert error(session, "SELECT 1").message == "the session is closed"


# ---------------------------------------------------------------------- statements


def test_a_result_has_names_types_rows_and_a_tag(alice):
    inserted = alice.execute_sql("INSERT INTO chat.messages VALUES (1, 'a'), (2, NULL)")
    assert (inserted.has_results(), inserted.status()) == (False, "INSERT 0 2")
    result = alice.execute_sql("SELECT id, t, id + 0.5 AS half FROM chat.messages ORDER BY id")
    assert result.has_results()
    assert [(c.name, c.type.name) for c in result.columns] == [
        ("id", "int4"), ("t", "text"), ("half", "numeric"),
    ]  # fmt: skip
    assert list(result.rows()) == [[1, "a", "1.5"], [2, None, "2.5"]]
    assert list(result.text_rows()) == [("1", "a", "1.5"), ("2", None, "2.5")]
    assert result.stored_rows()[0] == (1, "a", "1.5")
    assert result.status() == "SELECT 2"
    assert alice.execute_sql("").status() == ""


def test_a_big_result_comes_whole(alice):
    result = alice.execute_sql("SELECT g, g::text FROM generate_series(1, 20000) g")
    assert [row[0] for row in result.rows()] == list(range(1, 20001))


def test_the_statements_of_a_text_are_one_transaction(alice):
    failed = error(alice, "INSERT INTO chat.messages VALUES (1, 'a'); SELECT 1/0")
    assert (failed.sqlstate, failed.message) == ("22012", "division by zero")
    assert rows(alice, "SELECT * FROM chat.messages") == []
    assert not alice.in_transaction()


def test_a_block_lasts_until_its_end_and_fails_as_a_whole(database, alice):
    other = database.connect("alice").create_session()
    alice.execute_sql("BEGIN")
    assert alice.in_transaction()
    alice.execute_sql("INSERT INTO chat.messages VALUES (1, 'a')")
    assert rows(alice, "SELECT id FROM chat.messages") == [(1,)]
    assert rows(other, "SELECT id FROM chat.messages") == []
    assert alice.execute_sql("COMMIT").status() == "COMMIT"
    assert rows(other, "SELECT id FROM chat.messages") == [(1,)]

    alice.execute_sql("BEGIN; DELETE FROM chat.messages")
    assert error(alice, "SELECT nonsense").sqlstate == "42703"
    assert error(alice, "SELECT 1").sqlstate == "25P02"
    assert alice.execute_sql("COMMIT").status() == "ROLLBACK"
    assert rows(alice, "SELECT id FROM chat.messages") == [(1,)]


def test_closing_a_session_rolls_back(database, alice):
    other = database.connect("alice").create_session()
    other.execute_sql("BEGIN; INSERT INTO chat.messages VALUES (1, 'a')")
    other.close()
    other.close()
    assert rows(alice, "SELECT id FROM chat.messages") == []


def test_errors_have_sqlstate_words_and_position(alice):
    syntax = error(alice, "SELECT 1; SELECT * FORM chat.messages")
    assert (syntax.sqlstate, syntax.message) == ("42601", 'syntax error at or near "FORM"')
    missing = error(alice, "SELECT 1; SELECT x FROM chat.messages")
    assert (missing.sqlstate, missing.position) == ("42703", 18)
    alice.execute_sql("INSERT INTO chat.messages VALUES (1, 'a')")
    twice = error(alice, "INSERT INTO chat.messages VALUES (1, 'b')")
    assert (twice.sqlstate, twice.detail) == ("23505", "Key (id)=(1) already exists.")


def test_notices_come_with_the_result(alice):
    result = alice.execute_sql("BEGIN; BEGIN; SELECT 1")
    (notice,) = result.notices
    assert (notice.severity, notice.sqlstate) == ("WARNING", "25001")
    assert alice.execute_sql("ROLLBACK").notices == ()


def test_parameters_are_text_or_python_values(alice):
    alice.execute_sql("INSERT INTO chat.messages VALUES ($1, $2)", ["1", None])
    alice.execute_sql("INSERT INTO chat.messages VALUES ($1, $2)", [2, "b"])
    assert rows(alice, "SELECT * FROM chat.messages WHERE id = $1", [2]) == [(2, "b")]
    assert rows(alice, "SELECT id FROM chat.messages WHERE id = ANY($1) ORDER BY 1", [[1, 2]]) == [
        (1,), (2,),
    ]  # fmt: skip
    assert error(alice, "SELECT $1::int", ["x"]).sqlstate == "22P02"
    assert error(alice, "SELECT $1::int", []).sqlstate == "08P01"
    assert error(alice, "SELECT 1", [1]).sqlstate == "08P01"
    assert error(alice, "SELECT 1; SELECT 2", [1]).sqlstate == "42601"


@pytest.mark.parametrize(
    ("type_", "value", "text"),
    [
        ("bool", True, "t"),
        ("int8", -(2**63), "-9223372036854775808"),
        ("float8", 0.1, "0.1"),
        ("float8", float("inf"), "Infinity"),
        ("numeric", Decimal("1.50"), "1.50"),
        ("text", 'it\'s "é"', 'it\'s "é"'),
        ("bytea", b"\x00\xff", "\\x00ff"),
        ("date", date(2024, 2, 29), "2024-02-29"),
        (
            "timestamp",
            datetime(2024, 2, 29, 1, 2, 3, 4),  # noqa: DTZ001
            "2024-02-29 01:02:03.000004",
        ),
        ("timestamptz", datetime(2024, 2, 29, tzinfo=UTC), "2024-02-29 00:00:00+00"),
        ("interval", timedelta(days=-1, seconds=5), "-1 days +00:00:05"),
        ("uuid", UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ("jsonb", {"a": [1, None]}, '{"a": [1, null]}'),
        ("text[]", ["a", None, 'b"\\', "NULL"], '{a,NULL,"b\\"\\\\","NULL"}'),
        ("int[]", [[1, 2], [3, 4]], "{{1,2},{3,4}}"),
        ("int[]", [], "{}"),
    ],
)
def test_a_parameter_of_each_type_arrives(root, type_, value, text):
    ((answer,),) = root.execute_sql(f"SELECT $1::{type_}", [value]).text_rows()
    assert answer == text


# ---------------------------------------------------------------------- threads


def test_sessions_of_many_threads_do_not_disturb_each_other(database, root):
    root.execute_sql("CREATE TABLE counted (id INT PRIMARY KEY, n INT)")
    failures = []

    def work(n):
        try:
            with database.connect("root").create_session() as session:
                for i in range(10):
                    session.execute_sql("INSERT INTO counted VALUES ($1, $2)", [n * 100 + i, n])
                    assert rows(session, "SELECT count(*) FROM counted WHERE n = $1", [n]) == [
                        (i + 1,)
                    ]
        except BaseException as exc:  # noqa: BLE001
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert rows(root, "SELECT count(*) FROM counted") == [(60,)]


def test_one_session_of_two_threads_runs_one_statement_at_a_time(alice):
    statements = [f"INSERT INTO chat.messages VALUES ({n}, 'x')" for n in range(40)]
    threads = [
        threading.Thread(target=lambda part: [alice.execute_sql(s) for s in part], args=(part,))
        for part in (statements[:20], statements[20:])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows(alice, "SELECT count(*) FROM chat.messages") == [(40,)]


def test_a_statement_can_be_cancelled_from_another_thread(database, root):
    caught = []

    def run():
        try:
            root.execute_sql(ENDLESS)
        except KalamError as exc:
            caught.append(exc.sqlstate)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until_running(root)
    root.cancel()
    thread.join(10)
    assert caught == ["57014"]
    assert rows(root, "SELECT 1") == [(1,)]


@pytest.mark.slow
def test_the_example_prints_what_it_should(tmp_path):
    printed = subprocess.run(
        [sys.executable, str(EXAMPLE), str(tmp_path / "data")],
        capture_output=True, text=True, timeout=60, check=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ).stdout  # fmt: skip
    assert printed.splitlines() == [
        "alice SELECT 2 [['user', 'What is a tablet?'],"
        " ['assistant', \"One user's slice of one table.\"]]",
        "bob SELECT 0 []",
        '23514 new row for relation "messages" violates check constraint "messages_tokens_check"',
    ]


def test_a_call_in_a_catalogue_query_that_takes_long_is_a_workers_whenever_it_is_noticed(
    root, monkeypatch
):
    """Here at once, or in the thread that goes on when the rows alone took too long."""
    asked = "SELECT typname FROM pg_type WHERE oid = 16 AND typname <> (2.5 ^ 3000.5)::text"
    for at_once_s in (virtual.AT_ONCE_S, 0.0):
        monkeypatch.setattr(virtual, "AT_ONCE_S", at_once_s)
        assert rows(root, asked) == [("bool",)]
