"""FOREIGN KEYs as pure functions: what a table may refer to, and by which key."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from catalog.errors import (
    DatatypeMismatchError,
    DuplicateObjectError,
    FeatureNotSupportedError,
    InvalidColumnReferenceError,
    InvalidForeignKeyError,
    InvalidTableDefinitionError,
    ObjectNotInPrerequisiteStateError,
    SqlSyntaxError,
    UndefinedColumnError,
    UndefinedObjectError,
)
from catalog.ids import Ids
from catalog.indexes import is_array
from catalog.model import Column, Constraint, ForeignKey, Table, TableKind
from catalog.names import constraint_name
from catalog.types.registry import format_type

_WIDER = {("int", "numeric"), ("int", "float")}
"""Kinds of values that may refer to another kind: PostgreSQL casts these by itself."""


@dataclass(frozen=True, slots=True)
class NewReference:
    """A FOREIGN KEY as it is to be. parent: None is the table itself. parent_columns: () its primary key.

    The rest as in `catalog.model.ForeignKey`.
    """

    columns: tuple[str, ...]
    parent: Table | None
    parent_columns: tuple[str, ...] = ()
    name: str = ""
    on_update: str = "a"
    on_delete: str = "a"
    match: str = "s"
    set_columns: tuple[str, ...] = ()
    deferrable: bool = False
    deferred: bool = False


def add_reference(ids: Ids, table: Table, new: NewReference) -> Table:
    """The table with one more FOREIGN KEY.

    Raises 42703, 42704, 42830, 42804, 42710, 42P10, 42P16, 0A000.
    """
    parent = table if new.parent is None else new.parent
    _check_kinds(table, parent)
    columns = [_column(table, name) for name in new.columns]
    parent_columns, index = _referenced(parent, new.parent_columns)
    if len(columns) != len(parent_columns):
        raise InvalidForeignKeyError(
            "number of referencing and referenced columns for foreign key disagree"
        )
    taken = {constraint.name for constraint in table.constraints}
    name = new.name or constraint_name(table.name, "f", new.columns, taken)
    if name in taken:
        raise DuplicateObjectError(
            f'constraint "{name}" for relation "{table.name}" already exists'
        )
    if any(column.generated for column in columns):
        _check_actions(new)
    for column, referenced in zip(columns, parent_columns, strict=True):
        check_types(name, column, referenced)
    own = {column.name: column.id for column in columns}
    for given in new.set_columns:
        if _column(table, given).name not in own:
            raise InvalidColumnReferenceError(
                f'column "{given}" referenced in ON DELETE SET action must be part of foreign key'
            )
    rule = ForeignKey(
        parent.id,
        tuple(column.id for column in parent_columns),
        index,
        new.on_update,
        new.on_delete,
        new.match,
        tuple(own[given] for given in new.set_columns),
        new.deferrable,
        new.deferred,
    )
    made = Constraint(ids.oids(), name, "f", tuple(column.id for column in columns), reference=rule)
    return replace(table, constraints=(*table.constraints, made))


def _check_actions(new: NewReference) -> None:
    """Raise 42601 for what would write a generated column."""
    for action, writes, called in (
        (new.on_update, "cnd", "UPDATE"),
        (new.on_delete, "nd", "DELETE"),
    ):
        if action in writes:
            raise SqlSyntaxError(
                f"invalid ON {called} action for foreign key constraint containing generated column"
            )


def _check_kinds(table: Table, parent: Table) -> None:
    if table.temporary or parent.temporary:
        if not (table.temporary and parent.temporary):
            kind = "temporary" if table.temporary else "permanent"
            raise InvalidTableDefinitionError(
                f"constraints on {kind} tables may reference only {kind} tables"
            )
        return
    if parent.kind is TableKind.STREAM:
        raise FeatureNotSupportedError(
            "a foreign key cannot reference a STREAM table", detail="Its rows go by themselves."
        )
    if parent.per_user and not table.per_user:
        raise InvalidTableDefinitionError(
            "constraints on SHARED tables may reference only SHARED tables"
        )


def _column(table: Table, name: str) -> Column:
    for column in table.columns:
        if column.name == name and not (table.hidden_key and name == "_rowid"):
            return column
    raise UndefinedColumnError(
        f'column "{name}" referenced in foreign key constraint does not exist'
    )


def _referenced(parent: Table, names: Sequence[str]) -> tuple[list[Column], int]:
    """The referenced columns, and the unique index that finds them; 0: the primary key."""
    by_id = {column.id: column for column in parent.columns}
    if not names:
        if parent.hidden_key and parent.declared_key:
            raise ObjectNotInPrerequisiteStateError(
                f'cannot use a deferrable primary key for referenced table "{parent.name}"'
            )
        if parent.hidden_key:
            raise UndefinedObjectError(
                f'there is no primary key for referenced table "{parent.name}"'
            )
        return [by_id[column] for column in parent.primary_key], 0
    columns = [_column(parent, name) for name in names]
    wanted = {column.id for column in columns}
    if len(wanted) == len(columns):
        if set(parent.primary_key) == wanted and not parent.hidden_key:
            return columns, 0
        for index in parent.indexes:
            plain = index.unique and not index.where
            if plain and {key.column for key in index.keys} == wanted:
                if index.deferrable:
                    raise ObjectNotInPrerequisiteStateError(
                        "cannot use a deferrable unique constraint for referenced table "
                        f'"{parent.name}"'
                    )
                return columns, index.id
    raise InvalidForeignKeyError(
        f'there is no unique constraint matching given keys for referenced table "{parent.name}"'
    )


def check_types(name: str, column: Column, referenced: Column) -> None:
    """Raise 42804 unless a value of the column can be looked for among those of the referenced one.

    Raises 0A000 for arrays.
    """
    have, want = column.type, referenced.type
    if is_array(have) and have is want:
        raise FeatureNotSupportedError(f'foreign key "{name}" over arrays is not supported')
    if have is want or (have.key_kind, want.key_kind) in _WIDER:
        return
    integers = have.category == want.category == "N" and have.key_kind == want.key_kind
    texts = have.category == want.category == "S" and "bpchar" not in (have.name, want.name)
    if integers or texts:
        return
    raise DatatypeMismatchError(
        f'foreign key constraint "{name}" cannot be implemented',
        detail=f'Key columns "{column.name}" and "{referenced.name}" are of incompatible types: '
        f"{format_type(have, column.typmod)} and {format_type(want, referenced.typmod)}.",
    )
