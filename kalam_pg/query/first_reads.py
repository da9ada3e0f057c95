"""A thread that reads segments is made ready for the first question soon after a start, and stays so.

What a thread has used of Arrow's memory is its own: another one maps as much anew. Threads that nobody needs
end after ten seconds, so one is asked for nothing before.
"""

from typing import Final

import trio

from storage.cold.readiness import prepare

AFTER_S: Final = 1.0
"""A server that was started for a moment has other things to do."""

EVERY_S: Final = 5.0


async def stay_ready() -> None:
    """Do what the first read would have to do, and keep the thread that did. Until it is cancelled."""
    await trio.sleep(AFTER_S)
    await trio.to_thread.run_sync(prepare)
    while True:
        await trio.sleep(EVERY_S)
        await trio.to_thread.run_sync(_nothing)


def _nothing() -> None:
    """The thread that was idle last is taken, which does not end then."""
