"""Rules of single types that the oracle's texts do not show."""

import datetime as dt
import random
from dataclasses import replace
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.adapt import PyFormat, Transformer

from catalog.errors import (
    CharacterNotInRepertoireError,
    DataExceptionError,
    DatatypeMismatchError,
    DatetimeFieldOverflowError,
    FeatureNotSupportedError,
    InvalidBinaryRepresentationError,
    NumericValueOutOfRangeError,
    UndefinedTableError,
)
from catalog.types.array import dimensions, flatten, nest
from catalog.types.bounded import BoundedArray, from_extension, to_extension
from catalog.types.calendar import date_of, day_of_week, days_of
from catalog.types.datetime import fit_timestamp
from catalog.types.json import Number, dump, load
from catalog.types.numeric import apply_typmod, from_decimal, numeric_typmod
from catalog.types.registry import (
    BOOL,
    BYTEA,
    DATE,
    FLOAT4,
    FLOAT8,
    INT2,
    INT4,
    INT8,
    INTERVAL,
    JSONB,
    NUMERIC,
    REGCLASS,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    VECTOR,
    array_of,
)
from catalog.types.table import DEFAULT_CONTEXT
from catalog.types.text import clip_name, decode_utf8, fit_bpchar, fit_varchar
from catalog.types.vector import vector_typmod
from catalog.types.zones import find_zone, local_offset, utc_offset
from tests.strategies import INT32
from tests.strategies import NUMERIC as NUMERICS

INT4_ARRAY = array_of(INT4)
assert INT4_ARRAY is not None
EPOCH = dt.date(1970, 1, 1).toordinal()


def year(number):
    return dt.datetime(number, 1, 1)  # noqa: DTZ001  # hypothesis adds the zone


@given(st.dates())
def test_the_calendar_is_pythons_where_python_has_one(day):
    days = day.toordinal() - EPOCH
    assert date_of(days) == (day.year, day.month, day.day)
    assert days_of(day.year, day.month, day.day) == days
    assert day_of_week(days) == day.isoweekday() % 7


@given(INT32)
def test_the_calendar_counts_every_day_once_before_and_after_python(days):
    assert days_of(*date_of(days)) == days


@given(
    st.datetimes(year(1900), year(2200)),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_a_zones_offset_is_zoneinfos(moment, name):
    zone = ZoneInfo(name)
    us = (moment - year(1970)) // dt.timedelta(microseconds=1)
    local = moment.replace(tzinfo=dt.UTC).astimezone(zone)
    assert utc_offset(zone, us) == local.utcoffset().total_seconds()


def test_a_skipped_time_counts_before_the_change_and_a_double_one_after_it():
    zone = ZoneInfo("America/New_York")
    skipped = TIMESTAMP.input("2024-03-10 02:30", -1, DEFAULT_CONTEXT)
    double = TIMESTAMP.input("2024-11-03 01:30", -1, DEFAULT_CONTEXT)
    assert (local_offset(zone, skipped), local_offset(zone, double)) == (-5 * 3600, -5 * 3600)


def test_zones_are_found_in_any_case_and_by_posix_names_and_not_by_paths():
    assert find_zone("europe/BERLIN")[1] == "Europe/Berlin"
    assert find_zone("UTC+3")[0].utcoffset(None) == dt.timedelta(hours=-3)
    assert find_zone("../../etc/passwd") is find_zone("Europe") is find_zone("") is None


def test_words_for_now_are_the_transactions_time_in_the_sessions_zone():
    # 2024-01-01 03:00 UTC is still the old year in New York.
    context = replace(
        DEFAULT_CONTEXT,
        now_us=1_704_078_000_000_000,
        timezone=ZoneInfo("America/New_York"),
    )

    def read(type_, text):
        return type_.output(type_.input(text, -1, context), context)

    assert read(TIMESTAMPTZ, "now") == "2023-12-31 22:00:00-05"
    assert read(TIMESTAMP, "now") == "2023-12-31 22:00:00"
    assert read(TIME, "now") == "22:00:00"
    assert [read(DATE, word) for word in ("yesterday", "today", "tomorrow")] == [
        "2023-12-30",
        "2023-12-31",
        "2024-01-01",
    ]
    assert read(TIMESTAMPTZ, "tomorrow 10:00") == "2024-01-01 10:00:00-05"


def test_a_timestamp_is_rounded_away_from_the_year_2000():
    def fit(text, typmod):
        us = TIMESTAMP.input(text, -1, DEFAULT_CONTEXT)
        return TIMESTAMP.output(fit_timestamp(us, typmod), DEFAULT_CONTEXT)

    assert fit("2024-01-15 10:30:00.5", 0) == "2024-01-15 10:30:01"
    assert fit("1999-01-15 10:30:00.5", 0) == "1999-01-15 10:30:00"
    assert fit("infinity", 0) == "infinity"


def test_an_explicit_cast_cuts_text_that_an_assignment_refuses():
    assert fit_varchar("abcd", 7, explicit=True) == fit_bpchar("abcd", 7, explicit=True) == "abc"


def test_a_name_is_cut_between_characters():
    assert clip_name("é" * 40) == "é" * 31
    assert clip_name("x" * 70) == "x" * 63


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"a\0b", "0x00"),
        (b"\xff", "0xff"),
        (b"a\xc3", "0xc3"),
        (b"\xe2\x82a", "0xe2 0x82 0x61"),
        (b"\xed\xa0\x80", "0xed 0xa0 0x80"),
        (b"\xf5\x80\x80\x80", "0xf5 0x80 0x80 0x80"),
        (b"\0\xff", "0x00"),
    ],
)
def test_bytes_that_are_not_utf8_are_named(data, shown):
    with pytest.raises(CharacterNotInRepertoireError) as caught:
        decode_utf8(data)
    assert caught.value.message == f'invalid byte sequence for encoding "UTF8": {shown}'


