"""Arithmetic of smallint, integer and bigint, and bits; overflow is 22003 in PostgreSQL's words."""

import operator as py
from collections.abc import Callable
from math import floor, gcd, inf

from catalog.errors import (
    DivisionByZeroError,
    InvalidArgumentForWidthBucketFunctionError,
    NumericValueOutOfRangeError,
)
from catalog.types.registry import INT2, INT4, INT8, OID
from catalog.types.table import PgType
from kalam_pg.functions import vectors
from kalam_pg.functions.define import Datum, function, operator
from kalam_pg.functions.table import Overload

RANGES: dict[int, tuple[int, int, str]] = {
    INT2.oid: (-(2**15), 2**15 - 1, "smallint"),
    INT4.oid: (-(2**31), 2**31 - 1, "integer"),
    INT8.oid: (-(2**63), 2**63 - 1, "bigint"),
    OID.oid: (0, 2**32 - 1, "OID"),
}
_BITS = {INT2.oid: 16, INT4.oid: 32, INT8.oid: 64}
_TYPES = (INT2, INT4, INT8)


def out_of_range(pg_type: PgType) -> NumericValueOutOfRangeError:
    """`integer out of range` and its kin."""
    return NumericValueOutOfRangeError(f"{RANGES[pg_type.oid][2]} out of range")


def checked(pg_type: PgType, compute: Callable[..., int]) -> Callable[..., int]:
    """`compute`, refusing results outside the type's range."""
    low, high, _ = RANGES[pg_type.oid]

    def run(*args: int) -> int:
        result = compute(*args)
        if low <= result <= high:
            return result
        raise out_of_range(pg_type)

    return run


def _binary(pg_type: PgType, compute: Callable[[int, int], int]) -> Callable[[int, int], int]:
    low, high, _ = RANGES[pg_type.oid]

    def run(a: int, b: int) -> int:
        result = compute(a, b)
        if low <= result <= high:
            return result
        raise out_of_range(pg_type)

    return run


def truncated_quotient(a: int, b: int) -> int:
    """A / b toward zero."""
    if b == 0:
        raise DivisionByZeroError("division by zero")
    return a // b if (a >= 0) == (b > 0) else -(-a // b)


def remainder(a: int, b: int) -> int:
    """A % b, with the sign of a."""
    if b == 0:
        raise DivisionByZeroError("division by zero")
    return a - b * truncated_quotient(a, b)


def _arithmetic() -> list[Overload]:
    table: list[tuple[str, Callable[[int, int], int], str]] = [
        ("+", py.add, "add"),
        ("-", py.sub, "subtract"),
        ("*", py.mul, "multiply"),
        ("/", truncated_quotient, "divide"),
    ]
    return [
        operator(symbol, (a, b), c, _binary(c, compute), arrow=vectors.integer(kernel, c.oid))
        for symbol, compute, kernel in table
        for a in _TYPES
        for b in _TYPES
        for c in (a if _BITS[a.oid] >= _BITS[b.oid] else b,)
    ]


def _wrap(pg_type: PgType, value: int) -> int:
    """Keep the low bits, as a C integer does."""
    bits = _BITS[pg_type.oid]
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _shift_left(pg_type: PgType) -> Callable[[int, int], int]:
    bits = max(32, _BITS[pg_type.oid])  # C shifts an int2 as an int
    return lambda a, b: _wrap(pg_type, a << (b % bits))


def _shift_right(pg_type: PgType) -> Callable[[int, int], int]:
    bits = max(32, _BITS[pg_type.oid])
    return lambda a, b: a >> (b % bits)


def _bits(t: PgType) -> list[Overload]:
    return [
        operator("&", (t, t), t, py.and_, native="({0} & {1})"),
        operator("|", (t, t), t, py.or_, native="({0} | {1})"),
        operator("#", (t, t), t, py.xor),
        operator("~", (t,), t, py.invert),
        operator("<<", (t, INT4), t, _shift_left(t)),
        operator(">>", (t, INT4), t, _shift_right(t)),
    ]


def _sign_and_modulo(t: PgType) -> list[Overload]:
    absolute = checked(t, abs)
    return [
        operator("+", (t,), t, py.pos, native="{0}"),
        operator("-", (t,), t, checked(t, py.neg), arrow=vectors.integer("negate", t.oid)),
        operator("@", (t,), t, absolute, arrow=vectors.integer("abs", t.oid)),
        operator("%", (t, t), t, remainder, arrow=vectors.remainder),
        function("mod", (t, t), t, remainder, arrow=vectors.remainder),
        function("abs", (t,), t, absolute, arrow=vectors.integer("abs", t.oid)),
    ]


def _lcm(a: int, b: int) -> int:
    return 0 if a == 0 or b == 0 else abs(a // gcd(a, b) * b)


def to_hex(pg_type: PgType) -> Callable[[int], str]:
    """Hexadecimal of the two's complement."""
    mask = (1 << _BITS[pg_type.oid]) - 1
    return lambda value: format(value & mask, "x")


def width_bucket(operand: Datum, low: Datum, high: Datum, count: int) -> int:
    """Which of `count` equal buckets between low and high; 0 and count + 1 lie outside.

    Raises:
        InvalidArgumentForWidthBucketFunctionError: There are no such buckets.
    """
    if count <= 0:
        raise InvalidArgumentForWidthBucketFunctionError("count must be greater than zero")
    if operand != operand or low != low or high != high:  # noqa: PLR0124 - NaN
        raise InvalidArgumentForWidthBucketFunctionError(
            "operand, lower bound, and upper bound cannot be NaN"
        )
    if abs(low) == inf or abs(high) == inf:
        raise InvalidArgumentForWidthBucketFunctionError("lower and upper bounds must be finite")
    if low == high:
        raise InvalidArgumentForWidthBucketFunctionError("lower bound cannot equal upper bound")
    if (operand < low) if low < high else (operand > low):
        return 0
    if (operand >= high) if low < high else (operand <= high):
        if count == RANGES[INT4.oid][1]:
            raise out_of_range(INT4)
        return count + 1
    if abs(count * (high - low)) == inf:  # only of floats
        low, high, operand = low / count / 2, high / count / 2, operand / count / 2
    before: int = floor(count * (operand - low) / (high - low))
    return before + 1


OVERLOADS: tuple[Overload, ...] = (
    *_arithmetic(),
    *(o for t in _TYPES for o in (*_sign_and_modulo(t), *_bits(t))),
    *(
        o
        for t in (INT4, INT8)
        for o in (
            function("gcd", (t, t), t, checked(t, gcd)),
            function("lcm", (t, t), t, checked(t, _lcm)),
        )
    ),
)
