"""One statement in one step: a pipeline of Bind, Execute and Sync, or a simple Query, of a quick form.

The extended protocol makes five messages of one INSERT, and each has its flow. When they come together,
no transaction is open and the statement is one of `query.quick`, all that they ask for is done here at
once: parameters in, one lookup or one write set, one piece of bytes out. Anything unusual, errors
included, is *not done*: nothing has changed then, and the flows start from the same bytes.
"""

from collections.abc import Iterator
from enum import Enum
from struct import Struct
from struct import error as StructError  # noqa: N812 -- it is an exception class
from typing import TYPE_CHECKING

from catalog.privileges import check_table
from kalam_pg.pgwire.codec import Pipeline, bind_fields
from kalam_pg.pgwire.encode import BIND_COMPLETE, NO_DATA, command_complete, ready_for_query
from kalam_pg.query.locks import LockOwner
from kalam_pg.query.prepare import Planned
from kalam_pg.query.quick import NotQuickError, QuickInsert, QuickPoint, quick_form
from kalam_pg.query.waits import Resume, Spawn, Wait
from kalam_pg.rows import row_encoder
from kalam_pg.sessions import portals
from kalam_pg.sessions.portals import PreparedStatement, Reader, moving, parameter_readers
from kalam_pg.sql.statements import QueryStatement
from storage.engine import WriteSet
from storage.errors import KalamError
from storage.layout import Row, Value

if TYPE_CHECKING:
    from kalam_pg.sessions.session import Session
    from kalam_pg.sessions.sql_session import SqlSession

_INSERTED = command_complete("INSERT 0 1")
_READY = ready_for_query("I")
_FOUND = command_complete("SELECT 1") + _READY
_NOT_FOUND = command_complete("SELECT 0") + _READY

Params = tuple[Value, ...]


class Outcome(Enum):
    """What became of a try to be quick, when it is not a commit to wait for."""

    ANSWERED = "answered"
    NOT_DONE = "not done"


ANSWERED, NOT_DONE = Outcome.ANSWERED, Outcome.NOT_DONE


class QuickStatement:
    """A prepared statement's short way, for the user, catalog and settings it was made with.

    form: None when there is none (which is worth remembering too).
    """

    def __init__(self, sql: "SqlSession", prepared: PreparedStatement, planned: Planned) -> None:
        self._columns = prepared.columns
        self._param_types = prepared.param_types
        self._types = sql.settings.types
        self._made_with = (sql.database.catalog, sql.settings.version, sql.user)
        self._formats: dict[tuple[tuple[int, ...], tuple[int, ...], bool], QuickFormat] = {}
        self.form = _form(sql, planned)

    def is_good(self, sql: "SqlSession") -> bool:
        """Whether it may still be used."""
        catalog, version, user = self._made_with
        return catalog is sql.database.catalog and (
            version == sql.settings.version and user is sql.user
        )

    def format(
        self, bind_formats: tuple[int, ...], result_formats: tuple[int, ...], *, described: bool
    ) -> "QuickFormat":
        """What depends on the formats asked for. Raises 08P01, 22023."""
        key = (bind_formats, result_formats, described)
        found = self._formats.get(key)
        if found is None:
            found = QuickFormat(self, bind_formats, result_formats, described=described)
            if len(self._formats) < _FORMATS_MAX:
                self._formats[key] = found
        return found


