"""Sending answers that may be long, no faster than the client reads."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import trio

from catalog.errors import QueryCanceledError
from kalam_pg.engines.request import ResultStream
from kalam_pg.query.aside import aside
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.portion import Portion, RowPortion
from kalam_pg.query.row_source import RowSource
from kalam_pg.query.shared_reads import Taker
from kalam_pg.query.sizes import text_bytes
from kalam_pg.query.waits import PatientAwait, Resume, Spawn, Steps, Wait, run_async, wait
from kalam_pg.rows.form import RowForm
from kalam_pg.wire.protocols import Transport

if TYPE_CHECKING:
    from kalam_pg.wire.session import WireSession

Encode = Callable[[Portion], bytes | memoryview]
"""What makes messages of rows."""

ROWS_PER_STEP = 1000
"""Rows that are encoded before others have their turn: one to five milliseconds."""

FEW_ROWS = 16
"""So many are encoded at once, unless they are large."""

STEP_BYTES = 1 << 20
"""Of rows that are encoded before others have their turn: a millisecond, when they are large."""

LARGE_BYTES = 1 << 20
"""More in a few rows is encoded, and translated, in a thread: a megabyte takes a millisecond and more."""

UNSENT_BYTES_MAX = 64 << 10
"""So much may be queued before the client has to read on."""


def send_all(session: "WireSession", result: Result, form: RowForm) -> Steps[int | None]:
    """Send the rows of an answer. How many there were where only reading it tells, else None."""
    if result.stream is not None:
        return (yield from _forward(session, result, form))
    if result.shared is not None:
        return (yield from _send_shared(session, result.shared, result.execution, form))
    if result.source is not None:
        count, _ = yield from send_some(session, result.source.take, form, 0, result.source)
        return count if result.count is None else None
    if result.messages is not None:
        yield from _send_messages(session, result.messages, form)
    elif len(result.rows) > FEW_ROWS or text_bytes(result.rows) > LARGE_BYTES:
        yield from _send_rows(session, result, form)
    elif result.rows:
        yield from _send_messages(session, b"".join(map(form.encode, result.rows)), form)
    yield from let_read(session)  # A pipeline may ask for much more.
    return None


def send_portion(
    session: "WireSession", portion: Portion, encode: Encode, form: RowForm | None, timeout_s: float
) -> Steps[int]:
    """Send some rows; about how many bytes that were. Large ones are encoded in a thread, some at a time,
    and not copied again.

    form: of DataRow messages, which are then the client's encoding's; None: they are as they are sent.
    """
    size = portion.size
    if size <= LARGE_BYTES:
        data = encode(portion)
        yield from _send_messages(session, data, form)
        return len(data)
    session.release()
    assert session.sql is not None
    rows = max(len(portion) * LARGE_BYTES // size, 1)
    held = session.sql.account.holding("answers")
    for at in range(0, len(portion), rows):
        part = portion.part(at, min(at + rows, len(portion)))
        # Its values as bytes, and the message made of them.
        lease = held.lease(2 * part.size)
        try:
            data = yield from aside(partial(encode, part), user=held.user, timeout_s=timeout_s)
            if _translated(session, form) is None:
                yield from wait(Lent(session.transport, data))
            else:
                yield from _send_messages(session, data, form)
        finally:
            lease.end()
    return size


def _send_rows(session: "WireSession", result: Result, form: RowForm) -> Steps[None]:
    """Send rows that are all there, some at a time."""
    rows, encode = result.rows, as_messages(form)
    at, step = 0, FEW_ROWS
    while at < len(rows):
        portion = RowPortion(rows[at : at + step])
        size = yield from send_portion(session, portion, encode, form, time_left_s(result))
        yield from let_read(session)
        at += step
        step = next_step(step, size)


def as_messages(form: RowForm) -> Encode:
    """What makes DataRow messages of a form."""
    return lambda portion: portion.messages(form)


def time_left_s(result: Result) -> float:
    """Of the statement whose answer it is; 0: there is no limit."""
    return 0.0 if result.execution is None else result.execution.statement_timeout_s


def next_step(step: int, size: int) -> int:
    """How many rows to take next, when the last `step` had so many bytes: few of large ones."""
    if size > STEP_BYTES:
        return max(step // 4, 1)
    return min(step * 2, ROWS_PER_STEP) if size < STEP_BYTES // 4 else step


def send_some(
    session: "WireSession",
    take: Callable[[int], Steps[Portion]],
    form: RowForm,
    limit: int,
    source: RowSource | None = None,
) -> Steps[tuple[int, bool]]:
    """Send rows as `take` gives them, at most `limit` (0: all). How many, and whether that was the limit.

    source: where they come from, if that can be patient.
    """
    count, step = 0, 8 * FEW_ROWS
    encode = as_messages(form)
    while not limit or count < limit:
        portion = yield from take(min(limit - count, step) if limit else step)
        if not len(portion):
            return count, False
        size = yield from send_portion(session, portion, encode, form, 0.0)
        count += len(portion)
        step = next_step(step, size)
        yield from let_read(session, patient=source is not None and source.patient)
    return count, True


def _send_messages(
    session: "WireSession", data: bytes | memoryview, form: RowForm | None
) -> Steps[None]:
    """Queue DataRow messages in the client's encoding."""
    pieces = _translated(session, form)
    if pieces is None:
        session.send(data)
        return
    whole = bytes(data)
    next_piece = partial(next, pieces(whole), None)
    assert session.sql is not None
    large, user = len(whole) > LARGE_BYTES, session.sql.account.user
    while True:
        piece = (yield from aside(next_piece, user=user)) if large else next_piece()
        if piece is None:
            return
        session.send(piece)
        yield from let_read(session)


