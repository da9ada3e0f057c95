"""Rows of information_schema."""

# ruff: noqa: D103 - a function makes the rows of the relation whose name it has.

from collections.abc import Iterator, Mapping

from catalog.indexes import deferral
from catalog.model import Column, ForeignKey, Table, View
from catalog.pg_catalog import oids
from catalog.pg_catalog.relations import all_relations
from catalog.pg_catalog.text import view_definition
from catalog.pg_catalog.visible import INSERTED, UPDATED, Visible
from catalog.pg_catalog.visible import columns as shown_columns
from catalog.types import registry
from catalog.types.table import PgType
from catalog.uses import sequences_used
from storage.layout import Value

Values = Mapping[str, Value]

_BITS = frozenset((registry.BIT, registry.VARBIT))
_CHARACTER = frozenset((registry.VARCHAR, registry.BPCHAR))
_NUMBER_BITS = {registry.INT2: 16, registry.INT4: 32, registry.INT8: 64}
_FLOAT_BITS = {registry.FLOAT4: 24, registry.FLOAT8: 53}
_TIMES = frozenset(
    (
        registry.TIMESTAMP,
        registry.TIMESTAMPTZ,
        registry.TIME,
        registry.TIMETZ,
        registry.INTERVAL,
    )
)
_OCTETS_MAX = 1 << 30


def schemata(visible: Visible) -> Iterator[Values]:
    for n in visible.all_namespaces:
        yield {
            "catalog_name": visible.database,
            "schema_name": n.name,
            "schema_owner": visible.user_name(visible.owner_oid(n.owner)),
        }


def tables(visible: Visible) -> Iterator[Values]:
    for relation in visible.standard_relations:
        base = isinstance(relation, Table)
        kind = "BASE TABLE" if base else "VIEW"
        yield {
            "table_catalog": visible.database,
            "table_schema": relation.namespace,
            "table_name": relation.name,
            "table_type": "LOCAL TEMPORARY" if relation.temporary else kind,
            "is_insertable_into": "YES" if base or _is_insertable(visible, relation) else "NO",
            "is_typed": "NO",
        }
    for system in visible.virtual_relations:
        yield {
            "table_catalog": visible.database,
            "table_schema": system.schema,
            "table_name": system.name,
            "table_type": "BASE TABLE" if system.kind == "r" else "VIEW",
            "is_insertable_into": "NO",
            "is_typed": "NO",
        }


def _is_insertable(visible: Visible, relation: Table | View) -> bool:
    return isinstance(relation, View) and bool(visible.changes_of(relation)[0] & INSERTED)


def views(visible: Visible) -> Iterator[Values]:
    for view in visible.views:
        yield {
            "table_catalog": visible.database,
            "table_schema": view.namespace,
            "table_name": view.name,
            "view_definition": view_definition(view, visible.view_text),
            "check_option": view.check_option.upper() or "NONE",
            "is_updatable": "YES" if visible.changes_of(view)[0] & UPDATED else "NO",
            "is_insertable_into": "YES" if _is_insertable(visible, view) else "NO",
            "is_trigger_updatable": "NO",
            "is_trigger_deletable": "NO",
            "is_trigger_insertable_into": "NO",
        }


def columns(visible: Visible) -> Iterator[Values]:
    for relation in visible.standard_relations:
        for number, column in enumerate(shown_columns(relation), 1):
            yield _column(visible, relation, column, number)
    for system in visible.virtual_relations:
        for number, own in enumerate(system.columns, 1):
            shown = Column(number, own.name, own.type, own.typmod, own.not_null)
            yield _column_of(visible, system.schema, system.name, shown, number)


def _column(visible: Visible, of: Table | View, column: Column, number: int) -> Values:
    return _column_of(visible, of.namespace, of.name, column, number) | {
        "is_updatable": "YES"
        if isinstance(of, Table) or column.id in visible.changes_of(of)[1]
        else "NO"
    }


