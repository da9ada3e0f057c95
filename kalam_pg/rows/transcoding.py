"""Messages between UTF8 and a client's encoding, where it is another one.

Everything inside is UTF8. What a client of another encoding sends is made UTF8 before it is read, and what it
is sent is made its own at the edge: whole messages, as they are. Text of ASCII alone is the same in all
encodings, and is not touched.
"""

from collections.abc import Callable, Iterator, Sequence
from struct import Struct
from typing import Final

from catalog.types.composite import composite_of
from catalog.types.registry import find_oid
from catalog.types.table import PgType
from kalam_pg.functions.encodings import Encoding
from kalam_pg.pgwire.errors import ProtocolViolationError
from kalam_pg.pgwire.messages import Parameter
from kalam_pg.sql.limits import TEXT_MAX
from storage.errors import KalamError
from storage.layout import Value

Translate = Callable[[bytes], bytes]
FindType = Callable[[int], PgType | None]

PIECE_BYTES: Final = 32_768
"""Rows are translated in pieces of about so many bytes: others have their turn in between."""

_TEXTS = frozenset(
    (
        "text", "varchar", "bpchar", "name", "unknown", "json", "jsonb", "jsonpath", "xml", "cstring",
        "refcursor",
    )
)  # fmt: skip
"""Types whose binary form is their text, after a version byte where there is one."""

_INT32 = Struct(">i")
_COUNT = Struct(">H")
_ARRAY_BYTES: Final = 12
_HEADER = Struct(">ci").pack
_COLUMN_BYTES: Final = 18


def binary(type_: PgType, translate: Translate, find: FindType) -> Translate | None:
    """What translates the binary form of a type's values; None: it has no text.

    find: a type by its OID, for rows, which name those of their fields.
    """
    if type_.category == "E" or type_.name in _TEXTS:
        return translate
    if type_.element is not None and not type_.is_vector:
        item = binary(type_.element, translate, find)
        return None if item is None else lambda raw: _array(raw, item)
    composite = composite_of(type_)
    if composite is not None:
        known = {field.oid: field for field in composite.shape.types}
        return lambda raw: _fields(raw, translate, lambda oid: known.get(oid) or find(oid))
    if type_.name == "record":
        return lambda raw: _fields(raw, translate, find)
    return None


def _array(raw: bytes, item: Translate) -> bytes:
    """Bytes that are no array are left as they are, and whoever reads them says so."""
    dimensions = _INT32.unpack_from(raw)[0] if len(raw) >= _ARRAY_BYTES else -1
    at = _ARRAY_BYTES + 8 * dimensions
    if dimensions < 0 or at > len(raw):
        return raw
    found = [raw[:at]]
    while at < len(raw):
        size = _INT32.unpack_from(raw, at)[0] if at + 4 <= len(raw) else -2
        at += 4
        if size < -1 or at + size > len(raw):
            return raw
        found.append(_cell(None if size < 0 else item(raw[at : at + size])))
        at += max(size, 0)
    return b"".join(found)


def _fields(raw: bytes, translate: Translate, find: FindType) -> bytes:
    at = 4
    found = [raw[:at]]
    while at < len(raw):
        oid, size = _COUNTED(raw, at) if at + 8 <= len(raw) else (0, -2)
        found.append(raw[at : at + 4])
        at += 8
        if size < -1 or at + size > len(raw):
            return raw  # As of an array.
        value = None if size < 0 else raw[at : at + size]
        of = find(oid)
        read = None if of is None or value is None else binary(of, translate, find)
        found.append(_cell(value if read is None or value is None else read(value)))
        at += max(size, 0)
    return b"".join(found)


_COUNTED = Struct(">Ii").unpack_from


def _cell(value: bytes | None) -> bytes:
    return b"\xff\xff\xff\xff" if value is None else _INT32.pack(len(value)) + value


