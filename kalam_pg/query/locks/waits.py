"""How a statement waits for a lock, and what ends the wait: the grant, a timeout, a cancellation.

Each of them happens in one call on the event loop, so exactly one of them is first. A lock that was
granted stays its owner's whatever comes after: an error then ends the statement, and with it the
transaction or the savepoint gives the lock back.
"""

from dataclasses import dataclass

import trio

from catalog.errors import LockNotAvailableError, QueryCanceledError
from kalam_pg.query.locks.modes import Mode
from kalam_pg.query.locks.state import LockOwner, Name, Request
from kalam_pg.query.locks.table import LockTable
from kalam_pg.query.waits import Resume, Spawn, Steps, Wait


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a statement waits for one lock; 0 is for ever.

    lock_timeout_s: for this lock. statement_s: what is left of the statement's time.
    """

    lock_timeout_s: float = 0.0
    statement_s: float = 0.0


def take(
    locks: LockTable, owner: LockOwner, name: Name, mode: Mode, patience: Patience
) -> Steps[bool]:
    """Take a lock; True if that had to wait. Raises 40P01, 55P03, 57014."""
    request = locks.request(owner, name, mode)
    if request is None:
        return False
    waiting = LockWait(locks, request, patience)
    yield waiting
    if waiting.error is not None:
        raise waiting.error
    return True


class LockWait(Wait):
    """Wait until a request is granted."""

    __slots__ = ("_ended", "_locks", "_patience", "_request", "_resume", "_timer")

    def __init__(self, locks: LockTable, request: Request, patience: Patience) -> None:
        super().__init__()
        self._locks = locks
        self._request = request
        self._patience = patience
        self._resume: Resume | None = None
        self._timer: trio.CancelScope | None = None
        self._ended = False
        request.on_grant = self._end

    def start(self, resume: Resume, spawn: Spawn) -> None:
        if self._ended:
            resume()
            return
        self._resume = resume
        lock_s, statement_s = self._patience.lock_timeout_s, self._patience.statement_s
        if lock_s and (not statement_s or lock_s < statement_s):
            self._time(lock_s, LockNotAvailableError(_DUE_TO + "lock timeout"), spawn)
        elif statement_s:
            self._time(statement_s, QueryCanceledError(_DUE_TO + "statement timeout"), spawn)

    def cancel(self, error: BaseException | None = None) -> None:
        self.error = error or QueryCanceledError(_DUE_TO + "user request")
        self._locks.withdraw(self._request)
        self._end()

    def _time(self, seconds: float, error: BaseException, spawn: Spawn) -> None:
        timer = self._timer = trio.CancelScope()

        async def watch() -> None:
            with timer:
                await trio.sleep(seconds)
            if not self._ended:
                self.cancel(error)

        spawn(watch)

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        if self._resume is not None:
            self._resume()


_DUE_TO = "canceling statement due to "
