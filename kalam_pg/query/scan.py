"""From the tablets that a query names to an engine's table inputs, as one view sees them.

What an engine is given holds nothing else: the user's own tablets and the shared tables it named. A
transaction's own uncommitted rows are laid over what the view shows.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pyarrow as pa

from catalog.model import Table
from kalam_pg.engines.request import BatchRef, SegmentRef, TableInput
from kalam_pg.query.deleted_rows import deleted_rows
from kalam_pg.query.execution import Execution
from kalam_pg.query.overlay import OVERLAY_IDS, laid_over, overlay
from kalam_pg.query.tail_loads import load
from kalam_pg.query.waits import Steps, breathe
from kalam_pg.sql.to_datafusion import ScanNeed
from storage.arrow import column_name, to_column
from storage.cold.manifest import Segment, superseding
from storage.cold.superseding import run_numbers
from storage.ids import TabletId
from storage.shaped import is_list, is_shaped, shaped_columns, with_shaped
from storage.stream import StreamTablet
from storage.tablet import Scan, Tablet


def table_inputs(
    x: Execution, needs: Sequence[ScanNeed], deleted: frozenset[int] = frozenset()
) -> Steps[tuple[TableInput, ...]]:
    """One input per scan of the statement, in order. deleted: relations whose deleted rows count too."""
    inputs: list[TableInput] = []
    scans: dict[TabletId, Scan] = {}
    for need in needs:
        table = need.scan.table
        tablet = x.tablet(table)
        if tablet.id not in scans:
            scan = yield from scan_tablet(x, tablet)
            if changes := x.own_changes(tablet.id):
                laying = partial(overlay, scan, table.layout, changes)
                scan = yield from laid_over(x, changes, laying)
            scans[tablet.id] = scan
        given = _input(need, scans[tablet.id])
        if need.scan.relation in deleted and isinstance(tablet, Tablet):
            given = replace(given, deleted=(yield from deleted_rows(x, tablet, table)))
        inputs.append(_with_shapes(given, scans[tablet.id], table))
    return tuple(inputs)


def given_inputs(given: Sequence[tuple[str, pa.RecordBatch]]) -> tuple[TableInput, ...]:
    """Rows that a statement brings with it, as tables of these names."""
    return tuple(
        TableInput(name, batch.schema, (BatchRef(next(OVERLAY_IDS), batch),), prefix=f"{name}_")
        for name, batch in given
    )


def scan_tablet(x: Execution, tablet: Tablet | StreamTablet) -> Steps[Scan]:
    """What the statement's view sees of a tablet, loading its tail first if that is needed."""
    view = x.view_of(tablet.id.table)
    if isinstance(tablet, StreamTablet):
        return tablet.scan(view)
    while True:
        for _ in tablet.preparing(view):
            yield from breathe(x.statement_timeout_s)
        scan = tablet.scan(view)
        if scan is not None:
            return scan
        yield from load(x, tablet, view)


def _input(need: ScanNeed, scan: Scan) -> TableInput:
    table = need.scan.table
    arrow = {f"c{column.id}": column.arrow for column in table.layout.columns}
    arrow |= {"_seq": pa.int64(), "_deleted": pa.bool_()}
    schema = pa.schema([(name, arrow[name]) for name in need.columns])
    return TableInput(
        name=need.name,
        schema=schema,
        hot=tuple(BatchRef(number, batch) for number, batch in scan.batches),
        segments=segment_refs(scan.segments),
        key_columns=key_columns(table),
        key_kinds=tuple(table.layout.columns[at].kind for at in table.layout.key),
        superseded=scan.superseded,
        overlapping=scan.overlapping,
        missing={f"c{c.id}": c.missing for c in table.layout.columns},
        prefix=f"{need.name}_",
    )


def _with_shapes(given: TableInput, scan: Scan, table: Table) -> TableInput:
    """The input with room for shapes in the columns of arrays that have some somewhere."""
    arrays = [column for column in table.layout.columns if is_list(column.arrow)]
    if not arrays:
        return given
    names = {
        column_name(column)
        for column in arrays
        if is_shaped(to_column([column.missing], column.arrow).type)
    }
    batches = [batch for _, batch in scan.batches]
    if given.deleted is not None:
        batches += given.deleted.hot
    names = names.union(*[shaped_columns(batch.schema) for batch in batches])
    names = names.union(*[segment.shaped for segment in scan.segments])
    return replace(given, schema=with_shaped(given.schema, names)) if names else given


def segment_refs(segments: Sequence[Segment]) -> tuple[SegmentRef, ...]:
    """All of a manifest's segments, as an engine is told of them."""
    return tuple(
        SegmentRef(
            path=s.path,
            rows=s.rows,
            size=s.size,
            sha256=s.sha256,
            min_key=s.min_key,
            max_key=s.max_key,
            min_seq=s.min_seq,
            max_seq=s.max_seq,
            deleted=s.deleted,
            supersedes=supersedes,
            key_filter=s.filter_file,
            keys=s.keys if supersedes else b"",
            run=run,
        )
        for s, supersedes, run in zip(
            segments, superseding(segments), run_numbers(segments), strict=True
        )
    )


def key_columns(table: Table) -> tuple[str, ...]:
    """Names of the primary key's columns in Arrow, in key order."""
    return tuple(f"c{table.layout.columns[at].id}" for at in table.layout.key)


__all__ = ["key_columns", "scan_tablet", "segment_refs", "table_inputs"]
