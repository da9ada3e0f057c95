"""uuid."""

import re
from typing import cast

import pyarrow as pa

from catalog.types.common import bad_binary, bad_text, fixed
from catalog.types.table import PgType, TypeContext
from storage.layout import Value

# Groups of four digits, a hyphen allowed between any two groups.
_FORM = re.compile(r"(\{)?[0-9a-fA-F]{4}(?:-?[0-9a-fA-F]{4}){7}(?(1)\})")


def parse_uuid(text: str, _typmod: int, _context: TypeContext) -> bytes:
    """Return the 16 bytes of a UUID's text, in braces or not, with any of the usual hyphens."""
    if _FORM.fullmatch(text) is None:
        raise bad_text("uuid", text)
    return bytes.fromhex(text.strip("{}").replace("-", ""))


def uuid_output(value: Value, _context: TypeContext) -> str:
    """Return the canonical lower-case form."""
    digits = cast("bytes", value).hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _receive(data: bytes, _typmod: int) -> bytes:
    if len(data) != 16:
        raise bad_binary()
    return bytes(data)


def _send(value: Value) -> bytes:
    return cast("bytes", value)


UUID = PgType(
    oid=2950,
    name="uuid",
    sql_name="uuid",
    length=16,
    category="U",
    preferred=False,
    array_oid=2951,
    key_kind="uuid",
    arrow=fixed(pa.binary(16)),
    input=parse_uuid,
    output=uuid_output,
    receive=_receive,
    send=_send,
)
