"""Cursors over subscriptions, and portals of endless results: what is pulled from `LiveRows` in parts.

A part is at least one row and never more than there are: what waits is told at once. FETCH that is cancelled
consumes nothing: what it had taken is kept until it is known to have ended, and given again.
"""

from catalog.errors import FeatureNotSupportedError, ObjectNotInPrerequisiteStateError
from kalam_pg.query.live_rows import LiveRows
from kalam_pg.query.portion import NO_ROWS, Portion
from kalam_pg.query.row_source import RowSource, Stored
from kalam_pg.query.row_store import RowStore, Spills
from kalam_pg.query.waits import Steps
from kalam_pg.sessions.cursor_rows import CursorRows
from storage.errors import KalamError


class LiveCursor(CursorRows):
    """The rows of a subscription, as a cursor that only goes forward and has no end."""

    __slots__ = ("_again", "_given", "_part_max", "_spills", "source")

    endless = True

    def __init__(self, rows: LiveRows, spills: Spills, part_max: int) -> None:
        """part_max: rows that one FETCH or Execute gives at most; 0 is no limit."""
        super().__init__(rows, None)
        self.source = rows
        self._spills = spills
        self._part_max = part_max
        self._given: RowStore | None = None
        """What the newest FETCH has taken, until it has ended."""
        self._again: list[Stored] = []
        """What FETCHes had taken that were cancelled, the last of them first."""

    def allow(self, wait_s: float, statement_s: float) -> None:
        """See `LiveRows.allow`."""
        self.source.allow(wait_s, statement_s)

    def fetch(self, direction: str, count: int | None) -> Steps[RowSource]:
        """At most so many of the next rows (None: all that are there), at least one. Raises 55000, 0A000."""
        if direction in ("absolute", "relative"):
            raise FeatureNotSupportedError(
                f"FETCH {direction.upper()} of a subscription is not supported"
            )
        if direction == "backward":
            count = None if count is None else -count
        if (count is None and direction == "backward") or (count is not None and count < 0):
            raise ObjectNotInPrerequisiteStateError(
                "cursor can only scan forward", detail="It is one over a subscription."
            )
        self._put_back()
        return _Fetch(self, self._limit(count))
        yield

    def part(self, limit: int) -> RowSource:
        """What Execute gives with a row limit."""
        return _Part(self.source, self._limit(limit))

    def forward(self, limit: int) -> Steps[Portion]:
        """The next rows, waited for."""
        return (yield from self.source.take(limit))

    def close(self) -> None:
        self.source.close()
        self._put_back()
        for rows in self._again:
            rows.close()
        self._again.clear()

    def _limit(self, count: int | None) -> int:
        most = self._part_max or (1 << 62)
        return most if count is None else min(count, most)

    # ------------------------------------------------------------------ what FETCH has taken

    def _put_back(self) -> None:
        """The newest FETCH was cancelled, if it has not ended."""
        given, self._given = self._given, None
        if given is not None:
            # In front of what it has not come to of those before it.
            self._again.insert(0, Stored(given))

    def again(self, limit: int) -> Steps[Portion]:
        """Rows that were taken and not given."""
        while self._again:
            portion = yield from self._again[0].take(limit)
            if len(portion):
                return portion
            self._again.pop(0).close()
        return NO_ROWS

    def note(self, portion: Portion) -> Steps[None]:
        """They are being given."""
        if self._given is None:
            self._given = self._spills.store()
        yield from self._given.add(portion)

    def given(self) -> None:
        """FETCH has ended: the client has them, or has gone."""
        given, self._given = self._given, None
        if given is not None:
            given.close()


class _Part(RowSource):
    """Rows that are there, at most so many; at least one is waited for."""

    __slots__ = ("_left", "_rows", "_some")

    def __init__(self, rows: LiveRows, limit: int) -> None:
        super().__init__()
        self._rows = rows
        self._left = limit
        self._some = False

    def next_portion(self) -> Steps[Portion | None]:
        if self._left <= 0:
            return None
        portion = yield from self._more()
        self._some = True
        self._left -= len(portion)
        return portion if len(portion) else None

    def _more(self) -> Steps[Portion]:
        if not self._some:
            return (yield from self._rows.take(self._left))
        self._rows.allow(0.0)
        try:
            return (yield from self._rows.take(self._left))
        except KalamError:
            return NO_ROWS  # It is raised again by who asks next: what came before is to be given.


class _Fetch(_Part):
    """The same for FETCH, which gives first what one before could not."""

    __slots__ = ("_cursor",)

    def __init__(self, cursor: LiveCursor, limit: int) -> None:
        super().__init__(cursor.source, limit)
        self._cursor = cursor

    def next_portion(self) -> Steps[Portion | None]:
        portion = yield from super().next_portion()
        if portion is None:
            self._cursor.given()
        else:
            yield from self._cursor.note(portion)
        return portion

    def _more(self) -> Steps[Portion]:
        portion = yield from self._cursor.again(self._left)
        return portion if len(portion) else (yield from super()._more())
