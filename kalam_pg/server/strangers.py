"""Connections that have not shown yet who they are, and who of them makes room for somebody new.

Silent and half-open connections are cheap to make: a table that is full of them must not lock anybody out. So
the oldest goes, unless all have just come; and where one address has most of them, one of that address,
whatever its age.
"""

from typing import TYPE_CHECKING, Final

import trio

from kalam_pg.server.limits import ConnectionLimits

if TYPE_CHECKING:
    from kalam_pg.server.connection import Connection

STRANGER_S: Final = 1.0
"""Who has not shown for so long who it is makes room where there is none."""


class Strangers:
    """Those of one loop that came over TCP, the oldest first."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._since: dict[Connection, float] = {}

    def came(self, connection: "Connection") -> None:
        """It has come. Unix sockets are outside of this."""
        if connection.peer.address:
            self._since[connection] = trio.current_time()

    def known(self, connection: "Connection") -> None:
        """It has shown who it is, or is gone. Again is no error."""
        self._since.pop(connection, None)

    def make_room(self, address: str) -> None:
        """End as many as one more from an address needs, if there are any who can be asked to go."""
        while address and self._limits.is_full and (goes := self._who_goes(address)) is not None:
            self.known(goes)
            goes.loop.guarded(goes, goes.lost)

    def _who_goes(self, address: str) -> "Connection | None":
        crowd = self._limits.crowd(address)
        if crowd:
            return next((one for one in self._since if one.peer.address == crowd), None)
        oldest, since = next(iter(self._since.items()), (None, 0.0))
        return oldest if since + STRANGER_S <= trio.current_time() else None


def too_late(connection: "Connection") -> None:
    """The time to show who it is has passed."""
    if connection.user is None and not connection.closed:
        connection.lost()
