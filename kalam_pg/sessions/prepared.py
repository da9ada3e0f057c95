"""A prepared statement, made by the protocol's Parse and by PREPARE alike."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from catalog.snapshot import Snapshot
from catalog.typed import current_types
from catalog.types.table import PgType
from kalam_pg.memory import Holding
from kalam_pg.query.lru import cost
from kalam_pg.query.prepare import Planned
from kalam_pg.sessions.validity import Validity
from kalam_pg.sql.statements import Statement
from kalam_pg.sql.tree import OutputColumn
from storage.layout import Row, Value

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession


@dataclass(frozen=True, slots=True)
class Given:
    """Literals that were taken out of a statement's text: their types, and their values."""

    types: tuple[PgType, ...]
    params: Sequence[Value]


@dataclass(slots=True)
class PreparedStatement:
    """A named (or the unnamed) statement. statement None: the text was empty.

    columns: of its result, () when it returns none. planned: the plan of a query or data change, as long
    as `validity` holds. text: all that it was sent in. from_sql: by
    PREPARE, at `prepared_us`. given: what it runs with, when that stood in its text: it has no parameters
    then for whoever sent it. quick: what the wire's quick
    way keeps of it (`wire.quick.QuickStatement`), which no conversation looks into. snapshot: where its types
    were looked up last.
    """

    statement: Statement | None
    param_types: tuple[PgType, ...]
    columns: tuple[OutputColumn, ...]
    planned: Planned | None = None
    validity: Validity | None = None
    text: str = ""
    from_sql: bool = False
    prepared_us: int = 0
    given: Given | None = None
    quick: Any = None
    snapshot: Snapshot | None = None

    def current(self, sql: "SqlSession") -> Planned | None:
        """The plan, if it is good now; None when it must be made (again)."""
        validity = self.validity
        return None if validity is None or not validity.holds(sql) else self.planned

    def renew_types(self, snapshot: Snapshot) -> None:
        """Have the types that people made as they are by now: the same, with other labels, say."""
        if self.snapshot is snapshot:
            return
        self.snapshot = snapshot
        if not snapshot.types:
            return
        self.param_types = current_types(self.param_types, snapshot)
        kinds = tuple([column.type for column in self.columns])
        if (current := current_types(kinds, snapshot)) is not kinds:
            self.columns = tuple(
                [replace(c, type=kind) for c, kind in zip(self.columns, current, strict=True)]
            )
        if self.given is not None:
            self.given = replace(self.given, types=current_types(self.given.types, snapshot))


class PreparedStatements(dict[str, PreparedStatement]):
    """A session's prepared statements by name, and what they take of its memory."""

    def __init__(self, memory: Holding) -> None:
        super().__init__()
        self._memory = memory

    def __setitem__(self, name: str, prepared: PreparedStatement) -> None:
        """Add one, or replace the unnamed one. Raises 53200."""
        self._memory.add(_bytes(name, prepared) - _bytes(name, self.get(name)))
        super().__setitem__(name, prepared)

    def __delitem__(self, name: str) -> None:
        self._memory.add(-_bytes(name, self.get(name)))
        super().__delitem__(name)

    def drop(self, name: str) -> None:
        """Forget a statement, if there is one of that name."""
        if name in self:
            del self[name]

    def clear(self) -> None:
        """Forget all."""
        self._memory.note(0)
        super().clear()


def _bytes(name: str, prepared: PreparedStatement | None) -> int:
    """A statement's tree and its plan."""
    return 0 if prepared is None else 2 * cost(prepared.text) + len(name)


def described_statements(prepared: Mapping[str, PreparedStatement]) -> Iterator[Row]:
    """The rows of pg_prepared_statements: those that have a name."""
    for name, one in prepared.items():
        if name:
            types = tuple([of.oid for of in one.param_types])
            yield name, one.text, one.prepared_us, types, one.from_sql, 0, 0
