"""Memory that nobody uses any more goes back to the operating system.

The C library keeps what is freed for whoever asks next, and gives back only what lies at the end of its heap:
one small block there keeps everything below it. By itself it also learns to put blocks of up to 32 MB into
that heap, once one of them was freed: after a few large statements it kept 650 MB, and nothing used them.
So large blocks are kept out of the heap (`prepare`), and what is free within it is given back when it is much
(`Heap`).
"""

import ctypes
import resource
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

FREED_BYTES: Final = 32 << 20
"""Heaps are looked through when the process has taken so much more, beside what is known to be held."""

EVERY_S: Final = 5.0
"""Not more often: while half a gigabyte is given back, for some 40 ms, nobody gets anything of the heap."""

AGAIN_S: Final = (10.0, 40.0)
"""And again so much later: what a session held counts no more when it ends, and is freed in turns."""

LOOK_S: Final = 1.0
"""How often it is asked whether something is to be done: 15 µs each."""

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
"""From malloc.h."""


_C: Final = ctypes.CDLL(None)
_malloc_trim: Final = getattr(_C, "malloc_trim", None)
_mallopt: Final = getattr(_C, "mallopt", None)
"""None without the GNU C library: it is another's to decide then."""


def prepare() -> None:
    """Keep large blocks out of the heap. Before there are threads."""
    if _mallopt is not None:
        _mallopt(_M_MMAP_THRESHOLD, MMAP_BYTES)
        _mallopt(_M_TRIM_THRESHOLD, TOP_BYTES)
        _mallopt(_M_ARENA_MAX, ARENAS_MAX)


def trim() -> None:
    """Give back what is free, of the C library's heaps and of Arrow's. From any thread; others go on."""
    if _malloc_trim is not None:
        _malloc_trim(0)
    pa.default_memory_pool().release_unused()


def resident_bytes() -> int:
    """What the process has in memory that is no page of a file."""
    _, resident, shared, *_ = Path("/proc/self/statm").read_bytes().split()
    return (int(resident) - int(shared)) * _PAGE_BYTES


class Heap:
    """Of a server's process."""

    def __init__(
        self,
        held: Callable[[], int],
        *,
        resident: Callable[[], int] = resident_bytes,
        trim: Callable[[], None] = trim,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """held: bytes that are known to be in use, and will be free again."""
        self._held = held
        self._resident = resident
        self._trim = trim
        self._clock = clock
        self._rest: int | None = None
        self._due_s: list[float] = []
        """When the heaps are to be looked through, the soonest first."""
        self._not_before_s = 0.0

    async def turn(self) -> None:
        """Look, and give back what is due, as a step that is repeated."""
        if self.is_due():
            await trio.to_thread.run_sync(self._trim)
            self.trimmed()

    def is_due(self) -> bool:
        """Whether so much has been taken beside what is held that much of it may be free."""
        now_s = self._clock()
        beside = self._resident() - self._held()
        if self._rest is None or beside < self._rest:
            self._rest = beside
        if beside - self._rest > FREED_BYTES:
            self._rest = beside
            self._due_s = [now_s, *[now_s + later_s for later_s in AGAIN_S]]
        return bool(self._due_s) and now_s >= max(self._due_s[0], self._not_before_s)

    def trimmed(self) -> None:
        """All that is left is in use, as far as that was free already."""
        now_s = self._clock()
        self._rest = self._resident() - self._held()
        self._due_s = [due_s for due_s in self._due_s if due_s > now_s]
        self._not_before_s = now_s + EVERY_S


_PAGE_BYTES: Final = resource.getpagesize()
