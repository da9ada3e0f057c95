"""Keys sort as SQL sorts their values, and are equal exactly when SQL finds the values equal."""

import struct
from decimal import Decimal
from math import isnan

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from storage.errors import DataCorruptedError, KeyTooLongError
from storage.ids import TabletId
from storage.keycodes import trimmed
from storage.keys import (
    KINDS,
    decode_key,
    encode_key,
    encode_sort_key,
    index_key,
    key_maker,
    log_key,
    meta_key,
    split_index_key,
    split_log_key,
    successor,
    system_key,
    tablet_ranges,
    user_ranges,
)

INTERVAL = struct.Struct(">iiq")
INT32 = st.integers(-(2**31), 2**31 - 1)
INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=8)


def numeric(value):
    return f"{value:f}"


def ended(parts):
    """A value of `parts[0]`, ended by what does not count."""
    return parts[0] + parts[1] + len(parts[1]).to_bytes(4)


VALUES = {
    "bool": st.booleans(),
    "int": INT64,
    "float": st.floats(),
    "numeric": st.one_of(
        st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-50, max_value=50),
        st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30),
    ).map(numeric)
    | st.sampled_from(["NaN", "Infinity", "-Infinity", "0", "0.00", "-0.0", "1.0", "1.00"]),
    "text": TEXT,
    "bytes": st.binary(max_size=6) | st.lists(st.sampled_from([0, 1, 255]), max_size=5).map(bytes),
    "trimmed": st.tuples(st.binary(max_size=4), st.binary(max_size=3)).map(ended),
    "uuid": st.binary(min_size=16, max_size=16),
    "interval": st.tuples(INT32, INT32, INT64).map(lambda parts: INTERVAL.pack(*parts))
    | st.tuples(st.integers(-2, 2), st.integers(-60, 60), st.just(0)).map(
        lambda parts: INTERVAL.pack(*parts)
    ),
}


def rank(kind, value):
    """What PostgreSQL compares: equal ranks are equal values."""
    if value is None:
        return (1,)
    if kind == "float":
        return (0, isnan(value), 0.0 if isnan(value) else value)
    if kind == "numeric":
        if value in {"NaN", "Infinity", "-Infinity"}:
            return (0, {"-Infinity": 0, "Infinity": 2, "NaN": 3}[value], Decimal(0))
        return (0, 1, Decimal(value))
    if kind == "text":
        return (0, value.encode())
    if kind == "trimmed":
        return (0, trimmed(value))
    if kind == "interval":
        months, days, us = INTERVAL.unpack(value)
        return (0, (months * 30 + days) * 86_400_000_000 + us)
    return (0, value)


@st.composite
def two_keys(draw):
    kinds = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=3))
    one = [draw(st.none() | VALUES[kind]) for kind in kinds]
    # Often a key that begins alike: that is where an encoding goes wrong.
    other = [
        value if draw(st.booleans()) else draw(st.none() | VALUES[kind])
        for kind, value in zip(kinds, one, strict=True)
    ]
    return kinds, one, other


@given(two_keys())
def test_keys_sort_and_equal_as_the_values_do(case):
    kinds, one, other = case
    left, right = encode_key(one, kinds), encode_key(other, kinds)
    ranks = [
        tuple(rank(kind, value) for kind, value in zip(kinds, values, strict=True))
        for values in (one, other)
    ]
    assert (left < right) == (ranks[0] < ranks[1])
    assert (left == right) == (ranks[0] == ranks[1])


@given(two_keys())
def test_a_rows_key_is_that_of_its_columns(case):
    kinds, values, other = case
    at = range(len(kinds), 2 * len(kinds))
    assert key_maker(at, kinds)([*other, *values]) == encode_key(values, kinds)


@given(two_keys())
def test_no_key_is_the_beginning_of_another(case):
    kinds, one, other = case
    left, right = encode_key(one, kinds), encode_key(other, kinds)
    assert left == right or not right.startswith(left)


