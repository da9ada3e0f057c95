"""Sequence numbers: 41 bits of milliseconds since 2024-01-01Z, 10 bits of node, 12 bits of counter.

They only go up: past a clock that steps back, and past a crash, because a start begins above what was
*reserved*, and what is handed out never passes the reservation.
"""

import time
from collections.abc import Callable
from typing import Protocol

EPOCH_MS = 1_704_067_200_000
"""2024-01-01T00:00:00Z in Unix milliseconds."""

NODE_BITS = 10
COUNTER_BITS = 12
_TIME_SHIFT = NODE_BITS + COUNTER_BITS
_COUNTERS = 1 << COUNTER_BITS

RESERVE_MS = 10_000
"""How far ahead numbers are reserved: one fsync for so much time."""


class Clock(Protocol):
    """Where the time comes from."""

    def now_ms(self) -> int:
        """Unix milliseconds."""


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


def at_ms(unix_ms: int, node: int = 0) -> int:
    """The first number of a millisecond."""
    return (max(unix_ms - EPOCH_MS, 0) << _TIME_SHIFT) | (node << COUNTER_BITS)


def unix_ms_of(seq: int) -> int:
    """The millisecond that a number carries."""
    return (seq >> _TIME_SHIFT) + EPOCH_MS


class Sequence:
    """Hands out numbers of one node, each above the last, none above what is reserved.

    reserve: makes a new limit durable before it is used; called with the limit.
    """

    def __init__(
        self, clock: Clock, *, node: int, last: int, reserve: Callable[[int], None]
    ) -> None:
        assert 0 <= node < 1 << NODE_BITS
        self._clock = clock
        self._node = node
        self._reserve = reserve
        self._reserved = 0
        self.last = last

    def next(self) -> int:
        """The next number. Waits for a reservation about every ten seconds."""
        number = at_ms(self._clock.now_ms(), self._node)
        if number <= self.last:
            number = self._after(self.last)
        if number > self._reserved:
            self._reserved = at_ms(unix_ms_of(number) + RESERVE_MS, self._node)
            self._reserve(self._reserved)
        self.last = number
        return number

    def _after(self, last: int) -> int:
        """One more than `last`; a full counter borrows the next millisecond."""
        if (last & (_COUNTERS - 1)) < _COUNTERS - 1 and self._same_node(last):
            return last + 1
        return (((last >> _TIME_SHIFT) + 1) << _TIME_SHIFT) | (self._node << COUNTER_BITS)

    def _same_node(self, number: int) -> bool:
        return (number >> COUNTER_BITS) & ((1 << NODE_BITS) - 1) == self._node
