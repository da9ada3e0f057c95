"""The modes of locks, and which keep each other out: PostgreSQL's two tables ("Explicit Locking").

A mode is one bit, so that what an owner holds of a lock is one number, and what keeps it out another.
Row modes lock rows; the others lock tables, and whatever else has a name.
"""

from functools import cache
from typing import Final

Mode = int
Modes = int
"""Some modes together."""

FOR_KEY_SHARE: Final = 1 << 0
FOR_SHARE: Final = 1 << 1
FOR_NO_KEY_UPDATE: Final = 1 << 2
FOR_UPDATE: Final = 1 << 3

ACCESS_SHARE: Final = 1 << 4
ROW_SHARE: Final = 1 << 5
ROW_EXCLUSIVE: Final = 1 << 6
SHARE_UPDATE_EXCLUSIVE: Final = 1 << 7
SHARE: Final = 1 << 8
SHARE_ROW_EXCLUSIVE: Final = 1 << 9
EXCLUSIVE: Final = 1 << 10
ACCESS_EXCLUSIVE: Final = 1 << 11

_ALL_TABLE_MODES = (1 << 12) - ACCESS_SHARE
_SHARE_AND_STRONGER = SHARE | SHARE_ROW_EXCLUSIVE | EXCLUSIVE | ACCESS_EXCLUSIVE

CONFLICTS: Final[dict[Mode, Modes]] = {
    FOR_KEY_SHARE: FOR_UPDATE,
    FOR_SHARE: FOR_NO_KEY_UPDATE | FOR_UPDATE,
    FOR_NO_KEY_UPDATE: FOR_SHARE | FOR_NO_KEY_UPDATE | FOR_UPDATE,
    FOR_UPDATE: FOR_KEY_SHARE | FOR_SHARE | FOR_NO_KEY_UPDATE | FOR_UPDATE,
    ACCESS_SHARE: ACCESS_EXCLUSIVE,
    ROW_SHARE: EXCLUSIVE | ACCESS_EXCLUSIVE,
    ROW_EXCLUSIVE: _SHARE_AND_STRONGER,
    SHARE_UPDATE_EXCLUSIVE: SHARE_UPDATE_EXCLUSIVE | _SHARE_AND_STRONGER,
    SHARE: ROW_EXCLUSIVE
    | SHARE_UPDATE_EXCLUSIVE
    | SHARE_ROW_EXCLUSIVE
    | EXCLUSIVE
    | ACCESS_EXCLUSIVE,
    SHARE_ROW_EXCLUSIVE: ROW_EXCLUSIVE | SHARE_UPDATE_EXCLUSIVE | _SHARE_AND_STRONGER,
    EXCLUSIVE: _ALL_TABLE_MODES - ACCESS_SHARE,
    ACCESS_EXCLUSIVE: _ALL_TABLE_MODES,
}
"""What each mode keeps out; it is symmetric."""

NAMES: Final[dict[Mode, str]] = {
    FOR_KEY_SHARE: "AccessShareLock",
    FOR_SHARE: "RowShareLock",
    FOR_NO_KEY_UPDATE: "ExclusiveLock",
    FOR_UPDATE: "AccessExclusiveLock",
    ACCESS_SHARE: "AccessShareLock",
    ROW_SHARE: "RowShareLock",
    ROW_EXCLUSIVE: "RowExclusiveLock",
    SHARE_UPDATE_EXCLUSIVE: "ShareUpdateExclusiveLock",
    SHARE: "ShareLock",
    SHARE_ROW_EXCLUSIVE: "ShareRowExclusiveLock",
    EXCLUSIVE: "ExclusiveLock",
    ACCESS_EXCLUSIVE: "AccessExclusiveLock",
}
"""As PostgreSQL's messages and pg_locks call them; row modes by `tupleLockExtraInfo` (heapam.c)."""


@cache
def kept_out(modes: Modes) -> Modes:
    """What an owner of all these modes keeps out."""
    found = 0
    for mode, conflicts in CONFLICTS.items():
        if modes & mode:
            found |= conflicts
    return found


@cache
def covers(held: Modes, mode: Mode) -> bool:
    """Whether who holds `held` need not ask for `mode`: it keeps out all that `mode` would."""
    return not CONFLICTS[mode] & ~kept_out(held)
