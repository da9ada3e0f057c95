"""Rows of one statement that are written without a wait: the quick way of many rows.

What a row needs in the general way (`query.rows`, `query.row_changes`) are generators that may wait, a dozen
of them. Most rows wait for nothing: nobody has locked them, and what is known of them is in memory. Those are
written here, as many as come before the first that cannot be: each step is done for all of them, by the same
rules. That first one is left to the general way, with nothing of it changed, and nothing of those behind it.
"""

from collections.abc import Iterable, Sequence
from itertools import repeat
from time import perf_counter

from kalam_pg.functions.cost import TakesLongError
from kalam_pg.query.execution import Execution
from kalam_pg.query.locks.modes import FOR_UPDATE, Mode
from kalam_pg.query.rows import Target
from kalam_pg.query.rules import Closure
from kalam_pg.query.transaction import READ_COMMITTED
from kalam_pg.query.waits import STRIDE, TURN_S
from kalam_pg.sql.closures import null
from storage.errors import KalamError
from storage.layout import Row
from storage.log.view import Version
from storage.tablet import ColdNeeded, Tablet

_WINDOW_FIRST = 64
"""Rows that are looked at before it is known how long each takes."""

Assignments = Sequence[tuple[int, Closure | None]]
"""What SET puts where; None is the column's default."""


