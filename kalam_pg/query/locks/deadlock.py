"""Who waits for whom: the graph of the lock table, and the error that a circle in it is."""

from collections.abc import Iterator

from catalog.errors import DeadlockDetectedError
from kalam_pg.query.locks.modes import NAMES
from kalam_pg.query.locks.state import LockOwner, Name, Owner, Request, subject


def blockers(request: Request) -> Iterator[Owner]:
    """Who must go before the request can be granted."""
    return request.lock.blockers(request.owner, request.mode, request)


def circle(start: Request) -> list[Request]:
    """The requests that wait for each other in a circle with this one; [] when it can be granted once.

    Each lock's queue is walked once for each mode: who waits in the same mode further ahead waits for
    nobody else.
    """
    seen = {(start.lock, start.mode): start.place}
    path = [start]
    open_ = [blockers(start)]
    while open_:
        blocker = next(open_[-1], None)
        if blocker is None:
            open_.pop()
            path.pop()
            continue
        if blocker is start.owner:
            return path
        waiting = None
        if isinstance(blocker, LockOwner):
            waiting, partner = blocker.waiting, blocker.partner
            if partner is not None:
                if partner is start.owner:
                    return path
                waiting = waiting or partner.waiting
        if waiting is None:
            continue
        where = (waiting.lock, waiting.mode)
        if seen.get(where, -1) < waiting.place:
            seen[where] = waiting.place
            path.append(waiting)
            open_.append(blockers(waiting))
    return []


def deadlock(requests: list[Request]) -> DeadlockDetectedError:
    """40P01 for requests that wait for each other in a circle."""
    blocked_by = [*requests[1:], requests[0]]
    lines = [
        f"Process {request.owner.process} waits for {NAMES[request.mode]} on "
        f"{_described(request.lock.name)}; blocked by process {other.owner.process}."
        for request, other in zip(requests, blocked_by, strict=True)
    ]
    return DeadlockDetectedError(
        "deadlock detected",
        detail="\n".join(lines),
        hint="See server log for query details.",
    )


def _described(name: Name) -> str:
    """What a lock is on, for whoever may know of it: never which row."""
    kind, relation = subject(name)
    if kind == "tuple":
        return f"tuple of relation {relation}"
    return f"relation {relation}" if relation else kind
