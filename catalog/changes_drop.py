"""DROP as pure functions: what is named, what depends on it, and what is left.

A namespace has its tables and views, a table or view the views that read it (`View.reads`). Without
CASCADE nothing is dropped that something else depends on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from catalog import codec
from catalog.changes import CatalogChange, require_not_system, stored, table_puts
from catalog.errors import (
    DependentObjectsStillExistError,
    FeatureNotSupportedError,
    InvalidSchemaNameError,
    WrongObjectTypeError,
)
from catalog.model import Column, Constraint, Namespace, Relation, Table, UserType, View
from catalog.snapshot import Snapshot
from catalog.types.definitions import quoted, user_types_of

_REPORTED_MAX = 100
"""PostgreSQL's MAX_REPORTED_DEPS: so many dependent objects are named to the client."""


@dataclass(frozen=True, slots=True)
class TypedColumn:
    """A column that depends on its type, which somebody made."""

    table: Table
    column: Column

    @property
    def id(self) -> int:
        """The table's."""
        return self.table.id


@dataclass(frozen=True, slots=True)
class Referring:
    """A FOREIGN KEY, which depends on the table that it refers to."""

    table: Table
    constraint: Constraint

    @property
    def id(self) -> int:
        """The constraint's."""
        return self.constraint.id


Droppable = Namespace | Table | View | UserType | TypedColumn | Referring


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


def drop_tables(
    snapshot: Snapshot,
    relations: Sequence[Relation],
    notices: Sequence[str] = (),
    *,
    cascade: bool = False,
    search_path: Sequence[str] = (),
) -> CatalogChange:
    """DROP TABLE of tables that were found. Raises 42809 for a view, 2BP01."""
    named = _of_kind(relations, Table, "table", "view")
    return _drop(snapshot, named, notices, cascade=cascade, search_path=search_path)


def drop_views(
    snapshot: Snapshot,
    relations: Sequence[Relation],
    notices: Sequence[str] = (),
    *,
    cascade: bool = False,
    search_path: Sequence[str] = (),
) -> CatalogChange:
    """DROP VIEW of views that were found. Raises 42809 for a table, 2BP01."""
    named = _of_kind(relations, View, "view", "table")
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


def drop_readers(
    snapshot: Snapshot,
    table: Table,
    column: str,
    views: Sequence[View],
    *,
    cascade: bool,
    search_path: Sequence[str] = (),
) -> CatalogChange:
    """What DROP COLUMN drops of the views that use the column. Raises 2BP01 when not `cascade`."""
    if not views:
        return CatalogChange(snapshot)
    going = _with_dependents(snapshot, sorted(views, key=lambda view: -view.id))
    what = f"column {column} of {described(table, snapshot, search_path)}"
    if not cascade:
        direct = {view.id for view in views}
        lines = [
            f"{described(d.object, snapshot, search_path)} depends on "
            f"{what if d.object.id in direct else described(d.on, snapshot, search_path)}"
            for d in going
        ]
        raise DependentObjectsStillExistError(
            f"cannot drop {what} because other objects depend on it",
            detail=_listed(lines),
            hint="Use DROP ... CASCADE to drop the dependent objects too.",
        )
    cascades = [f"drop cascades to {described(d.object, snapshot, search_path)}" for d in going]
    change = _without(snapshot, [d.object for d in going])
    if len(cascades) == 1:
        return replace(change, notices=tuple(cascades))
    told = f"drop cascades to {len(cascades)} other objects"
    return replace(change, notices=(told,), detail=_listed(cascades))


