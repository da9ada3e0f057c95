"""A tablet's live rows in memory, all of them, as one view sees them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import pyarrow as pa

from storage.arrow import SEQ, to_values
from storage.layout import Row, Value
from storage.tail.encodings import Encodings


@dataclass(frozen=True, slots=True)
class LiveRows:
    """Rows in the order of their commits: those of `batches`, then `rows`.

    batches: with the columns of the layout in their order. row_seqs: the commits of `rows`. ordinals:
    their numbers in a tail, of which `encodings` keeps what was made of rows; () and None without one.
    """

    batches: Sequence[pa.RecordBatch]
    rows: Sequence[Row]
    row_seqs: Sequence[int]
    ordinals: Sequence[int] = ()
    encodings: Encodings | None = None

    def __len__(self) -> int:
        count = len(self.rows)
        for batch in self.batches:
            count += batch.num_rows
        return count

    def column(self, position: int) -> list[Value]:
        """The values of one column."""
        values: list[Value] = []
        for batch in self.batches:
            values += to_values(batch.column(position))
        values += [row[position] for row in self.rows]
        return values

    def is_full(self, position: int) -> bool:
        """Whether no value of a column is NULL."""
        return not any(batch.column(position).null_count for batch in self.batches) and not any(
            row[position] is None for row in self.rows
        )

    def whole(self, width: int) -> Iterable[tuple[Row, int]]:
        """(row, commit) of each; rows have `width` columns."""
        if not self.batches:
            return zip(self.rows, self.row_seqs, strict=True)
        rows = zip(*[self.column(at) for at in range(width)], strict=True)
        return zip(rows, cast("list[int]", self.seqs()), strict=True)

    def with_system(self, width: int) -> list[Row]:
        """The rows with `_seq` and `_deleted` behind."""
        return [(*row, seq, False) for row, seq in self.whole(width)]

    def seqs(self) -> list[Value]:
        """The commit of each row."""
        values: list[Value] = []
        for batch in self.batches:
            values += to_values(batch.column(SEQ))
        values += self.row_seqs
        return values