class AtOnce:
    """Writes rows of one tablet, of a table that has no unique index, no generated column and no
    FOREIGN KEY to look after.
    """

    __slots__ = (
        "_id",
        "_locks",
        "_rules",
        "_tablet",
        "_target",
        "_transaction",
        "_watched",
        "_window",
        "_x",
    )

    def __init__(self, x: Execution, target: Target, tablet: Tablet) -> None:
        self._x = x
        self._target = target
        self._tablet = tablet
        self._id = target.id
        self._rules = target.rules
        self._watched = target.rules.needs_check
        self._locks = x.database.locks
        self._transaction = x.transaction
        self._window = _WINDOW_FIRST

    @staticmethod
    def of(x: Execution, target: Target) -> "AtOnce | None":
        """What writes rows of the target; None: each goes the general way."""
        rules, tablet = target.rules, target.tablet
        if target.indexes or rules.references or rules.referenced or not isinstance(tablet, Tablet):
            return None
        if rules.generated:
            return None
        return AtOnce(x, target, tablet)

    def insert(self, rows: Sequence[Row], at: int) -> int:
        """Put new rows from place `at` on, as many as can be: how many; 0: the next goes the general way.

        Raises 53200.
        """
        rows = rows[at : at + self._window]
        asked, since_s = len(rows), perf_counter()
        if asked == 1:
            count = self._insert_one(rows[0])
            self._window = _next_window(count, asked, perf_counter() - since_s)
            return count
        rows = rows[: self._passing(rows)]
        mark = len(self._transaction.held)
        keys = self._keys_of(rows)
        keys = keys[: self._lock(keys, FOR_UPDATE)]
        count = _free(self._newest(keys))
        if self._sees_others and keys:
            count = min(count, _free(self._tablet.get_all(self._x.view, keys)))
        keys = self._kept(keys, count, mark, FOR_UPDATE)
        if keys:
            self._put(keys, rows[:count], None, repeat(0))
        self._window = _next_window(count, asked, perf_counter() - since_s)
        return count

    def _insert_one(self, row: Row) -> int:
        """The same of one row: numbers of sequences are taken row by row."""
        if not self._passing((row,)):
            return 0
        try:
            key = self._rules.key_of(row)
        except KalamError:
            return 0
        transaction, mark = self._transaction, len(self._transaction.held)
        if transaction.change_of(self._id, key) is not None or not self._lock((key,), FOR_UPDATE):
            return 0
        there = self._tablet.get(self._x.database.engine.current, key)
        if there is None and self._sees_others:
            there = self._tablet.get(self._x.view, key)
        if there is not None:
            self._locks.release_to(transaction, mark)
            return 0
        transaction.put(self._id, key, row, base=None, base_seq=0, version=self._target.version)
        return 1

    @property
    def _sees_others(self) -> bool:
        """Whether the transaction may see rows that are deleted: their keys go the general way."""
        x = self._x
        if self._transaction.isolation == READ_COMMITTED:
            return False
        return x.database.engine.current.seq > x.view.seq

    def change(
        self,
        found: Sequence[Row],
        keys: Sequence[bytes],
        at: int,
        mode: Mode,
        assignments: Assignments | None,
    ) -> Sequence[Row]:
        """Delete found rows from place `at` on, or assign to them, as many as can be: what RETURNING sees.

        found: the table's columns, `_seq`, `_deleted` and what SET needs beside. A row that has changed since
        it was found, or of which this transaction has changed anything, is not written here: where that is
        the next one, there are none, and it goes the general way. Raises 53200.
        """
        found = found[at : at + self._window]
        width, asked, since_s = len(self._rules.table.columns), len(found), perf_counter()
        keys = keys[at : at + asked]
        keys = keys[: self._unchanged(keys)]
        mark = len(self._transaction.held)
        keys = keys[: self._lock(keys, mode)]
        versions: list[Version] = []
        there = self._newest(keys)
        for row, version in zip(found, there, strict=False):
            if not isinstance(version, Version) or version.seq != row[width]:
                break
            versions.append(version)
        # What is stored: an engine's answer is not that bit by bit.
        olds = [version.row for version in versions]
        seen = [(*old, *row[width:]) for old, row in zip(olds, found, strict=False)]
        rows: list[Row] | None = None
        count = len(seen)
        if assignments is not None:
            rows = self._assigned(seen, keys, assignments, width)
            count = len(rows)
        keys = self._kept(keys, count, mark, mode)
        if keys:
            self._put(keys, rows, olds[:count], [one.seq for one in versions[:count]])
        self._window = _next_window(count, asked, perf_counter() - since_s)
        if rows is None:
            return seen
        return [(*row, *given[width:]) for row, given in zip(rows, seen, strict=False)]

    def _lock(self, keys: Sequence[bytes], mode: Mode) -> int:
        return self._locks.lock_rows_nowait(self._transaction, self._id, keys, mode)

    def _newest(self, keys: Sequence[bytes]) -> Sequence[Version | ColdNeeded | None]:
        """What is committed of locked keys. Where none could be locked the log may not be readable now."""
        if not keys:
            return ()
        known, tablet = self._x.cold, self._id
        if known and all((tablet, key) in known for key in keys):
            return [known[tablet, key] for key in keys]
        return self._tablet.get_all(self._x.database.engine.current, keys)

    def _kept(self, keys: Sequence[bytes], count: int, mark: int, mode: Mode) -> Sequence[bytes]:
        """The first of some locked keys; the others' locks are given back."""
        if count == len(keys):
            return keys
        self._locks.release_to(self._transaction, mark)
        self._lock(keys[:count], mode)
        return keys[:count]

    def _assigned(
        self, seen: Sequence[Row], keys: Sequence[bytes], assignments: Assignments, width: int
    ) -> list[Row]:
        """The rows as SET makes them, up to the first that takes long, fails, breaks a rule or moves.

        That one is told of when those before it are written: one of them may fail, too.
        """
        rules, context = self._rules, self._x.context
        watched, defaults, made = self._watched, rules.defaults, list[Row]()
        sources = [(at, c or defaults[at] or null) for at, c in assignments]
        moves = any(at in rules.key for at, _ in assignments)
        for old, key in zip(seen, keys, strict=False):
            changed = list(old[:width])
            try:
                for at, source in sources:
                    changed[at] = source(old, context)
                row = tuple(changed)
                if watched or None in row:
                    rules.check(row, context)
                if moves and rules.key_of(row) != key:
                    break
            except (TakesLongError, KalamError):
                break
            made.append(row)
        return made

    def _passing(self, rows: Sequence[Row]) -> int:
        """How many of the first satisfy the table, as far as that takes no time."""
        watched, check, context = self._watched, self._rules.check, self._x.context
        for at, row in enumerate(rows):
            if watched or None in row:
                try:
                    check(row, context)
                except (TakesLongError, KalamError):
                    return at
        return len(rows)

    def _keys_of(self, rows: Sequence[Row]) -> Sequence[bytes]:
        """The keys of the first new rows that nothing of this transaction is in the way of."""
        key_of = self._rules.key_of
        try:
            keys = list(map(key_of, rows))
        except KalamError:  # One is too long: it is told when those before it are written.
            keys = list(map(key_of, rows[:1]))
        return keys[: self._unchanged(keys)]

    def _unchanged(self, keys: Sequence[bytes]) -> int:
        """How many of the first come once, and have not been changed by this transaction."""
        changes = self._transaction.changes.get(self._id)
        seen = set(keys)
        if len(seen) == len(keys) and (not changes or changes.keys().isdisjoint(seen)):
            return len(keys)
        mine, known = changes or {}, set[bytes]()
        for at, key in enumerate(keys):
            if key in mine or key in known:
                return at
            known.add(key)
        return len(keys)

    def _put(
        self,
        keys: Sequence[bytes],
        rows: Sequence[Row] | None,
        olds: Sequence[Row] | None,
        seqs: Iterable[int],
    ) -> None:
        version = self._target.version
        self._transaction.put_all(self._id, keys, rows, bases=olds, seqs=seqs, version=version)


def _free(there: Sequence[Version | ColdNeeded | None]) -> int:
    """How many of the first keys have no row."""
    return next((n for n, found in enumerate(there) if found is not None), len(there))


def _next_window(count: int, asked: int, took_s: float) -> int:
    """How many to look at next time: where many rows must wait, few are looked at in vain, and where each
    takes long, as many as the others may wait for.
    """
    if count < asked:
        return max(1, count)
    if took_s > TURN_S:
        return max(1, int(asked * TURN_S / took_s))
    return min(2 * asked, STRIDE)
