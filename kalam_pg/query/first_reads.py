"""Soon after a start the threads that read segments are made ready for the first question."""

from typing import Final

import trio

from storage.cold.readiness import prepare

AFTER_S: Final = 1.0
"""A server that was started for a moment has other things to do."""


async def make_ready() -> None:
    """Wait a moment, and do what the first read would have to do."""
    await trio.sleep(AFTER_S)
    await trio.to_thread.run_sync(prepare)
