"""What nobody needs any more: dropped tables, files that nobody names; and what a compaction meets."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from conformance.populated import DEFINITION, TABLES, populate
from conformance.retention.place import Place, equal, expect, wait_until
from tests.wire.server import PASSWORD

ROWS_PER_TABLET: Final = 20
SECONDS: Final = 30.0
"""Erasing 20 000 tablets takes seconds, also on a machine that is busy."""


def many(place: Place, tablets: int) -> str:
    """Drop a table of very many tablets while somebody writes another; how long until it was erased."""
    place.start()
    place.run(*(DEFINITION.format(name=name) for name in TABLES))
    place.run(
        "CREATE TABLE kept (id INT PRIMARY KEY, v TEXT)",
        "INSERT INTO kept SELECT g, 'v' FROM generate_series(1, 1000) g",
        "STORAGE FLUSH TABLE kept",
    )
    place.server.stop()
    each = -(-tablets // len(TABLES))
    populate(place.server.data, users=each, came=each, rows=ROWS_PER_TABLET)
    place.start()
    before = len(place.files())
    with _writer(place) as took:
        began = time.monotonic()
        place.run(f"DROP TABLE {', '.join(TABLES)}")
        dropped_s = time.monotonic() - began
        # kept's directories, manifest, segment and perhaps a key filter.
        wait_until(lambda: len(place.files()) <= 8, f"{len(place.files())} files are left")
        erased_s = time.monotonic() - began
        done = "SELECT result FROM system.jobs WHERE job_type = 'table_cleanup' AND status = 'completed'"
        wait_until(lambda: place.run(done), "the job does not end")
        ended_s = time.monotonic() - began
    expect(ended_s < SECONDS * max(1.0, tablets / 20_000), f"it took {ended_s:.1f} s")
    equal("rows of another table", place.one("SELECT count(*) FROM kept WHERE v = 'v'"), 1000)
    found = place.run("SELECT user_name FROM system.stats WHERE table_name <> 'kept'")
    equal("tablets in system.stats", found, [])
    took.sort()
    return (
        f"{before} files: DROP {dropped_s * 1000:.0f} ms, files gone after {erased_s:.1f} s, all after"
        f" {ended_s:.1f} s; {len(took)} INSERTs meanwhile, p50 {took[len(took) // 2] * 1000:.2f} ms,"
        f" p99 {took[len(took) * 99 // 100] * 1000:.1f}, longest {took[-1] * 1000:.0f}"
    )


@contextmanager
def _writer(place: Place) -> Iterator[list[float]]:
    """Somebody inserts rows all the while; the seconds that each took."""
    took: list[float] = []
    done = threading.Event()

    def write() -> None:
        with place.server.root(options="-c synchronous_commit=off") as root:
            number = 10_000
            while not done.is_set():
                began = time.perf_counter()
                root.execute("INSERT INTO kept VALUES (%s, 'w')", (number,), prepare=True)
                took.append(time.perf_counter() - began)
                number += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield took
    finally:
        done.set()
        thread.join()


def orphans(place: Place) -> str:
    """Files without a manifest, half-written ones and empty directories go; what is read does not."""
    place.start()
    place.run(
        "CREATE TABLE t (id INT PRIMARY KEY, v TEXT) WITH (CHANGE_RETENTION_HOURS = 0)",
        "CREATE TABLE other (id INT PRIMARY KEY)",
        "INSERT INTO other VALUES (1)",
        "STORAGE FLUSH TABLE other",
    )
    for number in range(3):
        place.run(
            f"INSERT INTO t SELECT g, 'v' FROM generate_series({number * 100}, {number * 100 + 99}) g",
            f"UPDATE t SET v = 'edited' WHERE id = {number * 30}",
            "STORAGE FLUSH TABLE t",
        )
    rows = place.run("SELECT * FROM t ORDER BY id")
    wait_until(lambda: place.trimmed() == 303, "the log is not trimmed")
    place.restart()  # Now segments alone have the rows.
    with place.server.root() as reader:
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        equal("rows", reader.execute("SELECT * FROM t ORDER BY id").fetchall(), rows)
        held = place.files()
        place.run("STORAGE COMPACT TABLE t", "DELETE FROM t WHERE id < 50", "STORAGE FLUSH TABLE t")
        planted = _plant(place, [name for name in held if name.endswith(".parquet")])
        wait_until(lambda: not planted & set(place.files()), f"{planted & set(place.files())} stay")
        equal("rows of the view", reader.execute("SELECT * FROM t ORDER BY id").fetchall(), rows)
        gone = _segments(held) - _segments(place.files())
        equal("files gone that a view reads", gone, set())
        reader.execute("COMMIT")
    wait_until(
        lambda: not _segments(held) & _segments(place.files()) - _named(place), "old files stay"
    )
    equal("rows", place.one("SELECT count(*) FROM t"), 250)
    place.run("TRUNCATE t", "STORAGE FLUSH TABLE t", "STORAGE COMPACT TABLE t")
    wait_until(lambda: len(_segments(place.files())) == 1, "segments of a truncated table stay")
    equal("rows", place.one("SELECT count(*) FROM t"), 0)
    place.restart()
    equal(
        "rows after a start", place.run("SELECT (SELECT count(*) FROM t), id FROM other"), [(0, 1)]
    )
    return f"{len(planted)} planted ones went, {len(held)} read ones stayed until they were read"


def _plant(place: Place, segments: list[str]) -> set[str]:
    """Files that nothing names, where the server may find them."""
    directory = Path(segments[0]).parent
    user = directory.parent
    planted = {
        directory / "segment-1-00000000000000aa.parquet": b"PAR1",
        directory / "segment-1-00000000000000aa.keys": b"",
        directory / "tmp-segment-1-00000000000000bb.parquet": b"half",
        directory / "tmp-0123456789abcdef": b"",
        user / "999999" / "tmp-0000": b"x",
        user / "999998" / "segment-1-00000000000000cc.parquet": b"PAR1",
        Path("4000000") / directory.name / "tmp-1": b"",
    }
    for path, data in planted.items():
        (place.cold / path.parent).mkdir(parents=True, exist_ok=True)
        (place.cold / path).write_bytes(data)
    empty = {user / "999997", Path("4000001") / "7", Path("4000001")}
    for path in sorted(empty):
        (place.cold / path).mkdir(parents=True, exist_ok=True)
    return {str(path) for path in (*planted, *empty)}


def _segments(files: Iterable[str]) -> set[str]:
    return {name for name in files if name.endswith(".parquet")}


def _named(place: Place) -> set[str]:
    found = {file for (file,) in place.run("SELECT file FROM system.segments")}
    return {name for name in place.files() if os.path.basename(name) in found}  # noqa: PTH119


# ------------------------------------------------------------------ what compaction meets


@contextmanager
def _compacting(place: Place, step: str) -> Iterator[Callable[[], list[str]]]:
    """A compaction of tablets of two users that holds at a step; gives how to let it go on, and its end."""
    place.start()
    place.run("CREATE TABLE t (id INT PRIMARY KEY, v TEXT) WITH (TYPE = 'USER')")
    for name in ("ann", "bob"):
        place.run(f"CREATE USER '{name}' WITH PASSWORD '{PASSWORD}' ROLE 'user'")
        for number in range(3):
            _as(
                place,
                name,
                f"INSERT INTO t SELECT g, 'v' FROM generate_series({number * 9}, {number * 9 + 8}) g",
            )
            _as(place, name, f"UPDATE t SET v = 'edited' WHERE id = {number}")
            place.run("STORAGE FLUSH TABLE t", "STORAGE FLUSH ALL")
    place.restart(KALAM_FAILPOINTS=f"{step}:hold")
    place.hold()
    states: list[str] = []

    def compact() -> None:
        states.append(place.state_of("STORAGE COMPACT ALL"))

    thread = threading.Thread(target=compact)
    thread.start()

    def go_on() -> list[str]:
        place.go_on()
        thread.join(60)
        return states

    try:
        wait_until(lambda: place.running("compact"), "no compaction runs")
        yield go_on
    finally:
        go_on()


def _as(place: Place, name: str, statement: str) -> list[tuple[object, ...]]:
    with place.server.connect(name) as session:
        cursor = session.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def drop_amid_compaction(place: Place) -> str:
    """DROP TABLE while tablets of it are compacted: nothing of them stays, or comes back."""
    told: list[str] = []
    steps = ("compact.chosen", "compact.merged", "publish.manifest_linked", "compact.done")
    for at, step in enumerate(steps):
        here = Place(place.server.data.with_name(f"data{at}"))
        try:
            with _compacting(here, step) as go_on:
                here.run("CREATE TABLE kept (id INT PRIMARY KEY)", "INSERT INTO kept VALUES (1)")
                here.run("STORAGE FLUSH TABLE kept", "DROP TABLE t")
                told += go_on()
                _only_one_is_left(here)
                here.restart()
                equal("rows of another", here.run("SELECT * FROM kept"), [(1,)])
                _only_one_is_left(here)
        finally:
            here.server.kill()
    return f"the compactions told {', '.join(sorted(set(told)))}"


def _only_one_is_left(place: Place) -> None:
    wait_until(lambda: len(_segments(place.files())) == 1, "files of the dropped table stay")


def alter_amid_compaction(place: Place) -> str:
    """ALTER TABLE while a tablet is compacted: rows are read in the new form, and compacted again."""
    changes = {
        "compact.chosen": "ALTER TABLE t ADD COLUMN n INT DEFAULT 7",
        "compact.merged": "ALTER TABLE t DROP COLUMN v",
        "publish.manifest_linked": "ALTER TABLE t ALTER COLUMN id TYPE BIGINT",
    }
    told: list[str] = []
    for at, (step, change) in enumerate(changes.items()):
        here = Place(place.server.data.with_name(f"data{at}"))
        try:
            with _compacting(here, step) as go_on:
                before = [(row[0],) for row in _as(here, "bob", "SELECT * FROM t ORDER BY id")]
                here.run(change)
                told += go_on()
                found = _as(here, "bob", "SELECT * FROM t ORDER BY id")
                equal("keys", [(row[0],) for row in found], before)
                _as(here, "bob", "INSERT INTO t (id) VALUES (5000)")
                here.run("STORAGE FLUSH ALL", "STORAGE COMPACT ALL")
                here.restart()
                again = _as(here, "bob", "SELECT * FROM t WHERE id < 5000 ORDER BY id")
                equal("rows after a start", again, found)
        finally:
            here.server.kill()
    return f"the compactions told {', '.join(sorted(set(told)))}"


PROBES = {
    "orphans": orphans,
    "DROP TABLE amid a compaction": drop_amid_compaction,
    "ALTER TABLE amid a compaction": alter_amid_compaction,
}
