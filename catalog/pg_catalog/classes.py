"""Rows about relations: pg_class, pg_attribute, pg_attrdef, pg_index, pg_constraint and their views."""

# ruff: noqa: D103 - a function makes the rows of the relation whose name it has.

from collections.abc import Iterator, Mapping

from catalog.indexes import deferral, indexes_of
from catalog.model import Column, Constraint, Index, NumberSequence, Table, TableKind, View
from catalog.names import key_name
from catalog.pg_catalog import access, oids
from catalog.pg_catalog.relations import CatalogRelation
from catalog.pg_catalog.text import index_definition, options_of, view_definition
from catalog.pg_catalog.types import storage_of
from catalog.pg_catalog.user_types import domain_constraints
from catalog.pg_catalog.visible import Visible, columns
from catalog.types.composite import CompositeDefinition
from catalog.types.registry import BOOL, INT8
from catalog.types.table import PgType
from storage.layout import Value

Values = Mapping[str, Value]

_DEFAULT_COLLATION = 100
_SEQUENCE_COLUMNS = (("last_value", INT8), ("log_cnt", INT8), ("is_called", BOOL))


def pg_namespace(visible: Visible) -> Iterator[Values]:
    for n in visible.all_namespaces:
        oid = oids.namespace_oid(n.name, n.id)
        acl = access.of_namespace(visible, n)
        owner = visible.owner_oid(n.owner)
        yield {"oid": oid, "nspname": n.name, "nspowner": owner, "nspacl": acl}


def pg_class(visible: Visible) -> Iterator[Values]:
    # PostgreSQL's FOREIGN KEYs are triggers of both tables: psql's \d looks for keys where there are some.
    keys = [(t.id, c.reference) for t in visible.tables for c in t.constraints if c.reference]
    triggered = {table for table, _ in keys} | {reference.table for _, reference in keys}
    for table in visible.tables:
        declared = list(table.constraints)
        checks = sum(c.kind == "c" for c in declared)
        stored = table.materialized is not None
        yield _class_row(visible, table, "m" if stored else "r") | {
            "relam": _METHODS[table.kind],
            "relchecks": checks,
            "relhasindex": any(indexes_of(table)),
            "relhasrules": stored,
            "relhastriggers": table.id in triggered,
            "relrowsecurity": False,
            "relispopulated": not stored or visible.is_populated(table),
            "relacl": access.items(visible, access.TABLE, table.owner, table.grants),
        }
        for index, _ in indexes_of(table):
            yield {
                "oid": oids.constraint_oid(table.id, index.id),
                "relname": index.name,
                "relnamespace": visible.namespace_oids.get(table.namespace, 0),
                "relowner": visible.owner_oid(table.owner),
                "relam": oids.INDEX_METHODS[index.method],
                "reloptions": tuple(f"{n}={v}" for n, v in index.parameters) or None,
                "reltuples": 0.0,
                "relkind": "i",
                "relpersistence": _persistence(table),
                "relnatts": len(index.keys) + len(index.include),
                "relreplident": "n",
                "relispopulated": True,
            }
    for sequence in visible.sequences.values():
        yield {
            "oid": sequence.id,
            "relname": sequence.name,
            "relnamespace": visible.namespace_oids.get(sequence.namespace, 0),
            "relowner": visible.owner_oid(sequence.owner),
            "relpages": 1,
            "reltuples": 1.0,
            "relkind": "S",
            "relpersistence": _persistence(sequence),
            "relnatts": 3,
            "relreplident": "n",
            "relispopulated": True,
            "relacl": access.items(visible, access.SEQUENCE, sequence.owner, sequence.grants),
        }
    for view in visible.views:
        yield _class_row(visible, view, "v") | {"relhasrules": True, "reloptions": options_of(view)}
    for made, definition in visible.composites_by_relation.values():
        yield {
            "oid": definition.relation,
            "relname": made.name,
            "relnamespace": visible.namespace_oids.get(made.namespace, 0),
            "reltype": made.id,
            "relowner": visible.owner_oid(made.owner),
            "reltuples": 0.0,
            "relkind": "c",
            "relpersistence": "p",
            "relnatts": definition.last,
            "relreplident": "n",
            "relispopulated": True,
        }
    for relation in visible.virtual_relations:
        yield _virtual_class(visible, relation)


