"""The extensions that are here from the start, and what CREATE EXTENSION finds.

They are part of the server: nothing is installed, and nothing is removed. What another one would bring is
not here.
"""

from dataclasses import dataclass
from typing import Final

from catalog.types import registry as types
from catalog.types.table import PgType


@dataclass(frozen=True, slots=True)
class ExtensionFunction:
    """One function of an extension, in `public`. arguments: their types, in order."""

    name: str
    arguments: tuple[PgType, ...]
    result: PgType
    volatile: bool = False


@dataclass(frozen=True, slots=True)
class Extension:
    """schema: where its functions are. comment: as pg_available_extensions has it."""

    name: str
    version: str
    schema: str
    comment: str
    functions: tuple[ExtensionFunction, ...] = ()


def _uuid(name: str, *arguments: PgType, volatile: bool = False) -> ExtensionFunction:
    return ExtensionFunction(name, arguments, types.UUID, volatile)


_BYTES, _TEXT = types.BYTEA, types.TEXT

EXTENSIONS: Final = (
    Extension("plpgsql", "1.0", "pg_catalog", "PL/pgSQL procedural language"),
    Extension(
        "uuid-ossp",
        "1.1",
        "public",
        "generate universally unique identifiers (UUIDs)",
        (
            *[_uuid(f"uuid_{name}") for name in ("nil", "ns_dns", "ns_url", "ns_oid", "ns_x500")],
            *[_uuid(f"uuid_generate_{name}", volatile=True) for name in ("v1", "v1mc", "v4")],
            *[_uuid(f"uuid_generate_{name}", types.UUID, _TEXT) for name in ("v3", "v5")],
        ),
    ),
    Extension(
        "pgcrypto",
        "1.3",
        "public",
        "cryptographic functions",
        (
            *[ExtensionFunction("digest", (of, _TEXT), _BYTES) for of in (_TEXT, _BYTES)],
            *[ExtensionFunction("hmac", (of, of, _TEXT), _BYTES) for of in (_TEXT, _BYTES)],
            ExtensionFunction("gen_random_bytes", (types.INT4,), _BYTES, volatile=True),
        ),
    ),
)

BY_NAME: Final = {extension.name: extension for extension in EXTENSIONS}

IN_PUBLIC: Final = frozenset(
    function.name for extension in EXTENSIONS for function in extension.functions
)
"""The names of their functions, which are called as PostgreSQL's own are, or as `public`'s."""
