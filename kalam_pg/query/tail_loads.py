"""Reading a tablet's log into its tail, once for all who wait for it."""

from typing import TYPE_CHECKING

import trio

from kalam_pg.query.waits import Steps, run_async
from storage.log.view import View
from storage.tablet import Tablet

if TYPE_CHECKING:
    from kalam_pg.query.execution import Execution


class TailLoads:
    """The loads that are under way, by tablet.

    A load takes a thread, and that thread the interpreter, for 5 µs a row: a hundred statements that each
    made one of their own would each wait for a hundred.
    """

    def __init__(self) -> None:
        self._running: dict[Tablet, trio.Event] = {}

    async def load(self, tablet: Tablet, view: View) -> None:
        """Have the tail that the view needs in memory, as far as nobody throws it out again.

        The view is held meanwhile, whoever else gives it back: of what came behind it nothing may be trimmed
        before the tail has it.
        """
        while (other := self._running.get(tablet)) is not None:
            await other.wait()
            if tablet.warm(view):
                return
        # Whose view is given back, is cancelled first.
        await trio.lowlevel.checkpoint_if_cancelled()
        ended = self._running[tablet] = trio.Event()
        view.acquire()
        try:
            # A thread comes to its end though its task is cancelled: what it has made is taken.
            tablet.install(await trio.to_thread.run_sync(tablet.load, view))
        finally:
            view.release()
            del self._running[tablet]
            ended.set()


def load(x: "Execution", tablet: Tablet, view: View) -> Steps[None]:
    """Have the tail of a tablet in memory for a statement. Raises 57014."""
    loads = x.database.tail_loads
    yield from run_async(lambda: loads.load(tablet, view), timeout_s=x.statement_timeout_s)
