"""Rows that are the same for everybody: pg_type, pg_am, pg_opclass, pg_collation and their like."""

# ruff: noqa: D103 - a function makes the rows of the relation whose name it has.

from collections.abc import Iterator, Mapping
from functools import cache
from typing import cast

from catalog.pg_catalog import oids
from catalog.pg_catalog.fixed import column, fixed_rows
from catalog.pg_catalog.routines import function_oid
from catalog.pg_catalog.type_data import TYPES
from catalog.pg_catalog.user_types import range_rows, type_rows
from catalog.pg_catalog.visible import Visible
from catalog.types import registry
from catalog.types.multiranges import MULTIRANGES
from catalog.types.ranges import FAMILIES
from catalog.types.table import PgType
from storage.layout import Value

Values = Mapping[str, Value]

_METHODS = (
    ("heap", oids.HEAP, "t"), *((name, oid, "i") for name, oid in oids.INDEX_METHODS.items()),
    ("kalam_user", oids.USER_TABLES, "t"), ("kalam_stream", oids.STREAM_TABLES, "t"),
)  # fmt: skip
"""What pg_dump says of the kind of a table that is not SHARED: `default_table_access_method`."""
_IO = ("typinput", "typoutput", "typreceive", "typsend", "typmodin", "typmodout")


def pg_type(visible: Visible) -> Iterator[Values]:
    yield from _known_types()
    yield from type_rows(visible)
    for own in registry.TYPES:  # vector is not PostgreSQL's.
        if own.oid not in _known_oids():
            yield _own_type(own)


@cache
def _known_types() -> tuple[dict[str, Value], ...]:
    """The types of PostgreSQL that exist here."""
    rows: list[dict[str, Value]] = []
    for line in TYPES.splitlines():
        fields = line.split(" ")
        if registry.find_oid(int(fields[0])) is None:
            continue
        oid, name, length, by_value, kind, category, preferred, delimiter = fields[:8]
        element, array_oid, *functions = fields[8:16]
        align, storage, collation = fields[16:]
        rows.append(
            {
                "oid": int(oid),
                "typname": name,
                "typnamespace": oids.PG_CATALOG,
                "typowner": oids.ROOT,
                "typlen": int(length),
                "typbyval": by_value == "t",
                "typtype": kind,
                "typcategory": category,
                "typispreferred": preferred == "t",
                "typisdefined": True,
                "typdelim": delimiter,
                "typelem": _number(element),
                "typarray": _number(array_oid),
                **{io: function_oid(f) for io, f in zip(_IO, functions, strict=True)},
                "typalign": align,
                "typstorage": storage,
                "typtypmod": -1,
                "typcollation": _number(collation),
            }
        )
    return tuple(rows)


@cache
def _storages() -> Mapping[int, str]:
    return {int(str(row["oid"])): str(row["typstorage"]) for row in _known_types()}


def storage_of(kind: PgType) -> str:
    """pg_type.typstorage: how PostgreSQL would store a column of the type."""
    return _storages().get(kind.oid) or ("p" if kind.length > 0 else "x")


@cache
def _known_oids() -> frozenset[Value]:
    return frozenset(row["oid"] for row in _known_types())


def _own_type(of: PgType) -> Values:
    return {
        "oid": of.oid,
        "typname": of.name,
        "typnamespace": oids.PG_CATALOG,
        "typowner": oids.ROOT,
        "typlen": of.length,
        "typtype": "p" if of.pseudo else "b",
        "typcategory": of.category,
        "typispreferred": of.preferred,
        "typisdefined": True,
        "typdelim": ",",
        "typelem": of.element.oid if of.element else 0,
        "typarray": of.array_oid,
        "typalign": "i",
        "typstorage": "x",
        "typtypmod": -1,
    }


def _number(field: str) -> int:
    return 0 if field == "-" else int(field)