_METHODS = {
    TableKind.SHARED: oids.HEAP,
    TableKind.USER: oids.USER_TABLES,
    TableKind.STREAM: oids.STREAM_TABLES,
}


def _virtual_class(visible: Visible, relation: CatalogRelation) -> Values:
    return {
        "oid": relation.oid,
        "relname": relation.name,
        "relnamespace": visible.namespace_oids[relation.schema],
        "relowner": oids.ROOT,
        "relam": oids.HEAP if relation.kind == "r" else 0,
        "reltuples": -1.0,
        "relkind": relation.kind,
        "relpersistence": "p",
        "relnatts": len(relation.columns),
        "relreplident": "n",
        "relispopulated": True,
    }


def _persistence(relation: Table | View | NumberSequence) -> str:
    if relation.temporary:
        return "t"
    stream = isinstance(relation, Table) and relation.kind.value == "STREAM"
    return "u" if stream else "p"


def _class_row(visible: Visible, relation: Table | View, kind: str) -> dict[str, Value]:
    return {
        "oid": oids.table_oid(relation.id),
        "relname": relation.name,
        "relnamespace": visible.namespace_oids.get(relation.namespace, 0),
        "reltype": oids.row_type_oid(relation.id),
        "relowner": visible.owner_oid(relation.owner),
        # How many rows there are is never told here: it would be other users' rows too.
        "reltuples": -1.0,
        "relkind": kind,
        "relpersistence": _persistence(relation),
        "relnatts": max((c.id for c in columns(relation)), default=0),
        "relreplident": "d" if kind in {"r", "m"} else "n",
        "relispopulated": True,
    }


def pg_attribute(visible: Visible) -> Iterator[Values]:
    for relation in visible.relations:
        yield from _relation_attributes(relation)
    for oid, (table, index, _) in visible.indexes_by_oid.items():
        yield from _index_attributes(oid, table, index)
    for sequence in visible.sequences:
        yield from _sequence_attributes(sequence)
    for _, definition in visible.composites_by_relation.values():
        yield from _composite_attributes(definition)
    for system in visible.virtual_relations:
        yield from _virtual_attributes(system)


def _composite_attributes(definition: CompositeDefinition) -> Iterator[Values]:
    for a in definition.attributes:
        yield _attribute(definition.relation, a.number, a.name, a.type) | {"atttypmod": a.typmod}


def _sequence_attributes(oid: int) -> Iterator[Values]:
    for number, (name, of) in enumerate(_SEQUENCE_COLUMNS, 1):
        yield _attribute(oid, number, name, of) | {"attnotnull": True}


def attributes_of(visible: Visible, oid: int) -> Iterator[Values]:
    """The rows of pg_attribute that belong to one relation."""
    if relation := visible.relations_by_oid.get(oid):
        yield from _relation_attributes(relation)
    if found := visible.indexes_by_oid.get(oid):
        yield from _index_attributes(oid, *found[:2])
    if oid in visible.sequences:
        yield from _sequence_attributes(oid)
    if oid in visible.composites_by_relation:
        yield from _composite_attributes(visible.composites_by_relation[oid][1])
    for system in visible.virtual_relations:
        if system.oid == oid:
            yield from _virtual_attributes(system)


def _relation_attributes(relation: Table | View) -> Iterator[Values]:
    for column in columns(relation):
        yield _attribute(oids.table_oid(relation.id), column.id, column.name, column.type) | {
            **({"atttypid": column.domain} if column.domain else {}),
            "atttypmod": -1 if column.domain else column.typmod,
            "attnotnull": column.not_null,
            "atthasdef": has_default(column),
            "attidentity": column.identity if column.identity in {"a", "d"} else "",
            "attgenerated": "s" if column.generated else "",
        }


