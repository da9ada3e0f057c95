"""A transaction's own changes, laid over what its view shows of a tablet."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count, groupby, islice
from typing import Final, TypeVar

import pyarrow as pa

from kalam_pg.memory import Lease
from kalam_pg.query.aside import aside
from kalam_pg.query.execution import Execution
from kalam_pg.query.net_change import NetChange
from kalam_pg.query.sizes import rows_bytes
from kalam_pg.query.waits import Pace, Steps
from storage.arrow import key_batch, to_batch
from storage.keys import decode_key
from storage.layout import Layout, Row
from storage.tablet import Scan

T = TypeVar("T")

AT_ONCE: Final = 500
AT_ONCE_BYTES: Final = 256 << 10
"""More changes, or more bytes of them, become columns in a thread, so much at a time: nobody else gets the
interpreter while values become a column."""

BATCH_BYTES: Final = 64 << 20
"""So much of what was made is put together: each batch is a file of memory of its own for who reads it."""

OVERLAY_IDS = count(-1, -1)
"""Ids of batches made for one statement: below zero, so that they never meet a tablet's."""


def laid_over(x: Execution, changes: Mapping[bytes, NetChange], call: Callable[[], T]) -> Steps[T]:
    """What `call` makes of a transaction's changes, in a thread where they are many or large.

    Their columns count for the session until the statement is closed. Raises 53200, 57014.
    """
    size = yield from _size(x, changes)
    if len(changes) <= AT_ONCE and size <= AT_ONCE_BYTES:
        return call()
    # They are there twice: here, and where a worker reads them.
    x.own(_Held(x.answers.lease(2 * size)))
    return (yield from aside(call, user=x.payer, timeout_s=x.statement_timeout_s))


class _Held:
    """A lease that an execution gives back."""

    def __init__(self, lease: Lease) -> None:
        self.close = lease.end


def _size(x: Execution, changes: Mapping[bytes, NetChange]) -> Steps[int]:
    """About the bytes of their rows."""
    size, pace = 0, Pace()
    rest = iter(changes.values())
    while some := list(islice(rest, AT_ONCE)):
        size += rows_bytes([change.row for change in some if change.row is not None])
        if pace.is_due():
            yield from pace.rest(x.statement_timeout_s)
    return size


def keys_of(changes: Mapping[bytes, NetChange], layout: Layout) -> pa.RecordBatch:
    """The changed keys, as the rows that they hide have them: 1.0 and 1.00 are one key, and two values."""
    kinds = [layout.columns[at].kind for at in layout.key]
    rest = iter(changes.items())
    made = [key_batch([], layout)]
    while some := list(islice(rest, AT_ONCE)):
        keys = [
            decode_key(key, kinds)
            if change.base is None
            else tuple([change.base[at] for at in layout.key])
            for key, change in some
        ]
        made.append(key_batch(keys, layout))
    return _one(made)


def batches_of(
    rows: Iterable[Row], layout: Layout, *, deleted: bool = False
) -> Iterator[pa.RecordBatch]:
    """Rows of a transaction, which have no number yet, as few batches."""
    portions = (
        to_batch(some, layout, [0] * len(some), [deleted] * len(some)) for some in _portions(rows)
    )
    for _, alike in groupby(portions, key=lambda batch: batch.schema):  # Shaped columns, or not.
        made: list[pa.RecordBatch] = []
        size = 0
        for batch in alike:
            if made and size + batch.nbytes > BATCH_BYTES:
                yield _one(made)
                made, size = [], 0
            made.append(batch)
            size += batch.nbytes
        yield _one(made)


def _portions(rows: Iterable[Row]) -> Iterator[Sequence[Row]]:
    """Some rows at a time, of not many bytes, or one."""
    rest = iter(rows)
    while some := list(islice(rest, AT_ONCE)):
        step = max(1, len(some) * AT_ONCE_BYTES // max(1, rows_bytes(some)))
        for at in range(0, len(some), step):
            yield some[at : at + step]


def _one(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    whole = pa.Table.from_batches(batches).combine_chunks().to_batches()
    return whole[0] if whole else batches[0]


def overlay(scan: Scan, layout: Layout, changes: Mapping[bytes, NetChange]) -> Scan:
    """The scan with a transaction's own changes in place of what they replace. From any thread."""
    keys = keys_of(changes, layout)
    batches = [
        (next(OVERLAY_IDS), kept)
        for _, batch in scan.batches
        if (kept := without(batch, keys)).num_rows
    ]
    live = (change.row for change in changes.values() if change.row is not None)
    batches += [(next(OVERLAY_IDS), batch) for batch in batches_of(live, layout)]
    superseded = keys
    if scan.superseded is not None and scan.superseded.num_rows:
        superseded = _one([scan.superseded, keys])
    return Scan(
        batches=tuple(batches),
        segments=scan.segments,
        superseded=superseded if scan.segments else None,
        overlapping=scan.overlapping,
        rows=None,
    )


def without(batch: pa.RecordBatch, keys: pa.RecordBatch) -> pa.RecordBatch:
    """The rows of a batch whose key is not among `keys`, which have the key's columns alone."""
    names = keys.schema.names
    numbered = pa.Table.from_batches([batch.select(names)]).append_column(
        "row", pa.array(range(batch.num_rows), pa.int64())
    )
    kept = numbered.join(
        pa.Table.from_batches([keys]), keys=names, join_type="left anti", use_threads=False
    )
    return batch.take(kept.column("row").combine_chunks().sort())
