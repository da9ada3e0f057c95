"""One statement in one step: a pipeline of Bind, Execute and Sync, or a simple Query, of a quick form.

The extended protocol makes five messages of one INSERT, and each has its flow. When they come together,
no transaction is open and the statement is one of `query.quick`, all that they ask for is done here at
once: parameters in, one lookup or one write set, one piece of bytes out. Anything unusual, errors
included, is *not done*: nothing has changed then, and the flows start from the same bytes.
"""

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from functools import lru_cache, partial
from struct import Struct
from struct import error as StructError  # noqa: N812 -- it is an exception class
from typing import TYPE_CHECKING

from kalam_pg.functions.table import EvalContext
from kalam_pg.pgwire.codec import bind_fields
from kalam_pg.pgwire.encode import BIND_COMPLETE, NO_DATA, command_complete, ready_for_query
from kalam_pg.pgwire.peek import Again, Pipeline, peek_again, peek_pipeline, peek_query
from kalam_pg.query.locks.state import RowOwner
from kalam_pg.query.prepare import Planned
from kalam_pg.query.quick import (
    NotQuickError,
    QuickForm,
    QuickInsert,
    QuickNewest,
    QuickPoint,
    quick_form,
)
from kalam_pg.query.transaction import READ_COMMITTED
from kalam_pg.query.waits import Resume, Spawn, Wait
from kalam_pg.rows.form import RowForm
from kalam_pg.sessions.prepared import PreparedStatement
from kalam_pg.wire import portals
from kalam_pg.wire.portals import Reader, moving, parameter_readers
from storage.engine import WriteSet
from storage.errors import KalamError, OutcomeUnknownError, SerializationError
from storage.layout import Value

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession
    from kalam_pg.wire.session import WireSession

_INSERTED = command_complete("INSERT 0 1")
_READY = ready_for_query("I")
_INSERTED_READY = _INSERTED + _READY
_FOUND = command_complete("SELECT 1") + _READY
_NOT_FOUND = command_complete("SELECT 0") + _READY

Params = tuple[Value, ...]


class Outcome(Enum):
    """What became of a try to be quick.

    COMMITTING: the session's `quick_commit` answers when it is done, and tells the transport.
    """

    ANSWERED = "answered"
    COMMITTING = "committing"
    NOT_DONE = "not done"


ANSWERED, COMMITTING, NOT_DONE = Outcome.ANSWERED, Outcome.COMMITTING, Outcome.NOT_DONE


class QuickStatement:
    """A prepared statement's short way, while `validity` holds.

    form: None when there is none (which is worth remembering too). context: what its expressions may
    ask. sync: whether its commits wait for the disk. timed: whether it may ask for the time.
    """

    __slots__ = (
        "_columns",
        "_formats",
        "_param_types",
        "_simple",
        "_sql",
        "context",
        "form",
        "sync",
        "timed",
        "validity",
    )

    def __init__(self, sql: "SqlSession", prepared: PreparedStatement, planned: Planned) -> None:
        """planned: what `PreparedStatement.current` gives."""
        assert prepared.validity is not None
        self._columns = prepared.columns
        self._param_types = prepared.param_types
        self._sql = sql
        self.validity = prepared.validity
        self._formats: dict[tuple[tuple[int, ...], tuple[int, ...], bool], QuickFormat] = {}
        self._simple: QuickFormat | None = None
        self.context = sql.context()
        self.sync = sql.settings["synchronous_commit"] != "off"
        self.form = _form(sql, planned, len(prepared.param_types))
        self.timed = self.form is not None and self.form.timed

    def format(
        self, bind_formats: tuple[int, ...], result_formats: tuple[int, ...], *, described: bool
    ) -> "QuickFormat":
        """What depends on the formats that a pipeline asks for. Raises 08P01, 22023."""
        key = (bind_formats, result_formats, described)
        found = self._formats.get(key)
        if found is None:
            opening = BIND_COMPLETE
            rows = self._row_form(result_formats)
            if described:
                opening += NO_DATA if self._changes else rows.description
            readers = parameter_readers(
                self._param_types, bind_formats, self._sql.types_for(self._param_types)
            )
            dates = [at for at, type_ in enumerate(self._param_types) if type_.category == "D"]
            answer = self._answering(rows, opening)
            found = QuickFormat(opening, opening + _INSERTED, answer, readers, dates)
            if len(self._formats) < _FORMATS_MAX:
                self._formats[key] = found
        return found

    @property
    def simple(self) -> "QuickFormat":
        """What a simple Query asks for: everything as text, described if it has rows."""
        found = self._simple
        if found is None:
            rows = self._row_form(())
            opening = b"" if self._changes else rows.description
            found = QuickFormat(opening, b"", self._answering(rows, opening), (), ())
            self._simple = found
        return found

    @property
    def _changes(self) -> bool:
        return isinstance(self.form, QuickInsert)

    def _row_form(self, result_formats: tuple[int, ...]) -> RowForm:
        codes = portals.result_formats(result_formats, len(self._columns))
        return self._sql.row_form(self._columns, codes)

    def _answering(self, rows: RowForm, opening: bytes) -> "Answering":
        """What gives the whole answer of a SELECT."""
        match self.form:
            case QuickPoint() as point:
                send, nothing = point.sender(rows), opening + _NOT_FOUND

                def one(context: EvalContext) -> bytes:
                    row = send(context)
                    return nothing if row is None else opening + row + _FOUND

                return one
            case QuickNewest() as newest:
                send_all = newest.sender(rows)

                def many(context: EvalContext) -> bytes:
                    found = send_all(context)
                    return opening + b"".join(found) + _selected(len(found))

                return many
            case _:
                return _no_answer


