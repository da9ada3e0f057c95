"""Who waits for a worker: one line for each user, and the users in turn."""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from kalam_pg.engines.process import WorkerProcess


@dataclass(slots=True, eq=False)
class Waiter:
    """Somebody who waits on behalf of a user. worker: what was given, and `event` set."""

    user: int
    event: trio.Event = field(default_factory=trio.Event)
    worker: WorkerProcess | None = None


class Lines:
    """Round robin over the users that wait; within a user, who came first."""

    def __init__(self) -> None:
        self._by_user: OrderedDict[int, deque[Waiter]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def of(self, user: int) -> int:
        """How many wait on behalf of a user."""
        return len(self._by_user.get(user, ()))

    def add(self, waiter: Waiter) -> None:
        """Stand in line."""
        line = self._by_user.get(waiter.user)
        if line is None:
            line = self._by_user[waiter.user] = deque()
        line.append(waiter)
        self._count += 1

    def remove(self, waiter: Waiter) -> None:
        """Give up."""
        line = self._by_user[waiter.user]
        line.remove(waiter)
        if not line:
            del self._by_user[waiter.user]
        self._count -= 1

    def next(self, may: Callable[[int], bool]) -> Waiter | None:
        """Take out who is served next among the users that `may` be; None: there is nobody."""
        for user, line in self._by_user.items():
            if may(user):
                waiter = line.popleft()
                self._count -= 1
                if line:
                    self._by_user.move_to_end(user)
                else:
                    del self._by_user[user]
                return waiter
        return None
