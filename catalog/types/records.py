"""Rows as values that have no type of their own: `ROW(1, 'a')`, and the name of a subquery.

There is one type `record`; what fields a value has, the value itself says (`Record.shape`), as
PostgreSQL's tuples do. No column is of this type, so no value is ever stored. Rows of a type that has a
name are `catalog.types.composite`'s.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Any, NoReturn

from catalog.errors import FeatureNotSupportedError
from catalog.types.table import PgType, TypeContext
from catalog.types.text import text_like
from storage.errors import KeyTooLongError
from storage.layout import Value

_SPECIAL = frozenset('"\\(),')
_QUOTED_MAX = 1 << 26
"""Characters of a field that must be quoted; PostgreSQL ends at a gigabyte (54000), after seconds."""
_INT32 = Struct(">i")
_FIELD = Struct(">Ii")


@dataclass(frozen=True, slots=True)
class Shape:
    """The names and types of a row's fields."""

    names: tuple[str, ...]
    types: tuple[PgType, ...]


class Record:
    """A row: its fields' stored values, and their `shape`. No tuple: those are arrays.

    No dataclass, either: msgspec, which packs what workers answer, would take one apart.
    """

    __slots__ = ("fields", "shape")

    def __init__(self, fields: tuple[Value, ...], shape: Shape) -> None:
        self.fields = fields
        self.shape = shape

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return NotImplemented
        return (self.fields, self.shape) == (other.fields, other.shape)

    def __hash__(self) -> int:
        return hash((self.fields, self.shape))

    def __repr__(self) -> str:
        return f"Record({self.fields!r}, {self.shape!r})"

    def __iter__(self) -> Iterator[Value]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    def __getitem__(self, at: int) -> Value:
        return self.fields[at]


def record_of(value: Any) -> Record:  # noqa: ANN401 -- a stored value is no row, a row never stored
    """The value, which is a row."""
    assert isinstance(value, Record)
    return value


def _write(value: Value, context: TypeContext) -> str:
    row = record_of(value)
    return write_fields(zip(row.fields, row.shape.types, strict=True), context)


def write_fields(fields: Iterable[tuple[Value, PgType]], context: TypeContext) -> str:
    """As record_out: `(1,"a b",)`."""
    parts = [
        "" if field is None else _quoted(kind.output(field, context)) for field, kind in fields
    ]
    return "(" + ",".join(parts) + ")"


def _quoted(text: str) -> str:
    if text and not any(c in _SPECIAL or c in " \t\n\r\v\f" for c in text):
        return text
    if len(text) > _QUOTED_MAX:
        # Each level of rows in rows doubles the quotes of those within it.
        raise KeyTooLongError("the text of a row is too long")
    doubled = text.replace("\\", "\\\\").replace('"', '""')
    return f'"{doubled}"'


def _send(value: Value) -> bytes:
    row = record_of(value)
    return send_fields(list(zip(row.fields, row.shape.types, strict=True)))


def send_fields(fields: list[tuple[Value, PgType]]) -> bytes:
    """As record_send: the number of fields; then of each its type's OID, its length, its bytes."""
    parts = [_INT32.pack(len(fields))]
    for field, kind in fields:
        if field is None:
            parts.append(_FIELD.pack(kind.oid, -1))
        else:
            data = kind.send(field)
            parts += [_FIELD.pack(kind.oid, len(data)), data]
    return b"".join(parts)


def _no_input(_text: str, _typmod: int, _context: TypeContext) -> NoReturn:
    raise FeatureNotSupportedError("input of anonymous composite types is not implemented")


def _no_receive(_data: bytes, _typmod: int) -> NoReturn:
    raise FeatureNotSupportedError("input of anonymous composite types is not implemented")


RECORD = text_like(
    "record",
    "record",
    2249,
    2287,
    "P",
    -1,
    read=_no_input,
    write=_write,
    receive=_no_receive,
    send=_send,
    key_kind="none",
    pseudo=True,
)
