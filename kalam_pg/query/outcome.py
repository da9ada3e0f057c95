"""How a transaction ends: what COMMIT and ROLLBACK mean, each once, whatever has become of the client.

From the moment that a COMMIT is handed to the committer nobody else may end the transaction: not its
session, which may be gone, nor a ROLLBACK. When the committer has published it (or could not write it),
everything that this means is done in one step of the event loop: the catalogue is installed, the session's
own state goes with it, what hangs on the catalogue is brought in line (`Transaction.on_end`), the locks fall,
the view is given back. A session that still waits is told last (decision 0020).
"""

from collections.abc import Callable, Iterable
from functools import partial

from kalam_pg.failures import report
from kalam_pg.query import leaving, written
from kalam_pg.query.database import Database
from kalam_pg.query.loads import with_loads
from kalam_pg.query.transaction import Transaction
from kalam_pg.query.validation import checked
from kalam_pg.query.waits import Resume, Spawn, Wait
from storage.engine import WriteSet
from storage.errors import OutcomeUnknownError

Ended = Callable[[Transaction, bool], None]
"""What the end means to the session: the transaction, and whether it was committed."""


def nobody(_transaction: Transaction, _committed: bool) -> None:
    """There is no session."""


class Commit(Wait):
    """A transaction's COMMIT, under way from the moment that this is made.

    It cannot be cancelled: its outcome must be known. Whoever waits is told by `start`'s resume.
    """

    __slots__ = ("_database", "_done", "_ended", "_resume", "_transaction")

    def __init__(
        self,
        database: Database,
        transaction: Transaction,
        *,
        sync: bool,
        ended: Ended = nobody,
        made: written.Written | None = None,
    ) -> None:
        """sync: whether it waits for the disk; definitions always do. made: its writes, if they were many."""
        super().__init__()
        assert not transaction.ending, "a transaction ends once"
        self._database = database
        self._transaction = transaction
        self._ended = ended
        self._resume: Resume | None = None
        self._done = False
        write_set = checked(
            database, transaction, written.write_set(transaction, sync=sync, written=made)
        )
        with_loads(database, transaction, write_set)
        database.committer.submit(write_set, self._published)
        transaction.ending = True

    def start(self, resume: Resume, spawn: Spawn) -> None:
        if self._done:
            resume()
        else:
            self._resume = resume

    def _published(self, write_set: WriteSet) -> None:
        database, transaction, ended = self._database, self._transaction, self._ended
        del (
            self._transaction,
            self._ended,
        )  # Who waited for this may keep it: not what it was about.
        self.error = error = write_set.error
        write_set.validate = None  # Who follows commits keeps the set, and need not keep that.
        try:
            if isinstance(error, OutcomeUnknownError):
                _guarded((partial(ended, transaction, False),))
                database.doubt.add(write_set, partial(_settle, database, transaction))
            else:
                _end(database, transaction, ended, committed=error is None)
        finally:
            leaving.when_left(transaction, self._tell)

    def _tell(self) -> None:
        self._done = True
        if self._resume is not None:
            self._resume()


def commit_nothing(database: Database, transaction: Transaction, ended: Ended = nobody) -> None:
    """COMMIT of a transaction that has written nothing."""
    assert transaction.writes_nothing
    if not transaction.ending:
        transaction.ending = True
        _end(database, transaction, ended, committed=True)


def rollback(database: Database, transaction: Transaction, ended: Ended = nobody) -> None:
    """Drop everything that the transaction did, unless its COMMIT is under way: that is not ours."""
    if not transaction.ending:
        transaction.ending = True
        _end(database, transaction, ended, committed=False)


def _end(database: Database, transaction: Transaction, ended: Ended, *, committed: bool) -> None:
    if committed and transaction.snapshot is not None:
        database.install_catalog(transaction.snapshot)
    if committed and transaction.numbers is not None:
        _guarded((partial(transaction.numbers.settle, committed=True),))
    _guarded((partial(ended, transaction, committed),))
    _settle(database, transaction)


def _settle(database: Database, transaction: Transaction) -> None:
    """The catalogue is as the transaction leaves it: everything else follows."""
    if transaction.numbers is not None:
        _guarded((partial(transaction.numbers.settle, committed=False),))
    _guarded(transaction.on_end)
    # Unlock after all else: who waits for it must find what this transaction has left.
    if transaction.held or transaction.waiting is not None:
        if len(transaction.held) > leaving.AT_ONCE:
            leaving.begin(database, transaction)
        else:
            database.locks.release_all(transaction)
    if transaction.view is not None or transaction.reading:
        _guarded((transaction.stop_reading,))
    if transaction.leaving is None:
        transaction.forget()


def _guarded(steps: Iterable[Callable[[], None]]) -> None:
    """Do all of them: the transaction has ended, whatever one of them raises."""
    for step in steps:
        try:
            step()
        except Exception as exc:  # noqa: BLE001
            report("a step of a transaction's end failed", exc)
