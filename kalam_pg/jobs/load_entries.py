"""The entries that rows which are loaded have in a unique index: made of the rows' own segments.

An index's entries are rows of a table of their own (`catalog.indexes`), so they are loaded as rows are.
"""

from collections.abc import Sequence

from catalog.model import Table
from kalam_pg.interpreter.loaded_rows import RowsRecipe, Sent
from kalam_pg.jobs.load_jobs import LoadJob, SegmentColumns
from kalam_pg.query.unique import UniqueRule
from kalam_pg.rows.copy_columns import fields_of
from storage.arrow import column_name
from storage.cold.manifest import Segment
from storage.ids import TabletId


def is_plain(rule: UniqueRule) -> bool:
    """Whether its entries are columns of its rows: neither computed, chosen nor looked after later."""
    index = rule.index
    if index.where or index.deferrable or rule.arrays:
        return False
    return all(key.column for key in index.keys)


def job_of(
    rule: UniqueRule, table: Table, tablet: TabletId, segments: Sequence[Segment], seq: int
) -> LoadJob:
    """What makes the entries that the rows of a tablet's segments have. seq: of all of them."""
    entries = rule.entries
    places = {column.id: at for at, column in enumerate(table.columns)}
    keys = [places[key.column] for key in rule.index.keys]
    names = [column_name(table.layout.columns[at]) for at in (*keys, *rule.row_key)]
    whole = len(keys) if rule.index.nulls_distinct else 0
    return LoadJob(
        SegmentColumns(tablet, tuple(segments), tuple(names), whole),
        RowsRecipe(
            layout=entries.layout,
            fields=fields_of(entries.columns),
            sources=tuple(map(Sent, range(len(names)))),
            not_null=(),
        ),
        seq,
    )
