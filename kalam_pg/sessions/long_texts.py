"""Texts that take long to read: read in a thread, so that the other sessions are served meanwhile.

A megabyte of SQL takes seconds to parse and bind. In a thread it takes as long, but the event loop has
its turn when it wants one (`server.instance.SWITCH_INTERVAL_S`). Short texts are read at once: a hop to
a thread and back costs 50-80 µs.
"""

import gc
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import trio

from kalam_pg.query.waits import Steps, breathe, run_async
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql.parse import parse
from kalam_pg.sql.statements import Statement

T = TypeVar("T")

LONG_CHARS = 16_384
"""Longer texts are read in a thread: those below take at most some 40 ms."""

ALONE_S = 0.005
"""So long a text of many short statements runs before the other sessions have their turn."""

THREADS_MAX = 2
"""Texts read at the same time. They share one interpreter: more would only make each other wait."""


def statements(sql: SqlSession, text: str) -> Steps[tuple[Statement, ...]]:
    """The statements of a message. Raises 42601, 54001."""
    if len(text) <= LONG_CHARS:
        return sql.cache.statements(text)
    return (yield from _aside(lambda: tuple(parse(text))))  # The cache keeps no long ones.


def in_turn(text: str, function: Callable[[], T]) -> Steps[T]:
    """What `function`, whose work grows with the text, returns."""
    if len(text) <= LONG_CHARS:
        return function()
    return (yield from _aside(function))


class Turns:
    """Lets the other sessions have a turn between the statements of one text."""

    __slots__ = ("_since",)

    def __init__(self) -> None:
        self._since = time.monotonic()

    def next(self) -> Steps[None]:
        """To be called between two statements."""
        if time.monotonic() - self._since > ALONE_S:
            yield from breathe()
            self._since = time.monotonic()


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


def _aside(function: Callable[[], T]) -> Steps[T]:
    def run() -> T:
        with _uncollected:
            return function()

    async def wait() -> T:
        # The thread cannot be stopped; a cancelled statement does not wait for it.
        return await trio.to_thread.run_sync(run, abandon_on_cancel=True, limiter=_limiter())

    return (yield from run_async(wait))


@lru_cache(maxsize=1)
def _limiter() -> trio.CapacityLimiter:
    return trio.CapacityLimiter(THREADS_MAX)
