"""The rows of a cursor, where it stands among them, and how it gets elsewhere.

They are those that its query gave when it was opened: a cursor is insensitive to what happens after. It
pulls them when they are wanted, and going back reads what it has passed from a store; one that only goes
forward keeps nothing.
"""

from collections.abc import Callable
from typing import ClassVar

from catalog.errors import ObjectNotInPrerequisiteStateError
from kalam_pg.query.portion import NO_ROWS, Portion, RowPortion
from kalam_pg.query.row_source import RowSource, Stored
from kalam_pg.query.row_store import RowStore, Spills
from kalam_pg.query.waits import STRIDE, Steps
from storage.layout import Row

_AS_IT_COMES = 1 << 30


class CursorRows:
    """at: the row it stands on, from 1; 0 before the first, one more than there are behind the last.

    broken: what gives the rows has raised.
    """

    __slots__ = ("_behind", "_last", "_over", "_source", "_store", "_width", "at", "broken")

    endless: ClassVar[bool] = False
    """There are always more rows, though perhaps not yet."""

    def __init__(self, source: RowSource, store: RowStore | None, width: int | None = None) -> None:
        """store: where what was passed is kept, None of a cursor that only goes forward.

        width: how many columns are given; what is behind them is for `row`. None: all.
        """
        self.at = 0
        self._width = width
        self._last: Portion = NO_ROWS
        """The row it stands on, where `row` may be asked."""
        self.broken = False
        self._source = source
        self._store = store
        self._over = False
        """All rows are in the store."""
        self._behind = False
        """It stands behind the last row."""

    @property
    def row(self) -> Row | None:
        """The row it stands on, whole; None: it stands on none."""
        if not self.at or self._behind or not len(self._last):
            return None
        return self._last.rows()[0]

    # ------------------------------------------------------------------ FETCH, MOVE and Execute

    def fetch(self, direction: str, count: int | None) -> Steps[RowSource]:
        """The rows that FETCH gives, to be taken before anything else is asked.

        Raises 55000 for going back where that is not allowed.
        """
        match direction:
            case "forward" if count is None or count > 0:
                return Window(self.forward, count)
            case "forward" if count:
                return self._back(-count)
            case "backward" if count is None or count > 0:
                return self._back(count)
            case "backward" if count:
                return Window(self.forward, -count)
            case "absolute":
                assert count is not None
                return (yield from self._row_at(count))
            case "relative" if count:
                return (yield from self._row_at(max(self.at + count, 0)))
            case _:
                # FORWARD 0, BACKWARD 0 and RELATIVE 0 are the row it stands on, again.
                if self.at and not self._behind:
                    self._check_back()
                return Window(self._same, 1)

    def forward(self, limit: int) -> Steps[Portion]:
        """The next rows, at most `limit` and at least one; behind the last one none."""
        if self._behind:
            return NO_ROWS
        if self._store is None:
            portion = yield from self._take(limit)
        else:
            if self.at == self._store.rows and not self._over:
                yield from self._pull()
            portion = yield from self._store.read(self.at, limit)
        self._behind = not len(portion)
        self.at += len(portion) or 1
        return self._shown(portion)

    def _shown(self, portion: Portion) -> Portion:
        """What is given of rows that were passed."""
        if self._width is None:
            return portion
        count = len(portion)
        self._last = portion.part(max(count - 1, 0), count)
        return portion.narrow(self._width)

    def keep(self, spills: Spills) -> Steps[None]:
        """Have all the rows that may still be asked for in a store: what they come from will end."""
        if self._store is not None:
            while not self._over:
                yield from self._pull()
        else:
            self._source = Stored((yield from self._source.keep(spills)))

    def close(self) -> None:
        """Forget them. Again is no error."""
        self._source.close()
        if self._store is not None:
            self._store.close()

    # ------------------------------------------------------------------ inside

    def _take(self, limit: int) -> Steps[Portion]:
        self.broken = True  # until that has come back
        portion = yield from self._source.take(limit)
        if self._store is not None:
            yield from self._store.add(portion)
        self.broken = False
        return portion

    def _pull(self) -> Steps[None]:
        """Have more rows in the store, or know that there are no more."""
        assert self._store is not None
        self._over = not len((yield from self._take(_AS_IT_COMES)))

    def _back(self, count: int | None) -> RowSource:
        self._check_back()
        return Window(self._backward, count)

    def _backward(self, limit: int) -> Steps[Portion]:
        """The rows before, the nearest first."""
        self._behind = False
        if self.at <= 1:
            self.at = 0
            return NO_ROWS
        assert self._store is not None
        portion = yield from self._store.read_back(self.at - 1, min(limit, STRIDE))
        self.at -= len(portion)
        return self._shown(RowPortion(portion.rows()[::-1]))

    def _same(self, _limit: int) -> Steps[Portion]:
        if not self.at or self._store is None:
            return NO_ROWS
        return self._shown((yield from self._store.read(self.at - 1, 1)))

    def _row_at(self, place: int) -> Steps[RowSource]:
        """The one row at a place, counted from the end if negative; the cursor stands there then."""
        if self._store is None:
            return (yield from self._skip_to(place))
        while not self._over and (place < 0 or place > self._store.rows):
            yield from self._pull()
        rows = self._store.rows
        self.at = max(0, rows + 1 + place) if place < 0 else min(place, rows + 1)
        self._behind = self.at > rows
        return Window(self._same, 1)

    def _skip_to(self, place: int) -> Steps[RowSource]:
        if self.at and 0 <= place <= self.at:
            self._check_back()
        portion: Portion = NO_ROWS
        while place < 0 or self.at < place:
            portion = yield from self.forward(STRIDE if place < 0 else min(place - self.at, STRIDE))
            if self._behind:
                break
        if place < 0:
            self._check_back()
        return Window(_once(portion.part(max(len(portion) - 1, 0), len(portion))), 1)

    def _check_back(self) -> None:
        if self._store is None:
            raise ObjectNotInPrerequisiteStateError(
                "cursor can only scan forward",
                hint="Declare it with SCROLL option to enable backward scan.",
            )


Take = Callable[[int], Steps[Portion]]


class Window(RowSource):
    """Some rows of a cursor, which moves while they are taken. count: None is all in that direction."""

    __slots__ = ("_left", "_take")

    def __init__(self, take: Take, count: int | None) -> None:
        super().__init__()
        self._take = take
        self._left = _AS_IT_COMES if count is None else count

    def next_portion(self) -> Steps[Portion | None]:
        if self._left <= 0:
            return None
        portion = yield from self._take(self._left)
        self._left = self._left - len(portion) if len(portion) else 0
        return portion if len(portion) else None


def _once(portion: Portion) -> Take:
    def take(_limit: int) -> Steps[Portion]:
        return portion
        yield

    return take
