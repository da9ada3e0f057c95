"""The catalog at one moment: immutable, shared by everyone who reads it.

Users are not in it (there may be millions): `catalog.store` reads them one by one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from catalog.indexes import entry_table
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
from catalog.pg_catalog import oids
from catalog.row_types import row_type
from catalog.types.domain import DomainDefinition
from catalog.types.registry import array_of, find_oid
from catalog.types.table import PgType

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
    temporary: str = ""
    _relations: dict[tuple[str, str], Relation] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _types: dict[tuple[str, str], UserType] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _pg_types: dict[int, PgType] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _index_names: dict[tuple[str, str], Table] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _referring: dict[int, list[tuple[Table, Constraint]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _stored: dict[int, Table] = field(default_factory=dict, init=False, repr=False, compare=False)
    _sequences: dict[tuple[str, str], NumberSequence] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _materialized: list[Table] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        relations, index_names = self._relations, self._index_names
        for table in self.tables.values():
            relations[table.namespace, table.name] = table
            self._stored[table.storage_id] = table
            if table.materialized is not None:
                self._materialized.append(table)
            for constraint in table.constraints:
                if constraint.kind == "p":
                    index_names[table.namespace, constraint.name] = table
                elif constraint.reference is not None:
                    referring = self._referring.setdefault(constraint.reference.table, [])
                    referring.append((table, constraint))
            for index in table.indexes:
                index_names[table.namespace, index.name] = table
                if index.unique:
                    self._stored[index.storage_id] = entry_table(table, index)
        for view in self.views.values():
            relations[view.namespace, view.name] = view
        for made in self.types.values():
            self._types[made.namespace, made.name] = made
            pg_type = self._pg_types[made.id] = made.pg_type
            if (array := array_of(pg_type)) is not None:
                self._pg_types[array.oid] = array
        for sequence in self.sequences.values():
            self._sequences[sequence.namespace, sequence.name] = sequence
        if self.temporary:
            self._call_temporary(self._relations)
            self._call_temporary(self._index_names)
            self._call_temporary(self._sequences)

    def _call_temporary(self, names: dict[tuple[str, str], Any]) -> None:
        """Whatever is in the session's own schema is in "pg_temp"."""
        own = [(name, what) for (schema, name), what in names.items() if schema == self.temporary]
        for name, what in own:
            names[TEMPORARY, name] = what

    def find(self, schema: str, name: str, search_path: Sequence[str]) -> Relation | None:
        """The table or view of that name; with schema "" the first one on the search path."""
        if schema:
            return self._relations.get((schema, name))
        for candidate in search_path:
            found = self._relations.get((candidate, name))
            if found is not None:
                return found
        return None

    def find_type(self, schema: str, name: str, search_path: Sequence[str]) -> UserType | None:
        """The type that somebody made of that name; with schema "" the first on the search path."""
        if not self._types:
            return None
        path = (schema,) if schema else search_path
        return next((t for s in path if (t := self._types.get((s, name))) is not None), None)

    def types_in(self, namespace: str) -> Iterable[UserType]:
        """The types that people made in a namespace, in order of their ids."""
        found = [t for t in self.types.values() if t.namespace == namespace]
        return sorted(found, key=lambda one: one.id)

    def type_by_oid(self, oid: int) -> PgType | None:
        """The type of that OID, PostgreSQL's own ones and row types too."""
        found = find_oid(oid) or self._pg_types.get(oid)
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
            found = self._sequences.get((candidate, name))
            if found is not None:
                return found
            if (candidate, name) in self._relations:
                return None
        return None

    def sequences_of(self, table_id: int) -> Iterable[NumberSequence]:
        """The sequences that columns of a table own, in order of their ids."""
        owned = (s for s in self.sequences.values() if s.owned_by and s.owned_by[0] == table_id)
        return sorted(owned, key=lambda sequence: sequence.id)

    def sequences_in(self, namespace: str) -> Iterable[NumberSequence]:
        """Sequences of a namespace, in order of their ids."""
        found = [s for (schema, _), s in self._sequences.items() if schema == namespace]
        return sorted(found, key=lambda sequence: sequence.id)

    def stored_as(self, storage_id: int) -> Table | None:
        """The table whose rows storage has under an id, which may be that of an index's entries."""
        return self._stored.get(storage_id)

    def referring_to(self, table_id: int) -> Sequence[tuple[Table, Constraint]]:
        """The FOREIGN KEYs that refer to a table, each with its own; in the order of their ids."""
        return sorted(self._referring.get(table_id, ()), key=lambda pair: pair[1].id)

    def indexed_by(self, namespace: str, name: str) -> Table | None:
        """The table whose index has that name; indexes share their names with relations."""
        return self._index_names.get((namespace, name))

    def is_taken(self, namespace: str, name: str) -> bool:
        """Whether a relation, an index or a sequence has that name."""
        known = (self._relations, self._index_names, self._sequences)
        return any((namespace, name) in names for names in known)

    def stored_queries(self) -> Iterator[View]:
        """Every view, and every materialized one as the view of its query."""
        yield from self.views.values()
        for table in self._materialized:
            view = as_view(table)
            assert view is not None
            yield view

    def namespace(self, name: str) -> Namespace | None:
        """The namespace of that name (not the system ones, which are virtual)."""
        return self.namespaces.get(name)

    def relations_in(self, namespace: str) -> Iterable[Relation]:
        """Tables and views of a namespace, in order of their ids."""
        found = [r for (schema, _), r in self._relations.items() if schema == namespace]
        return sorted(found, key=lambda relation: relation.id)
