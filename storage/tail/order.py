"""Which columns of a tail were written in order, so that newest first is greatest first."""

from collections.abc import Callable, Iterable
from itertools import pairwise

from storage.layout import Layout, Row, Value

_ORDERED_KINDS = frozenset({"bool", "int", "float", "text", "bytes", "uuid"})
"""Kinds whose stored form Python compares as SQL does."""

_NOTHING: Value = ("no row yet",)
"""Stands for the greatest value of a column without rows: any value may follow."""


class Orders:
    """The columns asked about, each with its greatest value while it is in order."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._greatest: dict[int, Value] = {}  # None: it is not in order.

    def __bool__(self) -> bool:
        return bool(self._greatest)

    def holds(self, position: int, values: Callable[[], Iterable[Value]]) -> bool:
        """Whether the column was never below an earlier row's value, nor null.

        values: all that it has, asked for once; from then on `check` keeps the answer.
        """
        if position not in self._greatest:
            kind = self._layout.columns[position].kind
            self._greatest[position] = _measure(values()) if kind in _ORDERED_KINDS else None
        return self._greatest[position] is not None

    def check(self, row: Row) -> None:
        """A row was written."""
        for position, last in self._greatest.items():
            if last is not None:
                value = row[position]
                if last is _NOTHING or (value is not None and value >= last):  # type: ignore[operator]
                    self._greatest[position] = value
                else:
                    self._greatest[position] = None


def _measure(values: Iterable[Value]) -> Value:
    found = list(values)
    if not found:
        return _NOTHING
    if None in found or not all(a <= b for a, b in pairwise(found)):  # type: ignore[operator]
        return None
    return found[-1]
