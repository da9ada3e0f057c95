"""DataRow messages from record batches, column by column: for results of more than some 50 rows.

A message is 'D', its length, the number of columns, then for each column its length word and bytes.
Every column becomes either *fixed* cells (all of one width) or *varying* ones. Fixed bytes that stand
next to each other, the message's own header and the length words of varying cells among them, are
filled into one block by strided slices; blocks and varying cells are then joined row by row in Arrow.
Nothing loops over rows in Python.
"""

from array import array as numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import pyarrow as pa
import pyarrow.compute as pc

from catalog.types.registry import by_oid
from catalog.types.table import TypeContext
from kalam_pg.rows.cells import Fixed, Varying, cells_of

# A joined batch is one Arrow binary array, whose offsets are 32 bits wide.
_BYTES_MAX = 1 << 30
_HEADER_BYTES = 7
_NULL = b"\xff\xff\xff\xff"


class WireForm(Protocol):
    """What rows shall look like (`kalam_pg.engines.request.WireResult` is one): by column, the type's
    OID, its typmod and the format, 0 text or 1 binary; and the session's settings.
    """

    @property
    def type_oids(self) -> tuple[int, ...]: ...
    @property
    def typmods(self) -> tuple[int, ...]: ...
    @property
    def formats(self) -> tuple[int, ...]: ...
    @property
    def context(self) -> TypeContext: ...


def encode_batch(batch: pa.RecordBatch, form: WireForm) -> bytes:
    """Return the DataRow messages of a record batch, whose columns are the result's, in order.

    Raises:
        NumericValueOutOfRangeError: 22003, an integer that its column's type cannot hold.
    """
    rows = batch.num_rows
    if rows == 0:
        return b""
    if batch.num_columns == 0:
        return b"D\0\0\0\x06\0\0" * int(rows)
    if batch.nbytes > _BYTES_MAX // 4 and rows > 1:
        half = rows // 2
        return encode_batch(batch.slice(0, half), form) + encode_batch(batch.slice(half), form)
    columns = [
        cells_of(column, by_oid(oid), format_, form.context)
        for column, oid, format_ in zip(batch.columns, form.type_oids, form.formats, strict=True)
    ]
    return _assemble(columns, rows)


def _assemble(columns: Sequence[Fixed | Varying], rows: int) -> bytes:
    sizes: pa.Array | None = None
    constant = _HEADER_BYTES - 1
    for column in columns:
        constant += 4
        if isinstance(column, Fixed):
            constant += column.width
        else:
            length = column.sizes if column.nulls is None else pc.fill_null(column.sizes, 0)
            sizes = length if sizes is None else pc.add(sizes, length)
    block = _Block()
    if sizes is None:
        block.constant(b"D" + constant.to_bytes(4, "big"))
    else:
        block.constant(b"D")
        block.words(pc.add(sizes, pa.scalar(constant, pa.int32())))
    block.constant(len(columns).to_bytes(2, "big"))
    parts: list[pa.Array] = []
    for column in columns:
        if isinstance(column, Fixed):
            block.constant(column.width.to_bytes(4, "big"))
            block.fixed(column.data, column.width)
            continue
        # The length word of a null is -1, and no bytes follow.
        block.words(column.sizes if column.nulls is None else pc.fill_null(column.sizes, -1))
        parts += (block.array(rows), column.data)
        block = _Block()
    if not parts:
        return block.fill(rows)
    if block.width:
        parts.append(block.array(rows))
    return _data(pc.binary_join_element_wise(*parts, b""))


def _data(array: pa.Array) -> bytes:
    offsets = numbers("i")
    buffers = array.buffers()
    offsets.frombytes(
        memoryview(buffers[1])[4 * array.offset : 4 * (array.offset + len(array) + 1)]
    )
    return cast("bytes", buffers[2].slice(offsets[0], offsets[-1] - offsets[0]).to_pybytes())


@dataclass(slots=True)
class _Part:
    at: int
    width: int
    data: bytes | memoryview


class _Block:
    """Bytes of one width for every row, made of constants and columns of fixed width."""

    def __init__(self) -> None:
        self.template = bytearray()
        self.parts: list[_Part] = []

    @property
    def width(self) -> int:
        return len(self.template)

    def constant(self, data: bytes) -> None:
        self.template += data

    def fixed(self, data: bytes | memoryview, width: int) -> None:
        self.parts.append(_Part(len(self.template), width, data))
        self.template += bytes(width)

    def words(self, array: pa.Array) -> None:
        """Append a column of int32 without nulls, big-endian. Bytes that are all zero cost nothing."""
        words = numbers("i")
        buffer = array.buffers()[1]
        words.frombytes(memoryview(buffer)[4 * array.offset : 4 * (array.offset + len(array))])
        extremes = pc.min_max(array).as_py()
        words.byteswap()
        data = memoryview(words).cast("B")
        at = len(self.template)
        self.template += bytes(4)
        used = 4 if extremes["min"] < 0 else max((extremes["max"].bit_length() + 7) // 8, 1)
        self.parts.extend(_Part(at + i, 1, bytes(data[i::4])) for i in range(4 - used, 4))

    def fill(self, rows: int) -> bytes:
        filled = bytearray(self.template) * rows
        width = self.width
        for part in self.parts:
            for i in range(part.width):
                filled[part.at + i :: width] = part.data[i :: part.width]
        return bytes(filled)

    def array(self, rows: int) -> pa.Array:
        data = pa.py_buffer(self.fill(rows))
        fixed = pa.FixedSizeBinaryArray.from_buffers(pa.binary(self.width), rows, [None, data])
        return fixed.cast(pa.binary())