Answering = Callable[[EvalContext], bytes]
"""Raises NotQuickError, and what closures raise."""


def _no_answer(_context: EvalContext) -> bytes:
    raise AssertionError("an INSERT is answered by its commit")


class QuickFormat:
    """A quick statement in the formats that a client asks for again and again.

    answer: all that the client is told of a SELECT. inserted: all that it is told of an INSERT;
    before_error: so far, when COMMIT fails. readers: of the parameters. dates: which may be 'now'.
    """

    __slots__ = ("answer", "before_error", "dates", "inserted", "readers")

    def __init__(
        self,
        opening: bytes,
        before_error: bytes,
        answer: Answering,
        readers: tuple[Reader, ...],
        dates: Sequence[int],
    ) -> None:
        """opening: what stands before the rows."""
        self.answer = answer
        self.before_error = before_error
        self.inserted = opening + _INSERTED_READY
        self.readers = readers
        self.dates = dates


_FORMATS_MAX = 16
_BINDS_MAX = 256
_NAME_CHARS_MAX = 63


class QuickBind:
    """How one client binds one quick statement: all of a pipeline but its parameters, which come again.

    again: the pipeline's bytes before the first parameter and behind the last one.
    """

    __slots__ = ("_prepared", "again", "format", "name", "quick")

    def __init__(
        self, prepared: PreparedStatement, quick: QuickStatement, pipeline: Pipeline
    ) -> None:
        """Raises 08P01, 22023, and NotQuickError for a wrong number of parameters."""
        body = pipeline.bind
        _, name, bind_formats, parameters, result_formats = bind_fields(body)
        self._prepared = prepared
        self.name = name
        self.quick = quick
        self.format = quick.format(bind_formats, result_formats, described=pipeline.described)
        if len(parameters) != len(self.format.readers):
            raise NotQuickError
        self.again = Again(
            body[: body.index(0, 1) + 1 + 2 + 2 * len(bind_formats) + 2],
            body[len(body) - 2 - 2 * len(result_formats) :],
            described=pipeline.described,
        )

    def is_good(self, sql: "SqlSession") -> bool:
        """Whether it may still be used."""
        return self.quick.validity.holds(sql) and sql.prepared.get(self.name) is self._prepared

    def params(self, buffer: bytes, start: int, stop: int) -> Params:
        """The parameters in buffer[start:stop]. Raises NotQuickError, and what a value's input raises."""
        values: list[Value] = []
        at = start
        for read in self.format.readers:
            size = _SIZE(buffer, at)[0]
            at += 4
            if size >= 0:
                values.append(read(buffer[at : at + size]))
                at += size
            elif size == -1:
                values.append(None)
            else:
                raise NotQuickError
        if at != stop:
            raise NotQuickError
        if self.format.dates and any(self._moves(buffer, start)):
            raise NotQuickError
        return tuple(values)

    def _moves(self, buffer: bytes, at: int) -> Iterator[bool]:
        """Whether each parameter that is a time may mean another one at each statement."""
        for number in range(len(self.format.readers)):
            size = max(_SIZE(buffer, at)[0], 0)
            at += 4
            if number in self.format.dates:
                yield moving(buffer[at : at + size])
            at += size


_SIZE = Struct(">i").unpack_from


def be_quick(session: "WireSession", sql: "SqlSession") -> Outcome:
    """Do what the next messages ask for in one step."""
    if session.quick_commit.failed:
        session.quick_commit.failed = False
        return NOT_DONE
    decoder = session.decoder
    bound = session.quick_bind
    if bound is not None:
        found = peek_again(decoder, bound.again)
        if found is not None and bound.is_good(sql):
            return _run_bound(session, sql, bound, *found)
    pipeline = peek_pipeline(decoder)
    if pipeline is not None:
        bound = _bound(session, sql, pipeline)
        if bound is None:
            return NOT_DONE
        session.quick_bind = bound
        found = peek_again(decoder, bound.again)
        return NOT_DONE if found is None else _run_bound(session, sql, bound, *found)
    query = peek_query(decoder)
    if query is not None:
        shaped = session.shapes.again(sql, query.text)
        if shaped is not None:
            return run_simple(session, sql, *shaped, query.size)
    return NOT_DONE


