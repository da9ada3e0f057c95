"""Callbacks that are due later, in one task: a heap, not a task for each timer.

Statement timeouts are set and cancelled for each statement, so both are cheap: a cancelled entry
stays in the heap until it comes up, or until cancelled entries are the greater part of it.
"""

import heapq
from collections.abc import Callable
from typing import Final

import trio

from kalam_pg.supervision import guarded

_COMPACT_FROM: Final = 1024  # Below this a rebuild is not worth the thought.


class Entry:
    """One timer; `cancel` forgets it."""

    __slots__ = ("callback", "due", "owner")

    def __init__(self, owner: "Timers", due: float, callback: Callable[[], None]) -> None:
        self.owner = owner
        self.due = due
        self.callback: Callable[[], None] | None = callback

    def __lt__(self, other: "Entry") -> bool:
        return self.due < other.due

    def cancel(self) -> None:
        """Never run the callback; nothing happens when it already ran."""
        if self.callback is not None:
            self.callback = None
            self.owner.note_cancelled()


class Timers:
    """The timers of one loop. Every method is called in the trio thread that runs `run`."""

    def __init__(self) -> None:
        self._heap: list[Entry] = []
        self._cancelled = 0
        self._changed = trio.Event()

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Entry:
        """Run `callback` in `delay_s` seconds."""
        entry = Entry(self, trio.current_time() + delay_s, callback)
        heapq.heappush(self._heap, entry)
        if self._heap[0] is entry:
            self._changed.set()
        return entry

    def note_cancelled(self) -> None:
        """An entry is not needed any more; drop such entries when they are most of the heap."""
        self._cancelled += 1
        if self._cancelled > _COMPACT_FROM and 2 * self._cancelled > len(self._heap):
            self._heap = [entry for entry in self._heap if entry.callback is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    @property
    def pending(self) -> int:
        """Entries held, cancelled ones included."""
        return len(self._heap)

    async def run(self) -> None:
        """Run what comes due, for ever."""
        while True:
            self._run_due()
            self._changed = trio.Event()
            until = self._heap[0].due if self._heap else float("inf")
            with trio.move_on_at(until):
                await self._changed.wait()

    def _run_due(self) -> None:
        now = trio.current_time()
        while self._heap and (self._heap[0].due <= now or self._heap[0].callback is None):
            entry = heapq.heappop(self._heap)
            callback = entry.callback
            if callback is None:
                self._cancelled -= 1
            else:
                entry.callback = None
                guarded(callback)
