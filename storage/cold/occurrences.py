"""In which row groups of a segment each value of a column is, and how often: an answer without decoding it.

Kept in the side file for columns of few values (a conversation, an author, a state), of the rows that are
no tombstones. So `count(*)` of a conversation reads no column of it, and row groups without a value are
not read to look for it, which bounds cannot tell where values lie scattered.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from storage.arrow import DELETED, column_name
from storage.cold.extents import comparable, is_comparable
from storage.layout import Column, Layout, Value

ROWS_MIN = 1024
"""A smaller segment is decoded as quickly."""

_ENTRIES_MAX = 1 << 16
"""Values of row groups, in all of a segment, of a column for which this is worth its room."""

_BYTES_MIN, _BYTES_SHARE = 4096, 16
"""It takes at most a block of the disk, or so much less than the segment."""


def counted_columns(layout: Layout, repeated: Sequence[str]) -> list[Column]:
    """The columns for which it may be kept. repeated: those whose values come several times."""
    return [
        column
        for column in layout.columns
        if column_name(column) in repeated
        and column.kind not in ("float", "numeric")  # One number, and many ways to write it.
        and is_comparable(column)
    ]


@dataclass(slots=True)
class Counted:
    """The values of one column so far."""

    column: Column
    groups: list[pa.Table] = field(default_factory=list)
    entries: int = 0

    def add(self, rows: pa.Table) -> None:
        """One more row group."""
        if self.entries > _ENTRIES_MAX:
            return
        live = rows.column(column_name(self.column)).filter(pc.invert(rows.column(DELETED)))
        values = comparable(live.combine_chunks(), self.column.kind)
        counted = pc.value_counts(values)
        number = pa.scalar(len(self.groups), pa.uint16())
        found = pa.table(
            {
                "value": counted.field(0),
                "group": pa.repeat(number, len(counted)),
                "rows": counted.field(1).cast(pa.uint16()),
            }
        )
        self.entries += len(counted)
        self.groups.append(found if self.entries <= _ENTRIES_MAX else found.slice(0, 0))

    def encode(self, segment_bytes: int) -> pa.Buffer | None:
        """Arrow IPC: each value, in order, with its row groups and their rows; None: it is not worth it."""
        if self.entries > _ENTRIES_MAX:
            return None
        table = pa.concat_tables(self.groups)
        table = table.filter(pc.is_valid(table.column("value")))
        by_value = (
            table.group_by("value", use_threads=False)
            .aggregate([("group", "list"), ("rows", "list")])
            .sort_by("value")
            .combine_chunks()
        )
        sink = pa.BufferOutputStream()
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with pa.ipc.new_stream(sink, by_value.schema, options=options) as stream:
            stream.write_table(by_value)
        data = sink.getvalue()
        return data if data.size <= max(_BYTES_MIN, segment_bytes // _BYTES_SHARE) else None


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Of one column of one segment."""

    values: pa.Array
    groups: pa.Array
    rows: pa.Array

    @classmethod
    def decode(cls, data: bytes) -> "Occurrences":
        """What `Counted.encode` wrote."""
        table = pa.ipc.open_stream(data).read_all()
        values, groups, rows = (column.combine_chunks() for column in table.columns)
        return cls(values, groups, rows)

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return int(self.values.nbytes + self.groups.nbytes + self.rows.nbytes)

    def of(self, value: Value) -> dict[int, int]:
        """How many rows have a value, by row group: of those that have it. Its kind is the column's."""
        values = self.values
        at = bisect_left(range(len(values)), value, key=lambda at: values[at].as_py())
        if at == len(values) or values[at].as_py() != value:
            return {}
        return dict(zip(self.groups[at].as_py(), self.rows[at].as_py(), strict=True))
