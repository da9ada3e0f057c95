"""Deleted rows: read by queries whose WHERE names `_deleted`, as long as their table keeps them.

A tombstone holds the row that was deleted, and its `_seq` is the delete's. It can be read for
`DELETED_RETENTION_HOURS` by the clock, whatever compaction has done with it, unless its key has a row again.
"""

from collections.abc import Iterable, Iterator
from functools import partial

import pyarrow as pa

from catalog.model import Table
from kalam_pg.engines.request import DeletedRows
from kalam_pg.query.execution import Execution
from kalam_pg.query.net_change import NetChange
from kalam_pg.query.overlay import batches_of, keys_of, laid_over, without
from kalam_pg.query.waits import Steps
from kalam_pg.sql.tree import ColumnRef, Delete, Expr, Join, Merge, Select, TableScan, Update
from kalam_pg.sql.walk import walk
from storage.layout import Layout
from storage.log.clock import seq_at
from storage.tablet import Tablet

_HOUR_US = 3_600_000_000


def deleted_relations(nodes: Iterable[object]) -> frozenset[int]:
    """The tables among a statement's nodes (`walk`) whose `_deleted` a WHERE or a join's ON names."""
    parts = list(nodes)
    flags = {s.relation: len(s.table.columns) + 1 for s in parts if isinstance(s, TableScan)}
    changes = [s for s in parts if isinstance(s, Update | Delete | Merge)]
    flags |= {s.target: len(s.table.columns) + 1 for s in changes}
    if not any(_is_flag(part, flags) for part in parts):
        return frozenset()
    named = (part for condition in _conditions(parts) for part in walk(condition))
    return frozenset(part.relation for part in named if _is_flag(part, flags))


def _is_flag(part: object, flags: dict[int, int]) -> bool:
    return isinstance(part, ColumnRef) and flags.get(part.relation) == part.column


def _conditions(nodes: Iterable[object]) -> Iterator[Expr]:
    for node in nodes:
        if isinstance(node, Select | Update | Delete) and node.where is not None:
            yield node.where
        elif isinstance(node, Join) and node.condition is not None:
            yield node.condition
        elif isinstance(node, Merge):
            yield node.on
            yield from [when.condition for when in node.whens if when.condition is not None]


def oldest_deleted(x: Execution, table: Table) -> int:
    """Deletes of this commit and later ones can be read."""
    return seq_at(x.database.now_us() - table.options.deleted_retention_h * _HOUR_US)


def deleted_rows(x: Execution, tablet: Tablet, table: Table) -> Steps[DeletedRows]:
    """What memory knows of them, and what an engine needs to find the others. After `scan_tablet`."""
    since = oldest_deleted(x, table)
    frozen = tablet.frozen(x.view_of(table.id))
    assert frozen is not None, "the tail is there"
    batches = list(frozen.tombstones(since))
    changes = x.own_changes(tablet.id)
    if changes:
        laying = partial(_overlaid, batches, table.layout, changes)
        batches = yield from laid_over(x, changes, laying)
    return DeletedRows(tuple(batches), since)


def _overlaid(
    batches: Iterable[pa.RecordBatch], layout: Layout, changes: dict[bytes, NetChange]
) -> list[pa.RecordBatch]:
    """With the transaction's own: what it has deleted is, what it has written anew is not."""
    # What it has both written and deleted is as it was.
    net = {key: c for key, c in changes.items() if c.base is not None or c.row is not None}
    keys = keys_of(net, layout)
    found = [kept for batch in batches if (kept := without(batch, keys)).num_rows]
    gone = (change.base for change in net.values() if change.row is None)
    rows = (row for row in gone if row is not None)
    return [*found, *batches_of(rows, layout, deleted=True)]
