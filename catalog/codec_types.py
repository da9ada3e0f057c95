"""Types that people made as bytes: entries of the catalog, as `codec` writes all of them."""

from collections.abc import Callable, Iterable
from typing import Any

from catalog.codec import Types, decode, encode, grant_fields, read_grants
from catalog.model import UserType
from catalog.types.composite import Attribute, CompositeDefinition
from catalog.types.definitions import Definition
from catalog.types.domain import DomainCheck, DomainDefinition, made_over
from catalog.types.enum import EnumDefinition, EnumLabel
from catalog.types.registry import array_of, find_oid
from catalog.types.table import PgType
from catalog.types.user_ranges import RangeDefinition


def encode_type(made: UserType) -> bytes:
    """A type that somebody made as bytes: what it is, and what every type has."""
    t = made
    kind, fields = _encode_definition(t.definition)
    common = [t.owner, t.created_at_us, t.comment, t.public, grant_fields(t.grants)]
    return encode([kind, t.id, t.definition.array_oid, t.namespace, t.name, fields, *common])


def decode_types(entries: Iterable[bytes]) -> dict[int, UserType]:
    """The inverse of `encode_type`, of all types: each may be made of others, whatever their order."""
    waiting = {fields[1]: fields for fields in map(decode, entries)}
    made: dict[int, UserType] = {}
    arrays = {fields[2]: oid for oid, fields in waiting.items()}
    parts = {part: oid for oid, i in waiting.items() if i[0] == "r" for part in i[5][2:4]}

    def find(oid: int) -> PgType:
        own = find_oid(oid)
        if own is not None:
            return own
        if oid in arrays:
            array = array_of(find(arrays[oid]))
            assert array is not None
            return array
        whole = parts.get(oid, oid)
        if whole not in made:
            read(whole)
        return next(kind for kind in made[whole].pg_types() if kind.oid == oid)

    def read(oid: int) -> None:
        i = waiting[oid]
        definition = _DEFINITIONS[i[0]](*i[1:6], find)
        made[oid] = UserType(definition, i[6], i[7], i[8], i[9], read_grants(i[10]))

    for oid in waiting:
        if oid not in made:
            read(oid)
    return {oid: made[oid] for oid in waiting}


def _encode_definition(definition: Definition) -> tuple[str, object]:
    """pg_type.typtype, and what this kind of type has."""
    if isinstance(definition, DomainDefinition):
        d = definition
        checks = [[c.oid, c.name, c.check, c.valid] for c in d.checks]
        return "d", [d.of.oid, d.typmod, d.not_null, d.default, checks]
    if isinstance(definition, CompositeDefinition):
        c = definition
        return "c", [
            *(c.relation, c.last),
            [[a.number, a.name, a.type.oid, a.typmod] for a in c.attributes],
        ]
    if isinstance(definition, RangeDefinition):
        r = definition
        many = [r.multirange_oid, r.multirange_array_oid, r.multirange_name]
        return "r", [r.subtype.oid, r.collation, *many]
    assert isinstance(definition, EnumDefinition)
    return "e", [[label.oid, label.position, label.label] for label in definition.labels]


Fields = Any
"""What an entry has of this kind of type."""


def _enum(
    oid: int, array_oid: int, namespace: str, name: str, fields: Fields, _types: Types
) -> Definition:
    labels = tuple([EnumLabel(*label) for label in fields])
    return EnumDefinition(oid, array_oid, namespace, name, labels)


def _range(
    oid: int, array_oid: int, namespace: str, name: str, fields: Fields, types: Types
) -> Definition:
    subtype, collation, *many = fields
    return RangeDefinition(oid, array_oid, namespace, name, types(subtype), collation, *many)


def _composite(
    oid: int, array_oid: int, namespace: str, name: str, fields: Fields, types: Types
) -> Definition:
    relation, last, items = fields
    attributes = tuple([Attribute(i[0], i[1], types(i[2]), i[3]) for i in items])
    return CompositeDefinition(oid, array_oid, namespace, name, relation, attributes, last)


def _domain(
    oid: int, array_oid: int, namespace: str, name: str, fields: Fields, types: Types
) -> Definition:
    of, typmod, not_null, default, checks = fields
    made = tuple([DomainCheck(*check) for check in checks])
    kind = types(of)
    definition = DomainDefinition(
        *(oid, array_oid, namespace, name, kind, typmod, not_null, default, made)
    )
    return made_over(definition, kind)


_DEFINITIONS: dict[str, Callable[..., Definition]] = {
    "e": _enum,
    "d": _domain,
    "c": _composite,
    "r": _range,
}
