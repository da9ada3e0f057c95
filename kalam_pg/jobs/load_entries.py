"""The entries that rows which are loaded have in a unique index: made of the rows' own segments.

An index's entries are rows of a table of their own (`catalog.indexes`), so they are loaded as rows are. Of
what a partial index chooses by, and what one computes, the process is told as trees.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from catalog.model import Table
from kalam_pg.interpreter.loaded_rows import Computed, RowsRecipe, Sent, packed
from kalam_pg.jobs.load_jobs import LoadJob, SegmentColumns
from kalam_pg.query.unique import UniqueRule
from kalam_pg.rows.copy_columns import fields_of
from kalam_pg.sql.closures import origin
from kalam_pg.sql.tree import ColumnRef, Expr
from kalam_pg.sql.walk import walk
from storage.arrow import column_name
from storage.cold.manifest import Segment
from storage.errors import FeatureNotSupportedError
from storage.ids import TabletId


def is_for(rule: UniqueRule) -> bool:
    """Whether its entries can be made elsewhere, as far as that is told without looking at expressions.

    Arrays sort by bytes that the server makes of them.
    """
    return not rule.arrays


@dataclass(frozen=True, slots=True)
class Making:
    """How a table's rows become entries. places: the columns of the table that they are made of."""

    places: tuple[int, ...]
    recipe: RowsRecipe


def making(rule: UniqueRule, table: Table) -> Making:
    """How the entries of an index come of rows. Raises FeatureNotSupportedError: only the server can tell."""
    by_id = {column.id: at for at, column in enumerate(table.columns)}
    plain = [by_id[key.column] if key.column else None for key in rule.index.keys]
    trees = [_tree(rule.values[at]) for at, one in enumerate(plain) if one is None]
    chosen = [] if rule.where is None else [_tree(rule.where)]
    mentioned = [
        node.column
        for tree in (*trees, *chosen)
        for node in walk(tree)
        if isinstance(node, ColumnRef)
    ]
    known = [at for at in plain if at is not None]
    places = tuple(dict.fromkeys((*known, *rule.row_key, *mentioned)))
    entries, width = rule.entries, len(plain)
    fields = fields_of(entries.columns)
    computed = iter(range(len(places), len(places) + len(trees)))
    sources = [Sent(places.index(at) if at is not None else next(computed)) for at in plain]
    sources += [Sent(places.index(at)) for at in rule.row_key]
    values = tuple(range(width))
    distinct = rule.index.nulls_distinct
    recipe = RowsRecipe(
        layout=entries.layout,
        fields=fields,
        sources=tuple(sources),
        # Keys of segments are compared as columns, where NULL equals nothing.
        not_null=() if distinct else values,
        whole=values if distinct else (),
        computed=Computed(
            places,
            packed(chosen),
            packed(trees),
            tuple([fields[at] for at, one in enumerate(plain) if one is None]),
        )
        if trees or chosen
        else None,
    )
    return Making(places, recipe)


def _tree(closure: object) -> Expr:
    source = origin(closure)  # type: ignore[arg-type]  # any closure
    if source is None:
        raise FeatureNotSupportedError("it computes nothing")
    return source.tree


def job_of(
    made: Making, table: Table, tablet: TabletId, segments: Sequence[Segment], seq: int
) -> LoadJob:
    """What makes the entries that the rows of a tablet's segments have. seq: of all of them."""
    names = [column_name(table.layout.columns[at]) for at in made.places]
    form = SegmentColumns(tablet, tuple(segments), tuple(names))
    return LoadJob(form, made.recipe, seq, sparse=True)
