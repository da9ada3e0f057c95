"""Memory that nobody uses any more goes back to the operating system.

The C library keeps what is freed for whoever asks next, and gives back only what lies at the end of its heap:
one small block there keeps everything below it. By itself it also learns to put blocks of up to 32 MB into
that heap, once one of them was freed: after a few large statements it kept 650 MB, and nothing used them.
So large blocks are kept out of the heap (`prepare`), and what is free within it is given back when it is much
(`Heap`).
"""

import ctypes
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Final

import pyarrow as pa
import trio

MMAP_BYTES: Final = 256 << 10
"""Larger blocks are mapped each by itself, and are the system's again when they are freed. To map one anew
costs some 0.1 µs for each kB, less than filling it."""

TOP_BYTES: Final = 8 << 20
"""So much may be free at the end of the heap; more is given back at once."""

ARENAS_MAX: Final = 2
"""Heaps, of the event loop and of all threads: each keeps something of its own."""

FREED_BYTES: Final = 64 << 20
"""Heaps are looked through when the process has so much more than is known to be held. Nobody gets anything
of the heap meanwhile, 0.1 to 0.2 ms for each megabyte: so not much more is to be given back at once."""

SHARE: Final = 50
"""A look takes one part of so many of the time, whatever there is to look through."""

EVERY_S: Final = 0.5
"""Not more often."""

PAUSE_MIN_S: Final = 5.0
PAUSE_MAX_S: Final = 160.0
"""After a look that gave little back, the longer the more there were of these: what is free may still lie in
pages with what is not."""

LOOK_S: Final = 0.25
"""How often it is asked whether something is to be done: 15 µs each."""

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
"""From malloc.h."""


_INFORMATION: Final = (
    *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
    *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
)

_C: Final = ctypes.CDLL(None)
_malloc_trim: Final = getattr(_C, "malloc_trim", None)
_mallopt: Final = getattr(_C, "mallopt", None)
_mallinfo: Final = getattr(_C, "mallinfo2", None)
"""None without the GNU C library: it is another's to decide then."""


def prepare() -> None:
    """Keep large blocks out of the heap. Before there are threads."""
    if _mallopt is not None:
        _mallopt(_M_MMAP_THRESHOLD, MMAP_BYTES)
        _mallopt(_M_TRIM_THRESHOLD, TOP_BYTES)
        _mallopt(_M_ARENA_MAX, ARENAS_MAX)


def trim() -> None:
    """Give back what is free, of the C library's heaps and of Arrow's. From any thread."""
    if _malloc_trim is not None:
        _malloc_trim(0)
    pa.default_memory_pool().release_unused()


def resident_bytes() -> int:
    """What the process has in memory that is no page of a file."""
    _, resident, shared, *_ = Path("/proc/self/statm").read_bytes().split()
    return (int(resident) - int(shared)) * _PAGE_BYTES


class _Information(ctypes.Structure):
    """What mallinfo2 tells (malloc.h)."""

    _fields_ = [(name, ctypes.c_size_t) for name in _INFORMATION]


if _mallinfo is not None:
    _mallinfo.restype = _Information


def in_use_bytes() -> int:
    """What the process has asked for and not given back, about. Some milliseconds when much is free in
    pieces: not for every second.
    """
    if _mallinfo is None or sys.getallocatedblocks():  # These would be in Python's own arenas.
        return resident_bytes()
    told = _mallinfo()
    in_use: int = told.uordblks + told.hblkhd
    return in_use


class Heap:
    """Of a server's process."""

    def __init__(
        self,
        held: Callable[[], int],
        *,
        most: int = 0,
        resident: Callable[[], int] = resident_bytes,
        trim: Callable[[], None] = trim,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """held: bytes that are known to be in use, and will be free again. most: with more in memory nothing
        is waited for; 0: whatever there is.
        """
        self._held = held
        self._resident = resident
        self._trim = trim
        self._clock = clock
        self._most = most
        self._rest: int | None = None
        """The least that it had beside what is held."""
        self._left = 0
        """What it had beside after the last look."""
        self._not_before_s = self._again_s = self._soonest_s = 0.0
        self._pause_s = PAUSE_MIN_S

    async def turn(self) -> None:
        """Look, and give back what is due, as a step that is repeated."""
        if self.is_due():
            before, since_s = self._resident(), self._clock()
            await trio.to_thread.run_sync(self._trim)
            self.trimmed(before - self._resident(), self._clock() - since_s)

    def is_due(self) -> bool:
        """Whether so much is there beside what is held that much of it may be free."""
        resident = self._resident()
        beside = resident - self._held()
        if self._rest is None or beside < self._rest:
            self._rest = beside
        self._left = min(self._left, beside)
        now_s = self._clock()
        if self._most and resident > self._most and beside - self._rest > FREED_BYTES:
            return now_s >= self._soonest_s
        if beside - self._rest <= FREED_BYTES or now_s < self._not_before_s:
            return False
        if beside - self._left > FREED_BYTES:
            self._pause_s = PAUSE_MIN_S  # What is held no more is freed in turns, some of it soon.
            return True
        return now_s >= self._again_s

    def trimmed(self, given: int, took_s: float) -> None:
        """So many bytes were given back."""
        now_s = self._clock()
        self._left = self._resident() - self._held()
        self._soonest_s = now_s + EVERY_S
        self._not_before_s = now_s + max(EVERY_S, SHARE * took_s)
        much = given >= FREED_BYTES // 2
        self._again_s = self._not_before_s if much else now_s + self._pause_s
        self._pause_s = PAUSE_MIN_S if much else min(2 * self._pause_s, PAUSE_MAX_S)


_PAGE_BYTES: Final = resource.getpagesize()
