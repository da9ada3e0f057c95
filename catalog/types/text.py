"""text, varchar(n), char(n), name, "char", and the types of strings without one: unknown, cstring."""

from collections.abc import Callable
from typing import cast

import pyarrow as pa

from catalog.errors import CharacterNotInRepertoireError, StringDataRightTruncationError
from catalog.types.common import bad_binary, fixed
from catalog.types.table import PgType, TypeContext
from storage.layout import Value

NAME_BYTES_MAX = 63
"""An identifier's length: NAMEDATALEN - 1."""

# Length of a UTF-8 sequence by the high five bits of its first byte, as pg_utf_mblen has it.
_SEQUENCE = [1] * 24 + [2] * 4 + [3] * 2 + [4] + [1]


def decode_utf8(data: bytes) -> str:
    """Return the text of UTF-8 bytes from a client.

    Raises:
        CharacterNotInRepertoireError: 22021, with the offending bytes; also for a zero byte.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as exc:
        start = data.find(0, 0, exc.start)
        raise _bad_bytes(data, exc.start if start < 0 else start) from None
    if "\0" in text:
        raise _bad_bytes(data, data.index(0))
    return text


def _bad_bytes(data: bytes, start: int) -> CharacterNotInRepertoireError:
    bad = data[start : start + min(_SEQUENCE[data[start] >> 3], 8)]
    shown = " ".join(f"0x{byte:02x}" for byte in bad)
    return CharacterNotInRepertoireError(f'invalid byte sequence for encoding "UTF8": {shown}')


def clip_name(text: str) -> str:
    """Return `text` cut to 63 bytes at a character boundary, as PostgreSQL cuts identifiers."""
    if len(text) * 4 <= NAME_BYTES_MAX:
        return text
    data = text.encode()
    return text if len(data) <= NAME_BYTES_MAX else data[:NAME_BYTES_MAX].decode(errors="ignore")


def fit_varchar(text: str, typmod: int, *, explicit: bool = False) -> str:
    """Return `text` as varchar(typmod - 4) holds it.

    An assignment may lose trailing spaces only; an `explicit` cast cuts without a word.

    Raises:
        StringDataRightTruncationError: 22001.
    """
    limit = typmod - 4
    if typmod < 4 or len(text) <= limit:
        return text
    if not explicit and text[limit:].strip(" "):
        raise StringDataRightTruncationError(f"value too long for type character varying({limit})")
    return text[:limit]


def fit_bpchar(text: str, typmod: int, *, explicit: bool = False) -> str:
    """Return `text` as char(typmod - 4) holds it: padded with spaces, or cut like a varchar.

    Raises:
        StringDataRightTruncationError: 22001.
    """
    limit = typmod - 4
    if typmod < 4:
        return text
    if len(text) <= limit:
        return text.ljust(limit)
    if not explicit and text[limit:].strip(" "):
        raise StringDataRightTruncationError(f"value too long for type character({limit})")
    return text[:limit]


def _read_text(text: str, _typmod: int, _context: TypeContext) -> str:
    return text


def _read_varchar(text: str, typmod: int, _context: TypeContext) -> str:
    return text if typmod < 4 else fit_varchar(text, typmod)


def _read_bpchar(text: str, typmod: int, _context: TypeContext) -> str:
    return text if typmod < 4 else fit_bpchar(text, typmod)


def _read_name(text: str, _typmod: int, _context: TypeContext) -> str:
    return clip_name(text)


def _read_char(text: str, _typmod: int, _context: TypeContext) -> str:
    # One byte in PostgreSQL; one from 0x80 on is stored as the character of that number.
    if len(text) == 4 and text[0] == "\\" and set(text[1:]) <= set("01234567"):
        byte = int(text[1:], 8) & 0xFF
    else:
        byte = text[:1].encode()[0] if text else 0
    return chr(byte) if byte else ""


def char_output(value: Value, _context: TypeContext) -> str:
    """Return a "char" as PostgreSQL writes it: what is not ASCII by its octal number."""
    text = cast("str", value)
    return text if text < "\x80" else f"\\{ord(text):03o}"


def text_output(value: Value, _context: TypeContext) -> str:
    """Return the stored text itself."""
    return cast("str", value)


def receive_text(data: bytes, _typmod: int) -> str:
    """Read text's binary format, which is its UTF-8 bytes."""
    return decode_utf8(data)


def send_text(value: Value) -> bytes:
    """Write text's binary format."""
    return cast("str", value).encode()


def _receive_varchar(data: bytes, typmod: int) -> str:
    return fit_varchar(decode_utf8(data), typmod)


def _receive_bpchar(data: bytes, typmod: int) -> str:
    return fit_bpchar(decode_utf8(data), typmod)


def _receive_name(data: bytes, _typmod: int) -> str:
    return clip_name(decode_utf8(data))


def _receive_char(data: bytes, _typmod: int) -> str:
    if len(data) != 1:
        raise bad_binary()
    return "" if data == b"\0" else data.decode("latin-1")


def _send_char(value: Value) -> bytes:
    return cast("str", value).encode("latin-1") or b"\0"


def text_like(
    name: str,
    sql_name: str,
    oid: int,
    array_oid: int,
    category: str = "S",
    length: int = -1,
    *,
    read: Callable[[str, int, TypeContext], Value] = _read_text,
    write: Callable[[Value, TypeContext], str] = text_output,
    receive: Callable[[bytes, int], Value] = receive_text,
    send: Callable[[Value], bytes] = send_text,
    key_kind: str = "text",
    preferred: bool = False,
    collatable: bool = False,
    pseudo: bool = False,
    aliases: tuple[str, ...] = (),
) -> PgType:
    """Return a type whose stored form is its text."""
    return PgType(
        oid=oid,
        name=name,
        sql_name=sql_name,
        length=length,
        category=category,
        preferred=preferred,
        array_oid=array_oid,
        key_kind=key_kind,
        arrow=fixed(pa.string()),
        input=read,
        output=write,
        receive=receive,
        send=send,
        collatable=collatable,
        pseudo=pseudo,
        aliases=aliases,
    )


TEXT = text_like("text", "text", 25, 1009, preferred=True, collatable=True, aliases=("string",))
VARCHAR = text_like(
    "varchar",
    "character varying",
    1043,
    1015,
    read=_read_varchar,
    receive=_receive_varchar,
    collatable=True,
    aliases=(
        "varchar",
        "char varying",
        "national character varying",
        "national char varying",
        "nchar varying",
    ),
)
BPCHAR = text_like(
    "bpchar",
    "character",
    1042,
    1014,
    read=_read_bpchar,
    receive=_receive_bpchar,
    collatable=True,
    aliases=("char", "national character", "national char", "nchar"),
)
NAME = text_like(
    "name", "name", 19, 1003, length=64, read=_read_name, receive=_receive_name, collatable=True
)
CHAR = text_like(
    "char", '"char"', 18, 1002, "Z", 1,
    read=_read_char, write=char_output, receive=_receive_char, send=_send_char,
)  # fmt: skip
UNKNOWN = text_like("unknown", "unknown", 705, 0, "X", -2)
CSTRING = text_like("cstring", "cstring", 2275, 1263, "P", -2, pseudo=True)
