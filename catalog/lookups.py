"""Where a catalogue's objects are found: by names, by the ids of storage, by what they refer to.

They are made of a whole catalogue once. Each later one has forks of those of the one before it, with what was
changed: what a definition costs hardly grows with what there is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Protocol, TypeVar

from catalog.functions import Function
from catalog.indexes import entry_table
from catalog.model import TEMPORARY, Constraint, Namespace, NumberSequence, Table, UserType, View
from catalog.persistent import PersistentMap
from catalog.types.table import PgType
from catalog.uses import used_by

V = TypeVar("V")
Name = tuple[str, str]
"""Schema and name."""


class Objects(Protocol):
    """What there is in a catalogue, or what one has of another: None is what is no more."""

    @property
    def namespaces(self) -> Mapping[str, Namespace | None]: ...

    @property
    def tables(self) -> Mapping[int, Table | None]: ...

    @property
    def views(self) -> Mapping[int, View | None]: ...

    @property
    def types(self) -> Mapping[int, UserType | None]: ...

    @property
    def sequences(self) -> Mapping[int, NumberSequence | None]: ...

    @property
    def functions(self) -> Mapping[int, Function | None]: ...


@dataclass(slots=True)
class Lookups:
    """Nothing is found at first. Whoever shares them changes nothing any more.

    referring: FOREIGN KEYs by the table that they refer to. using: tables by what they use (`used_by`), then
    by their ids. materialized: tables by their ids.
    """

    relations: PersistentMap[Name, Table | View] = field(default_factory=PersistentMap)
    types: PersistentMap[Name, UserType] = field(default_factory=PersistentMap)
    pg_types: PersistentMap[int, PgType] = field(default_factory=PersistentMap)
    index_names: PersistentMap[Name, Table] = field(default_factory=PersistentMap)
    referring: PersistentMap[int, tuple[tuple[Table, Constraint], ...]] = field(
        default_factory=PersistentMap
    )
    stored: PersistentMap[int, Table] = field(default_factory=PersistentMap)
    sequences: PersistentMap[Name, NumberSequence] = field(default_factory=PersistentMap)
    materialized: PersistentMap[int, Table] = field(default_factory=PersistentMap)
    using: PersistentMap[int, dict[int, Table]] = field(default_factory=PersistentMap)
    functions: PersistentMap[Name, tuple[Function, ...]] = field(default_factory=PersistentMap)

    def changed(self, before: Objects, changes: Objects) -> "Lookups":
        """Those of the catalogue that changes make of `before`, whose lookups these are."""
        others = _names_of(changes)
        made = Lookups(
            *[
                getattr(self, name).fork() if name in others else getattr(self, name)
                for name in _NAMES
            ]
        )
        # Of what is used by tables that are changed the dictionaries are its own.
        tables = [*_there(before.tables, changes.tables), *changes.tables.values()]
        for used in {one for table in tables if table is not None for one in used_by(table)}:
            made.using[used] = dict(self.using.get(used, ()))
        # First what goes: a name may pass from one to another.
        for table in _there(before.tables, changes.tables):
            made.remove_table(table)
        for table_id, after in changes.tables.items():
            if after is None or after.materialized is None:
                made.materialized.pop(table_id, None)
        for view in _there(before.views, changes.views):
            made.relations.pop((view.namespace, view.name), None)
        for one in _there(before.types, changes.types):
            made.remove_type(one)
        for sequence in _there(before.sequences, changes.sequences):
            made.sequences.pop((sequence.namespace, sequence.name), None)
        for function in _there(before.functions, changes.functions):
            made.remove_function(function)
        made.add(changes)
        return made

    def add(self, objects: Objects) -> None:
        """Find these, too."""
        for table in objects.tables.values():
            if table is not None:
                self.add_table(table)
        for view in objects.views.values():
            if view is not None:
                self.relations[view.namespace, view.name] = view
        for one in objects.types.values():
            if one is not None:
                self.add_type(one)
        for sequence in objects.sequences.values():
            if sequence is not None:
                self.sequences[sequence.namespace, sequence.name] = sequence
        for function in objects.functions.values():
            if function is not None:
                named = (function.namespace, function.name)
                self.functions[named] = (*self.functions.get(named, ()), function)

    def add_table(self, table: Table) -> None:
        """Find a table, its indexes and what it refers to."""
        self.relations[table.namespace, table.name] = table
        self.stored[table.storage_id] = table
        if table.materialized is not None:
            self.materialized[table.id] = table
        for constraint in table.constraints:
            if constraint.kind == "p":
                self.index_names[table.namespace, constraint.name] = table
            elif constraint.reference is not None:
                to = constraint.reference.table
                self.referring[to] = (*self.referring.get(to, ()), (table, constraint))
        for used in used_by(table):
            self.using.setdefault(used, {})[table.id] = table
        for index in table.indexes:
            self.index_names[table.namespace, index.name] = table
            if index.unique:
                self.stored[index.storage_id] = entry_table(table, index)

    def remove_table(self, table: Table) -> None:
        """Find a table, its indexes and what it refers to no more; it may still be a materialized view."""
        self.relations.pop((table.namespace, table.name), None)
        self.stored.pop(table.storage_id, None)
        for constraint in table.constraints:
            if constraint.kind == "p":
                self.index_names.pop((table.namespace, constraint.name), None)
            elif constraint.reference is not None:
                to = constraint.reference.table
                left = tuple([r for r in self.referring.get(to, ()) if r[0].id != table.id])
                if left:
                    self.referring[to] = left
                else:
                    self.referring.pop(to, None)
        for used in used_by(table):
            self.using.get(used, {}).pop(table.id, None)
        for index in table.indexes:
            self.index_names.pop((table.namespace, index.name), None)
            self.stored.pop(index.storage_id, None)

    def add_type(self, made: UserType) -> None:
        """Find a type and its array, of a range type that of its multiranges too."""
        self.types[made.namespace, made.name] = made
        if (many := made.multirange) is not None:
            self.types[many.namespace, many.name] = many
        for pg_type in made.pg_types():
            self.pg_types[pg_type.oid] = pg_type

    def remove_type(self, made: UserType) -> None:
        """Find a type and what `add_type` finds with it no more."""
        self.types.pop((made.namespace, made.name), None)
        if (many := made.multirange) is not None:
            self.types.pop((many.namespace, many.name), None)
        for pg_type in made.pg_types():
            self.pg_types.pop(pg_type.oid, None)

    def remove_function(self, function: Function) -> None:
        """Find a function no more."""
        named = (function.namespace, function.name)
        left = tuple([one for one in self.functions.get(named, ()) if one.id != function.id])
        if left:
            self.functions[named] = left
        else:
            self.functions.pop(named, None)

    def call_temporary(self, schema: str) -> None:
        """Whatever is in a session's own schema is in "pg_temp"."""
        for of in ("relations", "index_names", "sequences"):
            names = getattr(self, of).fork()  # Others may have it, too.
            setattr(self, of, names)
            _call(names, schema)


_NAMES = tuple(one.name for one in fields(Lookups))

_OF_TABLES = ("relations", "index_names", "referring", "stored", "materialized", "using")


def _names_of(changes: Objects) -> set[str]:
    """Which lookups changes may be found in."""
    return {
        *(_OF_TABLES if changes.tables else ()),
        *(("relations",) if changes.views else ()),
        *(("types", "pg_types") if changes.types else ()),
        *(("sequences",) if changes.sequences else ()),
        *(("functions",) if changes.functions else ()),
    }


def _call(names: PersistentMap[Name, Any], schema: str) -> None:
    for name in [name for there, name in names if there == schema]:
        names[TEMPORARY, name] = names[schema, name]


def _there(before: Mapping[int, V | None], changes: Mapping[int, V | None]) -> list[V]:
    """What was there of what is changed."""
    return [one for key in changes if (one := before.get(key)) is not None]
