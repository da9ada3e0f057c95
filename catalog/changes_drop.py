"""DROP as pure functions: what is named, what depends on it, and what is left.

A namespace has its tables, views and sequences, a table or view the views that read it (`View.reads`), a
table the sequences that its columns own, a sequence the defaults that take numbers from it. Without
CASCADE nothing is dropped that something else depends on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from catalog.calls import called_as, calls, parts_calling
from catalog.changes import CatalogChange, require_not_system
from catalog.changes_without import without
from catalog.droppable import ColumnDefault, Droppable, Referring, TypedAttribute, TypedColumn
from catalog.dropped_names import Address, address, described, of_arrays_last
from catalog.errors import (
    DependentObjectsStillExistError,
    FeatureNotSupportedError,
    InvalidSchemaNameError,
    WrongObjectTypeError,
)
from catalog.functions import Function
from catalog.model import (
    Column,
    Constraint,
    Namespace,
    NumberSequence,
    Relation,
    Table,
    UserType,
    View,
    kind_of,
)
from catalog.snapshot import Snapshot
from catalog.types.composite import CompositeDefinition
from catalog.types.definitions import user_types_of
from catalog.types.domain import DomainDefinition
from catalog.uses import sequences_used, types_used

_REPORTED_MAX = 100
"""PostgreSQL's MAX_REPORTED_DEPS: so many dependent objects are named to the client."""


def drop_namespaces(
    snapshot: Snapshot,
    names: Sequence[str],
    *,
    if_exists: bool = False,
    cascade: bool = False,
    search_path: Sequence[str] = (),
) -> CatalogChange:
    """DROP NAMESPACE. Raises 3F000, 2BP01 when something depends on it and not `cascade`."""
    notices: list[str] = []
    found: dict[int, Droppable] = {}
    for name in names:
        require_not_system(name)
        namespace = snapshot.namespace(name)
        if namespace is not None:
            found[namespace.id] = namespace
        elif if_exists:
            notices.append(f'schema "{name}" does not exist, skipping')
        else:
            raise InvalidSchemaNameError(f'schema "{name}" does not exist')
    return _drop(snapshot, found, notices, cascade=cascade, search_path=search_path)


def drop_relations(
    snapshot: Snapshot,
    relations: Sequence[Relation],
    kind: str,
    notices: Sequence[str] = (),
    *,
    cascade: bool = False,
    search_path: Sequence[str] = (),
) -> CatalogChange:
    """DROP TABLE, VIEW or MATERIALIZED VIEW, by `kind_of`. Raises 42809 for one of another kind, 2BP01."""
    named = _of_kind(relations, kind)
    return _drop(snapshot, named, notices, cascade=cascade, search_path=search_path)


def drop_types(
    snapshot: Snapshot,
    types: Sequence[UserType],
    notices: Sequence[str] = (),
    *,
    cascade: bool = False,
    search_path: Sequence[str] = (),
) -> CatalogChange:
    """DROP TYPE of types that were found. Raises 2BP01, 0A000 where a column would go with one."""
    named: dict[int, Droppable] = {one.id: one for one in types}
    return _drop(snapshot, named, notices, cascade=cascade, search_path=search_path)


def drop_with_column(
    snapshot: Snapshot,
    table: Table,
    column: Column,
    views: Sequence[View],
    *,
    cascade: bool,
    search_path: Sequence[str] = (),
) -> CatalogChange:
    """What DROP COLUMN drops: the sequences that go with the column, and the views that use it.

    Raises 2BP01 when others depend on those and not `cascade`.
    """
    owned = [s for s in snapshot.sequences_of(table.id) if s.owned_by == (table.id, column.id)]
    if not views and not owned:
        return CatalogChange(snapshot)
    readers = [snapshot.tables.get(view.id) or view for view in views]
    named: list[Droppable] = sorted([*readers, *owned], key=lambda one: -one.id)
    going = _with_dependents(snapshot, named)
    with_it = {address(ColumnDefault(table, column.id)), *[address(one) for one in owned]}
    others = [d for d in going if address(d.object) not in with_it]
    what = f"column {column.name} of {described(table, snapshot, search_path)}"
    if others and not cascade:
        direct = {view.id for view in views}
        lines = [
            f"{described(d.object, snapshot, search_path)} depends on "
            f"{what if d.object.id in direct else described(d.on, snapshot, search_path)}"
            for d in others
        ]
        raise DependentObjectsStillExistError(
            f"cannot drop {what} because other objects depend on it",
            detail=_listed(lines),
            hint="Use DROP ... CASCADE to drop the dependent objects too.",
        )
    cascades = [f"drop cascades to {described(d.object, snapshot, search_path)}" for d in others]
    change = without(snapshot, [d.object for d in going])
    if len(cascades) <= 1:
        return replace(change, notices=tuple(cascades))
    told = f"drop cascades to {len(cascades)} other objects"
    return replace(change, notices=(told,), detail=_listed(cascades))


