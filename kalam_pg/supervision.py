"""One supervisor for all that goes on in the background: a step that fails costs nobody but its owner.

What raises is logged with its class and place and tried again, after pauses that grow; nothing that a
background task does ends the others, or the server. Only the end of the supervisor itself ends them.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import trio

from kalam_pg.failures import report

T = TypeVar("T")
Step = Callable[[], Awaitable[object]]

PAUSE_MIN_S: Final = 1.0
PAUSE_MAX_S: Final = 60.0
"""A full disk that has room again, say, is noticed within so long."""

_ENDS: Final = (trio.Cancelled, KeyboardInterrupt, SystemExit, GeneratorExit)
"""What asks a task to end. Everything else is a failure: a panic of an extension module too, which
is no Exception."""


def failure_of(exc: BaseException) -> BaseException | None:
    """The failure in what a task raised, out of its group if it is alone; None if it was to end.

    Several nurseries may have wrapped it, together with the cancellation of its siblings.
    """
    if not isinstance(exc, BaseExceptionGroup):
        return None if isinstance(exc, _ENDS) else exc
    _, failures = exc.split(_ENDS)
    found: BaseException | None = failures
    while isinstance(found, BaseExceptionGroup) and len(found.exceptions) == 1:
        found = found.exceptions[0]
    return found


def ending_of(exc: BaseException) -> BaseException | None:
    """What, in what a task raised, asks it to end; None if it only failed."""
    if isinstance(exc, BaseExceptionGroup):
        return exc.subgroup(_ENDS)
    return exc if isinstance(exc, _ENDS) else None


class Backoff:
    """Pauses that double with every failure, from PAUSE_MIN_S to PAUSE_MAX_S."""

    __slots__ = ("failures",)

    def __init__(self) -> None:
        self.failures = 0

    def failed(self) -> float:
        """One more failure in a row; how many seconds to pause."""
        self.failures += 1
        return min(PAUSE_MIN_S * 2.0 ** min(self.failures - 1, 32), PAUSE_MAX_S)


class Periodic:
    """A step that is repeated for ever. `wake` asks for its next turn now."""

    def __init__(self) -> None:
        self._woken = trio.Event()

    def wake(self) -> None:
        """Run the step as soon as may be: at once, or after the pause that its failure brought."""
        self._woken.set()

    async def wait(self, timeout_s: float) -> None:
        """Until it is woken or the time has passed."""
        with trio.move_on_after(timeout_s):
            await self._woken.wait()

    def begin(self) -> None:
        """A turn begins: what wakes it from here on asks for another."""
        self._woken = trio.Event()


class Supervisor:
    """Runs background tasks; an async context manager, whose end cancels them and waits for them."""

    def __init__(self) -> None:
        self._manager: Any = None
        self._nursery: trio.Nursery | None = None

    async def __aenter__(self) -> Self:
        self._manager = trio.open_nursery()
        self._nursery = await self._manager.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cancel()
        # The caller's own exception passes by itself, not wrapped in the nursery's group.
        await self._manager.__aexit__(None, None, None)

    def cancel(self) -> None:
        """Ask everything to end."""
        assert self._nursery is not None
        self._nursery.cancel_scope.cancel()

    @property
    def running(self) -> bool:
        """Whether tasks can be started."""
        return self._nursery is not None and not self._nursery.cancel_scope.cancel_called

    def soon(self, name: str, function: Callable[..., Awaitable[object]], *arguments: Any) -> None:  # noqa: ANN401
        """Run an async function once, beside everything else; what it raises is logged."""
        if self.running:
            assert self._nursery is not None
            self._nursery.start_soon(self._run_once, name, function, arguments, name=name)

    def every(self, name: str, period_s: float, step: Step, *, at_once: bool = False) -> Periodic:
        """Repeat a step: `period_s` after the end of the one before; after failures as `persist`.

        at_once: the first turn is now, and not after a period.
        """
        periodic = Periodic()
        if at_once:
            periodic.wake()
        if self.running:
            assert self._nursery is not None
            self._nursery.start_soon(self._repeat, name, period_s, step, periodic, name=name)
        return periodic

    async def _run_once(
        self, name: str, function: Callable[..., Awaitable[object]], arguments: tuple[Any, ...]
    ) -> None:
        await attempt(name, partial(function, *arguments))

    async def _repeat(self, name: str, period_s: float, step: Step, periodic: Periodic) -> None:
        async def turn() -> None:
            periodic.begin()
            await step()

        while True:
            await periodic.wait(period_s)
            await persist(name, turn)


async def attempt(name: str, step: Step, **facts: object) -> bool:
    """Run a step; whether it succeeded. A failure is logged. Raises what asks the task to end."""
    try:
        await step()
    except BaseException as exc:  # noqa: BLE001 -- see `failure_of`
        _note(name, exc, **facts)
        return False
    return True


async def persist(name: str, step: Callable[[], Awaitable[T]]) -> T:
    """Run a step until it succeeds, and return its answer; after each failure a longer pause."""
    backoff = Backoff()
    while True:
        try:
            return await step()
        except BaseException as exc:  # noqa: BLE001 -- see `failure_of`
            _note(name, exc, failures=backoff.failures + 1)
        await trio.sleep(backoff.failed())


def guarded(callback: Callable[[], object]) -> None:
    """Call something that nobody waits for; what it raises is logged."""
    try:
        callback()
    except Exception as exc:  # noqa: BLE001
        report("callback failed", exc)


def _note(name: str, exc: BaseException, **facts: object) -> None:
    """Log the failure in what a task raised; raise what asks it to end."""
    failure = failure_of(exc)
    if failure is not None:
        report("background task failed", failure, task=name, **facts)
    ending = ending_of(exc)
    if ending is not None:
        raise ending
