"""Commits whose outcome nobody knows: what they hold is kept until the log can be asked again.

The log failed while it was written, and could not be opened to see what it has. Until it can, every read
fails too. As soon as it takes a group again, what became of the commits is to be read in it: the catalogue
in memory becomes that on disk, and only then is what they had locked given back, so that nobody has built
upon a state that never was.
"""

from collections.abc import Callable

import structlog
import trio

from kalam_pg.query.committer import Committer
from storage.engine import Engine, Group, WriteSet

FIRST_ASKED_S = 0.05
ASKED_EVERY_S = 5.0
"""The log is asked by an empty commit: soon, then twice as late each time up to this."""

log = structlog.get_logger()


class Doubt:
    """The commits in doubt. For the event loop."""

    def __init__(
        self, engine: Engine, committer: Committer, reload_catalog: Callable[[], None]
    ) -> None:
        self._engine = engine
        self._committer = committer
        self._reload_catalog = reload_catalog
        self._held: list[Callable[[], None]] = []
        self._closed = False

    def __len__(self) -> int:
        return len(self._held)

    def add(self, write_set: WriteSet, let_go: Callable[[], None]) -> None:
        """A set of unknown outcome; `let_go` is called when what became of it is visible."""
        self._engine.doubt(write_set)
        self._held.append(let_go)
        if len(self._held) == 1:
            log.error("the outcome of commits is unknown")
            self._engine.on_publish.append(self._published)
            trio.lowlevel.spawn_system_task(self._ask)

    def close(self) -> None:
        """The log is going to be closed: it is asked no more, and tells at the next start."""
        self._closed = True

    async def _ask(self) -> None:
        delay_s = FIRST_ASKED_S
        while self._held and not self._closed:
            self._committer.submit(WriteSet([], [], [], sync=False), lambda _set: None)
            await trio.sleep(delay_s)
            delay_s = min(2 * delay_s, ASKED_EVERY_S)

    def _published(self, group: Group) -> None:
        """A group was written, so the log is open, and its view shows what is there."""
        if not group.sets:
            return
        self._engine.on_publish.remove(self._published)
        held, self._held = self._held, []
        try:
            self._reload_catalog()
        finally:
            for let_go in held:
                let_go()
            log.warning("the outcome of commits is known", commits=len(held))
