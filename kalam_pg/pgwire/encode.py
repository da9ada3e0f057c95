"""Backend messages, straight to bytes.

One function for each message, taking its fields and returning the whole message; messages without
content are constants. `encode` takes a message value and serves code that is not hot (and the
tests, which hold every function here to the manual's bytes).
"""

import struct
from collections.abc import Iterable, Sequence
from typing import Final, assert_never

from kalam_pg.pgwire.messages import (
    Authentication,
    BackendKeyData,
    BackendMessage,
    BindComplete,
    CloseComplete,
    CommandComplete,
    CopyBothResponse,
    CopyData,
    CopyDone,
    CopyInResponse,
    CopyOutResponse,
    DataRow,
    EmptyQueryResponse,
    ErrorResponse,
    FieldDescription,
    NegotiateProtocolVersion,
    NoData,
    NoticeResponse,
    NotificationResponse,
    ParameterDescription,
    ParameterStatus,
    ParseComplete,
    PortalSuspended,
    ReadyForQuery,
    RowDescription,
    TransactionStatus,
)

PARSE_COMPLETE: Final = b"1\0\0\0\x04"
BIND_COMPLETE: Final = b"2\0\0\0\x04"
CLOSE_COMPLETE: Final = b"3\0\0\0\x04"
NO_DATA: Final = b"n\0\0\0\x04"
PORTAL_SUSPENDED: Final = b"s\0\0\0\x04"
EMPTY_QUERY: Final = b"I\0\0\0\x04"
COPY_DONE: Final = b"c\0\0\0\x04"
AUTHENTICATION_OK: Final = b"R\0\0\0\x08\0\0\0\0"

_READY: Final[dict[str, bytes]] = {
    status: b"Z\0\0\0\x05" + status.encode() for status in ("I", "T", "E")
}
_COUNT = struct.Struct(">H").pack
_INT32 = struct.Struct(">i").pack
_HEADER = struct.Struct(">ci").pack
_NOTIFICATION = struct.Struct(">cii").pack
_ROW = struct.Struct(">ciH").pack
_COLUMN = struct.Struct(">IhIhih").pack
_NULL = b"\xff\xff\xff\xff"
_TAGS: dict[str, bytes] = {}
_TAGS_MAX = 1024


def ready_for_query(status: TransactionStatus) -> bytes:
    """'Z'."""
    return _READY[status]


def command_complete(tag: str) -> bytes:
    """'C'. Tags recur, so their messages are kept (the first 1024 different ones)."""
    message = _TAGS.get(tag)
    if message is None:
        message = _message(b"C", _string(tag))
        if len(_TAGS) < _TAGS_MAX:
            _TAGS[tag] = message
    return message


def data_row(values: Sequence[bytes | None]) -> bytes:
    """'D': one row of values already in their text or binary form."""
    parts = [b""]
    size = 6
    for value in values:
        if value is None:
            parts.append(_NULL)
            size += 4
        else:
            length = len(value)
            parts.append(_INT32(length))
            parts.append(value)
            size += 4 + length
    parts[0] = _ROW(b"D", size, len(values))
    return b"".join(parts)


def row_description(fields: Sequence[FieldDescription]) -> bytes:
    """'T'."""
    parts = [_COUNT(len(fields))]
    for field in fields:
        parts.append(_string(field.name))
        parts.append(
            _COLUMN(
                field.table_oid,
                field.column_number,
                field.type_oid,
                field.size,
                field.modifier,
                field.format,
            )
        )
    return _message(b"T", b"".join(parts))


def parameter_description(parameter_types: Sequence[int]) -> bytes:
    """'t'."""
    count = len(parameter_types)
    return _message(b"t", struct.pack(f">H{count}I", count, *parameter_types))


def error_response(fields: Iterable[tuple[str, str]]) -> bytes:
    """'E'; `fields` are (letter, text) in the order to send, see `notices`."""
    return _message(b"E", _fields(fields))


def notice_response(fields: Iterable[tuple[str, str]]) -> bytes:
    """'N'; `fields` as for `error_response`."""
    return _message(b"N", _fields(fields))


def notification(process_id: int, channel: str, payload: str) -> bytes:
    """'A'."""
    return _message(b"A", _INT32(process_id) + _string(channel) + _string(payload))


def notification_body(channel: str, payload: str) -> bytes:
    """What is the same of an 'A' whoever is told it: `notification_head` comes before."""
    return _string(channel) + _string(payload)