class Transcoder:
    """Translates for one encoding, which is not UTF8."""

    __slots__ = ("encoding",)

    def __init__(self, encoding: Encoding) -> None:
        self.encoding = encoding

    def inward(self, raw: bytes) -> bytes:
        """The client's text in UTF8. Raises 22021, 22P05, 0A000."""
        return raw if raw.isascii() else self.encoding.decode(raw).encode()

    def outward(self, raw: bytes) -> bytes:
        """Text in UTF8 as the client has it. Raises 22P05, 0A000."""
        return raw if raw.isascii() else self.encoding.encode(raw.decode())

    # ------------------------------------------------------------------------------ from the client

    def body(self, kind: int, body: bytes) -> bytes:
        """The body of a frontend's message with its names and statements in UTF8.

        Raises:
            ProtocolViolationError: a text is none in the encoding (not fatal: the message was whole).
        """
        count = _STRINGS.get(kind, 0)
        start = end = 1 if kind in b"DC" else 0
        for _ in range(count):
            end = body.find(0, end) + 1
            if not end:
                return body  # It is malformed, which the decoder tells.
        if end > TEXT_MAX:
            if body.isascii():
                return body
            # A statement may not be so long in any encoding, and this is the event loop.
            raise ProtocolViolationError(
                "query text exceeds the maximum length", fatal=False, sqlstate="54000"
            )
        if body[:end].isascii():
            return body
        try:
            parts = [self.inward(part) for part in body[start : end - 1].split(b"\0")]
        except KalamError as exc:
            raise ProtocolViolationError(exc.message, fatal=False, sqlstate=exc.sqlstate) from None
        return body[:start] + b"\0".join(parts) + body[end - 1 :]

    def parameters(
        self,
        values: Sequence[Parameter | None],
        types: Sequence[PgType],
        formats: Sequence[int],
        find: FindType,
    ) -> tuple[Parameter | None, ...]:
        """A Bind's parameters in UTF8; formats as Bind has them. Raises 22021, 22P05, 0A000."""
        codes = formats if len(formats) > 1 else (tuple(formats) or (0,)) * len(values)
        found: list[Parameter | None] = []
        for value, type_, code in zip(values, types, codes, strict=False):
            translate = binary(type_, self.inward, find) if code == 1 else self.inward
            if value is None or translate is None:
                found.append(value)
            else:
                found.append(translate(bytes(value)))
        return (*found, *values[len(found) :])

    def receiver(
        self, type_: PgType, receive: Callable[[bytes, int], Value]
    ) -> Callable[[bytes, int], Value]:
        """What reads a type's binary form, as COPY has it, from the client's text."""
        translate = binary(type_, self.inward, find_oid)
        return receive if translate is None else lambda raw, typmod: receive(translate(raw), typmod)

    # ------------------------------------------------------------------------------ to the client

    def cell(self, type_: PgType, encode: Callable[[Value], bytes]) -> Callable[[Value], bytes]:
        """What makes a value's length and binary form, as COPY has them, with the client's text."""
        translate = binary(type_, self.outward, find_oid)
        return encode if translate is None else lambda value: _cell(translate(encode(value)[4:]))

    def cells(
        self, types: Sequence[PgType], formats: Sequence[int], find: FindType
    ) -> tuple[Translate | None, ...]:
        """What translates each column's values; formats: one for each column."""
        return tuple(
            [
                binary(type_, self.outward, find) if code == 1 else self.outward
                for type_, code in zip(types, formats, strict=True)
            ]
        )

    def rows(self, whole: bytes, cells: Sequence[Translate | None]) -> Iterator[bytes]:
        """DataRow messages, some at a time. Raises 22P05, 0A000, after the rows before were given."""
        found: list[bytes] = []
        size = at = 0
        while at < len(whole):
            end = at + 1 + _INT32.unpack_from(whole, at + 1)[0]
            try:
                message = _row(whole, at, end, cells)
            except BaseException:
                if found:
                    yield b"".join(found)
                raise
            found.append(message)
            size += len(message)
            if size > PIECE_BYTES:
                yield b"".join(found)
                found, size = [], 0
            at = end
        if found:
            yield b"".join(found)

    def description(self, message: bytes) -> bytes:
        """A RowDescription. Raises 22P05, 0A000."""
        if message.isascii():
            return message
        count = _COUNT.unpack_from(message, 5)[0]
        parts, at = [message[5:7]], 7
        for _ in range(count):
            end = message.index(0, at)
            parts.append(self.outward(message[at:end]))
            parts.append(message[end : end + 1 + _COLUMN_BYTES])
            at = end + 1 + _COLUMN_BYTES
        return _message(b"T", b"".join(parts))

    def fields(self, message: bytes) -> bytes:
        """An ErrorResponse or NoticeResponse. Raises 22P05, 0A000."""
        if message.isascii():
            return message
        return _message(message[:1], b"\0".join(map(self.outward, message[5:].split(b"\0"))))

    def told(self, message: bytes, head: int = 5) -> bytes:
        """Another message of strings behind `head` bytes: a character that the encoding lacks is a "?"."""
        if message[head:].isascii():
            return message
        parts = [self._nearest(part) for part in message[head:].split(b"\0")]
        return _message(message[:1], message[5:head] + b"\0".join(parts))

    def _nearest(self, raw: bytes) -> bytes:
        try:
            return self.outward(raw)
        except KalamError:
            return self.encoding.encode_nearest(raw.decode())


_STRINGS: Final = {
    ord(kind): count for kind, count in zip("QPBDCEf", (1, 2, 2, 1, 1, 1, 1), strict=True)
}
"""How many strings a message has, by its type."""


def _row(data: bytes, start: int, end: int, cells: Sequence[Translate | None]) -> bytes:
    parts, at, changed = [data[start + 5 : start + 7]], start + 7, False
    for translate in cells:
        size = _INT32.unpack_from(data, at)[0]
        stop = at + 4 + max(size, 0)
        cell = data[at:stop]
        if size > 0 and translate is not None:
            value = cell[4:]
            other = translate(value)
            if other is not value:
                changed = True
                cell = _cell(other)
        parts.append(cell)
        at = stop
    return _message(b"D", b"".join(parts)) if changed else data[start:end]


def _message(kind: bytes, body: bytes) -> bytes:
    return _HEADER(kind, len(body) + 4) + body
