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
    if (
        not index.nulls_distinct
    ):  # Keys of segments are compared as columns, where NULL equals nothing.
        return False
    return all(key.column for key in index.keys)


def places_of(rule: UniqueRule, table: Table) -> list[int]:
    """Which columns of a row of the table its entry has: what the index sorts by, then the primary key."""
    places = {column.id: at for at, column in enumerate(table.columns)}
    return [*[places[key.column] for key in rule.index.keys], *rule.row_key]


def recipe_of(rule: UniqueRule) -> RowsRecipe:
    """How the entries come of those columns."""
    entries, width = rule.entries, len(rule.index.keys)
    return RowsRecipe(
        layout=entries.layout,
        fields=fields_of(entries.columns),
        sources=tuple(map(Sent, range(len(entries.columns)))),
        not_null=(),
        whole=tuple(range(width)) if rule.index.nulls_distinct else (),
    )


def job_of(
    rule: UniqueRule, table: Table, tablet: TabletId, segments: Sequence[Segment], seq: int
) -> LoadJob:
    """What makes the entries that the rows of a tablet's segments have. seq: of all of them."""
    names = [column_name(table.layout.columns[at]) for at in places_of(rule, table)]
    return LoadJob(
        SegmentColumns(tablet, tuple(segments), tuple(names)), recipe_of(rule), seq, sparse=True
    )
