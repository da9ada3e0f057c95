"""What views know of relations that are altered: they go on seeing them under the names of before.

A view is kept as its text, in which names stand. When a relation that it reads is renamed, moved, or gets
or renames a column, the view notes what its text calls everything (`NamedThen`), once: `SELECT *` goes on
meaning the columns of then, as it does in PostgreSQL, which keeps a view as a tree.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from catalog import codec
from catalog.changes import CatalogChange, stored, with_tables, with_views
from catalog.functions import Function
from catalog.model import NamedThen, NumberSequence, Relation, Table, UserType, View
from catalog.snapshot import Snapshot
from catalog.types.domain import DomainDefinition
from catalog.types.table import PgType

NAMELESS = ""
"""What a column is called in a view whose text is older than the column."""


def remember(snapshot: Snapshot, relations: Iterable[Relation]) -> CatalogChange:
    """Have every view that reads one of these note their names, before they are altered."""
    by_id = {relation.id: relation for relation in relations}
    views: dict[int, View] = {}
    tables: dict[int, Table] = {}
    for view in snapshot.stored_queries():
        known = {named.id for named in view.names}
        new = [by_id[read] for read in view.reads if read in by_id and read not in known]
        if not new:
            continue
        names = (*view.names, *[_names(relation) for relation in new])
        table = snapshot.tables.get(view.id)
        if table is None:
            views[view.id] = replace(view, names=names)
        else:
            assert table.materialized is not None
            tables[view.id] = replace(table, materialized=replace(table.materialized, names=names))
    if not views and not tables:
        return CatalogChange(snapshot)
    puts = [(codec.view_key(view.id), codec.encode_view(view)) for view in views.values()]
    puts += [(codec.table_key(table.id), codec.encode_table(table)) for table in tables.values()]
    return stored(with_tables(with_views(snapshot, views), tables), puts)


def _names(relation: Relation) -> NamedThen:
    columns = tuple([(column.id, column.name) for column in relation.columns])
    return NamedThen(relation.id, relation.namespace, relation.name, columns)


class Then:
    """The relations of a snapshot as a view means them: those that it has read since it was made.

    What came to be called the same later hides none of them; those of `names` are found and seen as they
    were called then.
    """

    def __init__(
        self, snapshot: Snapshot, names: Sequence[NamedThen], reads: Sequence[int] = ()
    ) -> None:
        self.now = snapshot
        self._names = names
        self._reads = reads

    def find(self, schema: str, name: str, search_path: Sequence[str]) -> Relation | None:
        """See `Snapshot.find`."""
        for named in self._names:
            if named.name == name and schema in ("", named.namespace):
                found = self.now.tables.get(named.id) or self.now.views.get(named.id)
                return None if found is None else _seen(found, named)
        read = self._read(schema, name)
        if len(read) == 1:
            return read[0]
        return self.now.find(schema, name, search_path)

    def _read(self, schema: str, name: str) -> list[Relation]:
        """What it reads that has the name, in the schema if one is given."""
        now, read = self.now, self._reads
        found = [one for i in read if (one := now.tables.get(i) or now.views.get(i)) is not None]
        return [one for one in found if one.name == name and schema in ("", one.namespace)]

    def find_type(self, schema: str, name: str, search_path: Sequence[str]) -> UserType | None:
        """See `Snapshot.find_type`: types keep their names."""
        return self.now.find_type(schema, name, search_path)

    def functions_named(
        self, schema: str, name: str, search_path: Sequence[str]
    ) -> Sequence[Function]:
        """See `Snapshot.functions_named`: those that it has called since it was made come first."""
        here = self.now.functions
        read = [here[i] for i in self._reads if i in here]
        kept = [f for f in read if f.name == name and schema in ("", f.namespace)]
        known = {f.signature for f in kept}
        found = self.now.functions_named(schema, name, search_path)
        return (*kept, *[f for f in found if f.signature not in known])

    def function(self, oid: int) -> Function | None:
        """See `Snapshot.function`."""
        return self.now.function(oid)

    def find_sequence(
        self, schema: str, name: str, search_path: Sequence[str]
    ) -> NumberSequence | None:
        """See `Snapshot.find_sequence`."""
        return self.now.find_sequence(schema, name, search_path)

    def has_schema(self, name: str) -> bool:
        """See `Snapshot.has_schema`."""
        return self.now.has_schema(name)

    def type_by_oid(self, oid: int) -> PgType | None:
        """See `Snapshot.type_by_oid`."""
        return self.now.type_by_oid(oid)

    def domain(self, oid: int) -> DomainDefinition:
        """See `Snapshot.domain`."""
        return self.now.domain(oid)


def _seen(relation: Relation, named: NamedThen) -> Relation:
    names = dict(named.columns)
    columns = tuple(
        [replace(column, name=names.get(column.id, NAMELESS)) for column in relation.columns]
    )
    if isinstance(relation, Table):
        return replace(relation, name=named.name, namespace=named.namespace, columns=columns)
    return replace(relation, name=named.name, namespace=named.namespace, columns=columns)
