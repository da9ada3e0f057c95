"""Locks in memory: on key values (rows, and values that must be unique) and on tables.

A transaction takes the lock of every (tablet, constraint, value) it writes, also for keys that do not
exist yet, and keeps it until its commit is published or it rolls back. Two transactions that want one
key therefore wait for each other as in PostgreSQL, and a wait that would close a circle is refused.

Lock names are hashable values:
    (tablet, key)                a row, by its primary key (the common case, kept flat for speed)
    (tablet, constraint, value)  a value of a UNIQUE constraint
    ("catalog",)                 data definition: one transaction at a time

Table locks are of two modes, as far as they conflict here: ROW EXCLUSIVE (every data change, shared
among them) and ACCESS EXCLUSIVE (a definition that can invalidate a write set).
"""

from collections import deque
from collections.abc import Hashable, Iterable

import trio

from catalog.errors import DeadlockDetectedError, LockNotAvailableError


class LockOwner:
    """What a transaction must have to own locks: the names it holds, and the one it waits for."""

    __slots__ = ("held", "tables", "waiting_for")

    def __init__(self) -> None:
        self.held: list[Hashable] = []
        self.tables: list[int] = []
        self.waiting_for: Hashable | None = None


class RowOwner(LockOwner):
    """One that has no more than one row at a time, and waits for none (`LockTable.lock_row_nowait`)."""

    __slots__ = ("name", "table")

    def __init__(self) -> None:
        super().__init__()
        self.name: Hashable = None
        self.table = 0


class LockTable:
    """Who holds what, and who waits. Used from the event loop alone."""

    def __init__(self) -> None:
        self._owners: dict[Hashable, LockOwner] = {}
        self._waiters: dict[Hashable, deque[tuple[LockOwner, trio.Event]]] = {}
        self._writers: dict[int, set[LockOwner]] = {}
        self._definers: dict[int, LockOwner] = {}
        self._table_changed: dict[int, trio.Event] = {}

    def lock_nowait(self, owner: LockOwner, name: Hashable) -> bool:
        """Take the lock if it is free or already ours; False when another has it."""
        holder = self._owners.setdefault(name, owner)
        if holder is not owner:
            return False
        owner.held.append(name)
        return True

    async def lock(self, owner: LockOwner, name: Hashable, *, timeout_s: float = 0.0) -> bool:
        """Take the lock, waiting for its holder to end. True if it had to wait.

        Raises:
            DeadlockDetectedError: The wait would close a circle of waiting transactions.
            LockNotAvailableError: `timeout_s` (0 = none) passed first.
        """
        if self.lock_nowait(owner, name):
            return False
        self._refuse_deadlock(owner, name)
        event = trio.Event()
        queue = self._waiters.setdefault(name, deque())
        queue.append((owner, event))
        owner.waiting_for = name
        try:
            with trio.move_on_after(timeout_s or float("inf")) as scope:
                await event.wait()
        finally:
            owner.waiting_for = None
            if self._owners.get(name) is not owner:
                queue.remove((owner, event))
                if not queue:
                    self._waiters.pop(name, None)
            elif scope.cancel_called or not event.is_set():
                self._hand_on(name)
        if scope.cancelled_caught:
            raise LockNotAvailableError("canceling statement due to lock timeout")
        owner.held.append(name)
        return True

    def release_all(self, owner: LockOwner) -> None:
        """Give back everything; each lock goes to the one that has waited longest."""
        for name in owner.held:
            if self._owners.get(name) is owner:
                self._hand_on(name)
        owner.held.clear()
        for table in owner.tables:
            self._leave_table(owner, table)
        owner.tables.clear()

    def write_table_nowait(self, owner: LockOwner, table: int) -> bool:
        """ROW EXCLUSIVE on a table; False while another defines it."""
        definer = self._definers.get(table)
        if definer is not None and definer is not owner:
            return False
        writers = self._writers.setdefault(table, set())
        if owner not in writers:
            writers.add(owner)
            owner.tables.append(table)
        return True

    def lock_row_nowait(self, owner: "RowOwner", table: int, name: Hashable) -> bool:
        """ROW EXCLUSIVE on a table and the lock of one row, or neither."""
        if table in self._definers or name in self._owners:
            return False
        self._owners[name] = owner
        writers = self._writers.get(table)
        if writers is None:
            self._writers[table] = {owner}
        else:
            writers.add(owner)
        owner.table = table
        owner.name = name
        return True

    def release_row(self, owner: "RowOwner") -> None:
        """Give back what `lock_row_nowait` took."""
        table, name = owner.table, owner.name
        if self._waiters:
            self._hand_on(name)
        else:
            del self._owners[name]
        if self._table_changed:
            self._leave_table(owner, table)
        else:
            writers = self._writers[table]
            writers.discard(owner)
            if not writers:
                del self._writers[table]

    async def write_table(self, owner: LockOwner, table: int, *, timeout_s: float = 0.0) -> None:
        """ROW EXCLUSIVE, waiting for a definer to end. Raises LockNotAvailableError."""
        with trio.move_on_after(timeout_s or float("inf")) as scope:
            while not self.write_table_nowait(owner, table):
                await self._table_changed.setdefault(table, trio.Event()).wait()
        if scope.cancelled_caught:
            raise LockNotAvailableError("canceling statement due to lock timeout")

    async def define_table(self, owner: LockOwner, table: int, *, timeout_s: float = 0.0) -> None:
        """ACCESS EXCLUSIVE: wait for every other writer of the table. Raises LockNotAvailableError."""
        with trio.move_on_after(timeout_s or float("inf")) as scope:
            while True:
                definer = self._definers.get(table, owner)
                if definer is owner and not self._writers.get(table, set()) - {owner}:
                    break
                await self._table_changed.setdefault(table, trio.Event()).wait()
        if scope.cancelled_caught:
            raise LockNotAvailableError("canceling statement due to lock timeout")
        self._definers[table] = owner
        owner.tables.append(table)

    def waiting(self, names: Iterable[Hashable]) -> bool:
        """Whether anybody waits for one of these locks."""
        return any(name in self._waiters for name in names)

    def _hand_on(self, name: Hashable) -> None:
        queue = self._waiters.get(name)
        if not queue:
            del self._owners[name]
            return
        owner, event = queue.popleft()
        if not queue:
            del self._waiters[name]
        self._owners[name] = owner
        owner.waiting_for = None  # Now, not when its task runs: who looks for a circle asks before.
        event.set()

    def _leave_table(self, owner: LockOwner, table: int) -> None:
        writers = self._writers.get(table)
        if writers is not None:
            writers.discard(owner)
            if not writers:
                del self._writers[table]
        if self._definers.get(table) is owner:
            del self._definers[table]
        event = self._table_changed.pop(table, None)
        if event is not None:
            event.set()

    def _refuse_deadlock(self, owner: LockOwner, name: Hashable) -> None:
        """Follow who waits for whom from `name`'s holder; back at `owner` is a deadlock."""
        wanted: Hashable | None = name
        while wanted is not None:
            holder = self._owners.get(wanted)
            if holder is None:
                return
            if holder is owner:
                raise DeadlockDetectedError(
                    "deadlock detected", hint="See server log for query details."
                )
            wanted = holder.waiting_for
