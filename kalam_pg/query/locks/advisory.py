"""Advisory locks: a session's own, beside those of its transaction ("Advisory Locks" in the manual).

A lock may be taken many times, each time for the session (until it is unlocked as often, whatever its
transaction does) or for the transaction. Both are held by one owner, so that they never keep each other
out; it is the partner of the session's transaction, so that a circle over both is seen.
"""

from dataclasses import dataclass, field
from typing import Final

from kalam_pg.query.locks.modes import EXCLUSIVE, SHARE, Mode, Modes
from kalam_pg.query.locks.state import LockOwner, Name
from kalam_pg.query.locks.table import LockTable

LOCKS_MAX: Final = 10_000
"""Different locks of one session."""

_MODES = (SHARE, EXCLUSIVE)


def advisory_name(user: int, key: tuple[int, ...]) -> Name:
    """A lock of a user's context, by one 64-bit number or two of 32 bits."""
    if len(key) == 1:
        return "advisory", user, (key[0] >> 32) & 0xFFFFFFFF, key[0] & 0xFFFFFFFF, 1
    return "advisory", user, key[0] & 0xFFFFFFFF, key[1] & 0xFFFFFFFF, 2


def advisory_number(name: Name) -> dict[str, int]:
    """What pg_locks shows of such a name."""
    assert isinstance(name, tuple)
    return dict(zip(("classid", "objid", "objsubid"), name[2:], strict=True))


@dataclass(slots=True)
class _Count:
    """How often a lock is held in a mode: by the session, and at which depths of its transaction."""

    session: int = 0
    depths: list[int] = field(default_factory=list)

    @property
    def is_held(self) -> bool:
        return bool(self.session or self.depths)


class AdvisoryLocks(LockOwner):
    """What one session holds. A depth is how many savepoints there were when a lock was taken."""

    __slots__ = ("_counts", "_locks")

    def __init__(self, locks: LockTable, process: int) -> None:
        super().__init__()
        self.process = process
        self._locks = locks
        self._counts: dict[tuple[Name, Mode], _Count] = {}

    @property
    def is_full(self) -> bool:
        """Whether it may hold no further lock."""
        return len(self._counts) >= LOCKS_MAX

    def taken(self, name: Name, mode: Mode, depth: int | None) -> None:
        """The lock table has granted a lock: once more. depth: of the transaction's; None: the session's."""
        count = self._counts.setdefault((name, mode), _Count())
        if depth is None:
            count.session += 1
        else:
            count.depths.append(depth)

    def unlock(self, name: Name, mode: Mode) -> bool:
        """Give back one that the session holds; False if it holds none."""
        count = self._counts.get((name, mode))
        if count is None or not count.session:
            return False
        count.session -= 1
        self._settle(name, mode, count)
        return True

    def unlock_all(self) -> None:
        """Give back all that the session holds; those of the transaction stay."""
        for (name, mode), count in self._newest_first():
            count.session = 0
            self._settle(name, mode, count)

    def rollback(self, depth: int = 0) -> None:
        """Give back what the transaction took at this depth or a greater one: it ends, or goes back."""
        for (name, mode), count in self._newest_first():
            if count.depths:
                count.depths = [there for there in count.depths if there < depth]
                self._settle(name, mode, count)

    def release(self, depth: int) -> None:
        """The savepoints from `depth` on are part of what is around them."""
        for count in self._counts.values():
            count.depths = [min(there, depth - 1) for there in count.depths]

    def _newest_first(self) -> list[tuple[tuple[Name, Mode], _Count]]:
        """What is held. The lock table finds the newest at once: ten thousand take no second but a few ms."""
        return list(reversed(self._counts.items()))

    def close(self) -> None:
        """The session ends."""
        self._counts.clear()
        self._locks.release_all(self)

    def _settle(self, name: Name, mode: Mode, count: _Count) -> None:
        if count.is_held:
            return
        del self._counts[name, mode]
        left: Modes = 0
        for other in _MODES:
            if (name, other) in self._counts:
                left |= other
        self._locks.lower(self, name, left)