def drop_sequences(
    snapshot: Snapshot,
    sequences: Sequence[NumberSequence],
    notices: Sequence[str] = (),
    *,
    cascade: bool = False,
    search_path: Sequence[str] = (),
) -> CatalogChange:
    """DROP SEQUENCE of sequences that were found. Raises 2BP01, for an identity column's always."""
    for sequence in sequences:
        if sequence.internal and sequence.owned_by is not None:
            column = ColumnDefault(snapshot.tables[sequence.owned_by[0]], sequence.owned_by[1])
            of = f"column {column.name} of {described(column.table, snapshot, search_path)}"
            raise DependentObjectsStillExistError(
                f"cannot drop {described(sequence, snapshot, search_path)} because {of} requires it",
                hint=f"You can drop {of} instead.",
            )
    named: dict[int, Droppable] = {sequence.id: sequence for sequence in sequences}
    return _drop(snapshot, named, notices, cascade=cascade, search_path=search_path)


def drop_functions(
    snapshot: Snapshot,
    functions: Sequence[Function],
    notices: Sequence[str] = (),
    *,
    cascade: bool = False,
    search_path: Sequence[str] = (),
) -> CatalogChange:
    """DROP FUNCTION of functions that were found. Raises 2BP01, 0A000 for what a domain's rule calls."""
    named: dict[int, Droppable] = {function.id: function for function in functions}
    return _drop(snapshot, named, notices, cascade=cascade, search_path=search_path)


def _of_kind(relations: Sequence[Relation], kind: str) -> dict[int, Droppable]:
    """The relations by id. Raises 42809 for one that is not of the kind (`kind_of`)."""
    for relation in relations:
        other = kind_of(relation)
        if other != kind:
            raise WrongObjectTypeError(
                f'"{relation.name}" is not a {kind}',
                hint=f"Use DROP {other.upper()} to remove a {other}.",
            )
    return {relation.id: relation for relation in relations}


def _drop(
    snapshot: Snapshot,
    named: dict[int, Droppable],
    notices: Sequence[str],
    *,
    cascade: bool,
    search_path: Sequence[str],
) -> CatalogChange:
    if not named:
        return CatalogChange(snapshot, notices=tuple(notices))
    going = _with_dependents(snapshot, list(named.values()))
    others = [d for d in going if d.object.id not in named and not _goes_silently(d.object, going)]
    if others and not cascade:
        raise _still_used(snapshot, list(named.values()), others, search_path)
    cascades = [f"drop cascades to {described(d.object, snapshot, search_path)}" for d in others]
    detail = ""
    if len(cascades) > 1:
        detail, cascades = _listed(cascades), [f"drop cascades to {len(cascades)} other objects"]
    change = without(snapshot, [d.object for d in going])
    return replace(change, notices=(*notices, *cascades), detail=detail)


# ------------------------------------------------------------------ what depends on what


@dataclass(frozen=True, slots=True)
class _Dependent:
    """An object that goes, and the one because of which (itself when it was named)."""

    object: Droppable
    on: Droppable


def _goes_silently(one: Droppable, going: Sequence[_Dependent]) -> bool:
    """Whether it is part of a table that goes too."""
    tables = {d.object.id for d in going if isinstance(d.object, Table)}
    if isinstance(one, NumberSequence):
        return one.owned_by is not None and one.owned_by[0] in tables
    return isinstance(one, ColumnDefault) and one.table.id in tables


def _with_dependents(snapshot: Snapshot, named: Sequence[Droppable]) -> list[_Dependent]:
    """Everything that goes, each once, in the order in which PostgreSQL reports it.

    Depth first, the newest dependents first, and then from the end (`findDependentObjects`).
    """
    queries = _readers(snapshot)
    found: list[_Dependent] = []
    seen: set[Address] = set()

    def readers(used: int) -> list[Droppable]:
        return [*queries.get(used, ()), *_parts_using(snapshot, used)]

    def visit(at: _Dependent) -> None:
        one = at.object
        if address(one) in seen:
            return  # Also a view that was replaced by one that reads itself.
        seen.add(address(one))
        below: Sequence[Droppable] = ()
        match one:
            case Namespace():
                below = [
                    *snapshot.relations_in(one.name),
                    *snapshot.types_in(one.name),
                    *snapshot.sequences_in(one.name),
                    *snapshot.functions_in(one.name),
                ]
            case Table():
                below = [*readers(one.id), *snapshot.sequences_of(one.id)]
            case View() | UserType():
                below = readers(one.id)
            case Function():
                below = [*queries.get(one.id, ()), *_calling(snapshot, one)]
            case NumberSequence():
                below = _defaults(snapshot, one.id)
            case TypedColumn() | TypedAttribute() | Referring() | ColumnDefault():
                pass
        for other in sorted(below, key=of_arrays_last):
            visit(_Dependent(other, one))
        found.append(at)

    for one in named:
        visit(_Dependent(one, one))
    # A column or constraint goes with its table, an attribute with its type.
    return [
        d for d in found[::-1] if (whole := _whole(d.object)) is None or address(whole) not in seen
    ]


