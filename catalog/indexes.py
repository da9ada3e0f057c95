"""Indexes as tables: the entries of a unique index are rows, kept as those of any table are.

An entry has the values that the index sorts by, which are its primary key, and the primary key of the
table's row behind them. So whatever holds for a table's key holds for an index: how it is locked and looked
up, in the log and in segments, how it is flushed, compacted, trimmed, truncated, checked and erased
(decision 0042). A user's entries lie under the user, as the rows do.
"""

from collections.abc import Iterator

from catalog import codec
from catalog.model import Column, Constraint, Index, IndexKey, Table


def entry_table(table: Table, index: Index) -> Table:
    """The table of a unique index's entries. Its version never changes: a changed index is another one."""
    by_id = {column.id: column for column in table.columns}
    values = [
        Column(at, f"key{at}", by_id[k.column].type if k.column else k.type, k.typmod)
        for at, k in enumerate(index.keys, 1)
    ]
    row = [
        Column(at, f"row{at}", by_id[column].type, by_id[column].typmod, not_null=True)
        for at, column in enumerate(table.primary_key, 1 + len(values))
    ]
    columns = (*values, *row)
    key = tuple(column.id for column in values)
    return Table(
        id=index.storage_id,
        namespace=table.namespace,
        name=index.name,
        kind=table.kind,
        columns=columns,
        primary_key=key,
        constraints=(),
        options=table.options,
        layout=codec.layout_of(columns, key, 1),
        owner=table.owner,
        created_at_us=table.created_at_us,
        next_column=len(columns) + 1,
    )


def entry_tables(table: Table) -> Iterator[Table]:
    """The tables of the entries of a table's indexes."""
    return (entry_table(table, index) for index in table.indexes if index.unique)


def stored_ids(table: Table) -> Iterator[int]:
    """Under which ids storage has something of a table: its rows, and the entries of its indexes."""
    yield table.storage_id
    yield from (index.storage_id for index in table.indexes if index.unique)


def indexes_of(table: Table) -> Iterator[tuple[Index, str]]:
    """Every index that a user may know of, and the kind of constraint that it is behind: "p", "u" or "".

    In the order of their ids, as they were made.
    """
    keys = {c.id: c for c in table.constraints if c.kind in {"p", "u"}}
    made = {index.id: index for index in table.indexes}
    for one in sorted(keys.keys() | made.keys()):
        constraint = keys.get(one)
        if constraint is None:
            yield made[one], ""
        elif not (constraint.kind == "p" and table.hidden_key):
            index = made.get(one)
            yield index or constraint_index(constraint, table.columns), constraint.kind


def index_of(constraint: Constraint, table: Table) -> Index | None:
    """The index behind a UNIQUE constraint."""
    return next((index for index in table.indexes if index.id == constraint.id), None)


def constraint_index(
    constraint: Constraint, columns: tuple[Column, ...], *, nulls_distinct: bool = True,
    deferrable: bool = False, deferred: bool = False,
) -> Index:  # fmt: skip
    """The index behind a constraint."""
    by_id = {column.id: column for column in columns}
    keys = tuple(
        IndexKey(column, "", by_id[column].type, by_id[column].typmod)
        for column in constraint.columns
    )
    return Index(
        constraint.id, constraint.name, keys, unique=True, nulls_distinct=nulls_distinct,
        deferrable=deferrable, deferred=deferred,
    )  # fmt: skip


def deferral(table: Table, constraint: Constraint) -> tuple[bool, bool]:
    """Whether a constraint is DEFERRABLE, and INITIALLY DEFERRED."""
    if constraint.reference is not None:
        return constraint.reference.deferrable, constraint.reference.deferred
    for index in table.indexes:
        if constraint.kind == "u" and index.id == constraint.id:
            return index.deferrable, index.deferred
    return False, False
