"""Row-wise and column-wise encoding give the same bytes, and Arrow keeps every value."""

import struct
from dataclasses import dataclass, replace
from datetime import UTC
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import FeatureNotSupportedError, NumericValueOutOfRangeError
from catalog.types import registry
from catalog.types.calendar import TIMESTAMP_END, TIMESTAMP_MIN, US_PER_DAY
from catalog.types.numeric import numeric_typmod
from catalog.types.registry import (
    BOOL,
    BYTEA,
    DATE,
    FLOAT8,
    INT2,
    INT4,
    INT8,
    INTERVAL,
    JSONB,
    NUMERIC,
    OID,
    REGCLASS,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    UNKNOWN,
    UUID,
    VECTOR,
    array_of,
)
from catalog.types.table import DEFAULT_CONTEXT, PgType, TypeContext
from kalam_pg.rows import (
    arrow_to_values,
    encode_batch,
    encode_rows,
    row_encoder,
)
from storage.arrow import to_array
from tests.catalog.types.test_round_trips import same
from tests.strategies import SCALARS

INT4_ARRAY, TEXT_ARRAY = array_of(INT4), array_of(TEXT)
assert INT4_ARRAY is not None
assert TEXT_ARRAY is not None

FLAT = {
    **SCALARS,
    INT4_ARRAY: st.lists(st.one_of(st.none(), SCALARS[INT4]), max_size=3).map(tuple),
    TEXT_ARRAY: st.lists(st.one_of(st.none(), SCALARS[TEXT]), max_size=3).map(tuple),
}
CONTEXTS = [
    DEFAULT_CONTEXT,
    *(
        replace(DEFAULT_CONTEXT, timezone=ZoneInfo(zone), timezone_name=zone)
        for zone in ("America/New_York", "Asia/Kathmandu", "Africa/Casablanca")
    ),
    replace(DEFAULT_CONTEXT, date_style="German", bytea_output="escape", extra_float_digits=0),
]


@dataclass(frozen=True)
class Form:
    types: tuple[PgType, ...]
    typmods: tuple[int, ...]
    formats: tuple[int, ...]
    context: TypeContext = DEFAULT_CONTEXT


def form_of(
    types: list[PgType], formats: list[int], context: TypeContext = DEFAULT_CONTEXT
) -> Form:
    return Form(tuple(types), (-1,) * len(types), tuple(formats), context)


def batch_of(arrays):
    return pa.record_batch(arrays, names=[f"c{i}" for i in range(len(arrays))])


def messages(data: bytes) -> list[list[bytes | None]]:
    """Read DataRow messages back: the cells of each row, None for NULL."""
    rows, at = [], 0
    while at < len(data):
        kind, length, columns = struct.unpack_from("!cih", data, at)
        assert kind == b"D"
        end, at = at + 1 + length, at + 7
        cells: list[bytes | None] = []
        for _ in range(columns):
            (size,) = struct.unpack_from("!i", data, at)
            at += 4
            cells.append(None if size < 0 else data[at : at + size])
            at += max(size, 0)
        assert at == end
        rows.append(cells)
    return rows


def test_a_data_row_has_its_length_its_columns_and_each_value_with_a_length_word():
    row = (7, None, "é", True)
    wire = encode_rows([row], (INT4, INT4, TEXT, BOOL), (-1,) * 4, (0, 0, 0, 0), DEFAULT_CONTEXT)
    assert wire == (b"D\0\0\0\x1a\0\x04\0\0\0\x017\xff\xff\xff\xff\0\0\0\x02\xc3\xa9\0\0\0\x01t")


def test_a_binary_data_row_has_the_types_binary_forms():
    wire = encode_rows([(7, None, True)], (INT8, INT4, BOOL), (-1,) * 3, (1, 1, 1), DEFAULT_CONTEXT)
    assert messages(wire) == [[b"\0\0\0\0\0\0\0\x07", None, b"\x01"]]


