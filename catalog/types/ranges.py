"""Ranges: from a lower to an upper bound of one type, each in or out, or without an end; or empty.

A range is stored as bytes that sort as PostgreSQL's ranges do, and so are compared, grouped, kept in
keys and in segments without being read. One kind byte, then for a range that is not empty:

    lower   00 no bound  | 01 key 00 in  | 01 key 01 out
    upper   01 key 00 out | 01 key 01 in | 02 no bound

`key` is the bound as `storage.keycodes` has it. Of a numeric it says nothing of the digits that are
shown (1.0 is 1.00), so numrange has them behind the rest, two bytes for each bound that there is, and then
how many bytes those are: keys of the kind "trimmed" are without them, and so is what is compared.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple, cast

import pyarrow as pa

from catalog.errors import (
    DataExceptionError,
    DatetimeFieldOverflowError,
    NumericValueOutOfRangeError,
)
from catalog.types import range_text
from catalog.types.common import bad_binary, fixed
from catalog.types.datetime import DATE, TIMESTAMP, TIMESTAMPTZ
from catalog.types.integer import INT4, INT8
from catalog.types.numeric import NUMERIC
from catalog.types.table import PgType, TypeContext
from storage.keycodes import DECODERS, ENCODERS, trimmed
from storage.layout import Value

_EMPTY, _FILLED = b"\x00", b"\x01"
_SHOWN = Struct(">H")
_SHOWN_BYTES = Struct(">I")
_LENGTH = Struct("!i")
_FLAG_EMPTY, _FLAG_LOWER_IN, _FLAG_UPPER_IN, _FLAG_LOWER_INF, _FLAG_UPPER_INF = 1, 2, 4, 8, 16
_DATE_MIN, _DATE_MAX = -(1 << 31), (1 << 31) - 1


class Span(NamedTuple):
    """A range that is not empty. A bound that is None is no bound, and never in the range."""

    lower: Value
    upper: Value
    lower_in: bool = True
    upper_in: bool = False


Step = Callable[[Value], Value]


@dataclass(frozen=True, eq=False, slots=True)
class RangeFamily:
    """What one type's ranges are made of: the type, and for one that counts in steps the next value."""

    subtype: PgType
    next: Step | None

    # ------------------------------------------------------------------------- stored form
    def key(self, bound: Value) -> bytes:
        """The bound as bytes that sort as its values do."""
        return ENCODERS[self.subtype.key_kind](bound)

    def pack(self, span: Span | None) -> bytes:
        """The stored form; None is the empty range."""
        return self.bounds(span) + self.shown(() if span is None else (span,))

    def bounds(self, span: Span | None) -> bytes:
        """The stored form but for digits that are shown and do not count: it sorts as ranges do."""
        if span is None:
            return _EMPTY
        lower = b"\x00"
        if span.lower is not None:
            lower = b"\x01" + self.key(span.lower) + (b"\x00" if span.lower_in else b"\x01")
        upper = b"\x02"
        if span.upper is not None:
            upper = b"\x01" + self.key(span.upper) + (b"\x01" if span.upper_in else b"\x00")
        return _FILLED + lower + upper

    def shown(self, spans: Sequence[Span]) -> bytes:
        """What ends the stored form: the digits behind the point of each bound that there is."""
        if self.subtype is not NUMERIC:
            return b""
        bounds = [cast("str", bound) for span in spans for bound in span[:2] if bound is not None]
        digits = b"".join([_SHOWN.pack(len(bound.partition(".")[2])) for bound in bounds])
        return digits + _SHOWN_BYTES.pack(len(digits))

    def unpack(self, data: bytes) -> Span | None:
        """What `pack` was given."""
        span, _ = self.bounds_from(data, 0)
        return None if span is None else self.with_shown([span], data)[0]

    def bounds_from(self, data: bytes, at: int) -> tuple[Span | None, int]:
        """The range whose bounds begin there, and where they end."""
        kind, at = data[at : at + 1], at + 1
        if kind == _EMPTY:
            return None, at
        lower, lower_mark, at = self._bound(data, at, absent=0)
        upper, upper_mark, at = self._bound(data, at, absent=2)
        return Span(lower, upper, lower is not None and not lower_mark, bool(upper_mark)), at

    def _bound(self, data: bytes, at: int, *, absent: int) -> tuple[Value, int, int]:
        if data[at] == absent:
            return None, 0, at + 1
        value, at = DECODERS[self.subtype.key_kind](data, at + 2)
        return value, data[at], at + 1

    def with_shown(self, spans: list[Span], data: bytes) -> list[Span]:
        """Numeric bounds with as many digits as they were written with, as `data` ends."""
        if self.subtype is not NUMERIC:
            return spans
        digits = data[len(trimmed(data)) : -_SHOWN_BYTES.size]
        counts = iter([count for (count,) in _SHOWN.iter_unpack(digits)])

        def written(bound: Value) -> Value:
            return None if bound is None else _with_digits(cast("str", bound), next(counts, 0))

        return [
            span._replace(lower=written(span.lower), upper=written(span.upper)) for span in spans
        ]

    def comparable(self, data: bytes) -> bytes:
        """What is the same for equal ranges or multiranges, and sorts as they do."""
        return trimmed(data) if self.subtype is NUMERIC else data

    # ------------------------------------------------------------------------- making one
    def make(self, span: Span) -> Span | None:
        """The range in its canonical form: None if nothing is in it.

        Raises:
            DataExceptionError: 22000, the bounds are the wrong way round.
            NumericValueOutOfRangeError, DatetimeFieldOverflowError: There is no next value.
        """
        made = self._checked(span)
        if made is None or self.next is None:
            return made
        lower, upper = made.lower, made.upper
        lower_in, upper_in = lower is not None, False
        if lower is not None and not made.lower_in:
            lower = self.next(lower)
            lower_in = lower != made.lower  # An infinite date has no next one.
        if upper is not None and made.upper_in:
            upper = self.next(upper)
            upper_in = upper == made.upper
        return self._checked(Span(lower, upper, lower_in, upper_in))

    def _checked(self, span: Span) -> Span | None:
        lower, upper, lower_in, upper_in = span
        if lower is not None and upper is not None:
            low, high = self.key(lower), self.key(upper)
            if low > high:
                raise DataExceptionError(
                    "range lower bound must be less than or equal to range upper bound"
                )
            if low == high and not (lower_in and upper_in):
                return None
        return Span(lower, upper, lower_in and lower is not None, upper_in and upper is not None)

    def made(self, span: Span) -> bytes:
        """`make`, stored."""
        return self.pack(self.make(span))

    # ------------------------------------------------------------------------- input and output
    def read(self, text: str, context: TypeContext) -> bytes:
        """The stored form of a literal. Raises InvalidTextRepresentationError: 22P02."""
        found = range_text.read_range(text)
        if found is None:
            return self.pack(None)

        def value(bound: str | None) -> Value:
            return None if bound is None else self.subtype.input(bound, -1, context)

        return self.made(Span(value(found.lower), value(found.upper), *found[2:]))

    def write(self, data: bytes, context: TypeContext) -> str:
        """The text of a stored range."""
        span = self.unpack(data)
        if span is None:
            return "empty"
        output = self.subtype.output
        lower = "" if span.lower is None else range_text.quoted(output(span.lower, context))
        upper = "" if span.upper is None else range_text.quoted(output(span.upper, context))
        return f"{'[' if span.lower_in else '('}{lower},{upper}{']' if span.upper_in else ')'}"

    def receive(self, data: bytes) -> bytes:
        """The stored form of the binary one. Raises InvalidBinaryRepresentationError: 22P03."""
        if not data:
            raise bad_binary("no data left in message")
        flags, at = data[0], 1
        bounds: list[Value] = []
        for inf in (_FLAG_LOWER_INF, _FLAG_UPPER_INF):
            if flags & (inf | _FLAG_EMPTY):
                bounds.append(None)
                continue
            if len(data) < at + 4:
                raise bad_binary("insufficient data left in message")
            (length,) = _LENGTH.unpack_from(data, at)
            at += 4
            if length < 0 or len(data) < at + length:
                raise bad_binary("insufficient data left in message")
            bounds.append(self.subtype.receive(data[at : at + length], -1))
            at += length
        if at != len(data):
            raise bad_binary("improper binary format in range")
        if flags & _FLAG_EMPTY:
            return self.pack(None)
        lower_in, upper_in = bool(flags & _FLAG_LOWER_IN), bool(flags & _FLAG_UPPER_IN)
        return self.made(Span(bounds[0], bounds[1], lower_in, upper_in))

    def send(self, data: bytes) -> bytes:
        """The binary form of a stored range."""
        span = self.unpack(data)
        if span is None:
            return bytes((_FLAG_EMPTY,))
        flags = span.lower_in * _FLAG_LOWER_IN + span.upper_in * _FLAG_UPPER_IN
        parts: list[bytes] = []
        for bound, inf in ((span.lower, _FLAG_LOWER_INF), (span.upper, _FLAG_UPPER_INF)):
            if bound is None:
                flags |= inf
            else:
                sent = self.subtype.send(bound)
                parts += (_LENGTH.pack(len(sent)), sent)
        return bytes((flags,)) + b"".join(parts)


