"""Columns of a table as they are, without a query engine: the rows of batches at hand, encoded.

`SELECT a, b FROM t` over hot rows is nothing but encoding. What was encoded once of a batch that has
an id is kept (`encoded`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

import pyarrow as pa

from kalam_pg.engines.encoded import EncodedRows, Key
from kalam_pg.engines.encoding import FIRST_BYTES, SLICE_BYTES_MAX, encoder, slices
from kalam_pg.engines.inputs import Input
from kalam_pg.engines.request import WireChunk, WireResult
from storage.shaped import alike


def direct_chunks(
    table: Input, columns: Sequence[str], wire: WireResult, kept: EncodedRows
) -> Iterator[WireChunk]:
    """The columns, by name and in this order, of every hot row."""
    if sum(piece.nbytes for piece in table.hot) > kept.bytes_max // 2:
        kept = EncodedRows(0)
    encode = encoder(wire)
    # What the encoding depends on: not the time, nor who asks.
    form = replace(wire, context=replace(wire.context, now_us=0, objects=None))
    limit = FIRST_BYTES
    numbered = zip(table.hot_ids or [0] * len(table.hot), table.hot, strict=True)
    for number, pieces in groupby(numbered, key=lambda item: item[0]):
        batch = pa.Table.from_batches(alike([piece.select(columns) for _, piece in pieces]))
        for start, count in slices(batch.num_rows, batch.nbytes, limit):
            key = Key(number, start, count, tuple(columns), form)
            chunk = kept.get(key)
            if chunk is None:
                (part,) = batch.slice(start, count).combine_chunks().to_batches()
                chunk = encode(part)
                kept.put(key, chunk)
            yield chunk
        limit = SLICE_BYTES_MAX
