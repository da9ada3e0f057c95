"""Cursors in SQL: DECLARE, FETCH, MOVE, CLOSE as PostgreSQL has them, and as psycopg uses them."""

import psycopg
import pytest

from tests.wire import postgresql
from tests.wire.raw import DESCRIBE, SYNC, RawClient, bind, message, parse
from tests.wire.side_by_side import both, differences

pytestmark = pytest.mark.slow

SCRIPTS = {
    "forwards and backwards": """
        BEGIN
        DECLARE c SCROLL CURSOR FOR SELECT g, g * 2 AS twice FROM generate_series(1, 7) g
        FETCH c
        FETCH NEXT FROM c
        FETCH 2 FROM c
        FETCH FORWARD 2 IN c
        FETCH 0 FROM c
        FETCH PRIOR FROM c
        FETCH BACKWARD 2 FROM c
        FETCH FIRST FROM c
        FETCH LAST FROM c
        FETCH NEXT FROM c
        FETCH NEXT FROM c
        FETCH PRIOR FROM c
        FETCH ABSOLUTE 3 FROM c
        FETCH ABSOLUTE -2 FROM c
        FETCH ABSOLUTE 0 FROM c
        FETCH RELATIVE 2 FROM c
        FETCH RELATIVE -1 FROM c
        FETCH RELATIVE 0 FROM c
        FETCH ABSOLUTE 100 FROM c
        FETCH BACKWARD ALL FROM c
        FETCH BACKWARD FROM c
        FETCH FORWARD FROM c
        FETCH ALL FROM c
        FETCH -2 FROM c
        FETCH FORWARD -1 FROM c
        FETCH BACKWARD -2 FROM c
        MOVE FIRST FROM c
        MOVE 3 c
        FETCH c
        MOVE BACKWARD ALL IN c
        MOVE FORWARD ALL IN c
        MOVE 0 IN c
        CLOSE c
        FETCH c
        ROLLBACK
        """,
    "of a table, whatever happens to it": """
        CREATE TABLE t (a int PRIMARY KEY, b text)
        INSERT INTO t SELECT g, 'x' || g::text FROM generate_series(1, 5) g
        BEGIN
        DECLARE c CURSOR FOR SELECT a, b FROM t ORDER BY a
        DELETE FROM t WHERE a > 1
        FETCH 2 FROM c
        SELECT count(*) FROM t
        FETCH ALL FROM c
        FETCH c
        CLOSE ALL
        COMMIT
        """,
    "errors": """
        DECLARE c CURSOR FOR SELECT 1
        FETCH c
        CLOSE c
        MOVE c
        BEGIN
        DECLARE c NO SCROLL CURSOR FOR SELECT g FROM generate_series(1, 3) g
        FETCH 2 FROM c
        FETCH PRIOR FROM c
        ROLLBACK
        BEGIN
        DECLARE c CURSOR FOR SELECT 1
        DECLARE c CURSOR FOR SELECT 2
        ROLLBACK
        BEGIN
        DECLARE c CURSOR FOR SELECT nothing
        ROLLBACK
        BEGIN
        FETCH x
        ROLLBACK
        DECLARE c SCROLL NO SCROLL CURSOR FOR SELECT 1
        DECLARE c CURSOR FOR DELETE FROM t
        DECLARE c CURSOR SELECT 1
        DECLARE CURSOR FOR SELECT 1
        FETCH
        FETCH 1 2 FROM c
        CLOSE
        """,
    "they end with their transaction": """
        BEGIN
        DECLARE c CURSOR FOR SELECT 1
        COMMIT
        BEGIN
        FETCH c
        ROLLBACK
        BEGIN
        DECLARE c CURSOR FOR SELECT 1
        ROLLBACK
        BEGIN
        DECLARE c CURSOR FOR SELECT 1
        FETCH c
        COMMIT
        """,
    "savepoints": """
        BEGIN
        DECLARE a CURSOR FOR SELECT g FROM generate_series(1, 5) g
        SAVEPOINT one
        DECLARE b CURSOR FOR SELECT g FROM generate_series(1, 5) g
        FETCH a
        SAVEPOINT two
        DECLARE c CURSOR FOR SELECT g FROM generate_series(1, 5) g
        RELEASE two
        FETCH c
        ROLLBACK TO one
        FETCH a
        SAVEPOINT three
        FETCH c
        ROLLBACK TO three
        FETCH b
        ROLLBACK
        """,
    "held": """
        BEGIN
        DECLARE h CURSOR WITH HOLD FOR SELECT g FROM generate_series(1, 4) g
        DECLARE w CURSOR WITHOUT HOLD FOR SELECT g FROM generate_series(1, 4) g
        FETCH h
        COMMIT
        FETCH h
        FETCH w
        CLOSE h
        DECLARE i CURSOR WITH HOLD FOR SELECT 1 AS one
        FETCH ALL FROM i
        BEGIN
        DECLARE j CURSOR WITH HOLD FOR SELECT 1
        ROLLBACK
        FETCH j
        DISCARD ALL
        FETCH i
        BEGIN
        DECLARE k CURSOR WITH HOLD FOR SELECT a FROM t FOR UPDATE
        ROLLBACK
        """,
}


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    with both(tmp_path_factory.mktemp("cursors")) as found:
        yield found


