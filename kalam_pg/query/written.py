"""What a transaction hands to the committer."""

from collections.abc import Iterable
from itertools import islice
from typing import Final

from catalog.erasing import erased_by
from kalam_pg.query.net_change import NetChange
from kalam_pg.query.sizes import (
    CHANGE_BYTES,
    COMMITTED_BYTES,
    COMMITTED_COPIES,
    COMMITTED_VALUE_BYTES,
)
from kalam_pg.query.transaction import Transaction
from kalam_pg.query.waits import Steps, breathe
from storage.engine import Write, WriteSet
from storage.ids import TabletId
from storage.layout import VALUE_BYTES
from storage.log.hot import Put
from storage.log.log_entry import Op

AT_ONCE: Final = 4000
"""Writes that are made in one turn of the event loop: some 2 ms."""


def commit_bytes(transaction: Transaction) -> int:
    """About how much memory its commit takes beside what it holds."""
    fixed, texts = 0, transaction.memory.bytes
    for changes in transaction.changes.values():
        first = next(iter(changes.values()))
        values = len(first.row or ()) + len(first.base or ())  # The others have about as many.
        fixed += len(changes) * (COMMITTED_BYTES + values * COMMITTED_VALUE_BYTES)
        texts -= len(changes) * (CHANGE_BYTES + values * VALUE_BYTES)
    return fixed + int(COMMITTED_COPIES * max(texts, 0))


class Written:
    """The writes of a transaction. streams: those to STREAM tables."""

    __slots__ = ("streams", "writes")

    def __init__(self, transaction: Transaction) -> None:
        """What it has emptied; its changes are to be added."""
        self.writes: list[Write] = []
        self.streams: list[Write] = []
        for tablet, (version, stream) in transaction.emptied.items():
            write = Write(tablet, Op.TRUNCATE, b"", (), None, version)
            (self.streams if stream else self.writes).append(write)

    def add(
        self, tablet: TabletId, changes: Iterable[tuple[bytes, NetChange]], *, emptied: bool
    ) -> None:
        """Changes of keys of one tablet. emptied: the transaction has emptied it before."""
        writes, streams = self.writes, self.streams
        for key, change in changes:
            base, row = change.base, change.row
            if row is None:
                if base is None:
                    continue
                write = Write(tablet, Op.DELETE, key, base, base, change.version, change.base_seq)
            else:
                op = Op.INSERT if base is None else Op.UPDATE
                assumed = None if emptied else change.base_seq
                write = Write(tablet, op, key, row, base, change.version, assumed)
            (streams if change.stream else writes).append(write)


def is_large(transaction: Transaction) -> bool:
    """Whether its writes are to be made in turns."""
    if transaction.memory.bytes < AT_ONCE * CHANGE_BYTES:
        return False  # As nearly all are.
    return any(len(changes) > AT_ONCE for changes in transaction.changes.values())


def in_turns(transaction: Transaction) -> Steps[Written]:
    """Its writes, made some thousand at a time, with turns of others between. It changes nothing more."""
    written = Written(transaction)
    for tablet, changes in transaction.changes.items():
        left = iter(changes.items())
        while some := list(islice(left, AT_ONCE)):
            written.add(tablet, some, emptied=tablet in transaction.emptied)
            yield from breathe()
    return written


def write_set(transaction: Transaction, *, sync: bool, written: Written | None = None) -> WriteSet:
    """Everything that it has written. sync: whether its rows wait for the disk. written: its writes, if
    they have been made.
    """
    if written is None:
        written = Written(transaction)
        for tablet, changes in transaction.changes.items():
            written.add(tablet, changes.items(), emptied=tablet in transaction.emptied)
    writes, streams = written.writes, written.streams
    # What is told of a commit is told when its rows are durable; without any there is nothing to sync.
    told = transaction.channels is not None and bool(transaction.channels.notified)
    asked, sync = sync, bool(writes) and (sync or told)
    numbers: list[Put] = []
    if transaction.numbers is not None and transaction.numbers:
        # What was taken without being written must not come again either, as far as `sync` asks.
        numbers, sync = transaction.numbers.puts(), sync or asked
    if transaction.notes:
        numbers = [*numbers, *transaction.notes.items()]
    made = WriteSet(writes, streams, transaction.puts, sync, numbers=numbers)
    made.weight = transaction.memory.bytes
    if transaction.puts:
        made.erased = erased_by(transaction.puts)
        # Its definitions wait for the disk as its rows do (decision 0073), but never what takes away.
        made.system_sync = asked or told or transaction.lasting or bool(made.erased)
    if transaction.definitions is not None or transaction.temporaries is not None:
        both = [
            one for one in (transaction.definitions, transaction.temporaries) if one is not None
        ]
        tables = [t for one in both for t in one.tables.values() if t is not None]
        made.layouts = [(t.storage_id, t.layouts) for t in tables if t.history]
    return made
