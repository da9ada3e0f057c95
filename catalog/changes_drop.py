"""DROP as pure functions: what is named, what depends on it, and what is left.

A namespace has its tables and views, a table or view the views that read it (`View.reads`). Without
CASCADE nothing is dropped that something else depends on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from catalog import codec
from catalog.changes import CatalogChange, require_not_system, stored
from catalog.errors import (
    DependentObjectsStillExistError,
    InvalidSchemaNameError,
    WrongObjectTypeError,
)
from catalog.model import Namespace, Relation, Table, View
from catalog.snapshot import Snapshot

_REPORTED_MAX = 100
"""PostgreSQL's MAX_REPORTED_DEPS: so many dependent objects are named to the client."""

Droppable = Namespace | Table | View


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
    readers: dict[int, list[View]] = {}
    for view in snapshot.views.values():
        for read in view.reads:
            readers.setdefault(read, []).append(view)
    found: list[_Dependent] = []
    seen: set[int] = set()

    def visit(at: _Dependent) -> None:
        one = at.object
        if one.id in seen:
            return  # Also a view that was replaced by one that reads itself.
        seen.add(one.id)
        below: Sequence[Droppable] = readers.get(one.id, ())
        if isinstance(one, Namespace):
            below = list(snapshot.relations_in(one.name))
        for other in sorted(below, key=lambda d: -d.id):
            visit(_Dependent(other, one))
        found.append(at)

    for one in named:
        visit(_Dependent(one, one))
    return found[::-1]


def described(one: Droppable, snapshot: Snapshot, search_path: Sequence[str]) -> str:
    """As PostgreSQL calls it: with its schema where the bare name would not find it."""
    if isinstance(one, Namespace):
        return f"schema {one.name}"
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
        detail=_listed([f"{name(d.object)} depends on {name(d.on)}" for d in others]),
        hint="Use DROP ... CASCADE to drop the dependent objects too.",
    )


def _listed(lines: Sequence[str]) -> str:
    shown, left = lines[:_REPORTED_MAX], len(lines) - _REPORTED_MAX
    if left > 0:
        what = "object" if left == 1 else "objects"
        shown = [*shown, f"and {left} other {what} (see server log for list)"]
    return "\n".join(shown)


# ------------------------------------------------------------------ what is left


def _without(snapshot: Snapshot, going: Sequence[Droppable]) -> CatalogChange:
    namespaces = dict(snapshot.namespaces)
    tables, views = dict(snapshot.tables), dict(snapshot.views)
    puts: list[tuple[bytes, bytes | None]] = []
    dropped: list[Table] = []
    for one in sorted(going, key=lambda d: d.id):
        if isinstance(one, Namespace):
            del namespaces[one.name]
            puts.append((codec.namespace_key(one.id), None))
        elif isinstance(one, Table):
            dropped.append(tables.pop(one.id))
            puts.append((codec.table_key(one.id), None))
        else:
            del views[one.id]
            puts.append((codec.view_key(one.id), None))
    changed = Snapshot(snapshot.version + 1, namespaces, tables, views)
    return replace(stored(changed, puts), dropped=tuple(dropped))