class QuickFormat:
    """A quick statement in the formats that a client asks for again and again.

    readers: of the parameters. dates: which of them may be 'now'. description: the answer's
    RowDescription. encode: the answer's row as a DataRow. prefix: what a pipeline is told before its
    rows; inserted: all that it is told of an INSERT; before_error: so far, when COMMIT fails.
    """

    __slots__ = (
        "before_error",
        "dates",
        "description",
        "encode",
        "inserted",
        "prefix",
        "readers",
    )

    def __init__(
        self,
        quick: QuickStatement,
        bind_formats: tuple[int, ...],
        result_formats: tuple[int, ...],
        *,
        described: bool,
    ) -> None:
        columns, types = quick._columns, quick._types  # noqa: SLF001 -- a part of it
        codes = portals.result_formats(result_formats, len(columns))
        self.readers: tuple[Reader, ...] = parameter_readers(
            quick._param_types,  # noqa: SLF001
            bind_formats,
            types,
        )
        self.dates = tuple(
            at
            for at, type_ in enumerate(quick._param_types)  # noqa: SLF001
            if type_.category == "D"
        )
        self.description = portals.describe(columns, codes) if columns else b""
        self.prefix = BIND_COMPLETE
        if described:
            self.prefix += self.description or NO_DATA
        self.before_error = self.prefix + _INSERTED
        self.inserted = self.before_error + _READY
        self.encode = row_encoder(
            tuple([c.type for c in columns]), tuple([c.typmod for c in columns]), codes, types
        )


_FORMATS_MAX = 16
_BINDS_MAX = 256


class QuickBind:
    """How one client binds one quick statement: all of a Bind but its parameters, which come again.

    head: the Bind's bytes before the first parameter. tail: those behind the last one.
    """

    __slots__ = ("_prepared", "described", "format", "head", "quick", "tail")

    def __init__(
        self, prepared: PreparedStatement, quick: QuickStatement, pipeline: Pipeline
    ) -> None:
        """Raises 08P01, 22023, and NotQuickError for a wrong number of parameters."""
        _, _, bind_formats, parameters, result_formats = bind_fields(pipeline.bind)
        self._prepared = prepared
        self.quick = quick
        self.described = pipeline.described
        self.format = quick.format(bind_formats, result_formats, described=pipeline.described)
        if len(parameters) != len(self.format.readers):
            raise NotQuickError
        body = pipeline.bind
        self.head = body[: body.index(0, 1) + 1 + 2 + 2 * len(bind_formats) + 2]
        self.tail = body[len(body) - 2 - 2 * len(result_formats) :]

    def fits(self, sql: "SqlSession", pipeline: Pipeline, prepared: PreparedStatement) -> bool:
        """Whether a pipeline binds the same statement in the same way, and may still be quick."""
        body = pipeline.bind
        return (
            body.startswith(self.head)
            and body.endswith(self.tail)
            and pipeline.described is self.described
            and prepared is self._prepared
            and self.quick.is_good(sql)
        )

    def params(self, body: bytes) -> Params:
        """The parameters of a Bind that fits. Raises NotQuickError, and what a value's input raises."""
        values: list[Value] = []
        at = len(self.head)
        for read in self.format.readers:
            size = _SIZE(body, at)[0]
            at += 4
            if size >= 0:
                values.append(read(body[at : at + size]))
                at += size
            elif size == -1:
                values.append(None)
            else:
                raise NotQuickError
        if at != len(body) - len(self.tail):
            raise NotQuickError
        if self.format.dates and any(self._moves(body)):
            raise NotQuickError
        return tuple(values)

    def _moves(self, body: bytes) -> Iterator[bool]:
        """Whether each parameter that is a time may mean another one at each statement."""
        parameters = bind_fields(body)[3]
        return (moving(parameters[at]) for at in self.format.dates)


_SIZE = Struct(">i").unpack_from


def run_pipeline(
    session: "Session", sql: "SqlSession", pipeline: Pipeline
) -> "QuickCommit | Outcome":
    """Do what the next messages ask for, or return the commit that must be waited for."""
    name = pipeline.statement
    prepared = sql.prepared.get(name)
    if prepared is None:
        return NOT_DONE
    try:
        bound = session.quick_binds.get(name)
        if bound is None or not bound.fits(sql, pipeline, prepared):
            quick = _quick(sql, prepared)
            if quick is None:
                return NOT_DONE
            bound = QuickBind(prepared, quick, pipeline)
            if len(session.quick_binds) >= _BINDS_MAX:
                session.quick_binds.clear()
            session.quick_binds[name] = bound
        params = bound.params(pipeline.bind)
        form, how = bound.quick.form, bound.format
        if isinstance(form, QuickPoint):
            row = form.row(sql.context(params))
            session.decoder.skip(pipeline)
            session.outbox += how.prefix + _answer(how, row)
            return ANSWERED
        assert form is not None
        commit = _insert(session, sql, form, params, how.inserted, how.before_error)
    except (KalamError, NotQuickError, StructError):
        return NOT_DONE  # The general way finds the same error and tells it.
    session.decoder.skip(pipeline)
    return commit


