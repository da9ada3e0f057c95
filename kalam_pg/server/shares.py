"""Users share the event loop: where its rounds take long, none has much of one before the others.

Each session does some milliseconds of work at a time. Forty of one user, with always something to do, would
make everybody else wait for all of them in every round. Who has not shown yet who they are share by address.
"""

import time
from collections.abc import Callable
from typing import Final

CROWDED_S: Final = 0.01
"""After a round that took longer the time of rounds is shared out."""

CALM_S: Final = 0.5
"""Until there was none for so long."""

SHARE_S: Final = 0.005
"""Of a round, for one user, or address: who has had more waits for the next."""


_NOBODY: Final = object()


class Shares:
    """crowded: whether anybody has to ask (`may`)."""

    __slots__ = ("_clock", "_had", "_since_s", "_until_s", "_whose", "crowded")

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.crowded = False
        self._clock = clock
        self._had: dict[object, float] = {}
        self._whose: object = _NOBODY
        self._since_s = self._until_s = 0.0

    def begin(self) -> None:
        """A round begins: everybody has a share of it, if there was a long one of late."""
        self.rest()
        self._had.clear()
        self._whose = _NOBODY

    def may(self, user: str | None, address: str = "") -> bool:
        """Whether somebody may have a step now, which is theirs until the next question, or `stop`.

        address: whose, of a peer of whom nobody knows yet who they are.
        """
        self.stop()
        whose = user or (address,)
        if self._had.get(whose, 0.0) >= SHARE_S:
            return False
        self._whose = whose
        return True

    def stop(self) -> None:
        """What comes next is nobody's step: what all commits of a round cost, for one."""
        now_s = self._clock()
        if self._whose is not _NOBODY:
            self._had[self._whose] = self._had.get(self._whose, 0.0) + now_s - self._since_s
            self._whose = _NOBODY
        self._since_s = now_s

    def took(self, seconds: float) -> None:
        """So long was a round."""
        if seconds > CROWDED_S:
            self.crowded = True
            self._until_s = self._clock() + CALM_S

    def rest(self) -> None:
        """Between two rounds: whether there was a long one of late."""
        self.crowded = self._clock() < self._until_s
