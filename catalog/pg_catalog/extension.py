"""pg_extension: what there is beside PostgreSQL's own, the schema `system`, is one extension's.

pg_dump leaves out what belongs to an extension, and the extension itself if its OID is below those of what
users make: so a dump has what people made, and can be restored into PostgreSQL.
"""

# ruff: noqa: D103 - a function makes the rows of the relation whose name it has.

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from catalog.extensions import EXTENSIONS, Extension, ExtensionFunction
from catalog.pg_catalog import oids
from catalog.pg_catalog.relations import relation
from catalog.pg_catalog.visible import Visible
from catalog.types import registry
from storage.layout import Row, Value

OID: Final = 13500
NAME: Final = "kalam_pg"
VERSION: Final = "1.0"

_CLASS, _NAMESPACE, _EXTENSION, _PROC = 1259, 2615, 3079, 1255
"""OIDs of the catalogues."""

_FIRST_EXTENSION, _FIRST_FUNCTION = 13560, 13600
_INTERNAL, _C = 12, 13
"""pg_language.oid of what is built in, and of what extensions bring."""


_OWN: Final = Extension(
    NAME,
    VERSION,
    "system",
    "what there is beside PostgreSQL's own",
    (
        ExtensionFunction("snowflake_id", (), registry.INT8, volatile=True),
        ExtensionFunction("ulid", (), registry.TEXT, volatile=True),
        ExtensionFunction("uuid_v7", (), registry.UUID, volatile=True),
        ExtensionFunction("uuidv7", (), registry.UUID, volatile=True),
    ),
)

ALL: Final = (_OWN, *EXTENSIONS)
_FUNCTIONS: Final = tuple([(of, function) for of in ALL for function in of.functions])


def _oid(of: Extension) -> int:
    """Below those of what users make: pg_dump leaves such an extension out."""
    return OID if of is _OWN else oids.name_oid(_FIRST_EXTENSION, ALL.index(of))


def pg_extension(visible: Visible) -> Iterator[Mapping[str, Value]]:
    for of in ALL:
        yield {
            "oid": _oid(of),
            "extname": of.name,
            "extowner": oids.ROOT,
            "extnamespace": visible.namespace_oids.get(of.schema, oids.PUBLIC),
            "extrelocatable": of.schema == "public",
            "extversion": of.version,
        }


def pg_available_extensions(_visible: Visible) -> Iterator[Mapping[str, Value]]:
    for of in ALL:
        yield {
            "name": of.name,
            "default_version": of.version,
            "installed_version": of.version,
            "comment": of.comment,
        }


def pg_available_extension_versions(_visible: Visible) -> Iterator[Mapping[str, Value]]:
    for of in ALL:
        yield {
            "name": of.name,
            "version": of.version,
            "installed": True,
            "superuser": True,
            "trusted": True,
            "relocatable": of.schema == "public",
            "schema": None if of.schema == "public" else of.schema,
            "comment": of.comment,
        }


def comments() -> Mapping[int, str]:
    """What pg_description says of extensions, by their OIDs."""
    return {_oid(of): of.comment for of in ALL}


@cache
def own_functions() -> tuple[Row, ...]:
    """Their rows of pg_proc."""
    shape = relation("pg_catalog", "pg_proc")
    assert shape is not None
    return tuple(
        shape.row(
            {
                "oid": oids.name_oid(_FIRST_FUNCTION, number),
                "proname": made.name,
                "pronamespace": oids.SYSTEM if of is _OWN else oids.PUBLIC,
                "proowner": oids.ROOT,
                "prolang": _INTERNAL if of is _OWN else _C,
                "procost": 1.0,
                "prokind": "f",
                "proisstrict": True,
                "provolatile": "v" if made.volatile else "i",
                "proparallel": "s",
                "pronargs": len(made.arguments),
                "proargtypes": tuple([each.oid for each in made.arguments]),
                "prorettype": made.result.oid,
                "prosrc": made.name,
            }
        )
        for number, (of, made) in enumerate(_FUNCTIONS)
    )


def members(visible: Visible) -> Iterator[Mapping[str, Value]]:
    """The rows of pg_depend that say what belongs to one."""
    yield _member(_NAMESPACE, oids.SYSTEM, _OWN)
    for each in visible.system_relations:
        yield _member(_CLASS, each.oid, _OWN)
    for number, (of, _) in enumerate(_FUNCTIONS):
        yield _member(_PROC, oids.name_oid(_FIRST_FUNCTION, number), of)


def _member(catalog: int, oid: int, of: Extension) -> Mapping[str, Value]:
    return {
        "classid": catalog,
        "objid": oid,
        "objsubid": 0,
        "refclassid": _EXTENSION,
        "refobjid": _oid(of),
        "refobjsubid": 0,
        "deptype": "e",
    }
