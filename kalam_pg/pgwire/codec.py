"""Bytes from a frontend, any way they are cut, become messages.

`FrontendDecoder` is the server's half of the protocol; the bytes it answers with are made in
`encode`. The other half (a frontend's encoders and decoder) is in `frontend`.

What is in a message is read by `bodies`.
"""

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NoReturn

from kalam_pg.pgwire.bodies import DECODERS, FREQUENT, bind_fields
from kalam_pg.pgwire.errors import ProtocolViolationError
from kalam_pg.pgwire.messages import Bind, FrontendMessage
from kalam_pg.pgwire.startup import StartupPacket, read_packet
from storage.errors import KalamError

PRE_AUTHENTICATION_BYTES_MAX: Final = 65_536
"""Largest message before authentication; PostgreSQL's PG_MAX_AUTH_TOKEN_LENGTH is about the same."""

SMALL_BYTES_MAX: Final = 10_000
"""Largest message of a type that holds only names; PostgreSQL's PQ_SMALL_MESSAGE_LIMIT."""

MESSAGE_BYTES_MAX: Final = 256 * 1024 * 1024
"""Default for the types that hold data (Query, Parse, Bind, CopyData …). PostgreSQL takes 1 GiB;
a value of that size would be copied several times over here."""

GATHERED_BYTES_MIN: Final = 1 << 20
"""A larger message is gathered in one buffer that grows as bytes come, and read where it lies: to join its
pieces and to copy its body would take the event loop 30 ms each for 100 MB."""

TOLD_BYTES: Final = 1 << 16
"""So much of an incomplete message is kept before `FrontendDecoder.hold` is asked, and asked again."""

_BIND: Final = ord("B")

_LARGE = b"QPBFdp"
_SMALL = b"CDEHSXcf"