@pytest.mark.parametrize("type_", FLAT, ids=lambda type_: type_.name)
@given(data=st.data())
@settings(max_examples=25)
def test_both_ways_of_encoding_give_the_same_bytes(type_, data):
    values = data.draw(st.lists(st.one_of(st.none(), FLAT[type_]), max_size=8))
    start = data.draw(st.integers(0, len(values)))
    context = data.draw(st.sampled_from(CONTEXTS))
    array = to_array(values, type_.arrow(-1)).slice(start)
    for format_ in (0, 1):
        by_row = encode_rows([(v,) for v in values[start:]], [type_], [-1], [format_], context)
        assert encode_batch(batch_of([array]), form_of([type_], [format_], context)) == by_row


@given(data=st.data())
@settings(max_examples=60)
def test_columns_of_every_kind_stand_together_in_any_order(data):
    types = data.draw(st.lists(st.sampled_from([*FLAT]), min_size=1, max_size=6))
    formats = data.draw(st.lists(st.sampled_from([0, 1]), min_size=len(types), max_size=len(types)))
    rows = data.draw(
        st.lists(st.tuples(*(st.one_of(st.none(), FLAT[type_]) for type_ in types)), max_size=5)
    )
    arrays = [to_array([row[i] for row in rows], type_.arrow(-1)) for i, type_ in enumerate(types)]
    by_row = encode_rows(rows, types, [-1] * len(types), formats, DEFAULT_CONTEXT)
    assert encode_batch(batch_of(arrays), form_of(types, formats)) == by_row


def test_fixed_columns_without_nulls_are_laid_out_side_by_side():
    arrays = [pa.array([1, 2, 3], pa.int32()), pa.array([True, False, True])]
    wire = encode_batch(batch_of(arrays), form_of([INT4, BOOL], [1, 1]))
    assert messages(wire) == [
        [b"\0\0\0\x01", b"\x01"],
        [b"\0\0\0\x02", b"\0"],
        [b"\0\0\0\x03", b"\x01"],
    ]


@pytest.mark.parametrize("length", [0, 1, 255, 256, 65_535, 65_536, 1 << 24])
def test_length_words_hold_lengths_of_any_size(length):
    array = pa.array(["x" * length, None, ""])
    wire = encode_batch(batch_of([array]), form_of([TEXT], [0]))
    assert messages(wire) == [[b"x" * length], [None], [b""]]


def test_rows_without_columns_and_batches_without_rows():
    assert encode_batch(batch_of([pa.array([], pa.int32())]), form_of([INT4], [0])) == b""
    none = pa.RecordBatch.from_struct_array(pa.array([{}, {}], pa.struct([])))
    assert encode_batch(none, form_of([], [])) == encode_rows([(), ()], (), (), (), DEFAULT_CONTEXT)


