"""The types of columns, as they are by now.

A column's type is a `PgType`. When a type that people made is changed there is another one for it, and every
table and view with a column of it, and every type that is made of it, becomes one with the new type: in
memory, at once for all, and nothing is written or locked for it. What is stored of their rows stays.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from operator import is_
from typing import TypeVar

from catalog.errors import UndefinedObjectError
from catalog.model import Table, UserType, View
from catalog.snapshot import Snapshot
from catalog.types.composite import CompositeDefinition
from catalog.types.domain import DomainDefinition, made_over
from catalog.types.registry import find_oid
from catalog.types.table import PgType

R = TypeVar("R", Table, View)


def retyped(relation: R, snapshot: Snapshot) -> R:
    """The relation with its columns' types as the snapshot has them; itself if they are the same."""
    if not snapshot.types:
        return relation
    kinds = tuple([c.type for c in relation.columns])
    current = current_types(kinds, snapshot)
    if current is kinds:
        return relation
    typed = zip(relation.columns, current, strict=True)
    return replace(relation, columns=tuple([replace(c, type=kind) for c, kind in typed]))


def current_types(types: tuple[PgType, ...], snapshot: Snapshot) -> tuple[PgType, ...]:
    """Types as the snapshot has them, what it does not have as it is; the same tuple if all are the same."""
    current = tuple([snapshot.type_by_oid(old.oid) or old for old in types])
    return types if all(map(is_, current, types)) else current


def remade(made: UserType, find: Callable[[int], PgType | None]) -> UserType:
    """A type with the types that it is made of as they are found; itself if they are the same."""
    definition = made.definition
    if isinstance(definition, CompositeDefinition):
        current = [find(a.type.oid) or a.type for a in definition.attributes]
        if all(a.type is kind for a, kind in zip(definition.attributes, current, strict=True)):
            return made
        attributes = tuple(
            replace(a, type=kind) for a, kind in zip(definition.attributes, current, strict=True)
        )
        return replace(made, definition=replace(definition, attributes=attributes))
    if isinstance(definition, DomainDefinition):
        of = find(definition.of.oid) or definition.of
        if of is not definition.of:
            return replace(made, definition=made_over(definition, of))
    return made


def _with_types_remade(snapshot: Snapshot) -> Snapshot:
    """The snapshot with types that are made of others made of what those are by now."""
    while True:
        types = {oid: remade(made, snapshot.type_by_oid) for oid, made in snapshot.types.items()}
        if all(map(is_, types.values(), snapshot.types.values())):
            return snapshot
        snapshot = replace(snapshot, types=types)


def with_current_types(snapshot: Snapshot) -> Snapshot:
    """The snapshot with its types made of others, and all its relations, `retyped`."""
    if not snapshot.types:
        return snapshot
    snapshot = _with_types_remade(snapshot)
    tables = {key: retyped(table, snapshot) for key, table in snapshot.tables.items()}
    views = {key: retyped(view, snapshot) for key, view in snapshot.views.items()}
    if all(map(is_, tables.values(), snapshot.tables.values())) and all(
        map(is_, views.values(), snapshot.views.values())
    ):
        return snapshot
    return replace(snapshot, tables=tables, views=views)


def found_in(types: Mapping[int, UserType]) -> Callable[[int], PgType]:
    """What finds a type by OID among PostgreSQL's and these, their arrays too; raises 42704."""
    made: dict[int, PgType] = {}
    for one in types.values():
        for pg_type in one.pg_types():
            made[pg_type.oid] = pg_type

    def find(oid: int) -> PgType:
        found = find_oid(oid) or made.get(oid)
        if found is None:
            raise UndefinedObjectError(f"type with OID {oid} does not exist")
        return found

    return find
