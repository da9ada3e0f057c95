"""Enumerated types: what CREATE TYPE … AS ENUM makes.

A value is stored as its label's *position*, an integer: so values sort, group, join and are looked up as
integers do, in keys, indexes, Parquet and the engines, and a label's name costs nothing to change. The first
labels of a type stand at 1, 2, 3 … steps (`STEP`); one that is added last or first stands a step further,
one that is added between two stands half-way. pg_enum.enumsortorder is a position in steps: PostgreSQL's own
numbers.
"""

from dataclasses import dataclass
from typing import cast

import pyarrow as pa

from catalog.errors import InvalidTextRepresentationError
from catalog.types.common import fixed
from catalog.types.definitions import quoted
from catalog.types.table import PgType, TypeContext
from storage.layout import Value

_LABELS: dict[int, dict[int, str]] = {}
"""Every label of each type by position, as this process knew it last. A subscription goes on with the type
that it began with, and may come to a label that was added since; when one is renamed it ends."""

STEP = 1 << 40
"""Between two neighbours at first: 40 labels find room at one place, 8 million at the end."""


@dataclass(frozen=True, slots=True)
class EnumLabel:
    """One label. oid: of its row in pg_enum. position: what is stored, see above."""

    oid: int
    position: int
    label: str


@dataclass(frozen=True, slots=True)
class EnumDefinition:
    """An enumerated type as it is at one moment; labels in their order."""

    oid: int
    array_oid: int
    namespace: str
    name: str
    labels: tuple[EnumLabel, ...]

    @property
    def depends_on(self) -> int:
        """See `Definition`."""
        return self.oid

    def make(self) -> PgType:
        """The type."""
        return _enum_type(self)


def keeps_labels(before: PgType, now: PgType) -> bool:
    """Whether a type is the same one, and what its values were called they are called now.

    Of a type that is no enum, and no array of one, its OID says it all.
    """
    first, second = before.element or before, now.element or now
    made, remade = first.definition, second.definition
    if before.oid == now.oid and isinstance(made, EnumDefinition):
        assert isinstance(remade, EnumDefinition)
        return {*made.labels} <= {*remade.labels}
    return before.oid == now.oid


def _enum_type(definition: EnumDefinition) -> PgType:
    labels = {label.position: label.label for label in definition.labels}
    positions = {label.label: label.position for label in definition.labels}
    known = _LABELS.setdefault(definition.oid, {})
    known.update(labels)
    name = quoted(definition.name)

    def read(text: str, _typmod: int = -1, _context: TypeContext | None = None) -> Value:
        try:
            return positions[text]
        except KeyError:
            raise InvalidTextRepresentationError(
                f'invalid input value for enum {name}: "{text}"'
            ) from None

    def write(value: Value, _context: TypeContext | None = None) -> str:
        position = cast("int", value)
        label = labels.get(position)
        return known[position] if label is None else label

    def receive(data: bytes, _typmod: int) -> Value:
        return read(bytes(data).decode("utf-8", "replace"))

    return PgType(
        oid=definition.oid,
        name=f"{definition.namespace}.{definition.name}",
        sql_name=name,
        length=4,
        category="E",
        preferred=False,
        array_oid=definition.array_oid,
        key_kind="int",
        arrow=fixed(pa.int64()),
        input=read,
        output=write,
        receive=receive,
        send=lambda value: write(value).encode(),
        definition=definition,
    )
