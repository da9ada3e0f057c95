"""Every type, by OID, by pg_type name, by SQL name; and the names of the types as constants.

These are PostgreSQL's own types. Those that people define are found in the catalogue
(`catalog.snapshot`), which makes them with `of_definition`. A type is pickled as where it is found.
"""

import copyreg
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from catalog.errors import UndefinedObjectError
from catalog.types.array import array_type
from catalog.types.bits import BIT, VARBIT
from catalog.types.boolean import BOOL
from catalog.types.bytea import BYTEA
from catalog.types.datetime import DATE, TIME, TIMESTAMP, TIMESTAMPTZ
from catalog.types.definitions import Definition
from catalog.types.float import FLOAT4, FLOAT8
from catalog.types.integer import CID, INT2, INT4, INT8, OID, XID
from catalog.types.interval import INTERVAL
from catalog.types.json import JSON, JSONB
from catalog.types.jsonpath import JSONPATH
from catalog.types.lsn import PG_LSN
from catalog.types.macaddr import MACADDR, MACADDR8
from catalog.types.money import MONEY
from catalog.types.multiranges import (
    DATEMULTIRANGE,
    INT4MULTIRANGE,
    INT8MULTIRANGE,
    NUMMULTIRANGE,
    TSMULTIRANGE,
    TSTZMULTIRANGE,
)
from catalog.types.network import CIDR, INET
from catalog.types.numeric import NUMERIC, numeric_typmod
from catalog.types.pseudo import (
    ANY,
    ANYARRAY,
    ANYCOMPATIBLE,
    ANYCOMPATIBLEARRAY,
    ANYCOMPATIBLEMULTIRANGE,
    ANYCOMPATIBLENONARRAY,
    ANYCOMPATIBLERANGE,
    ANYELEMENT,
    ANYENUM,
    ANYMULTIRANGE,
    ANYNONARRAY,
    ANYRANGE,
    EVENT_TRIGGER,
    INTERNAL,
    LANGUAGE_HANDLER,
    TRIGGER,
    VOID,
)
from catalog.types.ranges import (
    DATERANGE,
    INT4RANGE,
    INT8RANGE,
    NUMRANGE,
    TSRANGE,
    TSTZRANGE,
)
from catalog.types.records import RECORD
from catalog.types.system import (
    ACLITEM,
    INT2VECTOR,
    OIDVECTOR,
    PG_NODE_TREE,
    REGCLASS,
    REGNAMESPACE,
    REGOPER,
    REGOPERATOR,
    REGPROC,
    REGPROCEDURE,
    REGROLE,
    REGTYPE,
    TID,
)
from catalog.types.table import PgType
from catalog.types.text import BPCHAR, CHAR, CSTRING, NAME, TEXT, UNKNOWN, VARCHAR
from catalog.types.timetz import TIMETZ
from catalog.types.typmod import format_type, make_typmod
from catalog.types.uuid import UUID
from catalog.types.vector import VECTOR

__all__ = [
    "ACLITEM",
    "ANY",
    "ANYARRAY",
    "ANYCOMPATIBLE",
    "ANYCOMPATIBLEARRAY",
    "ANYCOMPATIBLEMULTIRANGE",
    "ANYCOMPATIBLENONARRAY",
    "ANYCOMPATIBLERANGE",
    "ANYELEMENT",
    "ANYENUM",
    "ANYMULTIRANGE",
    "ANYNONARRAY",
    "ANYRANGE",
    "BIT",
    "BOOL",
    "BPCHAR",
    "BYTEA",
    "CHAR",
    "CID",
    "CIDR",
    "CSTRING",
    "DATE",
    "DATEMULTIRANGE",
    "DATERANGE",
    "EVENT_TRIGGER",
    "FLOAT4",
    "FLOAT8",
    "INET",
    "INT2",
    "INT2VECTOR",
    "INT4",
    "INT4MULTIRANGE",
    "INT4RANGE",
    "INT8",
    "INT8MULTIRANGE",
    "INT8RANGE",
    "INTERNAL",
    "INTERVAL",
    "JSON",
    "JSONB",
    "JSONPATH",
    "LANGUAGE_HANDLER",
    "MACADDR",
    "MACADDR8",
    "MONEY",
    "NAME",
    "NUMERIC",
    "NUMMULTIRANGE",
    "NUMRANGE",
    "OID",
    "OIDVECTOR",
    "PG_LSN",
    "PG_NODE_TREE",
    "RECORD",
    "REGCLASS",
    "REGNAMESPACE",
    "REGOPER",
    "REGOPERATOR",
    "REGPROC",
    "REGPROCEDURE",
    "REGROLE",
    "REGTYPE",
    "TEXT",
    "TID",
    "TIME",
    "TIMESTAMP",
    "TIMESTAMPTZ",
    "TIMETZ",
    "TRIGGER",
    "TSMULTIRANGE",
    "TSRANGE",
    "TSTZMULTIRANGE",
    "TSTZRANGE",
    "TYPES",
    "UNKNOWN",
    "UUID",
    "VARBIT",
    "VARCHAR",
    "VECTOR",
    "VOID",
    "XID",
    "array_of",
    "by_name",
    "by_oid",
    "by_sql_name",
    "find_oid",
    "format_type",
    "make_typmod",
    "numeric_typmod",
    "of_definition",
]  # fmt: skip

