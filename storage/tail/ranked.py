"""One view's rows with one value in a column, in an order: what an index of the tail answers."""

from collections.abc import Sequence

from storage.arrow import column_name
from storage.cold.manifest import Segment
from storage.layout import Row, Value
from storage.tail.encodings import Encodings
from storage.tail.indexes import TailIndex
from storage.tail.tail import Tail
from storage.tail.value_index import Cut, Range


class Ranked:
    """For reads on the event loop, at once: the tail must not change in between.

    cold: segments with rows that are not in the tail, and so not found here.
    """

    __slots__ = ("_cut", "_index", "_tail", "_value", "cold")

    def __init__(
        self, tail: Tail, index: TailIndex, value: Value, cut: Cut, cold: Sequence[Segment]
    ) -> None:
        self._tail = tail
        self._index = index
        self._value = value
        self._cut = cut
        self.cold = cold

    @property
    def count(self) -> int:
        """At least how many rows `find` can give."""
        return self._index.count(self._value)

    @property
    def encodings(self) -> Encodings:
        """What was made of the tail's rows, by ordinal."""
        return self._tail.encodings

    def find(self, wanted: Range) -> Sequence[int]:
        """Ordinals of the rows, in the order asked for."""
        return self._index.find(self._value, wanted, self._cut)

    def rows(
        self, ordinals: Sequence[int], positions: Sequence[int] | None = None
    ) -> list[tuple[int, Row]]:
        """(seq, row) of each; of the row the columns at `positions`, None: all."""
        tail = self._tail
        return tail.rows_at(
            ordinals, range(len(tail.layout.columns)) if positions is None else positions
        )

    def beats_cold(self, ordinal: int, *, descending: bool, ties: bool) -> bool:
        """Whether a row comes before all rows that are only in segments.

        ties: whether it also does where one of these has the same key.
        """
        if not self.cold:
            return True
        by = self._index.by
        if by is None:
            return descending  # Whatever is in the tail was written later.
        key = self._index.key(ordinal)
        name = column_name(self._tail.layout.columns[by])
        for segment in self.cold:
            stats = segment.columns.get(name)
            if stats is None or stats.nulls:
                return False
            edge = stats.maximum if descending else stats.minimum
            if not isinstance(edge, int):
                return False
            if not (key > edge if descending else key < edge) and not (ties and key == edge):
                return False
        return True
