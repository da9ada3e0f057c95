"""A transaction's own changes, laid over what its view shows of a tablet."""

from collections.abc import Mapping
from itertools import count

import pyarrow as pa

from kalam_pg.query.net_change import NetChange
from storage.arrow import key_batch, to_batch
from storage.keys import decode_key
from storage.layout import Layout
from storage.tablet import Scan

OVERLAY_IDS = count(-1, -1)
"""Ids of batches made for one statement: below zero, so that they never meet a tablet's."""


def keys_of(changes: Mapping[bytes, NetChange], layout: Layout) -> pa.RecordBatch:
    """The changed keys, as the rows that they hide have them: 1.0 and 1.00 are one key, and two values."""
    kinds = [layout.columns[at].kind for at in layout.key]
    return key_batch(
        [
            decode_key(key, kinds)
            if change.base is None
            else tuple([change.base[at] for at in layout.key])
            for key, change in changes.items()
        ],
        layout,
    )


def overlay(scan: Scan, layout: Layout, changes: Mapping[bytes, NetChange]) -> Scan:
    """The scan with a transaction's own changes in place of what they replace."""
    keys = keys_of(changes, layout)
    batches = [
        (next(OVERLAY_IDS), kept)
        for _, batch in scan.batches
        if (kept := without(batch, keys)).num_rows
    ]
    live = [change.row for change in changes.values() if change.row is not None]
    if live:
        batches.append(
            (next(OVERLAY_IDS), to_batch(live, layout, [0] * len(live), [False] * len(live)))
        )
    superseded = keys
    if scan.superseded is not None and scan.superseded.num_rows:
        superseded = pa.Table.from_batches([scan.superseded, keys]).combine_chunks().to_batches()[0]
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