def has_default(column: Column) -> bool:
    """Whether pg_attrdef has a row of it: what numbers an identity column is no default to be seen."""
    if column.identity in {"a", "d"}:
        return False
    return bool(column.default or column.generated)


def _index_attributes(oid: int, table: Table, index: Index) -> Iterator[Values]:
    by_id = {c.id: c for c in table.columns}
    taken: set[str] = set()
    for number, key in enumerate(index.keys, 1):
        name = by_id[key.column].name if key.column else key_name(key.expression)
        while name in taken:
            name += "1"
        taken.add(name)
        yield _attribute(oid, number, name, key.type) | {"atttypmod": key.typmod}
    for number, column_id in enumerate(index.include, 1 + len(index.keys)):
        column = by_id[column_id]
        yield _attribute(oid, number, column.name, column.type) | {"atttypmod": column.typmod}


def _virtual_attributes(relation: CatalogRelation) -> Iterator[Values]:
    for number, own in enumerate(relation.columns, 1):
        yield _attribute(relation.oid, number, own.name, own.type) | {
            "attnotnull": own.not_null,
            "atttypmod": own.typmod,
        }


def _attribute(oid: int, number: int, name: str, of: PgType) -> dict[str, Value]:
    return {
        "attrelid": oid,
        "attname": name,
        "atttypid": of.oid,
        "attstattarget": -1,
        "attlen": of.length,
        "attnum": number,
        "attcacheoff": -1,
        "atttypmod": -1,
        "attndims": 1 if of.element is not None and not of.is_vector else 0,
        "attbyval": 0 < of.length <= 8 and of.key_kind in {"int", "bool", "float"},
        "attalign": {1: "c", 2: "s", 8: "d"}.get(of.length, "i"),
        "attstorage": storage_of(of),
        "attinhcount": 0,
        "attislocal": True,
        "attcollation": _collation(of),
    }


def _collation(of: PgType) -> int:
    base = of.element or of
    if not base.collatable:
        return 0
    return 950 if base.name == "name" else _DEFAULT_COLLATION


def pg_attrdef(visible: Visible) -> Iterator[Values]:
    for table in visible.tables:
        for column in columns(table):
            if has_default(column):
                text = visible.written(column) if column.default else column.generated
                yield {
                    "oid": oids.default_oid(table.id, column.id),
                    "adrelid": oids.table_oid(table.id),
                    "adnum": column.id,
                    "adbin": text,
                }


def pg_index(visible: Visible) -> Iterator[Values]:
    for oid, (table, index, kind) in visible.indexes_by_oid.items():
        keys = index.keys
        expressions = [key.expression for key in keys if key.expression]
        yield {
            "indexrelid": oid,
            "indrelid": oids.table_oid(table.id),
            "indnatts": len(keys) + len(index.include),
            "indnkeyatts": len(keys),
            "indisunique": index.unique,
            "indnullsnotdistinct": not index.nulls_distinct,
            "indisprimary": kind == "p",
            "indimmediate": not index.deferrable,
            "indisvalid": True,
            "indisready": True,
            "indislive": True,
            "indkey": (*[key.column for key in keys], *index.include),
            "indcollation": tuple(_collation(key.type) for key in keys),
            "indclass": tuple(operator_class(key.type) for key in keys),
            "indoption": tuple(key.descending + 2 * key.nulls_first for key in keys),
            "indexprs": ", ".join(expressions) or None,
            "indpred": index.where or None,
        }


def operator_class(of: PgType) -> int:
    """pg_opclass.oid of the type's default btree class, 0 when it has none."""
    from catalog.pg_catalog.types import default_opclass  # noqa: PLC0415 - needed for keys only

    made = {"E": "anyenum", "A": "anyarray"}
    return default_opclass(of.name if of.is_vector else made.get(of.category, of.name))


