"""A tablet's live rows in memory, all of them, as one view sees them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import pyarrow as pa

from storage.arrow import SEQ, to_values
from storage.layout import Row, Value
from storage.tail.versions import lying_values


@dataclass(frozen=True, slots=True)
class LiveRows:
    """Rows in the order of their commits: those of `batches`, then `rows`.

    batches: with the columns of the layout in their order. row_seqs: the commits of `rows`.
    """

    batches: Sequence[pa.RecordBatch]
    rows: Sequence[Row]
    row_seqs: Sequence[int]

    def __len__(self) -> int:
        count = len(self.rows)
        for batch in self.batches:
            count += batch.num_rows
        return count

    def column(self, position: int) -> list[Value]:
        """The values of one column."""
        values: list[Value] = []
        for batch in self.batches:
            values += decoded(batch.column(position))
        values += [row[position] for row in self.rows]
        return values

    def whole(self, width: int) -> Iterable[tuple[Row, int]]:
        """(row, commit) of each; rows have `width` columns."""
        if not self.batches:
            return zip(self.rows, self.row_seqs, strict=True)
        rows = zip(*[self.column(at) for at in range(width)], strict=True)
        return zip(rows, cast("list[int]", self.seqs()), strict=True)

    def seqs(self) -> list[Value]:
        """The commit of each row."""
        values: list[Value] = []
        for batch in self.batches:
            values += decoded(batch.column(SEQ))
        values += self.row_seqs
        return values


def decoded(column: pa.Array) -> Sequence[Value]:
    """The stored values of a column: those of fixed width a few nanoseconds each."""
    lying = lying_values(column)
    if lying is not None:
        return lying.tolist()
    if pa.types.is_string(column.type) and len(column) > _ALIKE_ROWS:
        coded = column.dictionary_encode()
        if len(coded.dictionary) * 4 < len(column):
            words = [*coded.dictionary.to_pylist(), None]
            return [words[at] for at in coded.indices.fill_null(len(words) - 1).to_pylist()]
    return to_values(column)


_ALIKE_ROWS = 256
"""From here on it pays to look whether a column of texts has few different ones."""
