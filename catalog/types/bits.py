"""bit(n) and bit varying(n): stored as text of zeros and ones, which sorts as PostgreSQL sorts them."""

from struct import Struct
from typing import cast

import pyarrow as pa

from catalog.errors import (
    InvalidTextRepresentationError,
    StringDataLengthMismatchError,
    StringDataRightTruncationError,
)
from catalog.types.common import bad_binary, fixed
from catalog.types.table import PgType, TypeContext
from storage.layout import Value

_LENGTH = Struct(">i")
_HEX = frozenset("0123456789abcdefABCDEF")


def read_bits(text: str) -> str:
    """Zeros and ones of a text, which may begin with `b` or `x`. Raises 22P02."""
    marked = text[:1] in ("b", "B", "x", "X")
    digits = text[1:] if marked else text
    if text[:1] in ("x", "X"):
        for digit in digits:
            if digit not in _HEX:
                raise InvalidTextRepresentationError(f'"{digit}" is not a valid hexadecimal digit')
        return "".join([f"{int(digit, 16):04b}" for digit in digits])
    for digit in digits:
        if digit not in "01":
            raise InvalidTextRepresentationError(f'"{digit}" is not a valid binary digit')
    return digits


def fit_bit(bits: str, length: int) -> str:
    """The bits, which are to be so many. Raises 22026."""
    if 0 < length != len(bits):
        raise StringDataLengthMismatchError(
            f"bit string length {len(bits)} does not match type bit({length})"
        )
    return bits


def fit_varbit(bits: str, length: int) -> str:
    """The bits, which are to be no more than that. Raises 22001."""
    if 0 < length < len(bits):
        raise StringDataRightTruncationError(f"bit string too long for type bit varying({length})")
    return bits


def cut_bit(bits: str, length: int) -> str:
    """So many bits, from the left, zeros behind them: what an explicit cast makes."""
    return bits[:length].ljust(length, "0") if length > 0 else bits


def cut_varbit(bits: str, length: int) -> str:
    """At most so many bits, from the left."""
    return bits[:length] if length > 0 else bits


def bits_to_bytes(bits: str) -> bytes:
    """Eight bits a byte, zeros behind the last."""
    size = -(-len(bits) // 8)
    return int(bits.ljust(size * 8, "0") or "0", 2).to_bytes(size)


def bytes_to_bits(data: bytes, length: int) -> str:
    """The first bits of these bytes."""
    return f"{int.from_bytes(data):0{len(data) * 8}b}"[:length] if length else ""


def _write(value: Value, _context: TypeContext) -> str:
    return cast("str", value)


def _send(value: Value) -> bytes:
    bits = cast("str", value)
    return _LENGTH.pack(len(bits)) + bits_to_bytes(bits)


def _received(data: bytes) -> str:
    if len(data) < _LENGTH.size:
        raise bad_binary("insufficient data left in message")
    (length,) = _LENGTH.unpack_from(data)
    if length < 0:
        raise bad_binary("invalid length in external bit string")
    size = -(-length // 8)
    if size > len(data) - _LENGTH.size:
        raise bad_binary("insufficient data left in message")
    if size < len(data) - _LENGTH.size:
        raise bad_binary()
    return bytes_to_bits(data[_LENGTH.size :], length)


def _type(name: str, sql_name: str, oid: int, *, varying: bool) -> PgType:
    fit = fit_varbit if varying else fit_bit

    def read(text: str, typmod: int, _context: TypeContext) -> str:
        return fit(read_bits(text), typmod)

    def receive(data: bytes, typmod: int) -> str:
        return fit(_received(data), typmod)

    return PgType(
        oid=oid,
        name=name,
        sql_name=sql_name,
        length=-1,
        category="V",
        preferred=varying,
        array_oid=oid + 1,
        key_kind="text",
        arrow=fixed(pa.string()),
        input=read,
        output=_write,
        receive=receive,
        send=_send,
    )


BIT = _type("bit", "bit", 1560, varying=False)
VARBIT = _type("varbit", "bit varying", 1562, varying=True)
