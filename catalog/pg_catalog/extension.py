"""pg_extension: what there is beside PostgreSQL's own, the schema `system`, is one extension's.

pg_dump leaves out what belongs to an extension, and the extension itself if its OID is below those of what
users make: so a dump has what people made, and can be restored into PostgreSQL.
"""

# ruff: noqa: D103 - a function makes the rows of the relation whose name it has.

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from catalog.pg_catalog import oids
from catalog.pg_catalog.relations import relation
from catalog.pg_catalog.visible import Visible
from catalog.types import registry
from storage.layout import Row, Value

OID: Final = 13500
NAME: Final = "kalam_pg"
_VERSION: Final = "1.0"

_CLASS, _NAMESPACE, _EXTENSION, _PROC = 1259, 2615, 3079, 1255
"""OIDs of the catalogues."""

_FIRST_FUNCTION: Final = 13510
_INTERNAL: Final = 12
"""pg_language.oid of what is built in."""


def pg_extension(_visible: Visible) -> Iterator[Mapping[str, Value]]:
    yield {
        "oid": OID,
        "extname": NAME,
        "extowner": oids.ROOT,
        "extnamespace": oids.SYSTEM,
        "extrelocatable": False,
        "extversion": _VERSION,
    }


OWN_FUNCTIONS: Final = (
    ("snowflake_id", registry.INT8),
    ("ulid", registry.TEXT),
    ("uuid_v7", registry.UUID),
    ("uuidv7", registry.UUID),
)
"""Functions that PostgreSQL has not got, and their results. They take nothing, and are volatile."""


@cache
def own_functions() -> tuple[Row, ...]:
    """Their rows of pg_proc."""
    shape = relation("pg_catalog", "pg_proc")
    assert shape is not None
    return tuple(
        shape.row(
            {
                "oid": oids.name_oid(_FIRST_FUNCTION, number),
                "proname": name,
                "pronamespace": oids.SYSTEM,
                "proowner": oids.ROOT,
                "prolang": _INTERNAL,
                "procost": 1.0,
                "prokind": "f",
                "proisstrict": True,
                "provolatile": "v",
                "proparallel": "s",
                "prorettype": result.oid,
                "prosrc": name,
            }
        )
        for number, (name, result) in enumerate(OWN_FUNCTIONS)
    )


def members(visible: Visible) -> Iterator[Mapping[str, Value]]:
    """The rows of pg_depend that say what belongs to it."""
    yield _member(_NAMESPACE, oids.SYSTEM)
    for each in visible.system_relations:
        yield _member(_CLASS, each.oid)
    for number in range(len(OWN_FUNCTIONS)):
        yield _member(_PROC, oids.name_oid(_FIRST_FUNCTION, number))


def _member(catalog: int, oid: int) -> Mapping[str, Value]:
    return {
        "classid": catalog,
        "objid": oid,
        "objsubid": 0,
        "refclassid": _EXTENSION,
        "refobjid": OID,
        "refobjsubid": 0,
        "deptype": "e",
    }
