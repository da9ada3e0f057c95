"""CREATE INDEX and DROP INDEX. As `statements`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from kalam_pg.sql.statements import TableName


@dataclass(frozen=True, slots=True)
class IndexElement:
    """A column by name, or (column "") an expression as SQL text. nulls_first: None when nothing is said.

    position: of the element in the message. ascending: ASC is written.
    """

    column: str
    expression: str = ""
    opclass: str = ""
    descending: bool = False
    nulls_first: bool | None = None
    position: int = 0
    ascending: bool = False


@dataclass(frozen=True, slots=True)
class CreateIndex:
    """name: "" when PostgreSQL's rules are to name it. where: SQL text of a partial index's condition.

    where_at: where that begins in the message. parameters: of WITH, names in lower case.
    """

    table: "TableName"
    elements: tuple[IndexElement, ...]
    name: str = ""
    unique: bool = False
    concurrently: bool = False
    if_not_exists: bool = False
    include: tuple[str, ...] = ()
    nulls_distinct: bool = True
    where: str = ""
    where_at: int = 0
    method: str = "btree"
    parameters: tuple[tuple[str, str], ...] = ()
    tablespace: str = ""


@dataclass(frozen=True, slots=True)
class DropIndex:
    names: "tuple[TableName, ...]"
    concurrently: bool = False
    if_exists: bool = False
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class RenameIndex:
    """ALTER INDEX … RENAME TO."""

    name: "TableName"
    new_name: str
    if_exists: bool = False


IndexStatement: TypeAlias = CreateIndex | DropIndex | RenameIndex
