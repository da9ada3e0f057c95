"""The six comparison operators for every orderable type, and how one value compares with another."""

import operator as py
from collections.abc import Callable, Sequence
from functools import lru_cache

from catalog.errors import DatatypeMismatchError, UndefinedFunctionError
from catalog.types.composite import composite_of, unpack
from catalog.types.multiranges import MULTIRANGES
from catalog.types.ranges import FAMILIES
from catalog.types.records import Record, record_of
from catalog.types.registry import (
    ANYARRAY,
    ANYENUM,
    BIT,
    BOOL,
    BPCHAR,
    BYTEA,
    CHAR,
    DATE,
    FLOAT4,
    FLOAT8,
    INET,
    INT2,
    INT4,
    INT8,
    INTERVAL,
    JSON,
    JSONB,
    JSONPATH,
    MACADDR,
    MACADDR8,
    MONEY,
    NAME,
    NUMERIC,
    NUMMULTIRANGE,
    NUMRANGE,
    OID,
    PG_LSN,
    RECORD,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    TIMETZ,
    UNKNOWN,
    UUID,
    VARBIT,
    XID,
)
from catalog.types.table import PgType
from kalam_pg.functions import decimals, jsonvalues, numeric_columns
from kalam_pg.functions.clock import date_to_timestamp, local_to_utc, span_us
from kalam_pg.functions.define import Datum, operator
from kalam_pg.functions.dimensions import array_shape, flatten, lower_bounds
from kalam_pg.functions.table import EvalContext, Overload, Volatility

Compare = Callable[[Datum, Datum], int]

SYMBOLS: tuple[tuple[str, Callable[[Datum, Datum], bool]], ...] = (
    ("=", py.eq), ("<>", py.ne), ("<", py.lt), (">", py.gt), ("<=", py.le), (">=", py.ge),
)  # fmt: skip


def three_way(a: Datum, b: Datum) -> int:
    """Compare two values whose Python order is SQL's."""
    return int(a > b) - int(a < b)


def compare_floats(a: float, b: float) -> int:
    """NaN equals itself and is above everything."""
    if a == b:
        return 0
    if a < b:
        return -1
    if a > b:
        return 1
    return int(a != a) - int(b != b)  # noqa: PLR0124


def compare_intervals(a: bytes, b: bytes) -> int:
    """By length, a month being 30 days and a day 24 hours."""
    return three_way(span_us(a), span_us(b))


def compare_padded(a: str, b: str) -> int:
    """char(n): trailing blanks do not count."""
    return three_way(a.rstrip(" "), b.rstrip(" "))


def compare_numeric_ranges(a: bytes, b: bytes) -> int:
    """The digits that are shown and are zero do not count."""
    family = FAMILIES[NUMRANGE]
    return three_way(family.comparable(a), family.comparable(b))


def comparer(pg_type: PgType) -> Compare:
    """How stored values of a type (arrays too) compare; NULLs inside arrays are equal and last."""
    if pg_type.element is not None:
        return _array_comparer(comparer(pg_type.element))
    if composite_of(pg_type) is not None:
        return composite_comparer(pg_type)
    if pg_type.key_kind == "trimmed":
        return compare_numeric_ranges
    return _COMPARERS.get(pg_type.oid, three_way)


_UNORDERED = frozenset({UNKNOWN, JSON, JSONPATH})


def compare_rows(a: Record, b: Record, what: str = "a comparison function") -> int:
    """Field by field; a NULL equals another and is above everything.

    Raises:
        DatatypeMismatchError: 42804, fields of other types, or another number of them.
        UndefinedFunctionError: 42883, a field's values do not compare (json).
    """
    both = zip(a, b, a.shape.types, b.shape.types, strict=False)
    for number, (x, y, kind, other) in enumerate(both, 1):
        if kind is not other:
            raise DatatypeMismatchError(
                f"cannot compare dissimilar column types {kind.sql_name} and {other.sql_name} "
                f"at record column {number}"
            )
        order = _compare_fields(x, y, kind, what)
        if order:
            return order
    if len(a) != len(b):
        raise DatatypeMismatchError("cannot compare record types with different numbers of columns")
    return 0


