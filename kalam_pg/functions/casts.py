"""Casts: pg_cast's rows for the types we have, and length coercions.

Conversions through text (any type to and from text, varchar, char(n), name) and element-wise casts
of arrays are made on demand by `registry.cast`, from `io_cast` and `array_cast` here.
"""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from catalog.errors import (
    InvalidParameterValueError,
    NumericValueOutOfRangeError,
    StringDataRightTruncationError,
)
from catalog.types.bits import cut_bit, cut_varbit, fit_bit, fit_varbit
from catalog.types.composite import record_from
from catalog.types.interval import fit_interval
from catalog.types.registry import (
    BIT,
    BOOL,
    BPCHAR,
    CHAR,
    DATE,
    FLOAT4,
    FLOAT8,
    INT2,
    INT4,
    INT8,
    INTERVAL,
    JSON,
    JSONB,
    NAME,
    NUMERIC,
    OID,
    PG_NODE_TREE,
    RECORD,
    REGCLASS,
    REGNAMESPACE,
    REGOPER,
    REGOPERATOR,
    REGPROC,
    REGPROCEDURE,
    REGROLE,
    REGTYPE,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    TIMETZ,
    UNKNOWN,
    VARBIT,
    VARCHAR,
)
from catalog.types.table import DEFAULT_CONTEXT, PgType
from catalog.types.timetz import fit_timetz
from kalam_pg.functions import decimals, jsonvalues, numeric_columns
from kalam_pg.functions.clock import (
    DAY_US,
    INFINITY,
    MINUS_INFINITY,
    date_to_timestamp,
    local_to_utc,
    pack_interval,
    timestamp_to_date,
    unpack_interval,
    utc_to_local,
)
from kalam_pg.functions.define import Datum, cast, same
from kalam_pg.functions.dimensions import with_each
from kalam_pg.functions.floats import to_real
from kalam_pg.functions.integers import RANGES, out_of_range
from kalam_pg.functions.table import EvalContext, Overload, Volatility

STRINGS = (TEXT, VARCHAR, BPCHAR, NAME, CHAR, UNKNOWN)


def _to_int(target: PgType) -> Callable[[int], int]:
    low, high, _ = RANGES[target.oid]

    def run(value: int) -> int:
        if low <= value <= high:
            return value
        raise out_of_range(target)

    return run


def _float_to_int(target: PgType) -> Callable[[float], int]:
    low, high, _ = RANGES[target.oid]

    def run(value: float) -> int:
        if not math.isfinite(value):
            raise out_of_range(target)
        result = round(value)  # halves to even, as rint() does
        if low <= result <= high:
            return result
        raise out_of_range(target)

    return run


def _numeric_to_int(target: PgType) -> Callable[[str], int]:
    low, high, name = RANGES[target.oid]
    return lambda value: decimals.to_integer(value, low, high, name)


def _numeric_to_float(value: str) -> float:
    result = float(value)
    if math.isinf(result) and value[-1] != "y":
        raise NumericValueOutOfRangeError(f'"{value}" is out of range for type double precision')
    return result


def _numeric_to_real(value: str) -> float:
    try:
        return to_real(_numeric_to_float(value))
    except NumericValueOutOfRangeError:
        raise NumericValueOutOfRangeError(f'"{value}" is out of range for type real') from None


_INTS = (INT2, INT4, INT8)


def _numbers() -> list[Overload]:
    rows: list[Overload] = []
    for index, source in enumerate(_INTS):
        rows += [cast(source, t, "i", same) for t in _INTS[index + 1 :]]
        rows += [cast(source, t, "a", _to_int(t)) for t in _INTS[:index]]
        rows.append(cast(source, NUMERIC, "i", str))
        rows.append(cast(source, FLOAT8, "i", float, native="arrow_cast({0}, 'Float64')"))
        rows.append(cast(source, FLOAT4, "i", lambda v: to_real(float(v))))
        for real in (FLOAT4, FLOAT8):
            rows.append(cast(real, source, "a", _float_to_int(source)))
        rows.append(cast(NUMERIC, source, "a", _numeric_to_int(source)))
    rows += [
        cast(FLOAT4, FLOAT8, "i", same, native="arrow_cast({0}, 'Float64')"),
        cast(FLOAT8, FLOAT4, "a", to_real),
        cast(FLOAT4, NUMERIC, "a", lambda v: decimals.from_float(v, 6)),
        cast(FLOAT8, NUMERIC, "a", lambda v: decimals.from_float(v, 15)),
        cast(NUMERIC, FLOAT8, "i", _numeric_to_float, arrow=numeric_columns.floats),
        cast(NUMERIC, FLOAT4, "i", _numeric_to_real),
        cast(BOOL, INT4, "e", int, native="arrow_cast({0}, 'Int32')"),
        cast(INT4, BOOL, "e", bool, native="({0} <> 0)"),
    ]
    return rows


