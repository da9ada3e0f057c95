"""The registry: OIDs and names are PostgreSQL's, aliases are KalamDB's too."""

import pyarrow as pa
import pytest

from catalog.errors import InvalidParameterValueError, SqlSyntaxError, UndefinedObjectError
from catalog.types import registry
from catalog.types.numeric import numeric_typmod, precision_and_scale
from catalog.types.registry import (
    TYPES,
    array_of,
    by_name,
    by_oid,
    by_sql_name,
    find_oid,
    format_type,
    make_typmod,
)
from storage.keys import KINDS

# oid, name, length, category, preferred, array OID: rows of PostgreSQL 15's pg_type.
PG_TYPE = [
    (16, "bool", 1, "B", True, 1000),
    (17, "bytea", -1, "U", False, 1001),
    (18, "char", 1, "Z", False, 1002),
    (19, "name", 64, "S", False, 1003),
    (20, "int8", 8, "N", False, 1016),
    (21, "int2", 2, "N", False, 1005),
    (22, "int2vector", -1, "A", False, 1006),
    (23, "int4", 4, "N", False, 1007),
    (24, "regproc", 4, "N", False, 1008),
    (25, "text", -1, "S", True, 1009),
    (26, "oid", 4, "N", True, 1028),
    (27, "tid", 6, "U", False, 1010),
    (28, "xid", 4, "U", False, 1011),
    (29, "cid", 4, "U", False, 1012),
    (30, "oidvector", -1, "A", False, 1013),
    (114, "json", -1, "U", False, 199),
    (194, "pg_node_tree", -1, "Z", False, 0),
    (700, "float4", 4, "N", False, 1021),
    (701, "float8", 8, "N", True, 1022),
    (705, "unknown", -2, "X", False, 0),
    (1033, "aclitem", 12, "U", False, 1034),
    (1042, "bpchar", -1, "S", False, 1014),
    (1043, "varchar", -1, "S", False, 1015),
    (1082, "date", 4, "D", False, 1182),
    (1083, "time", 8, "D", False, 1183),
    (1114, "timestamp", 8, "D", False, 1115),
    (1184, "timestamptz", 8, "D", True, 1185),
    (1186, "interval", 16, "T", True, 1187),
    (1700, "numeric", -1, "N", False, 1231),
    (2202, "regprocedure", 4, "N", False, 2207),
    (2203, "regoper", 4, "N", False, 2208),
    (2204, "regoperator", 4, "N", False, 2209),
    (2205, "regclass", 4, "N", False, 2210),
    (2206, "regtype", 4, "N", False, 2211),
    (2249, "record", -1, "P", False, 2287),
    (2275, "cstring", -2, "P", False, 1263),
    (2276, "any", 4, "P", False, 0),
    (2277, "anyarray", -1, "P", False, 0),
    (2278, "void", 4, "P", False, 0),
    (2279, "trigger", 4, "P", False, 0),
    (2280, "language_handler", 4, "P", False, 0),
    (2281, "internal", 8, "P", False, 0),
    (2283, "anyelement", 4, "P", False, 0),
    (2776, "anynonarray", 4, "P", False, 0),
    (2950, "uuid", 16, "U", False, 2951),
    (3500, "anyenum", 4, "P", False, 0),
    (3802, "jsonb", -1, "U", False, 3807),
    (3831, "anyrange", -1, "P", False, 0),
    (3838, "event_trigger", 4, "P", False, 0),
    (650, "cidr", -1, "I", False, 651),
    (790, "money", 8, "N", False, 791),
    (3220, "pg_lsn", 8, "U", False, 3221),
    (1266, "timetz", 12, "D", False, 1270),
    (1560, "bit", -1, "V", False, 1561),
    (1562, "varbit", -1, "V", True, 1563),
    (774, "macaddr8", 8, "U", False, 775),
    (829, "macaddr", 6, "U", False, 1040),
    (869, "inet", -1, "I", True, 1041),
    (4072, "jsonpath", -1, "U", False, 4073),
    (4089, "regnamespace", 4, "N", False, 4090),
    (4096, "regrole", 4, "N", False, 4097),
    (5077, "anycompatible", 4, "P", False, 0),
    (5078, "anycompatiblearray", -1, "P", False, 0),
    (5079, "anycompatiblenonarray", 4, "P", False, 0),
    (4537, "anymultirange", -1, "P", False, 0),
    (4538, "anycompatiblemultirange", -1, "P", False, 0),
    (5080, "anycompatiblerange", -1, "P", False, 0),
    (3904, "int4range", -1, "R", False, 3905),
    (3906, "numrange", -1, "R", False, 3907),
    (3908, "tsrange", -1, "R", False, 3909),
    (3910, "tstzrange", -1, "R", False, 3911),
    (3912, "daterange", -1, "R", False, 3913),
    (3926, "int8range", -1, "R", False, 3927),
    (4451, "int4multirange", -1, "R", False, 6150),
    (4532, "nummultirange", -1, "R", False, 6151),
    (4533, "tsmultirange", -1, "R", False, 6152),
    (4534, "tstzmultirange", -1, "R", False, 6153),
    (4535, "datemultirange", -1, "R", False, 6155),
    (4536, "int8multirange", -1, "R", False, 6157),
]


