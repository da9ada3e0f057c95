"""What a column may hold survives the log and a segment; everything else is refused by `PgType.storable`.

Every type, with the texts that PostgreSQL's answers are kept of and its extremes, alone and in arrays.
"""

import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import FeatureNotSupportedError, NumericValueOutOfRangeError
from catalog.types.numeric import apply_typmod, numeric_typmod
from catalog.types.registry import (
    BPCHAR,
    FLOAT8,
    NUMERIC,
    TEXT,
    TYPES,
    VECTOR,
    array_of,
    by_sql_name,
)
from catalog.types.table import DEFAULT_CONTEXT, PgType
from catalog.types.typmod import make_typmod
from kalam_pg.rows.arrow_values import arrow_to_values
from storage.arrow import to_array, to_column, to_values
from storage.errors import CharacterNotInRepertoireError, KalamError
from storage.log.log_entry import Op, decode_entry, encode_entry
from storage.shaped import BoundedArray
from tests.catalog.types.inputs import INPUTS

NESTED_FAR = "[" * 400 + "]" * 400

EXTREMES = {
    "text": ("", "é🙂", "\x01", "x" * 100_000, "NULL", "infinity"),
    "bpchar": ("", "a ", " a"),
    "varchar": ("", "abc"),
    "name": ("n" * 63, "é" * 40),
    "char": ("", "a", "é"),
    "bytea": ("\\x", "\\x00", "\\xff00", "\\x" + "ab" * 10_000),
    "bool": ("t", "f"),
    "int2": ("32767", "-32768"),
    "int4": ("2147483647", "-2147483648"),
    "int8": ("9223372036854775807", "-9223372036854775808"),
    "oid": ("0", "4294967295"),
    "xid": ("0", "4294967295"),
    "cid": ("0", "4294967295"),
    "tid": ("(0,0)", "(4294967295,65535)"),
    "float4": ("-0", "0", "1e-45", "-1e-45", "3.4028235e38", "NaN", "Infinity", "-Infinity"),
    "float8": ("-0", "5e-324", "2.2e-308", "1.7976931348623157e308", "NaN", "inf", "-inf"),
    "numeric": (
        *("NaN", "Infinity", "-Infinity", "0", "-0.00", "0.000", "1e100", "1e-100", "1e130000"),
        *("9" * 38, "-" + "9" * 38, "0." + "9" * 38, "12345678.90", "0.004999", "99999999.994"),
    ),
    "date": ("infinity", "-infinity", "4714-11-24 BC", "5874897-12-31", "epoch"),
    "time": ("24:00:00", "00:00", "23:59:59.999999"),
    "timestamp": ("infinity", "-infinity", "4714-11-24 BC", "294276-12-31 23:59:59.999999"),
    "timestamptz": ("infinity", "-infinity", "4714-11-24 BC", "294276-12-31 23:59:59.999999Z"),
    "interval": (
        *("178000000 years", "-178000000 years", "2147483647 days", "-2147483648 days"),
        *("9223372036854775807 us", "-9223372036854775808 us", "1 mon -1 day +1 us"),
    ),
    "uuid": ("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    "json": ('"\\u0000"', "{}", '"\\ud800"', NESTED_FAR, '{"a": 1, "a": 2}', "1e400"),
    "jsonb": ("{}", NESTED_FAR, '{"b": 1, "a": 2}', "1e400", '"é🙂"', "null"),
    "inet": ("0.0.0.0/0", "10.0.0.0/8", "10.0.0.0", "255.255.255.255", "::/0", "::ffff:1.2.3.4"),
    "cidr": ("0.0.0.0/0", "10.1.0.0/16", "2001:db8::/32", "::1/128"),
    "macaddr": ("00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"),
    "macaddr8": ("00:00:00:00:00:00:00:00", "08:00:2b:01:02:03:04:05"),
    "int4range": ("empty", "(,)", "[-2147483648,2147483647)", "[1,5]"),
    "int8range": ("empty", "[-9223372036854775808,)"),
    "numrange": ("empty", "[1.50,100.0)", "[-0.00,NaN]", "(,1e300]", "[-Infinity,Infinity]"),
    "daterange": ("[4714-11-24 BC,infinity]", "(,5874897-12-31)"),
    "tsrange": ("[-infinity,infinity]", '("2020-01-01 00:00:00.000001",)'),
    "tstzrange": ("empty", "[2020-01-01 00:00+01,)"),
    "int4multirange": ("{}", "{[1,3),[5,7)}", "{(,)}"),
    "int8multirange": ("{}", "{[1,3)}"),
    "nummultirange": ("{}", "{[1.0,2.00),[5,6]}"),
    "datemultirange": ("{[2020-01-01,2020-02-01)}",),
    "tsmultirange": ("{[2020-01-01,2020-02-01)}",),
    "tstzmultirange": ("{[2020-01-01,2020-02-01)}",),
    "bit": ("", "0", "1", "101", "1" * 200),
    "varbit": ("", "0", "101", "0" * 200),
    "pg_lsn": ("0/0", "FFFFFFFF/FFFFFFFF", "16/B374D848"),
    "money": ("-92233720368547758.08", "92233720368547758.07", "0"),
    "timetz": ("00:00:00+15:59", "24:00:00-15:59", "12:00:00.000001+00:00:01"),
    "jsonpath": ("$", 'strict $."é"[*] ? (@ like_regex "^a")', "1e3"),
    "vector": ("[1,2,3]", "[0]", "[1e-45,-0]", "[3.4028235e38,3.4028235e38]"),
    "int2vector": ("", "1 2 -3"),
    "oidvector": ("", "1 4294967295"),
    "regclass": ("0", "1259"),
    "aclitem": ("a=r/b",),
}
"""Texts by pg_type name, beside those of `INPUTS`."""

TYPMODS = {
    "numeric": [
        numeric_typmod(*pair)
        for pair in ((10, 2), (38, 38), (38, 0), (1, 0), (2, 2), (39, 2), (5, -2), (2, 5))
    ],
    "bpchar": [make_typmod(BPCHAR, (3,))],
    "vector": [3],
}


def storable_types() -> list[tuple[PgType, int]]:
    found = []
    for type_ in TYPES:
        nested = type_.element is not None and type_.element.element is not None
        if type_.pseudo or type_.name == "unknown" or nested:
            continue
        base = type_.element if type_.name.startswith("_") else type_
        found += [(type_, typmod) for typmod in (-1, *TYPMODS.get(base.name, ()))]
    return found


def values_of(type_: PgType, typmod: int) -> list:
    """Stored values of a type's texts; of an array type each alone, NULL, none, several."""
    base = type_.element if type_.name.startswith("_") else type_
    texts = list(EXTREMES.get(base.name, ()))
    texts += [text for i in INPUTS if by_sql_name(i.sql) is base for text in i.texts]
    values = []
    for text in texts:
        for given_typmod in {typmod, -1}:  # Also what no assignment has shaped.
            try:
                values.append(base.input(text, given_typmod, DEFAULT_CONTEXT))
            except KalamError:
                continue
    if base is type_:
        return values
    shaped = [BoundedArray((*values[:2], None), (0,))]
    if not base.is_vector:
        row = (*values[:2], None)
        shaped += [(row, row), BoundedArray(((row,), (row,)), (1, -5, 2))]
    return [*((value,) for value in values), (), (None,), (*values[:4], None), *shaped]


def survives(value: object, type_: PgType, typmod: int) -> None:
    """Through a log entry, Arrow and Parquet, and out by both readers."""
    entry = decode_entry(encode_entry(Op.INSERT, 1, (value,), None))
    assert repr(entry.row) == repr((value,))
    array = to_column([value, None], type_.arrow(typmod))
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"c1": array}), sink, write_statistics=True, write_page_index=True)
    back = pq.read_table(pa.BufferReader(sink.getvalue())).column("c1")
    assert repr(to_values(back)) == repr([value, None])
    assert repr(arrow_to_values(back, type_)) == repr([value, None])


