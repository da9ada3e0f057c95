"""DO, and what stands in its block: the part of PL/pgSQL that is a list of statements."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Perform:
    """A statement of SQL (or the query of PERFORM, with query). line: of the block, from 1."""

    text: str
    line: int
    query: bool = False


@dataclass(frozen=True, slots=True)
class ExecuteText:
    """EXECUTE of a text that is computed. expression: SQL."""

    expression: str
    line: int


@dataclass(frozen=True, slots=True)
class Raise:
    """RAISE. level: debug | log | info | notice | warning | exception, "" to raise again what was caught.

    format: with a % for each of `arguments`, SQL expressions. using: (option, SQL expression). sqlstate: of a
    condition that is named.
    """

    level: str
    line: int
    format: str | None = None
    arguments: tuple[str, ...] = ()
    using: tuple[tuple[str, str], ...] = ()
    sqlstate: str = ""


@dataclass(frozen=True, slots=True)
class If:
    """The first branch whose condition holds; the condition of ELSE is "true"."""

    branches: "tuple[tuple[str, tuple[BlockStatement, ...]], ...]"
    line: int


@dataclass(frozen=True, slots=True)
class Block:
    """BEGIN … EXCEPTION WHEN … THEN … END. handlers: SQLSTATEs (or OTHERS), and what is done then."""

    body: "tuple[BlockStatement, ...]"
    handlers: "tuple[tuple[tuple[str, ...], tuple[BlockStatement, ...]], ...]" = ()


BlockStatement: TypeAlias = Perform | ExecuteText | Raise | If | Block


@dataclass(frozen=True, slots=True)
class Do:
    """DO 'block'."""

    block: Block
