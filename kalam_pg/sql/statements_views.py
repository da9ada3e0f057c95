"""What statements about views say. As `statements`, of which they are part."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kalam_pg.sql.statements import QueryStatement, TableName


@dataclass(frozen=True, slots=True)
class CreateView:
    name: "TableName"
    query: "QueryStatement"
    columns: tuple[str, ...] = ()
    or_replace: bool = False
    temporary: bool = False
    check_option: str = ""  # "" | local | cascaded


@dataclass(frozen=True, slots=True)
class DropView:
    names: "tuple[TableName, ...]"
    if_exists: bool = False
    cascade: bool = False
