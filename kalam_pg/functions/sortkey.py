"""Order-preserving bytes for values whose Arrow order or equality is not SQL's.

Equal values have equal keys; keys sort bytewise as their values do. NULL has none.
"""

import struct
from collections.abc import Callable, Sequence
from decimal import Decimal

from catalog.errors import DatatypeMismatchError, UndefinedFunctionError
from catalog.types import registry as types
from catalog.types.composite import composite_of, unpack
from catalog.types.multiranges import MULTIRANGES
from catalog.types.records import record_of
from catalog.types.table import PgType
from catalog.types.user_ranges import defined_range
from kalam_pg.functions import jsonvalues
from kalam_pg.functions.define import Datum
from kalam_pg.functions.dimensions import array_shape, flatten, lower_bounds
from storage.keys import encode_sort_key

_ALREADY_ORDERED = frozenset(
    t.oid
    for t in (
        types.BOOL, types.INT2, types.INT4, types.INT8, types.OID, types.TEXT, types.VARCHAR,
        types.NAME, types.CHAR, types.BYTEA, types.DATE, types.TIME, types.TIMESTAMP,
        types.TIMESTAMPTZ, types.UUID, types.REGCLASS, types.REGTYPE, types.REGPROC,
        types.REGNAMESPACE, types.REGROLE, types.FLOAT4, types.FLOAT8, types.XID, types.UNKNOWN,
        types.INET, types.CIDR, types.MACADDR, types.MACADDR8, types.TIMETZ, types.MONEY,
        types.BIT, types.VARBIT, types.PG_LSN,
        *(t for t in (*MULTIRANGES, *MULTIRANGES.values()) if t.key_kind == "bytes"),
    )
)  # fmt: skip


def ordered_in_arrow(pg_type: PgType) -> bool:
    """Whether the canonical Arrow form compares, sorts and groups as SQL does."""
    return pg_type.oid in _ALREADY_ORDERED or pg_type.category == "E" or _is_plain_range(pg_type)


def _is_plain_range(pg_type: PgType) -> bool:
    """Whether it is a range type that somebody made, whose bytes are all that is compared."""
    return defined_range(pg_type) is not None and pg_type.key_kind == "bytes"


def key_function(pg_type: PgType) -> Callable[[Datum], bytes]:
    """The function from a stored value (not None) to its key.

    Raises:
        UndefinedFunctionError: Values of this type do not compare (json).
    """
    if pg_type.is_vector:
        return lambda value: b"".join([encode_sort_key((x,), ("float",)) for x in value])
    if pg_type is types.RECORD:
        return _record_keys()
    if composite_of(pg_type) is not None:
        return _composite_key(pg_type)
    if pg_type.element is not None and pg_type.element is not types.VECTOR:
        return _array_key(key_function(pg_type.element))
    if pg_type is types.JSONB:
        return lambda value: _json_key(jsonvalues.parse(value), top=True)
    if pg_type is types.BPCHAR:
        return lambda value: encode_sort_key((value.rstrip(" "),), ("text",))
    if pg_type.key_kind == "none":
        raise UndefinedFunctionError(
            f"could not identify an ordering operator for type {pg_type.sql_name}"
        )
    kinds = (pg_type.key_kind,)
    return lambda value: encode_sort_key((value,), kinds)


def _record_keys() -> Callable[[Datum], bytes]:
    """Keys of rows that have fields of the same types; 42804 for one that has not."""
    fields: list[tuple[PgType, Callable[[Datum], bytes]]] = []
    met = False

    def key(value: Datum) -> bytes:
        nonlocal met
        row = record_of(value)
        if not met:
            fields[:] = [(kind, key_function(kind)) for kind in row.shape.types]
            met = True
        for number, (kind, (other, _)) in enumerate(zip(row.shape.types, fields, strict=False), 1):
            if kind is not other:
                raise DatatypeMismatchError(
                    f"cannot compare dissimilar column types {other.sql_name} and "
                    f"{kind.sql_name} at record column {number}"
                )
        if len(row) != len(fields):
            raise DatatypeMismatchError(
                "cannot compare record types with different numbers of columns"
            )
        return _joined(row.fields, [of for _, of in fields])

    return key


def _composite_key(pg_type: PgType) -> Callable[[Datum], bytes]:
    definition = composite_of(pg_type)
    assert definition is not None
    keys = [key_function(attribute.type) for attribute in definition.attributes]
    return lambda value: _joined(unpack(definition, value), keys)


def _joined(fields: Sequence[Datum], keys: Sequence[Callable[[Datum], bytes]]) -> bytes:
    """Fields of a row, with the key of each; NULL is above any."""
    return b"".join(
        [
            b"\x02" if field is None else b"\x01" + _delimited(key(field))
            for field, key in zip(fields, keys, strict=True)
        ]
    )


def _delimited(key: bytes) -> bytes:
    """The key so that it sorts the same with anything behind it."""
    return key.replace(b"\x00", b"\x00\xff") + b"\x00\x01"


def _array_key(element: Callable[[Datum], bytes]) -> Callable[[Datum], bytes]:
    # An element is 1 and its (self-delimiting) key; NULL is 2, above any; 0 ends the elements. Then
    # comes 1, or of several dimensions, or one that does not begin at 1, how many there are, how long they
    # are and where they begin, behind 2, or 0 for what is below the array that is alike and begins at 1.
    def key(value: Datum) -> bytes:
        elements = flatten(value)
        parts = [b"\x02" if item is None else b"\x01" + element(item) for item in elements]
        if elements is value:
            parts.append(b"\x00\x01")
            return b"".join(parts)
        shape, bounds = array_shape(value), lower_bounds(value)
        parts.append(b"\x00\x00" if len(shape) == 1 and bounds[0] < 1 else b"\x00\x02")
        told = (len(shape), *shape, *[bound + _SIGN for bound in bounds])
        parts += [_COUNT.pack(number) for number in told]
        return b"".join(parts)

    return key


_COUNT = struct.Struct(">I")
_SIGN = 2**31
"""What makes an integer one without a sign, in the same order."""


def _json_key(value: Datum, *, top: bool = False) -> bytes:
    """As `jsonvalues.compare` orders: kind, then number of members, then the members."""
    kind = jsonvalues.rank(value)
    if isinstance(value, list):
        if top and not value:
            return b"\x00"  # An empty top-level array is below everything.
        return bytes((kind + 1,)) + _COUNT.pack(len(value)) + b"".join(map(_json_key, value))
    if isinstance(value, dict):
        members = b"".join(
            _text_key(name) + _json_key(value[name])
            for name in sorted(value, key=jsonvalues.key_order)
        )
        return bytes((kind + 1,)) + _COUNT.pack(len(value)) + members
    if isinstance(value, bool):
        return bytes((kind + 1, value))
    if isinstance(value, int | Decimal):
        return bytes((kind + 1,)) + encode_sort_key((jsonvalues.number(value),), ("numeric",))
    return bytes((kind + 1,)) + (_text_key(value) if value is not None else b"")


def _text_key(text: str) -> bytes:
    return encode_sort_key((text,), ("text",))
