"""What is free goes back to the operating system."""

import subprocess
import sys
from dataclasses import dataclass

import pytest

from kalam_pg.server.heap import EVERY_S, FREED_BYTES, Heap, resident_bytes

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

    def heap(self) -> Heap:
        return Heap(
            lambda: self.held,
            resident=lambda: self.resident,
            trim=self.trim,
            clock=lambda: self.now_s,
        )

    def trim(self) -> None:
        self.trims += 1
        self.resident -= 20 * MB


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


async def test_it_is_looked_through_again_since_what_was_held_is_freed_in_turns():
    process = Process()
    heap = process.heap()
    await heap.turn()
    process.resident += 500 * MB
    trims = []
    for _ in range(60):
        await heap.turn()
        trims.append(process.trims)
        process.now_s += 1
    assert [trims[at] for at in (0, 9, 10, 39, 40, 59)] == [1, 1, 2, 2, 3, 3]


async def test_heaps_are_not_looked_through_all_the_time_while_much_is_taken():
    process = Process()
    heap = process.heap()
    await heap.turn()
    for _ in range(20):
        process.resident += 2 * FREED_BYTES
        await heap.turn()
        process.now_s += EVERY_S / 10
    assert process.trims == 2


def test_a_process_knows_what_it_has():
    before = resident_bytes()
    block = b"x" * (32 * MB)
    assert resident_bytes() - before > 30 * MB
    del block
