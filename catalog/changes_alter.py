"""ALTER TABLE as pure functions: a table to the table that an action makes of it, and what that stores.

Columns keep their ids, whatever they are called, and an id is never given twice in a table; so rows that
were written under earlier versions are read right under later ones, and no row is touched here. Which
views an action breaks is `catalog.changes_depend`'s; whether the rows that are there satisfy what is
asked of them, the caller's.
"""

from collections.abc import Sequence
from dataclasses import replace

from catalog import codec
from catalog.changes import CatalogChange, stored, table_puts, with_tables
from catalog.changes_table import (
    COLUMNS_MAX,
    ROW_ID,
    NewColumn,
    check_column_name,
    check_column_type,
    made_column,
)
from catalog.errors import (
    DuplicateColumnError,
    DuplicateObjectError,
    FeatureNotSupportedError,
    InvalidTableDefinitionError,
    SqlSyntaxError,
    TooManyColumnsError,
    UndefinedColumnError,
    UndefinedObjectError,
    WrongObjectTypeError,
)
from catalog.ids import Ids
from catalog.indexes import entry_table
from catalog.model import Column, Constraint, Index, Table, TableVersion
from catalog.names import constraint_name
from catalog.snapshot import Snapshot
from catalog.types.table import PgType
from storage.layout import Value

_STORED_FROM = 2048
"""Column ids are below; where values lie that were rewritten has ids above."""


def altered(
    snapshot: Snapshot, before: Table, after: Table, *, change: str, now_us: int
) -> CatalogChange:
    """Store what became of a table; if its columns are others it is a new version of it.

    change: the actions, as its history has them.
    """
    puts: list[tuple[bytes, bytes | None]] = []
    if after.columns != before.columns:
        earlier = TableVersion(
            before.version,
            before.columns,
            before.layout,
            before.change,
            before.altered_at_us or before.created_at_us,
        )
        after = replace(
            versioned(after, before.version + 1),
            history=(*before.history, earlier),
            change=change,
            altered_at_us=now_us,
        )
        puts.append((codec.version_key(before.id, earlier.version), codec.encode_version(earlier)))
    puts += table_puts(before, after)
    made = stored(with_tables(snapshot, {after.id: after}), puts)
    kept = {index.storage_id for index in after.indexes}
    gone = [entry_table(before, i) for i in before.indexes if i.unique and i.storage_id not in kept]
    return replace(made, dropped=tuple(gone))


def versioned(table: Table, version: int) -> Table:
    """The table with the layout that its columns have, as this version."""
    layout = codec.layout_of(table.columns, table.primary_key, version)
    return replace(table, version=version, layout=layout)


# ------------------------------------------------------------------ columns


def column_named(table: Table, name: str) -> Column:
    """The column. Raises 42703, 0A000 for one that nobody declared."""
    found = find_column(table, name)
    if found is None:
        raise UndefinedColumnError(f'column "{name}" of relation "{table.name}" does not exist')
    return found


def find_column(table: Table, name: str) -> Column | None:
    """The column that was declared under a name. Raises 0A000 for a system column."""
    if name == ROW_ID or name in ("_seq", "_deleted", "tableoid", "ctid", "xmin", "xmax"):
        raise FeatureNotSupportedError(f'cannot alter system column "{name}"')
    return next((column for column in table.columns if column.name == name), None)


def add_column(table: Table, new: NewColumn, missing: Value) -> Table:
    """ADD COLUMN. missing: what older rows hold. Raises 42701, 54011, 42P16."""
    check_column_name(new.name, new.position)
    if any(column.name == new.name for column in table.columns):
        raise DuplicateColumnError(f'column "{new.name}" of relation "{table.name}" already exists')
    if len(table.columns) >= COLUMNS_MAX:
        raise TooManyColumnsError(f"tables can have at most {COLUMNS_MAX} columns")
    check_column_type(new)
    column = made_column(new, table.next_column)
    columns = (*table.columns, replace(column, missing=missing))
    return replace(table, columns=columns, next_column=table.next_column + 1)


def drop_column(
    table: Table, column: Column, checks: Sequence[Constraint], indexes: Sequence[Index]
) -> Table:
    """DROP COLUMN, with the CHECKs and indexes that use it. It is in no primary key (any more)."""
    gone = {*[check.id for check in checks], *[index.id for index in indexes]}
    constraints = tuple(
        c for c in table.constraints if c.id not in gone and column.id not in c.columns
    )
    columns = tuple(c for c in table.columns if c.id != column.id)
    left = tuple(index for index in table.indexes if index.id not in gone)
    return replace(table, columns=columns, constraints=constraints, indexes=left)


def without_defaults(table: Table, before: Table, after: Snapshot) -> Table:
    """The table without the defaults that a dropped sequence takes from it.

    before: the table as it was; after: the catalogue without the sequence.
    """
    left = after.tables.get(before.id, before)
    lost = {
        column.id
        for column, now in zip(before.columns, left.columns, strict=True)
        if column.default and not now.default
    }
    columns = tuple(replace(c, default="") if c.id in lost else c for c in table.columns)
    return replace(table, columns=columns)