# ------------------------------------------------------------------ oids and the reg types

_REG = (*(REGCLASS, REGTYPE, REGPROC, REGPROCEDURE, REGOPER, REGOPERATOR, REGNAMESPACE, REGROLE),)
_ALIKE = ((REGPROC, REGPROCEDURE), (REGOPER, REGOPERATOR))


def _oids() -> list[Overload]:
    rows = [
        cast(INT4, OID, "i", lambda v: v & 0xFFFFFFFF),
        cast(OID, INT4, "a", lambda v: v - 2**32 if v >= 2**31 else v),
        cast(INT2, OID, "i", lambda v: v & 0xFFFFFFFF),
        cast(INT8, OID, "i", _to_int(OID)),
        cast(OID, INT8, "a", same),
    ]
    for reg in _REG:
        rows += [
            cast(INT4, reg, "i", lambda v: v & 0xFFFFFFFF),
            cast(INT2, reg, "i", lambda v: v & 0xFFFFFFFF),
            cast(INT8, reg, "i", _to_int(OID)),
            cast(OID, reg, "i", same),
            cast(reg, OID, "i", same),
            cast(reg, INT4, "a", lambda v: v - 2**32 if v >= 2**31 else v),
            cast(reg, INT8, "a", same),
        ]
    for one, other in _ALIKE:
        rows += [cast(one, other, "i", same), cast(other, one, "i", same)]
    return rows


# ------------------------------------------------------------------ strings


def _bool_text(value: bool) -> str:  # a row value
    return "true" if value else "false"


def _blank_trimmed(value: str) -> str:
    return value.rstrip(" ")


def _to_name(value: str) -> str:
    if len(value) <= 15:
        return value
    return value.encode()[:63].decode(errors="ignore")


def _strings() -> list[Overload]:
    return [
        *(cast(a, b, "i", same) for a in (TEXT, VARCHAR) for b in (TEXT, VARCHAR) if a is not b),
        cast(TEXT, BPCHAR, "i", same),
        cast(VARCHAR, BPCHAR, "i", same),
        cast(BPCHAR, TEXT, "i", _blank_trimmed),
        cast(BPCHAR, VARCHAR, "i", _blank_trimmed),
        cast(NAME, TEXT, "i", same),
        cast(NAME, VARCHAR, "a", same),
        cast(NAME, BPCHAR, "a", same),
        cast(TEXT, NAME, "i", _to_name),
        cast(VARCHAR, NAME, "i", _to_name),
        cast(BPCHAR, NAME, "i", lambda v: _to_name(v.rstrip(" "))),
        cast(CHAR, TEXT, "i", _from_char),
        cast(CHAR, VARCHAR, "a", _from_char),
        cast(CHAR, BPCHAR, "a", _from_char),
        *(
            cast(t, CHAR, "a", lambda v: CHAR.input(v, -1, DEFAULT_CONTEXT))
            for t in (TEXT, VARCHAR, BPCHAR)
        ),
        cast(CHAR, INT4, "e", lambda v: (ord(v or "\0") ^ 0x80) - 0x80),
        cast(INT4, CHAR, "e", _to_char),
        *(cast(BOOL, t, "a", _bool_text) for t in (TEXT, VARCHAR, BPCHAR)),
        cast(PG_NODE_TREE, TEXT, "i", same),
    ]


def _from_char(value: str) -> str:
    return CHAR.output(value, DEFAULT_CONTEXT)


def _to_char(value: int) -> str:
    if not -128 <= value <= 127:
        raise NumericValueOutOfRangeError('"char" out of range')
    return chr(value & 0xFF) if value else ""


# ------------------------------------------------------------------ dates and times


def _date_to_timestamptz(context: EvalContext, days: int) -> int:
    return local_to_utc(date_to_timestamp(days), context.types.timezone)


def _to_zoned(context: EvalContext, value: int) -> int:
    return local_to_utc(value, context.types.timezone)