@pytest.mark.skipif(not postgresql.installed(), reason="needs Debian's package postgresql-15")
@pytest.mark.parametrize("name", SCRIPTS)
def test_cursors_answer_as_postgresqls(sides, name):
    if name == "held":
        for side in sides:
            side.ask("CREATE TABLE IF NOT EXISTS t (a int PRIMARY KEY, b text)")
    assert differences(sides, SCRIPTS[name]) == []


def test_psycopgs_server_side_cursors(server, chat):
    with server.connect("alice", autocommit=False) as alice:
        alice.execute(
            f"INSERT INTO {chat}.messages (id, conversation_id, role_id, content) "
            "SELECT g, g % 3, 'user', 'hello ' || g::text FROM generate_series(1, 1000) g"
        )
        for binary in (False, True):
            with alice.cursor("stream", binary=binary) as cursor:
                cursor.itersize = 100
                cursor.execute(
                    f"SELECT id, content FROM {chat}.messages WHERE conversation_id = %s ORDER BY id",
                    (1,),
                )
                assert [column.name for column in cursor.description] == ["id", "content"]
                assert cursor.fetchone() == (1, "hello 1")
                assert cursor.fetchmany(2) == [(4, "hello 4"), (7, "hello 7")]
                assert len(list(cursor)) == 331
        with alice.cursor("back", scrollable=True) as cursor:
            cursor.execute(f"SELECT id FROM {chat}.messages ORDER BY id LIMIT 5")
            cursor.scroll(3)
            assert cursor.fetchone() == (4,)
            cursor.scroll(0, mode="absolute")
            assert cursor.fetchone() == (1,)
        with alice.cursor("held", withhold=True) as cursor:
            cursor.execute("SELECT generate_series(1, 3)")
            alice.commit()
            assert cursor.fetchall() == [(1,), (2,), (3,)]


def test_a_cursor_is_a_portal_to_describe_and_close(server):
    with RawClient(server) as client:
        client.simple("BEGIN")
        client.simple("DECLARE c CURSOR FOR SELECT 1 AS one")
        client.send(message(b"D", b"Pc\0") + SYNC)
        assert client.answer().kinds == "TZ"
        client.send(parse("SELECT 2") + bind(portal="c") + SYNC)
        assert client.answer().sqlstate == "42P03"
        client.simple("ROLLBACK")
        client.simple("BEGIN")
        client.simple("DECLARE c CURSOR FOR SELECT 1 AS one")
        client.send(message(b"C", b"Pc\0") + SYNC)
        assert client.answer().kinds == "3Z"
        assert client.simple("FETCH c").sqlstate == "34000"
        client.send(DESCRIBE + SYNC)
        assert client.answer().sqlstate == "34000"


