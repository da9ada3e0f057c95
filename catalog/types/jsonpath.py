"""jsonpath: its text is kept in the form in which PostgreSQL prints it."""

from typing import cast

from catalog.types.common import bad_binary
from catalog.types.jsonpath_nodes import Path, shown
from catalog.types.jsonpath_parser import parse_path
from catalog.types.table import TypeContext
from catalog.types.text import receive_text, text_like
from storage.layout import Value


def canonical_path(text: str, _typmod: int = -1, _context: TypeContext | None = None) -> str:
    """Return the text that PostgreSQL prints for a path.

    Raises:
        SqlSyntaxError: 42601, it is none.
    """
    return shown(parse_path(text))


def path_of(text: str) -> Path:
    """Return a stored path taken apart."""
    return parse_path(text)


def _receive(data: bytes, _typmod: int) -> str:
    if data[:1] != b"\x01":
        version = data[0] if data else 0
        raise bad_binary(f"unsupported jsonpath version number: {version}")
    return canonical_path(receive_text(data[1:], -1))


def _send(value: Value) -> bytes:
    return b"\x01" + cast("str", value).encode()


JSONPATH = text_like(
    "jsonpath", "jsonpath", 4072, 4073, "U", read=canonical_path, receive=_receive, send=_send,
    key_kind="none",
)  # fmt: skip
