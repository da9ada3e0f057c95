"""Single pages of a column, decoded: a small Parquet file in memory is made of them, which Arrow reads.

Arrow has no reader of single pages, but a page is the same wherever it lies: so those that are wanted, each
row group's behind its dictionary, get a footer with the column's schema, which says nothing else of them.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from storage.cold.pages import Page
from storage.cold.parquet_thrift import CompactReader, footer_of, list_head, number, varint
from storage.fs import Buffer

_MAGIC = b"PAR1"

_TYPES = (
    "BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"
)  # fmt: skip
_CODECS = ("UNCOMPRESSED", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW")
"""Names and numbers in parquet.thrift."""

# Headers of a struct's fields: how many numbers after the one before, and the type.
_NEXT_NUMBER32, _NEXT_NUMBER64, _NEXT_LIST, _NEXT_STRUCT = b"\x15", b"\x16", b"\x19", b"\x1c"
_SECOND_NUMBER64 = b"\x26"
_STOP = b"\x00"
_NUMBER, _BINARY, _STRUCT = 5, 8, 12
_ROW_COUNT, _ROW_GROUPS = 3, 4

PageData = tuple[Page, Buffer]


class _Form(NamedTuple):
    """A footer of one column: what is before the number of rows, and what behind the row groups."""

    head: bytes
    tail: bytes
    schema: pq.ParquetSchema


class PageColumn:
    """A column of a file, of which pages are to be decoded. Safe in several threads."""

    def __init__(self, metadata: pq.FileMetaData, schema: pa.Schema, name: str, leaf: int) -> None:
        """schema: the file's, in Arrow. leaf: the number of the column's only leaf.

        Raises:
            ValueError: Its schema would not be written like this now.
        """
        self._form = _form(pa.schema([schema.field(name)]))
        if not self._form.schema.column(0).equals(metadata.schema.column(leaf)):
            raise ValueError(f"column {name} is of another form")
        chunk = metadata.row_group(0).column(leaf)
        path = [part.encode() for part in chunk.path_in_schema.split(".")]
        self._name = name
        # Of the encodings nothing depends: each page says its own.
        self._chunk = b"".join(
            (
                *(_SECOND_NUMBER64, number(0), _NEXT_STRUCT),
                *(_NEXT_NUMBER32, number(_TYPES.index(chunk.physical_type))),
                *(_NEXT_LIST, list_head(1, _NUMBER), number(0)),
                *(_NEXT_LIST, list_head(len(path), _BINARY)),
                *(varint(len(part)) + part for part in path),
                *(_NEXT_NUMBER32, number(_CODECS.index(chunk.compression))),
            )
        )

    def decode(self, groups: Sequence[Sequence[PageData]]) -> pa.Array:
        """The rows of pages, one after the other.

        groups: by row group, where there is a dictionary it is the first.
        """
        body: list[Buffer] = [_MAGIC]
        described: list[bytes] = []
        at, rows = len(_MAGIC), 0
        for pages in _merged(groups):
            size = sum(page.size for page, _ in pages)
            own = sum(page.rows for page, _ in pages)
            described.append(self._describe([page for page, _ in pages], at, size, own))
            body += (data for _, data in pages)
            at, rows = at + size, rows + own
        footer = b"".join(
            (
                *(self._form.head, number(rows)),
                *(_NEXT_LIST, list_head(len(described), _STRUCT), *described, self._form.tail),
            )
        )
        body += (footer, len(footer).to_bytes(4, "little"), _MAGIC)
        file = pq.ParquetFile(pa.BufferReader(b"".join(body)), pre_buffer=False)
        read = file.read_row_groups(range(len(described)), columns=[self._name], use_threads=False)
        values = read.column(0).combine_chunks()
        assert len(values) == rows, "checked pages have the rows that were written"
        return values

    def _describe(self, pages: Sequence[Page], start: int, size: int, rows: int) -> bytes:
        """The row group of a column chunk of these pages, which begins at `start`."""
        begins = number(start)
        if not pages[0].rows:
            begins = number(start + pages[0].size) + _SECOND_NUMBER64 + begins
        total = number(size)
        return b"".join(
            (
                *(_NEXT_LIST, list_head(1, _STRUCT), self._chunk),
                *(_NEXT_NUMBER64, number(sum(page.values for page in pages))),
                *(_NEXT_NUMBER64, total, _NEXT_NUMBER64, total),
                *(_SECOND_NUMBER64, begins, _STOP, _STOP),
                *(_NEXT_NUMBER64, total, _NEXT_NUMBER64, number(rows), _STOP),
            )
        )


def _merged(groups: Sequence[Sequence[PageData]]) -> list[list[PageData]]:
    """Row groups of which one has a dictionary at most: pages without one may stand side by side."""
    found: list[list[PageData]] = []
    plain = False
    for pages in groups:
        has_dictionary = not pages[0][0].rows
        if plain and not has_dictionary:
            found[-1] += pages
        else:
            found.append(list(pages))
        plain = not has_dictionary
    return found


@lru_cache(maxsize=1024)
def _form(schema: pa.Schema) -> _Form:
    """The footer that Arrow writes of a file of one column, and no rows."""
    sink = pa.BufferOutputStream()
    pq.ParquetWriter(sink, schema).close()
    data = sink.getvalue()
    footer = footer_of(data)
    reader, field, head = CompactReader(footer), 0, b""
    while field != _ROW_GROUPS:
        field, kind = reader.field(field)
        if field == _ROW_COUNT:
            head = bytes(footer[: reader.at])
        reader.value(kind)
    metadata = pq.read_metadata(pa.BufferReader(data))
    return _Form(head, bytes(footer[reader.at :]), metadata.schema)