def _with_digits(text: str, shown: int) -> str:
    """A number with as many digits behind the point as it was written with."""
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.ljust(shown, '0')}" if shown else text


def _next_integer(limit: int, message: str) -> Step:
    def step(value: Value) -> Value:
        if value == limit:
            raise NumericValueOutOfRangeError(message)
        return cast("int", value) + 1

    return step


def _next_date(value: Value) -> Value:
    days = cast("int", value)
    if days in {_DATE_MIN, _DATE_MAX}:  # an infinite date has no next one
        return days
    if days == DATE.input("5874897-12-31", -1, TypeContext()):
        raise DatetimeFieldOverflowError("date out of range")
    return days + 1


def range_type(name: str, oid: int, array_oid: int, family: RangeFamily) -> PgType:
    """The type of ranges of a family."""
    return PgType(
        oid=oid,
        name=name,
        sql_name=name,
        length=-1,
        category="R",
        preferred=False,
        array_oid=array_oid,
        key_kind="trimmed" if family.subtype is NUMERIC else "bytes",
        arrow=fixed(pa.binary()),
        input=lambda text, _typmod, context: family.read(text, context),
        output=lambda value, context: family.write(cast("bytes", value), context),
        receive=lambda data, _typmod: family.receive(data),
        send=lambda value: family.send(cast("bytes", value)),
    )


