"""In which row groups of a segment each value of a column is, and how often: an answer without decoding it.

Kept in the side file for columns of few values (a conversation, an author, a state), of the rows that are
no tombstones. So `count(*)` of a conversation reads no column of it, and row groups without a value are
not read to look for it, which bounds cannot tell where values lie scattered.
"""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from storage.arrow import DELETED, column_name
from storage.cold.extents import comparable, is_comparable
from storage.cold.numbers import of_bytes, to_bytes
from storage.errors import DataCorruptedError
from storage.layout import Column, Layout, Value

ROWS_MIN = 1024
"""A smaller segment is decoded as quickly."""

_ENTRIES_MAX = 1 << 16
"""Values of row groups, in all of a segment, of a column for which this is worth its room."""

_BYTES_MIN, _BYTES_SHARE = 4096, 16
"""It takes at most a block of the disk, or so much less than the segment."""

_CODEC = pa.Codec("zstd")

_ARROW = b"\xff\xff\xff\xff"
"""What a stream of Arrow IPC begins with."""


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

    def encode(self, segment_bytes: int) -> bytes | None:
        """Each value, in order, with its row groups and their rows; None: it is not worth it."""
        if self.entries > _ENTRIES_MAX:
            return None
        table = pa.concat_tables(self.groups)
        table = table.filter(pc.is_valid(table.column("value")))
        by_value = (
            table.group_by("value", use_threads=False)
            .aggregate([("group", "list"), ("rows", "list")])
            .sort_by("value")
        )
        data = Occurrences.of_table(by_value).encode()
        return data if len(data) <= max(_BYTES_MIN, segment_bytes // _BYTES_SHARE) else None


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    """values: how many. entries: row groups of all of them. size: of `data` when it is decompressed."""

    is_text: bool
    values: int
    entries: int
    size: int
    data: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Packed).decode


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Of one column of one segment.

    values: in order; of texts and bytes where each begins in `texts`, and where the last one ends. starts:
    where the entries of each value begin. groups, rows: of each entry.
    """

    values: "array[int]"
    starts: "array[int]"
    groups: "array[int]"
    rows: "array[int]"
    texts: bytes | None = None

    @classmethod
    def of_table(cls, table: pa.Table) -> "Occurrences":
        """Of values in order, each with lists of its row groups and their rows."""
        values, groups, rows = (column.combine_chunks() for column in table.columns)
        of, texts = values.type, None
        if pa.types.is_string(of) or pa.types.is_binary(of):
            parts = values.cast(pa.binary()).to_pylist()
            numbers, texts = array("q", accumulate(map(len, parts), initial=0)), b"".join(parts)
        else:
            numbers = _numbers("q", values.cast(pa.int64()))
        starts = _numbers("q", pc.subtract(groups.offsets, groups.offsets[0]).cast(pa.int64()))
        return cls(
            numbers,
            starts,
            _numbers("H", groups.flatten().cast(pa.uint16())),
            _numbers("H", rows.flatten().cast(pa.uint16())),
            texts,
        )

    def encode(self) -> bytes:
        """It as `decode` reads it."""
        numbers = (self.values, self.starts, self.groups, self.rows)
        plain = b"".join((*map(to_bytes, numbers), self.texts or b""))
        data = _CODEC.compress(plain, asbytes=True)
        is_text = self.texts is not None
        return _encode(_Packed(is_text, len(self.starts) - 1, len(self.rows), len(plain), data))

    @classmethod
    def decode(cls, data: bytes) -> "Occurrences":
        """What `encode` made, or what it made in earlier versions: Arrow IPC. Raises DataCorruptedError."""
        try:
            if data.startswith(_ARROW):
                return cls.of_table(pa.ipc.open_stream(data).read_all())
            packed = _decode(data)
            plain = memoryview(_CODEC.decompress(packed.data, packed.size, asbytes=True))
            found: list[array[int]] = []
            at = 0
            for code, size, count in (
                ("q", 8, packed.values + packed.is_text),
                ("q", 8, packed.values + 1),
                ("H", 2, packed.entries),
                ("H", 2, packed.entries),
            ):
                found.append(of_bytes(code, plain[at : at + size * count]))
                at += size * count
        except (msgspec.DecodeError, pa.ArrowException, OSError, ValueError) as exc:
            raise DataCorruptedError("counts of a segment's values are damaged") from exc
        values, starts, groups, rows = found
        texts = bytes(plain[at:]) if packed.is_text else None
        return cls(values, starts, groups, rows, texts)

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        numbers = (self.values, self.starts, self.groups, self.rows)
        return 512 + sum(part.itemsize * len(part) for part in numbers) + len(self.texts or b"")

    def of(self, value: Value) -> dict[int, int]:
        """How many rows have a value, by row group: of those that have it. Its kind is the column's."""
        at = self._place(value)
        if at is None:
            return {}
        start, end = self.starts[at], self.starts[at + 1]
        return dict(zip(self.groups[start:end], self.rows[start:end], strict=True))

    def _place(self, value: Value) -> int | None:
        values, texts = self.values, self.texts
        if texts is None:
            assert isinstance(value, int), "its kind is the column's"
            at = bisect_left(values, value)
            return at if at < len(values) and values[at] == value else None
        assert isinstance(value, str | bytes), "its kind is the column's"
        wanted = value.encode() if isinstance(value, str) else value
        count = len(values) - 1

        def text(at: int) -> bytes:
            return texts[values[at] : values[at + 1]]

        at = bisect_left(range(count), wanted, key=text)
        return at if at < count and text(at) == wanted else None


def _numbers(code: str, values: pa.Array) -> "array[int]":
    """Numbers without NULLs, as they are in memory."""
    found = array(code)
    found.frombytes(values.to_numpy().tobytes())
    return found