def _column_of(
    visible: Visible, schema: str, table: str, column: Column, number: int
) -> dict[str, Value]:
    base = column.type
    return {
        "table_catalog": visible.database,
        "table_schema": schema,
        "table_name": table,
        "column_name": column.name,
        "ordinal_position": number,
        "column_default": _default(visible, column),
        "is_nullable": "NO" if column.not_null else "YES",
        "data_type": _data_type(base),
        **_size(column),
        **_domain(visible, column),
        "udt_catalog": visible.database,
        **_udt(base),
        "dtd_identifier": str(number),
        "is_self_referencing": "NO",
        "is_identity": "YES" if column.identity in {"a", "d"} else "NO",
        "identity_generation": {"a": "ALWAYS", "d": "BY DEFAULT"}.get(column.identity),
        "identity_cycle": "NO",
        **_sequence_of(visible, column),
        "is_generated": "ALWAYS" if column.generated else "NEVER",
        "generation_expression": column.generated or None,
        "is_updatable": "NO",
    }


def _data_type(of: PgType) -> str:
    if of.element and not of.is_vector:
        return "ARRAY"
    return of.sql_name if of.definition is None else "USER-DEFINED"


def _domain(visible: Visible, column: Column) -> dict[str, Value]:
    if not column.domain:
        return {}
    made, _ = visible.types_by_oid[column.domain]
    return {
        "domain_catalog": visible.database,
        "domain_schema": made.namespace,
        "domain_name": made.name,
    }


def _udt(of: PgType) -> dict[str, Value]:
    element = of.element or of
    if element.definition is None:
        return {"udt_schema": "pg_catalog", "udt_name": of.name}
    name = element.definition.name
    return {
        "udt_schema": element.definition.namespace,
        "udt_name": name if element is of else f"_{name}",
    }


def _default(visible: Visible, column: Column) -> str | None:
    if not column.default or column.identity in {"a", "d"}:
        return None
    return visible.default(visible.written(column))


def _sequence_of(visible: Visible, column: Column) -> dict[str, Value]:
    """What numbers an identity column."""
    if column.identity not in {"a", "d"}:
        return {}
    for used in sequences_used(column.default):
        s = visible.sequences.get(used)
        if s is not None:
            return {
                "identity_start": str(s.start),
                "identity_increment": str(s.increment),
                "identity_maximum": str(s.maximum),
                "identity_minimum": str(s.minimum),
                "identity_cycle": "YES" if s.cycle else "NO",
            }
    return {}


def sequences(visible: Visible) -> Iterator[Values]:
    for s in visible.sequences.values():
        if s.internal:
            continue
        yield {
            "sequence_catalog": visible.database,
            "sequence_schema": s.namespace,
            "sequence_name": s.name,
            "data_type": s.type.sql_name,
            "numeric_precision": _NUMBER_BITS[s.type],
            "numeric_precision_radix": 2,
            "numeric_scale": 0,
            "start_value": str(s.start),
            "minimum_value": str(s.minimum),
            "maximum_value": str(s.maximum),
            "increment": str(s.increment),
            "cycle_option": "YES" if s.cycle else "NO",
        }


def _size(column: Column) -> dict[str, Value]:
    base, typmod = column.type, column.typmod
    if base in _CHARACTER:
        length = typmod - 4 if typmod >= 4 else None
        octets = _OCTETS_MAX if length is None else min(length * 4, _OCTETS_MAX)
        return {"character_maximum_length": length, "character_octet_length": octets}
    if base in _BITS:
        return {"character_maximum_length": typmod if typmod > 0 else None}
    if base is registry.TEXT:
        return {"character_octet_length": _OCTETS_MAX}
    if base in _NUMBER_BITS:
        bits = _NUMBER_BITS[base]
        return {"numeric_precision": bits, "numeric_precision_radix": 2, "numeric_scale": 0}
    if base in _FLOAT_BITS:
        return {"numeric_precision": _FLOAT_BITS[base], "numeric_precision_radix": 2}
    if base is registry.NUMERIC:
        if typmod < 4:
            return {"numeric_precision_radix": 10}
        return {
            "numeric_precision": (typmod - 4) >> 16,
            "numeric_precision_radix": 10,
            "numeric_scale": (typmod - 4) & 0x7FF,
        }
    if base in _TIMES:
        return {"datetime_precision": typmod if typmod >= 0 else 6}
    return {"datetime_precision": 0} if base is registry.DATE else {}


