"""Commit sequence numbers and SNOWFLAKE_ID()s: time, node and a counter in 63 bits.

    milliseconds since 2024-01-01Z (41 bits) | node (10 bits) | counter (12 bits)

A number is never given twice, also when the clock steps back or the process dies: numbers are
given only up to a *reservation* that is durable before the first of them is used, and a start
begins above it.
"""

import threading
from collections.abc import Callable
from typing import Protocol

from storage.wall_clock import now_us

EPOCH_MS = 1_704_067_200_000
"""2024-01-01T00:00:00Z in milliseconds since 1970."""

RESERVE_MS = 10_000
"""A reservation reaches this far ahead: it costs one fsync each time."""

_EXTEND_MS = 5_000
"""The reservation is extended in the background when it reaches less far than this."""

NODE_MAX = 1023
_COUNTER_BITS = 12
_TIME_SHIFT = 22
_COUNTER_MAX = (1 << _COUNTER_BITS) - 1
_NODE_MASK = NODE_MAX << _COUNTER_BITS


class Clock(Protocol):
    """Where the time comes from."""

    def now_us(self) -> int:
        """Microseconds since 1970-01-01Z. May step back."""
        ...


class SystemClock:
    """The operating system's clock."""

    now_us = staticmethod(now_us)


def seq_at(us: int) -> int:
    """The least sequence number of a time, in microseconds since 1970."""
    return max(us // 1000 - EPOCH_MS, 0) << _TIME_SHIFT


def us_of(seq: int) -> int:
    """The time of a sequence number, in microseconds since 1970, to the millisecond."""
    return ((seq >> _TIME_SHIFT) + EPOCH_MS) * 1000


class Reservation:
    """How far numbers may be given: shared by all counters of a process.

    Thread-safe. `through` only grows.
    """

    def __init__(self, clock: Clock, through: int, make_durable: Callable[[int], None]) -> None:
        """A reservation that ends at `through`, of an earlier process.

        Args:
            clock: The time.
            through: The greatest number that may have been given.
            make_durable: Called with the new end; the end counts when it returns.
        """
        self.clock = clock
        self.through = through
        self._make_durable = make_durable
        self._lock = threading.Lock()

    def cover(self, number: int) -> None:
        """Reserve beyond `number`, waiting for the disk; nothing to do if it is covered."""
        with self._lock:
            if number > self.through:
                self._extend(number)

    def extend_early(self, last: int) -> None:
        """Reserve ahead of the time and of `last`, so that no commit has to wait for it."""
        newest = max(last, seq_at(self.clock.now_us()))
        with self._lock:
            if self.through - newest < _EXTEND_MS << _TIME_SHIFT:
                self._extend(newest)

    def _extend(self, number: int) -> None:
        newest = max(number, seq_at(self.clock.now_us()))
        through = newest + (RESERVE_MS << _TIME_SHIFT)
        self._make_durable(through)
        self.through = through


class HybridClock:
    """One strictly increasing counter under a reservation. For one thread."""

    __slots__ = ("_clock", "_node", "_reservation", "last")

    def __init__(self, reservation: Reservation, node: int, last: int) -> None:
        """A counter whose numbers are all above `last`."""
        assert 0 <= node <= NODE_MAX
        self._reservation = reservation
        self._clock = reservation.clock
        self._node = node << _COUNTER_BITS
        self.last = last

    def next(self) -> int:
        """The next number: of the time now, or after the last one if that is later.

        Raises:
            KalamError: The reservation had to grow and could not be made durable.
        """
        last = self.last
        number = ((self._clock.now_us() // 1000 - EPOCH_MS) << _TIME_SHIFT) | self._node
        if number <= last:
            if last & _COUNTER_MAX == _COUNTER_MAX or last & _NODE_MASK != self._node:
                # The counter is used up: borrow the next millisecond, never the node's bits.
                number = ((last >> _TIME_SHIFT) + 1) << _TIME_SHIFT | self._node
            else:
                number = last + 1
        if number > self._reservation.through:
            self._reservation.cover(number)
        self.last = number
        return number

    def follow(self) -> int:
        """The number after one that `next` gave, without a look at the clock: of the same moment.

        Raises as `next`.
        """
        last = self.last
        if last & _COUNTER_MAX == _COUNTER_MAX or last >= self._reservation.through:
            return self.next()
        self.last = last + 1
        return last + 1