def _of_kind(
    relations: Sequence[Relation], kind: type[Relation], name: str, other: str
) -> dict[int, Droppable]:
    """The relations by id. Raises 42809 for one that is not a `name` but an `other`."""
    for relation in relations:
        if not isinstance(relation, kind):
            raise WrongObjectTypeError(
                f'"{relation.name}" is not a {name}',
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
    others = [d for d in going if d.object.id not in named]
    if others and not cascade:
        raise _still_used(snapshot, list(named.values()), others, search_path)
    cascades = [f"drop cascades to {described(d.object, snapshot, search_path)}" for d in others]
    detail = ""
    if len(cascades) > 1:
        detail, cascades = _listed(cascades), [f"drop cascades to {len(cascades)} other objects"]
    change = _without(snapshot, [d.object for d in going])
    return replace(change, notices=(*notices, *cascades), detail=detail)


# ------------------------------------------------------------------ what depends on what


@dataclass(frozen=True, slots=True)
class _Dependent:
    """An object that goes, and the one because of which (itself when it was named)."""

    object: Droppable
    on: Droppable


def _with_dependents(snapshot: Snapshot, named: Sequence[Droppable]) -> list[_Dependent]:
    """Everything that goes, each once, in the order in which PostgreSQL reports it.

    Depth first, the newest dependents first, and then from the end (`findDependentObjects`).
    """
    readers: dict[int, list[Droppable]] = {}
    for view in snapshot.views.values():
        for read in view.reads:
            readers.setdefault(read, []).append(view)
    for table in snapshot.tables.values():
        for constraint in table.constraints:
            refers = constraint.reference
            if refers is not None and refers.table != table.id:
                readers.setdefault(refers.table, []).append(Referring(table, constraint))
        for column in table.columns:
            for made in (*user_types_of(column.type), column.domain):
                readers.setdefault(made, []).append(TypedColumn(table, column))
    found: list[_Dependent] = []
    seen: set[tuple[int, int]] = set()

    def visit(at: _Dependent) -> None:
        one = at.object
        if _address(one) in seen:
            return  # Also a view that was replaced by one that reads itself.
        seen.add(_address(one))
        below = [] if isinstance(one, TypedColumn | Referring) else readers.get(one.id, [])
        if isinstance(one, Namespace):
            below = [*snapshot.relations_in(one.name), *snapshot.types_in(one.name)]
        for other in sorted(below, key=lambda d: (-d.id, _address(d)[1])):
            visit(_Dependent(other, one))
        found.append(at)

    for one in named:
        visit(_Dependent(one, one))
    # A column or constraint goes with its table.
    return [
        d
        for d in found[::-1]
        if not isinstance(d.object, TypedColumn | Referring) or _address(d.object.table) not in seen
    ]


def _address(one: Droppable) -> tuple[int, int]:
    """OID, and the number of a column: as pg_depend names objects."""
    return one.id, one.column.id if isinstance(one, TypedColumn) else 0


def described(one: Droppable, snapshot: Snapshot, search_path: Sequence[str]) -> str:
    """As PostgreSQL calls it: with its schema where the bare name would not find it."""
    if isinstance(one, Namespace):
        return f"schema {one.name}"
    if isinstance(one, TypedColumn):
        table = described(one.table, snapshot, search_path)
        return f"column {one.column.name} of {table}"
    if isinstance(one, Referring):
        table = described(one.table, snapshot, search_path)
        return f"constraint {quoted(one.constraint.name)} on {table}"
    if isinstance(one, UserType):
        found = snapshot.find_type("", one.name, search_path) is one
        return f"type {'' if found else one.namespace + '.'}{quoted(one.name)}"
    visible = snapshot.find("", one.name, search_path) is one
    name = one.name if visible else f"{one.namespace}.{one.name}"
    return f"{'table' if isinstance(one, Table) else 'view'} {name}"


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
    """What follows the type that a column depends on."""
    column = dependent.object
    return "[]" if isinstance(column, TypedColumn) and column.column.type.element else ""


def _listed(lines: Sequence[str]) -> str:
    shown, left = lines[:_REPORTED_MAX], len(lines) - _REPORTED_MAX
    if left > 0:
        what = "object" if left == 1 else "objects"
        shown = [*shown, f"and {left} other {what} (see server log for list)"]
    return "\n".join(shown)


# ------------------------------------------------------------------ what is left


def _without(snapshot: Snapshot, going: Sequence[Droppable]) -> CatalogChange:
    namespaces = dict(snapshot.namespaces)
    tables, views, types = dict(snapshot.tables), dict(snapshot.views), dict(snapshot.types)
    puts: list[tuple[bytes, bytes | None]] = []
    dropped: list[Table] = []
    for one in sorted(going, key=lambda d: d.id):
        if isinstance(one, TypedColumn):
            raise FeatureNotSupportedError(
                f"DROP ... CASCADE of column {one.column.name} of table {one.table.name} is not "
                "supported yet",
                hint="Drop the column, or change its type, first.",
            )
        if isinstance(one, Namespace):
            del namespaces[one.name]
            puts.append((codec.namespace_key(one.id), None))
        elif isinstance(one, UserType):
            del types[one.id]
            puts.append((codec.type_key(one.id), None))
        elif isinstance(one, Referring):
            there = tables[one.table.id]
            left = tuple(c for c in there.constraints if c.id != one.id)
            tables[there.id] = replace(there, constraints=left)
            puts += table_puts(there, tables[there.id])
        elif isinstance(one, Table):
            dropped.append(tables.pop(one.id))
            puts += table_puts(one, None)
            puts += [(codec.version_key(one.id, e.version), None) for e in one.history]
        else:
            del views[one.id]
            puts.append((codec.view_key(one.id), None))
    changed = replace(
        snapshot,
        version=snapshot.version + 1,
        namespaces=namespaces,
        tables=tables,
        views=views,
        types=types,
    )
    return replace(stored(changed, puts), dropped=tuple(dropped))