def test_scalars_have_the_numbers_of_postgresql():
    ours = {
        (t.oid, t.name, t.length, t.category, t.preferred, t.array_oid)
        for t in TYPES
        if not t.name.startswith("_") and not t.is_vector
    }
    assert ours == set(PG_TYPE)


def test_every_oid_and_name_is_used_once_and_found_again():
    assert len({t.oid for t in TYPES}) == len({t.name for t in TYPES}) == len(TYPES)
    for type_ in TYPES:
        assert by_oid(type_.oid) is find_oid(type_.oid) is by_name(type_.name) is type_


def test_every_type_with_an_array_oid_has_that_array():
    for type_ in TYPES:
        array = array_of(type_)
        assert (0 if array is None else array.oid) == type_.array_oid
        if array is not None:
            assert array.element is type_
            assert (array.name, array.sql_name) == ("_" + type_.name, type_.sql_name + "[]")


def test_every_constant_is_exported_and_registered():
    constants = [getattr(registry, name) for name in registry.__all__ if name.isupper()]
    assert {c for c in constants if c is not TYPES} == {t for t in TYPES if t.name[0] != "_"}


def test_key_kinds_are_those_of_storage():
    assert {t.key_kind for t in TYPES} <= KINDS


@pytest.mark.parametrize(
    ("name", "type_name"),
    [
        ("int", "int4"), ("integer", "int4"), ("int4", "int4"), ("int2", "int2"),
        ("smallint", "int2"), ("tinyint", "int2"), ("bigint", "int8"), ("int8", "int8"),
        ("bool", "bool"), ("boolean", "bool"), ("real", "float4"), ("float4", "float4"),
        ("float", "float8"), ("double", "float8"), ("double precision", "float8"),
        ("float8", "float8"), ("numeric", "numeric"), ("decimal", "numeric"), ("dec", "numeric"),
        ("text", "text"), ("string", "text"), ("varchar", "varchar"),
        ("character varying", "varchar"), ("char", "bpchar"), ("character", "bpchar"),
        ("bpchar", "bpchar"), ('"char"', "char"), ("bytes", "bytea"), ("bytea", "bytea"),
        ("datetime", "timestamptz"), ("timestamptz", "timestamptz"),
        ("timestamp with time zone", "timestamptz"), ("timestamp", "timestamp"),
        ("timestamp without time zone", "timestamp"), ("time", "time"),
        ("time without time zone", "time"), ("date", "date"), ("interval", "interval"),
        ("uuid", "uuid"), ("json", "json"), ("jsonb", "jsonb"), ("vector", "vector"),
        ("embedding", "vector"), ("regclass", "regclass"), ("name", "name"),
        ("integer[]", "_int4"), ("int[][]", "_int4"), ("_int4", "_int4"), ("string[]", "_text"),
        ("char[]", "_bpchar"), ('"char"[]', "_char"),
    ],
)  # fmt: skip
def test_a_type_has_several_names_in_sql(name, type_name):
    assert by_sql_name(name) is by_name(type_name)


