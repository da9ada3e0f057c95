"""The protocol from the client's side: what a frontend sends, and how it reads what comes back.

The server needs none of it; tests and tools do. Nothing here is hot.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import assert_never

from kalam_pg.pgwire.byte_reader import ByteReader
from kalam_pg.pgwire.errors import ProtocolViolationError
from kalam_pg.pgwire.messages import (
    Authentication,
    AuthenticationData,
    BackendKeyData,
    BackendMessage,
    Bind,
    BindComplete,
    Close,
    CloseComplete,
    CommandComplete,
    CopyBothResponse,
    CopyData,
    CopyDone,
    CopyFail,
    CopyInResponse,
    CopyOutResponse,
    DataRow,
    Describe,
    EmptyQueryResponse,
    ErrorResponse,
    Execute,
    FieldDescription,
    Flush,
    FrontendMessage,
    FunctionCall,
    NegotiateProtocolVersion,
    NoData,
    NoticeResponse,
    NotificationResponse,
    ParameterDescription,
    ParameterStatus,
    Parse,
    ParseComplete,
    PortalSuspended,
    Query,
    ReadyForQuery,
    RowDescription,
    SASLInitialResponse,
    Sync,
    Terminate,
    TransactionStatus,
)

SSL_REQUEST = struct.pack(">ihh", 8, 1234, 5679)
GSSENC_REQUEST = struct.pack(">ihh", 8, 1234, 5680)


def startup_message(parameters: Mapping[str, str], *, minor: int = 0) -> bytes:
    """The packet that begins a session."""
    pairs = b"".join(_string(name) + _string(value) for name, value in parameters.items())
    return struct.pack(">ihh", len(pairs) + 9, 3, minor) + pairs + b"\0"


def cancel_request(process_id: int, secret_key: bytes) -> bytes:
    """The packet that asks to cancel what another connection runs."""
    return struct.pack(">ihhi", 12 + len(secret_key), 1234, 5678, process_id) + secret_key


def sasl_initial_response(message: SASLInitialResponse) -> bytes:
    """'p' with the mechanism chosen and its first data."""
    return encode(AuthenticationData(_string(message.mechanism) + _value(message.data)))


def encode(message: FrontendMessage) -> bytes:
    """Any frontend message as bytes."""
    match message:
        case Query(query):
            return _message("Q", _string(query))
        case Parse(statement, query, types):
            head = _string(statement) + _string(query)
            return _message("P", head + struct.pack(f">H{len(types)}I", len(types), *types))
        case Bind(portal, statement, formats, parameters, results):
            values = struct.pack(">H", len(parameters)) + b"".join(map(_value, parameters))
            body = _string(portal) + _string(statement) + _formats(formats) + values
            return _message("B", body + _formats(results))
        case Describe(kind, name):
            return _message("D", kind.encode() + _string(name))
        case Execute(portal, max_rows):
            return _message("E", _string(portal) + struct.pack(">i", max_rows))
        case Close(kind, name):
            return _message("C", kind.encode() + _string(name))
        case Flush():
            return _message("H")
        case Sync():
            return _message("S")
        case Terminate():
            return _message("X")
        case CopyData(data):
            return _message("d", data)
        case CopyDone():
            return _message("c")
        case CopyFail(reason):
            return _message("f", _string(reason))
        case FunctionCall(function, formats, arguments, result_format):
            values = struct.pack(">H", len(arguments)) + b"".join(map(_value, arguments))
            body = struct.pack(">I", function) + _formats(formats) + values
            return _message("F", body + struct.pack(">h", result_format))
        case AuthenticationData(data):
            return _message("p", data)
        case _ as never:
            assert_never(never)


class BackendDecoder:
    """Cuts a backend's byte stream into messages: `feed`, then `next` until it returns None."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Add bytes received."""
        self._buffer += data

    def next(self) -> BackendMessage | None:
        """The next whole message, None when more bytes are needed; ProtocolViolationError."""
        if len(self._buffer) < 5:
            return None
        kind = chr(self._buffer[0])
        (length,) = struct.unpack_from(">i", self._buffer, 1)
        if length < 4:
            raise ProtocolViolationError("invalid message length")
        if len(self._buffer) < length + 1:
            return None
        body = bytes(self._buffer[5 : length + 1])
        del self._buffer[: length + 1]
        cursor = ByteReader(body)
        message = _decode(kind, cursor)
        cursor.finish()
        return message


