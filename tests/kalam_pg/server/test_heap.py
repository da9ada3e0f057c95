"""What is free goes back to the operating system."""

import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

from kalam_pg.server.heap import EVERY_S, FREED_BYTES, PAUSE_MIN_S, Heap

MB = 1 << 20

PINNED = """
from kalam_pg.server import heap
{prepare}
before, kept, block = heap.resident_bytes(), [], b""
for n in range(40, 1, -1):  # Each is freed when the next, a smaller one, is there.
    block = b"x" * (n * 500_000)
    kept.append(b"y" * 5000)
del block
print(heap.resident_bytes() - before)
"""


def left(prepare: str) -> int:
    """Bytes that a process keeps of large blocks that it has freed, small ones beside them."""
    text = PINNED.format(prepare=prepare)
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.slow
def test_a_large_block_is_the_systems_again_when_it_is_freed():
    assert left("pass") > 10 * MB  # Otherwise this shows nothing.
    assert left("heap.prepare()") < 3 * MB


@dataclass
class Process:
    """A process as `Heap` sees it."""

    resident: int = 150 * MB
    held: int = 0
    now_s: float = 0.0
    trims: int = 0
    given: int = 20 * MB
    takes_s: float = 0.0

    def heap(self, most: int = 0) -> Heap:
        return Heap(
            lambda: self.held,
            most=most,
            resident=lambda: self.resident,
            trim=self.trim,
            clock=lambda: self.now_s,
        )

    def trim(self) -> None:
        self.trims += 1
        self.resident -= min(self.given, self.resident - 150 * MB)
        self.now_s += self.takes_s


async def test_the_heap_is_looked_through_when_much_was_taken_beside_what_is_held():
    process = Process()
    heap = process.heap()
    await heap.turn()
    process.resident += FREED_BYTES
    await heap.turn()
    assert process.trims == 0
    process.resident += 1
    await heap.turn()
    assert process.trims == 1


async def test_what_sessions_hold_is_no_reason_and_what_they_held_is_one():
    process = Process()
    heap = process.heap()
    await heap.turn()
    process.held, process.resident = 500 * MB, 650 * MB
    await heap.turn()
    assert process.trims == 0
    process.held = 0
    await heap.turn()
    assert process.trims == 1


async def test_it_is_looked_through_again_the_more_seldom_the_less_that_gives():
    process = Process(given=0)
    heap = process.heap()
    await heap.turn()
    process.resident += 500 * MB
    looks = []
    for _ in range(100):
        before = process.trims
        await heap.turn()
        if process.trims > before:
            looks.append(process.now_s)
        process.now_s += 1
    assert looks == [0, 5, 15, 35, 75]
    process.given = 200 * MB
    process.now_s = 160
    for _ in range(4):
        await heap.turn()
        process.now_s += EVERY_S
    assert process.trims == 5 + 3, "as long as it gives much"
    assert process.resident <= 150 * MB + FREED_BYTES


async def test_what_is_freed_meanwhile_is_a_reason_of_its_own():
    process = Process(given=0)
    heap = process.heap()
    await heap.turn()
    process.resident += 500 * MB
    await heap.turn()
    process.now_s += EVERY_S
    await heap.turn()
    assert process.trims == 1
    process.held -= FREED_BYTES + 1
    await heap.turn()
    assert process.trims == 2
    process.given = 400 * MB  # It was freed a moment later.
    process.now_s += PAUSE_MIN_S
    await heap.turn()
    assert process.trims == 3


async def test_heaps_are_not_looked_through_all_the_time_while_much_is_taken():
    process = Process()
    heap = process.heap()
    await heap.turn()
    for _ in range(20):
        process.resident += 2 * FREED_BYTES
        await heap.turn()
        process.now_s += EVERY_S / 10
    assert process.trims == 2


async def test_a_look_that_takes_long_is_long_ago_before_the_next():
    process = Process(takes_s=0.1)
    heap = process.heap()
    await heap.turn()
    for _ in range(100):
        process.resident += 2 * FREED_BYTES
        await heap.turn()
        process.now_s += EVERY_S / 10
    assert process.trims == 1


async def test_with_more_than_there_may_be_nothing_is_waited_for():
    process = Process(takes_s=0.1)
    heap = process.heap(most=2000 * MB)
    await heap.turn()
    process.resident = 2200 * MB
    for _ in range(12):
        await heap.turn()
        process.now_s += EVERY_S / 2
    assert process.trims > 4
    process.held = process.resident  # It is known what has it.
    before = process.trims
    for _ in range(12):
        await heap.turn()
        process.now_s += EVERY_S / 2
    assert process.trims == before


TAKEN = """
from kalam_pg.server.heap import resident_bytes
before = resident_bytes()
block = b"x" * (32 << 20)
print(resident_bytes() - before)
"""


def test_a_process_knows_what_it_has():
    # Another one than this, which may have had as much before and kept it.
    done = subprocess.run([sys.executable, "-c", TAKEN], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 30 * MB


IN_USE = """
from kalam_pg.server import heap
before = heap.in_use_bytes()
kept = [[n] for n in range(300_000)]
all_of_it = heap.in_use_bytes() - before
del kept[::2]
print(all_of_it, heap.in_use_bytes() - before)
"""


@pytest.mark.slow
def test_what_is_in_use_is_told_also_when_what_is_free_cannot_be_given_back():
    done = subprocess.run(
        [sys.executable, "-c", IN_USE], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONMALLOC": "malloc"},
    )  # fmt: skip
    whole, half = map(int, done.stdout.split())
    assert whole > 25 * MB
    assert half < 0.7 * whole