# (type, array as an engine may give it, the text of its values)
ARROW_FORMS = [
    (INT4, pa.array([1, None], pa.int64()), ["1", None]),
    (INT4, pa.array([1, 2], pa.uint64()), ["1", "2"]),
    (INT8, pa.array([1, 1], pa.int64()).dictionary_encode(), ["1", "1"]),
    (INT2, pa.array([5], pa.int32()), ["5"]),
    (OID, pa.array([4294967295], pa.int64()), ["4294967295"]),
    (FLOAT8, pa.array([0.5], pa.float32()), ["0.5"]),
    (FLOAT8, pa.array([1e20, 1e14, 1e15, 1e-5, float("nan"), None, -0.0, 123456789012.5]),
     ["1e+20", "100000000000000", "1e+15", "1e-05", "NaN", None, "-0", "123456789012.5"]),
    (NUMERIC, pa.array(["1.50", "0.00", None]).cast(pa.decimal128(10, 2)), ["1.50", "0.00", None]),
    (NUMERIC, pa.array(["0.0000000001"]).cast(pa.decimal128(20, 10)), ["0.0000000001"]),
    (NUMERIC, pa.array(["0"]).cast(pa.decimal256(50, 12)), ["0.000000000000"]),
    (NUMERIC, pa.array([12, None], pa.int64()), ["12", None]),
    (NUMERIC, pa.array([0.5, 1e20]), ["0.5", "100000000000000000000"]),
    (NUMERIC, pa.array(["NaN", "1e0"[:1]]), ["NaN", "1"]),
    (TEXT, pa.array(["a", None, "b"]).dictionary_encode(), ["a", None, "b"]),
    (TEXT, pa.array(["a", None], pa.large_string()), ["a", None]),
    (TEXT, pa.array(["a", "x" * 40], pa.string_view()), ["a", "x" * 40]),
    (BYTEA, pa.array([b"\x00\xff"], pa.large_binary()), ["\\x00ff"]),
    (BYTEA, pa.array([b"\x00\xff"], pa.binary_view()), ["\\x00ff"]),
    (UUID, pa.array([bytes(16)], pa.binary()), ["00000000-0000-0000-0000-000000000000"]),
    (INTERVAL, pa.array([bytes(15) + b"\x01"], pa.binary()), ["00:00:00.000001"]),
    (JSONB, pa.array(['{"a": 1}'], pa.string_view()), ['{"a": 1}']),
    (DATE, pa.array([0], pa.date32()), ["1970-01-01"]),
    (DATE, pa.array([86_400_000], pa.date64()), ["1970-01-02"]),
    (TIME, pa.array([1_500_000], pa.time64("us")), ["00:00:01.5"]),
    (TIME, pa.array([1_500_000_000], pa.time64("ns")), ["00:00:01.5"]),
    (TIMESTAMP, pa.array([1_500], pa.timestamp("ms")), ["1970-01-01 00:00:01.5"]),
    (TIMESTAMP, pa.array([1_500], pa.timestamp("ns")), ["1970-01-01 00:00:00.000001"]),
    (TIMESTAMPTZ, pa.array([0], pa.timestamp("us", "UTC")), ["1970-01-01 00:00:00+00"]),
    (TIMESTAMPTZ, pa.array([0], pa.timestamp("us", "+00:00")), ["1970-01-01 00:00:00+00"]),
    (TIMESTAMPTZ, pa.array([0], pa.timestamp("us")), ["1970-01-01 00:00:00+00"]),
    (INT4_ARRAY, pa.array([[1, None], [], None], pa.list_(pa.int64())), ["{1,NULL}", "{}", None]),
    (INT4_ARRAY, pa.array([[[1], [2]]], pa.list_(pa.list_(pa.int32()))), ["{{1},{2}}"]),
    (INT4_ARRAY, pa.array([[1], None], pa.large_list(pa.int32())), ["{1}", None]),
    (INT4_ARRAY, pa.array([[1, 2], None], pa.list_(pa.int32(), 2)), ["{1,2}", None]),
    (TEXT_ARRAY, pa.array([["a b", "c"]], pa.list_(pa.string_view())), ['{"a b",c}']),
    (VECTOR, pa.array([[1, 2.5], None], pa.list_(pa.float32(), 2)), ["[1,2.5]", None]),
    (VECTOR, pa.array([[1, 2.5]], pa.list_(pa.float64())), ["[1,2.5]"]),
    (TEXT, pa.nulls(2), [None, None]),
    (INT4_ARRAY, pa.nulls(1), [None]),
    (REGCLASS, pa.array([0, 1259], pa.int64()), ["-", "1259"]),
    (UNKNOWN, pa.array(["x"]), ["x"]),
    (BOOL, pa.array([True, None]), ["t", None]),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "array", "texts"), ARROW_FORMS)