_EMPTY: dict[str, BackendMessage] = {
    "1": ParseComplete(),
    "2": BindComplete(),
    "3": CloseComplete(),
    "n": NoData(),
    "s": PortalSuspended(),
    "I": EmptyQueryResponse(),
    "c": CopyDone(),
}


def _decode(kind: str, cursor: ByteReader) -> BackendMessage:
    match kind:
        case "R":
            return Authentication(cursor.int32(), cursor.rest())
        case "K":
            return BackendKeyData(cursor.int32(), cursor.rest())
        case "S":
            return ParameterStatus(cursor.string(), cursor.string())
        case "Z":
            return ReadyForQuery(_status(cursor.byte()))
        case "C":
            return CommandComplete(cursor.string())
        case "t":
            return ParameterDescription(tuple(cursor.oid() for _ in range(cursor.count())))
        case "T":
            return RowDescription(tuple(_field(cursor) for _ in range(cursor.count())))
        case "D":
            return DataRow(tuple(cursor.value() for _ in range(cursor.count())))
        case "E":
            return ErrorResponse(_fields(cursor))
        case "N":
            return NoticeResponse(_fields(cursor))
        case "A":
            return NotificationResponse(cursor.int32(), cursor.string(), cursor.string())
        case "v":
            minor = cursor.int32() & 0xFFFF
            options = tuple(cursor.string() for _ in range(cursor.int32()))
            return NegotiateProtocolVersion(minor, options)
        case "G":
            return CopyInResponse(cursor.byte(), _read_formats(cursor))
        case "H":
            return CopyOutResponse(cursor.byte(), _read_formats(cursor))
        case "W":
            return CopyBothResponse(cursor.byte(), _read_formats(cursor))
        case "d":
            return CopyData(cursor.rest())
        case _:
            if kind in _EMPTY:
                return _EMPTY[kind]
            raise ProtocolViolationError(f"invalid backend message type {kind!r}")


def _status(code: int) -> TransactionStatus:
    status = _STATUSES.get(code)
    if status is None:
        raise ProtocolViolationError(f"invalid transaction status {code}")
    return status


_STATUSES: dict[int, TransactionStatus] = {0x49: "I", 0x54: "T", 0x45: "E"}


def _field(cursor: ByteReader) -> FieldDescription:
    name = cursor.string()
    table_oid, column_number = cursor.oid(), cursor.int16()
    type_oid, size, modifier = cursor.oid(), cursor.int16(), cursor.int32()
    return FieldDescription(
        name, type_oid, size, modifier, cursor.int16(), table_oid, column_number
    )


def _fields(cursor: ByteReader) -> tuple[tuple[str, str], ...]:
    fields = []
    while letter := cursor.byte():
        fields.append((chr(letter), cursor.string()))
    return tuple(fields)


def _read_formats(cursor: ByteReader) -> tuple[int, ...]:
    return tuple(cursor.int16() for _ in range(cursor.count()))


def _message(kind: str, body: bytes = b"") -> bytes:
    return kind.encode() + struct.pack(">i", len(body) + 4) + body


def _string(value: str) -> bytes:
    return value.encode() + b"\0"


def _value(value: bytes | None) -> bytes:
    return b"\xff\xff\xff\xff" if value is None else struct.pack(">i", len(value)) + value


def _formats(formats: Sequence[int]) -> bytes:
    return struct.pack(f">H{len(formats)}h", len(formats), *formats)
