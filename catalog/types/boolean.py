"""boolean."""

import pyarrow as pa

from catalog.types.common import SPACES, bad_binary, bad_text, fixed
from catalog.types.table import PgType, TypeContext
from storage.layout import Value

_WORDS = {
    word[:length]: value
    for word, shortest, value in (
        ("true", 1, True),
        ("false", 1, False),
        ("yes", 1, True),
        ("no", 1, False),
        ("on", 2, True),
        ("off", 2, False),
        ("1", 1, True),
        ("0", 1, False),
    )
    for length in range(shortest, len(word) + 1)
}


def parse_bool(text: str, _typmod: int, _context: TypeContext) -> bool:
    """Return the boolean that a unique prefix of true, false, yes, no, on, off, or 1, 0 means."""
    value = _WORDS.get(text)
    if value is None:
        value = _WORDS.get(text.strip(SPACES).lower())
        if value is None:
            raise bad_text("boolean", text)
    return value


def _output(value: Value, _context: TypeContext) -> str:
    return "t" if value else "f"


def _receive(data: bytes, _typmod: int) -> bool:
    if len(data) != 1:
        raise bad_binary()
    return data != b"\0"


def _send(value: Value) -> bytes:
    return b"\x01" if value else b"\0"


BOOL = PgType(
    oid=16,
    name="bool",
    sql_name="boolean",
    length=1,
    category="B",
    preferred=True,
    array_oid=1000,
    key_kind="bool",
    arrow=fixed(pa.bool_()),
    input=parse_bool,
    output=_output,
    receive=_receive,
    send=_send,
    aliases=("bool",),
)
