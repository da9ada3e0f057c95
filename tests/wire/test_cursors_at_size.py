"""Cursors over much: what they cost the server, and others."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from tests.wire.raw import SYNC, RawClient, bind, execute, message, parse
from tests.wire.server import KalamServer

pytestmark = pytest.mark.slow

ROWS = 3_000_000
ALLOWED_MB = 32


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KalamServer]:
    """A server with a single worker."""
    server = KalamServer(tmp_path_factory.mktemp("small"), KALAM_WORKERS="1").start()
    with server.root() as root:
        root.execute("CREATE NAMESPACE m")
        root.execute("CREATE TABLE m.t (id bigint PRIMARY KEY, v int) WITH (TYPE = 'SHARED')")
        root.execute("INSERT INTO m.t SELECT g, 0 FROM generate_series(1, 3000) g")
    yield server
    server.stop()


def memory_mb(server: KalamServer, what: str = "VmRSS") -> float:
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    return int(status.split(f"{what}:")[1].split()[0]) / 1024


def forget_peak(server: KalamServer) -> None:
    assert server.process is not None
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5", encoding="ascii")


MANY = f"SELECT g, 'row number ' || g::text AS t FROM generate_series(1, {ROWS}) g"


@pytest.mark.parametrize("kind", ["", "NO SCROLL", "SCROLL"])
def test_a_cursor_over_millions_of_rows_costs_the_server_little(small: KalamServer, kind: str):
    with small.root() as root:
        root.execute("SELECT 1 FROM generate_series(1, 10)").fetchall()
        forget_peak(small)
        before = memory_mb(small)
        root.execute("BEGIN")
        root.execute(f"DECLARE c {kind} CURSOR FOR {MANY}")
        assert root.execute("FETCH 2 FROM c").fetchall()[1] == (2, "row number 2")
        assert root.execute("MOVE 100000 FROM c").statusmessage == "MOVE 100000"
        assert len(root.execute("FETCH 5000 FROM c").fetchall()) == 5000
        assert root.execute("MOVE ALL FROM c").statusmessage == f"MOVE {ROWS - 105_002}"
        if kind != "NO SCROLL":
            assert root.execute("FETCH BACKWARD 1 FROM c").fetchone()[0] == ROWS
            assert root.execute("FETCH ABSOLUTE 1234567 FROM c").fetchone()[0] == 1_234_567
            assert root.execute("FETCH RELATIVE -1000000 FROM c").fetchone()[0] == 234_567
        assert memory_mb(small, "VmHWM") - before < ALLOWED_MB
        root.execute("ROLLBACK")


def test_a_portal_over_millions_of_rows_costs_the_server_little(small: KalamServer):
    with RawClient(small) as client:
        forget_peak(small)
        before = memory_mb(small)
        client.send(parse(MANY) + bind(portal="p") + execute(1000, "p") + message(b"H"))
        while client.receive()[0] != "s":
            pass
        assert memory_mb(small, "VmHWM") - before < ALLOWED_MB
        client.send(SYNC)
        assert client.answer().kinds == "Z"


def test_a_held_cursor_is_on_the_disk_and_goes_with_its_session(small: KalamServer):
    with small.root() as root:
        forget_peak(small)
        before = memory_mb(small)
        root.execute(f"DECLARE c NO SCROLL CURSOR WITH HOLD FOR {MANY}")
        assert root.execute("MOVE 2999999 FROM c").statusmessage == "MOVE 2999999"
        assert root.execute("FETCH c").fetchone() == (ROWS, f"row number {ROWS}")
        assert memory_mb(small, "VmHWM") - before < ALLOWED_MB
        assert spilled(small) == 1
        # It has no name; what has one are the workers' directories.
        assert [path for path in (small.directory / "spill").rglob("*") if path.is_file()] == []
    with small.root() as root:
        root.execute("SELECT 1")
        assert spilled(small) == 0


def spilled(server: KalamServer) -> int:
    """Files without a name that the server has open in its spill directory."""
    assert server.process is not None
    found = 0
    for link in Path(f"/proc/{server.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # One that was closed meanwhile.
            found += str(server.directory / "spill") in str(link.readlink())
    return found


def test_who_leaves_a_cursor_open_keeps_no_worker_from_others(small: KalamServer):
    with small.root() as one, small.root() as two:
        one.execute("BEGIN")
        one.execute(f"DECLARE c CURSOR FOR {MANY}")
        assert one.execute("FETCH c").fetchone() == (1, "row number 1")
        for _ in range(3):
            found = two.execute("SELECT count(*) FROM m.t GROUP BY v").fetchall()
            assert found == [(3000,)]
        assert one.execute("FETCH c").fetchone() == (2, "row number 2")
        assert one.execute("FETCH ABSOLUTE 2000000 FROM c").fetchone()[0] == 2_000_000
        one.execute("ROLLBACK")


def test_a_statement_that_waits_for_a_row_keeps_no_worker_from_who_has_it(small: KalamServer):
    with small.root() as one, small.root() as two:
        one.execute("BEGIN")
        one.execute("UPDATE m.t SET v = 1 WHERE id = 1")
        waiting = threading.Thread(
            target=two.execute, args=("UPDATE m.t SET v = v + 10 WHERE v + id > 0",)
        )
        waiting.start()
        assert one.execute("SELECT sum(v) FROM m.t GROUP BY id > 0").fetchall() == [(1,)]
        one.execute("COMMIT")
        waiting.join(30)
        assert not waiting.is_alive()
        assert two.execute("SELECT sum(v) FROM m.t GROUP BY id > 0").fetchall() == [(30_001,)]


def test_a_cursor_sees_what_was_there_when_it_was_declared(small: KalamServer):
    with small.root() as one, small.root() as two:
        one.execute("CREATE TABLE m.c (id bigint PRIMARY KEY, v int) WITH (TYPE = 'SHARED')")
        one.execute("INSERT INTO m.c SELECT g, 0 FROM generate_series(1, 5000) g")
        one.execute("BEGIN")
        one.execute("INSERT INTO m.c VALUES (0, 0)")
        one.execute("DECLARE c CURSOR FOR SELECT id FROM m.c ORDER BY id")
        one.execute("INSERT INTO m.c VALUES (-1, 0)")
        two.execute("INSERT INTO m.c VALUES (-2, 0)")
        two.execute("DELETE FROM m.c WHERE id > 10")
        two.execute("STORAGE FLUSH TABLE m.c")
        assert [row[0] for row in one.execute("FETCH ALL FROM c")] == list(range(5001))
        one.execute("ROLLBACK")


@pytest.mark.parametrize("binary", [False, True])
def test_what_an_insert_returns_may_be_long(small: KalamServer, binary: bool):
    with small.root(cursor_factory=psycopg.Cursor) as root:
        forget_peak(small)
        root.execute("BEGIN")
        cursor = root.cursor(binary=binary)
        cursor.execute(
            "INSERT INTO m.t SELECT g, g % 7 FROM generate_series(100001, 160000) g RETURNING id, v"
        )
        assert cursor.statusmessage == "INSERT 0 60000"
        assert cursor.fetchall() == [(g, g % 7) for g in range(100_001, 160_001)]
        cursor.execute("DELETE FROM m.t WHERE id > 100000 RETURNING id")
        assert sorted(row[0] for row in cursor) == list(range(100_001, 160_001))
        root.execute("ROLLBACK")


def test_a_long_answer_of_the_catalogue_is_whole(small: KalamServer):
    text = "SELECT a.oid::int8, c.typname FROM pg_type a, pg_type b, pg_type c LIMIT 40000"
    with small.root() as root:
        found = root.execute(text).fetchall()
        assert len(found) == 40_000
        root.execute("BEGIN")
        root.execute(f"DECLARE c CURSOR FOR {text}")
        assert len(root.execute("FETCH 30000 FROM c").fetchall()) == 30_000
        assert len(root.execute("FETCH BACKWARD 10 FROM c").fetchall()) == 10
        assert len(root.execute("FETCH ALL FROM c").fetchall()) == 10_010
        root.execute("ROLLBACK")
        root.execute("SET statement_timeout = 200")
        with pytest.raises(psycopg.errors.QueryCanceled):
            root.execute(
                "SELECT count(*) FROM pg_type a, pg_type b, pg_type c, pg_type d, pg_type e"
            )
        root.execute("RESET statement_timeout")
    assert spilled(small) == 0


@pytest.mark.parametrize("wanted", [50, 2500])
def test_many_of_the_newest_rows_are_an_engines_work(small: KalamServer, wanted: int):
    text = f"SELECT id FROM m.newest ORDER BY id DESC LIMIT {wanted}"
    with small.root() as root:
        root.execute(
            "CREATE TABLE IF NOT EXISTS m.newest (id bigint PRIMARY KEY) WITH (TYPE = 'SHARED')"
        )
        if root.execute("SELECT count(*) FROM m.newest").fetchone() == (0,):
            root.execute("INSERT INTO m.newest SELECT g FROM generate_series(1, 3000) g")
        found = [row[0] for row in root.execute(text)]
        assert found == list(range(3000, 3000 - wanted, -1))
        plan = "\n".join(row[0] for row in root.execute(f"EXPLAIN {text}"))
        assert ("Newest Rows Scan" in plan) == (wanted == 50)
