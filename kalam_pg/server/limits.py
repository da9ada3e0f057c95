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

    total: connections in all. reserved: further ones, for Unix sockets. pre_authentication: those not
    authenticated yet, and per_address: those from one IP address; Unix sockets are outside of both.
    per_user: of one role.
    """

    total: int = 0
    pre_authentication: int = 0
    per_address: int = 0
    per_user: int = 0
    reserved: int = 0
    connected: int = 0
    unauthenticated: int = 0
    _addresses: dict[str, int] = field(default_factory=dict)
    _strangers: dict[str, int] = field(default_factory=dict)
    """Those not authenticated yet, by address."""
    _users: dict[str, int] = field(default_factory=dict)

    def connect(self, address: str) -> TooManyConnectionsError | None:
        """Count a new connection ("" for a Unix socket); what to tell it if it is one too many.

        It counts either way, until `disconnect`.
        """
        self.connected += 1
        if not address:
            many = self.total > 0 and self.connected > self.total + self.reserved
            return TooManyConnectionsError("sorry, too many clients already") if many else None
        self._addresses[address] = self._addresses.get(address, 0) + 1
        self.hold(address)
        if _over(self.connected, self.total) or _over(
            self.unauthenticated, self.pre_authentication
        ):
            return TooManyConnectionsError("sorry, too many clients already")
        if _over(self._addresses[address], self.per_address):
            return TooManyConnectionsError("too many connections from this address")
        return None

    def authenticate(self, user: str, address: str) -> None:
        """Count a connection for its user.

        Raises:
            TooManyConnectionsError: the user has as many as allowed; it was not counted.
        """
        count = self._users.get(user, 0) + 1
        if _over(count, self.per_user):
            raise TooManyConnectionsError(f'too many connections for role "{user}"')
        self._users[user] = count
        self.let_go(address)

    def disconnect(self, address: str, user: str | None) -> None:
        """A connection is gone; `user` is None when it never authenticated."""
        self.connected -= 1
        if address:
            _decrement(self._addresses, address)
        if user is None:
            self.let_go(address)
        else:
            _decrement(self._users, user)

    def hold(self, address: str) -> None:
        """Count one more that is not authenticated, until `let_go`: who guesses is one for a while."""
        if address:
            self.unauthenticated += 1
            self._strangers[address] = self._strangers.get(address, 0) + 1

    def let_go(self, address: str) -> None:
        """It counts no more."""
        if address:
            self.unauthenticated -= 1
            _decrement(self._strangers, address)

    @property
    def is_full(self) -> bool:
        """Whether one more that is not authenticated would be too many."""
        return 0 < self.pre_authentication <= self.unauthenticated

    def is_beyond(self, margin: int) -> bool:
        """Whether there are so many too many that the next is not even to be told so."""
        return (
            0 < self.total < self.connected - margin
            or 0 < self.pre_authentication < self.unauthenticated - margin
        )

    def crowd(self, address: str) -> str:
        """The address that has more than half of those not authenticated, if it is another one; or ""."""
        most = max(self._strangers, key=self._strangers.__getitem__, default="")
        many = bool(most) and 2 * self._strangers[most] > self.pre_authentication
        return most if many and most != address else ""


class FailureBackoff:
    """How long the answer to a wrong password takes, by (address, user).

    A guesser from one place waits longer each time; who knows the password does not, nor do others behind
    the same proxy, or anyone could lock anyone out. clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def delay_s(self, address: str, user: str) -> float:
        """Seconds to wait before the outcome of a try that failed is told: 0.1, 0.2, 0.4 … 5; 0 at first."""
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
