"""Rows as values: `ROW(1, 'a')`, and a relation's name where a value stands.

There is one type `record`; what fields a value has, the value itself says (`Record.shape`), as
PostgreSQL's tuples do. No column is of this type, so no value is ever stored.
"""

from dataclasses import dataclass
from struct import Struct
from typing import Self

from catalog.types.common import no_input, no_receive
from catalog.types.table import PgType, TypeContext
from catalog.types.text import text_like
from storage.layout import Value

_SPECIAL = frozenset('"\\(),')
_INT32 = Struct(">i")
_FIELD = Struct(">Ii")


@dataclass(frozen=True, slots=True)
class Shape:
    """The names and types of a row's fields."""

    names: tuple[str, ...]
    types: tuple[PgType, ...]


class Record(tuple[Value, ...]):
    """A row: its fields' stored values, and their `shape`."""

    shape: Shape

    def __new__(cls, fields: tuple[Value, ...], shape: Shape) -> Self:
        """The row of these values."""
        made = super().__new__(cls, fields)
        made.shape = shape
        return made

    def __getnewargs__(self) -> tuple[tuple[Value, ...], Shape]:
        return tuple(self), self.shape


def record_of(value: Value) -> Record:
    """The value, which is a row."""
    assert isinstance(value, Record)
    return value


def _write(value: Value, context: TypeContext) -> str:
    """As record_out: `(1,"a b",)`."""
    row = record_of(value)
    parts = []
    for field, kind in zip(row, row.shape.types, strict=True):
        parts.append("" if field is None else _quoted(kind.output(field, context)))
    return "(" + ",".join(parts) + ")"


def _quoted(text: str) -> str:
    if text and not any(c in _SPECIAL or c in " \t\n\r\v\f" for c in text):
        return text
    doubled = text.replace("\\", "\\\\").replace('"', '""')
    return f'"{doubled}"'


def _send(value: Value) -> bytes:
    """As record_send: the number of fields; then of each its type's OID, its length, its bytes."""
    row = record_of(value)
    parts = [_INT32.pack(len(row))]
    for field, kind in zip(row, row.shape.types, strict=True):
        if field is None:
            parts.append(_FIELD.pack(kind.oid, -1))
        else:
            data = kind.send(field)
            parts += [_FIELD.pack(kind.oid, len(data)), data]
    return b"".join(parts)


RECORD = text_like(
    "record",
    "record",
    2249,
    2287,
    "P",
    -1,
    read=no_input("record"),
    write=_write,
    receive=no_receive("record"),
    send=_send,
    key_kind="none",
    pseudo=True,
)
