"""Type names as written, to the type and typmod they mean."""

from functools import lru_cache

from catalog.errors import FeatureNotSupportedError, UndefinedObjectError
from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.sql.statements import TypeName
from storage.errors import KalamError

_FULL_PRECISION = 0xFFFF
# pg_type has them, this server does not: refused by name, not "does not exist".
_NOT_BUILT = frozenset(
    """
    bit varbit money xml point lseg path box polygon line circle timetz
    tsvector tsquery int4range int8range numrange tsrange tstzrange daterange int4multirange
    int8multirange nummultirange tsmultirange tstzmultirange datemultirange pg_lsn txid_snapshot
    pg_snapshot xid8 refcursor regconfig regdictionary regcollation
    """.split()  # noqa: SIM905 - forty quoted words read worse
)


@lru_cache(4096)
def resolve_type(name: TypeName) -> tuple[PgType, int]:
    """The type and its typmod (-1 when there is none).

    Raises:
        UndefinedObjectError: `type "x" does not exist`.
        FeatureNotSupportedError: PostgreSQL has the type, this server has not.
    """
    base = name.name
    written = f"{name.schema}.{base}" if name.schema else base
    found = types.by_name(base) or types.by_sql_name(base)
    if name.schema not in ("", "pg_catalog"):
        found = None
    if found is None:
        if base in _NOT_BUILT and name.schema in ("", "pg_catalog"):
            raise FeatureNotSupportedError(
                f'type "{base}" is not supported', position=name.position
            )
        raise UndefinedObjectError(f'type "{written}" does not exist', position=name.position)
    typmod = _typmod(found, name.modifiers, name.position) if name.modifiers else -1
    if name.dimensions:
        array = types.array_of(found)
        if array is None:
            raise UndefinedObjectError(f'type "{written}[]" does not exist', position=name.position)
        found = array
    return found, typmod


def _typmod(kind: PgType, modifiers: tuple[int, ...], at: int) -> int:
    try:
        if kind is types.INTERVAL:
            # The fields, and below them the digits of seconds (timestamp.h, INTERVAL_TYPMOD).
            digits = modifiers[1] if len(modifiers) > 1 else _FULL_PRECISION
            return modifiers[0] << 16 | digits
        return types.make_typmod(kind, modifiers)
    except KalamError as error:
        error.position = error.position or at
        raise
