"""Where each page of a segment's Parquet file is, which rows it has, and what its checksum must be.

A page is the least of a column that can be decoded. The file's own page index says where pages are; it is
read once, when the segment is written, into a part of the side file (`storage.cold.keyfilter`), where each
page has a crc32 too: its own covers neither its header nor whose page it is.
"""

import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple, cast

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from storage.cold.numbers import of_bytes, to_bytes
from storage.cold.outline import Outline, outline_of
from storage.cold.parquet_thrift import CompactReader, footer_of
from storage.errors import DataCorruptedError
from storage.fs import Buffer
from storage.lazy import lazy

ROWS = 4096
"""Rows of a page at most: one is decoded in some 40 µs, and each takes some 60 bytes of the file."""

ROWS_MIN = 1024
"""A smaller segment has no list, with which some would not fit into their manifests: its footer is short."""

BYTES = 128 << 10
"""A page ends where its values come to so many bytes."""

BATCH_ROWS = 256
"""Rows that are written before it is looked whether a page is full."""

GAP_BYTES = 16 << 10
"""Pages between which there is no more than this are read at once."""

_TOGETHER = 64

_CODEC = pa.Codec("zstd")

# Fields of Parquet's structs, by their numbers in parquet.thrift.
_ROW_GROUPS = 4
_COLUMNS, _GROUP_ROWS = 1, 3
_META_DATA, _OFFSET_INDEX = 3, 4
_CHUNK_SIZE, _DATA_PAGE, _DICTIONARY_PAGE = 7, 9, 11
_LOCATIONS = 1
_OFFSET, _SIZE, _FIRST_ROW = 1, 2, 3
_DATA_PAGE_HEADER, _DATA_PAGE_HEADER_V2, _VALUES = 5, 8, 1

_Struct = Mapping[int, object]


class Page(NamedTuple):
    """A page. rows: 0 for a dictionary. values: of a list each element, and as one what has none."""

    start: int
    size: int
    crc: int
    rows: int
    values: int


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    """Lengths of the parts, and how many column chunks a row group has."""

    columns: int
    counts: bytes
    numbers: bytes
    size: int
    crcs: bytes
    outline_size: int = 0
    outline: bytes = b""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Packed).decode
_decode_outline = msgspec.msgpack.Decoder(Outline).decode


class Chunk:
    """The pages of one column in one row group: each has the rows from one of `firsts` to the next."""

    __slots__ = ("_at", "_dictionary", "_table", "firsts")

    def __init__(self, table: "PageTable", of: range, rows: Sequence[int]) -> None:
        """of: where the table has them. rows: of each page."""
        self._table = table
        self._dictionary = not rows[0]
        self._at = of[1:] if self._dictionary else of
        self.firsts = list(accumulate(rows[self._dictionary : -1], initial=0))

    @property
    def dictionary(self) -> Page | None:
        """What some pages need, if there is one."""
        return self._table.page(self._at[0] - 1) if self._dictionary else None

    def page(self, number: int) -> Page:
        """One that has rows."""
        return self._table.page(self._at[number])

    def page_of(self, row: int) -> int:
        """The number of the page that has a row of the row group."""
        return bisect_right(self.firsts, row) - 1


