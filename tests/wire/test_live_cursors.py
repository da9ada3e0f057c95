"""Cursors over subscriptions in one session, statement by statement: what each of them answers."""

import pytest

from tests.wire.raw import SYNC, RawClient, execute, message

pytestmark = pytest.mark.slow

LIFE = [
    # In a block: what is committed, and nothing of the block's own; it ends with what is around it.
    ("BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN"),
    ("SELECT count(*) FROM {t}", "SELECT 1"),
    ("INSERT INTO {t} VALUES (10, 'own')", "INSERT 0 1"),
    ("COMMITTED BY ANOTHER", ""),
    ("DECLARE held CURSOR WITH HOLD FOR SUBSCRIBE TO {t}", "DECLARE CURSOR"),
    ("FETCH 10 FROM held", ["1 a", "2 b", "3 other"]),
    ("SAVEPOINT s", "SAVEPOINT"),
    ("DECLARE inner CURSOR FOR SUBSCRIBE TO {t} OPTIONS (batch_size = 1)", "42601"),
    ("ROLLBACK TO s", "ROLLBACK"),
    ("DECLARE d CURSOR FOR SUBSCRIBE TO {t} OPTIONS (batch_size = 1)", "DECLARE CURSOR"),
    ("FETCH ALL FROM d", ["1 a"]),
    ("ROLLBACK TO s", "ROLLBACK"),
    ("FETCH d", "34000"),
    ("ROLLBACK TO s", "ROLLBACK"),
    ("DECLARE e CURSOR FOR SUBSCRIBE TO {t}", "DECLARE CURSOR"),
    ("COMMIT", "COMMIT"),
    ("FETCH e", "34000"),
    ("FETCH 10 FROM held", ["10 own"]),
    ("MOVE 5 IN held WITH (timeout = 0)", "MOVE 0"),
    # Outside of one it lives as long as the session.
    ("DECLARE c CURSOR FOR SUBSCRIBE TO {t} OPTIONS (last_rows = 1)", "DECLARE CURSOR"),
    ("DECLARE c CURSOR FOR SUBSCRIBE TO {t}", "42P03"),
    ("MOVE 1 IN c", "MOVE 1"),
    ("FETCH c WITH (timeout = '10ms')", []),
    ("SET statement_timeout = '50ms'", "SET"),
    ("FETCH c", "57014"),
    ("COPY (SUBSCRIBE TO {t} OPTIONS (snapshot = false)) TO STDOUT", "57014"),
    ("SUBSCRIBE TO {t} OPTIONS (stream = true, last_rows = 1)", "57014"),
    ("RESET statement_timeout", "RESET"),
    ("SELECT statement FROM pg_cursors WHERE name = 'c' AND is_holdable", "SELECT 1"),
    # What it cannot is refused by its name.
    ("FETCH ABSOLUTE 1 FROM c", "0A000"),
    ("FETCH RELATIVE 1 FROM c", "0A000"),
    ("FETCH PRIOR FROM c", "55000"),
    ("FETCH BACKWARD ALL FROM c", "55000"),
    ("FETCH c WITH (timeout = 'x')", "22023"),
    ("FETCH c WITH (patience = '1s')", "42601"),
    ("DECLARE x SCROLL CURSOR FOR SUBSCRIBE TO {t}", "0A000"),
    ("DECLARE x CURSOR FOR SUBSCRIBE TO {t} OPTIONS (channel = 'x')", "0A000"),
    ("DECLARE x CURSOR FOR SUBSCRIBE TO {t} WHERE id = $1", "42P02"),
    ("COPY (SUBSCRIBE TO {t} WHERE id = $1) TO STDOUT", "42P02"),
    ("DECLARE x CURSOR WITH HOLD FOR SELECT 1", "DECLARE CURSOR"),
    ("FETCH x WITH (timeout = 0)", "0A000"),
    ("BEGIN", "BEGIN"),
    ("CREATE TABLE {t}2 (id int PRIMARY KEY)", "CREATE TABLE"),
    ("DECLARE y CURSOR FOR SUBSCRIBE TO {t}2", "55000"),
    ("ROLLBACK", "ROLLBACK"),
    # What ends all cursors ends these.
    ("CLOSE ALL", "CLOSE CURSOR ALL"),
    ("FETCH c", "34000"),
    ("DECLARE c CURSOR FOR SUBSCRIBE TO {t}", "DECLARE CURSOR"),
    ("DISCARD ALL", "DISCARD ALL"),
    ("FETCH c", "34000"),
    ("SELECT FROM system.live_queries", "SELECT 0"),
]
"""Each statement with its tag, its SQLSTATE, or the columns of its rows."""


def test_a_cursor_over_a_subscription_lives_by_these_rules(server, chat):
    table = f"{chat}.c"
    with RawClient(server) as client, server.root() as other:
        client.simple(f"CREATE TABLE {table} (id int PRIMARY KEY, v text) WITH (TYPE = 'SHARED')")
        client.simple(f"INSERT INTO {table} VALUES (1, 'a'), (2, 'b')")
        for text, expected in LIFE:
            if not expected and isinstance(expected, str):
                other.execute(f"INSERT INTO {table} VALUES (3, 'other')")
                continue
            answer = client.simple(text.format(t=table))
            if isinstance(expected, list):
                assert [" ".join(row[3:]) for row in answer.rows] == expected, text
            else:
                assert (answer.sqlstate or answer.tags[-1]) == expected, (text, answer.errors)


def test_describe_and_execute_take_a_declared_cursors_name(server, chat):
    with RawClient(server) as client:
        client.simple(f"INSERT INTO {chat}.notes VALUES (1, 'a'), (2, 'b')")
        client.simple(f"DECLARE c CURSOR FOR SUBSCRIBE TO {chat}.notes")
        client.send(message(b"D", b"Pc\0") + execute(1, "c") + SYNC)
        answer = client.answer()
        assert (answer.kinds, answer.rows[0][3]) == ("TDsZ", "1")
        assert client.simple("FETCH 5 FROM c").rows[0][3] == "2"
