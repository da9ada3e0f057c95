"""SERIALIZABLE: what a transaction has read decides whether it may commit, however it read it."""

from itertools import count
from typing import Any

import psycopg
import pytest

from tests.wire.interleaved import transcript
from tests.wire.server import KalamServer

pytestmark = pytest.mark.slow

BEGIN = "BEGIN ISOLATION LEVEL SERIALIZABLE"

SETUP = """
    DROP TABLE IF EXISTS messages
    DROP TABLE IF EXISTS conversations
    DROP TABLE IF EXISTS events
    CREATE TABLE conversations (id int PRIMARY KEY, title text UNIQUE, size int NOT NULL DEFAULT 0)
    CREATE TABLE messages (id int PRIMARY KEY, conversation int REFERENCES conversations, body text)
    CREATE TABLE events (id int PRIMARY KEY, kind text) WITH (TYPE = 'STREAM', TTL_SECONDS = 600)
    INSERT INTO conversations VALUES (1, 'one', 0), (2, 'two', 0), (3, 'three', 0), (4, 'four', 0)
    INSERT INTO messages VALUES (10, 1, 'a'), (20, 2, 'b'), (21, 2, 'c'), (30, 3, 'd')
    INSERT INTO events VALUES (1, 'typing')
"""

COLD = """
    STORAGE FLUSH TABLE conversations
    STORAGE FLUSH TABLE messages
"""

CHANGE = "INSERT INTO messages VALUES (22, 2, 'new')"
"""What somebody commits after the snapshot, unless a case says otherwise."""

SEES = {
    "all rows": ("SELECT * FROM messages", CHANGE),
    "a condition": ("SELECT * FROM messages WHERE conversation = 2", CHANGE),
    "a row that there is not": ("SELECT * FROM messages WHERE id = 22", CHANGE),
    "a range of keys": ("SELECT * FROM messages WHERE id BETWEEN 15 AND 25", CHANGE),
    "a list of keys": ("SELECT * FROM messages WHERE id IN (10, 22)", CHANGE),
    "the newest": (
        "SELECT * FROM messages WHERE conversation = 2 ORDER BY id DESC LIMIT 1",
        CHANGE,
    ),
    "how many": ("SELECT count(*) FROM messages WHERE conversation = 2", CHANGE),
    "how many of all": ("SELECT count(*) FROM messages", CHANGE),
    "the greatest": ("SELECT max(id) FROM messages", CHANGE),
    "groups": ("SELECT conversation, count(*) FROM messages GROUP BY 1", CHANGE),
    "emptiness": ("SELECT NOT EXISTS (SELECT FROM messages WHERE body = 'new')", CHANGE),
    "a join": (
        "SELECT * FROM conversations c JOIN messages m ON m.conversation = c.id WHERE c.id = 2",
        CHANGE,
    ),
    "the lack of a partner": (
        "SELECT c.id FROM conversations c LEFT JOIN messages m ON m.conversation = c.id"
        " WHERE m.id IS NULL",
        "INSERT INTO messages VALUES (40, 4, 'x')",
    ),
    "a subquery": (
        "SELECT title FROM conversations WHERE id IN (SELECT conversation FROM messages)",
        CHANGE,
    ),
    "a WITH": ("WITH w AS (SELECT * FROM messages WHERE conversation = 2) SELECT * FROM w", CHANGE),
    "a union": (
        "SELECT id FROM messages WHERE id = 10 UNION SELECT conversation FROM messages",
        CHANGE,
    ),
    "a row that was changed": (
        "SELECT body FROM messages WHERE id = 20",
        "UPDATE messages SET body = 'x' WHERE id = 20",
    ),
    "a row that leaves a condition": (
        "SELECT * FROM messages WHERE body = 'c'",
        "UPDATE messages SET body = 'x' WHERE id = 21",
    ),
    "a row that comes into a condition": (
        "SELECT * FROM messages WHERE body = 'x'",
        "UPDATE messages SET body = 'x' WHERE id = 21",
    ),
    "a row that was deleted": (
        "SELECT * FROM messages WHERE conversation = 2",
        "DELETE FROM messages WHERE id = 21",
    ),
    "a row that was moved to another key": (
        "SELECT * FROM messages WHERE id = 99",
        "UPDATE messages SET id = 99 WHERE id = 21",
    ),
    "what UPDATE found": ("UPDATE messages SET body = 'mine' WHERE conversation = 2", CHANGE),
    "what UPDATE did not find": ("UPDATE messages SET body = 'mine' WHERE id = 22", CHANGE),
    "what DELETE found": ("DELETE FROM messages WHERE conversation = 2", CHANGE),
    "what UPDATE took from another table": (
        "UPDATE conversations SET size = (SELECT count(*) FROM messages WHERE conversation = 2)"
        " WHERE id = 1",
        CHANGE,
    ),
    "what INSERT took from another table": (
        "INSERT INTO conversations SELECT 50 + count(*), 'x', 1 FROM messages",
        CHANGE,
    ),
    "what it locked": ("SELECT id FROM messages WHERE conversation = 2 FOR UPDATE", CHANGE),
    "what it shares": ("SELECT id FROM messages WHERE conversation = 2 FOR KEY SHARE", CHANGE),
    "a table that was emptied": (
        "SELECT body FROM messages WHERE id = 77",
        "TRUNCATE messages",
    ),
    "a stream": ("SELECT * FROM events", "INSERT INTO events VALUES (2, 'x')"),
    "a stream's row": ("SELECT * FROM events WHERE id = 2", "INSERT INTO events VALUES (2, 'x')"),
    "a cursor's query": (
        "DECLARE c CURSOR FOR SELECT * FROM messages WHERE conversation = 2",
        CHANGE,
    ),
    "what EXPLAIN ANALYZE ran": (
        "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT * FROM messages",
        CHANGE,
    ),
    "a table that another was made of": ("CREATE TABLE made_{n} AS SELECT * FROM messages", CHANGE),
}
"""A statement, and a change of what it read."""

