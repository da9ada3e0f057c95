"""Reading and locking one row inside a transaction: locks, newest versions, overlay, keys that are taken.

Each function is a generator of steps (`query.waits`): on the hot path none of them waits. A row is locked
before its newest version is read, and the lock is kept until the commit is published, so what was read
stays true until then.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import trio

from kalam_pg.query.execution import Execution
from kalam_pg.query.locks.modes import FOR_UPDATE, ROW_EXCLUSIVE, Mode
from kalam_pg.query.locks.waits import take
from kalam_pg.query.noting import note_key
from kalam_pg.query.read_set import conflict
from kalam_pg.query.rules import RowRules
from kalam_pg.query.transaction import READ_COMMITTED, Transaction
from kalam_pg.query.unique import UniqueRule
from kalam_pg.query.waits import Steps, run_async
from storage.errors import SerializationError
from storage.ids import TabletId
from storage.layout import Row, Value
from storage.log.view import Version, View
from storage.stream import StreamTablet
from storage.tablet import ColdNeeded, Tablet


@dataclass(frozen=True, slots=True)
class Place:
    """One tablet that a statement reads or writes. version: the schema version of what it writes."""

    id: TabletId
    tablet: Tablet | StreamTablet
    stream: bool
    version: int


@dataclass(frozen=True, slots=True)
class Entries(Place):
    """Where a unique index of a table has its entries, and the index's rule."""

    rule: UniqueRule


