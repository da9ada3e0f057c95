"""What a subscription tells, as JSON: one object for each change, and for what happens beside them.

A `seq` is always a string: JavaScript would silently round
it, as it would int8 and numeric values, which are strings too unless the subscription asks for numbers.
"""

from collections.abc import Callable, Sequence
from typing import Final

from catalog.types.bounded import BoundedArray
from catalog.types.registry import BOOL, INT2, INT4, INT8, JSON, JSONB, NUMERIC, TEXT, VARCHAR
from catalog.types.table import PgType, TypeContext
from kalam_pg.functions.jsonbuild import to_json
from kalam_pg.functions.jsonvalues import quote
from storage.errors import KalamError, SnapshotTooOldError
from storage.layout import Row, Value

BYTES_MAX: Final = 16 << 20
"""A larger object is told without its rows: drivers take 10 MB in 0.2 s, at 100 MB some fail."""

Encode = Callable[[Value], str]


class ChangeEncoder:
    """Makes the objects of one subscription's changes.

    table: its qualified name. columns: (name, type) of the projected rows. key: types of the primary
    key's columns, in key order.
    """

    __slots__ = ("__weakref__", "_columns", "_key", "_old", "_table", "table")

    def __init__(
        self,
        table: str,
        columns: Sequence[tuple[str, PgType]],
        key: Sequence[PgType],
        context: TypeContext,
        *,
        bigint_numbers: bool = False,
        old: bool = True,
    ) -> None:
        self.table = table
        self._table = quote(table)
        self._columns: tuple[tuple[str, Encode], ...] = tuple(
            (quote(name) + ":", _encoder(type_, context, numbers=bigint_numbers))
            for name, type_ in columns
        )
        self._key = tuple(_text(type_, context) for type_ in key)
        self._old = old

    def change(
        self,
        op: str,
        seq: int,
        n: int,
        key: Row,
        *,
        last: bool,
        row: Row | None = None,
        old: Row | None = None,
        why: str = "",
    ) -> str:
        """One change. op: insert | update | delete. last: nothing more of its transaction follows.

        row, old: projected; each where there is one. why: "filter", if the row only entered or left.
        """
        head = self._head(op, seq, key, why) + f',"token":"{seq}.{n}","last":{_bool(last)}'
        return self._whole(head, row, old if self._old else None)

    def snapshot(self, seq: int, key: Row, row: Row) -> str:
        """A row of the snapshot. seq: of its commit; it is no position to resume from."""
        return self._whole(self._head("insert", seq, key, "snapshot"), row, None)

    def _head(self, op: str, seq: int, key: Row, why: str) -> str:
        values = ",".join([text(value) for text, value in zip(self._key, key, strict=True)])
        reason = f',"why":"{why}"' if why else ""
        return f'{{"op":"{op}","table":{self._table},"seq":"{seq}","key":[{values}]{reason}'

    def _whole(self, head: str, row: Row | None, old: Row | None) -> str:
        parts = [head]
        if row is not None:
            parts += (',"row":{', self._object(row), "}")
        if old is not None:
            parts += (',"old":{', self._object(old), "}")
        parts.append("}")
        whole = "".join(parts)
        if len(whole) * 4 > BYTES_MAX and len(whole.encode()) > BYTES_MAX:
            return head + ',"truncated":true}'
        return whole

    def _object(self, row: Row) -> str:
        return ",".join(
            [
                name + ("null" if value is None else encode(value))
                for (name, encode), value in zip(self._columns, row, strict=True)
            ]
        )


def truncate(table: str, seq: int, n: int, *, last: bool) -> str:
    """All rows are gone. n, last: as of a change."""
    return (
        f'{{"op":"truncate","table":{quote(table)},"seq":"{seq}"'
        f',"token":"{seq}.{n}","last":{_bool(last)}}}'
    )


def progress(seq: int) -> str:
    """Everything up to `seq` has been told: the link lives."""
    return f'{{"op":"progress","seq":"{seq}"}}'


def flush(table: str, seq: int) -> str:
    """The table's changes up to `seq` are in segments now."""
    return f'{{"op":"flush","table":{quote(table)},"seq":"{seq}"}}'


def reset(seq: int) -> str:
    """Forget what is known: a snapshot as of `seq` follows."""
    return f'{{"op":"reset","seq":"{seq}"}}'


def ready(seq: int) -> str:
    """The snapshot is complete; changes after `seq` follow."""
    return f'{{"op":"ready","seq":"{seq}"}}'


def gap(dropped: int) -> str:
    """So many changes of a STREAM table could not be kept for this client."""
    return f'{{"op":"gap","dropped":{dropped}}}'


def error(error: KalamError, seq: int) -> str:
    """The server ends the subscription. seq: the last that was told."""
    parts = [f'{{"op":"error","code":"{error.sqlstate}","message":{quote(error.message)}']
    if error.detail:
        parts.append(f'"detail":{quote(error.detail)}')
    if error.hint:
        parts.append(f'"hint":{quote(error.hint)}')
    if isinstance(error, SnapshotTooOldError) and error.retained_from:
        parts.append(f'"retained_from":"{error.retained_from}"')
    parts.append(f'"seq":"{seq}"}}')
    return ",".join(parts)


def _bool(value: object) -> str:
    return "true" if value else "false"


def _text(type_: PgType, context: TypeContext) -> Encode:
    """A value as a JSON string of its text form."""
    if type_ in (TEXT, VARCHAR):
        return quote  # type: ignore[return-value]  # a str, as the type says
    if type_ in (INT2, INT4, INT8):
        return lambda value: '"' + str(value) + '"'
    output = type_.output
    return lambda value: quote(output(value, context))


def _encoder(type_: PgType, context: TypeContext, *, numbers: bool) -> Encode:
    """As to_json() of PostgreSQL has it, but for the numbers that JavaScript cannot hold."""
    if type_ in (TEXT, VARCHAR):
        return quote  # type: ignore[return-value]  # a str, as the type says
    if type_ is BOOL:
        return _bool
    if type_ in (INT2, INT4):
        return str
    if type_ in (INT8, NUMERIC) and not numbers:
        return _text(type_, context)
    if type_ in (JSON, JSONB):
        return str
    if type_.element in (INT8, NUMERIC) and not numbers:
        return _array(_text(type_.element, context))
    return lambda value: to_json(value, type_, context)


def _array(element: Encode) -> Encode:
    def encode(value: Value) -> str:
        if isinstance(value, tuple | BoundedArray):
            return "[" + ",".join([encode(item) for item in value]) + "]"
        return "null" if value is None else element(value)

    return encode
