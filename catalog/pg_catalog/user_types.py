"""Rows of the types that people made: in pg_type, and in pg_enum."""

# ruff: noqa: D103 - a function makes the rows of the relation whose name it has.

from collections.abc import Iterator, Mapping

from catalog.changes_domain import require_domain
from catalog.domain_values import value_table
from catalog.model import UserType
from catalog.pg_catalog import access
from catalog.pg_catalog.routines import function_oid
from catalog.pg_catalog.visible import Visible
from catalog.types.composite import CompositeDefinition
from catalog.types.definitions import user_types_of
from catalog.types.domain import DomainCheck, DomainDefinition
from catalog.types.enum import STEP, EnumDefinition
from catalog.types.registry import array_of
from catalog.types.table import PgType
from catalog.types.user_ranges import RangeDefinition
from storage.layout import Value

Values = Mapping[str, Value]

FUNCTIONS = {
    "e": ("enum_in", "enum_out", "enum_recv", "enum_send"),
    "d": ("domain_in", "", "domain_recv", ""),
    "r": ("range_in", "range_out", "range_recv", "range_send"),
    "m": ("multirange_in", "multirange_out", "multirange_recv", "multirange_send"),
    "c": ("record_in", "record_out", "record_recv", "record_send"),
    "array": ("array_in", "array_out", "array_recv", "array_send"),
}
"""The functions that pg_type names, by pg_type.typtype: input, output, receive, send."""

_DEFAULT_COLLATION = 100

_IO = ("typinput", "typoutput", "typreceive", "typsend")


def type_rows(visible: Visible) -> Iterator[Values]:
    """Their rows of pg_type, and those of their arrays."""
    for made in visible.all_types:
        pg_type = made.pg_type
        array = None if isinstance(made.definition, DomainDefinition) else array_of(pg_type)
        yield {
            **_common(visible, made, pg_type),
            "typname": made.name,
            "typcategory": pg_type.category,
            "typarray": array.oid if array else 0,
            "typbyval": 0 < pg_type.length <= 8,
            "typalign": "d" if pg_type.category == "C" else "i",
            "typstorage": "p" if pg_type.length > 0 else "x",
            **_of_kind(made),
            "typacl": access.items(
                visible, access.TYPE, made.owner, made.grants, public=made.public
            ),
        }
        if array is not None:
            yield {
                **_common(visible, made, array),
                "typname": array_name(made),
                "typtype": "b",
                "typcategory": "A",
                "typelem": pg_type.oid,
                "typbyval": False,
                "typalign": "d" if pg_type.category == "C" else "i",
                "typstorage": "x",
                "typsubscript": function_oid("array_subscript_handler"),
                **_io("array"),
            }


def _of_kind(made: UserType) -> dict[str, Value]:
    """What differs from kind to kind."""
    definition = made.definition
    if isinstance(definition, DomainDefinition):
        return {
            "typtype": "d",
            "typbasetype": definition.of.oid,
            "typtypmod": definition.typmod if definition.over is None else -1,
            "typnotnull": definition.not_null,
            "typdefault": definition.default or None,
            "typdefaultbin": definition.default or None,
            "typcollation": _DEFAULT_COLLATION if definition.base.collatable else 0,
            **_io("d"),
        }
    if isinstance(definition, CompositeDefinition):
        return {"typtype": "c", "typrelid": definition.relation, **_io("c")}
    if isinstance(definition, EnumDefinition):
        return {"typtype": "e", **_io("e")}
    kind = "r" if isinstance(definition, RangeDefinition) else "m"
    return {"typtype": kind, **_io(kind)}


def array_name(made: UserType) -> str:
    """pg_type.typname of the type of its arrays."""
    return f"_{made.name}"[:63]


def _common(visible: Visible, made: UserType, pg_type: PgType) -> dict[str, Value]:
    return {
        "oid": pg_type.oid,
        "typnamespace": visible.namespace_oids.get(made.namespace, 0),
        "typowner": visible.owner_oid(made.owner),
        "typlen": pg_type.length,
        "typispreferred": False,
        "typisdefined": True,
        "typdelim": ",",
        "typtypmod": -1,
    }


def _io(kind: str) -> dict[str, Value]:
    return {io: function_oid(name) for io, name in zip(_IO, FUNCTIONS[kind], strict=True)}


def domain_constraints(visible: Visible) -> Iterator[Values]:
    """The rows of pg_constraint that are of domains."""
    for made, check in domain_checks(visible):
        yield {
            "oid": check.oid,
            "conname": check.name,
            "connamespace": visible.namespace_oids.get(made.namespace, 0),
            "contype": "c",
            "convalidated": check.valid,
            "contypid": made.id,
            "confupdtype": " ",
            "confdeltype": " ",
            "confmatchtype": " ",
            "conislocal": True,
            "conbin": visible.check_text(value_table(require_domain(made)), check.check, False),
        }


def domain_checks(visible: Visible) -> Iterator[tuple[UserType, DomainCheck]]:
    """The checks of domains, each with whose it is."""
    for made in visible.types:
        if isinstance(made.definition, DomainDefinition):
            for check in made.definition.checks:
                yield made, check


def range_rows(visible: Visible) -> Iterator[Values]:
    """The rows of pg_range that are of types that people made: without an operator class."""
    for made in visible.types:
        if isinstance(made.definition, RangeDefinition):
            yield {
                "rngtypid": made.id,
                "rngsubtype": made.definition.subtype.oid,
                "rngmultitypid": made.definition.multirange_oid,
                "rngcollation": made.definition.collation,
                "rngcanonical": 0,
                "rngsubdiff": 0,
            }


def pg_enum(visible: Visible) -> Iterator[Values]:
    for made in visible.types:
        if isinstance(made.definition, EnumDefinition):
            for label in made.definition.labels:
                yield {
                    "oid": label.oid,
                    "enumtypid": made.id,
                    "enumsortorder": label.position / STEP,
                    "enumlabel": label.label,
                }


_TYPE, _CLASS = 1247, 1259
"""The OIDs of pg_type and pg_class."""


def made_of(visible: Visible) -> Iterator[tuple[tuple[int, int], tuple[int, int], str]]:
    """What types are made of, as pg_depend has it: dependent and used, each (catalogue, OID), and deptype."""
    for made in visible.types:
        definition = made.definition
        if isinstance(definition, DomainDefinition):
            for used in user_types_of(definition.of):
                yield (_TYPE, made.id), (_TYPE, used), "n"
        elif isinstance(definition, RangeDefinition):
            for used in user_types_of(definition.subtype):
                yield (_TYPE, made.id), (_TYPE, used), "n"
        elif isinstance(definition, CompositeDefinition):
            row = _CLASS, definition.relation
            yield row, (_TYPE, made.id), "i"
            for attribute in definition.attributes:
                for used in user_types_of(attribute.type):
                    yield row, (_TYPE, used), "n"
