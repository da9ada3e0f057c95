"""FETCH from a subscription that is cancelled, again and again, loses no row and gives none twice."""

from hypothesis import given, settings
from hypothesis import strategies as st

from kalam_pg.query.portion import RowPortion
from kalam_pg.query.row_source import RowSource
from kalam_pg.query.row_store import Spills
from kalam_pg.sessions.live_cursors import LiveCursor
from storage.fs import OsFileSystem

ROWS = 12


class Changes(RowSource):
    """Rows that come in portions of two, as those of a subscription do."""

    def __init__(self):
        super().__init__()
        self._next = 0

    def next_portion(self):
        if self._next == ROWS:
            return None
        self._next += 2
        return RowPortion([(self._next - 2,), (self._next - 1,)])
        yield

    def allow(self, wait_s, statement_s=0.0):
        """It never waits."""


def ended(steps):
    """What steps that wait for nothing return."""
    try:
        next(steps)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")


@settings(max_examples=60, deadline=None)
@given(fetches=st.lists(st.tuples(st.integers(1, ROWS), st.integers(0, ROWS + 1))))
def test_cancelled_fetches_consume_nothing(tmp_path_factory, fetches):
    cursor = LiveCursor(Changes(), Spills(OsFileSystem(), tmp_path_factory.mktemp("s")), 0)
    seen = []
    for limit, taken in [*fetches, *[(ROWS, ROWS + 1)] * 2]:
        rows = ended(cursor.fetch("forward", limit))
        got = []
        while len(got) < taken:
            portion = ended(rows.take(2))
            got += portion.rows()
            if not len(portion):  # It has ended; else it is cancelled here.
                seen += got
                break
    assert seen == [(number,) for number in range(ROWS)]
    cursor.close()
