"""Type names as written, to the type and typmod they mean."""

from collections.abc import Sequence
from functools import lru_cache

from catalog.errors import DatatypeMismatchError, FeatureNotSupportedError, UndefinedObjectError
from catalog.row_types import row_type
from catalog.types import registry as types
from catalog.types.domain import DomainDefinition
from catalog.types.table import PgType
from kalam_pg.sql.relation_source import RelationSource
from kalam_pg.sql.statements import TypeName
from storage.errors import KalamError

_FULL_PRECISION = 0xFFFF
# pg_type has them, this server does not: refused by name, not "does not exist".
_NOT_BUILT = frozenset(
    """
    xml point lseg path box polygon line circle
    tsvector tsquery int4range int8range numrange tsrange tstzrange daterange int4multirange
    int8multirange nummultirange tsmultirange tstzmultirange datemultirange pg_lsn txid_snapshot
    pg_snapshot xid8 refcursor regconfig regdictionary regcollation
    """.split()  # noqa: SIM905 - thirty quoted words read worse
)


def resolve_type(
    name: TypeName, snapshot: RelationSource, search_path: Sequence[str]
) -> tuple[PgType, int]:
    """The type and its typmod (-1 when there is none).

    PostgreSQL's own names come first, as pg_catalog does in a search path; then what people made; names
    that are KalamDB's alone come last.

    Raises:
        UndefinedObjectError: `type "x" does not exist`.
        FeatureNotSupportedError: PostgreSQL has the type, this server has not.
        DatatypeMismatchError: It has a COLLATE, and is no text.
    """
    found = _resolved(name, snapshot, search_path)
    if name.collated and not (found[0].element or found[0]).collatable:
        raise DatatypeMismatchError(
            f"collations are not supported by type {found[0].sql_name}", position=name.collated
        )
    return found


def _resolved(
    name: TypeName, snapshot: RelationSource, search_path: Sequence[str]
) -> tuple[PgType, int]:
    if name.schema == "pg_catalog" or (not name.schema and types.by_name(name.name)):
        return _own(name)
    made = snapshot.find_type(name.schema, name.name, search_path)
    if made is not None:
        return _finished(made.pg_type, name)
    relation = snapshot.find(name.schema, name.name, search_path)
    if relation is not None:
        return _finished(row_type(relation), name)
    if name.schema:
        written = f"{name.schema}.{name.name}"
        raise UndefinedObjectError(f'type "{written}" does not exist', position=name.position)
    return _own(name)


@lru_cache(4096)
def _own(name: TypeName) -> tuple[PgType, int]:
    """As `resolve_type`, for the names that are there from the beginning."""
    base = name.name
    found = types.by_name(base) or types.by_sql_name(base)
    if found is None:
        written = f"{name.schema}.{base}" if name.schema else base
        if base in _NOT_BUILT:
            raise FeatureNotSupportedError(
                f'type "{base}" is not supported', position=name.position
            )
        raise UndefinedObjectError(f'type "{written}" does not exist', position=name.position)
    return _finished(found, name)


def _finished(found: PgType, name: TypeName) -> tuple[PgType, int]:
    """A type that was found, with its modifiers and as an array of itself."""
    typmod = _typmod(found, name.modifiers, name.position) if name.modifiers else -1
    if name.dimensions:
        if isinstance(found.definition, DomainDefinition):
            raise FeatureNotSupportedError(
                f"arrays of domain {name.name} are not supported", position=name.position
            )
        array = types.array_of(found)
        if array is None:
            written = f"{name.schema}.{name.name}" if name.schema else name.name
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
