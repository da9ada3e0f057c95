"""The lock table: who holds what, who waits for it, and whether a wait could ever end.

Everything here is plain data and calls that return at once; how a statement waits is `locks.waits`.
An owner (a transaction) asks for a lock by name and mode. Names are hashable values:

    table id                     a table (an int)
    (tablet, key)                a row, existing or not, by its primary key
    tablet id                    all rows of a tablet; see `guard`
    ("catalog",) and its like    anything else that one transaction at a time may change

A lock that is free is granted; else the request queues. Queues are fair: a request is granted when no
other owner holds a mode that conflicts with it and none that asked before it wants one. Only who holds
the lock already, in a mode that those before it must wait for, goes before them (`ProcSleep` in
PostgreSQL's proc.c): they wait for it anyway. So a request can close a circle of waiting owners only at
the moment it is made, and is refused then (40P01).

Most locks are held by one owner and nobody waits, so these are kept small: a row's is a `Hold` that all
rows of its owner share, a table's a set of its writers (ROW EXCLUSIVE alone). What is contended, or held
otherwise, is a `Lock`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from kalam_pg.query.locks.deadlock import blockers, circle, deadlock
from kalam_pg.query.locks.modes import (
    ACCESS_EXCLUSIVE,
    ACCESS_SHARE,
    CONFLICTS,
    FOR_UPDATE,
    ROW_EXCLUSIVE,
    Mode,
    Modes,
    covers,
    kept_out,
)
from kalam_pg.query.locks.state import (
    Hold,
    Lock,
    LockOwner,
    Name,
    Owner,
    Raised,
    Request,
    RowOwner,
    holders_of,
    is_row_of,
    subject,
)
from storage.ids import TabletId


@dataclass(frozen=True, slots=True)
class LockStatistics:
    """locks: names that are held; contended: those with a queue; waiting: requests in queues."""

    locks: int
    contended: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody has a lock, or (not granted) waits for it."""

    name: Name
    owner: Owner
    modes: Modes
    granted: bool


