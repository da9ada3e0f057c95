"""What ALTER TABLE asks of the rows that are there: what is written in them, and what they must satisfy."""

from dataclasses import dataclass

from catalog.model import Table
from catalog.pg_catalog.text import quote_identifier
from storage.errors import KalamError

HOLE = "\x01"
"""In a DETAIL, where values of the row come: no name has it."""


@dataclass(frozen=True, slots=True)
class Filling:
    """A column that every row gets a value in. value: SQL text over the columns of before."""

    column: str
    value: str


@dataclass(frozen=True, slots=True)
class Demand:
    """What no row may be. broken_by: a condition, as SQL text, over the columns of afterwards.

    shows, detail: columns of the row that the error quotes, and its DETAIL with HOLE in their place.
    """

    broken_by: str
    error: KalamError
    shows: tuple[str, ...] = ()
    detail: str = ""


def is_missing(column: str) -> str:
    """The condition of rows without a value in a column. A row of NULLs is a value, though it IS NULL."""
    return f"{quote_identifier(column)} IS NOT DISTINCT FROM NULL"


@dataclass(frozen=True, slots=True)
class TableChange:
    """One table, before and after. filled: with the columns of before and, behind them, those that are
    filled; the same as `before` where none is.
    """

    before: Table
    after: Table
    filled: Table
    fillings: tuple[Filling, ...] = ()
    demands: tuple[Demand, ...] = ()

    @property
    def rekeys(self) -> bool:
        """Whether rows lie somewhere else afterwards, under another key."""
        return self.after.storage_id != self.before.storage_id
