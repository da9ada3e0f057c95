"""Failpoints: named places where a test makes the process fail.

`hit("flush.intent")` does nothing unless the name was armed: in process by `armed`, or for a whole
process by the environment, `KALAM_FAILPOINTS=flush.intent:kill,trim.batch:eio@3` (at the third hit).
`hold` waits there, so that something else can be done meanwhile, until somebody opens the named pipe
`KALAM_HOLD` for writing; where there is none it does nothing.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from storage.errors import DiskFullError, IoError


class FailpointError(Exception):
    """Stands for a crash at a failpoint: nothing after it runs."""


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _crash() -> None:
    raise FailpointError


def _eio() -> None:
    raise IoError("could not write: Input/output error (failpoint)")


def _enospc() -> None:
    raise DiskFullError("could not write: No space left on device (failpoint)")


def _hold() -> None:
    with suppress(FileNotFoundError):
        os.close(os.open(os.environ["KALAM_HOLD"], os.O_RDONLY))


ACTIONS: dict[str, Callable[[], None]] = {
    "hold": _hold,
    "kill": _kill,
    "crash": _crash,
    "eio": _eio,
    "enospc": _enospc,
}

_armed: dict[str, list[tuple[int, Callable[[], None]]]] = {}


def hit(name: str) -> None:
    """Pass a failpoint."""
    if _armed:
        _act(name)


def _act(name: str) -> None:
    waiting = _armed.get(name)
    if not waiting:
        return
    hits, action = waiting[0]
    if hits > 1:
        waiting[0] = (hits - 1, action)
        return
    waiting.pop(0)
    action()


@contextmanager
def armed(name: str, action: str | Callable[[], None], *, at: int = 1) -> Iterator[None]:
    """Inside, the `at`-th hit of `name` does `action` (a name of `ACTIONS`, or a callable), once."""
    call = ACTIONS[action] if isinstance(action, str) else action
    _armed.setdefault(name, []).append((at, call))
    try:
        yield
    finally:
        _armed.pop(name, None)


def arm_from_environment(text: str | None = None) -> None:
    """Arm what `KALAM_FAILPOINTS` (or `text`) lists. Raises ValueError for a malformed one."""
    text = os.environ.get("KALAM_FAILPOINTS", "") if text is None else text
    for item in filter(None, text.split(",")):
        name, _, action = item.partition(":")
        action, _, at = action.partition("@")
        if action not in ACTIONS:
            raise ValueError(f"unknown failpoint action {action!r}")
        _armed.setdefault(name, []).append((int(at or 1), ACTIONS[action]))
