"""UNIQUE holds wherever a row lies, whoever's it is, and whatever became of the server meanwhile."""

import random
from typing import Any

import psycopg
import pytest
from psycopg.errors import UniqueViolation

from tests.wire.server import KalamServer

pytestmark = pytest.mark.slow

TABLES = """
CREATE TABLE u (id bigint PRIMARY KEY, email text UNIQUE, n int) WITH (TYPE = 'USER');
CREATE TABLE s (id bigint PRIMARY KEY, email text UNIQUE, n int) WITH (TYPE = 'SHARED');
CREATE TABLE m (id bigint PRIMARY KEY, email text UNIQUE, n int) WITH (TYPE = 'STREAM', TTL_SECONDS = 600);
"""


def fill(connection: psycopg.Connection[Any], table: str) -> None:
    """300 rows in one commit: what is flushed of so many is not hot again after a start."""
    connection.execute(
        f"INSERT INTO {table} SELECT n, 'mail' || n, 0 FROM generate_series(1, 300) n"
    )


def refused(connection: psycopg.Connection[Any], statement: str) -> str:
    """The detail of the 23505 that a statement is answered with."""
    with pytest.raises(UniqueViolation) as caught:
        connection.execute(statement.encode())
    assert caught.value.diag.constraint_name == f"{caught.value.diag.table_name}_email_key"
    assert caught.value.diag.schema_name == "public"
    return caught.value.diag.message_detail or ""


def test_values_stay_taken_in_log_segments_and_after_every_kind_of_end(tmp_path):
    server = KalamServer(tmp_path / "kalam").start()
    try:
        with server.root() as root:
            root.execute(TABLES.encode())
            root.execute("CREATE USER bob PASSWORD 'a password'")
            for table in "us":
                fill(root, table)
                root.execute(f"STORAGE FLUSH TABLE {table}")
                root.execute(f"UPDATE {table} SET email = 'other7' WHERE id = 7")
                root.execute(f"DELETE FROM {table} WHERE email = 'mail8'")
                root.execute(f"UPDATE {table} SET n = 1 WHERE id = 9")
                root.execute(f"UPDATE {table} SET id = 1010 WHERE id = 10")
        for step in ("hot", "flushed", "compacted", "started again", "killed"):
            if step == "started again":
                server.stop()
                server.start()
            elif step == "killed":
                server.kill()
                server.start()
            with server.root() as root, server.connect("bob") as bob:
                for table in "us":
                    if step in ("flushed", "compacted"):
                        word = "FLUSH" if step == "flushed" else "COMPACT"
                        root.execute(f"STORAGE {word} TABLE {table}")
                    look(root, table)
                bob.execute(
                    "INSERT INTO u VALUES (1, 'mail1', 0) ON CONFLICT (email) DO UPDATE SET n = u.n + 1"
                )
        with server.connect("bob") as bob:
            assert bob.execute("SELECT * FROM u").fetchall() == [(1, "mail1", 4)]
    finally:
        server.stop()


def look(root: psycopg.Connection[Any], table: str) -> None:
    """What is taken, and what is free: nothing is left behind."""
    root.execute("BEGIN")
    for number in (1, 9, 150, 300):
        root.execute("SAVEPOINT x")
        detail = refused(root, f"INSERT INTO {table} VALUES (2000, 'mail{number}', 0)")
        assert detail == f"Key (email)=(mail{number}) already exists."
        root.execute("ROLLBACK TO x")
    refused(root, f"INSERT INTO {table} VALUES (2000, 'other7', 0)")
    root.execute("ROLLBACK TO x")
    refused(root, f"UPDATE {table} SET email = 'mail10' WHERE id = 1")
    root.execute("ROLLBACK TO x")
    for free in ("mail7", "mail8"):
        root.execute(f"INSERT INTO {table} VALUES (3000 + length('{free}'), '{free}', 0)")
        root.execute(f"DELETE FROM {table} WHERE email = '{free}'")
    answer = root.execute(
        f"INSERT INTO {table} VALUES (4000, 'mail10', 5) "
        "ON CONFLICT (email) DO UPDATE SET n = excluded.n RETURNING id, n"
    )
    assert answer.fetchall() == [(1010, 5)]
    root.execute("TRUNCATE " + table)
    root.execute(f"INSERT INTO {table} VALUES (1, 'mail9', 0)")
    refused(root, f"INSERT INTO {table} VALUES (2, 'mail9', 0)")
    root.execute("ROLLBACK")