def pg_am(_visible: Visible) -> Iterator[Values]:
    for name, oid, kind in _METHODS:
        yield {"oid": oid, "amname": name, "amtype": kind}


_CANONICAL = ("int4range", "int8range", "daterange")
"""Range types whose values count in steps."""


def pg_range(visible: Visible) -> Iterator[Values]:
    for of, family in FAMILIES.items():
        element = family.subtype
        yield {
            "rngtypid": of.oid,
            "rngsubtype": element.oid,
            "rngmultitypid": MULTIRANGES[of].oid,
            "rngsubopc": default_opclass(element.name),
            "rngcanonical": function_oid(f"{of.name}_canonical") if of.name in _CANONICAL else 0,
            "rngsubdiff": function_oid(f"{of.name}_subdiff"),
        }
    for row in range_rows(visible):
        subtype = registry.by_oid(cast("int", row["rngsubtype"]))
        yield {**row, "rngsubopc": default_opclass(subtype.name)}


_CLASS_OF = {"varchar": "text"}
"""The type whose operator class another one has."""


@cache
def default_opclass(type_name: str) -> int:
    """pg_opclass.oid of a type's default btree class, 0 when it has none."""
    of = registry.by_name(_CLASS_OF.get(type_name, type_name))
    method, input_type, is_default = (
        column("pg_opclass", name) for name in ("opcmethod", "opcintype", "opcdefault")
    )
    wanted = (oids.BTREE, of.oid if of else 0, True)
    for row in fixed_rows("pg_opclass"):
        if (row[method], row[input_type], row[is_default]) == wanted:
            return cast("int", row[0])
    return 0


_COLLATIONS = (
    (100, "default", "d", -1, None), (950, "C", "c", -1, "C"), (951, "POSIX", "c", -1, "POSIX"),
    (12340, "ucs_basic", "c", 6, "C"),
)  # fmt: skip
COLLATIONS = {name: oid for oid, name, *_ in _COLLATIONS}
"""pg_collation.oid by name; texts are compared by their bytes in each."""


def default_opclass_name(type_name: str) -> str:
    """pg_opclass.opcname of a type's default btree class, "" when it has none."""
    wanted, name = default_opclass(type_name), column("pg_opclass", "opcname")
    return next((str(row[name]) for row in fixed_rows("pg_opclass") if row[0] == wanted), "")


def pg_collation(_visible: Visible) -> Iterator[Values]:
    for oid, name, provider, encoding, locale in _COLLATIONS:
        yield {
            "oid": oid,
            "collname": name,
            "collnamespace": oids.PG_CATALOG,
            "collowner": oids.ROOT,
            "collprovider": provider,
            "collisdeterministic": True,
            "collencoding": encoding,
            "collcollate": locale,
            "collctype": locale,
        }


def pg_language(_visible: Visible) -> Iterator[Values]:
    for oid, name in ((12, "internal"), (13, "c"), (14, "sql"), (13563, "plpgsql")):
        of_people = name in ("sql", "plpgsql")
        yield {
            "oid": oid,
            "lanname": name,
            "lanowner": oids.ROOT,
            "lanispl": name == "plpgsql",
            "lanpltrusted": of_people,
        }


def pg_tablespace(_visible: Visible) -> Iterator[Values]:
    for oid, name in ((oids.DEFAULT_TABLESPACE, "pg_default"), (1664, "pg_global")):
        yield {"oid": oid, "spcname": name, "spcowner": oids.ROOT}


def pg_database(visible: Visible) -> Iterator[Values]:
    yield {
        "oid": oids.DATABASE,
        "datname": visible.database,
        "datdba": oids.ROOT,
        "encoding": 6,
        "datlocprovider": "c",
        "datallowconn": True,
        "datconnlimit": -1,
        "dattablespace": oids.DEFAULT_TABLESPACE,
        "datcollate": "C.UTF-8",
        "datctype": "C.UTF-8",
    }
