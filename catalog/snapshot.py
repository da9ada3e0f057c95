"""The catalog at one moment: immutable, shared by everyone who reads it.

Users are not in it (there may be millions): `catalog.store` reads them one by one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from catalog.functions import Function
from catalog.lookups import Lookups, Objects
from catalog.model import (
    TEMPORARY,
    Constraint,
    Namespace,
    NumberSequence,
    Relation,
    Table,
    UserType,
    View,
    as_view,
)
from catalog.persistent import forked
from catalog.pg_catalog import oids
from catalog.row_types import row_type
from catalog.types.domain import DomainDefinition
from catalog.types.registry import array_of, find_oid
from catalog.types.table import PgType

K = TypeVar("K")
V = TypeVar("V")

SYSTEM_SCHEMAS = ("system", "pg_catalog", "information_schema")
"""Namespaces that are made up of virtual relations; nobody creates anything in them."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What exists.

    version: grows with every change; equal versions of the committed catalog are equal catalogs.
    Ids of namespaces, tables, views, sequences and constraints are OIDs, each given once (`catalog.ids`).
    temporary: the schema of a session's own objects, if it is the catalogue of a session that has any; what
    is in it is found under "pg_temp" too.
    """

    version: int
    namespaces: Mapping[str, Namespace]
    tables: Mapping[int, Table]
    views: Mapping[int, View]
    types: Mapping[int, UserType] = field(default_factory=dict)
    sequences: Mapping[int, NumberSequence] = field(default_factory=dict)
    functions: Mapping[int, Function] = field(default_factory=dict)
    temporary: str = ""
    _made: list[Lookups] = field(default_factory=list, init=False, repr=False, compare=False)

    def laid_over(
        self, changes: Objects, version: int | None = None, temporary: str = ""
    ) -> "Snapshot":
        """The catalogue that changes make of this one, its next version if none is given.

        temporary: the schema that is a session's own.
        """
        made = Snapshot(
            self.version + 1 if version is None else version,
            _laid_over(self.namespaces, changes.namespaces),
            _laid_over(self.tables, changes.tables),
            _laid_over(self.views, changes.views),
            _laid_over(self.types, changes.types),
            _laid_over(self.sequences, changes.sequences),
            _laid_over(self.functions, changes.functions),
            temporary or self.temporary,
        )
        if self._made and not self.temporary:
            lookups = self._lookups.changed(self, changes)
            if made.temporary:
                lookups.call_temporary(made.temporary)
            made._made.append(lookups)
        return made

    @property
    def _lookups(self) -> Lookups:
        """Made when something is looked for, if the catalogue before has none."""
        if not self._made:
            made = Lookups()
            made.add(self)
            if self.temporary:
                made.call_temporary(self.temporary)
            self._made.append(made)
        return self._made[0]

    def find(self, schema: str, name: str, search_path: Sequence[str]) -> Relation | None:
        """The table or view of that name; with schema "" the first one on the search path."""
        if schema:
            return self._lookups.relations.get((schema, name))
        for candidate in search_path:
            found = self._lookups.relations.get((candidate, name))
            if found is not None:
                return found
        return None

    def find_type(self, schema: str, name: str, search_path: Sequence[str]) -> UserType | None:
        """The type that somebody made of that name; with schema "" the first on the search path."""
        if not self._lookups.types:
            return None
        path = (schema,) if schema else search_path
        types = self._lookups.types
        return next((t for s in path if (t := types.get((s, name))) is not None), None)

    def types_in(self, namespace: str) -> Iterable[UserType]:
        """The types that people made in a namespace, in order of their ids."""
        found = [t for t in self.types.values() if t.namespace == namespace]
        return sorted(found, key=lambda one: one.id)

    def type_by_oid(self, oid: int) -> PgType | None:
        """The type of that OID, PostgreSQL's own ones and row types too."""
        found = find_oid(oid) or self._lookups.pg_types.get(oid)
        if found is not None:
            return found
        for number in oids.of_row_type(oid):
            relation = self.tables.get(number) or self.views.get(number)
            if relation is not None:
                kind = row_type(relation)
                return kind if kind.oid == oid else array_of(kind)
        return None

    def domain(self, oid: int) -> DomainDefinition:
        """The domain of that OID, which is there: a column has it."""
        definition = self.types[oid].definition
        assert isinstance(definition, DomainDefinition)
        return definition

    def find_sequence(
        self, schema: str, name: str, search_path: Sequence[str]
    ) -> NumberSequence | None:
        """The sequence of that name; with schema "" the first one on the search path.

        A table or view of that name that stands before it on the path hides it.
        """
        for candidate in (schema,) if schema else search_path:
            found = self._lookups.sequences.get((candidate, name))
            if found is not None:
                return found
            if (candidate, name) in self._lookups.relations:
                return None
        return None

    def functions_named(
        self, schema: str, name: str, search_path: Sequence[str]
    ) -> Sequence[Function]:
        """The functions of a name that a call may mean; with schema "" those on the search path.

        They are in its order, and of those that have the same types the first one is there alone.
        """
        if not self.functions:
            return ()
        known = self._lookups.functions
        if schema:
            return known.get((schema, name), ())
        found: dict[tuple[int, ...], Function] = {}
        for candidate in search_path:
            for one in known.get((candidate, name), ()):
                found.setdefault(one.signature, one)
        return tuple(found.values())

    def function(self, oid: int) -> Function | None:
        """The function of an OID that somebody made."""
        return self.functions.get(oid)

    def function_of(self, namespace: str, name: str, signature: tuple[int, ...]) -> Function | None:
        """The function of a namespace with that name and those types (`Function.signature`)."""
        named = self.functions_named(namespace, name, ())
        return next((one for one in named if one.signature == signature), None)

    def functions_in(self, namespace: str) -> Iterable[Function]:
        """The functions of a namespace, in order of their ids."""
        found = [one for one in self.functions.values() if one.namespace == namespace]
        return sorted(found, key=lambda one: one.id)

    def sequences_of(self, table_id: int) -> Iterable[NumberSequence]:
        """The sequences that columns of a table own, in order of their ids."""
        owned = (s for s in self.sequences.values() if s.owned_by and s.owned_by[0] == table_id)
        return sorted(owned, key=lambda sequence: sequence.id)

    def sequences_in(self, namespace: str) -> Iterable[NumberSequence]:
        """Sequences of a namespace, in order of their ids."""
        found = [s for (schema, _), s in self._lookups.sequences.items() if schema == namespace]
        return sorted(found, key=lambda sequence: sequence.id)

    def stored_as(self, storage_id: int) -> Table | None:
        """The table whose rows storage has under an id, which may be that of an index's entries."""
        return self._lookups.stored.get(storage_id)

    def referring_to(self, table_id: int) -> Sequence[tuple[Table, Constraint]]:
        """The FOREIGN KEYs that refer to a table, each with its own; in the order of their ids."""
        found = self._lookups.referring.get(table_id, ())
        return sorted(found, key=lambda pair: pair[1].id)

    def using(self, used: int) -> Iterable[Table]:
        """The other tables that use a table, a type or a sequence of that id (`catalog.uses`)."""
        return self._lookups.using.get(used, {}).values()

    def indexed_by(self, namespace: str, name: str) -> Table | None:
        """The table whose index has that name; indexes share their names with relations."""
        return self._lookups.index_names.get((namespace, name))

    def is_taken(self, namespace: str, name: str) -> bool:
        """Whether a relation, an index or a sequence has that name."""
        lookups = self._lookups
        known = (lookups.relations, lookups.index_names, lookups.sequences)
        return any((namespace, name) in names for names in known)

    def stored_queries(self) -> Iterator[View]:
        """Every view, and every materialized one as the view of its query."""
        yield from self.views.values()
        for table in self._lookups.materialized.values():
            view = as_view(table)
            assert view is not None
            yield view

    def namespace(self, name: str) -> Namespace | None:
        """The namespace of that name (not the system ones, which are virtual)."""
        return self.namespaces.get(name)

    def has_schema(self, name: str) -> bool:
        """Whether there is a namespace of that name, the system ones too."""
        return name in self.namespaces or name in SYSTEM_SCHEMAS or name == TEMPORARY

    def relations_in(self, namespace: str) -> Iterable[Relation]:
        """Tables and views of a namespace, in order of their ids."""
        found = [r for (schema, _), r in self._lookups.relations.items() if schema == namespace]
        return sorted(found, key=lambda relation: relation.id)


def _laid_over(below: Mapping[K, V], changes: Mapping[K, V | None]) -> Mapping[K, V]:
    if not changes:
        return below
    made = forked(below)
    for key, value in changes.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = value
    return made
