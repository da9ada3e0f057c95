"""bytea."""

import binascii
import re
from typing import cast

import pyarrow as pa

from catalog.errors import InvalidParameterValueError, InvalidTextRepresentationError
from catalog.types.common import fixed
from catalog.types.table import PgType, TypeContext
from storage.layout import Value

_ESCAPE = re.compile(rb"\\(?:([0-3][0-7][0-7])|(\\)|)")
_UNPRINTABLE = re.compile(rb"[^ -~]")
_HEX_SPACES = " \t\n\r"


def parse_bytea(text: str, _typmod: int, _context: TypeContext) -> bytes:
    r"""Return the bytes of the hex form `\x…` or of the escape form."""
    if text.startswith("\\x"):
        return _from_hex(text[2:])
    data = text.encode()
    if b"\\" not in data:
        return data
    return _ESCAPE.sub(_unescape, data)


def _unescape(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return bytes((int(match[1], 8),))
    if match[2]:
        return b"\\"
    raise InvalidTextRepresentationError("invalid input syntax for type bytea")


def _from_hex(digits: str) -> bytes:
    try:
        return binascii.unhexlify(digits)
    except (ValueError, binascii.Error):
        pass
    # Spaces may stand between bytes, not within one; and the errors name the culprit.
    result = bytearray()
    i = 0
    while i < len(digits):
        if digits[i] in _HEX_SPACES:
            i += 1
            continue
        high = _nibble(digits[i])
        if i + 1 >= len(digits):
            raise InvalidParameterValueError("invalid hexadecimal data: odd number of digits")
        result.append(high << 4 | _nibble(digits[i + 1]))
        i += 2
    return bytes(result)


def _nibble(digit: str) -> int:
    if digit in "0123456789abcdefABCDEF":
        return int(digit, 16)
    raise InvalidParameterValueError(f'invalid hexadecimal digit: "{digit}"')


def bytea_output(value: Value, context: TypeContext) -> str:
    """Return the form that `bytea_output` asks for."""
    data = cast("bytes", value)
    if context.bytea_output == "escape":
        doubled = data.replace(b"\\", b"\\\\")
        return _UNPRINTABLE.sub(lambda match: b"\\%03o" % match[0][0], doubled).decode()
    return "\\x" + data.hex()


def _receive(data: bytes, _typmod: int) -> bytes:
    return bytes(data)


def _send(value: Value) -> bytes:
    return cast("bytes", value)


BYTEA = PgType(
    oid=17,
    name="bytea",
    sql_name="bytea",
    length=-1,
    category="U",
    preferred=False,
    array_oid=1001,
    key_kind="bytes",
    arrow=fixed(pa.binary()),
    input=parse_bytea,
    output=bytea_output,
    receive=_receive,
    send=_send,
    aliases=("bytes",),
)
