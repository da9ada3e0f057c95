"""Work that is pure and long, done in a thread: the event loop has its turn when it wants one
(`server.instance.SWITCH_INTERVAL_S`).

It takes as long as it would here; a hop to a thread and back costs 50-80 µs.
"""

import gc
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeVar

import trio

from kalam_pg.query.waits import Steps, run_async
from storage.layout import Value

T = TypeVar("T")

THREADS_MAX = 2
"""Such pieces of work at the same time. They share one interpreter: more would only make each other wait."""

LARGE_VALUE = 2000
"""A parameter of more elements or characters may become as much text, or more bytes."""

LARGE_NODES = 600
"""A tree of more nodes is emitted, compiled or packed in a thread: each takes some 10 µs."""


def are_large(values: Sequence[Value]) -> bool:
    """Whether any parameter is."""
    return any(isinstance(v, tuple | str | bytes) and len(v) > LARGE_VALUE for v in values)


class _Uncollected:
    """While any long text is read there are no collections of cyclic garbage.

    Each would look at all of the nodes made so far, and finds none: what is read knows no parents. So
    these made half of the time, and held the event loop meanwhile.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers = 0

    def __enter__(self) -> None:
        with self._lock:
            self._readers += 1
            gc.disable()

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._readers -= 1
            if not self._readers:
                gc.enable()


_uncollected = _Uncollected()


def aside(function: Callable[[], T], *, timeout_s: float = 0.0) -> Steps[T]:
    """What `function` returns. timeout_s: 0 is none; when it passes this raises 57014."""

    def run() -> T:
        with _uncollected:
            return function()

    async def wait() -> T:
        # The thread cannot be stopped; a cancelled statement does not wait for it.
        return await trio.to_thread.run_sync(run, abandon_on_cancel=True, limiter=_limiter())

    return (yield from run_async(wait, timeout_s=timeout_s))


@lru_cache(maxsize=1)
def _limiter() -> trio.CapacityLimiter:
    return trio.CapacityLimiter(THREADS_MAX)
