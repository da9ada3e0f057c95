"""What cursor statements say: DECLARE, FETCH, MOVE, CLOSE. As `statements`, of which they are part."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from kalam_pg.sql.statements import QueryStatement
    from kalam_pg.sql.statements_live import Subscribe


@dataclass(frozen=True, slots=True)
class DeclareCursor:
    """scroll: SCROLL, NO SCROLL, or None where neither was said. hold: WITH HOLD. binary: BINARY."""

    name: str
    query: "QueryStatement | Subscribe"
    scroll: bool | None = None
    hold: bool = False
    binary: bool = False


@dataclass(frozen=True, slots=True)
class FetchCursor:
    """FETCH, or MOVE where `move`. direction: forward | backward | absolute | relative.

    count: of rows, or the place; None is ALL. timeout_ms: how long to wait for a row of a subscription at
    most; None is for ever.
    """

    name: str
    direction: str
    count: int | None
    move: bool = False
    timeout_ms: int | None = None


@dataclass(frozen=True, slots=True)
class CloseCursor:
    name: str | None  # None is ALL


CursorStatement: TypeAlias = DeclareCursor | FetchCursor | CloseCursor
