"""The numbers of what people make, each given once, whatever becomes of what it was given for.

One owner gives them out, and never goes back: not when a transaction rolls back, nor when its client is
lost. So nothing that was kept under a number (a tablet, a lock, a plan) can be met by another object. There
are two kinds:

    OIDs      32 bits: namespaces, tables, views, constraints and roles, counted together as they were in
              PostgreSQL; what pg_catalog shows
    user ids  64 bits, snowflakes: node bits are in them, so that a user can move to another server; a
              user's rows lie under it, and nothing shows it as an OID

Snowflakes are given once by the engine's own reservation. Of OIDs so many at a time are reserved by a
record, which is durable before anything is told of the first of them; a start begins above it.
"""

from collections.abc import Callable

from catalog import codec
from catalog.errors import InsufficientResourcesError

FIRST_OID = 16384
"""PostgreSQL's FirstNormalObjectId."""

OID_MAX = (1 << 32) - 1

RESERVED_OIDS = 256
"""So many are reserved by one synced write; a restart skips what is left of them."""


class Ids:
    """Gives out OIDs and user ids. For the event loop.

    Whoever has taken OIDs makes them `covered` before anybody else hears of them.
    """

    def __init__(self, first_oid: int, next_user_id: Callable[[], int]) -> None:
        """first_oid: above all that were ever given. next_user_id: gives a snowflake."""
        self._next = self._through = first_oid
        self._next_user_id = next_user_id

    def oids(self, count: int = 1) -> int:
        """The first of so many OIDs, one after the other. Raises 53000 when there are no more."""
        first = self._next
        if first + count > OID_MAX:
            raise InsufficientResourcesError("object identifiers are used up")
        self._next = first + count
        return first

    def user(self) -> int:
        """A user's id."""
        return self._next_user_id()

    @property
    def covered(self) -> bool:
        """Whether all OIDs that were given are reserved."""
        return self._next <= self._through

    def reservation(self) -> tuple[int, tuple[bytes, bytes]]:
        """(end, system record) to write, synced, and then to call `reserved` with that end."""
        end = self._next + RESERVED_OIDS
        return end, (codec.IDS_KEY, codec.encode([end]))

    def reserved(self, end: int) -> None:
        """OIDs below `end` are reserved on disk."""
        self._through = max(self._through, end)
