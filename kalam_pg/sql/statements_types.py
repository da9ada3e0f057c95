"""Types that people make: CREATE, ALTER and DROP TYPE and DOMAIN. As `statements`; names are `TableName`s."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from kalam_pg.sql.statements import TableName, TypeName


@dataclass(frozen=True, slots=True)
class CreateType:
    """CREATE TYPE … AS ENUM (labels)."""

    name: "TableName"
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CreateRange:
    """CREATE TYPE … AS RANGE (options). subtype: None if none is given; the other options are names."""

    name: "TableName"
    subtype: "TypeName | None"
    options: tuple[tuple[str, "TableName"], ...]


@dataclass(frozen=True, slots=True)
class CreateComposite:
    """CREATE TYPE … AS (attributes): names and types."""

    name: "TableName"
    attributes: "tuple[tuple[str, TypeName], ...]"


@dataclass(frozen=True, slots=True)
class AddAttribute:
    """ADD ATTRIBUTE."""

    name: str
    type: "TypeName"


@dataclass(frozen=True, slots=True)
class DropAttribute:
    """DROP ATTRIBUTE."""

    name: str
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class AlterAttribute:
    """ALTER ATTRIBUTE … TYPE."""

    name: str
    type: "TypeName"


@dataclass(frozen=True, slots=True)
class AlterAttributes:
    """What is done to attributes, in one statement."""

    actions: tuple[AddAttribute | DropAttribute | AlterAttribute, ...]


@dataclass(frozen=True, slots=True)
class RenameAttribute:
    """RENAME ATTRIBUTE."""

    name: str
    new_name: str


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
    action: AddLabel | RenameLabel | MoveType | OwnType | AlterAttributes | RenameAttribute


@dataclass(frozen=True, slots=True)
class DropType:
    """DROP TYPE."""

    names: "tuple[TableName, ...]"
    if_exists: bool = False
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class CreateDomain:
    """CREATE DOMAIN. default and the checks (name or "", text) are SQL text."""

    name: "TableName"
    type: "TypeName"
    not_null: bool = False
    default: str = ""
    checks: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class DomainDefault:
    """SET DEFAULT; "" is DROP DEFAULT."""

    default: str = ""


@dataclass(frozen=True, slots=True)
class DomainNotNull:
    """SET NOT NULL, DROP NOT NULL."""

    not_null: bool


@dataclass(frozen=True, slots=True)
class AddDomainCheck:
    """ADD [CONSTRAINT name] CHECK (check) [NOT VALID]."""

    name: str
    check: str
    not_valid: bool = False


@dataclass(frozen=True, slots=True)
class DropDomainCheck:
    """DROP CONSTRAINT."""

    name: str
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class ValidateDomainCheck:
    """VALIDATE CONSTRAINT."""

    name: str


@dataclass(frozen=True, slots=True)
class RenameDomainCheck:
    """RENAME CONSTRAINT … TO."""

    name: str
    new_name: str


@dataclass(frozen=True, slots=True)
class AlterDomain:
    """ALTER DOMAIN."""

    name: "TableName"
    action: (
        DomainDefault
        | DomainNotNull
        | AddDomainCheck
        | DropDomainCheck
        | RenameDomainCheck
        | ValidateDomainCheck
        | MoveType
        | OwnType
    )


@dataclass(frozen=True, slots=True)
class DropDomain:
    """DROP DOMAIN."""

    names: "tuple[TableName, ...]"
    if_exists: bool = False
    cascade: bool = False


TypeStatement: TypeAlias = (
    CreateType
    | CreateComposite
    | CreateRange
    | AlterType
    | DropType
    | CreateDomain
    | AlterDomain
    | DropDomain
)
