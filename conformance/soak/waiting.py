"""Waiting for what the server does by itself: a process of its own can only be asked, and asked again."""

import time
from collections.abc import Callable

from conformance.soak.ledger import Violation

PAUSE_S = 0.05
"""Between two questions: long beside an answer, short beside all that is waited for."""


def pause() -> None:
    """Leave the server alone for a moment."""
    time.sleep(PAUSE_S)


def until(look: Callable[[], str], within_s: float) -> None:
    """Look again until there is nothing to say. Raises Violation with what was said last."""
    deadline = time.monotonic() + within_s
    while wrong := look():
        if time.monotonic() > deadline:
            raise Violation(f"after {within_s:g} s: {wrong}")
        pause()
