"""Reading a log into a tail, for a statement that may be given up meanwhile."""

import threading

import trio

from kalam_pg.query.tail_loads import TailLoads
from storage.engine import Engine
from tests.storage.engine_fixtures import TABLET, commit, insert


class SlowTablet:
    """Reads its log when it may go on, in a thread."""

    def __init__(self):
        self.begun, self.may_go_on = threading.Event(), threading.Event()
        self.found = []

    def load(self, view):
        self.begun.set()
        self.may_go_on.wait()
        return [seq for seq, _, _ in view.log(TABLET)]

    def install(self, found):
        self.found = found


async def test_the_view_is_held_until_the_thread_has_read_it(tmp_path):
    """Who asked may be gone: what is trimmed meanwhile would be missing behind what was read."""
    engine = Engine.open(tmp_path / "data")
    seq = commit(engine, insert(1, "a"))
    view, tablet = engine.acquire(), SlowTablet()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(TailLoads().load, tablet, view)
        await trio.to_thread.run_sync(tablet.begun.wait)
        view.release()  # The client was lost.
        nursery.cancel_scope.cancel()
        later = commit(engine, insert(2, "b"))
        held = engine.oldest_view_seq()
        tablet.may_go_on.set()
    assert held == seq
    assert tablet.found == [seq]
    assert engine.oldest_view_seq() == later
    engine.close()
