"""Bytes from a frontend, any way they are cut, become messages.

`FrontendDecoder` is the server's half of the protocol; the bytes it answers with are made in
`encode`. The other half (a frontend's encoders and decoder) is in `frontend`.

The messages of a prepared statement are on the hot path, so they are unpacked in one function each
with no cursor in between; every other message goes through the bounds-checked `ByteReader`. The tests
hold both to the same table of (bytes, message) cases.
"""

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from kalam_pg.pgwire.byte_reader import ByteReader, text
from kalam_pg.pgwire.errors import ProtocolViolationError
from kalam_pg.pgwire.messages import (
    AuthenticationData,
    Bind,
    Close,
    CopyData,
    CopyDone,
    CopyFail,
    Describe,
    Execute,
    Flush,
    FrontendMessage,
    FunctionCall,
    Parameter,
    Parse,
    Query,
    SASLInitialResponse,
    Sync,
    Terminate,
)
from kalam_pg.pgwire.startup import StartupPacket, read_packet

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

VIEWED_BYTES_MIN: Final = 1 << 16
"""Parameters of a gathered Bind of so many bytes are views of its buffer, smaller ones copies."""

_BIND: Final = ord("B")

_LARGE = b"QPBFdp"
_SMALL = b"CDEHSXcf"


class FrontendDecoder:
    """Cuts a frontend's byte stream into messages.

    Bytes go in by `feed`, messages come out of `next` until it returns None, which means "feed me
    more" and is not an error. What is held is what was received: a declared length reserves
    nothing. Before `authenticated` is called only 'p' and Terminate of at most 64 KiB pass.

    buffer, position: what was fed last, and how far it was taken. caps: the largest length field of each
    message type. (For `peek`.)
    """

    __slots__ = (
        "_gathered", "_max_bytes", "_need", "_parts", "_rest", "_size", "buffer", "caps", "position",
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

    def authenticated(self) -> None:
        """Accept every message type from here on, up to the configured size."""
        self.caps = _caps(self._max_bytes)

    def feed(self, data: bytes) -> None:
        """Add bytes received."""
        if self._parts:
            self._parts.append(data)
            self._size += len(data)
            if self._size < self._need:
                return
            self.buffer = b"".join(self._parts)
            self._parts.clear()
        elif self._gathered is not None:
            missing = self._need - len(self._gathered)
            self._gathered += data if missing >= len(data) else data[:missing]
            self._rest += data[missing:] if missing < len(data) else b""
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
        return self._size if self._parts else len(self.buffer) - self.position

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
            return None if self._gathered is None else self._take_gathered()
        kind, length = _HEADER(buffer, pos)
        if not 4 <= length <= self.caps[kind]:
            raise self._refusal(kind, length)
        end = pos + 1 + length
        if end > len(buffer):
            self._wait_for(end)
            return None
        self.position = end
        if length <= 9:
            frequent = _FREQUENT.get(buffer[pos:end])
            if frequent is not None:
                return frequent
        try:
            return _DECODERS[kind](buffer[pos + 5 : end])
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
        self.buffer, self._rest = self._rest, b""
        self.position = 0
        kind = body[0]
        del body[:5]
        try:
            return Bind(*bind_fields(body)) if kind == _BIND else _DECODERS[kind](bytes(body))
        except ProtocolViolationError as exc:
            exc.message_type = chr(kind)
            raise

    def _wait_for(self, end: int) -> None:
        part = self.buffer[self.position :]
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

    def _refusal(self, kind: int, length: int) -> ProtocolViolationError:
        if kind not in _DECODERS or (kind == _PASSWORD and self.caps[kind] == 0):
            return ProtocolViolationError(f"invalid frontend message type {kind}")
        if self.caps[kind] == 0:
            return ProtocolViolationError(f"expected an authentication response, got {kind:c}")
        if length > self.caps[kind]:
            return ProtocolViolationError(
                "invalid message length",
                detail=f"A message of type {kind:c} may have at most {self.caps[kind]} bytes.",
            )
        return ProtocolViolationError("invalid message length")


def password(message: AuthenticationData) -> str:
    """The password of a PasswordMessage."""
    cursor = ByteReader(message.data)
    value = cursor.string()
    cursor.finish()
    return value


def sasl_initial_response(message: AuthenticationData) -> SASLInitialResponse:
    """The mechanism and first data of a SASLInitialResponse."""
    cursor = ByteReader(message.data)
    mechanism = cursor.string()
    data = cursor.value()
    cursor.finish()
    return SASLInitialResponse(mechanism, data)


def sasl_response(message: AuthenticationData) -> bytes:
    """The data of a SASLResponse: all of it."""
    return message.data


# Decoders of one body each ----------------------------------------------------------------------

_HEADER = struct.Struct(">Bi").unpack_from
_UINT16 = struct.Struct(">H").unpack_from
_INT32 = struct.Struct(">i").unpack_from


def _query(body: bytes) -> Query:
    if body.find(0) != len(body) - 1 or not body:
        raise _bad_string(body)
    return Query(text(body[:-1]))


def _parse(body: bytes) -> Parse:
    try:
        name_end = body.index(0)
        query_end = body.index(0, name_end + 1)
        count = _UINT16(body, query_end + 1)[0]
        pos = query_end + 3
        if pos + 4 * count != len(body):
            raise _bad_format(len(body) < pos + 4 * count)
        types = struct.unpack_from(f">{count}I", body, pos) if count else ()
        return Parse(
            body[:name_end].decode() if name_end else "",
            body[name_end + 1 : query_end].decode(),
            types,
        )
    except ValueError as exc:
        raise _explain(exc) from exc
    except struct.error as exc:
        raise _bad_format(short=True) from exc


def _bind(body: bytes) -> Bind:
    return Bind(*bind_fields(body))


BindFields = tuple[str, str, tuple[int, ...], tuple[Parameter | None, ...], tuple[int, ...]]


def bind_fields(body: bytes | bytearray) -> BindFields:
    """The fields of a Bind, in the order of `messages.Bind`. One function, for speed.

    Raises:
        ProtocolViolationError: the body is no Bind's (not fatal: the message was whole).
    """
    try:
        portal_end = body.index(0)
        statement_end = body.index(0, portal_end + 1)
        pos = statement_end + 1
        format_count = _UINT16(body, pos)[0]
        pos += 2
        parameter_formats: tuple[int, ...] = ()
        if format_count:
            parameter_formats = struct.unpack_from(f">{format_count}h", body, pos)
            pos += 2 * format_count
        count = _UINT16(body, pos)[0]
        pos += 2
        gathered = body.__class__ is bytearray
        parameters: list[Parameter | None] = []
        for _ in range(count):
            size = _INT32(body, pos)[0]
            pos += 4
            if size >= 0:
                end = pos + size
                parameters.append(_slice(body, pos, end) if gathered else body[pos:end])  # type: ignore[arg-type]
                pos = end  # An overrun shows below: `pos` never comes back inside the body.
            elif size == -1:
                parameters.append(None)
            else:
                raise _bad_format(short=True)
        result_count = _UINT16(body, pos)[0]
        pos += 2
        result_formats: tuple[int, ...] = ()
        if result_count:
            result_formats = struct.unpack_from(f">{result_count}h", body, pos)
            pos += 2 * result_count
        if pos != len(body):
            raise _bad_format(short=False)
        portal = body[:portal_end].decode() if portal_end else ""
        statement = body[portal_end + 1 : statement_end].decode()
    except ValueError as exc:
        raise _explain(exc) from exc
    except struct.error as exc:
        raise _bad_format(short=True) from exc
    if format_count > 1 and format_count != count:
        raise ProtocolViolationError(
            f"bind message has {format_count} parameter formats but {count} parameters",
            fatal=False,
        )
    return portal, statement, parameter_formats, tuple(parameters), result_formats


def _slice(body: bytes | bytearray, start: int, stop: int) -> Parameter:
    if stop - start < VIEWED_BYTES_MIN:
        return bytes(body[start:stop])
    return memoryview(body)[start:stop]


def _execute(body: bytes) -> Execute:
    cursor = ByteReader(body)
    message = Execute(cursor.string(), cursor.int32())
    cursor.finish()
    return message


def _describe(body: bytes) -> Describe:
    kind, name = _kind_and_name(body, "DESCRIBE")
    return Describe(kind, name)


def _close(body: bytes) -> Close:
    kind, name = _kind_and_name(body, "CLOSE")
    return Close(kind, name)


def _kind_and_name(body: bytes, what: str) -> tuple[str, str]:
    cursor = ByteReader(body)
    kind = cursor.byte()
    name = cursor.string()
    cursor.finish()
    if kind not in b"SP":
        raise ProtocolViolationError(f"invalid {what} message subtype {kind}", fatal=False)
    return chr(kind), name


def _copy_data(body: bytes) -> CopyData:
    return CopyData(body)


def _copy_fail(body: bytes) -> CopyFail:
    cursor = ByteReader(body)
    message = CopyFail(cursor.string())
    cursor.finish()
    return message


def _function_call(body: bytes) -> FunctionCall:
    cursor = ByteReader(body)
    function = cursor.oid()
    formats = tuple(cursor.int16() for _ in range(cursor.count()))
    arguments = tuple(cursor.value() for _ in range(cursor.count()))
    result_format = cursor.int16()
    cursor.finish()
    return FunctionCall(function, formats, arguments, result_format)


def _authentication_data(body: bytes) -> AuthenticationData:
    return AuthenticationData(body)


def _empty(message: FrontendMessage) -> Callable[[bytes], FrontendMessage]:
    def decode(body: bytes) -> FrontendMessage:
        if body:
            raise _bad_format(short=False)
        return message

    return decode


def _bad_format(short: bool) -> ProtocolViolationError:
    what = "insufficient data left in message" if short else "invalid message format"
    return ProtocolViolationError(what, fatal=False)


def _bad_string(body: bytes) -> ProtocolViolationError:
    if 0 in body:
        return _bad_format(short=False)
    return ProtocolViolationError("invalid string in message", fatal=False)


def _explain(exc: ValueError) -> ProtocolViolationError:
    # A missing zero is a plain ValueError; text that is not UTF-8 says where it went wrong.
    if isinstance(exc, UnicodeDecodeError):
        try:
            text(exc.object)
        except ProtocolViolationError as violation:
            return violation
    return ProtocolViolationError("invalid string in message", fatal=False)


_DECODERS: Final[dict[int, Callable[[bytes], FrontendMessage]]] = {
    ord("Q"): _query,
    ord("P"): _parse,
    ord("B"): _bind,
    ord("D"): _describe,
    ord("E"): _execute,
    ord("C"): _close,
    ord("H"): _empty(Flush()),
    ord("S"): _empty(Sync()),
    ord("X"): _empty(Terminate()),
    ord("d"): _copy_data,
    ord("c"): _empty(CopyDone()),
    ord("f"): _copy_fail,
    ord("F"): _function_call,
    ord("p"): _authentication_data,
}

# Whole messages that nearly every pipeline holds, recognised without being taken apart.
_FREQUENT: Final[dict[bytes, FrontendMessage]] = {
    b"S\0\0\0\x04": Sync(),
    b"H\0\0\0\x04": Flush(),
    b"E\0\0\0\x09\0\0\0\0\0": Execute("", 0),
    b"D\0\0\0\x06P\0": Describe("P", ""),
    b"D\0\0\0\x06S\0": Describe("S", ""),
    b"c\0\0\0\x04": CopyDone(),
}


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
