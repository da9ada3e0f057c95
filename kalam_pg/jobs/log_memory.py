"""What LevelDB keeps in memory of a large commit becomes tables at once, and is known until then.

LevelDB keeps what was written last in memory. As a rule that is twice its write buffer; but a large batch is
kept whole until another one follows, and beside it the one before and the table that is being made of that:
some rows of 67 MB took 300 MB, of which no account knew. So a table is asked for as soon as such a commit is
published. LevelDB would make it later; others read and write meanwhile, and who writes very much waits.
"""

from typing import Final

import trio

from kalam_pg.query.database import Database
from kalam_pg.supervision import Periodic, Supervisor
from storage.keys import BEHIND_ALL

COPIES: Final = 3
"""In memory until the table is there: the rows, and the block of the table that is being filled, which grows
by doubling."""

LOOK_S: Final = 5.0
"""A commit asks for it; this is for what failed."""


class LogMemory:
    """For the event loop. bytes: about what LevelDB holds of large commits."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._written = 0
        self._periodic: Periodic | None = None

    @property
    def bytes(self) -> int:
        """What is in memory of large commits, about."""
        return COPIES * self._written

    def begin(self, supervisor: Supervisor) -> None:
        """From now on."""
        self._periodic = supervisor.every("memory of the log", LOOK_S, self.turn)
        self._database.committer.after_large = self.wrote

    def wrote(self, size: int) -> None:
        """A commit of so many bytes was published."""
        self._written += size
        if self._periodic is not None:
            self._periodic.wake()

    async def turn(self) -> None:
        """Have tables made of what is in memory."""
        size = self._written
        if size:
            # Of no key: LevelDB makes tables of what it has in memory first, and merges nothing then.
            await trio.to_thread.run_sync(self._database.engine.compact, *BEHIND_ALL)
            self._written -= size