UNSEEN = {
    "another condition": ("SELECT * FROM messages WHERE conversation = 1", CHANGE),
    "another key": ("SELECT * FROM messages WHERE id = 20", CHANGE),
    "another range": ("SELECT * FROM messages WHERE id < 20", CHANGE),
    "another conversation's newest": (
        "SELECT * FROM messages WHERE conversation = 1 ORDER BY id DESC LIMIT 50",
        CHANGE,
    ),
    "another group": ("SELECT count(*) FROM messages WHERE conversation = 1", CHANGE),
    "another table": ("SELECT * FROM conversations WHERE id = 1", CHANGE),
    "a join on one side": (
        "SELECT * FROM messages a JOIN messages b ON b.id = a.id"
        " WHERE a.conversation = 1 AND b.conversation = 1",
        CHANGE,
    ),
    "an outer join": (
        "SELECT * FROM conversations c LEFT JOIN messages m ON m.conversation = c.id"
        " AND m.conversation = 1 WHERE c.id = 1",
        CHANGE,
    ),
    "another row's update": (
        "UPDATE messages SET body = 'x' WHERE id = 10 RETURNING body",
        "UPDATE messages SET body = 'y' WHERE id = 20",
    ),
    "another conversation's deletion": (
        "DELETE FROM messages WHERE conversation = 1",
        "DELETE FROM messages WHERE conversation = 2",
    ),
    "a deletion that nobody refers to": ("DELETE FROM conversations WHERE id = 4", CHANGE),
    "a message of the same conversation": ("INSERT INTO messages VALUES (23, 2, 'mine')", CHANGE),
    "a stream's other rows": (
        "SELECT * FROM events WHERE kind = 'typing'",
        "INSERT INTO events VALUES (2, 'x')",
    ),
    "an upsert of another row": (
        "INSERT INTO messages VALUES (10, 1, 'x') ON CONFLICT (id) DO UPDATE SET body = 'x'",
        CHANGE,
    ),
    "the catalogue": ("SELECT count(*) >= 0 FROM pg_class", "CREATE TABLE other_{n} (n int)"),
    "a constant": ("SELECT 1", CHANGE),
    "a number": ("SELECT nextval('numbers_{n}')", "SELECT nextval('numbers_{n}')"),
    "a flush": ("SELECT * FROM messages", "STORAGE FLUSH TABLE messages"),
    "an explained statement": ("EXPLAIN (COSTS OFF) SELECT * FROM messages", CHANGE),
}
"""A statement, and a change of what it did not read."""

_numbers = count(1)


def run(server: KalamServer, statement: str, change: str, then: str = "") -> list[str]:
    """What both are told: `a` reads and writes, `b` commits a change between."""
    n = next(_numbers)
    setup = f"{SETUP}\nCREATE SEQUENCE numbers_{n}\n{then}"
    script = f"""
        a: {BEGIN}
        a: SELECT id FROM conversations WHERE id = 3
        b: {change}
        a: {statement}
        a: INSERT INTO conversations VALUES (100, 'written', 0)
        a: COMMIT
    """.replace("{n}", str(n))
    return transcript(server.root, setup, script)


