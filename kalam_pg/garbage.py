"""When cyclic garbage is collected: little at a time, whatever there is in memory.

A full collection looks at every object: with a gigabyte of them it holds the event loop for a second or more.
So Python's own never comes (`Collector.begin`). What has survived the young generations is looked at once,
soon, and then put aside (`gc.freeze`): no later collection looks at it again. What is put aside goes when
nobody refers to it, as nearly everything does; only what stands in circles stays. Those are looked for,
seldom, when much of what was put aside has gone: there is little left to look at then.
"""

import gc
import threading
from collections.abc import Callable
from time import monotonic
from typing import Final

from kalam_pg.large_trees import large_trees
from kalam_pg.memory import Accounts

YOUNG: Final = 3
"""After so many collections of the middle generation what survived them is looked at: up to 7000 objects
each, so some milliseconds."""

YOUNG_MAX: Final = 8
"""What survived so many at once, of a large commit as a rule, is put aside without a look: that would take as
much longer."""

LARGE_BYTES: Final = 4 << 20
"""With more in the accounts, what survives is put aside without a look: it is theirs. So much is some ten
thousand objects, or a few times that, and a look at them some milliseconds; of 12 MB, a hundred."""

QUIET_BYTES: Final = 32 << 20
"""With less everything may be looked at: what sessions hold is looked at too."""

CLOSED_MAX: Final = 2000
"""After so many sessions have ended everything is looked at: each may leave some kilobytes in circles."""

FREED_BYTES: Final = 128 << 20
"""Or after so much was given back of what was put aside without a look."""

PUT_ASIDE_MAX: Final = 500
"""Or after so many times that something was put aside without a look: long texts too, and what others had
just made with each."""

EVERY_S: Final = 300.0
"""Not more often: what is there from the start is looked at too, which holds the event loop for 80 ms."""

MUCH_BYTES: Final = 64 << 20
"""Nor while so much more is in use than at the start: a few long texts that are kept are millions of objects,
and to look at these would take seconds."""

REFUSED_S: Final = 10.0
"""That is asked for again after so long, and then after twice as long each time: what is kept goes when it is
not used."""

PATIENCE_S: Final = 3600.0
"""But after so long everything is looked at all the same: it may be garbage that is in use."""

LOOK_S: Final = 0.25
"""How often it is asked whether something is to be done."""

LARGE_TREE: Final = 20_000
"""So many new objects are put aside together: to look at them would take some 10 ms."""


class Uncollected:
    """While any long text is read, in a thread, there are no collections.

    Each would look at all of the nodes made so far, and finds none: what is read knows no parents. So
    these made half of the time, and held the event loop meanwhile. Nor are they looked at afterwards.

    put_aside: how often that was.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers = 0
        self.put_aside = 0

    def __enter__(self) -> None:
        with self._lock:
            self._readers += 1
            gc.disable()

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._readers -= 1
            if not self._readers:
                if gc.get_count()[0] > LARGE_TREE:
                    gc.freeze()
                    self.put_aside += 1
                gc.enable()


uncollected: Final = Uncollected()


class Collector:
    """Of a server's process. For the event loop."""

    def __init__(
        self,
        accounts: Accounts,
        clock: Callable[[], float] = monotonic,
        in_use: Callable[[], int] = lambda: 0,
        resident: Callable[[], int] | None = None,
    ) -> None:
        """in_use: bytes of the process that are. resident: those that it has, which costs less to know."""
        self._accounts = accounts
        self._clock = clock
        self._in_use = in_use
        self._resident = resident or in_use
        self._in_use_first = self._resident_first = 0
        self._refused_s = REFUSED_S
        self._due_s = self._late_s = 0.0
        self._most = self._closed = self._asides = self._put_aside = 0
        self._aside = False
        self._looked_at_everything()

    def begin(self) -> None:
        """What is there now is there for good."""
        gc.collect()
        gc.freeze()
        self._in_use_first, self._resident_first = self._in_use(), self._resident()
        first, second, _ = gc.get_threshold()
        gc.set_threshold(first, second, _NEVER)

    async def turn(self) -> None:
        """`look`, as a step that is repeated, and what is alike of what is in no circle."""
        self.look()
        await large_trees.turn()

    def look(self) -> None:
        """Do what is due."""
        total = self._accounts.total
        self._most = max(self._most, total)
        if total < QUIET_BYTES and self._is_much_gone(total) and self._is_little_left():
            gc.unfreeze()
            gc.collect()
            gc.freeze()
            self._looked_at_everything()
        elif gc.get_count()[2] >= YOUNG:
            if total > LARGE_BYTES or gc.get_count()[2] >= YOUNG_MAX:
                gc.collect(1)
                gc.freeze()
                self._aside = True
                self._asides += 1
            gc.collect()
            gc.freeze()

    def _is_much_gone(self, total: int) -> bool:
        """Whether circles may be left of what has gone, and it is long since anybody looked."""
        if self._clock() < self._due_s:
            return False
        return (
            self._accounts.closed - self._closed >= CLOSED_MAX
            or uncollected.put_aside + self._asides - self._put_aside >= PUT_ASIDE_MAX
            or (self._aside and self._most - total >= FREED_BYTES)
        )

    def _is_little_left(self) -> bool:
        """Whether looking at everything takes little, or has waited for that for very long."""
        now_s = self._clock()
        if now_s < self._late_s and self._is_much_in_use():
            self._due_s = min(now_s + self._refused_s, self._late_s)
            self._refused_s *= 2
            return False
        return True

    def _is_much_in_use(self) -> bool:
        """Whether it is. To ask the C library takes 0.3 s where much is free in pieces: seldom."""
        if self._resident() - self._resident_first <= MUCH_BYTES:
            return False
        return self._in_use() - self._in_use_first > MUCH_BYTES

    def _looked_at_everything(self) -> None:
        self._refused_s = REFUSED_S
        self._due_s = self._clock() + EVERY_S
        self._late_s = self._due_s + PATIENCE_S
        self._most = self._accounts.total
        self._closed = self._accounts.closed
        self._put_aside = uncollected.put_aside + self._asides
        self._aside = False


_NEVER: Final = 1 << 30
