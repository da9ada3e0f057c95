"""What a FOREIGN KEY says, and SET CONSTRAINTS. As `statements`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kalam_pg.sql.statements import TableName


@dataclass(frozen=True, slots=True)
class References:
    """REFERENCES … of a constraint. columns: () for the primary key of the table.

    match: "s" or "f". on_update, on_delete: as pg_constraint has them, "a" | "r" | "c" | "n" | "d".
    set_columns: of ON DELETE SET …, () for all.
    """

    table: "TableName"
    columns: tuple[str, ...] = ()
    match: str = "s"
    on_update: str = "a"
    on_delete: str = "a"
    set_columns: tuple[str, ...] = ()
    deferrable: bool = False
    deferred: bool = False


@dataclass(frozen=True, slots=True)
class SetConstraints:
    """names: () for ALL."""

    names: "tuple[TableName, ...]"
    deferred: bool
