"""Composite types: what CREATE TYPE … AS (…) makes, and the row types of tables and views.

A value is stored as the bytes of its fields, in MessagePack: each at the place of its attribute's number,
which is never given again. So storage, Arrow and the engines have a row as they have any bytes; attributes
may come, go and be renamed without a look at what is stored, and a row that was written before an attribute
existed has NULL there. What compares rows compares their fields (`functions.comparison`).
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any

import msgspec
import pyarrow as pa

from catalog.errors import DatatypeMismatchError, InvalidTextRepresentationError
from catalog.types.bounded import from_extension, to_extension
from catalog.types.common import SPACES, bad_binary, fixed
from catalog.types.definitions import definition_of, quoted
from catalog.types.domain import DomainDefinition
from catalog.types.records import Record, Shape, send_fields, write_fields
from catalog.types.table import PgType, TypeContext
from storage.errors import CharacterNotInRepertoireError
from storage.layout import Value


@dataclass(frozen=True, slots=True)
class Attribute:
    """One field. number: from 1, pg_attribute.attnum; where its values lie."""

    number: int
    name: str
    type: PgType
    typmod: int = -1


@dataclass(frozen=True, slots=True)
class CompositeDefinition:
    """A composite type as it is at one moment.

    relation: its OID in pg_class. attributes: in the order of their numbers. last: the highest number
    that was ever given. of_table: it is the row type of a table or view, which `relation` is.
    """

    oid: int
    array_oid: int
    namespace: str
    name: str
    relation: int
    attributes: tuple[Attribute, ...]
    last: int
    of_table: bool = False

    @property
    def depends_on(self) -> int:
        """See `Definition`."""
        return self.relation if self.of_table else self.oid

    def make(self) -> PgType:
        """The type."""
        return _composite_type(self)

    @property
    def shape(self) -> Shape:
        """Names and types of its fields."""
        return Shape(
            tuple([a.name for a in self.attributes]), tuple([a.type for a in self.attributes])
        )


def composite_of(pg_type: PgType) -> CompositeDefinition | None:
    """What a type is, if it is a composite one."""
    definition = pg_type.definition
    return definition if isinstance(definition, CompositeDefinition) else None


def types_within(pg_type: PgType) -> Iterator[int]:
    """OIDs of the types that people made which a type is, or is made of, at any depth; of a row type its
    relation's.
    """
    definition = definition_of(pg_type)
    if definition is None:
        return
    yield definition.depends_on
    if isinstance(definition, CompositeDefinition):
        for attribute in definition.attributes:
            yield from types_within(attribute.type)
    elif isinstance(definition, DomainDefinition):
        yield from types_within(definition.base)


def require_composite(pg_type: PgType) -> CompositeDefinition:
    """What a type is that is composite."""
    definition = pg_type.definition
    assert isinstance(definition, CompositeDefinition)
    return definition


# ------------------------------------------------------------------ what is stored

_encode = msgspec.msgpack.Encoder(enc_hook=to_extension).encode
_decode = msgspec.msgpack.Decoder(list[Any], ext_hook=from_extension).decode


def pack(definition: CompositeDefinition, fields: Sequence[Value]) -> bytes:
    """A row of these fields, one for each attribute, as it is stored."""
    attributes = definition.attributes
    if len(attributes) != definition.last:
        places: list[Value] = [None] * definition.last
        for attribute, field in zip(attributes, fields, strict=True):
            places[attribute.number - 1] = field
        fields = places
    try:
        return _encode(fields)
    except UnicodeEncodeError as exc:  # Half of a surrogate pair.
        raise CharacterNotInRepertoireError("invalid surrogate in a text") from exc


def unpack(definition: CompositeDefinition, data: Any) -> tuple[Value, ...]:  # noqa: ANN401 -- bytes
    """The fields of a stored row, one for each attribute."""
    stored = _decode(data)
    if list in map(type, stored):
        stored = [_with_tuples(field) for field in stored]
    there = len(stored)
    if there == definition.last == len(definition.attributes):
        return tuple(stored)
    return tuple(
        [stored[a.number - 1] if a.number <= there else None for a in definition.attributes]
    )


def _with_tuples(value: Any) -> Value:  # noqa: ANN401 -- as msgpack has it
    """MessagePack has arrays where we have tuples."""
    if isinstance(value, list):
        return tuple([_with_tuples(item) for item in value])
    found: Value = value
    return found


def record_from(pg_type: PgType, data: Any) -> Record:  # noqa: ANN401 -- bytes
    """A stored row of a type as a row that says itself what it is."""
    definition = require_composite(pg_type)
    return Record(unpack(definition, data), definition.shape)


# ------------------------------------------------------------------ text


def read_fields(text: str, count: int) -> list[str | None]:
    """The texts of a row's fields, None for NULL: what record_in reads.

    Raises:
        InvalidTextRepresentationError: 22P02, `malformed record literal: …`.
    """

    def fail(detail: str) -> InvalidTextRepresentationError:
        return InvalidTextRepresentationError(f'malformed record literal: "{text}"', detail=detail)

    end = len(text)
    at = end - len(text.lstrip(SPACES))
    if text[at : at + 1] != "(":
        raise fail("Missing left parenthesis.")
    at += 1
    found: list[str | None] = []
    for number in range(count):
        if number:
            if text[at : at + 1] != ",":
                raise fail("Too few columns.")
            at += 1
        if text[at : at + 1] in {",", ")"}:
            found.append(None)
            continue
        parts: list[str] = []
        inside = False
        while inside or text[at : at + 1] not in {",", ")"}:
            if at >= end:
                raise fail("Unexpected end of input.")
            character = text[at]
            at += 1
            if character == "\\":
                if at >= end:
                    raise fail("Unexpected end of input.")
                parts.append(text[at])
                at += 1
            elif character != '"':
                parts.append(character)
            elif inside and text[at : at + 1] == '"':
                parts.append('"')
                at += 1
            else:
                inside = not inside
        found.append("".join(parts))
    if text[at : at + 1] != ")":
        raise fail("Too many columns.")
    if text[at + 1 :].strip(SPACES):
        raise fail("Junk after right parenthesis.")
    return found


# ------------------------------------------------------------------ binary

_COUNT = Struct(">i")
_FIELD = Struct(">Ii")
_SHORT = "insufficient data left in message"


def _received(data: bytes, attributes: Sequence[Attribute]) -> Iterator[Value]:
    """As record_recv. Raises 22P03, 42804 for another number of fields or type of one."""
    try:
        (count,) = _COUNT.unpack_from(data)
    except struct.error:
        raise bad_binary(_SHORT) from None
    if count != len(attributes):
        raise DatatypeMismatchError(f"wrong number of columns: {count}, expected {len(attributes)}")
    at = _COUNT.size
    for number, attribute in enumerate(attributes, 1):
        try:
            oid, length = _FIELD.unpack_from(data, at)
        except struct.error:
            raise bad_binary(_SHORT) from None
        at += _FIELD.size
        kind = attribute.type
        if oid != kind.oid:
            raise DatatypeMismatchError(
                f"binary data has type {oid} instead of expected {kind.oid} ({kind.sql_name}) "
                f"in record column {number}"
            )
        if length == -1:
            yield None
            continue
        if length < 0 or length > len(data) - at:
            raise bad_binary(_SHORT)
        yield kind.receive(data[at : at + length], attribute.typmod)
        at += length
    if at != len(data):
        raise bad_binary()


# ------------------------------------------------------------------ the type


def _composite_type(definition: CompositeDefinition) -> PgType:
    attributes = definition.attributes
    kinds = [a.type for a in attributes]

    def read(text: str, _typmod: int, context: TypeContext) -> Value:
        texts = read_fields(text, len(attributes))
        return pack(
            definition,
            [
                None if field is None else a.type.input(field, a.typmod, context)
                for field, a in zip(texts, attributes, strict=True)
            ],
        )

    def write(value: Value, context: TypeContext) -> str:
        return write_fields(zip(unpack(definition, value), kinds, strict=True), context)

    def receive(data: bytes, _typmod: int) -> Value:
        return pack(definition, list(_received(data, attributes)))

    def send(value: Value) -> bytes:
        return send_fields(list(zip(unpack(definition, value), kinds, strict=True)))

    return PgType(
        oid=definition.oid,
        name=f"{definition.namespace}.{definition.name}",
        sql_name=quoted(definition.name),
        length=-1,
        category="C",
        preferred=False,
        array_oid=definition.array_oid,
        key_kind="none",
        arrow=fixed(pa.binary()),
        input=read,
        output=write,
        receive=receive,
        send=send,
        names_objects=any(kind.names_objects for kind in kinds),
        definition=definition,
    )
