"""What a SERIALIZABLE transaction has read, as predicates on rows: bounded, and never less than it was.

Of each tablet it remembers keys, and conditions that WHERE put on a row; what becomes too much is remembered
as more than was read: keys as the range that they lie in, conditions as the whole tablet. A row that was not
there is remembered as one that was: what is kept is what was asked for, not what was found. `validation`
holds against it what others have committed since (decision 0068).
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Final

from catalog.errors import OutOfMemoryError
from kalam_pg.functions.cost import BUDGET_US
from kalam_pg.functions.table import EvalContext
from kalam_pg.live.commits import RowChange
from kalam_pg.sql.to_python import Closure
from storage.errors import KalamError, SerializationError
from storage.ids import TabletId
from storage.layout import Row, Value
from storage.log.log_entry import Op
from storage.schema import Schema

KEYS_MAX: Final = 4096
"""Keys of one tablet that are remembered one by one."""

CONDITIONS_MAX: Final = 64
"""Conditions of one tablet: each costs some microseconds for every row that another one changed."""

BYTES_MAX: Final = 1 << 20
"""About what the keys and the parameters of all conditions may take; then they are coarsened as they come."""

TABLETS_MAX: Final = 10_000
"""Tablets of one transaction."""

TABLET_BYTES: Final = 500
"""Of each, beside its keys and conditions."""

READS: Final = "rows read"
"""What a session's account calls it."""


def conflict() -> SerializationError:
    """40001, in PostgreSQL's words."""
    return SerializationError(
        "could not serialize access due to read/write dependencies among transactions",
        detail="Reason code: Canceled on conflict out to a committed transaction.",
        hint="The transaction might succeed if retried.",
    )


class TabletReads:
    """What was read of one tablet.

    schema: the form of the rows that conditions are asked of. stream: it is a STREAM table's.
    """

    __slots__ = ("_conditions", "_high", "_keys", "_low", "_whole", "schema", "stream")

    def __init__(self, schema: Schema, *, stream: bool) -> None:
        self.schema = schema
        self.stream = stream
        self._keys: set[bytes] = set()
        self._low: bytes | None = None
        self._high = b""
        self._conditions: dict[Hashable, tuple[Closure, EvalContext]] = {}
        self._whole = False

    @property
    def is_whole(self) -> bool:
        """Whether every change of the tablet is one of what was read."""
        return self._whole

    def add_key(self, key: bytes, *, coarsely: bool = False) -> int:
        """The row of a key was asked for, there or not. Returns how many bytes that takes."""
        if self._whole or key in self._keys:
            return 0
        if self._low is None and not coarsely and len(self._keys) < KEYS_MAX:
            self._keys.add(key)
            return 100 + len(key)
        if self._low is None:
            self._low = self._high = key
        self._low = min(self._low, key, *self._keys)
        self._high = max(self._high, key, *self._keys)
        self._keys.clear()
        return 0

    def add_condition(
        self,
        name: Hashable,
        condition: Closure,
        context: Callable[[], EvalContext],
        *,
        coarsely: bool = False,
    ) -> int:
        """Rows that meet a condition were asked for. name: of equal ones. Returns what it takes, in bytes.

        context: makes what it is asked with, which nobody else changes.
        """
        if self._whole or name in self._conditions:
            return 0
        if coarsely or len(self._conditions) == CONDITIONS_MAX:
            self.add_everything()
            return 0
        own = context()
        self._conditions[name] = (condition, own)
        return 500 + _bytes_of(own.params)

    def add_everything(self) -> None:
        """All rows were asked for."""
        self._whole = True
        self._keys.clear()
        self._conditions.clear()
        self._low, self._high = None, b""

    def has_read(self, change: RowChange) -> bool:
        """Whether a change is one of what was read; its rows are in the schema's form."""
        if self._whole or change.op in (Op.TRUNCATE, Op.LOAD):
            return True
        if self._keys or self._low is not None:
            key = self.schema.key_of(change.row)  # Of `old` it is the same.
            if key in self._keys or (self._low is not None and self._low <= key <= self._high):
                return True
        old = change.old
        for condition, context in self._conditions.values():
            if _may_meet(condition, context, change.row):
                return True
            if old is not None and _may_meet(condition, context, old):
                return True
        return False


class ReadSet:
    """What one transaction has read.

    through: the newest commit against which that has been held, at first the transaction's snapshot.
    """

    __slots__ = ("_size", "tablets", "through")

    def __init__(self) -> None:
        self.tablets: dict[TabletId, TabletReads] = {}
        self.through = 0
        self._size = 0

    def of(
        self, tablet: TabletId, snapshot: int, schema: Callable[[], Schema], *, stream: bool
    ) -> TabletReads:
        """What is remembered of a tablet, to add to it. snapshot: the commit that the transaction sees.

        Raises OutOfMemoryError.
        """
        if not self.tablets:
            self.through = snapshot
        found = self.tablets.get(tablet)
        if found is None:
            if len(self.tablets) == TABLETS_MAX:
                raise OutOfMemoryError(
                    "out of shared memory",
                    detail=f"A serializable transaction can read {TABLETS_MAX} users' tables.",
                )
            found = self.tablets[tablet] = TabletReads(schema(), stream=stream)
        return found

    @property
    def is_full(self) -> bool:
        """Whether what comes is remembered coarsely."""
        return self._size > BYTES_MAX

    def grew(self, size: int) -> None:
        """What is remembered takes so many more bytes."""
        self._size += size

    def has_read(self, tablet: TabletId, row: Row) -> bool:
        """Whether a row, in its schema's form, is one of what was asked for."""
        reads = self.tablets.get(tablet)
        return reads is not None and reads.has_read(RowChange(0, Op.INSERT, row, None))


def _may_meet(condition: Closure, context: EvalContext, row: Row) -> bool:
    context.left_us = BUDGET_US
    try:
        return condition(row, context) is True
    except KalamError:
        return True  # It raises, or takes long: the statement would have told another thing.


def _bytes_of(params: Sequence[Value]) -> int:
    return sum([40 + len(p) if isinstance(p, str | bytes | tuple) else 40 for p in params])