REFUSED = "a: 40001 could not serialize access due to read/write dependencies among transactions"


@pytest.mark.parametrize("name", SEES)
def test_who_wrote_may_not_commit_when_what_it_read_has_changed(server: KalamServer, name: str):
    for then in "", COLD:
        told = run(server, *SEES[name], then)
        # That is seen by the statement where the row itself is in the way.
        assert told[-1] == REFUSED or any(": 40001 " in line for line in told), told


@pytest.mark.parametrize("name", UNSEEN)
def test_who_did_not_read_what_has_changed_commits(server: KalamServer, name: str):
    for then in "", COLD:
        told = run(server, *UNSEEN[name], then)
        assert told[-1] == "a: COMMIT", told


def test_who_only_reads_commits(server: KalamServer):
    script = f"""
        a: {BEGIN}
        a: SELECT count(*) FROM messages
        b: {CHANGE}
        a: SELECT count(*) FROM messages
        a: COMMIT
        a: SELECT count(*) FROM messages
    """
    told = [line for line in transcript(server.root, SETUP, script) if line.startswith("a:")]
    assert told == ["a: BEGIN", "a: SELECT 1 4", "a: SELECT 1 4", "a: COMMIT", "a: SELECT 1 5"]


@pytest.mark.parametrize(
    ("name", "script"),
    [
        (
            "a read that a ROLLBACK TO took back is one",
            f"""
            a: SAVEPOINT s
            a: SELECT * FROM messages WHERE conversation = 2
            a: ROLLBACK TO s
            b: {CHANGE}
            a: INSERT INTO conversations VALUES (100, 'x')
            a: COMMIT
            """,
        ),
        (
            "what a failed statement was told is a read",
            """
            a: SAVEPOINT s
            a: INSERT INTO messages VALUES (20, 1, 'x')
            a: ROLLBACK TO s
            b: DELETE FROM messages WHERE id = 20
            a: INSERT INTO conversations VALUES (100, 'x')
            a: COMMIT
            """,
        ),
        (
            "that ON CONFLICT found a value is a read",
            """
            a: INSERT INTO messages VALUES (20, 1, 'x') ON CONFLICT DO NOTHING
            b: DELETE FROM messages WHERE id = 20
            a: INSERT INTO conversations VALUES (100, 'x')
            a: COMMIT
            """,
        ),
        (
            "and a unique one",
            """
            a: INSERT INTO conversations VALUES (9, 'four') ON CONFLICT DO NOTHING
            b: DELETE FROM conversations WHERE id = 4
            a: INSERT INTO conversations VALUES (100, 'x')
            a: COMMIT
            """,
        ),
        (
            "and that there is nothing to refer to",
            """
            a: SAVEPOINT s
            a: INSERT INTO messages VALUES (50, 7, 'x')
            a: ROLLBACK TO s
            b: INSERT INTO conversations VALUES (7, 'seven')
            a: INSERT INTO conversations VALUES (100, 'x')
            a: COMMIT
            """,
        ),
        (
            "and that something refers",
            """
            a: SAVEPOINT s
            a: DELETE FROM conversations WHERE id = 3
            a: ROLLBACK TO s
            b: DELETE FROM messages WHERE id = 30
            a: INSERT INTO conversations VALUES (100, 'x')
            a: COMMIT
            """,
        ),
        (
            "a prepared statement's reads are its parameters'",
            f"""
            a: PREPARE p(int) AS SELECT * FROM messages WHERE conversation = $1
            a: EXECUTE p(2)
            b: {CHANGE}
            a: INSERT INTO conversations VALUES (100, 'x')
            a: COMMIT
            """,
        ),
        (
            "who asked for a key is not told that it is taken",
            f"""
            a: SELECT id FROM messages WHERE id = 22
            b: {CHANGE}
            a: INSERT INTO messages VALUES (22, 1, 'mine')
            a: COMMIT
            """,
        ),
        (
            "nor that a unique value is",
            """
            a: SELECT id FROM conversations WHERE title = 'new'
            b: INSERT INTO conversations VALUES (8, 'new')
            a: INSERT INTO conversations VALUES (9, 'new')
            a: COMMIT
            """,
        ),
        (
            "both of one group of commits are not",
            f"""
            b: {BEGIN}
            a: SELECT sum(size) FROM conversations
            b: SELECT sum(size) FROM conversations
            b: UPDATE conversations SET size = 1 WHERE id = 1
            a: UPDATE conversations SET size = 1 WHERE id = 2
            b: COMMIT
            a: COMMIT
            """,
        ),
    ],
)
def test_what_was_told_decides(server: KalamServer, name: str, script: str):
    told = transcript(server.root, SETUP, f"a: {BEGIN}\na: SELECT 1\n{script}")
    assert any(line == REFUSED for line in told), (name, told)


