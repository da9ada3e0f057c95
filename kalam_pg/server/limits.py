"""How many connections there may be, and how long a wrong password costs.

Everything here is counting; what is done about a refusal is the loop's affair.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from catalog.errors import TooManyConnectionsError

FAILURES_KEPT_MAX: Final = 10_000
"""(address, user) pairs remembered; the oldest go first, so memory is bounded."""

FAILURES_FORGOTTEN_S: Final = 900.0
DELAY_FIRST_S: Final = 0.1
DELAY_MAX_S: Final = 5.0


@dataclass(slots=True)
class ConnectionLimits:
    """Counts of connections against their limits; 0 means no limit.

    total: connections in all. pre_authentication: those not authenticated yet.
    per_address: from one IP address (Unix sockets do not count). per_user: of one role.
    """

    total: int = 0
    pre_authentication: int = 0
    per_address: int = 0
    per_user: int = 0
    connected: int = 0
    unauthenticated: int = 0
    _addresses: dict[str, int] = field(default_factory=dict)
    _users: dict[str, int] = field(default_factory=dict)

    def connect(self, address: str) -> TooManyConnectionsError | None:
        """Count a new connection ("" for a Unix socket); what to tell it if it is one too many.

        It counts either way, until `disconnect`.
        """
        self.connected += 1
        self.unauthenticated += 1
        if address:
            self._addresses[address] = self._addresses.get(address, 0) + 1
        if _over(self.connected, self.total) or _over(
            self.unauthenticated, self.pre_authentication
        ):
            return TooManyConnectionsError("sorry, too many clients already")
        if _over(self._addresses.get(address, 0), self.per_address):
            return TooManyConnectionsError("too many connections from this address")
        return None

    def authenticate(self, user: str) -> None:
        """Count a connection for its user.

        Raises:
            TooManyConnectionsError: the user has as many as allowed; it was not counted.
        """
        count = self._users.get(user, 0) + 1
        if _over(count, self.per_user):
            raise TooManyConnectionsError(f'too many connections for role "{user}"')
        self._users[user] = count
        self.unauthenticated -= 1

    def disconnect(self, address: str, user: str | None) -> None:
        """A connection is gone; `user` is None when it never authenticated."""
        self.connected -= 1
        if address:
            _decrement(self._addresses, address)
        if user is None:
            self.unauthenticated -= 1
        else:
            _decrement(self._users, user)


class FailureBackoff:
    """How long the next answer to a password takes, by (address, user).

    A guesser from one place waits longer each time; the same user elsewhere does not, or anyone
    could lock anyone out. clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def delay_s(self, address: str, user: str) -> float:
        """Seconds to wait before the outcome of the next try: 0, 0.1, 0.2, 0.4 … 5."""
        count, last = self._failures.get((address, user), (0, 0.0))
        if not count or self._clock() - last > FAILURES_FORGOTTEN_S:
            return 0.0
        return min(DELAY_FIRST_S * 2.0 ** min(count - 1, 10), DELAY_MAX_S)

    def failed(self, address: str, user: str) -> None:
        """Note a wrong password."""
        now = self._clock()
        count, last = self._failures.pop((address, user), (0, 0.0))
        if now - last > FAILURES_FORGOTTEN_S:
            count = 0
        self._failures[address, user] = (count + 1, now)
        if len(self._failures) > FAILURES_KEPT_MAX:
            self._failures.popitem(last=False)

    def succeeded(self, address: str, user: str) -> None:
        """Note a right one."""
        self._failures.pop((address, user), None)


def _over(count: int, limit: int) -> bool:
    return 0 < limit < count


def _decrement(counts: dict[str, int], key: str) -> None:
    left = counts[key] - 1
    if left:
        counts[key] = left
    else:
        del counts[key]