def _bound(session: "WireSession", sql: "SqlSession", pipeline: Pipeline) -> QuickBind | None:
    """How the statement of a pipeline was bound before, or is now; None if it is not quick."""
    name = pipeline.statement
    prepared = sql.prepared.get(name)
    if prepared is None or len(name) > _NAME_CHARS_MAX:
        return None
    try:
        bound = session.quick_binds.get(name)
        if bound is None or not (bound.again.fits(pipeline) and bound.is_good(sql)):
            quick = _quick(sql, prepared)
            if quick is None:
                return None
            bound = QuickBind(prepared, quick, pipeline)
            if len(session.quick_binds) >= _BINDS_MAX:
                session.quick_binds.clear()
            session.quick_binds[name] = bound
    except (KalamError, NotQuickError):
        return None  # The general way finds the same error and tells it.
    return bound


def _run_bound(
    session: "WireSession", sql: "SqlSession", bound: QuickBind, start: int, stop: int, size: int
) -> Outcome:
    """Run a bound statement, its parameters in the decoder's [start:stop], `size` bytes in all."""
    decoder, how, quick = session.decoder, bound.format, bound.quick
    form = quick.form
    context = quick.context
    try:
        context.params = bound.params(decoder.buffer, start, stop)
        if quick.timed:
            context.now_us = context.statement_us = sql.database.now_us()
        if form.__class__ is QuickInsert:
            session.quick_commit.begin(sql, form, quick, how, size)
            return COMMITTING
        answer = how.answer(context)
    except (KalamError, NotQuickError, StructError):
        return NOT_DONE
    decoder.skip(size)
    if session.held:
        session.release()
    session.outbox += answer
    return ANSWERED


def run_simple(
    session: "WireSession",
    sql: "SqlSession",
    prepared: PreparedStatement,
    params: Params,
    size: int,
) -> Outcome:
    """Do what a Query of `size` bytes asks for, its literals taken out as `params`."""
    quick = _quick(sql, prepared)
    if quick is None:
        return NOT_DONE
    form = quick.form
    context = quick.context
    try:
        context.params = params
        if quick.timed:
            context.now_us = context.statement_us = sql.database.now_us()
        if form.__class__ is QuickInsert:
            session.quick_commit.begin(sql, form, quick, quick.simple, size)
            sql.prepared.drop("")  # A simple Query ends the unnamed statement.
            return COMMITTING
        answer = quick.simple.answer(context)
    except (KalamError, NotQuickError):
        return NOT_DONE
    session.decoder.skip(size)
    sql.prepared.drop("")
    if session.held:
        session.release()
    session.outbox += answer
    return ANSWERED


def _quick(sql: "SqlSession", prepared: PreparedStatement) -> QuickStatement | None:
    """The statement's short way, if it has one now."""
    quick: QuickStatement | None = prepared.quick
    if quick is None or not quick.validity.holds(sql):
        planned = prepared.current(sql)
        if planned is None:
            return None  # The general way plans it anew.
        quick = prepared.quick = QuickStatement(sql, prepared, planned)
    return None if quick.form is None else quick


@lru_cache(maxsize=1024)
def _selected(count: int) -> bytes:
    return command_complete(f"SELECT {count}") + _READY


def _form(sql: "SqlSession", planned: Planned, width: int) -> QuickForm | None:
    try:
        transaction = sql.new_transaction()
        planned.check(sql.user, transaction, width)
    except KalamError:
        return None
    if transaction.isolation != READ_COMMITTED:
        return None
    return quick_form(planned.plan, sql.database, sql.user, width)


class QuickCommit(Wait):
    """The commit of a quick INSERT. A session has one, since it has one at a time.

    failed: the committer found the key taken: nothing was written, told or read, and the statement
    must go the general way.
    """

    __slots__ = (
        "_answer",
        "_before_error",
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
        form: QuickInsert,
        quick: QuickStatement,
        how: QuickFormat,
        size: int,
    ) -> None:
        """Submit the row. how: what the client is told then, of the next `size` bytes it has sent.

        Raises as `QuickInsert.write`; nothing is submitted then.
        """
        write = form.write(quick.context, self._owner)
        self._sql = sql
        self._answer = how.inserted
        self._before_error = how.before_error
        self._size = size
        sql.database.committer.submit(WriteSet([write], [], [], quick.sync), self._done)

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
            return
        session.decoder.skip(self._size)
        session.release()
        session.outbox += self._before_error
        session.error(error)
        session.outbox += _READY
