"""What a statement's time has left when it begins to run: reading it may have taken most of it."""

from time import monotonic
from types import TracebackType
from typing import Final

_LEAST_S: Final = 1e-6


class ReadingTime:
    """Of one session's statement. To be entered while something of it is read, which takes long."""

    __slots__ = ("_since_s", "_spent_s")

    def __init__(self) -> None:
        self._since_s = self._spent_s = 0.0

    def begin(self) -> None:
        """Another statement is read."""
        self._spent_s = 0.0

    def left_s(self, timeout_ms: str) -> float:
        """Of a timeout as its setting is spelled; 0: there is none."""
        timeout_s = int(timeout_ms) / 1000.0
        return max(timeout_s - self._spent_s, _LEAST_S) if timeout_s else 0.0

    def run_s(self, timeout_ms: str) -> float:
        """The same for what has been read now; the next statement has all of its own."""
        left_s = self.left_s(timeout_ms)
        self._spent_s = 0.0
        return left_s

    def __enter__(self) -> None:
        self._since_s = monotonic()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._spent_s += monotonic() - self._since_s
