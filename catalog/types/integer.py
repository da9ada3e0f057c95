"""smallint, integer and bigint, and the unsigned 32-bit numbers: oid, xid, cid."""

import re
from collections.abc import Callable
from struct import Struct

import pyarrow as pa

from catalog.types.common import SPACES, bad_binary, bad_text, fixed, out_of_range
from catalog.types.table import PgType, TypeContext
from storage.layout import Value

_DIGITS = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)")
# C's strtoul with base 0, which xid and cid use: 0x is hexadecimal, a leading 0 octal.
_ANY_BASE = re.compile(r"[ \t\n\v\f\r]*([+-]?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))")
# Python refuses to convert longer digit strings; no integer type has so many digits.
_MAX_DIGITS = 4000


def parse_integer(text: str, sql_name: str, low: int, high: int, early: int = 0) -> int:
    """Return the integer that `text` is, with PostgreSQL's errors for a type of that range.

    early: digits beyond this are reported before what follows them is looked at (default: `low`, whose
        negative PostgreSQL can still hold while it reads).
    """
    match = _DIGITS.match(text)
    if match is None:
        raise bad_text(sql_name, text)
    digits = match[1].lstrip("+-").lstrip("0") or "0"
    value = int(digits[:_MAX_DIGITS])
    if value > (early or -low):
        raise out_of_range(sql_name, text)
    if match.end() != len(text) and text[match.end() :].strip(SPACES):
        raise bad_text(sql_name, text)
    if match[1][0] == "-":
        value = -value
    if not low <= value <= high:
        raise out_of_range(sql_name, text)
    return value


def _integer(
    sql_name: str, name: str, oid: int, array_oid: int, layout: str, arrow: pa.DataType
) -> PgType:
    packer = Struct(layout)
    size = packer.size
    high = (1 << (8 * size - 1)) - 1
    low = -high - 1
    pack, unpack = packer.pack, packer.unpack

    def read(text: str, _typmod: int, _context: TypeContext) -> int:
        if len(text) < 20 and text.isdigit() and text.isascii():
            value = int(text)
            if value <= high:
                return value
        return parse_integer(text, sql_name, low, high)

    def receive(data: bytes, _typmod: int) -> int:
        if len(data) != size:
            raise bad_binary()
        return int(unpack(data)[0])

    def send(value: Value) -> bytes:
        return pack(value)

    return PgType(
        oid=oid,
        name=name,
        sql_name=sql_name,
        length=size,
        category="N",
        preferred=False,
        array_oid=array_oid,
        key_kind="int",
        arrow=fixed(arrow),
        input=read,
        output=integer_output,
        receive=receive,
        send=send,
        aliases=(name,),
    )


def integer_output(value: Value, _context: TypeContext) -> str:
    """Return decimal digits."""
    return str(value)


UINT32 = Struct("!I")


def receive_uint32(data: bytes, _typmod: int) -> int:
    """Read an OID's binary format."""
    if len(data) != 4:
        raise bad_binary()
    return int.from_bytes(data, "big")


def send_uint32(value: Value) -> bytes:
    """Write an OID's binary format."""
    return UINT32.pack(value)


def parse_oid(text: str, _typmod: int = -1, _context: TypeContext | None = None) -> int:
    """Return the OID that `text` is; a negative number counts down from 2^32, as in PostgreSQL."""
    high = (1 << 32) - 1
    return parse_integer(text, "oid", -(1 << 31), high, (1 << 64) - 1) & high


def _parse_lenient(text: str, _typmod: int, _context: TypeContext) -> int:
    # PostgreSQL 15 reads xid and cid with strtoul and ignores what it cannot read.
    match = _ANY_BASE.match(text)
    if match is None:
        return 0
    sign, hexadecimal, octal, decimal = match.groups()
    if hexadecimal:
        value = int(hexadecimal, 16)
    elif octal:
        value = int(octal, 8)
    else:
        value = int(decimal[:_MAX_DIGITS])
    value = min(value, (1 << 64) - 1)
    return (-value if sign == "-" else value) & 0xFFFFFFFF


def unsigned(
    name: str,
    oid: int,
    array_oid: int,
    category: str,
    read: Callable[[str, int, TypeContext], Value],
    output: Callable[[Value, TypeContext], str] = integer_output,
    *,
    preferred: bool = False,
    names_objects: bool = False,
) -> PgType:
    """Return a type that is stored and sent as an unsigned 32-bit number."""
    return PgType(
        oid=oid,
        name=name,
        sql_name=name,
        length=4,
        category=category,
        preferred=preferred,
        array_oid=array_oid,
        key_kind="int",
        arrow=fixed(pa.int64()),
        input=read,
        output=output,
        receive=receive_uint32,
        send=send_uint32,
        names_objects=names_objects,
    )


INT2 = _integer("smallint", "int2", 21, 1005, "!h", pa.int16())
INT4 = _integer("integer", "int4", 23, 1007, "!i", pa.int32())
INT8 = _integer("bigint", "int8", 20, 1016, "!q", pa.int64())
OID = unsigned("oid", 26, 1028, "N", parse_oid, preferred=True)
XID = unsigned("xid", 28, 1011, "U", _parse_lenient)
CID = unsigned("cid", 29, 1012, "U", _parse_lenient)