@pytest.mark.parametrize(
    ("type_", "typmod"), storable_types(), ids=lambda given: getattr(given, "name", given)
)
def test_a_value_is_refused_or_survives(type_, typmod):
    check = type_.storable(typmod)
    values = values_of(type_, typmod)
    assert values or type_.name == "pg_node_tree" or type_.name.startswith("reg") or check
    for value in values:
        try:
            if check is not None:
                check(value)
        except KalamError as exc:
            assert exc.sqlstate in {"0A000", "22000", "22003"}  # noqa: PT017 -- or it survives
            continue
        survives(value, type_, typmod)


FIXED = numeric_typmod(10, 2)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_a_decimal_column_holds_no_special_value_alone_or_in_an_array(value):
    for check, stored in (
        (NUMERIC.storable(FIXED), value),
        (array_of(NUMERIC).storable(FIXED), ("1.00", None, value)),
    ):
        with pytest.raises(FeatureNotSupportedError, match=rf"storing {value} in numeric\(10,2\)"):
            check(stored)
    assert NUMERIC.storable(-1) is None
    assert array_of(NUMERIC).storable(-1) is None


@pytest.mark.parametrize(
    "value", ["1", "1.0", "1.000", "-1.5", "123456789.00", "-123456789.00", "100000000.00"]
)
def test_a_decimal_column_holds_only_what_has_its_scale_and_precision(value):
    with pytest.raises(NumericValueOutOfRangeError):
        NUMERIC.storable(FIXED)(value)


@given(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20),
    st.sampled_from([(10, 2), (38, 0), (38, 38), (2, 2), (1, 0), (20, 7)]),
)
def test_what_an_assignment_makes_is_held(number, shape):
    typmod = numeric_typmod(*shape)
    try:
        value = apply_typmod(format(number, "f"), typmod)
    except NumericValueOutOfRangeError:
        return
    NUMERIC.storable(typmod)(value)
    survives(value, NUMERIC, typmod)


def test_a_vector_has_its_dimensions_and_only_numbers():
    check = VECTOR.storable(3)
    check((1.0, 2.0, 3.0))
    for wrong in ((1.0, 2.0), (1.0, 2.0, math.nan), (1.0, 2.0, math.inf), ()):
        with pytest.raises(KalamError):
            check(wrong)
        with pytest.raises(KalamError):
            array_of(VECTOR).storable(3)((wrong,))
    array_of(VECTOR).storable(3)(((1.0, 2.0, 3.0), None))


def test_a_list_of_arrow_takes_no_array_of_another_shape():
    for element, item in ((TEXT, "a"), (FLOAT8, 1.5), (NUMERIC, "1.0")):
        for value in (((item,), (item,)), BoundedArray((item,), (0,))):
            kind = array_of(element).arrow(-1)
            with pytest.raises(FeatureNotSupportedError):
                to_array([(item,), value], kind)
            assert to_values(to_column([(item,), value, None], kind)) == [(item,), value, None]


def test_half_of_a_surrogate_pair_is_refused_before_it_is_in_the_log():
    for value in ("\ud800", ("a", "\udfff")):
        with pytest.raises(CharacterNotInRepertoireError):
            encode_entry(Op.INSERT, 1, (value,), None)