class FrontendDecoder:
    """Cuts a frontend's byte stream into messages.

    Bytes go in by `feed`, messages come out of `next` until it returns None, which means "feed me
    more" and is not an error. What is held is what was received: a declared length reserves
    nothing. Before `authenticated` is called only 'p' and Terminate of at most 64 KiB pass.

    A large message is asked for twice: when its length is known `admit` is asked whether it may come at all,
    and while it comes `hold` whether so much of it may be kept. What either refuses, by raising, is not
    kept: it is skipped as it comes, and told in its place by `next`.

    buffer, position: what was fed last, and how far it was taken. caps: the largest length field of each
    message type. (For `peek`.)
    """

    __slots__ = (
        "_gathered", "_held", "_left", "_max_bytes", "_need", "_parts", "_refused", "_rest", "_size",
        "admit", "buffer", "caps", "hold", "position", "translate",
    )  # fmt: skip

    def __init__(self, max_message_bytes: int = MESSAGE_BYTES_MAX) -> None:
        self._max_bytes = max_message_bytes
        self.caps = _PRE_AUTHENTICATION_CAPS
        self.buffer = b""
        self.position = 0
        # While one message is incomplete its pieces wait here unjoined, so that a large message
        # costs one copy and not one for each read.
        self._parts: list[bytes] = []
        self._size = 0
        self._need = 0
        # Or here, when it is very large; what comes behind it waits in `_rest`, so that nobody peeks past it.
        self._gathered: bytearray | None = None
        self._rest = b""
        # What is told instead of a message that is skipped, and how much of that is still to come.
        self._refused: ProtocolViolationError | None = None
        self._left = 0
        self._held = 0
        self.admit: Callable[[int, int], None] = _any_message
        """Asked with the type and the size of a message of which much is to come. Raises a KalamError to
        refuse it."""
        self.translate: Callable[[int, bytes], bytes] | None = None
        """Makes UTF8 of a body, by its message's type, where the client's text is something else."""
        self.hold: Callable[[int], None] = _anything
        """Told how many bytes of an incomplete message are kept; 0: none. Raises as `admit`."""

    def authenticated(self) -> None:
        """Accept every message type from here on, up to the configured size."""
        self.caps = _caps(self._max_bytes)

    def feed(self, data: bytes) -> None:
        """Add bytes received."""
        if self._parts:
            self._parts.append(data)
            self._size += len(data)
            if self._size < self._need:
                if self._size - self._held >= TOLD_BYTES:
                    self._ask(self._size)
                return
            self.buffer = b"".join(self._parts)
            self._parts.clear()
            self._let_go()
        elif self._gathered is not None:
            missing = self._need - len(self._gathered)
            self._gathered += data if missing >= len(data) else data[:missing]
            self._rest += data[missing:] if missing < len(data) else b""
            if len(self._gathered) - self._held >= TOLD_BYTES:
                self._ask(len(self._gathered))
            return
        elif self._refused is not None:
            skipped = min(self._left, len(data))
            self._left -= skipped
            self._rest += data[skipped:]
            return
        elif self.position == len(self.buffer):
            self.buffer = data
        else:
            self.buffer = self.buffer[self.position :] + data
        self.position = 0

    @property
    def buffered(self) -> int:
        """Bytes held that belong to no message returned yet."""
        if self._gathered is not None:
            return len(self._gathered) + len(self._rest)
        if self._refused is not None:
            return 1 + len(self._rest)  # What it is told by, if nothing else.
        return self._size if self._parts else len(self.buffer) - self.position

    @property
    def unread(self) -> int:
        """Of these, the bytes that `next` has not come to: it knows no message that they are a part of."""
        return len(self.buffer) - self.position + len(self._rest)

    def next_startup(self) -> StartupPacket | None:
        """The packet without a type byte that opens a connection, or None while incomplete.

        Raises:
            ProtocolViolationError: its length or content is not legal (always fatal).
        """
        if self.position:
            self.buffer = self.buffer[self.position :]
            self.position = 0
        found = read_packet(self.buffer)
        if found is None:
            return None
        packet, self.position = found
        return packet

    def next(self) -> FrontendMessage | None:
        """The next whole message, or None when more bytes are needed.

        Raises:
            ProtocolViolationError: fatal when the type or length is bad (the stream is lost);
                otherwise the message was skipped and the next call reads the one after it.
        """
        buffer = self.buffer
        pos = self.position
        if len(buffer) - pos < 5:
            if self._gathered is not None:
                return self._take_gathered()
            if self._refused is not None and not self._left:
                self._tell_refused(self._refused)
            return None
        kind, length = _HEADER(buffer, pos)
        if not 4 <= length <= self.caps[kind]:
            raise self._refusal(kind, length)
        end = pos + 1 + length
        if end > len(buffer):
            self._wait_for(end)
            return None
        self.position = end
        if length <= 9:
            frequent = FREQUENT.get(buffer[pos:end])
            if frequent is not None:
                return frequent
        try:
            body = buffer[pos + 5 : end]
            return DECODERS[kind](body if self.translate is None else self.translate(kind, body))
        except ProtocolViolationError as exc:
            exc.message_type = chr(kind)
            raise

    def skip(self, size: int) -> None:
        """Take bytes that were just peeked at; more may have been fed since."""
        self.position += size

    def _take_gathered(self) -> FrontendMessage | None:
        body = self._gathered
        assert body is not None
        if len(body) < self._need:
            return None
        self._gathered = None
        self._let_go()
        self.buffer, self._rest = self._rest, b""
        self.position = 0
        kind = body[0]
        del body[:5]
        try:
            if self.translate is not None:
                return DECODERS[kind](self.translate(kind, bytes(body)))
            return Bind(*bind_fields(body)) if kind == _BIND else DECODERS[kind](bytes(body))
        except ProtocolViolationError as exc:
            exc.message_type = chr(kind)
            raise

    def _wait_for(self, end: int) -> None:
        part = self.buffer[self.position :]
        if end - self.position > TOLD_BYTES:
            try:
                self.admit(part[0], end - self.position)
            except KalamError as exc:
                self._need = end - self.position
                self._skip(part, exc)
                return
        if end - self.position > GATHERED_BYTES_MIN:
            self._gathered = bytearray(part)
            self._need = end - self.position
            self.buffer = b""
            self.position = 0
            return
        self._parts.append(part)
        self._size = len(part)
        self._need = end - self.position
        self.buffer = b""
        self.position = 0

    def _ask(self, size: int) -> None:
        """Keep so much of the message that is coming, or skip it."""
        try:
            self.hold(size)
            self._held = size
        except KalamError as exc:
            self._skip(self._gathered or b"".join(self._parts), exc)

    def _let_go(self) -> None:
        """The message that was coming is whole: what it needs is no more this one's to tell."""
        if self._held:
            self._held = 0
            self.hold(0)

    def _skip(self, part: bytes | bytearray, error: KalamError) -> None:
        """Keep nothing of the message that begins with `part`."""
        refused = ProtocolViolationError(
            error.message, detail=error.detail, fatal=False, sqlstate=error.sqlstate
        )
        refused.hint = error.hint
        refused.message_type = chr(part[0])
        self._refused = refused
        self._left = self._need - len(part)
        self.buffer, self.position = b"", 0
        self._parts.clear()
        self._gathered = None
        self._let_go()

    def _tell_refused(self, refused: ProtocolViolationError) -> NoReturn:
        self._refused = None
        self.buffer, self._rest = self._rest, b""
        self.position = 0
        raise refused

    def _refusal(self, kind: int, length: int) -> ProtocolViolationError:
        if kind not in DECODERS or (kind == _PASSWORD and self.caps[kind] == 0):
            return ProtocolViolationError(f"invalid frontend message type {kind}")
        if self.caps[kind] == 0:
            return ProtocolViolationError(f"expected an authentication response, got {kind:c}")
        if length > self.caps[kind]:
            return ProtocolViolationError(
                "invalid message length",
                detail=f"A message of type {kind:c} may have at most {self.caps[kind]} bytes.",
            )
        return ProtocolViolationError("invalid message length")


def _any_message(_kind: int, _size: int) -> None:
    """Everything is admitted."""


def _anything(_size: int) -> None:
    """There is room for all of it."""


_HEADER = struct.Struct(">Bi").unpack_from


@lru_cache(maxsize=8)
def _caps(max_message_bytes: int) -> tuple[int, ...]:
    """The largest length field of each type byte; 0 refuses the type. One for all sessions."""
    caps = [0] * 256
    for kind in _SMALL:
        caps[kind] = SMALL_BYTES_MAX
    for kind in _LARGE:
        caps[kind] = max_message_bytes
    caps[_PASSWORD] = 0  # Nobody has asked for one.
    return tuple(caps)


_PASSWORD: Final = ord("p")


_PRE_AUTHENTICATION_CAPS: Final = tuple(
    PRE_AUTHENTICATION_BYTES_MAX if kind == _PASSWORD else 4 if kind == ord("X") else 0
    for kind in range(256)
)