def comparable(pg_type: PgType) -> bool:
    """Whether values of a type compare: of a composite one, and of arrays, what they are made of."""
    if pg_type.element is not None:
        return comparable(pg_type.element)
    definition = composite_of(pg_type)
    if definition is None:
        return pg_type not in _UNORDERED
    return all(comparable(attribute.type) for attribute in definition.attributes)


def _compare_fields(x: Datum, y: Datum, kind: PgType, what: str) -> int:
    if kind in _UNORDERED:
        raise UndefinedFunctionError(f"could not identify {what} for type {kind.sql_name}")
    if x is None or y is None:
        return int(x is None) - int(y is None)
    return comparer(kind)(x, y)


@lru_cache(4096)
def composite_comparer(pg_type: PgType, what: str = "a comparison function") -> Compare:
    """How values of a composite type compare: see `compare_rows`."""
    definition = composite_of(pg_type)
    assert definition is not None
    kinds = definition.shape.types

    def compare(a: bytes, b: bytes) -> int:
        both = zip(kinds, unpack(definition, a), unpack(definition, b), strict=True)
        orders = (_compare_fields(x, y, kind, what) for kind, x, y in both)
        return next(filter(None, orders), 0)

    return compare


def _compare_records(a: Datum, b: Datum) -> int:
    return compare_rows(record_of(a), record_of(b))


_COMPARERS: dict[int, Compare] = {
    FLOAT4.oid: compare_floats,
    FLOAT8.oid: compare_floats,
    NUMERIC.oid: decimals.compare,
    INTERVAL.oid: compare_intervals,
    BPCHAR.oid: compare_padded,
    JSONB.oid: jsonvalues.compare,
    NUMRANGE.oid: compare_numeric_ranges,
    NUMMULTIRANGE.oid: compare_numeric_ranges,
    RECORD.oid: _compare_records,
}


def _array_comparer(element: Compare) -> Compare:
    """By the elements, in order; then by how many there are, by the dimensions, by their lengths,
    by where they begin.
    """

    def compare(a: Sequence[Datum], b: Sequence[Datum]) -> int:
        elements, others = flatten(a), flatten(b)
        for x, y in zip(elements, others, strict=False):
            missing = x is None or y is None
            order = int(x is None) - int(y is None) if missing else element(x, y)
            if order:
                return order
        order = three_way(len(elements), len(others))
        if order or (elements is a and others is b):
            return order
        shape, other = array_shape(a), array_shape(b)
        bounds, others = lower_bounds(a), lower_bounds(b)
        return three_way((len(shape), shape, bounds), (len(other), other, others))

    return compare


# ---------------------------------------------------------------------------- the operators


def _family(left: PgType, right: PgType, *, native: bool) -> list[Overload]:
    """Types whose Python comparison is SQL's."""
    return [
        operator(
            symbol, (left, right), BOOL, row, native=f"({{0}} {symbol} {{1}})" if native else None
        )
        for symbol, row in SYMBOLS
    ]


def _by_compare(pg_type: PgType, compare: Compare) -> list[Overload]:
    def make(test: Callable[[Datum, Datum], bool]) -> Callable[[Datum, Datum], bool]:
        return lambda a, b: test(compare(a, b), 0)

    by_column = pg_type is NUMERIC
    return [
        operator(
            symbol,
            (pg_type, pg_type),
            BOOL,
            make(test),
            arrow=numeric_columns.comparison(_KERNELS[symbol]) if by_column else None,
        )
        for symbol, test in SYMBOLS
    ]


_KERNELS = {
    "=": "equal", "<>": "not_equal", "<": "less", ">": "greater", "<=": "less_equal",
    ">=": "greater_equal",
}  # fmt: skip
"""What Arrow calls them."""


