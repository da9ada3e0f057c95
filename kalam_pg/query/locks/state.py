"""What the lock table is made of: owners, what they hold, what they wait for. Data, and nothing else."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Final

from kalam_pg.query.locks.modes import CONFLICTS, FOR_UPDATE, ROW_EXCLUSIVE, Mode, Modes
from storage.ids import TabletId

Name = Hashable
"""What a lock is on; see `locks.table`."""


CATALOGUE: Final = ("catalog",)
"""Who has it commits definitions: from then on until they are everybody's."""


def subject(name: Name) -> tuple[str, int | None]:
    """What kind of thing a name means, as pg_locks.locktype has it, and the table it is (in)."""
    match name:
        case int():
            return "relation", name
        case ("advisory", *_):
            return "advisory", None
        case TabletId(table=table):
            return "relation", table
        case (TabletId(table=table), _):
            return "tuple", table
        case _:
            return "object", None


def is_row_of(tablet: TabletId, name: object) -> bool:
    """Whether a lock of that name is on a row of the tablet."""
    return name.__class__ is tuple and name[0] == tablet


class Hold:
    """A lock that one owner has and nobody waits for."""

    __slots__ = ("modes", "owner")

    def __init__(self, owner: "LockOwner | RowOwner", modes: Modes) -> None:
        self.owner = owner
        self.modes = modes


@dataclass(frozen=True, slots=True)
class Raised:
    """An entry of `LockOwner.held`: a lock held before in `before` was taken in a further mode."""

    name: Name
    before: Modes


class LockOwner:
    """What a transaction must have to own locks.

    held: what it took, in order: names, and `Raised` for a further mode of a lock it had. Its length is
    a mark that `release_to` goes back to. waiting: the one request that is not granted yet. process: the
    number of its session, by which a deadlock names it. partner: another owner that waits and goes on with
    this one, of the same session.
    """

    __slots__ = ("_holds", "held", "partner", "process", "waiting")

    def __init__(self) -> None:
        self.held: list[Name | Raised] = []
        self.waiting: Request | None = None
        self.process = 0
        self.partner: LockOwner | None = None
        self._holds: dict[Modes, Hold] | None = None

    def hold(self, modes: Modes) -> Hold:
        """What stands for a lock of this owner alone."""
        holds = self._holds
        if holds is None:
            holds = self._holds = {}
        found = holds.get(modes)
        if found is None:
            found = holds[modes] = Hold(self, modes)
        return found

    def let_go(self) -> None:
        """It holds nothing any more, nor itself."""
        self._holds = None


class RowOwner:
    """One that has no more than one row at a time, and waits for none (`LockTable.lock_row_nowait`).

    name, table: of the row that it has. entries: what it has beside, of the row's unique indexes.
    """

    __slots__ = ("entries", "hold", "name", "process", "table")

    def __init__(self, process: int = 0) -> None:
        self.hold = Hold(self, FOR_UPDATE)
        self.process = process
        self.name: tuple[TabletId, bytes]
        self.table = 0
        self.entries: list[tuple[TabletId, bytes]] = []


Owner = LockOwner | RowOwner


class Request:
    """A lock that an owner waits for: granted, withdrawn, or still in its lock's queue.

    on_grant: called once, when it is granted. place: grows from the queue's front to its end.
    """

    __slots__ = ("granted", "lock", "mode", "on_grant", "owner", "place")

    def __init__(self, owner: LockOwner, lock: "Lock", mode: Mode) -> None:
        self.owner = owner
        self.lock = lock
        self.mode = mode
        self.place = 0
        self.granted = False
        self.on_grant: Callable[[], None] = _nobody


def _nobody() -> None:
    """Nobody waits for the grant (yet)."""


class Lock:
    """A lock that is contended, or shared, or held in some other mode than the small forms know."""

    __slots__ = ("holders", "name", "queue")

    def __init__(self, name: Name, holders: dict[Owner, Modes]) -> None:
        self.name = name
        self.holders = holders
        self.queue: list[Request] = []

    def successor(self, owner: LockOwner) -> Request | None:
        """Before which request the owner's goes: the first that must wait for it anyway."""
        own = self.holders.get(owner, 0)
        if own:
            for request in self.queue:
                if own & CONFLICTS[request.mode]:
                    return request
        return None

    def blockers(self, owner: Owner, mode: Mode, until: Request | None) -> Iterator[Owner]:
        """Who must go before the owner can have the mode: holders, and the queue up to a request."""
        conflicts = CONFLICTS[mode]
        for holder, modes in self.holders.items():
            if modes & conflicts and holder is not owner:
                yield holder
        for request in self.queue:
            if request is until:
                break
            if request.mode & conflicts:
                yield request.owner

    def insert(self, request: Request, before: Request | None) -> None:
        """Put a request into the queue."""
        queue = self.queue
        if before is None:
            request.place = queue[-1].place + 1 if queue else 0
            queue.append(request)
            return
        queue.insert(queue.index(before), request)
        for place, there in enumerate(queue):
            there.place = place


def holders_of(there: Hold | set[Owner] | Lock) -> dict[Owner, Modes]:
    """Who holds a lock, and in which modes."""
    if isinstance(there, Lock):
        return there.holders
    if isinstance(there, set):
        return dict.fromkeys(there, ROW_EXCLUSIVE)
    return {there.owner: there.modes}
