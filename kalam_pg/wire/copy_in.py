"""Receiving what COPY FROM reads ("COPY Operations" in the manual), no faster than it is put away."""

from typing import TYPE_CHECKING

from catalog.errors import QueryCanceledError
from kalam_pg.pgwire import messages as m
from kalam_pg.pgwire.errors import ProtocolViolationError
from kalam_pg.query.copy_in import CopyIn
from kalam_pg.query.waits import Resume, Spawn, Steps, Wait, wait

if TYPE_CHECKING:
    from kalam_pg.wire.protocols import Timer
    from kalam_pg.wire.session import WireSession


def receive_copy(session: "WireSession", copy: CopyIn) -> Steps[int]:
    """CopyInResponse, then CopyData until CopyDone; how many rows were put.

    Raises 57014 for CopyFail, 08P01 for a message that has no place there, and what the rows raise; what
    the client goes on to send is dropped then.
    """
    session.send(copy.response)
    while True:
        message = session.decoder.next()
        match message:
            case None:
                yield from wait(Input(session, copy.statement_timeout_s))
            case m.CopyData(data):
                yield from copy.take(data)
            case m.CopyDone():
                return (yield from copy.finish())
            case m.CopyFail(reason):
                raise QueryCanceledError(f"COPY from stdin failed: {reason}")
            case m.Flush() | m.Sync():
                pass  # A driver sends them behind Execute, whatever that begins.
            case _:
                kind = _KINDS.get(type(message), 0)
                raise ProtocolViolationError(
                    f"unexpected message type 0x{kind:02X} during COPY from stdin"
                )


_KINDS: dict[type[m.FrontendMessage], int] = {
    m.Query: ord("Q"),
    m.Parse: ord("P"),
    m.Bind: ord("B"),
    m.Execute: ord("E"),
    m.Describe: ord("D"),
    m.Close: ord("C"),
    m.FunctionCall: ord("F"),
    m.Terminate: ord("X"),
}


class Input(Wait):
    """Wait until the client sends more. timeout_s: how long at most, 0 is for ever."""

    __slots__ = ("_resume", "_session", "_timeout_s", "_timer")

    patient = True

    def __init__(self, session: "WireSession", timeout_s: float) -> None:
        super().__init__()
        self._session = session
        self._timeout_s = timeout_s
        self._timer: Timer | None = None
        self._resume: Resume | None = None

    def start(self, resume: Resume, spawn: Spawn) -> None:
        session = self._session
        self._resume = resume
        session.feed = self._fed
        if self._timeout_s:
            self._timer = session.transport.call_later(self._timeout_s, self._too_late)

    def cancel(self, error: BaseException | None = None) -> None:
        self.error = error or QueryCanceledError("canceling statement due to user request")
        self._end()

    def _too_late(self) -> None:
        self.cancel(QueryCanceledError("canceling statement due to statement timeout"))

    def _fed(self, data: bytes) -> None:
        self._session.decoder.feed(data)
        self._end()

    def _end(self) -> None:
        self._session.feed = self._session.decoder.feed
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        resume, self._resume = self._resume, None
        if resume is not None:
            resume()
