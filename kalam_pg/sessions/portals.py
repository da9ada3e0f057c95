"""Portals: statements with their parameters, open to be run. Bind makes them, and DECLARE, and they are one.

A portal that returns rows is a cursor: FETCH moves in one that Bind made, Execute goes on with one that was
declared. What it reads from belongs to the execution of its statement; the portal closes that, and every
way in which a portal ends leads over `Portals.drop`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf

from catalog.errors import (
    ConfigurationLimitExceededError,
    DuplicateCursorError,
    InsufficientPrivilegeError,
    InvalidCursorNameError,
    ObjectNotInPrerequisiteStateError,
)
from kalam_pg.memory import Holding
from kalam_pg.query.execution import Result
from kalam_pg.query.live_rows import LiveRows
from kalam_pg.query.row_source import Whole
from kalam_pg.query.row_store import Spills
from kalam_pg.query.waits import Steps
from kalam_pg.sessions.cursor_rows import CursorRows
from kalam_pg.sessions.live_cursors import LiveCursor
from kalam_pg.sessions.prepared import PreparedStatement
from kalam_pg.sql.tree import OutputColumn
from storage.layout import Row, Value


@dataclass(frozen=True, slots=True)
class Options:
    """What DECLARE says of a cursor. scroll: it may go back.

    hold: it stays when its transaction commits. part_max: rows of a subscription that are given at once, 0
    is no limit.
    """

    scroll: bool = False
    hold: bool = False
    binary: bool = False
    part_max: int = 0


FORWARD = Options()
"""What Bind makes."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Where a cursor's rows have the primary keys of their tables' rows, for WHERE CURRENT OF.

    width: how many columns the client sees. places: (table's id, where its key begins), in the order of FROM.
    locks: they are the tables whose rows the query locks.
    """

    width: int
    places: tuple[tuple[int, int], ...]
    locks: bool


class Portal:
    """One portal.

    formats: in which Execute sends its columns, one for each. depth: savepoints around it when it was
    made; None: its transaction has committed and it is held. result: None until it is run. rows: what is
    left of its answer, None while it has not been run or when it has none. can_run: not after its statement
    failed, or ended without rows. counts: its tag has a number. parameter_bytes: what they take in memory.
    rank: of who had logged in, when it was run. keys: where its rows have their tables' keys (`positioned`).
    """

    __slots__ = (
        "can_run", "counts", "created_us", "depth", "formats", "keys", "name", "options",
        "parameter_bytes", "params", "prepared", "rank", "result", "rows",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        prepared: PreparedStatement,
        params: tuple[Value, ...],
        formats: tuple[int, ...],
        created_us: int,
        depth: int,
        options: Options = FORWARD,
    ) -> None:
        """A portal whose statement has not been run."""
        self.name = name
        self.prepared = prepared
        self.params = params
        self.formats = formats
        self.created_us = created_us
        self.depth: int | None = depth
        self.options = options
        self.parameter_bytes = 0
        self.rank = 0
        self.keys: Keys | None = None
        self.result: Result | None = None
        self.rows: CursorRows | None = None
        self.can_run = True
        self.counts = False

    @property
    def columns(self) -> tuple[OutputColumn, ...]:
        """Of the rows that it answers."""
        return self.prepared.columns

    def check_runnable(self, rank: int) -> None:
        """Raise 55000 when it cannot be run (again), 42501 when it was run for a higher rank than this."""
        if rank < self.rank:
            raise InsufficientPrivilegeError(
                f'permission denied for cursor "{self.name}"',
                detail="It was opened before its user's role was taken back.",
            )
        if not self.can_run or (self.rows is not None and self.rows.broken):
            raise ObjectNotInPrerequisiteStateError(f'portal "{self.name}" cannot be run')

    def open_rows(self, result: Result, spills: Spills) -> CursorRows:
        """Its statement has been run: the rows of the answer, none of them read."""
        self.result = result
        source = result.source or Whole(result.rows)
        if isinstance(source, LiveRows):
            self.rows = LiveCursor(source, spills, self.options.part_max)
        else:
            width = None if self.keys is None else self.keys.width
            self.rows = CursorRows(source, spills.store() if self.options.scroll else None, width)
        return self.rows

    def rows_left(self) -> CursorRows:
        """What is left of its answer, also when all of that was sent at once."""
        if self.rows is None:
            self.rows = CursorRows(Whole(()), None)
        return self.rows

    def go_on(self, statement_timeout_s: float, wait_s: float = inf) -> None:
        """Another statement reads on, in a time of its own. wait_s: how long it waits for a row at most."""
        if isinstance(self.rows, LiveCursor):
            self.rows.allow(wait_s, statement_timeout_s)
        elif self.result is not None and self.result.execution is not None:
            self.result.execution.go_on(statement_timeout_s)

    def keep(self, spills: Spills) -> Steps[None]:
        """Have all its rows, before its transaction ends. Raises what its query does, and 53100."""
        if isinstance(self.rows, LiveCursor):
            return  # They are of no transaction.
        if self.rows is not None:
            yield from self.rows.keep(spills)
        if self.result is not None:
            self.result.close()

    def close(self) -> None:
        """Free what it holds. Again is no error."""
        self.can_run = False
        if self.rows is not None:
            self.rows.close()
        if self.result is not None:
            self.result.close()


PORTALS_MAX = 1000
"""Named portals of one session: each may have a file open."""

_PORTAL_BYTES = 1000
"""That a portal takes beside its parameters."""


@dataclass(slots=True)
class Portals:
    """A session's portals by name ("" is the protocol's unnamed one), and how they end.

    memory: what they take of it.
    """

    memory: Holding
    _by_name: dict[str, Portal] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self._by_name)

    def __iter__(self) -> Iterator[Portal]:
        return iter(self._by_name.values())

    @property
    def some_are_named(self) -> bool:
        """Whether any is open but the unnamed one, which the next statement takes the place of."""
        return len(self._by_name) > ("" in self._by_name)

    def get(self, name: str) -> Portal | None:
        """The portal of that name."""
        return self._by_name.get(name)

    def find(self, name: str) -> Portal:
        """The portal of that name, for SQL. Raises 34000."""
        found = self._by_name.get(name)
        if found is None:
            raise InvalidCursorNameError(f'cursor "{name}" does not exist')
        return found

    def check_free(self, name: str) -> None:
        """Raise 42P03 for a name in use; the unnamed portal gives way."""
        if name and name in self._by_name:
            raise DuplicateCursorError(f'cursor "{name}" already exists')

    def add(self, portal: Portal) -> None:
        """A portal is open from now on. Raises 42P03, 53400 for one too many, and 53200."""
        name = portal.name
        if name in self._by_name:
            self.check_free(name)
            self.drop(name)
        try:
            if name:
                self._check_number()
            self.memory.add(_PORTAL_BYTES + portal.parameter_bytes)
        except BaseException:
            portal.close()
            raise
        self._by_name[name] = portal

    def drop(self, name: str) -> None:
        """Close a portal; there need be none."""
        portal = self._by_name.pop(name, None)
        if portal is not None:
            self.memory.add(-_PORTAL_BYTES - portal.parameter_bytes)
            portal.close()

    def _check_number(self) -> None:
        if len(self._by_name) >= PORTALS_MAX:
            raise ConfigurationLimitExceededError(
                "too many open cursors",
                hint="Close those that are not needed, or end the transaction.",
            )

    def drop_all(self) -> None:
        """Close every portal."""
        for name in list(self._by_name):
            self.drop(name)

    # ------------------------------------------------------------------ transactions

    def keep_held(self, spills: Spills) -> Steps[None]:
        """The transaction is going to commit: read what is WITH HOLD. Raises what its query does."""
        for portal in list(self._by_name.values()):
            if portal.options.hold and portal.depth is not None:
                yield from portal.keep(spills)

    def fail(self, depth: int) -> None:
        """Those made inside at least so many savepoints will be gone: they need hold nothing any more."""
        for portal in self._by_name.values():
            if portal.depth is not None and portal.depth >= depth:
                portal.close()

    def commit(self) -> None:
        """The transaction has committed: those WITH HOLD stay."""
        for portal in list(self._by_name.values()):
            if portal.options.hold:
                portal.depth = None
            else:
                self.drop(portal.name)

    def rollback(self, depth: int = 0) -> None:
        """Those made inside at least so many savepoints are gone."""
        for portal in list(self._by_name.values()):
            if portal.depth is not None and portal.depth >= depth:
                self.drop(portal.name)

    def release(self, depth: int) -> None:
        """The savepoints from `depth` on are part of what is around them."""
        for portal in self._by_name.values():
            if portal.depth is not None:
                portal.depth = min(portal.depth, depth - 1)

    # ------------------------------------------------------------------ pg_cursors

    def described(self) -> Iterator[Row]:
        """The rows of pg_cursors."""
        for portal in self._by_name.values():
            if portal.name:
                how = portal.options
                shown = (portal.name, portal.prepared.text, how.hold, how.binary, how.scroll)
                yield (*shown, portal.created_us)
