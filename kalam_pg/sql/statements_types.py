"""Types that people make: CREATE, ALTER and DROP TYPE. As `statements`; a type's name is a `TableName`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from kalam_pg.sql.statements import TableName


@dataclass(frozen=True, slots=True)
class CreateType:
    """CREATE TYPE … AS ENUM (labels)."""

    name: "TableName"
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AddLabel:
    """ADD VALUE. neighbour: the label before or `after` which it goes, "" the last place."""

    label: str
    neighbour: str = ""
    after: bool = False
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class RenameLabel:
    """RENAME VALUE."""

    label: str
    new_label: str


@dataclass(frozen=True, slots=True)
class MoveType:
    """RENAME TO, SET SCHEMA: what is "" stays."""

    new_name: str = ""
    schema: str = ""


@dataclass(frozen=True, slots=True)
class OwnType:
    """OWNER TO."""

    owner: str


@dataclass(frozen=True, slots=True)
class AlterType:
    """ALTER TYPE."""

    name: "TableName"
    action: AddLabel | RenameLabel | MoveType | OwnType


@dataclass(frozen=True, slots=True)
class DropType:
    """DROP TYPE."""

    names: "tuple[TableName, ...]"
    if_exists: bool = False
    cascade: bool = False


TypeStatement: TypeAlias = CreateType | AlterType | DropType
