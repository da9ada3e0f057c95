"""Indexes as tables: the entries of a unique index are rows, kept as those of any table are.

An entry has the values that the index sorts by, which are its primary key, and the primary key of the
table's row behind them; then the arrays of which the key has the bytes that they sort by. So whatever holds
for a table's key holds for an index: how it is locked and looked up, in the log and in segments, how it is
flushed, compacted, trimmed, truncated, checked and erased (decision 0042). A user's entries lie under the
user, as the rows do.
"""

from collections.abc import Iterator

from catalog import codec
from catalog.model import Column, Constraint, Index, IndexKey, Table
from catalog.types.registry import BYTEA
from catalog.types.table import PgType


def entry_table(table: Table, index: Index) -> Table:
    """The table of a unique index's entries. Its version never changes: a changed index is another one."""
    by_id = {column.id: column for column in table.columns}
    of = [by_id[k.column].type if k.column else k.type for k in index.keys]
    values = [
        # An array is in no key: its place is the bytes that it sorts by.
        Column(
            at, f"key{at}", BYTEA if is_array(kind) else kind, -1 if is_array(kind) else k.typmod
        )
        for at, (k, kind) in enumerate(zip(index.keys, of, strict=True), 1)
    ]
    row = [
        Column(at, f"row{at}", by_id[column].type, by_id[column].typmod, not_null=True)
        for at, column in enumerate(table.primary_key, 1 + len(values))
    ]
    arrays = [
        Column(1 + len(values) + len(row) + at, f"value{at}", kind, -1)
        for at, kind in enumerate(filter(is_array, of))
    ]
    columns = (*values, *row, *arrays)
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


def is_array(kind: PgType) -> bool:
    """Whether values of a type are arrays, which have an order and no place in a key."""
    return kind.element is not None and not kind.is_vector


def has_order(kind: PgType) -> bool:
    """Whether an index can sort by values of a type: it has an operator class for btree."""
    of = kind.element if is_array(kind) else kind
    return of is not None and of.key_kind != "none"


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
        else:
            index = made.get(one)
            yield index or constraint_index(constraint, table.columns), constraint.kind


def index_of(constraint: Constraint, table: Table) -> Index | None:
    """The index behind a UNIQUE constraint, or a deferrable PRIMARY KEY."""
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
        if index.id == constraint.id:
            return index.deferrable, index.deferred
    return False, False
