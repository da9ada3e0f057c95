"""The type table: one `PgType` per PostgreSQL type, found by OID, by pg_type name or by SQL name.

A *stored value* (`storage.layout.Value`) is the one in-memory form of a type's values everywhere:
in rows, closures, parameters and constants. Forms:

    boolean                    bool
    smallint, integer, bigint, oid   int
    real, double precision     float (real rounded to 32 bits)
    numeric                    str, canonical: sign, digits, display scale kept ("1.50"), or
                               "NaN", "Infinity", "-Infinity"
    text, varchar, char, name, json, jsonb, unknown   str (jsonb in PostgreSQL's own output form)
    bytea                      bytes
    date                       int, days since 1970-01-01; +-infinity = the int32 extremes
    time                       int, microseconds since midnight
    timestamp, timestamptz     int, microseconds since 1970-01-01 (timestamptz: UTC);
                               +-infinity = the int64 extremes
    interval                   bytes, 16: int32 months, int32 days, int64 microseconds, big-endian
    uuid                       bytes, 16
    array of T                 tuple of T's values or None, nested once per further dimension
    vector(n)                  tuple of n floats
    range, multirange          bytes (`catalog.types.ranges`, `catalog.types.multiranges`)
    enum                       int, the label's position (`catalog.types.enum`)
    composite                  bytes of its fields (`catalog.types.composite`)
    bit, bit varying           str of zeros and ones
    money                      int, hundredths
    pg_lsn                     bytes, 8, that sort
    time with time zone        bytes, 12, that sort (`catalog.types.timetz`)
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Protocol

import pyarrow as pa

from catalog.types.definitions import Definition
from storage.layout import Value


class ObjectNames(Protocol):
    """Who can turn the names of catalogue objects into OIDs and back, for regclass and its like.

    `kind` is the type's name: regclass, regtype, regproc, regprocedure, regnamespace, regrole …
    """

    def object_oid(self, kind: str, name: str) -> int | None:
        """Return the OID of the object as written (qualified and quoted or not), None if unknown."""

    def object_name(self, kind: str, oid: int) -> str | None:
        """Return the name as PostgreSQL prints it (qualified and quoted where needed)."""


@dataclass(frozen=True, slots=True)
class TypeContext:
    """The session settings that text input and output depend on.

    now_us: the transaction's timestamp, for inputs such as 'now' and 'yesterday'.
    objects: names of catalogue objects; without it regclass and its like know numbers only. It does
        not cross to a worker: send `replace(context, objects=None)`.
    """

    timezone: tzinfo = UTC
    timezone_name: str = "UTC"
    date_order: str = "MDY"
    date_style: str = "ISO"
    interval_style: str = "postgres"
    extra_float_digits: int = 1
    bytea_output: str = "hex"
    now_us: int = 0
    objects: ObjectNames | None = field(default=None, compare=False)


DEFAULT_CONTEXT = TypeContext()

Storable = Callable[[Value], None]
"""A check of one value, not None, that a column is to hold; raises what is wrong with it."""


def holds_all(_typmod: int) -> Storable | None:
    """Of most types a column holds every value."""
    return None


@dataclass(frozen=True, slots=True, eq=False)
class PgType:
    """One PostgreSQL type. Compared by identity: each exists once.

    definition: of a type that somebody has defined (`types.definitions`), None of PostgreSQL's own.
    name: pg_type.typname; of a type that somebody defined with its schema, so that no two have one.
    input: text to stored value, typmod applied as a *column assignment or explicit cast from an
        unknown literal* would (varchar(3) of too long a text: 22001). Raises 22P02, 22003, 22007,
        22008 in PostgreSQL's words.
    output: stored value (not None) to text.
    receive, send: the binary format of one value, without its length word. receive raises 22P03.
    arrow: typmod to Arrow type. key_kind: see `storage.layout.Column.kind`.
    storable: typmod to a check of what a column holds, None if it holds every value of the type.
        Arrow and Parquet have fewer values than PostgreSQL, and what a row in the log has must go
        into a segment later. The check raises 0A000, 22000 or 22003. This is the one place for it.
    names_objects: text is a name that the context's `objects` know: regclass, its like, their arrays.
    """

    oid: int
    name: str
    sql_name: str
    length: int
    category: str
    preferred: bool
    array_oid: int
    key_kind: str
    arrow: Callable[[int], pa.DataType]
    input: Callable[[str, int, TypeContext], Value]
    output: Callable[[Value, TypeContext], str]
    receive: Callable[[bytes, int], Value]
    send: Callable[[Value], bytes]
    storable: Callable[[int], Storable | None] = holds_all
    element: "PgType | None" = None
    collatable: bool = False
    pseudo: bool = False
    is_vector: bool = False
    names_objects: bool = False
    definition: Definition | None = None
    aliases: tuple[str, ...] = field(default=())

    def __repr__(self) -> str:
        return f"<type {self.name}>"
