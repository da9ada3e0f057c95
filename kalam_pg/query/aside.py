"""Work that is pure and long, done in a thread: the event loop has its turn when it wants one
(`server.instance.SWITCH_INTERVAL_S`).

It takes as long as it would here; a hop to a thread and back costs 50-80 µs.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

import trio

from kalam_pg.garbage import uncollected
from kalam_pg.large_trees import take_apart
from kalam_pg.memory import Lease
from kalam_pg.query.user_threads import UserThreads
from kalam_pg.query.waits import Steps, run_async
from storage.layout import Value

T = TypeVar("T")

THREADS_MAX = 3
"""Such pieces of work at the same time, two of a user. They share one interpreter: more would only make each
other wait."""

LARGE_VALUE = 2000
"""A parameter of more elements or characters may become as much text, or more bytes."""

LARGE_NODES = 250
"""A tree of more nodes is emitted or packed in a thread: each takes some 20 µs, where they are in calls and
subqueries."""


def are_large(values: Sequence[Value]) -> bool:
    """Whether any parameter is, or there are so many."""
    return len(values) > LARGE_VALUE or any(
        isinstance(v, tuple | str | bytes) and len(v) > LARGE_VALUE for v in values
    )


def aside(
    function: Callable[[], T], *, user: int, timeout_s: float = 0.0, lease: Lease | None = None
) -> Steps[T]:
    """What `function` returns.

    user: whose work it is. timeout_s: 0 is none; when it passes this raises 57014. lease: of the memory that
    it takes; ended when the thread has, whatever has become of who asked.
    """

    async def wait() -> T:
        begun = given_up = False
        token = trio.lowlevel.current_trio_token()

        def run() -> T:
            nonlocal begun
            begun = True
            try:
                with uncollected:
                    found = [function()]
                if given_up:
                    take_apart(found)  # Else the event loop would have to free it.
                    raise TimeoutError  # Nobody hears of it.
                return found.pop()
            finally:
                if lease is not None:
                    with suppress(trio.RunFinishedError):
                        token.run_sync_soon(lease.end)

        try:
            # The thread cannot be stopped; a cancelled statement does not wait for it.
            return await _THREADS.run(user, run)
        finally:
            given_up = True
            if lease is not None and not begun:
                lease.end()

    return (yield from run_async(wait, timeout_s=timeout_s))


_THREADS = UserThreads(THREADS_MAX)
