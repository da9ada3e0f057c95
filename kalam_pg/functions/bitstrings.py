"""Bit strings: operators, functions and casts. A value is a text of zeros and ones (`catalog.types.bits`)."""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import and_, or_, xor

from catalog.errors import (
    ArraySubscriptError,
    InvalidParameterValueError,
    NumericValueOutOfRangeError,
    StringDataLengthMismatchError,
    SubstringError,
)
from catalog.types.registry import BIT, INT4, INT8, VARBIT
from kalam_pg.functions.define import Datum, aggregate, cast, function, operator, same
from kalam_pg.functions.strings import overlay
from kalam_pg.functions.table import Overload

Combine = Callable[[int, int], int]


def _combined(combine: Combine, word: str) -> Callable[[str, str], str]:
    def run(a: str, b: str) -> str:
        if len(a) != len(b):
            raise StringDataLengthMismatchError(f"cannot {word} bit strings of different sizes")
        return f"{combine(int(a, 2), int(b, 2)):0{len(a)}b}" if a else ""

    return run


_COMBINED = {
    "&": _combined(and_, "AND"),
    "|": _combined(or_, "OR"),
    "#": _combined(xor, "XOR"),
}


def _inverted(bits: str) -> str:
    return bits.translate(_INVERSE)


_INVERSE = str.maketrans("01", "10")


def _shifted(bits: str, by: int) -> str:
    """To the left; of a negative number to the right."""
    by = max(-len(bits), min(len(bits), by))
    return bits[by:] + "0" * by if by >= 0 else "0" * -by + bits[:by]


def _substring(bits: str, start: int, length: int | None = None) -> str:
    if length is not None and length < 0:
        raise SubstringError("negative substring length not allowed")
    end = len(bits) if length is None else start - 1 + length
    return bits[max(start - 1, 0) : max(end, 0)]


def _position(bits: str, part: str) -> int:
    return bits.find(part) + 1 if bits else 0


def _place(bits: str, index: int) -> int:
    if not 0 <= index < len(bits):
        raise ArraySubscriptError(f"bit index {index} out of valid range (0..{len(bits) - 1})")
    return index


def _get_bit(bits: str, index: int) -> int:
    return int(bits[_place(bits, index)])


def _set_bit(bits: str, index: int, bit: int) -> str:
    at = _place(bits, index)
    if bit not in (0, 1):
        raise InvalidParameterValueError("new bit must be 0 or 1")
    return f"{bits[:at]}{bit}{bits[at + 1 :]}"


def _from_integer(size: int) -> Callable[[int, int], str]:
    """The last bits of a number, or its sign before them."""

    def run(value: int, length: int) -> str:
        length = max(length, 1)
        return f"{value & ((1 << max(length, size)) - 1):0{max(length, size)}b}"[-length:]

    return run


def _to_integer(size: int, name: str) -> Callable[[str], int]:
    def run(bits: str) -> int:
        if len(bits) > size:
            raise NumericValueOutOfRangeError(f"{name} out of range")
        value = int(bits, 2) if bits else 0
        return value - (1 << size) if value >> (size - 1) else value

    return run


def _of_all(symbol: str) -> Callable[[Sequence[tuple[Datum, ...]]], str | None]:
    combine = _COMBINED[symbol]

    def run(rows: Sequence[tuple[Datum, ...]]) -> str | None:
        found = [value for (value,) in rows if value is not None]
        return reduce(combine, found) if found else None

    return run


_B = BIT

OVERLOADS: tuple[Overload, ...] = (
    *(operator(symbol, (_B, _B), _B, run) for symbol, run in _COMBINED.items()),
    operator("~", (_B,), _B, _inverted),
    operator("<<", (_B, INT4), _B, _shifted),
    operator(">>", (_B, INT4), _B, lambda bits, by: _shifted(bits, -by)),
    operator("||", (VARBIT, VARBIT), VARBIT, lambda a, b: a + b),
    function("length", (_B,), INT4, len),
    function("bit_length", (_B,), INT4, len),
    function("octet_length", (_B,), INT4, lambda bits: -(-len(bits) // 8)),
    function("bit_count", (_B,), INT8, lambda bits: bits.count("1")),
    function("substring", (_B, INT4), _B, _substring),
    function("substring", (_B, INT4, INT4), _B, _substring),
    function("overlay", (_B, _B, INT4), _B, overlay),
    function("overlay", (_B, _B, INT4, INT4), _B, overlay),
    function("position", (_B, _B), INT4, _position),
    function("get_bit", (_B, INT4), INT4, _get_bit),
    function("set_bit", (_B, INT4, INT4), _B, _set_bit),
    cast(BIT, VARBIT, "i", same),
    cast(VARBIT, BIT, "i", same),
    cast(INT4, BIT, "e", _from_integer(32), needs_typmod=True),
    cast(INT8, BIT, "e", _from_integer(64), needs_typmod=True),
    cast(BIT, INT4, "e", _to_integer(32, "integer")),
    cast(BIT, INT8, "e", _to_integer(64, "bigint")),
    *(
        aggregate(name, (_B,), _B, _of_all(symbol))
        for name, symbol in (("bit_and", "&"), ("bit_or", "|"), ("bit_xor", "#"))
    ),
)
