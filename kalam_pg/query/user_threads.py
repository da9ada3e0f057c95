"""Threads for work that takes long, shared by users: whatever one asks for, another's turn comes soon."""

from collections.abc import Callable
from typing import TypeVar
from weakref import WeakValueDictionary

import trio

T = TypeVar("T")


class UserThreads:
    """So many threads at the same time, and one fewer of one user.

    Each is counted until it has ended, whatever has become of who waited for it. Within a user, and among
    users, who came first is first: since each has so few in line, nobody waits for many of another's.
    """

    def __init__(self, most: int) -> None:
        """most: at least 2."""
        self._most = most
        self._all: trio.CapacityLimiter | None = None
        self._lines: WeakValueDictionary[int, _Line] = WeakValueDictionary()

    async def run(self, user: int, function: Callable[[], T], *, abandon: bool = True) -> T:
        """What `function` returns, in a thread for a user.

        abandon: who is cancelled does not wait for it. Else it may ask whether that is so
        (`trio.from_thread.check_cancelled`).
        """
        line = self._lines.get(user)
        if line is None:
            if self._all is None:  # Only under trio.
                self._all = trio.CapacityLimiter(self._most)
            line = self._lines[user] = _Line(self._all, self._most - 1)
        return await trio.to_thread.run_sync(
            function,
            abandon_on_cancel=abandon,
            limiter=line,  # type: ignore[arg-type]  # it is as one
        )


class _Line:
    """One user's part of the threads: what trio asks of a limiter."""

    def __init__(self, whole: trio.CapacityLimiter, most: int) -> None:
        self._whole = whole
        self._own = trio.CapacityLimiter(most)

    async def acquire_on_behalf_of(self, borrower: object) -> None:
        await self._own.acquire_on_behalf_of(borrower)
        try:
            await self._whole.acquire_on_behalf_of(borrower)
        except BaseException:
            self._own.release_on_behalf_of(borrower)
            raise

    def release_on_behalf_of(self, borrower: object) -> None:
        self._whole.release_on_behalf_of(borrower)
        self._own.release_on_behalf_of(borrower)