class LockTable:
    """Every lock of a database. Used from the event loop alone."""

    def __init__(self) -> None:
        self._locks: dict[Name, Hold | set[Owner] | Lock] = {}
        self._guarded: set[TabletId] = set()
        self.strong: set[int] = set()
        """Tables of which somebody has, or wants, a lock that keeps readers out (`strengthen`)."""
        self.readers: Callable[[int], Iterable[LockOwner]] = lambda _table: ()
        """The owners that have read a table; they have no lock of it, until somebody wants a strong one."""

    # ------------------------------------------------------------------ asking

    def lock_nowait(self, owner: LockOwner, name: Name, mode: Mode = FOR_UPDATE) -> bool:
        """Take the lock if that need not wait; False when it must."""
        there = self._locks.get(name)
        if there is None:
            self._locks[name] = {owner} if mode == ROW_EXCLUSIVE else owner.hold(mode)
            owner.held.append(name)
            return True
        if isinstance(there, Hold):
            if there.owner is owner:
                if not covers(there.modes, mode):
                    owner.held.append(Raised(name, there.modes))
                    self._locks[name] = owner.hold(there.modes | mode)
                return True
            if there.modes & CONFLICTS[mode]:
                return False
        elif isinstance(there, set) and mode == ROW_EXCLUSIVE:
            if owner not in there:
                there.add(owner)
                owner.held.append(name)
            return True
        lock = self._whole(name, there)
        own = lock.holders.get(owner, 0)
        if own and covers(own, mode):
            return True
        if any(lock.blockers(owner, mode, lock.successor(owner))):
            return False
        _grant(lock, owner, mode)
        return True

    def lock_rows_nowait(
        self, owner: LockOwner, tablet: TabletId, keys: Sequence[bytes], mode: Mode
    ) -> int:
        """Lock rows of a tablet, in their order, up to the first that must be waited for: how many were."""
        if self.is_guarded(tablet):
            return 0
        locks, held, hold = self._locks, owner.held, owner.hold(mode)
        for at, key in enumerate(keys):
            name = (tablet, key)
            if name not in locks:
                locks[name] = hold
                held.append(name)
            elif not self.lock_nowait(owner, name, mode):
                return at
        return len(keys)

    def request(self, owner: LockOwner, name: Name, mode: Mode = FOR_UPDATE) -> Request | None:
        """Take the lock (None), or queue for it.

        Raises:
            DeadlockDetectedError: It would wait for somebody who waits for it.
        """
        if self.lock_nowait(owner, name, mode):
            return None
        assert owner.waiting is None, "an owner waits for one lock at a time"
        lock = self._whole(name, self._locks[name])
        request = Request(owner, lock, mode)
        lock.insert(request, lock.successor(owner))
        owner.waiting = request
        waiting = circle(request)
        if waiting:
            self.withdraw(request)
            raise deadlock(waiting)
        return request

    def withdraw(self, request: Request) -> None:
        """Stop waiting. What is granted already stays its owner's, until that gives it back."""
        if request.granted or request.owner.waiting is not request:
            return
        request.owner.waiting = None
        lock = request.lock
        lock.queue.remove(request)
        self._settle(lock)
        if self.strong and lock.name in self.strong:
            self.weaken(lock.name)

    # ------------------------------------------------------------------ readers of a table

    def strengthen(self, table: int) -> None:
        """ACCESS EXCLUSIVE is going to be asked for, against readers too: they hold ACCESS SHARE from now on.

        As long as somebody has or wants the strong one, readers ask for theirs (`strong`). Else they pay
        nothing: PostgreSQL likewise makes its fast-path locks whole then. A DROP does without: who reads
        the table reads on.
        """
        self.strong.add(table)
        for reader in self.readers(table):
            self.lock_nowait(reader, table, ACCESS_SHARE)

    def weaken(self, table: Name) -> None:
        """Nobody may have or want ACCESS EXCLUSIVE of it any more; then readers need no lock."""
        there = self._locks.get(table)
        if there is not None:
            wanted = there.queue if isinstance(there, Lock) else ()
            modes = (*holders_of(there).values(), *[request.mode for request in wanted])
            if any(held & ACCESS_EXCLUSIVE for held in modes):
                return
        self.strong.discard(table)

    # ------------------------------------------------------------------ all rows of a tablet

    def guard(self, tablet: TabletId) -> None:
        """Make all who have locked rows of a tablet, or wait for one, holders of its own lock.

        As long as anybody has that, nobody locks a row of the tablet without it (`is_guarded`). Else it
        costs nothing: PostgreSQL likewise makes its fast-path locks whole before somebody asks for a
        strong one (lock.c, `FastPathTransferRelationLocks`).
        """
        self._guarded = {one for one in self._guarded if one in self._locks}
        self._guarded.add(tablet)
        if tablet in self._locks:
            return
        owners: dict[Owner, None] = {}
        known: object = None  # All rows of an owner share it: there may be a million of them.
        for name, there in self._locks.items():
            if there is known or name.__class__ is not tuple or name[0] != tablet:
                continue
            owners.update(dict.fromkeys(holders_of(there)))
            if isinstance(there, Lock):
                owners.update(dict.fromkeys([request.owner for request in there.queue]))
            else:
                known = there
        for owner in owners:
            if isinstance(owner, LockOwner):
                owner.held.append(tablet)
        if owners:
            self._locks[tablet] = Lock(tablet, dict.fromkeys(owners, ROW_EXCLUSIVE))

    def is_guarded(self, tablet: TabletId) -> bool:
        """Whether its own lock (ROW EXCLUSIVE) comes before those of its rows."""
        return bool(self._guarded) and tablet in self._guarded and tablet in self._locks

    # ------------------------------------------------------------------ giving back

    def release_all(self, owner: LockOwner) -> None:
        """The owner ends: everything it has goes to those who wait, and it waits for nothing more."""
        while self.release_some(owner, len(owner.held)):
            pass

    def release_some(self, owner: LockOwner, most: int) -> bool:
        """The owner ends: give back so much of what it has, the newest first; whether there is more."""
        if owner.waiting is not None:
            self.withdraw(owner.waiting)
        held, locks = owner.held, self._locks
        some = held[-most:] if most else []
        del held[len(held) - len(some) :]
        for entry in reversed(some):
            if entry.__class__ is tuple and locks[entry].__class__ is Hold:
                del locks[entry]  # A row's that nobody waits for, as nearly all are.
            elif not isinstance(entry, Raised):
                self._release(owner, entry, 0)
        if not held:
            owner.let_go()
        return bool(held)

    def release_to(self, owner: LockOwner, mark: int) -> None:
        """Give back what was taken since `len(owner.held)` was `mark`."""
        if owner.waiting is not None:
            self.withdraw(owner.waiting)
        held = owner.held
        kept: list[Name | Raised] = []
        while len(held) > mark:
            entry = held.pop()
            if isinstance(entry, Raised):
                self._release(owner, entry.name, entry.before)
            elif isinstance(entry, TabletId) and any(is_row_of(entry, row) for row in held[:mark]):
                kept.append(entry)  # `guard` gave it: these rows are locked still.
            else:
                self._release(owner, entry, 0)
        held += kept

    def lower(self, owner: LockOwner, name: Name, left: Modes) -> None:
        """Let an owner keep only `left` of one lock, whenever it was taken."""
        held = owner.held
        for at in reversed(range(len(held))):
            entry = held[at]
            if isinstance(entry, Raised):
                if entry.name == name:
                    del held[at]
            elif entry == name:
                del held[at]
                break  # That it was raised comes after that it was taken.
        if left:
            owner.held.append(name)
        self._release(owner, name, left)

    def _release(self, owner: Owner, name: Name, left: Modes) -> None:
        """Let the owner keep only `left` of a lock that it holds."""
        there = self._locks[name]
        if isinstance(there, Lock):
            if left:
                there.holders[owner] = left
            else:
                del there.holders[owner]
            self._settle(there)
        elif isinstance(there, set):
            there.remove(owner)
            if not there:
                del self._locks[name]
        elif left:
            assert isinstance(owner, LockOwner)
            self._locks[name] = owner.hold(left)
        else:
            assert there.owner is owner
            del self._locks[name]
        if self.strong and name in self.strong:
            self.weaken(name)

    # ------------------------------------------------------------------ one row, at once

    def lock_row_nowait(self, owner: RowOwner, table: int, name: tuple[TabletId, bytes]) -> bool:
        """ROW EXCLUSIVE on a table and a row FOR UPDATE, for one who has neither; or neither."""
        locks, hold = self._locks, owner.hold
        if self._guarded and self.is_guarded(name[0]):
            return False
        if locks.setdefault(name, hold) is not hold:
            return False
        writers = locks.get(table)
        if writers is None:
            locks[table] = {owner}
        elif isinstance(writers, set):
            writers.add(owner)
        else:
            lock = self._whole(table, writers)
            if any(lock.blockers(owner, ROW_EXCLUSIVE, None)):
                del locks[name]
                return False
            lock.holders[owner] = ROW_EXCLUSIVE
        owner.table = table
        owner.name = name
        return True

    def lock_entry_nowait(self, owner: RowOwner, name: tuple[TabletId, bytes]) -> bool:
        """A value of a unique index FOR UPDATE, for one who has a row: until that is given back."""
        if self._guarded and self.is_guarded(name[0]):
            return False
        if self._locks.setdefault(name, owner.hold) is not owner.hold:
            return False
        owner.entries.append(name)
        return True

    def release_row(self, owner: RowOwner) -> None:
        """Give back what `lock_row_nowait` and `lock_entry_nowait` took."""
        locks = self._locks
        table, name = owner.table, owner.name
        if owner.entries:
            self._release_entries(owner)
        there = locks.pop(name)
        if there is not owner.hold:
            locks[name] = there
            self._release(owner, name, 0)
        if self._guarded and owner in self.holders(name[0]):
            self._release(owner, name[0], 0)
        writers = locks[table]
        if isinstance(writers, set):
            writers.remove(owner)
            if not writers:
                del locks[table]
        else:
            self._release(owner, table, 0)

    def _release_entries(self, owner: RowOwner) -> None:
        entries, owner.entries = owner.entries, []
        for name in entries:
            self._release(owner, name, 0)
        for tablet in {name[0] for name in entries} if self._guarded else ():
            if owner in self.holders(tablet):
                self._release(owner, tablet, 0)

    # ------------------------------------------------------------------ looking

    def holders(self, name: Name) -> dict[Owner, Modes]:
        """Who holds the lock, and in which modes."""
        there = self._locks.get(name)
        return {} if there is None else holders_of(there)

    def statistics(self) -> LockStatistics:
        """How full it is."""
        queues = [len(lock.queue) for lock in self._locks.values() if isinstance(lock, Lock)]
        return LockStatistics(len(self._locks), len(queues) - queues.count(0), sum(queues))

    def entries(self) -> list[Entry]:
        """Every lock but those of rows that nobody waits for, each with who has it or wants it."""
        found: list[Entry] = []
        for name, there in list(self._locks.items()):
            queue = there.queue if isinstance(there, Lock) else []
            if queue or subject(name)[0] != "tuple":
                found += [
                    Entry(name, o, modes, granted=True) for o, modes in holders_of(there).items()
                ]
                found += [Entry(name, r.owner, r.mode, granted=False) for r in queue]
        return found

    def check(self) -> None:
        """Assert what must hold between any two calls; for tests and soaks, it looks at everything."""
        held: dict[Owner, set[Name | Raised]] = {}
        for name, there in self._locks.items():
            holders = holders_of(there)
            assert holders, f"{name} is held by nobody"
            for owner, modes in holders.items():
                if isinstance(owner, LockOwner):
                    if owner not in held:
                        held[owner] = set(owner.held)
                    assert name in held[owner], f"{name} is not among its owner's"
                for other, others in holders.items():
                    assert other is owner or not modes & kept_out(others), f"{name} has two owners"
            for request in there.queue if isinstance(there, Lock) else ():
                assert request.owner.waiting is request
                assert not request.granted
                assert any(blockers(request)), f"{name} is waited for and could be had"
                assert not circle(request), f"{name} waits for itself"

    # ------------------------------------------------------------------ inside

    def _whole(self, name: Name, there: "Hold | set[Owner] | Lock") -> Lock:
        """The lock in its large form."""
        if isinstance(there, Lock):
            return there
        lock = self._locks[name] = Lock(name, holders_of(there))
        return lock

    def _settle(self, lock: Lock) -> None:
        """Grant what has become possible; a lock of nobody is forgotten."""
        if lock.queue:
            _grant_waiting(lock)
        if not lock.holders:
            assert not lock.queue, "the first that waits for nobody is granted"
            del self._locks[lock.name]


def _grant(lock: Lock, owner: LockOwner, mode: Mode) -> None:
    before = lock.holders.get(owner, 0)
    owner.held.append(Raised(lock.name, before) if before else lock.name)
    lock.holders[owner] = before | mode


def _grant_waiting(lock: Lock) -> None:
    """Grant every request that neither a holder nor an earlier request keeps out."""
    ahead = 0
    granted: list[Request] = []
    for request in lock.queue:
        conflicts = CONFLICTS[request.mode]
        if ahead & conflicts or any(
            modes & conflicts and holder is not request.owner
            for holder, modes in lock.holders.items()
        ):
            ahead |= request.mode
            if ahead & (FOR_UPDATE | ACCESS_EXCLUSIVE):
                break  # Which keep out everything.
        else:
            _grant(lock, request.owner, request.mode)
            granted.append(request)
    for request in granted:
        lock.queue.remove(request)
        request.granted = True
        request.owner.waiting = None
    for request in granted:
        request.on_grant()