def test_an_engine_may_give_a_type_in_several_arrow_forms(type_, array, texts):
    cells = [[None if text is None else text.encode()] for text in texts]
    assert messages(encode_batch(batch_of([array]), form_of([type_], [0]))) == cells
    values = arrow_to_values(array, type_)
    assert [None if v is None else type_.output(v, DEFAULT_CONTEXT) for v in values] == texts
    binary = [[None if v is None else type_.send(v)] for v in values]
    assert messages(encode_batch(batch_of([array]), form_of([type_], [1]))) == binary
    twice = arrow_to_values(pa.chunked_array([array, array]), type_)
    assert same(tuple(twice), tuple(values + values))


def test_an_integer_too_wide_for_its_type_is_out_of_range_and_not_cut():
    with pytest.raises(NumericValueOutOfRangeError, match="integer out of range"):
        encode_batch(batch_of([pa.array([1 << 40])]), form_of([INT4], [1]))


@pytest.mark.parametrize("type_", FLAT, ids=lambda type_: type_.name)
@given(data=st.data())
@settings(max_examples=20)
def test_arrow_gives_stored_values_back_unchanged(type_, data):
    values = data.draw(st.lists(st.one_of(st.none(), FLAT[type_]), max_size=6))
    array = to_array(values, type_.arrow(-1))
    assert array.type.equals(type_.arrow(-1))
    assert same(tuple(arrow_to_values(array, type_)), tuple(values))


def test_a_numeric_with_precision_is_a_decimal_and_comes_back_with_its_scale():
    array = to_array(["1.50", None, "-0.01"], NUMERIC.arrow(numeric_typmod(10, 2)))
    assert array.type.equals(pa.decimal128(10, 2))
    assert arrow_to_values(array, NUMERIC) == ["1.50", None, "-0.01"]


def test_an_array_of_several_dimensions_is_refused_by_arrow_and_not_flattened():
    with pytest.raises(FeatureNotSupportedError):
        to_array([((1, 2), (3, 4))], INT4_ARRAY.arrow(-1))


@given(
    st.lists(st.integers(TIMESTAMP_MIN + US_PER_DAY, TIMESTAMP_END - 1), min_size=1),
    st.sampled_from(
        ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Monrovia"]
    ),
)
@settings(max_examples=50)
def test_a_columns_time_zone_offsets_are_those_of_each_instant(instants, zone):
    context = replace(DEFAULT_CONTEXT, timezone=ZoneInfo(zone), timezone_name=zone)
    # Around a change of the clock, too.
    instants = [*instants, 1_711_846_799_999_999, 1_711_846_800_000_000, -1_230_749_071_000_000]
    array = to_array(instants, TIMESTAMPTZ.arrow(-1))
    by_row = encode_rows([(us,) for us in instants], [TIMESTAMPTZ], [-1], [0], context)
    assert encode_batch(batch_of([array]), form_of([TIMESTAMPTZ], [0], context)) == by_row


class Names:
    """The catalogue of one table."""

    def __init__(self, name: str) -> None:
        self.name = name

    def object_oid(self, kind: str, name: str) -> int | None:
        return 42 if (kind, name) == ("regclass", self.name) else None

    def object_name(self, kind: str, oid: int) -> str | None:
        return self.name if (kind, oid) == ("regclass", 42) else None


def test_names_of_tables_are_looked_up_for_each_session_and_not_shared():
    for name in ("messages", "renamed"):
        context = replace(DEFAULT_CONTEXT, objects=Names(name))
        wire = encode_rows([(42,)], (REGCLASS,), (-1,), (0,), context)
        assert messages(wire) == [[name.encode()]]
    assert registry.REGCLASS.input("renamed", -1, context) == 42


def test_equal_requests_share_one_encoder():
    args = ((INT4, TEXT), (-1, -1), (0, 0))
    shared = row_encoder(*args, TypeContext(timezone=UTC))
    assert row_encoder(*args, DEFAULT_CONTEXT) is shared
    assert row_encoder(*args, replace(DEFAULT_CONTEXT, date_style="German")) is not shared