def _to_local(context: EvalContext, value: int) -> int:
    return utc_to_local(value, context.types.timezone)


def _zoned_to_date(context: EvalContext, value: int) -> int:
    return timestamp_to_date(utc_to_local(value, context.types.timezone))


def _to_time(value: int) -> int | None:
    return None if value in {INFINITY, MINUS_INFINITY} else value % DAY_US


def _zoned_to_time(context: EvalContext, value: int) -> int | None:
    return _to_time(utc_to_local(value, context.types.timezone))


def _stable(source: PgType, target: PgType, context: str, row: Callable[..., Datum]) -> Overload:
    return cast(source, target, context, row, needs_context=True, volatility=Volatility.STABLE)


def _times() -> list[Overload]:
    return [
        cast(DATE, TIMESTAMP, "i", date_to_timestamp),
        _stable(DATE, TIMESTAMPTZ, "i", _date_to_timestamptz),
        cast(TIMESTAMP, DATE, "a", timestamp_to_date),
        cast(TIMESTAMP, TIME, "a", _to_time),
        _stable(TIMESTAMP, TIMESTAMPTZ, "i", _to_zoned),
        _stable(TIMESTAMPTZ, TIMESTAMP, "a", _to_local),
        _stable(TIMESTAMPTZ, DATE, "a", _zoned_to_date),
        _stable(TIMESTAMPTZ, TIME, "a", _zoned_to_time),
        cast(TIME, INTERVAL, "i", lambda v: pack_interval(0, 0, v)),
        cast(INTERVAL, TIME, "a", lambda v: unpack_interval(v)[2] % DAY_US),
    ]


# ------------------------------------------------------------------ json


def _json_scalar(target: PgType, kinds: tuple[type, ...]) -> Callable[[str], Datum]:
    numeric = {
        INT2: _numeric_to_int(INT2),
        INT4: _numeric_to_int(INT4),
        INT8: _numeric_to_int(INT8),
    }
    convert: Callable[[str], Datum] = (
        numeric.get(target)
        or {FLOAT8: _numeric_to_float, FLOAT4: _numeric_to_real}.get(target)
        or same
    )
    names = {
        str: "string",
        bool: "boolean",
        int: "numeric",
        Decimal: "numeric",
        list: "array",
        dict: "object",
    }

    def run(text: str) -> Datum:
        value = jsonvalues.parse(text)
        if type(value) in kinds:
            return value if target is BOOL else convert(jsonvalues.number(value))
        kind = names.get(type(value), "null")
        raise InvalidParameterValueError(f"cannot cast jsonb {kind} to type {target.sql_name}")

    return run


def _to_jsonb(context: EvalContext, text: str) -> Datum:
    return JSONB.input(text, -1, context.types)


def _jsons() -> list[Overload]:
    numbers = (INT2, INT4, INT8, FLOAT4, FLOAT8, NUMERIC)
    return [
        cast(JSON, JSONB, "a", _to_jsonb, needs_context=True),
        cast(JSONB, JSON, "a", same),
        cast(JSONB, BOOL, "e", _json_scalar(BOOL, (bool,))),
        *(cast(JSONB, t, "e", _json_scalar(t, (int, Decimal))) for t in numbers),
    ]


# ------------------------------------------------------------------ lengths


def _cut(value: str, typmod: int) -> str:
    return value[: typmod - 4] if typmod >= 4 else value


def _fit(value: str, typmod: int) -> str:
    length = typmod - 4
    if length < 0 or len(value) <= length:
        return value
    if value[length:].strip(" "):
        raise StringDataRightTruncationError(f"value too long for type character varying({length})")
    return value[:length]


def _pad(value: str, typmod: int) -> str:
    return value[: typmod - 4].ljust(typmod - 4) if typmod >= 4 else value


def _fit_pad(value: str, typmod: int) -> str:
    length = typmod - 4
    if length < 0:
        return value
    if value[length:].strip(" "):
        raise StringDataRightTruncationError(f"value too long for type character({length})")
    return value[:length].ljust(length)


