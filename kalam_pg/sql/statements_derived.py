"""Tables made of what is there (CREATE TABLE AS, SELECT INTO, LIKE), materialized views, and LOCK. As
`statements`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from kalam_pg.sql.statements import QueryStatement, TableName


@dataclass(frozen=True, slots=True)
class CreateTableAs:
    """A table of what a query gives. columns: their names as far as they are given.

    options, on_commit, unlogged: see `CreateTable`. with_data: False makes an empty one.
    """

    name: "TableName"
    query: "QueryStatement"
    columns: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    if_not_exists: bool = False
    with_data: bool = True
    temporary: bool = False
    on_commit: str = ""
    unlogged: bool = False


@dataclass(frozen=True, slots=True)
class LikeTable:
    """LIKE among the columns of CREATE TABLE. place: how many columns stand before it.

    including: what is copied beside names, types and NOT NULL, e.g. "defaults".
    """

    name: "TableName"
    place: int
    including: frozenset[str]


@dataclass(frozen=True, slots=True)
class LockTable:
    """mode: its words, in lower case."""

    names: "tuple[TableName, ...]"
    mode: str = "access exclusive"
    nowait: bool = False


@dataclass(frozen=True, slots=True)
class CreateMaterializedView:
    """A table of what a query gives, which keeps the query. The fields are those of `CreateTableAs`."""

    name: "TableName"
    query: "QueryStatement"
    columns: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    if_not_exists: bool = False
    with_data: bool = True


@dataclass(frozen=True, slots=True)
class RefreshMaterializedView:
    """with_data: False empties it, and has it unusable until the next one."""

    name: "TableName"
    concurrently: bool = False
    with_data: bool = True


@dataclass(frozen=True, slots=True)
class DropMaterializedView:
    names: "tuple[TableName, ...]"
    if_exists: bool = False
    cascade: bool = False


DerivedStatement: TypeAlias = (
    CreateTableAs
    | LockTable
    | CreateMaterializedView
    | RefreshMaterializedView
    | DropMaterializedView
)