def _translated(
    session: "WireSession", form: RowForm | None
) -> Callable[[bytes], Iterator[bytes]] | None:
    """What makes DataRow messages of a form the client's, some at a time; None: they are."""
    coder = None if form is None else session.text.follow()
    if coder is None or form is None:
        return None
    assert session.sql is not None
    cells = coder.cells(form.types, form.formats, session.sql.snapshot.type_by_oid)
    return lambda data: coder.rows(data, cells)


def let_read(session: "WireSession", *, patient: bool = False) -> Steps[None]:
    """Wait until the client has read most of what it was sent. patient: however long it takes."""
    if len(session.outbox) > UNSENT_BYTES_MAX:
        drain = session.transport.drain
        if patient:
            yield from wait(PatientAwait(partial(drain, patient=True)))
        else:
            yield from run_async(drain)


def _send_shared(
    session: "WireSession", taker: Taker, execution: Execution | None, form: RowForm
) -> Steps[int]:
    """Send every piece of what is read for several: nothing of it is copied for this client."""
    assert execution is not None
    count = 0
    session.release()
    while (piece := (yield from taker.next(execution.statement_timeout_s))) is not None:
        execution.check_time()
        if session.text.follow() is None:
            yield from wait(Lent(session.transport, piece.data))
        else:
            yield from _send_messages(session, piece.data, form)
        count += piece.rows
    return count


class Lent(Wait):
    """Wait until the operating system has taken bytes that are not copied."""

    __slots__ = ("_data", "_resume", "_transport")

    def __init__(self, transport: Transport, data: bytes | memoryview) -> None:
        super().__init__()
        self._transport = transport
        self._data = data
        self._resume: Resume | None = None

    def start(self, resume: Resume, spawn: Spawn) -> None:
        self._resume = resume
        self._transport.lend(self._data, resume)

    def cancel(self, error: BaseException | None = None) -> None:
        # What the client has begun to read is sent to its end: a message comes as a whole.
        self._transport.take_back()
        self.error = error or QueryCanceledError("canceling statement due to user request")
        if self._resume is not None:
            self._resume()


async def _write_pieces(
    transport: Transport, pieces: Callable[[bytes], Iterator[bytes]], whole: bytes
) -> None:
    next_piece = partial(next, pieces(whole), None)
    large = len(whole) > LARGE_BYTES
    while (
        piece := await trio.to_thread.run_sync(next_piece) if large else next_piece()
    ) is not None:
        transport.write(piece)
        await transport.drain()
        await trio.lowlevel.checkpoint()


def _forward(session: "WireSession", result: Result, form: RowForm) -> Steps[int]:
    """Forward every chunk of an engine's DataRow messages."""
    transport = session.transport
    execution, answer = result.execution, result.stream
    assert execution is not None
    assert answer is not None

    session.release()
    pieces = _translated(session, form)

    async def forward(stream: ResultStream) -> int:
        count = 0
        async for chunk in stream.lend():
            if pieces is None:
                transport.write(chunk.data)
                await transport.drain()
            else:
                await _write_pieces(transport, pieces, bytes(chunk.data))
            count += chunk.rows
        return count

    return (yield from answer.use(forward, last=True, timeout_s=execution.statement_timeout_s))
