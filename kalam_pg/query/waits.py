"""How synchronous code waits: a generator yields a `Wait` and is resumed with its value.

Everything that executes a statement is written once, as a generator (`Steps`). As long as it need not
wait it runs straight through, in one turn of the event loop; that is the fast path of every statement.
Where it must wait (for a commit, a lock, a worker, a file) it yields a `Wait`. Who drives it (a session
on the server's loop, `drive` in process) starts the wait and goes on when it ends.
"""

from collections.abc import Awaitable, Callable, Generator
from time import monotonic, perf_counter
from typing import Any, ClassVar, TypeAlias, TypeVar

import trio

from catalog.errors import QueryCanceledError

T = TypeVar("T")
Resume: TypeAlias = Callable[[], None]
Spawn: TypeAlias = Callable[[Callable[[], Awaitable[None]]], None]


class Wait:
    """Something to wait for. After `resume` either `error` is set or `value` is the answer.

    patient: it may last for ever. What was answered is sent before, and the client may read it when it
    likes.
    """

    __slots__ = ("error", "value")

    patient: ClassVar[bool] = False

    def __init__(self) -> None:
        self.value: Any = None
        self.error: BaseException | None = None

    def start(self, resume: Resume, spawn: Spawn) -> None:
        """Begin; call `resume` once when it has ended, now or later, on the event loop."""
        raise NotImplementedError

    def cancel(self, error: BaseException | None = None) -> None:
        """Give up if that is possible: the wait then ends soon, with `error`."""


Steps: TypeAlias = Generator[Wait, None, T]


class Await(Wait):
    """Wait for a coroutine function, run as a task of its own.

    timeout_s: 0 is none; when it passes, the wait ends with `timeout_error`.
    """

    __slots__ = ("_error", "_function", "_scope", "_timeout_s")

    def __init__(self, function: Callable[[], Awaitable[Any]], *, timeout_s: float = 0.0) -> None:
        super().__init__()
        self._function = function
        self._scope: trio.CancelScope | None = None
        self._timeout_s = timeout_s
        self._error: BaseException = QueryCanceledError(
            "canceling statement due to statement timeout"
        )

    def start(self, resume: Resume, spawn: Spawn) -> None:
        scope = self._scope = trio.CancelScope()
        if self._timeout_s:
            scope.deadline = trio.current_time() + self._timeout_s

        async def run() -> None:
            try:
                with scope:
                    if scope.cancel_called:
                        # It has not begun, and would not notice before it waits for something.
                        await trio.lowlevel.checkpoint()
                    self.value = await self._function()
                if scope.cancel_called:
                    # Also when it was done all the same, in a thread: who asked is not asked to ask again.
                    self.error = self._error
            except Exception as exc:  # noqa: BLE001 -- handed to the statement, which knows what to say
                self.error = exc
            resume()

        spawn(run)

    def cancel(self, error: BaseException | None = None) -> None:
        if self._scope is not None:
            self._error = error or QueryCanceledError("canceling statement due to user request")
            self._scope.cancel()


class PatientAwait(Await):
    """The same, for as long as it takes (`Wait.patient`)."""

    __slots__ = ()

    patient = True


class Deadline:
    """When a statement's time is over."""

    __slots__ = ("_due",)

    def __init__(self, timeout_s: float) -> None:
        """timeout_s: from now on; 0 is for ever."""
        self._due = monotonic() + timeout_s if timeout_s else 0.0

    @property
    def left_s(self) -> float:
        """Seconds that are left, at least a microsecond; 0 when there is no limit."""
        return max(self._due - monotonic(), 1e-6) if self._due else 0.0

    @property
    def is_over(self) -> bool:
        """Whether none are."""
        return bool(self._due) and monotonic() >= self._due


def wait(step: Wait) -> Steps[Any]:
    """Wait from inside a generator of steps: the answer comes back, or its error is raised.

    To be used with `yield from`. Who is closed while it waits gives up what it waits for.
    """
    try:
        yield step
    except GeneratorExit:
        step.cancel()
        raise
    error = step.error
    if error is None:
        return step.value
    try:
        raise error
    finally:
        # Its traceback has this frame, and those around it with all that they hold: no circle through it.
        step.error = None
        del error, step


def run_async(function: Callable[[], Awaitable[T]], *, timeout_s: float = 0.0) -> Steps[T]:
    """Wait for a coroutine function from inside a generator of steps; use it with `yield from`."""
    value: T = yield from wait(Await(function, timeout_s=timeout_s))
    return value


STRIDE = 500
"""Rows that a statement takes up at a time."""

TURN_S = 0.004
"""So long a loop over rows goes on before everybody else has a turn."""


def breathe(timeout_s: float = 0.0) -> Steps[None]:
    """Let everybody else have a turn. timeout_s: what is left of the statement's time, 0 is no limit."""
    yield from run_async(trio.lowlevel.checkpoint, timeout_s=timeout_s)


class Pace:
    """When a loop over rows, whatever each of them costs, lets everybody else have a turn.

    if pace.is_due():
        yield from pace.rest(x.statement_timeout_s)
    """

    __slots__ = ("_since_s",)

    def __init__(self) -> None:
        self._since_s = perf_counter()

    def is_due(self) -> bool:
        """To be asked once a row: one may take a microsecond, and the next a millisecond."""
        return perf_counter() - self._since_s > TURN_S

    def rest(self, timeout_s: float) -> Steps[None]:
        """As `breathe`."""
        yield from breathe(timeout_s)
        self.restart()

    def restart(self) -> None:
        """There was a wait."""
        self._since_s = perf_counter()


async def drive(steps: Steps[T], first: Wait | None = None) -> T:
    """Run a generator of steps to its end inside trio, for code that has no session.

    first: the wait that it has yielded already, if it has.
    """
    step = first
    async with trio.open_nursery() as nursery:
        while True:
            if step is None:
                try:
                    step = next(steps)
                except StopIteration as stop:
                    value: T = stop.value
                    return value
            ended = trio.Event()
            step.start(ended.set, nursery.start_soon)
            await ended.wait()
            step = None