def table_constraints(visible: Visible) -> Iterator[Values]:
    words = {"p": "PRIMARY KEY", "u": "UNIQUE", "c": "CHECK", "f": "FOREIGN KEY"}
    for table in visible.tables:
        for c in table.constraints:
            yield {
                "constraint_catalog": visible.database,
                "constraint_schema": table.namespace,
                "constraint_name": c.name,
                "table_catalog": visible.database,
                "table_schema": table.namespace,
                "table_name": table.name,
                "constraint_type": words[c.kind],
                "is_deferrable": _yes(deferral(table, c)[0]),
                "initially_deferred": _yes(deferral(table, c)[1]),
                "enforced": "YES",
                **({"nulls_distinct": "YES"} if c.kind == "u" and _HAS_NULLS_DISTINCT else {}),
            }


def _yes(what: bool) -> str:
    return "YES" if what else "NO"


_HAS_NULLS_DISTINCT = any(
    c.name == "nulls_distinct"
    for c in all_relations()["information_schema", "table_constraints"].columns
)


def key_column_usage(visible: Visible) -> Iterator[Values]:
    for table in visible.tables:
        names = {c.id: c.name for c in table.columns}
        for key in (c for c in table.constraints if c.kind != "c"):
            for number, column_id in enumerate(key.columns, 1):
                yield {
                    "constraint_catalog": visible.database,
                    "constraint_schema": table.namespace,
                    "constraint_name": key.name,
                    "table_catalog": visible.database,
                    "table_schema": table.namespace,
                    "table_name": table.name,
                    "column_name": names[column_id],
                    "ordinal_position": number,
                    "position_in_unique_constraint": None
                    if key.reference is None
                    else _place(visible, key.reference, number),
                }


def _place(visible: Visible, refers: ForeignKey, number: int) -> int | None:
    """Where the n-th referenced column stands in the key that it belongs to."""
    found = _referenced(visible, refers)
    return None if found is None else found[1].index(refers.columns[number - 1]) + 1


def _referenced(visible: Visible, refers: ForeignKey) -> tuple[Table, tuple[int, ...], str] | None:
    """The table that a FOREIGN KEY refers to, with the columns and the name of the key."""
    parent = visible.relations_by_oid.get(oids.table_oid(refers.table))
    if not isinstance(parent, Table):
        return None
    for c in parent.constraints:
        if c.id == refers.index or (not refers.index and c.kind == "p"):
            return parent, c.columns, c.name
    for index in parent.indexes:
        if index.id == refers.index:
            return parent, tuple(key.column for key in index.keys), ""
    return None


def referential_constraints(visible: Visible) -> Iterator[Values]:
    words = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
    for table in visible.tables:
        for c in table.constraints:
            refers = c.reference
            if refers is None:
                continue
            found = _referenced(visible, refers)
            yield {
                "constraint_catalog": visible.database,
                "constraint_schema": table.namespace,
                "constraint_name": c.name,
                "unique_constraint_catalog": visible.database if found else None,
                "unique_constraint_schema": found[0].namespace if found else None,
                "unique_constraint_name": found[2] or None if found else None,
                "match_option": "FULL" if refers.match == "f" else "NONE",
                "update_rule": words[refers.on_update],
                "delete_rule": words[refers.on_delete],
            }


def constraint_column_usage(visible: Visible) -> Iterator[Values]:
    for table in visible.tables:
        names = {c.id: c.name for c in table.columns}
        for c in table.constraints:
            used, named = table, names
            ids = visible.check_columns(table, c.check) if c.check else c.columns
            if c.reference is not None:
                found = _referenced(visible, c.reference)
                if found is None:
                    continue
                used, ids = found[0], c.reference.columns
                named = {column.id: column.name for column in used.columns}
            for column_id in ids:
                yield {
                    "table_catalog": visible.database,
                    "table_schema": used.namespace,
                    "table_name": used.name,
                    "column_name": named[column_id],
                    "constraint_catalog": visible.database,
                    "constraint_schema": table.namespace,
                    "constraint_name": c.name,
                }


def check_constraints(visible: Visible) -> Iterator[Values]:
    for table in visible.tables:
        for c in table.constraints:
            if c.kind == "c":
                yield {
                    "constraint_catalog": visible.database,
                    "constraint_schema": table.namespace,
                    "constraint_name": c.name,
                    "check_clause": f"({visible.check_text(table, c.check, False)})",
                }


def information_schema_catalog_name(visible: Visible) -> Iterator[Values]:
    yield {"catalog_name": visible.database}