def rename_column(table: Table, name: str, new_name: str) -> Table:
    """RENAME COLUMN. Raises 42703, 42701."""
    if find_column(table, name) is None:
        raise UndefinedColumnError(f'column "{name}" does not exist')
    check_column_name(new_name)
    if any(column.name == new_name for column in table.columns):
        raise DuplicateColumnError(f'column "{new_name}" of relation "{table.name}" already exists')
    return _with_column(table, replace(column_named(table, name), name=new_name))


def set_default(table: Table, column: Column, default: str) -> Table:
    """SET DEFAULT, or with "" DROP DEFAULT. Raises 42601 for an identity column."""
    if column.identity in ("a", "d"):
        raise SqlSyntaxError(
            f'column "{column.name}" of relation "{table.name}" is an identity column'
        )
    # A serial column is one only as long as its numbers are its default.
    return _with_column(table, replace(column, default=default, identity=""))


def set_not_null(table: Table, column: Column, *, not_null: bool) -> Table:
    """SET or DROP NOT NULL. Raises 42P16 where the column must not have NULLs."""
    if not not_null:
        if column.id in table.declared_key:
            raise InvalidTableDefinitionError(f'column "{column.name}" is in a primary key')
        if column.identity in ("a", "d"):
            raise SqlSyntaxError(
                f'column "{column.name}" of relation "{table.name}" is an identity column'
            )
    return _with_column(table, replace(column, not_null=not_null))


def widens(column: Column, kind: PgType, typmod: int) -> bool:
    """Whether all values of a column are values of the new type, stored alike: no row need be written."""
    same = column.type is kind
    old, new = column.typmod, typmod
    text = ("text", "varchar")
    if column.type.name in text and kind.name in text:
        return new == -1 or (old != -1 and old <= new)
    if same and kind.name == "numeric" and old != -1 and new != -1:
        scale = (old - 4) & 0x7FF
        return (new - 4) & 0x7FF == scale and (new - 4) >> 16 >= (old - 4) >> 16
    if same:
        return old == new
    order = {"int2": 0, "int4": 1, "int8": 2}
    if column.type.name in order and kind.name in order:
        return order[column.type.name] < order[kind.name]
    return column.type.name == "float4" and kind.name == "float8"


def set_type(table: Table, column: Column) -> Table:
    """ALTER COLUMN TYPE where what is stored stays. column: as it becomes."""
    return _with_column(table, column)


def rewritten(table: Table, column: Column) -> Table:
    """ALTER COLUMN TYPE where the values must be written anew: they lie under another id from here on."""
    place = _STORED_FROM * (table.version + 1) + column.id
    return _with_column(table, replace(column, missing=None, stored=place))


def _with_column(table: Table, changed: Column) -> Table:
    columns = tuple(changed if c.id == changed.id else c for c in table.columns)
    return replace(table, columns=columns)


# ------------------------------------------------------------------ constraints


def add_check(
    table: Table, ids: Ids, name: str, check: str, columns: Sequence[str], *, validated: bool
) -> Table:
    """ADD CHECK. columns: that it mentions, for its name. Raises 42710."""
    taken = {constraint.name for constraint in table.constraints}
    if name in taken:
        raise DuplicateObjectError(
            f'constraint "{name}" for relation "{table.name}" already exists'
        )
    made = Constraint(
        ids.oids(),
        name or constraint_name(table.name, "c", columns, taken),
        "c",
        check=check,
        validated=validated,
    )
    return replace(table, constraints=(*table.constraints, made))


def constraint_named(table: Table, name: str) -> Constraint:
    """The constraint. Raises 42704."""
    for constraint in table.constraints:
        if constraint.name == name:
            return constraint
    raise UndefinedObjectError(f'constraint "{name}" of relation "{table.name}" does not exist')


def drop_constraint(table: Table, constraint: Constraint) -> Table:
    """DROP CONSTRAINT of another one than the primary key (`changes_key`)."""
    left = tuple(c for c in table.constraints if c.id != constraint.id)
    indexes = tuple(index for index in table.indexes if index.id != constraint.id)
    return replace(table, constraints=left, indexes=indexes)


def validated(table: Table, constraint: Constraint) -> Table:
    """VALIDATE CONSTRAINT. Raises 42809 for a key."""
    if constraint.kind not in ("c", "f"):
        raise WrongObjectTypeError(
            f'constraint "{constraint.name}" of relation "{table.name}" '
            "is not a foreign key or check constraint"
        )
    return _with_constraint(table, replace(constraint, validated=True))


def rename_constraint(table: Table, name: str, new_name: str) -> Table:
    """RENAME CONSTRAINT. Raises 42704, 42710."""
    found = next((c for c in table.constraints if c.name == name), None)
    if found is None:
        raise UndefinedObjectError(f'constraint "{name}" for table "{table.name}" does not exist')
    if any(constraint.name == new_name for constraint in table.constraints):
        raise DuplicateObjectError(
            f'constraint "{new_name}" for relation "{table.name}" already exists'
        )
    indexes = tuple(
        replace(index, name=new_name) if index.id == found.id else index for index in table.indexes
    )
    return _with_constraint(replace(table, indexes=indexes), replace(found, name=new_name))


def _with_constraint(table: Table, changed: Constraint) -> Table:
    constraints = tuple(changed if c.id == changed.id else c for c in table.constraints)
    return replace(table, constraints=constraints)
