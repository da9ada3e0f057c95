"""Reading and changing one row inside a transaction: locks, newest versions, overlay, key conflicts.

Each function is a generator of steps (`query.waits`): on the hot path none of them waits. A row is locked
before its newest version is read, and the lock is kept until the commit is published, so what was read
stays true until then.
"""

from dataclasses import dataclass

import trio

from catalog.errors import UniqueViolationError
from kalam_pg.query.execution import Execution
from kalam_pg.query.locks.modes import FOR_UPDATE, Mode
from kalam_pg.query.locks.waits import take
from kalam_pg.query.rules import RowRules
from kalam_pg.query.transaction import READ_COMMITTED
from kalam_pg.query.waits import Steps, run_async
from storage.errors import SerializationError
from storage.ids import TabletId
from storage.layout import Row
from storage.log.log_entry import Op
from storage.log.view import Version, View
from storage.stream import StreamTablet
from storage.tablet import ColdNeeded, Tablet


@dataclass(frozen=True, slots=True)
class Target:
    """One tablet that a statement writes: where, and by which rules."""

    rules: RowRules
    id: TabletId
    tablet: Tablet | StreamTablet
    stream: bool
    version: int


@dataclass(frozen=True, slots=True)
class Found:
    """A key's row as a transaction sees it. row None: no row. seq: of the committed version, 0 if none."""

    row: Row | None
    seq: int


def lock_key(x: Execution, target: Target, key: bytes, mode: Mode = FOR_UPDATE) -> Steps[bool]:
    """Lock a key of a tablet, existing or not. True if it had to wait. Raises 40P01, 55P03, 57014."""
    name = (target.id, key)
    locks, transaction = x.database.locks, x.transaction
    if locks.lock_nowait(transaction, name, mode):
        return False
    return (yield from take(locks, transaction, name, mode, x.patience()))


def committed(x: Execution, target: Target, key: bytes, view: View) -> Steps[Version | None]:
    """The newest version of a key in a view, wherever it lies; a tombstone is a version too."""
    tablet = target.tablet
    found = tablet.get(view, key)
    if isinstance(found, ColdNeeded):
        assert isinstance(tablet, Tablet)
        cold = tablet
        found = yield from run_async(
            lambda: trio.to_thread.run_sync(cold.get_cold, view, key),
            timeout_s=x.statement_timeout_s,
        )
    return found


def visible(x: Execution, target: Target, key: bytes) -> Steps[Found]:
    """A key's row as this statement sees it: the transaction's own change, else the view's."""
    own = x.transaction.change_of(target.id, key)
    if own is not None:
        return Found(own.row, own.base_seq)
    version = yield from committed(x, target, key, x.view)
    if version is None:
        return Found(None, 0)
    return Found(None if version.op is Op.DELETE else version.row, version.seq)


def newest(x: Execution, target: Target, key: bytes) -> Steps[Found]:
    """A locked key's row as it is now. Raises 40001 above READ COMMITTED if it changed since."""
    own = x.transaction.change_of(target.id, key)
    if own is not None:
        return Found(own.row, own.base_seq)
    with x.database.engine.acquire() as view:
        version = yield from committed(x, target, key, view)
    if version is None:
        return Found(None, 0)
    transaction = x.transaction
    if transaction.isolation != READ_COMMITTED and version.seq > x.view.seq:
        raise SerializationError("could not serialize access due to concurrent update")
    return Found(None if version.op is Op.DELETE else version.row, version.seq)


def insert(x: Execution, target: Target, row: Row) -> Steps[Found | None]:
    """Put a new row. Returns None when done, or the row that already has the key (nothing is put)."""
    key = target.rules.key_of(row)
    yield from lock_key(x, target, key)
    found = yield from newest(x, target, key)
    if found.row is not None:
        return found
    x.transaction.put(
        target.id,
        key,
        row,
        base=None,
        base_seq=found.seq,
        version=target.version,
        stream=target.stream,
    )
    return None


def replace(x: Execution, target: Target, old: Row, seq: int, row: Row) -> Steps[None]:
    """Change a locked row; a changed key moves it. Raises 23505 if another row has the new key."""
    rules = target.rules
    old_key, key = rules.key_of(old), rules.key_of(row)
    if key == old_key:
        x.transaction.put(
            target.id,
            key,
            row,
            base=old,
            base_seq=seq,
            version=target.version,
            stream=target.stream,
        )
        return
    remove(x, target, old, seq)
    if (yield from insert(x, target, row)) is not None:
        raise duplicate_key(x, target, row)


def remove(x: Execution, target: Target, row: Row, seq: int) -> None:
    """Delete a locked row."""
    x.transaction.put(
        target.id,
        target.rules.key_of(row),
        None,
        base=row,
        base_seq=seq,
        version=target.version,
        stream=target.stream,
    )


def duplicate_key(x: Execution, target: Target, row: Row) -> UniqueViolationError:
    """23505, in PostgreSQL's words."""
    table = target.rules.table
    name = next((c.name for c in table.constraints if c.kind == "p"), f"{table.name}_pkey")
    return UniqueViolationError(
        f'duplicate key value violates unique constraint "{name}"',
        detail=f"Key {target.rules.shown_key(row, x.context)} already exists.",
        schema=table.namespace,
        table=table.name,
        constraint=name,
    )