def test_a_binary_cursor_answers_the_simple_protocol_in_binary(server):
    with server.root() as root, RawClient(server) as client:
        client.simple("BEGIN")
        client.simple("DECLARE b BINARY CURSOR FOR SELECT 258 AS n, 'x' AS s")
        answer = client.simple("FETCH b")
        assert b"\x00\x00\x00\x04\x00\x00\x01\x02\x00\x00\x00\x01x" in answer.raw
        root.execute("BEGIN")
        root.execute("DECLARE b BINARY CURSOR FOR SELECT 258 AS n")
        assert root.execute("FETCH b", binary=False, prepare=True).fetchall() == [(258,)]


@pytest.mark.parametrize("kind", ["USER", "SHARED", "STREAM"])
def test_the_row_a_cursor_stands_on_is_changed_wherever_it_lies(server, kind):
    table = f"stands_{kind.lower()}"
    with server.connect("alice") as alice, server.root() as root:
        options = ", TTL_SECONDS = 10000" if kind == "STREAM" else ""
        root.execute(
            f"CREATE TABLE {table} (a text, id int PRIMARY KEY) WITH (TYPE = '{kind}'{options})"
        )
        if kind == "SHARED":
            root.execute(f"GRANT ALL ON {table} TO alice")
        alice.execute(f"INSERT INTO {table} SELECT 'x', g FROM generate_series(1, 400) g")
        for where in ("hot", "cold"):
            if where == "cold" and kind != "STREAM":
                root.execute(f"STORAGE FLUSH TABLE {table}")
            with alice.transaction():
                alice.execute(f"DECLARE c CURSOR FOR SELECT a FROM {table} WHERE id % 2 = 0")
                for turn in range(5):
                    alice.execute("MOVE 20 FROM c")
                    if kind != "STREAM" and turn == 2:
                        root.execute(f"STORAGE FLUSH TABLE {table}")
                    for _ in range(2):  # The same text again: prepared by now.
                        changed = alice.execute(
                            f"UPDATE {table} SET a = a || %s WHERE CURRENT OF c",
                            ("y",),
                            prepare=True,
                        )
                        assert changed.statusmessage == "UPDATE 1"
                assert alice.execute(f"DELETE FROM {table} WHERE CURRENT OF c").rowcount == 1
            found = alice.execute(
                f"SELECT a, count(*) FROM {table} GROUP BY a ORDER BY a"
            ).fetchall()
            assert sum(count for _, count in found) == 399 - (where == "cold")
            assert sum(len(a.removeprefix("x")) * count for a, count in found) >= 8
        root.execute(f"DROP TABLE {table}")


def test_the_row_is_changed_as_it_is_by_then_and_waited_for(server):
    with server.root() as one, server.root() as two, server.root() as control:
        control.execute("CREATE TABLE by_then (id int PRIMARY KEY, n int)")
        control.execute("INSERT INTO by_then VALUES (1, 10), (2, 20)")
        one.execute("BEGIN")
        one.execute("DECLARE c CURSOR FOR SELECT n FROM by_then")
        assert one.execute("FETCH c").fetchall() == [(10,)]
        two.execute("UPDATE by_then SET n = 11 WHERE id = 1")
        assert one.execute(
            "UPDATE by_then SET n = n + 1 WHERE CURRENT OF c RETURNING n"
        ).fetchone() == (12,)
        two.execute("SET lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            two.execute("DELETE FROM by_then WHERE id = 1")
        one.execute("FETCH c")
        two.execute("DELETE FROM by_then WHERE id = 2")
        assert one.execute("DELETE FROM by_then WHERE CURRENT OF c").rowcount == 0
        one.execute("COMMIT")
        assert control.execute("SELECT * FROM by_then").fetchall() == [(1, 12)]