def notification_head(process_id: int, body: bytes) -> bytes:
    """'A', up to the body."""
    return _NOTIFICATION(b"A", len(body) + 8, process_id)


def parameter_status(name: str, value: str) -> bytes:
    """'S'."""
    return _message(b"S", _string(name) + _string(value))


def backend_key_data(process_id: int, secret_key: bytes) -> bytes:
    """'K'."""
    return _message(b"K", _INT32(process_id) + secret_key)


def negotiate_protocol_version(minor: int, options: Sequence[str] = ()) -> bytes:
    """'v'. The version is the full number, 3.minor, as PostgreSQL sends it."""
    head = struct.pack(">HHi", 3, minor, len(options))
    return _message(b"v", head + b"".join(map(_string, options)))


def authentication(code: int, data: bytes = b"") -> bytes:
    """'R'."""
    return _message(b"R", _INT32(code) + data)


def authentication_sasl(mechanisms: Sequence[str]) -> bytes:
    """'R' 10: the mechanisms offered, best first."""
    return authentication(10, b"".join(map(_string, mechanisms)) + b"\0")


def authentication_sasl_continue(data: bytes) -> bytes:
    """'R' 11."""
    return authentication(11, data)


def authentication_sasl_final(data: bytes) -> bytes:
    """'R' 12."""
    return authentication(12, data)


def copy_in_response(format: int, column_formats: Sequence[int]) -> bytes:  # noqa: A002
    """'G'."""
    return _copy_response(b"G", format, column_formats)


def copy_out_response(format: int, column_formats: Sequence[int]) -> bytes:  # noqa: A002
    """'H'."""
    return _copy_response(b"H", format, column_formats)


def copy_data(data: bytes) -> bytes:
    """'d'."""
    return _message(b"d", data)


def encode(message: BackendMessage) -> bytes:  # noqa: C901
    """Any backend message as bytes."""
    match message:
        case ParseComplete():
            return PARSE_COMPLETE
        case BindComplete():
            return BIND_COMPLETE
        case CloseComplete():
            return CLOSE_COMPLETE
        case NoData():
            return NO_DATA
        case PortalSuspended():
            return PORTAL_SUSPENDED
        case EmptyQueryResponse():
            return EMPTY_QUERY
        case CopyDone():
            return COPY_DONE
        case ReadyForQuery(status):
            return ready_for_query(status)
        case CommandComplete(tag):
            return command_complete(tag)
        case DataRow(values):
            return data_row(values)
        case RowDescription(fields):
            return row_description(fields)
        case ParameterDescription(parameter_types):
            return parameter_description(parameter_types)
        case ErrorResponse(error_fields):
            return error_response(error_fields)
        case NoticeResponse(notice_fields):
            return notice_response(notice_fields)
        case NotificationResponse(process_id, channel, payload):
            return notification(process_id, channel, payload)
        case ParameterStatus(name, value):
            return parameter_status(name, value)
        case BackendKeyData(process_id, secret_key):
            return backend_key_data(process_id, secret_key)
        case NegotiateProtocolVersion(minor, options):
            return negotiate_protocol_version(minor, options)
        case Authentication(code, data):
            return authentication(code, data)
        case CopyInResponse(overall, formats):
            return copy_in_response(overall, formats)
        case CopyOutResponse(overall, formats):
            return copy_out_response(overall, formats)
        case CopyBothResponse(overall, formats):
            return _copy_response(b"W", overall, formats)
        case CopyData(data):
            return copy_data(data)
        case _ as never:
            assert_never(never)


def _message(kind: bytes, body: bytes) -> bytes:
    return _HEADER(kind, len(body) + 4) + body


def _string(value: str) -> bytes:
    # A zero would end the string early and shift everything behind it; a lone surrogate has no
    # UTF-8. Neither can come from a client, both could come from a bug.
    return value.replace("\0", "").encode(errors="replace") + b"\0"


def _fields(fields: Iterable[tuple[str, str]]) -> bytes:
    return b"".join(letter.encode() + _string(shortened(value)) for letter, value in fields) + b"\0"


FIELD_MAX: Final = 1 << 20
"""Characters of an error's text that are told: somebody's value may be in it, of any size."""


def shortened(text: str) -> str:
    """The text of an error's field, as it is told."""
    return text if len(text) <= FIELD_MAX else text[:FIELD_MAX] + "..."


def _copy_response(kind: bytes, overall: int, column_formats: Sequence[int]) -> bytes:
    count = len(column_formats)
    return _message(kind, struct.pack(f">bH{count}h", overall, count, *column_formats))
