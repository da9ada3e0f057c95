"""How columns are described in a Parquet file, so that some of their pages can be put into another one.

Arrow has no reader of single pages, but a page is the same wherever it lies: those that are wanted get a
footer of their own (`storage.cold.page_read`). What it says of a column is made when a segment is written.
"""

from collections.abc import Sequence
from functools import lru_cache

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from storage.cold.parquet_thrift import (
    BINARY,
    LIST,
    NEXT_BINARY,
    NEXT_LIST,
    NEXT_NUMBER32,
    NEXT_STRUCT,
    NUMBER,
    SECOND_NUMBER64,
    STOP,
    STRUCT,
    CompactReader,
    footer_of,
    list_head,
    number,
    text,
)

_TYPES = (
    "BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"
)  # fmt: skip
_CODECS = ("UNCOMPRESSED", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW")
"""Names and numbers in parquet.thrift."""

_MAGIC = b"PAR1"
_SCHEMA, _ROW_COUNT, _KEY_VALUES = 2, 3, 5
_VERSION, _REQUIRED = 2, 0

_FIELD_ID = b"PARQUET:field_id"
"""Of a field's metadata what is in Parquet's schema, too."""


class PageForm(msgspec.Struct, frozen=True, array_like=True):
    """What a footer says of a column with one leaf.

    elements: its schema, so many structs: `count`. chunk: what the description of a column chunk begins with;
    of encodings nothing depends: each page says its own. arrow: of a type that Parquet's schema does not
    tell, the footer's field that does; b"": nothing.
    """

    elements: bytes
    count: int
    chunk: bytes
    arrow: bytes


def form_of(metadata: pq.FileMetaData, field: pa.Field, leaf: int) -> PageForm:
    """Of a column of a file, of which pages are to be decoded.

    field: the column's, in Arrow. leaf: the number of its only leaf.

    Raises:
        ValueError: Its schema would not be written like this now.
    """
    field_id = (field.metadata or {}).get(_FIELD_ID)
    kept = None if field_id is None else {_FIELD_ID: field_id}
    elements, arrow, schema = _written(pa.field(field.name, field.type, field.nullable, kept))
    if not schema.column(0).equals(metadata.schema.column(leaf)):
        raise ValueError(f"column {field.name} is of another form")
    chunk = metadata.row_group(0).column(leaf)
    path = [part.encode() for part in chunk.path_in_schema.split(".")]
    described = (
        *(SECOND_NUMBER64, number(0), NEXT_STRUCT),
        *(NEXT_NUMBER32, number(_TYPES.index(chunk.physical_type))),
        *(NEXT_LIST, list_head(1, NUMBER), number(0)),
        *(NEXT_LIST, list_head(len(path), BINARY), *map(text, path)),
        *(NEXT_NUMBER32, number(_CODECS.index(chunk.compression))),
    )
    return PageForm(b"".join(elements), len(elements), b"".join(described), arrow)


def footer(forms: Sequence[PageForm], rows: int, groups: Sequence[bytes]) -> bytes:
    """A footer of columns of these forms, of which one has `arrow` only if it is alone.

    groups: row groups as Parquet describes them.
    """
    root = (
        *(b"\x35", number(_REQUIRED), NEXT_BINARY, text(b"schema")),
        *(NEXT_NUMBER32, number(len(forms)), STOP),
    )
    elements = list_head(1 + sum(form.count for form in forms), STRUCT)
    body = b"".join(
        (
            *(NEXT_NUMBER32, number(_VERSION), NEXT_LIST, elements, *root),
            *(form.elements for form in forms),
            *(b"\x16", number(rows), NEXT_LIST, list_head(len(groups), STRUCT), *groups),
            *(form.arrow for form in forms),
            STOP,
        )
    )
    return body + len(body).to_bytes(4, "little") + _MAGIC


@lru_cache(maxsize=1024)
def _written(field: pa.Field) -> tuple[list[bytes], bytes, pq.ParquetSchema]:
    """What Arrow writes of a column: its schema, in structs, and what else tells its type; as it reads it."""
    sink = pa.BufferOutputStream()
    pq.ParquetWriter(sink, pa.schema([field])).close()
    data = sink.getvalue()
    own = footer_of(data)
    reader, at = CompactReader(own), 0
    elements: list[bytes] = []
    arrow = b""
    while True:
        at, kind = reader.field(at)
        if not kind:
            break
        if at == _SCHEMA:
            size, _ = reader.list_head()
            for _ in range(size):
                start = reader.at
                reader.struct()
                elements.append(bytes(own[start : reader.at]))
            continue
        start = reader.at
        reader.value(kind)
        if at == _KEY_VALUES:
            assert kind == LIST, "key_value_metadata are a list"
            arrow = NEXT_LIST + bytes(own[start : reader.at])
    del elements[0]
    plain = PageForm(b"".join(elements), len(elements), b"", b"")
    file = _MAGIC + footer([plain], 0, [])
    told = pq.read_schema(pa.BufferReader(file)).field(0).type == field.type
    return elements, b"" if told else arrow, pq.read_metadata(pa.BufferReader(data)).schema
