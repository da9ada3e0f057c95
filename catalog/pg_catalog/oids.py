"""OIDs of what users make: their ids (`catalog.ids`) for namespaces, tables, views and constraints, a
number of its own for a role (`User.oid`); for the rest computed from ids.

OIDs are unsigned 32-bit numbers, unique within one catalogue. PostgreSQL gives 16384 and up to what
users make (access/transam.h, FirstNormalObjectId).
"""

FIRST_NORMAL = 16384
OID_MAX = (1 << 32) - 1

PG_CATALOG = 11
PUBLIC = 2200
INFORMATION_SCHEMA = 13183
SYSTEM = 13182
ROOT = 10
DATABASE = 5
DATABASE_NAME = "kalam"
DEFAULT_TABLESPACE = 1663
GLOBAL_TABLESPACE = 1664
HEAP = 2
USER_TABLES, STREAM_TABLES = 13501, 13502
"""Access methods of tables that are not SHARED."""
BTREE = 403
INDEX_METHODS = {"btree": BTREE, "hash": 405, "brin": 3580}

_FIXED_NAMESPACES = {
    "pg_catalog": PG_CATALOG,
    "information_schema": INFORMATION_SCHEMA,
    "public": PUBLIC,
    "system": SYSTEM,
}


def table_oid(table_id: int) -> int:
    """pg_class.oid of a table or view; RowDescription names tables by it."""
    return _normal(table_id)


def namespace_oid(name: str, namespace_id: int) -> int:
    """pg_namespace.oid."""
    return _FIXED_NAMESPACES.get(name) or _normal(namespace_id)


def _normal(number: int) -> int:
    return (number if number >= FIRST_NORMAL else FIRST_NORMAL + number) & OID_MAX


def constraint_oid(table_id: int, constraint_id: int) -> int:
    """pg_constraint.oid, and pg_class.oid of the index behind a key."""
    if constraint_id >= FIRST_NORMAL:
        return constraint_id & OID_MAX
    return 0x80000000 | ((table_id * 256 + constraint_id) & 0x7FFFFFFF)


def row_type_oid(table_id: int) -> int:
    """pg_type.oid of the type of a table's or view's rows."""
    return 0xE0000000 | (_normal(table_id) * 2 & 0x1FFFFFFF)


def row_array_oid(table_id: int) -> int:
    """pg_type.oid of the type of arrays of its rows."""
    return row_type_oid(table_id) + 1


def of_row_type(oid: int) -> tuple[int, ...]:
    """One of these is the id of the relation that a row type, or its arrays, is of; () for other types."""
    if oid & 0xE0000000 != 0xE0000000:
        return ()
    number = (oid & 0x1FFFFFFF) >> 1
    return number, number - FIRST_NORMAL


def default_oid(table_id: int, column_id: int) -> int:
    """pg_attrdef.oid."""
    return 0x40000000 | ((table_id * 2048 + column_id) & 0x3FFFFFFF)


def name_oid(base: int, index: int) -> int:
    """OID of the n-th of our own fixed objects of a kind (operator classes, system relations)."""
    return base + index
