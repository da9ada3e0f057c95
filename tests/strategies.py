"""Shared hypothesis strategies: stored values of every type (`catalog.types.table` has the forms)."""

from dataclasses import replace
from functools import partial

from hypothesis import strategies as st

from catalog.types import registry
from catalog.types.calendar import (
    DATE_END,
    DATE_INFINITY,
    DATE_MIN,
    DATE_NEG_INFINITY,
    INFINITY,
    NEG_INFINITY,
    TIMESTAMP_END,
    TIMESTAMP_MIN,
    US_PER_DAY,
)
from catalog.types.interval import pack_interval
from catalog.types.json import dump
from catalog.types.network import Network, pack_network, unpack_network
from catalog.types.numeric import SPECIAL
from catalog.types.table import PgType
from catalog.types.timetz import pack_timetz
from storage.layout import Value

INT32 = st.integers(-(1 << 31), (1 << 31) - 1)
INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
UINT32 = st.integers(0, (1 << 32) - 1)

# What PostgreSQL's text holds: any character but NUL.
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20)

NUMERIC = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False, places=2).map(lambda d: f"{abs(d):f}"),
    st.integers(-(10**60), 10**60).map(str),
    st.builds(
        lambda sign, digits, zeros: f"{sign}0.{'0' * zeros}{digits}",
        st.sampled_from(["", "-"]),
        st.integers(1, 10**30),
        st.integers(0, 30),
    ),
    st.sampled_from([*sorted(SPECIAL), "0", "0.00", "10000", "1e0".replace("e0", "")]),
)

FLOAT8 = st.floats()
FLOAT4 = st.floats(width=32)
TIMESTAMP = st.one_of(
    st.integers(TIMESTAMP_MIN, TIMESTAMP_END - 1), st.sampled_from([INFINITY, NEG_INFINITY])
)
DATE = st.one_of(
    st.integers(DATE_MIN, DATE_END - 1), st.sampled_from([DATE_INFINITY, DATE_NEG_INFINITY])
)
TIME = st.integers(0, US_PER_DAY)
# Narrower than int32 and int64, whose extremes PostgreSQL's own text cannot read back.
INTERVAL = st.builds(
    pack_interval,
    st.integers(-(1 << 30), 1 << 30),
    st.integers(-(1 << 31) + 1, (1 << 31) - 1),
    st.integers(-(1 << 62), 1 << 62),
)
UUID = st.binary(min_size=16, max_size=16)

_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**20), 10**20), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=8,
)
JSON_TEXT = _JSON.map(dump)

VECTOR = st.lists(
    st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=4
).map(tuple)

NETWORK = st.one_of(
    st.builds(partial(Network, 1), st.integers(0, (1 << 32) - 1), st.integers(0, 32)),
    st.builds(partial(Network, 2), st.integers(0, (1 << 128) - 1), st.integers(0, 128)),
).map(pack_network)


def within(value: bytes) -> bytes:
    """Return the network that an address is in."""
    network = unpack_network(value)
    return pack_network(replace(network, address=network.address & network.mask))


SCALARS: dict[PgType, st.SearchStrategy[Value]] = {
    registry.BOOL: st.booleans(),
    registry.INT2: st.integers(-(1 << 15), (1 << 15) - 1),
    registry.INT4: INT32,
    registry.INT8: INT64,
    registry.OID: UINT32,
    registry.XID: UINT32,
    registry.CID: UINT32,
    registry.REGCLASS: UINT32,
    registry.FLOAT4: FLOAT4,
    registry.FLOAT8: FLOAT8,
    registry.NUMERIC: NUMERIC,
    registry.TEXT: TEXT,
    registry.VARCHAR: TEXT,
    registry.BPCHAR: TEXT,
    registry.NAME: st.text("abcé ", max_size=31),
    registry.CHAR: st.sampled_from("abc "),
    registry.BYTEA: st.binary(max_size=20),
    registry.DATE: DATE,
    registry.TIME: TIME,
    registry.TIMESTAMP: TIMESTAMP,
    registry.TIMESTAMPTZ: TIMESTAMP,
    registry.INTERVAL: INTERVAL,
    registry.UUID: UUID,
    registry.JSON: JSON_TEXT,
    registry.JSONB: JSON_TEXT,
    registry.TIMETZ: st.builds(pack_timetz, TIME, st.integers(-57599, 57599)),
    registry.MONEY: INT64,
    registry.BIT: st.text("01", max_size=40),
    registry.VARBIT: st.text("01", max_size=40),
    registry.INET: NETWORK,
    registry.CIDR: NETWORK.map(within),
    registry.MACADDR: st.binary(min_size=6, max_size=6),
    registry.MACADDR8: st.binary(min_size=8, max_size=8),
    registry.PG_LSN: st.binary(min_size=8, max_size=8),
    registry.JSONPATH: st.sampled_from(("$", 'strict $."a"[*]', '$?(@."b" > 1.5 && exists (@.*))')),
    registry.VECTOR: VECTOR,
    registry.TID: st.builds("({},{})".format, UINT32, st.integers(0, (1 << 16) - 1)),
}
"""Types that columns may have, and some of the catalogue's, to their values (never None)."""


def arrays(items: st.SearchStrategy[Value]) -> st.SearchStrategy[tuple[Value, ...]]:
    """Return arrays of one to three dimensions, NULLs among their elements, and the empty one."""
    element = st.one_of(st.none(), items)

    def of_sizes(sizes: list[int]) -> st.SearchStrategy[tuple[Value, ...]]:
        strategy: st.SearchStrategy = element
        for size in reversed(sizes):
            strategy = st.lists(strategy, min_size=size, max_size=size).map(tuple)
        return strategy

    sizes = st.lists(st.integers(1, 3), min_size=1, max_size=3)
    return st.one_of(st.just(()), sizes.flatmap(of_sizes))


def values_of(type_: PgType) -> st.SearchStrategy[Value]:
    """Return a type's values, never None."""
    if type_ in SCALARS:
        return SCALARS[type_]
    assert type_.element is not None
    if type_.element is registry.VECTOR:
        return st.lists(st.one_of(st.none(), VECTOR), max_size=3).map(tuple)
    return arrays(SCALARS[type_.element])