def test_a_streams_values_are_free_again_when_its_rows_have_gone(server, chat):
    with server.connect("alice") as alice:
        with server.root() as root:
            root.execute(
                f"CREATE TABLE {chat}.typing (id int PRIMARY KEY, who text UNIQUE, n int) "
                "WITH (TYPE = 'STREAM', TTL_SECONDS = 600, MAX_BUFFER = 2)"
            )
        table = f"{chat}.typing"
        alice.execute(f"INSERT INTO {table} VALUES (1, 'a', 0), (2, 'b', 0)")
        with pytest.raises(UniqueViolation):
            alice.execute(f"INSERT INTO {table} VALUES (3, 'a', 0)")
        alice.execute(f"UPDATE {table} SET n = 1 WHERE id = 1")  # Now it is the newer one.
        alice.execute(f"INSERT INTO {table} VALUES (3, 'b', 0) ON CONFLICT DO NOTHING")
        alice.execute(f"INSERT INTO {table} VALUES (4, NULL, 0)")
        alice.execute(f"INSERT INTO {table} VALUES (5, 'b', 0)")  # 2 has gone by itself.
        assert alice.execute(f"SELECT id FROM {table} ORDER BY id").fetchall() == [(4,), (5,)]
        with pytest.raises(UniqueViolation):
            alice.execute(f"INSERT INTO {table} VALUES (6, 'b', 0)")


@pytest.mark.parametrize("seed", [1, 2])
def test_random_changes_keep_a_table_as_a_model_has_it(server, chat, seed):
    """Values of few numbers, so that they meet; rows in the log, in segments, and in the transaction."""
    rng = random.Random(seed)
    rows: dict[int, int | None] = {}
    with server.root() as root:
        root.execute(
            f"CREATE TABLE {chat}.r (id int PRIMARY KEY, v int UNIQUE) WITH (TYPE = 'USER')"
        )
        table = f"{chat}.r"
        for _ in range(12):
            before = dict(rows)
            root.execute("BEGIN")
            for _ in range(rng.randrange(1, 9)):
                root.execute("SAVEPOINT x")
                change(root, rng, table, rows)
            if rng.random() < 0.2:
                root.execute("ROLLBACK")
                rows = before
            else:
                root.execute("COMMIT")
            if rng.random() < 0.3:
                root.execute(f"STORAGE FLUSH TABLE {table}")
            found = dict(root.execute(f"SELECT * FROM {table}").fetchall())
            assert found == rows
        root.execute(f"STORAGE COMPACT TABLE {table}")
        for value in {v for v in rows.values() if v is not None}:
            with pytest.raises(UniqueViolation):
                root.execute(f"INSERT INTO {table} VALUES (100, %s)", (value,))
        free = set(range(12)) - set(rows.values())
        for number, value in enumerate(free):
            root.execute(f"INSERT INTO {table} VALUES (%s, %s)", (200 + number, value))


def change(
    root: psycopg.Connection[Any], rng: random.Random, table: str, rows: dict[int, int | None]
) -> None:
    """One statement, in the table and in the model; refused in one exactly as in the other."""
    key, value = rng.randrange(8), rng.choice([None, *range(12)])
    moved = rng.randrange(8)
    kind = rng.randrange(4)
    wanted = dict(rows)
    if kind == 0:
        statement = f"INSERT INTO {table} VALUES ({key}, %(value)s)"
        clash = key in rows
        wanted[key] = value
    elif kind == 1:
        statement = f"UPDATE {table} SET id = {moved}, v = %(value)s WHERE id = {key}"
        clash = key in rows and moved != key and moved in rows
        if key in rows:
            del wanted[key]
            wanted[moved] = value
    elif kind == 2:
        statement = f"DELETE FROM {table} WHERE id = {key} AND %(value)s::int IS NOT DISTINCT FROM %(value)s"
        clash = False
        wanted.pop(key, None)
    else:
        conflict = f"ON CONFLICT (v) DO UPDATE SET id = {moved}"
        statement = f"INSERT INTO {table} VALUES ({key}, %(value)s) {conflict}"
        there = next((k for k, v in rows.items() if v is not None and v == value), None)
        clash = moved in rows and moved != there if there is not None else key in rows
        if there is None:
            wanted[key] = value
        else:
            del wanted[there]
            wanted[moved] = value
    values = [v for v in wanted.values() if v is not None]
    clash = clash or len(values) != len(set(values))
    try:
        root.execute(statement, {"value": value})
    except UniqueViolation:
        assert clash, statement
        root.execute("ROLLBACK TO x")
    else:
        assert not clash, statement
        rows.clear()
        rows.update(wanted)