@given(two_keys())
@example((["interval"], [INTERVAL.pack(2**31 - 1, 2**31 - 1, 2**63 - 1)], [None]))
@example((["interval"], [INTERVAL.pack(-(2**31), -(2**31), -(2**63))], [None]))
def test_a_decoded_key_is_equal_to_its_values(case):
    kinds, values, _ = case
    key = encode_key(values, kinds)
    decoded = decode_key(key, kinds)
    assert encode_key(decoded, kinds) == key
    for kind, before, after in zip(kinds, values, decoded, strict=True):
        assert rank(kind, after) == rank(kind, before)
        assert type(after) is type(before)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("float", 0.0, -0.0),
        ("float", float("nan"), struct.unpack(">d", b"\xff\xf8" + bytes(5) + b"\x01")[0]),
        ("numeric", "1.0", "1.00"),
        ("numeric", "-0.0", "0"),
        ("numeric", "100", "100.000"),
        ("trimmed", ended((b"a", b"bc")), ended((b"a", b""))),
        ("interval", INTERVAL.pack(1, 0, 0), INTERVAL.pack(0, 30, 0)),
        ("interval", INTERVAL.pack(0, 1, 0), INTERVAL.pack(0, 0, 86_400_000_000)),
    ],
)
def test_values_that_sql_finds_equal_have_one_key(kind, one, other):
    assert encode_key((one,), (kind,)) == encode_key((other,), (kind,))


@given(st.binary(max_size=20), st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=2))
def test_garbage_is_corruption_and_nothing_else(data, kinds):
    try:
        decode_key(data, kinds)
    except DataCorruptedError:
        return


def test_a_key_of_2700_bytes_is_one_and_a_longer_one_is_refused():
    longest = "x" * (2700 - 2)  # One byte says it is there, one ends it.
    assert len(encode_key((longest,), ("text",))) == 2700
    with pytest.raises(KeyTooLongError):
        encode_key((longest + "x",), ("text",))
    assert len(encode_sort_key((longest + "x",), ("text",))) == 2701


def test_a_zero_character_in_text_is_a_bug_above():
    with pytest.raises(ValueError, match="zero character"):
        encode_key(("a\0b",), ("text",))


TABLETS = st.builds(TabletId, st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1))


@given(TABLETS, st.integers(0, 2**63), st.integers(0, 2**32 - 1), st.binary(max_size=8))
def test_the_stores_keys_say_whose_they_are(tablet, seq, n, key):
    assert split_log_key(log_key(tablet, seq, n)) == (tablet, seq, n)
    assert split_index_key(index_key(tablet, key)) == (tablet, key)


@given(TABLETS, TABLETS, st.integers(0, 2**62), st.binary(max_size=8))
def test_one_person_is_one_range_of_each_part(tablet, other, seq, key):
    keys = [log_key(tablet, seq, 0), index_key(tablet, key), meta_key(tablet, "x")]
    for ranges, same in (
        (user_ranges(other.user), tablet.user == other.user),
        (tablet_ranges(other), tablet == other),
    ):
        for one in keys:
            assert any(start <= one < stop for start, stop in ranges) == same


@given(TABLETS, st.lists(st.tuples(st.integers(0, 2**63), st.integers(0, 9)), max_size=9))
def test_log_keys_sort_by_commit_and_place(tablet, places):
    keys = [log_key(tablet, seq, n) for seq, n in places]
    assert sorted(keys) == [log_key(tablet, seq, n) for seq, n in sorted(places)]


PARTS = st.lists(st.text(max_size=4) | st.binary(max_size=4) | INT64, max_size=3)


@given(PARTS, PARTS)
def test_system_keys_are_as_distinct_as_their_parts(one, other):
    tagged = [[(type(part), part) for part in parts] for parts in (one, other)]
    assert (system_key(*one) == system_key(*other)) == (tagged[0] == tagged[1])
    begins = tagged[1][: len(tagged[0])] == tagged[0]
    assert system_key(*other).startswith(system_key(*one)) == begins


@given(st.lists(INT64, min_size=2, max_size=5))
def test_system_keys_sort_their_ints(numbers):
    keys = [system_key("x", number) for number in numbers]
    assert sorted(keys) == [system_key("x", number) for number in sorted(numbers)]


@given(st.binary(min_size=1, max_size=5).filter(lambda b: b.strip(b"\xff")), st.binary(max_size=5))
def test_a_successor_ends_the_range_of_a_prefix(prefix, other):
    inside = prefix <= other < successor(prefix)
    assert inside == other.startswith(prefix)
