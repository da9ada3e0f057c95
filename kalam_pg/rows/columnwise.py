"""DataRow messages from record batches, column by column: for results of more than some 50 rows.

A message is 'D', its length, the number of columns, then for each column its length word and bytes.
Every column becomes either *fixed* cells (all of one width) or *varying* ones. Fixed bytes that stand
next to each other, the message's own header and the length words of varying cells among them, are one
block (`blocks.Block`); blocks and varying cells are then joined row by row in Arrow. Nothing loops
over rows in Python.
"""

from collections.abc import Sequence
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from catalog.types.table import PgType, TypeContext
from kalam_pg.rows.blocks import Block
from kalam_pg.rows.cells import Fixed, Varying, cells_of

# A joined batch is one Arrow binary array, whose offsets are 32 bits wide.
_BYTES_MAX = 1 << 30
_HEADER_BYTES = 7


class WireForm(Protocol):
    """What rows shall look like (`kalam_pg.engines.request.WireResult` is one): by column, the type,
    its typmod and the format, 0 text or 1 binary; and the session's settings.
    """

    @property
    def types(self) -> tuple[PgType, ...]: ...
    @property
    def typmods(self) -> tuple[int, ...]: ...
    @property
    def formats(self) -> tuple[int, ...]: ...
    @property
    def context(self) -> TypeContext: ...


def encode_batch(batch: pa.RecordBatch, form: WireForm) -> bytes | memoryview:
    """Return the DataRow messages of a record batch, whose columns are the result's, in order.

    A memoryview is of memory that nothing else refers to: it stays as it is.

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
        parts = (batch.slice(0, half), batch.slice(half))
        return b"".join([encode_batch(part, form) for part in parts])
    columns = [
        cells_of(column, type_, format_, form.context)
        for column, type_, format_ in zip(batch.columns, form.types, form.formats, strict=True)
    ]
    return _assemble(columns, rows)


def _assemble(columns: Sequence[Fixed | Varying], rows: int) -> bytes | memoryview:
    block = Block()
    block.constant(b"D")
    _message_length(block, columns)
    block.constant(len(columns).to_bytes(2, "big"))
    parts: list[pa.Array] = []
    for column in columns:
        if isinstance(column, Fixed):
            block.constant(column.width.to_bytes(4, "big"))
            block.column(column.data, column.width)
            continue
        if column.size is None:
            # The length word of a null is -1, and no bytes follow.
            block.length_words(
                column.sizes if column.nulls is None else pc.fill_null(column.sizes, -1)
            )
        else:
            block.constant(column.size.to_bytes(4, "big"))
        parts += (block.array(rows), column.data)
        block = Block()
        block.constant(column.suffix)
    if not parts:
        return block.data(rows)
    if block.width:
        parts.append(block.array(rows))
    return _data(pc.binary_join_element_wise(*parts, b""))


def _message_length(block: Block, columns: Sequence[Fixed | Varying]) -> None:
    """Append the length word of each row's message, which counts itself and all but the 'D'."""
    constant = _HEADER_BYTES - 1
    sizes: pa.Array | None = None
    for column in columns:
        constant += 4
        if isinstance(column, Fixed):
            constant += column.width
        elif column.size is not None:
            constant += column.size
        else:
            size = column.sizes if column.nulls is None else pc.fill_null(column.sizes, 0)
            sizes = size if sizes is None else pc.add(sizes, size)
    if sizes is None:
        block.constant(constant.to_bytes(4, "big"))
    else:
        block.length_words(pc.add(sizes, pa.scalar(constant, pa.int32())))


def _data(array: pa.Array) -> memoryview:
    buffers = array.buffers()
    offsets = memoryview(buffers[1]).cast("B").cast("i")
    start, end = offsets[array.offset], offsets[array.offset + len(array)]
    return memoryview(buffers[2]).cast("B")[start:end]