_INT4 = RangeFamily(INT4, _next_integer((1 << 31) - 1, "integer out of range"))
_INT8 = RangeFamily(INT8, _next_integer((1 << 63) - 1, "bigint out of range"))
_NUMERIC = RangeFamily(NUMERIC, None)
_TIMESTAMP = RangeFamily(TIMESTAMP, None)
_TIMESTAMPTZ = RangeFamily(TIMESTAMPTZ, None)
_DATE = RangeFamily(DATE, _next_date)

INT4RANGE = range_type("int4range", 3904, 3905, _INT4)
NUMRANGE = range_type("numrange", 3906, 3907, _NUMERIC)
TSRANGE = range_type("tsrange", 3908, 3909, _TIMESTAMP)
TSTZRANGE = range_type("tstzrange", 3910, 3911, _TIMESTAMPTZ)
DATERANGE = range_type("daterange", 3912, 3913, _DATE)
INT8RANGE = range_type("int8range", 3926, 3927, _INT8)

FAMILIES: dict[PgType, RangeFamily] = {
    INT4RANGE: _INT4, NUMRANGE: _NUMERIC, TSRANGE: _TIMESTAMP, TSTZRANGE: _TIMESTAMPTZ,
    DATERANGE: _DATE, INT8RANGE: _INT8,
}  # fmt: skip
"""Range types to what their ranges are made of."""