def _floats() -> list[Overload]:
    def make(test: Callable[[int, int], bool]) -> Callable[[float, float], bool]:
        return lambda a, b: test(compare_floats(a, b), 0)

    return [
        operator(symbol, (a, b), BOOL, make(test))
        for a in (FLOAT4, FLOAT8)
        for b in (FLOAT4, FLOAT8)
        for symbol, test in SYMBOLS
    ]


def _arrays() -> list[Overload]:
    def make(test: Callable[[Datum, Datum], bool]) -> Callable[..., bool]:
        return lambda types, a, b: test(comparer(types[0])(a, b), 0)

    return [
        operator(symbol, (ANYARRAY, ANYARRAY), BOOL, make(test), needs_types=True)
        for symbol, test in SYMBOLS
    ]


def _dates(left: PgType, right: PgType) -> list[Overload]:
    """Date against timestamp."""

    def make(test: Callable[[Datum, Datum], bool]) -> Callable[[int, int], bool]:
        if left is DATE:
            return lambda a, b: test(date_to_timestamp(a, clamp=True), b)
        return lambda a, b: test(a, date_to_timestamp(b, clamp=True))

    return [operator(symbol, (left, right), BOOL, make(test)) for symbol, test in SYMBOLS]


def _zoned(left: PgType, right: PgType) -> list[Overload]:
    """Date or timestamp against timestamptz: the local one is read in the session's time zone."""

    def utc(pg_type: PgType, value: int, context: EvalContext) -> int:
        if pg_type is TIMESTAMPTZ:
            return value
        if pg_type is DATE:
            value = date_to_timestamp(value, clamp=True)
        return local_to_utc(value, context.types.timezone, clamp=True)

    def make(test: Callable[[Datum, Datum], bool]) -> Callable[[EvalContext, int, int], bool]:
        return lambda c, a, b: test(utc(left, a, c), utc(right, b, c))

    return [
        operator(
            symbol, (left, right), BOOL, make(test),
            needs_context=True, volatility=Volatility.STABLE,
        )
        for symbol, test in SYMBOLS
    ]  # fmt: skip


_INTEGERS = (INT2, INT4, INT8)
_PLAIN = (
    BOOL, OID, TEXT, NAME, CHAR, BYTEA, DATE, TIME, TIMESTAMP, TIMESTAMPTZ, UUID, INET, MACADDR,
    MACADDR8, TIMETZ, BIT, VARBIT, MONEY, PG_LSN,
    *(t for t in (*MULTIRANGES, *MULTIRANGES.values()) if t.key_kind == "bytes"),
)  # fmt: skip

OVERLOADS: tuple[Overload, ...] = (
    *(o for a in _INTEGERS for b in _INTEGERS for o in _family(a, b, native=True)),
    *(o for t in _PLAIN for o in _family(t, t, native=True)),
    # Transactions have no order: what has begun is not what ends first.
    *(o for o in _family(XID, XID, native=True) if o.name in {"=", "<>"}),
    operator("=", (XID, INT4), BOOL, lambda a, b: a == b % 2**32),
    operator("<>", (XID, INT4), BOOL, lambda a, b: a != b % 2**32),
    *_family(ANYENUM, ANYENUM, native=True),
    *_family(NAME, TEXT, native=True),
    *_family(TEXT, NAME, native=True),
    *(
        o
        for t in (NUMERIC, INTERVAL, BPCHAR, JSONB, NUMRANGE, NUMMULTIRANGE)
        for o in _by_compare(t, comparer(t))
    ),
    *_floats(),
    *_arrays(),
    *_dates(DATE, TIMESTAMP),
    *_dates(TIMESTAMP, DATE),
    *(
        o
        for a, b in (
            (DATE, TIMESTAMPTZ), (TIMESTAMPTZ, DATE),
            (TIMESTAMP, TIMESTAMPTZ), (TIMESTAMPTZ, TIMESTAMP),
        )
        for o in _zoned(a, b)
    ),
)  # fmt: skip
