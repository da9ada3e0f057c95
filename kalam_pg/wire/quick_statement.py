"""What is kept of a statement that is done in one step (`wire.quick`), and of how a client binds it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING, NoReturn

from kalam_pg.functions.table import EvalContext
from kalam_pg.pgwire.bodies import bind_fields
from kalam_pg.pgwire.encode import BIND_COMPLETE, NO_DATA, command_complete, ready_for_query
from kalam_pg.pgwire.peek import Again, Pipeline
from kalam_pg.query.prepare import Planned
from kalam_pg.query.quick import QuickForm, QuickNewest, QuickPoint, QuickRead, quick_form
from kalam_pg.query.quick_rows import NotQuickError
from kalam_pg.query.quick_writes import QuickWrite
from kalam_pg.query.transaction import READ_COMMITTED
from kalam_pg.rows.form import RowForm
from kalam_pg.sessions.prepared import PreparedStatement
from kalam_pg.wire import portals
from kalam_pg.wire.portals import Reader, moving, parameter_readers
from storage.errors import KalamError
from storage.layout import Value

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession

_READY = ready_for_query("I")
_FOUND = command_complete("SELECT 1") + _READY
_NOT_FOUND = command_complete("SELECT 0") + _READY

Params = tuple[Value, ...]


class QuickStatement:
    """A prepared statement's short way, while `validity` holds.

    form: None when there is none (which is worth remembering too); else it is what `read` or `write` is: that
    is seen here, since each statement asks. context: what its expressions may ask, which is nothing of the
    session's own. tag: of a change, without its count. sync: whether its commits wait for the disk. timed:
    whether it may ask for the time. reads: the tables that it names, which a block notes.
    """

    __slots__ = (
        "_columns",
        "_formats",
        "_param_types",
        "_simple",
        "_sql",
        "context",
        "form",
        "read",
        "reads",
        "sync",
        "tag",
        "timed",
        "validity",
        "write",
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
        own = dict.fromkeys(sql.services, _elsewhere)
        context = sql.context()
        self.context = replace(context, services={**context.services, **own})
        self.sync = sql.settings["synchronous_commit"] != "off"
        self.form = _form(sql, planned, len(prepared.param_types))
        self.reads = planned.reads
        self.timed = self.form is not None and self.form.timed
        self.write = self.form if isinstance(self.form, QuickWrite) else None
        self.read = None if isinstance(self.form, QuickWrite) else self.form
        self.tag = "" if self.write is None else self.write.tag

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
            found = QuickFormat(opening, self.tag, answer, readers, dates)
            found.before_error = opening + command_complete(f"{self.tag} 1")
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
            found = QuickFormat(opening, self.tag, self._answering(rows, opening), (), ())
            self._simple = found
        return found

    @property
    def _changes(self) -> bool:
        return self.write is not None

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
            case QuickRead() as read:
                send_rows = read.sender(rows)

                def some(context: EvalContext) -> bytes:
                    found, count = send_rows(context)
                    return opening + found + _selected(count)

                return some
            case _:
                return _no_answer


Answering = Callable[[EvalContext], bytes]
"""Raises NotQuickError, and what closures raise."""


def _no_answer(_context: EvalContext) -> bytes:
    raise AssertionError("a change is answered by what it has written")


class QuickFormat:
    """A quick statement in the formats that a client asks for again and again.

    answer: all that the client is told of a SELECT. written: all that it is told of a change of no row, and
    of one; before_error: so far, when COMMIT fails. readers: of the parameters. dates: which may be 'now'.
    """

    __slots__ = ("answer", "before_error", "dates", "readers", "written")

    def __init__(
        self,
        opening: bytes,
        tag: str,
        answer: Answering,
        readers: tuple[Reader, ...],
        dates: Sequence[int],
    ) -> None:
        """opening: what stands before the rows. tag: of a change, without its count."""
        self.answer = answer
        self.before_error = b""
        none, one = command_complete(f"{tag} 0"), command_complete(f"{tag} 1")
        self.written = (opening + none + _READY, opening + one + _READY)
        self.readers = readers
        self.dates = dates


_FORMATS_MAX = 16

_WIDTH_MAX = 1000
"""Parameters of a quick statement. More take milliseconds to prepare for, and to read."""


class QuickBind:
    """How one client binds one quick statement: all of a pipeline but its parameters, which come again.

    again: the pipeline's bytes before the first parameter and behind the last one.
    """

    __slots__ = ("again", "format", "name", "prepared", "quick")

    def __init__(
        self, prepared: PreparedStatement, quick: QuickStatement, pipeline: Pipeline
    ) -> None:
        """Raises 08P01, 22023, and NotQuickError for a wrong number of parameters."""
        if len(prepared.param_types) > _WIDTH_MAX:
            raise NotQuickError
        body = pipeline.bind
        _, name, bind_formats, parameters, result_formats = bind_fields(body)
        if len(parameters) != len(prepared.param_types):
            raise NotQuickError
        self.prepared = prepared
        self.name = name
        self.quick = quick
        self.format = quick.format(bind_formats, result_formats, described=pipeline.described)
        self.again = Again(
            body[: body.index(0, 1) + 1 + 2 + 2 * len(bind_formats) + 2],
            body[len(body) - 2 - 2 * len(result_formats) :],
            described=pipeline.described,
        )

    def is_good(self, sql: "SqlSession") -> bool:
        """Whether it may still be used."""
        return self.quick.validity.holds(sql) and sql.prepared.get(self.name) is self.prepared

    def params(self, buffer: bytes, start: int, stop: int) -> Params:
        """The parameters in buffer[start:stop]. Raises NotQuickError, and what a value's input raises."""
        if stop - start > portals.LARGE_PARAMETERS:
            raise NotQuickError  # To read them may take long.
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


@lru_cache(maxsize=1024)
def _selected(count: int) -> bytes:
    return command_complete(f"SELECT {count}") + _READY


def _form(sql: "SqlSession", planned: Planned, width: int) -> QuickForm | None:
    if planned.runs:
        return None
    try:
        transaction = sql.new_transaction()
        planned.check(sql.user, transaction, width)
    except KalamError:
        return None
    if transaction.isolation != READ_COMMITTED or planned.materialized:
        return None
    return quick_form(planned.plan, sql.database, sql.user, width)


def _elsewhere(*_arguments: Value) -> NoReturn:
    """What only a session's transaction can do is not done in one step, which may be tried in vain."""
    raise NotQuickError