def pg_constraint(visible: Visible) -> Iterator[Values]:
    for table in visible.tables:
        for c in table.constraints:
            oid = oids.constraint_oid(table.id, c.id)
            yield {
                "oid": oid,
                "conname": c.name,
                "connamespace": visible.namespace_oids.get(table.namespace, 0),
                "contype": c.kind,
                "convalidated": c.validated,
                "conrelid": oids.table_oid(table.id),
                "conindid": oid if c.kind in {"p", "u"} else 0,
                "confupdtype": " ",
                "confdeltype": " ",
                "confmatchtype": " ",
                "conislocal": True,
                "connoinherit": c.kind != "c",
                "conkey": (visible.check_columns(table, c.check) if c.check else c.columns) or None,
                "conbin": visible.check_text(table, c.check, False) if c.check else None,
                **_reference(visible, table, c),
            }
    yield from domain_constraints(visible)


def _reference(visible: Visible, table: Table, constraint: Constraint) -> Values:
    """What pg_constraint has of a FOREIGN KEY, and whether a constraint is deferrable."""
    refers, (deferrable, deferred) = constraint.reference, deferral(table, constraint)
    if refers is None:
        return {"condeferrable": deferrable, "condeferred": deferred}
    parent = visible.relations_by_oid.get(oids.table_oid(refers.table))
    index = refers.index
    if not index and isinstance(parent, Table):
        index = next((c.id for c in parent.constraints if c.kind == "p"), 0)
    return {
        "condeferrable": deferrable,
        "condeferred": deferred,
        "confrelid": oids.table_oid(refers.table),
        "conindid": oids.constraint_oid(refers.table, index) if index else 0,
        "confupdtype": refers.on_update,
        "confdeltype": refers.on_delete,
        "confmatchtype": refers.match,
        "confkey": refers.columns,
        "confdelsetcols": refers.set_columns or None,
    }


def pg_sequence(visible: Visible) -> Iterator[Values]:
    for s in visible.sequences.values():
        yield {
            "seqrelid": s.id,
            "seqtypid": s.type.oid,
            "seqstart": s.start,
            "seqincrement": s.increment,
            "seqmax": s.maximum,
            "seqmin": s.minimum,
            "seqcache": s.cache,
            "seqcycle": s.cycle,
        }


def pg_rewrite(visible: Visible) -> Iterator[Values]:
    """What a view is, as a rule: pg_depend says of it what the view reads."""
    for view in visible.queries:
        yield {
            "oid": oids.table_oid(view.id),
            "rulename": "_RETURN",
            "ev_class": oids.table_oid(view.id),
            "ev_type": "1",
            "ev_enabled": "O",
            "is_instead": True,
        }


def pg_tables(visible: Visible) -> Iterator[Values]:
    for table in visible.base_tables:
        yield {
            "schemaname": table.namespace,
            "tablename": table.name,
            "tableowner": visible.user_name(visible.owner_oid(table.owner)),
            "hasindexes": any(indexes_of(table)),
            "hasrules": False,
            "hastriggers": False,
            "rowsecurity": False,
        }


def pg_views(visible: Visible) -> Iterator[Values]:
    for view in visible.views:
        yield {
            "schemaname": view.namespace,
            "viewname": view.name,
            "viewowner": visible.user_name(visible.owner_oid(view.owner)),
            "definition": view_definition(view, visible.view_text),
        }


def pg_matviews(visible: Visible) -> Iterator[Values]:
    for view in visible.materialized:
        yield {
            "schemaname": view.namespace,
            "matviewname": view.name,
            "matviewowner": visible.user_name(visible.owner_oid(view.owner)),
            "hasindexes": any(indexes_of(view)),
            "ispopulated": visible.is_populated(view),
            "definition": view_definition(view, visible.view_text),
        }


def pg_indexes(visible: Visible) -> Iterator[Values]:
    for table, index, _ in visible.indexes_by_oid.values():
        yield {
            "schemaname": table.namespace,
            "tablename": table.name,
            "indexname": index.name,
            "indexdef": index_definition(table, index),
        }
