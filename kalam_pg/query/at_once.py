"""Rows of one statement that are written one after the other without a wait: the quick way of many rows.

What a row needs in the general way (`query.rows`, `query.row_changes`) are generators that may wait, a dozen
of them. Most rows wait for nothing: nobody has locked them, and what is known of them is in memory. Those are
written here by plain calls, in the same order and by the same rules; whichever cannot be is left to the
general way, with nothing changed.
"""

from collections.abc import Sequence

from kalam_pg.functions.cost import TakesLongError
from kalam_pg.query.execution import Execution
from kalam_pg.query.locks.modes import FOR_UPDATE, Mode
from kalam_pg.query.rows import Target
from kalam_pg.query.rules import Closure
from storage.layout import Row
from storage.log.view import Version
from storage.tablet import ColdNeeded, Tablet

Assignments = Sequence[tuple[int, Closure | None]]
"""What SET puts where; None is the column's default."""


class AtOnce:
    """Writes rows of one tablet, of a table that has no unique index, no generated column and no
    FOREIGN KEY to look after.
    """

    __slots__ = ("_id", "_locks", "_rules", "_tablet", "_target", "_transaction", "_watched", "_x")

    def __init__(self, x: Execution, target: Target, tablet: Tablet) -> None:
        self._x = x
        self._target = target
        self._tablet = tablet
        self._id = target.id
        self._rules = target.rules
        self._watched = target.rules.needs_check
        self._locks = x.database.locks
        self._transaction = x.transaction

    @staticmethod
    def of(x: Execution, target: Target) -> "AtOnce | None":
        """What writes rows of the target; None: each goes the general way."""
        rules, tablet = target.rules, target.tablet
        if target.indexes or rules.references or rules.referenced or not isinstance(tablet, Tablet):
            return None
        if rules.generated:
            return None
        return AtOnce(x, target, tablet)

    def insert(self, row: Row) -> bool:
        """Check and put a new row; False: it must go the general way. Raises what the table's rules raise."""
        if not self._passes(row):
            return False
        key, transaction = self._rules.key_of(row), self._transaction
        mark = len(transaction.held)
        if not self._lock(key, FOR_UPDATE):
            return False
        if transaction.change_of(self._id, key) is not None or self._committed(key) is not None:
            self._locks.release_to(transaction, mark)
            return False
        self._put(key, row, None, 0)
        return True

    def change(
        self, found: Row, key: bytes, mode: Mode, assignments: Assignments | None
    ) -> Row | None:
        """Delete a found row, or assign to it: what RETURNING sees. None: it must go the general way.

        found: the table's columns, `_seq`, `_deleted` and what SET needs beside. A row that has changed since
        it was found, or of which this transaction has changed anything, is not written here.
        """
        width = len(self._rules.table.columns)
        if not self._lock(key, mode) or self._transaction.change_of(self._id, key) is not None:
            return None
        there = self._committed(key)
        if not isinstance(there, Version) or there.seq != found[width]:
            return None
        old, seen = there.row, (*there.row, *found[width:])
        if assignments is None:
            self._put(key, None, old, there.seq)
            return seen
        row = self._assigned(seen, old, assignments)
        if row is None or not self._passes(row) or self._rules.key_of(row) != key:
            return None
        self._put(key, row, old, there.seq)
        return (*row, *found[width:])

    def _assigned(self, seen: Row, old: Row, assignments: Assignments) -> Row | None:
        """The row as SET makes it; None: that takes long."""
        changed, context = list(old), self._x.context
        defaults = self._rules.defaults
        try:
            for at, closure in assignments:
                source = defaults[at] if closure is None else closure
                changed[at] = None if source is None else source(seen, context)
        except TakesLongError:
            return None
        return tuple(changed)

    def _passes(self, row: Row) -> bool:
        """Whether it satisfies the table, as far as that takes no time; raises if it does not."""
        if self._watched or None in row:
            try:
                self._rules.check(row, self._x.context)
            except TakesLongError:
                return False
        return True

    def _lock(self, key: bytes, mode: Mode) -> bool:
        if self._locks.is_guarded(self._id):
            return False
        return self._locks.lock_nowait(self._transaction, (self._id, key), mode)

    def _committed(self, key: bytes) -> Version | ColdNeeded | None:
        """The newest committed version of a locked key; None: no row has it; or COLD_NEEDED."""
        return self._tablet.get(self._x.database.engine.current, key)

    def _put(self, key: bytes, row: Row | None, old: Row | None, seq: int) -> None:
        version = self._target.version
        self._transaction.put(self._id, key, row, base=old, base_seq=seq, version=version)
