"""The bodies of a frontend's messages: bytes become what `messages` has for their type.

The messages of a prepared statement are on the hot path, so they are unpacked in one function each
with no cursor in between; every other message goes through the bounds-checked `ByteReader`. The tests
hold both to the same table of (bytes, message) cases.
"""

import struct
from collections.abc import Callable
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

VIEWED_BYTES_MIN: Final = 1 << 16
"""Parameters of a gathered Bind of so many bytes are views of its buffer, smaller ones copies."""


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


DECODERS: Final[dict[int, Callable[[bytes], FrontendMessage]]] = {
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
FREQUENT: Final[dict[bytes, FrontendMessage]] = {
    b"S\0\0\0\x04": Sync(),
    b"H\0\0\0\x04": Flush(),
    b"E\0\0\0\x09\0\0\0\0\0": Execute("", 0),
    b"D\0\0\0\x06P\0": Describe("P", ""),
    b"D\0\0\0\x06S\0": Describe("S", ""),
    b"c\0\0\0\x04": CopyDone(),
}
