"""Unique indexes: what entry a row has in each, compiled once per table version.

An index's entries are rows of a table of their own (`catalog.indexes`), so that their rules are row rules,
and a statement changes them as it changes rows (`query.row_changes`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from catalog.indexes import entry_table, is_array
from catalog.model import Index, Table
from catalog.types.registry import BOOL
from kalam_pg.functions.sortkey import key_function
from kalam_pg.functions.table import EvalContext
from kalam_pg.sql.bind import BindScope, bind_expression
from kalam_pg.sql.to_python import compile_expr
from kalam_pg.sql.tree import ColumnRef
from storage.keys import key_maker
from storage.layout import Row, Value

Closure = Callable[[Row, EvalContext], Value]


def slot_of(reference: ColumnRef) -> int:
    """A row of the table itself: the column's position is its slot."""
    return reference.column


@dataclass(frozen=True, slots=True)
class UniqueRule:
    """One unique index of a table.

    entries: the table of its entries. values: what the index sorts by, one closure each. where: of a
    partial index. row_key: positions of the table's own primary key. kinds, row_kinds: how an entry's key
    and the primary key behind it sort. arrays: which of the values are arrays, and the bytes they sort by.
    """

    index: Index
    entries: Table
    values: tuple[Closure, ...]
    where: Closure | None
    row_key: tuple[int, ...]
    kinds: tuple[str, ...]
    row_kinds: tuple[str, ...]
    entry_key: Callable[[Row], bytes]
    entry_row: Callable[[Row], bytes]
    arrays: tuple[tuple[int, Callable[[Value], bytes]], ...] = ()

    @property
    def is_referable(self) -> bool:
        """Whether a FOREIGN KEY could refer to its columns."""
        return not self.index.where and all(key.column for key in self.index.keys)

    def entry(self, row: Row, context: EvalContext) -> Row | None:
        """The entry of a row; None: it has none, and is in nobody's way.

        Raises TakesLongError: `elsewhere.entry` has it computed in a worker.
        """
        if self.where is not None and self.where(row, context) is not True:
            return None
        return self.entry_of([value(row, context) for value in self.values], row)

    def entry_of(self, values: Sequence[Value], row: Row) -> Row | None:
        """The same, of a row that the index's WHERE takes and whose values are known."""
        if self.index.nulls_distinct and None in values:
            return None
        own = [row[at] for at in self.row_key]
        if not self.arrays:
            return (*values, *own)
        keys = list(values)
        for at, key in self.arrays:
            keys[at] = None if keys[at] is None else key(keys[at])
        return (*keys, *own, *[values[at] for at, _ in self.arrays])

    def values_of(self, entry: Row) -> Sequence[Value]:
        """What the index sorts by, of an entry."""
        found = list(entry[: len(self.values)])
        first = len(self.values) + len(self.row_key)
        for (at, _), value in zip(self.arrays, entry[first:], strict=True):
            found[at] = value
        return found


def compile_unique(table: Table, scope: BindScope) -> tuple[UniqueRule, ...]:
    """The rules of a table's unique indexes, in the order in which they were made."""
    return tuple(
        _rule(table, index, scope)
        for index in sorted(table.indexes, key=lambda index: index.id)
        if index.unique
    )


def _rule(table: Table, index: Index, scope: BindScope) -> UniqueRule:
    entries = entry_table(table, index)
    layout = entries.layout
    width = len(index.keys)
    upto = width + len(table.layout.key)
    kinds = tuple(column.kind for column in layout.columns)
    by_id = {column.id: column.type for column in table.columns}
    of = [by_id[key.column] if key.column else key.type for key in index.keys]
    where = None
    if index.where:
        where = compile_expr(bind_expression(index.where, scope, table, BOOL), slot_of)
    return UniqueRule(
        index,
        entries,
        tuple(_value(table, key.column, key.expression, scope) for key in index.keys),
        where,
        table.layout.key,
        kinds[:width],
        kinds[width:upto],
        key_maker(range(width), kinds[:width]),
        key_maker(range(width, upto), kinds[width:upto]),
        tuple([(at, key_function(kind)) for at, kind in enumerate(of) if is_array(kind)]),
    )


def _value(table: Table, column: int, expression: str, scope: BindScope) -> Closure:
    if expression:
        return compile_expr(bind_expression(expression, scope, table, None), slot_of)
    (at,) = (at for at, one in enumerate(table.columns) if one.id == column)
    return lambda row, _context: row[at]
