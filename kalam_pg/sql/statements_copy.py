"""What COPY says. As `statements`, of which it is a part."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from kalam_pg.sql.statements import QueryStatement, TableName
    from kalam_pg.sql.statements_live import Subscribe


@dataclass(frozen=True, slots=True)
class CopyOption:
    """One option as written; what it means, and whether it may stand there, `sql.copy_options` says.

    kind: how its argument was written. value: of a word, string or number. names: of a list. position:
    1-based in the message.
    """

    name: str
    kind: Literal["none", "word", "string", "number", "star", "list"] = "none"
    value: str = ""
    names: tuple[str, ...] = ()
    position: int = 0


@dataclass(frozen=True, slots=True)
class CopyTo:
    """COPY … TO: the rows of a table, or of a query.

    table: None where `query` is set. columns: (name, position) of those named, () for all. target: where
    to; only stdout is built.
    """

    table: "TableName | None"
    columns: tuple[tuple[str, int], ...]
    query: "QueryStatement | Subscribe | None"
    options: tuple[CopyOption, ...] = ()
    target: Literal["stdout", "file", "program"] = "stdout"


@dataclass(frozen=True, slots=True)
class CopyFrom:
    """COPY table FROM: rows that the client sends.

    columns: (name, position) of those that are sent, () for all. where: the text of an expression that
    rows must satisfy, "" for none, which begins at the character `where_at` of the message (from 0).
    source: where from; only stdin is built.
    """

    table: "TableName"
    columns: tuple[tuple[str, int], ...]
    options: tuple[CopyOption, ...] = ()
    where: str = ""
    where_at: int = 0
    source: Literal["stdin", "file", "program"] = "stdin"


CopyStatement: TypeAlias = CopyFrom | CopyTo
