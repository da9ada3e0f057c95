"""ALTER TABLE of primary keys, as pure functions.

Rows lie under their primary key. With another one they lie elsewhere: the table, and each of its unique
indexes, whose entries name rows by their keys, get another id for storage, and whoever alters the table
writes its rows there (decision 0067).
"""

from dataclasses import replace

from catalog.changes_table import NewConstraint, add_key, hidden_key
from catalog.errors import InvalidTableDefinitionError
from catalog.ids import Ids
from catalog.model import Column, Constraint, Table
from catalog.snapshot import Snapshot


def add_primary_key(snapshot: Snapshot, ids: Ids, table: Table, new: NewConstraint) -> Table:
    """ADD PRIMARY KEY, in the place of the hidden one, or beside it if it is DEFERRABLE.

    Raises 42P16, 42703, 42701, 42P07, 42710.
    """
    if table.declared_key:
        raise InvalidTableDefinitionError(
            f'multiple primary keys for table "{table.name}" are not allowed'
        )
    if new.is_indexed:
        made = add_key(snapshot, ids, table, new)
        return replace(made, columns=_not_null(made.columns, made.declared_key))
    hidden = table.primary_key
    declared = replace(table, columns=tuple([c for c in table.columns if c.id not in hidden]))
    made = add_key(snapshot, ids, declared, new)
    key = made.declared_key
    columns = _not_null(made.columns, key)
    made = replace(made, columns=columns, primary_key=key, hidden_key=False)
    return rekeyed(ids, made)


def _not_null(columns: tuple[Column, ...], key: tuple[int, ...]) -> tuple[Column, ...]:
    return tuple([replace(c, not_null=True) if c.id in key else c for c in columns])


def drop_primary_key(ids: Ids, table: Table, constraint: Constraint) -> Table:
    """DROP CONSTRAINT of the primary key: the table has the hidden one. Its columns stay NOT NULL."""
    hidden = hidden_key(table.next_column)
    made = replace(
        table,
        columns=(*table.columns, hidden),
        next_column=table.next_column + 1,
        primary_key=(hidden.id,),
        hidden_key=True,
        constraints=tuple([c for c in table.constraints if c.id != constraint.id]),
    )
    return rekeyed(ids, made)


def rekeyed(ids: Ids, table: Table) -> Table:
    """The table with its rows, and the entries of its indexes, in another place."""
    indexes = tuple([replace(i, stored=ids.oids()) if i.unique else i for i in table.indexes])
    return replace(table, stored=ids.oids(), indexes=indexes)
