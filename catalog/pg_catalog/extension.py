"""pg_extension: what there is beside PostgreSQL's own, the schema `system`, is one extension's.

pg_dump leaves out what belongs to an extension, and the extension itself if its OID is below those of what
users make: so a dump has what people made, and can be restored into PostgreSQL.
"""

# ruff: noqa: D103 - a function makes the rows of the relation whose name it has.

from collections.abc import Iterator, Mapping
from typing import Final

from catalog.pg_catalog import oids
from catalog.pg_catalog.visible import Visible
from storage.layout import Value

OID: Final = 13500
NAME: Final = "kalam_pg"
_VERSION: Final = "1.0"

_CLASS, _NAMESPACE, _EXTENSION = 1259, 2615, 3079
"""OIDs of the catalogues."""


def pg_extension(_visible: Visible) -> Iterator[Mapping[str, Value]]:
    yield {
        "oid": OID,
        "extname": NAME,
        "extowner": oids.ROOT,
        "extnamespace": oids.SYSTEM,
        "extrelocatable": False,
        "extversion": _VERSION,
    }


def members(visible: Visible) -> Iterator[Mapping[str, Value]]:
    """The rows of pg_depend that say what belongs to it."""
    yield _member(_NAMESPACE, oids.SYSTEM)
    for relation in visible.system_relations:
        yield _member(_CLASS, relation.oid)


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