@given(NUMERICS)
def test_a_numeric_is_the_decimal_that_it_says(value):
    assert from_decimal(Decimal(value)) == value


@given(st.decimals(-(10**9), 10**9, allow_nan=False), st.integers(0, 6))
def test_numeric_rounds_half_away_from_zero(number, scale):
    unit = Decimal(f"1e-{scale}")
    rounded = Decimal(apply_typmod(from_decimal(number), numeric_typmod(30, scale)))
    assert abs(rounded - number) * 2 <= unit
    if abs(rounded - number) * 2 == unit:
        assert abs(rounded) > abs(number)
    assert rounded == rounded.quantize(unit)


def test_nan_is_refused_where_the_column_is_a_decimal():
    assert apply_typmod("NaN", numeric_typmod(40, 2)) == "NaN"
    with pytest.raises(FeatureNotSupportedError):
        apply_typmod("NaN", numeric_typmod(10, 2))


@pytest.mark.parametrize(
    ("wire", "message"),
    [
        (b"\0\0\0\0\x11\0\0\0", 'invalid sign in external "numeric" value'),
        (b"\0\0\0\0\0\0\x40\0", 'invalid scale in external "numeric" value'),
        (b"\0\x01\0\0\0\0\0\0\x27\x10", 'invalid digit in external "numeric" value'),
        (b"\0\x02\0\0\0\0\0\0\0\x01", "incorrect binary data format"),
    ],
)
def test_a_malformed_binary_numeric_is_refused(wire, message):
    with pytest.raises(InvalidBinaryRepresentationError, match=message):
        NUMERIC.receive(wire, -1)


def test_a_binary_numeric_is_cut_to_its_display_scale():
    # One digit group, 0.1234, said to have two decimals.
    assert NUMERIC.receive(b"\0\x01\xff\xff\0\0\0\x02\x04\xd2", -1) == "0.12"


def test_jsonb_numbers_are_numerics_and_texts_are_not():
    value = load('{"b": 1.50, "a": ["1.50", -0, 1e3]}')
    assert value == {"b": "1.50", "a": ["1.50", "0", "1000"]}
    assert [type(item) for item in value["a"]] == [str, Number, Number]
    assert dump(value) == '{"a": ["1.50", 0, 1000], "b": 1.50}'
    assert dump({"x": 1, "y": 0.5, "z": None}) == '{"x": 1, "y": 0.5, "z": null}'


def test_jsonb_of_another_version_is_refused():
    for wire in (b"", b"\x02{}"):
        with pytest.raises(InvalidBinaryRepresentationError, match="unsupported jsonb version"):
            JSONB.receive(wire, -1)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=4))
def test_nesting_is_the_inverse_of_flattening(sizes):
    count = 1
    for size in sizes:
        count *= size
    array = nest(list(range(count)), tuple(sizes))
    assert dimensions(array, INT4) == tuple(sizes)
    assert flatten(array, len(sizes)) == list(range(count))


def test_an_array_that_begins_elsewhere_comes_back_in_text_and_binary():
    array = INT4_ARRAY.input("[0:1]={1,2}", -1, DEFAULT_CONTEXT)
    wire = bytearray(INT4_ARRAY.send((1, 2)))
    wire[19] = 0
    assert INT4_ARRAY.send(array) == bytes(wire)
    assert INT4_ARRAY.receive(bytes(wire), -1) == array != (1, 2)
    assert INT4_ARRAY.output(array, DEFAULT_CONTEXT) == "[0:1]={1,2}"
    assert INT4_ARRAY.storable(-1) is None
    # Where nothing is lost by it, it is the array that everything else takes.
    assert type(INT4_ARRAY.input("[1:2]={1,2}", -1, DEFAULT_CONTEXT)) is tuple
    assert type(INT4_ARRAY.receive(INT4_ARRAY.send((1, 2)), -1)) is tuple


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=4))
def test_bounds_are_kept_by_messagepack(lower):
    array = BoundedArray(nest([7], (1,) * len(lower)), tuple(lower))
    packed = msgspec.msgpack.encode([array], enc_hook=to_extension)
    assert msgspec.msgpack.decode(packed, ext_hook=from_extension) == [array]


