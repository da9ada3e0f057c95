"""A flush, a compaction and an erasure that end at each of their steps: killed, refused by the disk, cut off.

At each step the client that asked is told, what is read stays the same, and nothing of it is left behind
once it was done again.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

from conformance.retention.place import Place, equal, expect, wait_until

_PUBLISHED: Final = (
    *("publish.files_durable", "publish.renamed", "publish.manifest_written"),
    *("publish.names_durable", "publish.manifest_linked", "publish.manifest_durable"),
    *("publish.swapped", "publish.noted"),
)
_TABLE: Final = (
    "CREATE TABLE kept (id INT PRIMARY KEY, v TEXT)"
    " WITH (TYPE = 'USER', FLUSH_POLICY = 'rows:9999')"
)
_ROWS: Final = "SELECT id, v FROM kept ORDER BY id"

STATES: Final = {"eio": "58030", "enospc": "53100", "hold": "57014", "kill": "08006"}
"""What befalls a step (`storage.failpoints`; what holds is killed by KILL JOB), and what is told."""


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of work. job: its type in system.jobs. statement: asks for it. steps: in their order."""

    job: str
    statement: str
    steps: tuple[str, ...]


FLUSH: Final = Work(
    "flush",
    "STORAGE FLUSH TABLE kept",
    ("flush.intent", "flush.encoded", "flush.file_written", *_PUBLISHED, "flush.done"),
)
COMPACT: Final = Work(
    "compact",
    "STORAGE COMPACT TABLE kept",
    ("compact.chosen", "compact.file_written", "compact.merged", *_PUBLISHED, "compact.done"),
)


def every_step(place: Place, work: Work, action: str) -> str:
    """End the work at each of its steps, one after the other; how that was told.

    Each time it is begun again it comes further, and in the end to its end.
    """
    every = ",".join(f"{step}:{action}" for step in work.steps)
    # Flushes pass steps of a compaction too: what makes its segments must not end at them.
    each = action == "kill" or work is COMPACT
    place.start(KALAM_FAILPOINTS="" if each else every)
    place.run(_TABLE)
    told: dict[str, int] = {}
    for number, step in enumerate(work.steps, 1):
        _prepare(place, number, flushed=work is COMPACT)
        if each:
            place.restart(KALAM_FAILPOINTS=f"{step}:{action}")
        rows = place.run(_ROWS)
        state = _killed(place, work) if action == "hold" else place.state_of(work.statement)
        if action == "kill":
            place.server.kill()
            place.start()
        # What is published may be told as done: there is nothing left to end.
        expect(state in (STATES[action], "00000"), f"{step}: {state}")
        told[state] = told.get(state, 0) + 1
        equal(f"rows after {action} at {step}", place.run(_ROWS), rows)
        place.run(f"INSERT INTO kept VALUES ({10_000 + number}, 'still written')")
    rows = place.run(_ROWS)
    place.restart()
    equal("rows after a start", place.run(_ROWS), rows)
    place.run(FLUSH.statement, COMPACT.statement)
    equal("rows after all was done", place.run(_ROWS), rows)
    wait_until(lambda: _segments(place) == (1, 1), "files without a manifest stay")
    wait_until(lambda: "tmp-" not in str(place.files()), "temporary files stay")
    return _told(told)


def _prepare(place: Place, number: int, *, flushed: bool) -> None:
    """Some work to do: rows that the log alone has, or two segments."""
    with place.server.root() as root:
        for first in (number * 20, number * 20 + 10) if flushed else (number * 20,):
            values = f"SELECT g, 'v' FROM generate_series({first}, {first + 9}) g"
            root.execute(f"INSERT INTO kept {values}".encode())
            root.execute(f"UPDATE kept SET v = 'edited {number}' WHERE id = {first // 2}".encode())
            root.execute(f"DELETE FROM kept WHERE id = {first // 3}".encode())
            if flushed:
                root.execute(FLUSH.statement.encode())


def _segments(place: Place) -> tuple[int, int]:
    named = place.one("SELECT count(*) FROM system.segments WHERE table_name = 'kept'")
    return named, sum(name.endswith(".parquet") for name in place.files())


def _killed(place: Place, work: Work) -> str:
    """Ask for it, kill its job where it holds; the SQLSTATE of what the client was told."""
    place.hold()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(place.state_of, work.statement)
        try:
            wait_until(lambda: asked.done() or place.running(work.job), f"no {work.job} runs")
            job = place.running(work.job)
            if job is not None:
                place.run(f"KILL JOB '{job}'")
        finally:
            place.go_on()
        return asked.result(timeout=60)


_ERASE: Final = ("erase.manifests_gone", "erase.unlinked")


def erase_at_every_step(place: Place, action: str) -> str:
    """End the erasure of dropped tables at each of its steps; what `system.jobs` tells of it."""
    place.start()
    told: dict[str, int] = {}
    for step in _ERASE:
        place.run(_TABLE)
        _prepare(place, 1, flushed=True)
        for name in ("gone", "gone_too"):
            place.run(
                f"CREATE TABLE {name} (id INT PRIMARY KEY)", f"INSERT INTO {name} VALUES (1)",
                f"STORAGE FLUSH TABLE {name}", f"INSERT INTO {name} VALUES (2)",
            )  # fmt: skip
        rows = place.run(_ROWS)
        place.restart(KALAM_FAILPOINTS=f"{step}:{action}")
        if action == "hold":
            place.hold()
        place.run("SELECT 1")
        state = place.state_of("DROP TABLE gone")
        expect(state in ("00000", "08006"), f"DROP TABLE: {state}")
        if action == "hold":
            wait_until(lambda: place.running("table_cleanup"), "nothing is erased")
            place.run(f"KILL JOB '{place.running('table_cleanup')}'")
            place.go_on()
        elif action == "kill":
            place.ended()
            place.start()
        if action != "kill":
            ended = "SELECT error FROM system.jobs WHERE job_type = 'table_cleanup' AND error <> ''"
            wait_until(partial(place.run, ended), "its error is not told")
            told_ = place.one(ended)[:5]
            equal(f"the job's error at {step}", told_, STATES[action])
            told[told_] = told.get(told_, 0) + 1
        equal(f"rows after {action} at {step}", place.run(_ROWS), rows)
        place.run("DROP TABLE gone_too")
        tablets = len(set(place.run("SELECT table_name FROM system.stats")))
        wait_until(lambda: len(_tables(place)) == 1, "directories of dropped tables stay")
        equal("tablets that there are", tablets, 1)
        equal("rows after all was erased", place.run(_ROWS), rows)
        place.run("DROP TABLE kept")
        wait_until(lambda: not _tables(place), "a directory stays")
    return _told(told)


def _tables(place: Place) -> set[str]:
    """The tables of which there is a directory."""
    return {name.split("/")[1] for name in place.files() if "/" in name}


def _told(told: dict[str, int]) -> str:
    return ", ".join(f"{state} at {count}" for state, count in sorted(told.items())) or "done again"