def _round_micros(value: int, typmod: int) -> int:
    if not 0 <= typmod < 6 or value in {INFINITY, MINUS_INFINITY}:
        return value
    step = 10 ** (6 - typmod)
    sign = -1 if value < 0 else 1
    return int((abs(value) + step // 2) // step * step * sign)


def _length(pg_type: PgType, row: Callable[..., Datum], *, name: str = "") -> Overload:
    made = cast(pg_type, pg_type, "i", row, needs_typmod=True)
    if not name:
        return made
    return Overload(
        name, made.kind, made.args, made.result, made.row, needs_typmod=True, cast_context="a"
    )


# Length coercions of an explicit cast; assignments differ for the two string types.
LENGTHS: tuple[Overload, ...] = (
    _length(NUMERIC, decimals.apply_typmod),
    _length(VARCHAR, _cut),
    _length(BPCHAR, _pad),
    _length(TIMESTAMP, _round_micros),
    _length(TIMESTAMPTZ, _round_micros),
    _length(TIME, _round_micros),
    _length(TIMETZ, fit_timetz),
    _length(BIT, cut_bit),
    _length(VARBIT, cut_varbit),
    _length(INTERVAL, fit_interval),
)
ASSIGNED_LENGTHS: tuple[Overload, ...] = (
    _length(VARCHAR, _fit, name="varchar->varchar assignment"),
    _length(BPCHAR, _fit_pad, name="bpchar->bpchar assignment"),
    _length(BIT, fit_bit, name="bit->bit assignment"),
    _length(VARBIT, fit_varbit, name="varbit->varbit assignment"),
)

OVERLOADS: tuple[Overload, ...] = (
    *_numbers(), *_oids(), *_strings(), *_times(), *_jsons(), *LENGTHS,
)  # fmt: skip


# ------------------------------------------------------------------ made on demand

_MOMENT = re.compile("now|today|tomorrow|yesterday", re.IGNORECASE)


def io_cast(source: PgType, target: PgType) -> Overload | None:
    """A conversion through text, when one side is a string type; without typmod."""
    if target in STRINGS:
        return cast(source, target, "a", _output(source, target), needs_context=True,
                    volatility=volatility_as_text(source))  # fmt: skip
    if source in STRINGS:
        named = target is REGCLASS and source in (TEXT, VARCHAR)

        def read(context: EvalContext, text: str) -> Datum:
            types = context.types
            if named and _NO_NAME.fullmatch(text):
                text = f'"{text}"'  # A number is an OID in a literal alone.
            if target.category == "D" and types.now_us != context.now_us and _MOMENT.search(text):
                types = replace(types, now_us=context.now_us)
            return target.input(text, -1, types)

        # Of these pg_cast has rows: setval(pg_get_serial_sequence(…), 1), as ORMs write it.
        return cast(source, target, "i" if named else "e", read, needs_context=True,
                    volatility=volatility_as_text(target))  # fmt: skip
    return None


_NO_NAME = re.compile("-|[0-9]+")
_PLAIN = frozenset(
    """
    bool int2 int4 int8 numeric oid uuid text varchar bpchar name json jsonb inet cidr macaddr bit varbit
    """.split()  # noqa: SIM905 -- a table of words
)


def volatility_as_text(kind: PgType) -> Volatility:
    """Whether the text of a type's values depends on anything: pg_proc.provolatile of typinput and typoutput.

    Floats and bytea are immutable in PostgreSQL, too; here their text depends on what a session has set.
    """
    return Volatility.IMMUTABLE if kind.name in _PLAIN else Volatility.STABLE


def _output(source: PgType, target: PgType) -> Callable[..., Datum]:
    if target is NAME:
        return lambda context, value: _to_name(source.output(value, context.types))
    if target is CHAR:
        return lambda context, value: source.output(value, context.types)[:1]
    return lambda context, value: source.output(value, context.types)


def record_cast(source: PgType) -> Overload:
    """A composite type's value as a row that says itself what it is."""
    return cast(source, RECORD, "i", lambda value: record_from(source, value))


def array_cast(source: PgType, target: PgType, element: Overload) -> Overload:
    """An array cast that converts each element by `element`."""
    row = element.row
    assert row is not None
    takes_typmod = element.needs_typmod

    def convert(values: Datum, *more: Datum) -> Datum:
        before, after = (more[:1], more[1:]) if element.needs_context else ((), more)
        return with_each(values, lambda v: None if v is None else row(*before, v, *after))

    if element.needs_context:

        def run(context: EvalContext, values: Datum, *typmod: int) -> Datum:
            return convert(values, context, *typmod)

    else:
        run = convert  # type: ignore[assignment] # without context, called without one
    return cast(
        source, target, element.cast_context, run, needs_context=element.needs_context,
        needs_typmod=takes_typmod, volatility=element.volatility,
    )  # fmt: skip