def test_a_binary_array_of_another_element_type_is_a_mismatch():
    with pytest.raises(DatatypeMismatchError, match="instead of expected 23"):
        INT4_ARRAY.receive(array_of(TEXT).send(("a",)), -1)


def test_a_huge_binary_array_without_elements_costs_nothing():
    wire = b"\0\0\0\x02\0\0\0\0\0\0\0\x17\x7f\xff\xff\xff\0\0\0\x01\x7f\xff\xff\xff\0\0\0\x01"
    with pytest.raises(InvalidBinaryRepresentationError):
        INT4_ARRAY.receive(wire, -1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1,2]", "expected 3 dimensions, not 2"),
        ("[]", "vector must have at least 1 dimension"),
        ("[1,NaN,3]", "NaN not allowed in vector"),
        ("[1,-inf,3]", "infinite value not allowed in vector"),
    ],
)
def test_a_vector_has_finite_elements_and_the_columns_dimensions(text, message):
    with pytest.raises(DataExceptionError, match=message):
        VECTOR.input(text, vector_typmod(3), DEFAULT_CONTEXT)


def test_a_vector_reads_each_element_as_a_real_does():
    texts = ["1", "-0", "1e-40", "0.1", "1.262177448353619e-29", "16777217.0000001", "7.038531e-26"]
    reals = tuple(FLOAT4.input(text, -1, DEFAULT_CONTEXT) for text in texts)
    assert VECTOR.input(f"[{', '.join(texts)}]", -1, DEFAULT_CONTEXT) == reals
    for text in ("[1e39]", "[1e-60]"):
        with pytest.raises(NumericValueOutOfRangeError):
            VECTOR.input(text, -1, DEFAULT_CONTEXT)


def test_regclass_without_a_catalogue_knows_numbers_only():
    assert REGCLASS.input("1259", -1, DEFAULT_CONTEXT) == 1259
    assert REGCLASS.output(1259, DEFAULT_CONTEXT) == "1259"
    with pytest.raises(UndefinedTableError, match='relation "users" does not exist'):
        REGCLASS.input("users", -1, DEFAULT_CONTEXT)


PYTHON = [
    (BOOL, st.booleans()),
    (INT2, st.integers(-(1 << 15), (1 << 15) - 1)),
    (INT8, st.integers(1 << 40, (1 << 63) - 1)),
    (FLOAT8, st.floats(allow_nan=False)),
    (NUMERIC, st.decimals(allow_nan=False, allow_infinity=False, places=3)),
    (TEXT, st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)))),
    (BYTEA, st.binary()),
    (UUID, st.uuids()),
    (DATE, st.dates()),
    (TIME, st.times()),
    (TIMESTAMP, st.datetimes()),
    (
        TIMESTAMPTZ,
        st.datetimes(year(1000), year(9000), timezones=st.just(dt.UTC)),
    ),
    (INTERVAL, st.timedeltas(dt.timedelta(days=-9999), dt.timedelta(days=9999))),
    (INT4_ARRAY, st.lists(st.integers(1 << 20, 1 << 30), min_size=1)),
]


@pytest.mark.parametrize(("type_", "values"), PYTHON, ids=lambda part: getattr(part, "name", ""))
@given(data=st.data())
def test_psycopgs_binary_dumpers_and_loaders_agree_with_ours(type_, values, data):
    value = data.draw(values)
    transformer = Transformer()
    dumper = transformer.get_dumper(value, PyFormat.BINARY)
    if not dumper.oid or dumper.oid == type_.oid:
        stored = type_.receive(bytes(dumper.dump(value)), -1)
    else:
        # psycopg has a type of its own choice for it: go by the text.
        dumper = transformer.get_dumper(value, PyFormat.TEXT)
        stored = type_.input(bytes(dumper.dump(value)).decode(), -1, DEFAULT_CONTEXT)
    for format_, wire in (
        (psycopg.pq.Format.BINARY, type_.send(stored)),
        (psycopg.pq.Format.TEXT, type_.output(stored, DEFAULT_CONTEXT).encode()),
    ):
        loaded = transformer.get_loader(type_.oid, format_).load(wire)
        assert loaded == value or str(loaded) == str(value)


def test_shortest_reals_read_back_for_random_bits():
    numbers = random.Random(15)
    for _ in range(3000):
        value = FLOAT4.receive(numbers.randbytes(4), -1)
        assert str(FLOAT4.input(FLOAT4.output(value, DEFAULT_CONTEXT), -1, DEFAULT_CONTEXT)) == str(
            value
        )


@pytest.mark.parametrize("text", ["9223372036854775807 us", "-9223372036854775808 us"])
def test_an_interval_that_is_rounded_beyond_all_is_told(text):
    with pytest.raises(DatetimeFieldOverflowError, match="interval out of range"):
        INTERVAL.input(text, 0x7FFF0000, DEFAULT_CONTEXT)
