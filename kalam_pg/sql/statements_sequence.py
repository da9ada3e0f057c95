"""CREATE, ALTER and DROP SEQUENCE. As `statements`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from catalog.changes_sequence import SequenceOptions

if TYPE_CHECKING:
    from kalam_pg.sql.statements import TableName


@dataclass(frozen=True, slots=True)
class CreateSequence:
    """owned_by: the parts of a column's name, ("none",) for OWNED BY NONE, () where it is not written."""

    name: "TableName"
    options: SequenceOptions
    owned_by: tuple[str, ...] = ()
    if_not_exists: bool = False
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class AlterSequence:
    """As `CreateSequence`."""

    name: "TableName"
    options: SequenceOptions
    owned_by: tuple[str, ...] = ()
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class MoveSequence:
    """ALTER SEQUENCE … RENAME TO, SET SCHEMA, OWNER TO: "" is what stays."""

    name: "TableName"
    new_name: str = ""
    schema: str = ""
    owner: str = ""
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class DropSequence:
    names: "tuple[TableName, ...]"
    if_exists: bool = False
    cascade: bool = False


SequenceStatement: TypeAlias = CreateSequence | AlterSequence | MoveSequence | DropSequence