_SCALARS = (
    BOOL, BYTEA, CHAR, NAME, INT8, INT2, INT2VECTOR, INT4, REGPROC, TEXT, OID, TID, XID, CID,
    OIDVECTOR, JSON, PG_NODE_TREE, FLOAT4, FLOAT8, UNKNOWN, ACLITEM, BPCHAR, VARCHAR, DATE, TIME,
    TIMESTAMP, TIMESTAMPTZ, INTERVAL, NUMERIC, REGPROCEDURE, REGOPER, REGOPERATOR, REGCLASS,
    REGTYPE, REGROLE, REGNAMESPACE, UUID, JSONB, JSONPATH, INET, CIDR, MACADDR, MACADDR8, VECTOR,
    MONEY, TIMETZ, BIT, VARBIT, PG_LSN,
    INT4RANGE, NUMRANGE, TSRANGE, TSTZRANGE, DATERANGE, INT8RANGE, INT4MULTIRANGE, NUMMULTIRANGE,
    TSMULTIRANGE, TSTZMULTIRANGE, DATEMULTIRANGE, INT8MULTIRANGE,
    RECORD, CSTRING, VOID, TRIGGER, INTERNAL, LANGUAGE_HANDLER, EVENT_TRIGGER, ANY, ANYELEMENT,
    ANYARRAY, ANYNONARRAY, ANYENUM, ANYRANGE, ANYMULTIRANGE, ANYCOMPATIBLE, ANYCOMPATIBLEARRAY,
    ANYCOMPATIBLENONARRAY, ANYCOMPATIBLERANGE, ANYCOMPATIBLEMULTIRANGE,
)  # fmt: skip

_ARRAYS = {scalar: array_type(scalar) for scalar in _SCALARS if scalar.array_oid}

TYPES: tuple[PgType, ...] = (*_SCALARS, *_ARRAYS.values())
"""Every type, scalars before arrays."""

_BY_OID = {type_.oid: type_ for type_ in TYPES}
_BY_NAME = {type_.name: type_ for type_ in TYPES}
# A bare `char` is char(1), not the one-byte type, whose SQL name has quotes.
_BY_SQL_NAME = {name: type_ for name, type_ in _BY_NAME.items() if type_ is not CHAR}
_BY_SQL_NAME |= {type_.sql_name: type_ for type_ in TYPES}
_BY_SQL_NAME |= {alias: type_ for type_ in TYPES for alias in type_.aliases}
_BY_SQL_NAME |= {"int": INT4, "tinyint": INT2}


def by_oid(oid: int) -> PgType:
    """Return the type with that OID.

    Raises:
        UndefinedObjectError: 42704, there is none.
    """
    try:
        return _BY_OID[oid]
    except KeyError:
        raise UndefinedObjectError(f"type with OID {oid} does not exist") from None


def find_oid(oid: int) -> PgType | None:
    """Return the type with that OID, None if there is none."""
    return _BY_OID.get(oid)


def by_name(name: str) -> PgType | None:
    """Return the type with that pg_type.typname (`int4`, `_int4`), None if there is none."""
    return _BY_NAME.get(name)


def by_sql_name(name: str, *, kalam: bool = False) -> PgType | None:
    """Return the type that SQL calls `name` (folded to lower case, single spaces), None if none.

    Knows standard names (`double precision`), PostgreSQL's (`float8`), KalamDB's (`string`) and a
    suffix `[]` on any of them. FLOAT is double precision in PostgreSQL's statements, real in KalamDB's
    own (`kalam`).
    """
    if name.endswith("]"):
        bracket = name.index("[")
        element = by_sql_name(name[:bracket].rstrip(), kalam=kalam)
        return None if element is None else _ARRAYS.get(element)
    if kalam and name == "float":
        return FLOAT4
    return _BY_SQL_NAME.get(name)


def array_of(element: PgType) -> PgType | None:
    """Return the type of arrays of `element`; None for an array or pseudo-type without one."""
    found = _ARRAYS.get(element)
    if found is None and element.definition is not None and element.array_oid:
        return _array_of_defined(element)
    return found


_DEFINED_MAX = 65_536
"""Definitions of types, old ones too, of which a process has the type; each takes some kB."""


@lru_cache(_DEFINED_MAX)
def of_definition(definition: Definition) -> PgType:
    """Return the type that was defined so."""
    return definition.make()


@lru_cache(_DEFINED_MAX)
def _array_of_defined(element: PgType) -> PgType:
    return array_type(element)


def _pickled(type_: PgType) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    if type_.definition is not None:
        return of_definition, (type_.definition,)
    if type_.element is not None and type_.element.definition is not None:
        return array_of, (type_.element,)
    return by_oid, (type_.oid,)


copyreg.pickle(PgType, _pickled)
