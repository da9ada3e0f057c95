"""How a server ends: PostgreSQL's three ways, by the same signals.

SIGTERM  smart: no new connections; wait until the clients went.
SIGINT   fast: tell every client, roll back what is open, end.
SIGQUIT  immediate: close everything now; the next start recovers.
A later signal can only make it faster.
"""

import signal
from collections.abc import Callable
from enum import Enum
from typing import Final

import trio


class Mode(Enum):
    """How a server ends; `rank` grows with the hurry."""

    SMART = "smart"
    FAST = "fast"
    IMMEDIATE = "immediate"

    @property
    def rank(self) -> int:
        """0 for smart … 2 for immediate."""
        return ("smart", "fast", "immediate").index(self.value)


SIGNALS: Final = {
    signal.SIGTERM: Mode.SMART,
    signal.SIGINT: Mode.FAST,
    signal.SIGQUIT: Mode.IMMEDIATE,
}


async def watch_signals(
    begin: Callable[[Mode], None],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Call `begin` for each signal that asks for an end, for ever. Main thread only."""
    with trio.open_signal_receiver(*SIGNALS) as received:
        task_status.started()
        async for number in received:
            begin(SIGNALS[signal.Signals(number)])