def _whole(one: Droppable) -> Droppable | None:
    """What one is a part of."""
    match one:
        case TypedColumn() | Referring():
            return one.table
        case TypedAttribute():
            return one.of
        case _:
            return None


def _readers(snapshot: Snapshot) -> dict[int, list[Droppable]]:
    """What depends on each relation and type as a whole, or as a type does, by ids."""
    readers: dict[int, list[Droppable]] = {}
    for view in snapshot.stored_queries():
        for read in view.reads:
            readers.setdefault(read, []).append(snapshot.tables.get(view.id) or view)
    for made in snapshot.types.values():
        if isinstance(made.definition, CompositeDefinition):
            for attribute in made.definition.attributes:
                for used in user_types_of(attribute.type):
                    readers.setdefault(used, []).append(TypedAttribute(made, attribute))
        elif isinstance(made.definition, DomainDefinition):
            for used in user_types_of(made.definition.of):
                readers.setdefault(used, []).append(made)
    for function in snapshot.functions.values():
        for used in {*function.reads, *_types_of(function, snapshot)} - {function.id}:
            readers.setdefault(used, []).append(function)
    return readers


def _types_of(function: Function, snapshot: Snapshot) -> set[int]:
    """What goes with the types that a function is declared with: types that people made, relations."""
    found = [snapshot.type_by_oid(oid) for oid in set(function.types)]
    return {used for kind in found if kind is not None for used in user_types_of(kind)}


def _calling(snapshot: Snapshot, function: Function) -> Iterator[Droppable]:
    """The parts of tables that call a function. Raises 0A000 for a domain's rule."""
    for table in snapshot.tables.values():
        for _, part in parts_calling(table, (called_as(function),)):
            if isinstance(part, Constraint):
                yield Referring(table, part)
            elif part.generated:
                yield TypedColumn(table, part)
            else:
                yield ColumnDefault(table, part.id)
    for made in snapshot.types.values():
        definition = made.definition
        if isinstance(definition, DomainDefinition):
            texts = (definition.default, *[check.check for check in definition.checks])
            if any(calls(text, function) for text in texts):
                raise FeatureNotSupportedError(
                    f'cannot drop function {function.name} while domain "{made.name}" calls it'
                )


def _parts_using(snapshot: Snapshot, used: int) -> Iterator[Droppable]:
    """The parts of other tables that depend on a table or type."""
    for table in snapshot.using(used):
        for constraint in table.constraints:
            refers = constraint.reference
            if refers is not None and refers.table == used:
                yield Referring(table, constraint)
        for column in table.columns:
            if used in types_used(column):
                yield TypedColumn(table, column)


def _defaults(snapshot: Snapshot, sequence: int) -> list[ColumnDefault]:
    """The defaults that take numbers from a sequence."""
    return [
        ColumnDefault(table, column.id)
        for table in snapshot.using(sequence)
        for column in table.columns
        if sequence in sequences_used(column.default)
    ]


def _still_used(
    snapshot: Snapshot,
    named: Sequence[Droppable],
    others: Sequence[_Dependent],
    search_path: Sequence[str],
) -> DependentObjectsStillExistError:
    def name(one: Droppable) -> str:
        return described(one, snapshot, search_path)

    what, them = "desired object(s)", "them"
    if len(named) == 1:
        what, them = name(named[0]), "it"
    return DependentObjectsStillExistError(
        f"cannot drop {what} because other objects depend on {them}",
        detail=_listed([f"{name(d.object)} depends on {name(d.on)}{_array(d)}" for d in others]),
        hint="Use DROP ... CASCADE to drop the dependent objects too.",
    )


def _array(dependent: _Dependent) -> str:
    """What follows the type that a column or attribute depends on."""
    match dependent.object:
        case TypedColumn(_, column):
            return "[]" if column.type.element else ""
        case TypedAttribute(_, attribute):
            return "[]" if attribute.type.element else ""
        case _:
            return ""


def _listed(lines: Sequence[str]) -> str:
    shown, left = lines[:_REPORTED_MAX], len(lines) - _REPORTED_MAX
    if left > 0:
        what = "object" if left == 1 else "objects"
        shown = [*shown, f"and {left} other {what} (see server log for list)"]
    return "\n".join(shown)