@dataclass(frozen=True, slots=True)
class Target(Place):
    """The tablet that a statement is about, with the table's rules and unique indexes."""

    rules: RowRules
    indexes: tuple[Entries, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A key's row as a transaction sees it. row None: no row. seq: of the committed version, 0 if none."""

    row: Row | None
    seq: int


def lock_key(x: Execution, target: Place, key: bytes, mode: Mode = FOR_UPDATE) -> Steps[bool]:
    """Lock a key of a tablet, existing or not. True if it had to wait. Raises 40P01, 55P03, 57014."""
    name = (target.id, key)
    locks, transaction = x.database.locks, x.transaction
    waited = locks.is_guarded(target.id) and (yield from enter(x, target.id))
    if locks.lock_nowait(transaction, name, mode):
        return waited
    return (yield from take(locks, transaction, name, mode, x.patience()))


def enter(x: Execution, tablet: TabletId) -> Steps[bool]:
    """Lock a guarded tablet for what is done to its rows. True if it had to wait."""
    return (yield from take(x.database.locks, x.transaction, tablet, ROW_EXCLUSIVE, x.patience()))


def committed(x: Execution, target: Place, key: bytes, view: View) -> Steps[Version | None]:
    """The row of a key in a view, wherever it lies; None: there is none, or it is deleted."""
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


def visible(x: Execution, target: Place, key: bytes) -> Steps[Found]:
    """A key's row as this statement sees it: the transaction's own change, else the view's."""
    own = x.own_change(target.id, key)
    if own is not None:
        return Found(own.row, own.base_seq)
    version = yield from committed(x, target, key, x.view)
    return Found(None, 0) if version is None else Found(version.row, version.seq)


def newest(x: Execution, target: Place, key: bytes, *, deleted: str = "delete") -> Steps[Found]:
    """A locked key's row as it is now. Raises 40001 above READ COMMITTED if it changed since.

    deleted: what the error calls it when the row is gone.
    """
    own = x.transaction.change_of(target.id, key)
    if own is not None:
        return Found(own.row, own.base_seq)
    found = yield from now(x, target, key)
    if x.transaction.isolation != READ_COMMITTED:
        if found.seq > x.view.seq:
            raise SerializationError("could not serialize access due to concurrent update")
        if found.row is None and (yield from committed(x, target, key, x.view)) is not None:
            raise SerializationError(f"could not serialize access due to concurrent {deleted}")
    return found


def still_there(x: Execution, target: Target, found: Found) -> Steps[Found]:
    """A locked row as it was found, or none if it has been deleted since. Raises 40001 as `newest`."""
    assert found.row is not None
    key = target.rules.key_of(found.row)
    if x.transaction.change_of(target.id, key) is not None:
        return (yield from newest(x, target, key))
    there = yield from now(x, target, key)
    if there.row is not None:
        return found
    return (yield from newest(x, target, key, deleted="update"))


def now(x: Execution, target: Place, key: bytes) -> Steps[Found]:
    """A key's row as it has been committed, whatever this transaction sees."""
    # Between here and the answer nobody else has a turn: the view needs not be held.
    version: Version | ColdNeeded | None
    if x.cold and (target.id, key) in x.cold:
        version = x.cold[target.id, key]
    else:
        version = target.tablet.get(x.database.engine.current, key)
    if isinstance(version, ColdNeeded):
        with x.database.engine.acquire() as view:
            version = yield from committed(x, target, key, view)
    return Found(None, 0) if version is None else Found(version.row, version.seq)


def own_or_now(x: Execution, target: Place, key: bytes) -> Steps[Found]:
    """A key's row as this transaction leaves it, or as it has been committed, whatever it sees."""
    own = x.transaction.change_of(target.id, key)
    return Found(own.row, own.base_seq) if own is not None else (yield from now(x, target, key))


def unchanged(x: Execution, target: Place, keys: Sequence[bytes]) -> list[bytes]:
    """Those of the keys, each once, of which this transaction has changed nothing."""
    changes = x.transaction.changes.get(target.id, {})
    return list(dict.fromkeys([key for key in keys if key not in changes]))


def left(x: Execution, target: Place, key: bytes) -> Steps[Row | None]:
    """The row of a key that this transaction leaves there, which may have emptied the tablet since."""
    if target.id in x.transaction.emptied and x.transaction.change_of(target.id, key) is None:
        return None
    return (yield from own_or_now(x, target, key)).row


def being_changed(x: Execution, target: Place, key: bytes) -> bool:
    """Whether another transaction that holds the row's lock has changed it, and not just locked it."""
    holders = x.database.locks.holders((target.id, key))
    return any(
        not isinstance(holder, Transaction) or holder.change_of(target.id, key) is not None
        for holder in holders
        if holder is not x.transaction
    )


def _in_the_way(
    x: Execution, target: Target | Entries, key: bytes, found: Found, *, seen: bool
) -> Found:
    """The committed row that has a key, unless it had to be `seen` and is not."""
    if seen and x.transaction.isolation != READ_COMMITTED and found.seq > x.view.seq:
        raise SerializationError("could not serialize access due to concurrent update")
    if x.transaction.reads is not None:
        check_unread(x, target, found)
        table = target.rule.entries if isinstance(target, Entries) else target.rules.table
        note_key(x, table, x.user, key)
    return found


def _check_unseen(x: Execution, target: Target, key: bytes) -> Steps[None]:
    """Raise 40001 if the transaction sees a row of this key, which others have deleted since.

    PostgreSQL would show it both rows from then on. Here a key has one row in whatever a statement reads.
    """
    if target.stream or x.transaction.change_of(target.id, key) is not None:
        return
    if (
        x.database.engine.current.seq > x.view.seq
        and (yield from committed(x, target, key, x.view)) is not None
    ):
        raise SerializationError("could not serialize access due to concurrent delete")


def check_unread(x: Execution, target: Place, found: Found) -> None:
    """Raise 40001 if a row is in the way that the transaction has asked for and did not see.

    Else it would be told of a duplicate that it had made sure not to make.
    """
    reads = x.transaction.reads
    if reads is None or found.row is None or found.seq <= x.view.seq:
        return
    if reads.has_read(target.id, found.row):
        raise conflict()


def is_newest(x: Execution, target: Target, row: Row, seq: Value, current: Found) -> bool:
    """Whether a row that was found, of commit `seq`, still was the newest when it was locked."""
    if x.transaction.changes and x.transaction.change_of(target.id, target.rules.key_of(row)):
        return True
    return seq == current.seq


def taken(
    x: Execution, target: Target | Entries, key: bytes, *, seen: bool = False
) -> Steps[Found]:
    """The row that has a key: none, and the key is locked; or one, and it is not.

    seen: raise 40001 if it is one that the transaction does not see. And if there is none any more, but one
    that it sees (`_check_unseen`).
    """
    transaction, locks = x.transaction, x.database.locks
    if locks.is_guarded(target.id):
        yield from enter(x, target.id)
    mark = len(transaction.held)
    if not locks.lock_nowait(transaction, (target.id, key), FOR_UPDATE):
        if not being_changed(x, target, key):
            # Who only locks a row keeps it where it is: that is all that matters here.
            there = yield from now(x, target, key)
            if there.row is not None:
                return _in_the_way(x, target, key, there, seen=seen)
        yield from lock_key(x, target, key)
    found = yield from own_or_now(x, target, key)
    if found.row is None:
        if transaction.isolation != READ_COMMITTED and isinstance(target, Target):
            yield from _check_unseen(x, target, key)
        return found
    locks.release_to(transaction, mark)
    if transaction.change_of(target.id, key) is not None:
        return found
    return _in_the_way(x, target, key, found, seen=seen)


def put(
    x: Execution, target: Place, key: bytes, row: Row | None, base: Row | None, seq: int
) -> None:
    """A locked key now holds `row`, instead of `base` of commit `seq`. None: no row."""
    x.transaction.put(
        target.id,
        key,
        row,
        base=base,
        base_seq=seq,
        version=target.version,
        stream=target.stream,
    )
