"""How a transaction that has locked or changed very many rows leaves: some thousand at a time.

To release a million locks, and to free as many rows, takes a second; the event loop may be held for
10 ms. So what a large transaction has left is given back in turns. Whoever asked for its end is told when all
of it is given back, as if it had been done at once: the next statement finds no lock of a transaction that
has ended.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from kalam_pg.query.database import Database
from kalam_pg.query.transaction import Transaction
from kalam_pg.query.waits import Resume, Spawn, Steps, Wait, wait

AT_ONCE: Final = 4000
"""Locks, or rows, that are given back in one turn: some 3 ms."""


def begin(database: Database, transaction: Transaction) -> None:
    """A transaction has ended: give back its locks from now on, then forget its rows."""
    transaction.leaving = []
    _go_on(database, transaction)


def when_left(transaction: Transaction, tell: Callable[[], None]) -> None:
    """Call `tell` when a transaction that has ended has given everything back; now, if it has."""
    if transaction.leaving is None:
        tell()
    else:
        transaction.leaving.append(tell)


def left(transaction: Transaction) -> Steps[None]:
    """Wait until a transaction that has ended has given everything back."""
    if transaction.leaving is not None:
        yield from wait(_Left(transaction))


class _Left(Wait):
    """It cannot be cancelled: it takes no longer than the end itself would have."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        super().__init__()
        self._transaction = transaction

    def start(self, resume: Resume, spawn: Spawn) -> None:
        when_left(self._transaction, resume)


def fail(database: Database, transaction: Transaction) -> None:
    """A block has failed: give back, in turns, what was locked since its last savepoint.

    It locks nothing before ROLLBACK, which gives back what is left by then.
    """
    mark, held = transaction.locks_mark, transaction.held
    if transaction.ending or not transaction.failed:
        return
    database.locks.release_to(transaction, max(mark, len(held) - AT_ONCE))
    if len(held) > mark + AT_ONCE:
        database.committer.soon(partial(fail, database, transaction))
    elif len(held) > mark:
        database.locks.release_to(transaction, mark)


def _go_on(database: Database, transaction: Transaction) -> None:
    more = database.locks.release_some(transaction, AT_ONCE) or transaction.forget_some(AT_ONCE)
    if more:
        database.committer.soon(partial(_go_on, database, transaction))
        return
    transaction.forget()
    told, transaction.leaving = transaction.leaving, None
    for tell in told or ():
        tell()
