"""macaddr and macaddr8: 6 and 8 bytes, which sort as they are."""

import re
from typing import cast

import pyarrow as pa

from catalog.types.common import bad_binary, bad_text, fixed
from catalog.types.table import PgType, TypeContext
from storage.layout import Value

_MAC = tuple(
    re.compile(form)
    for form in (
        r"([0-9a-fA-F]{1,2})([:-])([0-9a-fA-F]{1,2})(?:\2[0-9a-fA-F]{1,2}){4}",
        r"[0-9a-fA-F]{6}[:-][0-9a-fA-F]{6}",
        r"[0-9a-fA-F]{4}([.-])[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}",
        r"[0-9a-fA-F]{12}",
    )
)
_PAIRS = re.compile(r"[0-9a-fA-F]{2}(?:([:.-]?)[0-9a-fA-F]{2}(?:[:.-]?[0-9a-fA-F]{2})*)?")


def parse_macaddr(text: str, _typmod: int = -1, _context: TypeContext | None = None) -> bytes:
    """Return the six bytes of any of the usual forms. Raises 22P02."""
    plain = text.strip()
    for form in _MAC:
        if form.fullmatch(plain):
            parts = re.split("[:.-]", plain)
            if len(parts) == 6:
                return bytes([int(part, 16) for part in parts])
            return bytes.fromhex("".join(parts))
    raise bad_text("macaddr", text)


def parse_macaddr8(text: str, _typmod: int = -1, _context: TypeContext | None = None) -> bytes:
    """Return eight bytes; six get ff:fe in their middle. Raises 22P02."""
    plain = text.strip()
    digits = re.sub("[:.-]", "", plain)
    separators = set(re.findall("[:.-]", plain))
    if not _PAIRS.fullmatch(plain) or len(separators) > 1 or len(digits) not in (12, 16):
        raise bad_text("macaddr8", text)
    data = bytes.fromhex(digits)
    return data if len(data) == 8 else data[:3] + b"\xff\xfe" + data[3:]


def _output(value: Value, _context: TypeContext) -> str:
    return cast("bytes", value).hex(":")


def _type(name: str, oid: int, array_oid: int, size: int) -> PgType:
    def receive(data: bytes, _typmod: int) -> bytes:
        if len(data) == size:
            return bytes(data)
        if size == 8 and len(data) == 6:
            return data[:3] + b"\xff\xfe" + data[3:]
        raise bad_binary()

    return PgType(
        oid=oid,
        name=name,
        sql_name=name,
        length=size,
        category="U",
        preferred=False,
        array_oid=array_oid,
        key_kind="bytes",
        arrow=fixed(pa.binary(size)),
        input=parse_macaddr if size == 6 else parse_macaddr8,
        output=_output,
        receive=receive,
        send=lambda value: cast("bytes", value),
    )


MACADDR = _type("macaddr", 829, 1040, 6)
MACADDR8 = _type("macaddr8", 774, 775, 8)
