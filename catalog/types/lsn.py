"""pg_lsn, a place in a write-ahead log: 8 bytes, which sort as they are.

Nothing here has one: the log is another, and numbers its commits (`_seq`). Tools ask for the type.
"""

import re
from typing import cast

import pyarrow as pa

from catalog.types.common import bad_binary, bad_text, fixed
from catalog.types.table import PgType, TypeContext
from storage.layout import Value

_FORM = re.compile(r"([0-9a-fA-F]{1,8})/([0-9a-fA-F]{1,8})\Z")
_SIZE = 8


def _read(text: str, _typmod: int = -1, _context: TypeContext | None = None) -> bytes:
    found = _FORM.match(text)
    if found is None:
        raise bad_text("pg_lsn", text)
    return (int(found[1], 16) << 32 | int(found[2], 16)).to_bytes(_SIZE)


def _output(value: Value, _context: TypeContext) -> str:
    high, low = divmod(int.from_bytes(cast("bytes", value)), 1 << 32)
    return f"{high:X}/{low:X}"


def _receive(data: bytes, _typmod: int) -> bytes:
    if len(data) != _SIZE:
        raise bad_binary()
    return bytes(data)


PG_LSN = PgType(
    oid=3220,
    name="pg_lsn",
    sql_name="pg_lsn",
    length=_SIZE,
    category="U",
    preferred=False,
    array_oid=3221,
    key_kind="bytes",
    arrow=fixed(pa.binary(_SIZE)),
    input=_read,
    output=_output,
    receive=_receive,
    send=lambda value: cast("bytes", value),
)
