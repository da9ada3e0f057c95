"""docs/reference/types.md, from the type table itself."""

from catalog.types.array import array_type
from catalog.types.registry import INT4, NUMERIC, TYPES, numeric_typmod
from catalog.types.table import PgType

_STORED = {
    "bool": "true or false",
    "bytea": "bytes",
    "date": "days since 1970-01-01 (32 bits); ±infinity are the extremes",
    "time": "microseconds since midnight",
    "timestamp": "microseconds since 1970-01-01 (64 bits); ±infinity are the extremes",
    "timestamptz": "the same, in UTC",
    "interval": "16 bytes: months, days, microseconds",
    "uuid": "16 bytes",
    "numeric": "canonical text, its display scale kept",
    "float4": "floating point, rounded to 32 bits",
    "float8": "floating point, 64 bits",
    "vector": "list of floating point numbers",
    "jsonb": "text, as PostgreSQL prints it",
}
_BY_KIND = {
    "int": "integer",
    "text": "text",
    "none": "text",
    "bytes": "bytes that sort as the values do",
    "trimmed": "bytes that sort as the values do, and shown digits",
}

_INTRODUCTION = """\
# Types

What a type is called, what its values are in the log (*stored*), and which Arrow type they have in
scans and in Parquet segments. Text and binary formats are PostgreSQL's. This page is generated from
`catalog/types/registry.py`.

`serial`, `bigserial` and `smallserial` are not types but columns of an integer type that are numbered from
a sequence of their own. `varchar(n)`, `char(n)`, `numeric(p, s)`, `time(p)`, `timestamp(p)`,
`interval(p)` and `vector(n)` take modifiers as in PostgreSQL (`vector` as in pgvector). `int` is
`integer`, and KalamDB's `tinyint` is `smallint`.
"""


def reference() -> str:
    """The page."""
    scalars = [t for t in TYPES if t.element is None or t.is_vector]
    columns = [t for t in scalars if not t.pseudo and not _internal(t)]
    internal = [t for t in scalars if not t.pseudo and _internal(t)]
    pseudo = [t for t in scalars if t.pseudo]
    lines = [
        _INTRODUCTION,
        "## Types of columns",
        "",
        "| type | also called | OID | array's OID | stored | Arrow and Parquet | in a key |",
        "|---|---|---|---|---|---|---|",
        *[_row(t) for t in sorted(columns, key=lambda t: t.sql_name)],
        "",
        f"`numeric(p, s)` with p up to 38 is `{NUMERIC.arrow(numeric_typmod(10, 2))}` (for "
        "`numeric(10, 2)`); any other numeric is text in Arrow.",
        f"An array of any of these is a list: `integer[]` has OID {INT4.array_oid}, is stored as a "
        f"list and is `{array_type(INT4).arrow(-1)}` in Arrow. Arrays have up to six dimensions and "
        "any lower bounds: a file or batch that has an array of several dimensions, or that does not "
        "begin at 1, has the column as `struct<items, sizes, lower>` ([decision 0109]"
        "(../explanation/decisions/0109-shapes-lie-beside-their-lists.md)). Columns of arrays of "
        "`int2vector` or `oidvector` are `0A000`.",
        "What a segment cannot hold is refused when it is written: `NaN` and infinities in "
        "numeric(p ≤ 38, s), alone and in arrays (`0A000`); half of a surrogate pair (`22021`); a row "
        "of more than 1 GiB (`54000`).",
        "",
        "## Types of the catalogue",
        "",
        "| type | OID | array's OID |",
        "|---|---|---|",
        *[f"| `{t.sql_name}` | {t.oid} | {t.array_oid or ''} |" for t in internal],
        "",
        "## Pseudo-types",
        "",
        "They stand in signatures only: "
        + ", ".join(f"`{t.name}` ({t.oid})" for t in pseudo)
        + ".",
    ]
    return "\n".join(lines) + "\n"


def _internal(type_: PgType) -> bool:
    return type_.oid in _CATALOGUE or type_.names_objects


_CATALOGUE = frozenset((18, 19, 22, 26, 27, 28, 29, 30, 194, 705, 1033))
"""OIDs of what only pg_catalog and its functions use: "char", name, oid, tid, xid, cid …."""


def _row(type_: PgType) -> str:
    aliases = ", ".join(f"`{a}`" for a in type_.aliases)
    stored = _STORED.get(type_.name) or _BY_KIND[type_.key_kind]
    in_key = "no" if type_.key_kind == "none" else "yes"
    return (
        f"| `{type_.sql_name}` | {aliases} | {type_.oid} | {type_.array_oid} | {stored} "
        f"| `{type_.arrow(-1)}` | {in_key} |"
    )