def test_float_is_double_precision_in_postgresql_and_real_in_kalamdb():
    assert by_sql_name("float") is registry.FLOAT8
    assert by_sql_name("float", kalam=True) is registry.FLOAT4
    assert by_sql_name("float[]", kalam=True) is array_of(registry.FLOAT4)


def test_an_unknown_type_is_no_type():
    assert by_sql_name("foo") is by_sql_name("foo[]") is by_name("integer") is find_oid(1) is None
    with pytest.raises(UndefinedObjectError, match="type with OID 1 does not exist"):
        by_oid(1)


@pytest.mark.parametrize(
    ("name", "modifiers", "typmod", "text"),
    [
        ("varchar", (10,), 14, "character varying(10)"),
        ("varchar", (), -1, "character varying"),
        ("char", (3,), 7, "character(3)"),
        ("bpchar", (), -1, "bpchar"),
        ("numeric", (10, 2), 655366, "numeric(10,2)"),
        ("numeric", (10,), 655364, "numeric(10,0)"),
        ("numeric", (3, -2), None, "numeric(3,-2)"),
        ("timestamp", (3,), 3, "timestamp(3) without time zone"),
        ("timestamptz", (0,), 0, "timestamp(0) with time zone"),
        ("timestamptz", (9,), 6, "timestamp(6) with time zone"),
        ("time", (2,), 2, "time(2) without time zone"),
        ("varchar[]", (10,), 14, "character varying(10)[]"),
        ("vector", (3,), 3, "vector(3)"),
        ("integer", (), -1, "integer"),
        ("int2vector", (), -1, "int2vector"),
        ('"char"', (), -1, '"char"'),
    ],
)
def test_type_modifiers_become_typmods_and_text(name, modifiers, typmod, text):
    type_ = by_sql_name(name)
    assert type_ is not None
    made = make_typmod(type_, modifiers)
    assert typmod in {None, made}
    assert format_type(type_, made) == text


@pytest.mark.parametrize(
    ("name", "modifiers", "error", "message"),
    [
        ("integer", (3,), SqlSyntaxError, 'type modifier is not allowed for type "int4"'),
        ("numeric", (0,), InvalidParameterValueError,
         "NUMERIC precision 0 must be between 1 and 1000"),
        ("numeric", (5, 1001), InvalidParameterValueError,
         "NUMERIC scale 1001 must be between -1000 and 1000"),
        ("numeric", (1, 2, 3), InvalidParameterValueError, "invalid NUMERIC type modifier"),
        ("varchar", (0,), InvalidParameterValueError, "length for type varchar must be at least 1"),
        ("char", (10485761,), InvalidParameterValueError,
         "length for type char cannot exceed 10485760"),
        ("varchar", (1, 2), InvalidParameterValueError, "invalid type modifier"),
        ("timestamptz", (-1,), InvalidParameterValueError,
         r"TIMESTAMP\(-1\) WITH TIME ZONE precision must not be negative"),
        ("vector", (0,), InvalidParameterValueError,
         "dimensions for type vector must be at least 1"),
    ],
)  # fmt: skip
def test_modifiers_that_a_type_does_not_take_are_refused(name, modifiers, error, message):
    type_ = by_sql_name(name)
    assert type_ is not None
    with pytest.raises(error, match=message):
        make_typmod(type_, modifiers)


def test_numeric_typmods_hold_negative_scales():
    for precision, scale in ((1, 0), (38, 10), (1000, 1000), (5, -3), (1, -1000)):
        assert precision_and_scale(numeric_typmod(precision, scale)) == (precision, scale)
    assert precision_and_scale(-1) is None


def test_a_numeric_that_arrow_can_hold_exactly_is_a_decimal():
    arrow = registry.NUMERIC.arrow
    assert arrow(numeric_typmod(38, 10)) == pa.decimal128(38, 10)
    for typmod in (-1, numeric_typmod(39, 0), numeric_typmod(3, -2), numeric_typmod(3, 5)):
        assert arrow(typmod) == pa.string()
