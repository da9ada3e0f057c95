"""Tables come and go under flushes, readers and each other, and leave nothing behind."""

import threading
import time

import psycopg
import pytest

from tests.wire.server import KalamServer

PATIENCE_S = 30


def wait_until(done) -> None:
    until = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < until, "it did not come about"
        threading.Event().wait(0.02)


def directories(server: KalamServer) -> set[int]:
    """Ids of the tables that have files."""
    return {int(path.name) for path in (server.directory / "cold").glob("*/*")}


def table_id(connection, name: str) -> int:
    row = connection.execute(f"SELECT '{name}'::regclass::oid").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.slow
def test_flushed_tables_are_changed_and_dropped_in_loops_and_leave_no_file(server: KalamServer):
    errors: list[Exception] = []
    seen: set[int] = set()

    def loop(worker: int) -> None:
        try:
            with server.root() as root:
                for number in range(12):
                    name = f"gone_{worker}_{number}"
                    root.execute(
                        f"CREATE TABLE {name} (id INT PRIMARY KEY, a TEXT) WITH (TYPE = 'SHARED')"
                    )
                    seen.add(table_id(root, name))
                    root.execute(f"INSERT INTO {name} VALUES (1, 'a'), (2, 'b')")
                    root.execute(f"STORAGE FLUSH TABLE {name}")
                    root.execute(f"UPDATE {name} SET a = 'c' WHERE id = 1")
                    root.execute(f"DELETE FROM {name} WHERE id = 2")
                    assert root.execute(f"SELECT * FROM {name}").fetchall() == [(1, "c")]
                    root.execute(f"DROP TABLE {name}")
        except Exception as exc:  # noqa: BLE001 -- told to the test's own thread
            errors.append(exc)

    threads = [threading.Thread(target=loop, args=(worker,)) for worker in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(seen) == 36
    wait_until(lambda: not seen & directories(server))
    with server.root() as root:
        assert root.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.slow
def test_a_view_from_before_a_drop_reads_on_and_the_files_go_after_it(server: KalamServer):
    with server.root() as reader, server.root() as root:
        root.execute("CREATE TABLE old (id INT PRIMARY KEY, a TEXT) WITH (TYPE = 'SHARED')")
        root.execute("INSERT INTO old VALUES (1, 'a'), (2, 'b')")
        root.execute("STORAGE FLUSH TABLE old")
        number = table_id(root, "old")
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        reader.execute("DECLARE c CURSOR FOR SELECT id, a FROM old ORDER BY id")
        assert reader.execute("FETCH 1 FROM c").fetchall() == [(1, "a")]
        root.execute("DROP TABLE old")
        for _ in range(5):
            root.execute("CREATE TABLE other (id INT PRIMARY KEY) WITH (TYPE = 'SHARED')")
            root.execute("DROP TABLE other")
        assert reader.execute("FETCH 1 FROM c").fetchall() == [(2, "b")]
        assert number in directories(server)
        reader.execute("COMMIT")
        wait_until(lambda: number not in directories(server))


def goes(root, table: str, how: str) -> None:
    """The table's rows go, and other definitions and flushes come after that."""
    root.execute(f"{how} TABLE {table}")
    if how == "TRUNCATE":
        root.execute(f"INSERT INTO {table} VALUES (1, 'new')")
        root.execute(f"STORAGE FLUSH TABLE {table}")
    for _ in range(3):
        root.execute("CREATE TABLE other (id INT PRIMARY KEY) WITH (TYPE = 'SHARED')")
        root.execute("INSERT INTO other VALUES (1)")
        root.execute("STORAGE FLUSH TABLE other")
        root.execute("DROP TABLE other")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["DROP", "TRUNCATE"])
def test_a_running_select_is_read_to_its_end_whatever_becomes_of_its_table(
    server: KalamServer, how: str
):
    rows = 60_000
    with server.root() as reader, server.root() as root:
        root.execute("CREATE TABLE big (id INT PRIMARY KEY, a TEXT) WITH (TYPE = 'SHARED')")
        root.execute(
            f"INSERT INTO big SELECT n, repeat('x', 500) FROM generate_series(1, {rows}) n"
        )
        root.execute("STORAGE FLUSH TABLE big")
        number = table_id(root, "big")
        stream = reader.cursor().stream("SELECT id, a FROM big")
        count = sum(1 for _ in zip(range(10), stream, strict=False))
        goes(root, "big", how)
        assert number in directories(server)
        for _, text in stream:
            assert len(text) == 500
            count += 1
        assert count == rows
        if how == "DROP":
            wait_until(lambda: number not in directories(server))
        else:
            assert root.execute("SELECT * FROM big").fetchall() == [(1, "new")]
            root.execute("DROP TABLE big")


@pytest.mark.slow
def test_a_crash_after_a_drop_leaves_nothing_for_ever(tmp_path):
    server = KalamServer(tmp_path / "data").start()
    try:
        with server.root() as root:
            root.execute("CREATE TABLE old (id INT PRIMARY KEY) WITH (TYPE = 'SHARED')")
            root.execute("INSERT INTO old VALUES (1)")
            root.execute("STORAGE FLUSH TABLE old")
            number = table_id(root, "old")
            with server.root() as reader:
                reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
                reader.execute("SELECT * FROM old")
                root.execute("DROP TABLE old")
                assert number in directories(server)
                server.kill()
        with pytest.raises(psycopg.OperationalError):
            root.execute("SELECT 1")
    except psycopg.OperationalError:
        server.kill()
    server.start()
    try:
        wait_until(lambda: number not in directories(server))
    finally:
        server.stop()