def test_who_did_not_ask_for_a_key_is_told_that_it_is_taken(server: KalamServer):
    script = f"""
        a: {BEGIN}
        a: SELECT id FROM messages WHERE id = 10
        b: {CHANGE}
        a: INSERT INTO messages VALUES (22, 1, 'mine')
        a: ROLLBACK
    """
    told = transcript(server.root, SETUP, script)
    assert 'a: 23505 duplicate key value violates unique constraint "messages_pkey"' in told


def test_a_refused_transaction_leaves_nothing_and_the_next_one_commits(server: KalamServer):
    told = run(server, *SEES["how many"])
    assert told[-1] == REFUSED
    with server.root() as root:
        assert root.execute("SELECT count(*) FROM conversations").fetchone() == (4,)
        root.execute("SET default_transaction_isolation = 'serializable'")
        with root.transaction():
            (size,) = one(root, "SELECT count(*) FROM messages WHERE conversation = 2")
            root.execute("UPDATE conversations SET size = %s WHERE id = 2", (size,))
        assert one(root, "SELECT size FROM conversations WHERE id = 2") == (3,)


def test_the_error_has_postgresqls_hint(server: KalamServer):
    with server.root() as a, server.root() as b:
        for statement in filter(None, map(str.strip, SETUP.split("\n"))):
            b.execute(statement.encode())
        a.execute(BEGIN)
        a.execute("SELECT * FROM messages")
        b.execute(CHANGE)
        a.execute("DELETE FROM conversations WHERE id = 4")
        with pytest.raises(psycopg.errors.SerializationFailure) as refused:
            a.execute("COMMIT")
        assert refused.value.diag.message_hint == "The transaction might succeed if retried."
        assert (refused.value.diag.message_detail or "").startswith("Reason code: ")
        assert a.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def one(connection: psycopg.Connection[Any], statement: str) -> tuple[Any, ...]:
    """The only row of an answer."""
    (row,) = connection.execute(statement.encode()).fetchall()
    return tuple(row)


@pytest.mark.parametrize(
    ("copied", "refused"),
    [
        ("COPY messages TO STDOUT", True),
        ("COPY (SELECT * FROM messages WHERE conversation = 2) TO STDOUT", True),
        ("COPY (SELECT * FROM messages WHERE conversation = 1) TO STDOUT", False),
        ("COPY messages FROM STDIN", False),
    ],
)
def test_copy_reads_what_it_tells(server: KalamServer, copied: str, refused: bool):
    with server.root() as a, server.root() as b:
        for statement in filter(None, map(str.strip, SETUP.split("\n"))):
            b.execute(statement.encode())
        a.execute(BEGIN)
        with a.cursor().copy(copied.encode()) as copy:
            if "FROM STDIN" in copied:
                copy.write("50\t3\tx\n")
            else:
                list(copy)
        b.execute(CHANGE)
        a.execute("DELETE FROM conversations WHERE id = 4")
        if refused:
            with pytest.raises(psycopg.errors.SerializationFailure):
                a.execute("COMMIT")
        else:
            a.execute("COMMIT")


def test_users_do_not_meet_in_a_user_table(server: KalamServer, table: str):
    with server.connect("alice") as alice, server.connect("bob") as bob, server.root() as root:
        for connection in alice, bob:
            connection.autocommit = True
            connection.execute(BEGIN)
            connection.execute(f"SELECT count(*) FROM {table}".encode())
            connection.execute(f"INSERT INTO {table} VALUES (1, 1, 'x')".encode())
        alice.execute("COMMIT")
        bob.execute("COMMIT")
        root.execute(BEGIN)
        assert one(root, f"EXECUTE AS USER 'alice' (SELECT count(*) FROM {table})") == (1,)
        alice.execute(f"INSERT INTO {table} VALUES (2, 1, 'x')".encode())
        root.execute(f"EXECUTE AS USER 'bob' (INSERT INTO {table} VALUES (3, 1, 'x'))".encode())
        with pytest.raises(psycopg.errors.SerializationFailure):
            root.execute("COMMIT")
