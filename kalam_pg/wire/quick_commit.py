"""The commit of a statement that is a transaction of its own and was begun in one step."""

from functools import partial
from typing import TYPE_CHECKING

from kalam_pg.pgwire.encode import ready_for_query
from kalam_pg.query.locks.state import RowOwner
from kalam_pg.query.quick_writes import QuickWrite
from kalam_pg.query.waits import Resume, Spawn, Wait
from storage.engine import WriteSet
from storage.errors import KalamError, OutcomeUnknownError, SerializationError

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession
    from kalam_pg.wire.quick_statement import QuickFormat, QuickStatement
    from kalam_pg.wire.session import WireSession

_READY = ready_for_query("I")


class QuickCommit(Wait):
    """The commit of a quick change. A session has one, since it has one at a time.

    failed: the committer found another version of the row: nothing was written, told or read, and the
    statement must go the general way.
    """

    __slots__ = (
        "_answer",
        "_before_error",
        "_form",
        "_owner",
        "_resume",
        "_session",
        "_size",
        "_sql",
        "failed",
    )

    def __init__(self, session: "WireSession") -> None:
        super().__init__()
        self.failed = False
        self._owner = RowOwner(session.process_id)  # Of the row, until it is visible.
        self._resume: Resume | None = None
        self._session = session

    def begin(
        self,
        sql: "SqlSession",
        form: QuickWrite,
        quick: "QuickStatement",
        how: "QuickFormat",
        size: int,
    ) -> bool:
        """Submit what the form writes; False: that is nothing.

        how: what the client is told then, of the next `size` bytes it has sent. Raises as
        `QuickWrite.write`; nothing is submitted then.
        """
        writes = form.write(quick.context, self._owner)
        if writes is None:
            return False
        self._sql = sql
        self._form = form
        self._answer = how.written[1]
        self._before_error = how.before_error
        self._size = size
        write_set = WriteSet(writes, [], [], quick.sync)
        if writes[0].old is not None:  # What is there may be large: what comes quickly is not.
            write_set.weight = form.weight(writes[0])
        sql.database.committer.submit(write_set, self._done)
        return True

    def start(self, resume: Resume, spawn: Spawn) -> None:
        """A flow waits for it: `resume` is called instead of `Transport.finished`."""
        self._resume = resume

    def _done(self, write_set: WriteSet) -> None:
        session = self._session
        error = write_set.error
        if error is None:
            self._sql.database.locks.release_row(self._owner)
            session.decoder.skip(self._size)
            if session.held:
                session.release()
            session.outbox += self._answer
        else:
            self._failed(write_set, error)
        resume, self._resume = self._resume, None
        if resume is None:
            session.transport.finished()
        else:
            resume()

    def _failed(self, write_set: WriteSet, error: KalamError) -> None:
        session, database = self._session, self._sql.database
        if isinstance(error, OutcomeUnknownError):
            owner, self._owner = self._owner, RowOwner()
            database.doubt.add(write_set, partial(database.locks.release_row, owner))
        else:
            database.locks.release_row(self._owner)
        if isinstance(error, SerializationError):
            self.failed = True
            if self._form.numbered:
                self._sql.sequences.retreat()
            return
        session.decoder.skip(self._size)
        session.release()
        session.outbox += self._before_error
        session.error(error)
        session.outbox += _READY
