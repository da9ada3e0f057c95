"""ALTER TABLE and its kin: one class for each action. As `statements`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from catalog.changes_sequence import SequenceOptions

if TYPE_CHECKING:
    from kalam_pg.sql.statements import ColumnDefinition, TableConstraint, TableName, TypeName


@dataclass(frozen=True, slots=True)
class AddColumn:
    """definition: with what is written at the column. constraints: of it, those that do not fit there."""

    definition: "ColumnDefinition"
    constraints: tuple["TableConstraint", ...] = ()
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class DropColumn:
    column: str
    if_exists: bool = False
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class SetDefault:
    """default: SQL text, "" for DROP DEFAULT."""

    column: str
    default: str = ""


@dataclass(frozen=True, slots=True)
class SetNotNull:
    column: str
    not_null: bool


@dataclass(frozen=True, slots=True)
class SetType:
    """using: SQL text, "" when it is the assignment cast."""

    column: str
    type: "TypeName"
    using: str = ""


@dataclass(frozen=True, slots=True)
class AddIdentity:
    """identity: "a" (ALWAYS) | "d" (BY DEFAULT). options: of its sequence."""

    column: str
    identity: str
    options: SequenceOptions


@dataclass(frozen=True, slots=True)
class SetIdentity:
    """SET GENERATED, SET (an option of the sequence) and RESTART. identity: "" where it stays."""

    column: str
    identity: str
    options: SequenceOptions


@dataclass(frozen=True, slots=True)
class DropIdentity:
    column: str
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class DropExpression:
    column: str
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class AddConstraint:
    """constraint: its `not_valid` is that of NOT VALID."""

    constraint: "TableConstraint"


@dataclass(frozen=True, slots=True)
class DropConstraint:
    name: str
    if_exists: bool = False
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class ValidateConstraint:
    name: str


@dataclass(frozen=True, slots=True)
class SetOptions:
    """options: as `CreateTable.options`. reset: RESET (names), whose values are nothing."""

    options: tuple[tuple[str, str], ...]
    reset: bool = False


@dataclass(frozen=True, slots=True)
class OwnerTo:
    role: str


@dataclass(frozen=True, slots=True)
class RenameTo:
    new_name: str


@dataclass(frozen=True, slots=True)
class RenameColumn:
    column: str
    new_name: str


@dataclass(frozen=True, slots=True)
class RenameConstraint:
    name: str
    new_name: str


@dataclass(frozen=True, slots=True)
class SetSchema:
    schema: str


@dataclass(frozen=True, slots=True)
class SetColumnOption:
    """ALTER COLUMN … SET STATISTICS | STORAGE | COMPRESSION | (…), RESET (…): how PostgreSQL would keep it.

    what: statistics | storage | compression | options. values: names and values of options, else the value.
    """

    column: str
    what: str
    values: tuple[tuple[str, str], ...]


AlterAction: TypeAlias = (
    AddColumn
    | SetColumnOption
    | DropColumn
    | SetDefault
    | SetNotNull
    | SetType
    | AddIdentity
    | SetIdentity
    | DropIdentity
    | DropExpression
    | AddConstraint
    | DropConstraint
    | ValidateConstraint
    | SetOptions
    | OwnerTo
    | RenameTo
    | RenameColumn
    | RenameConstraint
    | SetSchema
)


@dataclass(frozen=True, slots=True)
class AlterTable:
    """actions: what to change, as it is written; RENAME and SET SCHEMA stand alone.

    kind: what it says it alters, "table" | "view" | "materialized view" | "index" | "sequence".
    """

    name: "TableName"
    actions: tuple[AlterAction, ...]
    if_exists: bool = False
    kind: str = "table"