class PageTable:
    """All pages of a segment, in the order of the file: by row groups, then by columns."""

    def __init__(
        self,
        columns: int,
        counts: Sequence[int],
        pages: "Sequence[array[int]]",
        outline: Outline | None = None,
    ) -> None:
        """columns: leaves of a row. counts: pages of each column chunk. pages: sizes, rows, values, crcs.

        outline: what else the file says; files written before have it in their footers alone.
        """
        self.outline = outline
        self._columns = columns
        self._counts = counts
        self._sizes, self._rows, self._values, self._crcs = pages

    @property
    def nbytes(self) -> int:
        """About its memory."""
        return 40 * len(self._sizes) + 16 * len(self._counts)

    @lazy
    def _before(self) -> list[int]:
        return list(accumulate(self._counts, initial=0))

    @lazy
    def _starts(self) -> list[int]:
        return list(accumulate(self._sizes, initial=_MAGIC_BYTES))

    def chunk(self, group: int, column: int) -> Chunk:
        """One column, numbered as a leaf, in one row group."""
        number = group * self._columns + column
        of = range(self._before[number], self._before[number + 1])
        return Chunk(self, of, self._rows[of.start : of.stop])

    def page(self, at: int) -> Page:
        """One of them, by its place among all."""
        return Page(
            self._starts[at], self._sizes[at], self._crcs[at], self._rows[at], self._values[at]
        )

    def __len__(self) -> int:
        return len(self._sizes)

    @property
    def size(self) -> int:
        """Where the last page ends."""
        return self._starts[-1]

    def parts(self) -> Iterator[list[Page]]:
        """All pages, some of them together."""
        for start in range(0, len(self), _TOGETHER):
            yield [self.page(at) for at in range(start, min(len(self), start + _TOGETHER))]

    def encode(self) -> bytes:
        """It as `decode` reads it: some eight bytes a page."""
        numbers = b"".join(map(to_bytes, (self._sizes, self._rows, self._values)))
        counts = to_bytes(array("I", self._counts))
        outline = b"" if self.outline is None else _encode(self.outline)
        return _encode(
            _Packed(
                self._columns,
                counts,
                _CODEC.compress(numbers, asbytes=True),
                len(numbers),
                to_bytes(self._crcs),
                len(outline),
                _CODEC.compress(outline, asbytes=True) if outline else b"",
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> "PageTable":
        """Out of what `encode` made. Raises DataCorruptedError for anything else."""
        try:
            packed = _decode(data)
            numbers = _CODEC.decompress(packed.numbers, packed.size, asbytes=True)
            third = len(numbers) // 3
            parts = [of_bytes("I", numbers[at : at + third]) for at in (0, third, 2 * third)]
            counts, crcs = of_bytes("I", packed.counts), of_bytes("I", packed.crcs)
            outline = None
            if packed.outline:
                plain = _CODEC.decompress(packed.outline, packed.outline_size, asbytes=True)
                outline = _decode_outline(plain)
        except (msgspec.DecodeError, pa.ArrowException, OSError, ValueError) as exc:
            raise DataCorruptedError("a segment's list of pages is damaged") from exc
        if any(len(part) != sum(counts) for part in (*parts, crcs)):
            raise DataCorruptedError("a segment's list of pages is damaged")
        return cls(packed.columns, counts, (*parts, crcs), outline)


_MAGIC_BYTES = 4


def read_together(pages: Iterable[Page]) -> list[list[Page]]:
    """Pages in the order of the file, those that are near each other together; each once."""
    found: list[list[Page]] = []
    end = -GAP_BYTES - 1
    for page in sorted(set(pages)):
        if page.start - end <= GAP_BYTES:
            found[-1].append(page)
        else:
            found.append([page])
        end = page.start + page.size
    return found


def table_of(data: Buffer, metadata: pq.FileMetaData) -> PageTable:
    """The pages of a Parquet file with a page index, and its outline."""
    whole = memoryview(data).cast("B")
    footer = CompactReader(footer_of(whole)).struct()
    groups = cast("list[_Struct]", footer[_ROW_GROUPS])
    counts: list[int] = []
    pages: list[Page] = []
    for group in groups:
        for column in cast("list[_Struct]", group[_COLUMNS]):
            found = _pages_of(whole, column, cast("int", group[_GROUP_ROWS]))
            counts.append(len(found))
            pages += found
    assert [page.start for page in pages] == list(
        accumulate((page.size for page in pages[:-1]), initial=_MAGIC_BYTES)
    ), "pages follow each other"
    each = zip(*((page.size, page.rows, page.values, page.crc) for page in pages), strict=True)
    numbers = [array("I", part) for part in each]
    return PageTable(len(counts) // len(groups), counts, numbers, outline_of(metadata))


def _pages_of(whole: memoryview, column: _Struct, rows: int) -> list[Page]:
    """The pages of a column chunk, its dictionary first."""
    meta = cast("Mapping[int, int]", column[_META_DATA])
    index = CompactReader(whole, cast("int", column[_OFFSET_INDEX])).struct()
    locations = cast("list[Mapping[int, int]]", index[_LOCATIONS])
    first = meta[_DATA_PAGE]
    found: list[Page] = []
    start = meta.get(_DICTIONARY_PAGE, first)
    if start < first:
        found.append(Page(start, first - start, zlib.crc32(whole[start:first]), 0, 0))
    ends = [*(one.get(_FIRST_ROW, 0) for one in locations[1:]), rows]
    for location, end in zip(locations, ends, strict=True):
        start, size = location[_OFFSET], location[_SIZE]
        crc = zlib.crc32(whole[start : start + size])
        values = _values_of(CompactReader(whole, start).struct())
        found.append(Page(start, size, crc, end - location[_FIRST_ROW], values))
    return found


def _values_of(header: _Struct) -> int:
    data = header.get(_DATA_PAGE_HEADER) or header[_DATA_PAGE_HEADER_V2]
    return cast("Mapping[int, int]", data)[_VALUES]
