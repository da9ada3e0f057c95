"""Prepared statements: made by the protocol's Parse and by PREPARE alike."""

from dataclasses import dataclass
from typing import Any

from catalog.snapshot import Snapshot
from catalog.types.table import PgType
from kalam_pg.query.prepare import Planned
from kalam_pg.sql.statements import Statement
from kalam_pg.sql.tree import OutputColumn


@dataclass(slots=True)
class PreparedStatement:
    """A named (or the unnamed) statement. statement None: the text was empty.

    columns: of its result, () when it returns none.
    planned: the plan of a query or data change, good while catalog and settings are those it was made
    with (`made_with`: the snapshot and the settings' version). quick: what the wire's quick way keeps of
    it (`wire.quick.QuickStatement`), which no conversation looks into.
    """

    statement: Statement | None
    param_types: tuple[PgType, ...]
    columns: tuple[OutputColumn, ...]
    planned: Planned | None = None
    made_with: tuple[Snapshot, int] | None = None
    quick: Any = None
