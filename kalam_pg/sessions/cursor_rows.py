"""A session's cursors: the rows of each, where it stands, and when it ends.

A cursor's rows are those that its query gave when it was declared: it is insensitive to what happens
after, and can go backwards as well as forwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from catalog.errors import InvalidCursorNameError, ObjectNotInPrerequisiteStateError
from kalam_pg.sql.tree import OutputColumn
from storage.layout import Row


@dataclass(slots=True)
class Cursor:
    """at: the row it stands on, from 1; 0 before the first, len(rows) + 1 behind the last.

    forward_only: NO SCROLL. depth: savepoints around it when it was declared; None: its transaction
    has committed and it is held.
    """

    columns: tuple[OutputColumn, ...]
    rows: Sequence[Row]
    forward_only: bool
    hold: bool
    depth: int | None
    at: int = 0

    def fetch(self, direction: str, count: int | None) -> Sequence[Row]:
        """The rows, and the cursor moved. Raises 55000 for going back where that is not allowed."""
        match direction:
            case "forward" if count is None or count > 0:
                return self._forward(count)
            case "forward" if count:
                return self._backward(-count)
            case "backward" if count is None or count > 0:
                return self._backward(count)
            case "backward" if count:
                return self._forward(-count)
            case "absolute":
                assert count is not None
                return self._go(count if count >= 0 else max(0, len(self.rows) + 1 + count))
            case "relative" if count:
                return self._go(self.at + count)
            case _:
                # FORWARD 0, BACKWARD 0 and RELATIVE 0 are the row it stands on, again.
                self._check_back(self.at)
                return self.rows[self.at - 1 : self.at] if self.at else ()

    def _forward(self, count: int | None) -> Sequence[Row]:
        start = self.at
        end = len(self.rows) + 1 if count is None else min(start + count, len(self.rows) + 1)
        self.at = end
        return self.rows[start:end]

    def _backward(self, count: int | None) -> Sequence[Row]:
        start = self.at
        end = 0 if count is None else max(start - count, 0)
        self._check_back(start)
        self.at = end
        return self.rows[max(end - 1, 0) : start - 1][::-1] if start > 1 else ()

    def _go(self, place: int) -> Sequence[Row]:
        place = min(max(place, 0), len(self.rows) + 1)
        if place <= self.at:
            self._check_back(self.at)
        self.at = place
        return self.rows[place - 1 : place] if place else ()

    def _check_back(self, at: int) -> None:
        if self.forward_only and at:
            raise ObjectNotInPrerequisiteStateError(
                "cursor can only scan forward",
                hint="Declare it with SCROLL option to enable backward scan.",
            )


class Cursors(dict[str, Cursor]):
    """A session's cursors by name, and what the ends of transactions and savepoints mean to them."""

    def find(self, name: str) -> Cursor:
        """The cursor of that name. Raises 34000."""
        found = self.get(name)
        if found is None:
            raise InvalidCursorNameError(f'cursor "{name}" does not exist')
        return found

    def commit(self) -> None:
        """Those WITH HOLD stay."""
        for name, cursor in list(self.items()):
            if cursor.hold:
                cursor.depth = None
            else:
                del self[name]

    def rollback(self, depth: int = 0) -> None:
        """Those that were declared inside at least so many savepoints were never declared."""
        for name, cursor in list(self.items()):
            if cursor.depth is not None and cursor.depth >= depth:
                del self[name]

    def release(self, depth: int) -> None:
        """The savepoints from `depth` on are part of what is around them."""
        for cursor in self.values():
            if cursor.depth is not None:
                cursor.depth = min(cursor.depth, depth - 1)