def run_simple(
    session: "Session", sql: "SqlSession", prepared: PreparedStatement, params: Params
) -> "QuickCommit | Outcome":
    """Do what a Query asks for, its literals taken out as `params`."""
    quick = _quick(sql, prepared)
    if quick is None:
        return NOT_DONE
    try:
        form = quick.form
        if isinstance(form, QuickPoint):
            how = quick.format((), (), described=False)
            row = form.row(sql.context(params))
            session.outbox += how.description + _answer(how, row)
            return ANSWERED
        assert form is not None
        return _insert(session, sql, form, params, _INSERTED + _READY, b"")
    except (KalamError, NotQuickError):
        return NOT_DONE


def _quick(sql: "SqlSession", prepared: PreparedStatement) -> QuickStatement | None:
    """The statement's short way, if it has one now."""
    quick = prepared.quick
    if quick is None or not quick.is_good(sql):
        planned = prepared.planned
        snapshot, version = prepared.made_with or (None, -1)
        if planned is None or not isinstance(prepared.statement, QueryStatement):
            return None
        if snapshot is not sql.snapshot or version != sql.settings.version:
            return None  # The general way plans it anew.
        quick = prepared.quick = QuickStatement(sql, prepared, planned)
    return None if quick.form is None else quick


def _form(sql: "SqlSession", planned: Planned) -> QuickInsert | QuickPoint | None:
    settings = sql.settings
    if settings["default_transaction_isolation"] != "read committed":
        return None
    if settings["default_transaction_read_only"] == "on":
        return None
    try:
        for table, action in planned.needs:
            check_table(sql.user, action, table)
    except KalamError:
        return None
    return quick_form(planned.plan, sql.database, sql.user)


def _answer(how: QuickFormat, row: Row | None) -> bytes:
    return _NOT_FOUND if row is None else how.encode(row) + _FOUND


def _insert(
    session: "Session",
    sql: "SqlSession",
    form: QuickInsert,
    params: Params,
    answer: bytes,
    before_error: bytes,
) -> "QuickCommit":
    commit = session.quick_commit
    write = form.write(sql.context(params), commit.owner)
    sync = sql.settings["synchronous_commit"] != "off"
    commit.begin(sql, WriteSet([write], [], [], sync), answer, before_error)
    return commit


class QuickCommit(Wait):
    """The commit of a quick INSERT. A session has one, since it has one at a time.

    owner: holds the locks until the row is visible.
    """

    __slots__ = ("_answer", "_before_error", "_resume", "_session", "_sql", "_write_set", "owner")

    def __init__(self, session: "Session") -> None:
        super().__init__()
        self.owner = LockOwner()
        self._session = session

    def begin(
        self, sql: "SqlSession", write_set: WriteSet, answer: bytes, before_error: bytes
    ) -> None:
        """What to commit next, and what to tell the client then."""
        self._sql = sql
        self._write_set = write_set
        self._answer = answer
        self._before_error = before_error

    def start(self, resume: Resume, spawn: Spawn) -> None:
        self._resume = resume
        self._sql.database.committer.submit(self._write_set, self._done)

    def _done(self, write_set: WriteSet) -> None:
        session = self._session
        self._sql.database.locks.release_all(self.owner)
        if write_set.error is None:
            session.outbox += self._answer
        else:
            session.outbox += self._before_error
            session.error(write_set.error)
            session.outbox += _READY
        self._resume()
