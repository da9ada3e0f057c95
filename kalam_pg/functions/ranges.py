"""Functions, operators and casts of ranges and multiranges, one of each for each of their types.

Both are worked on as *spans*: the ranges of a multirange, in order; of a range itself or none.
"""

from collections.abc import Callable
from dataclasses import dataclass

from catalog.errors import DataExceptionError, NullValueNotAllowedError, SqlSyntaxError
from catalog.types import registry as types
from catalog.types.multiranges import (
    MULTIRANGES,
    lower_key,
    pack_multirange,
    reaches,
    unpack_multirange,
    upper_key,
)
from catalog.types.ranges import FAMILIES, RangeFamily, Span
from catalog.types.table import PgType
from kalam_pg.functions.define import Datum, aggregate, cast, function, operator, returns_set
from kalam_pg.functions.table import Overload

Spans = list[Span]


@dataclass(frozen=True)
class _Kind:
    """A range type or its multirange type, and how its values are spans."""

    type: PgType
    family: RangeFamily
    many: bool

    def spans(self, data: bytes) -> Spans:
        """What a stored value consists of."""
        if self.many:
            return unpack_multirange(data, self.family)
        span = self.family.unpack(data)
        return [] if span is None else [span]

    def packed(self, spans: Spans) -> bytes:
        """The stored value of spans; of a range there is one at most."""
        if self.many:
            return pack_multirange(spans, self.family)
        return self.family.pack(spans[0] if spans else None)


# ---------------------------------------------------------------------------- spans


def _contains(family: RangeFamily, a: Spans, b: Spans) -> bool:
    return all(
        any(
            lower_key(x, family) <= lower_key(y, family)
            and upper_key(y, family) <= upper_key(x, family)
            for x in a
        )
        for y in b
    )


def _meet(family: RangeFamily, x: Span, y: Span) -> Span | None:
    low = max(x, y, key=lambda s: lower_key(s, family))
    high = min(x, y, key=lambda s: upper_key(s, family))
    if lower_key(low, family) > upper_key(high, family):
        return None
    return Span(low.lower, high.upper, low.lower_in, high.upper_in)


def _intersection(family: RangeFamily, a: Spans, b: Spans) -> Spans:
    met = [_meet(family, x, y) for x in a for y in b]
    return [span for span in met if span is not None]


def _without(family: RangeFamily, a: Spans, b: Spans) -> Spans:
    left = a
    for y in b:
        left = [part for x in left for part in _cut(family, x, y)]
    return left


def _cut(family: RangeFamily, x: Span, y: Span) -> Spans:
    """What of x lies before y and behind it."""
    if _meet(family, x, y) is None:
        return [x]
    parts: Spans = []
    if lower_key(x, family) < lower_key(y, family):
        parts.append(Span(x.lower, y.lower, x.lower_in, not y.lower_in))
    if upper_key(y, family) < upper_key(x, family):
        parts.append(Span(y.upper, x.upper, not y.upper_in, x.upper_in))
    return parts


def _overlap(family: RangeFamily, a: Spans, b: Spans) -> bool:
    return bool(_intersection(family, a, b))


def _before(family: RangeFamily, a: Spans, b: Spans) -> bool:
    return bool(a and b) and upper_key(a[-1], family) < lower_key(b[0], family)


def _behind(family: RangeFamily, a: Spans, b: Spans) -> bool:
    return _before(family, b, a)


def _ends_within(family: RangeFamily, a: Spans, b: Spans) -> bool:
    return bool(a and b) and upper_key(a[-1], family) <= upper_key(b[-1], family)


def _begins_within(family: RangeFamily, a: Spans, b: Spans) -> bool:
    return bool(a and b) and lower_key(a[0], family) >= lower_key(b[0], family)


def _adjacent(family: RangeFamily, a: Spans, b: Spans) -> bool:
    def next_to(x: Span, y: Span) -> bool:
        return (
            x.upper is not None
            and y.lower is not None
            and family.key(x.upper) == family.key(y.lower)
            and x.upper_in != y.lower_in
        )

    return bool(a and b) and (next_to(a[-1], b[0]) or next_to(b[-1], a[0]))


def _hull(family: RangeFamily, a: Spans, b: Spans) -> Spans:
    """The smallest range that has both."""
    both = a + b
    if not both:
        return []
    low = min(both, key=lambda s: lower_key(s, family))
    high = max(both, key=lambda s: upper_key(s, family))
    return [Span(low.lower, high.upper, low.lower_in, high.upper_in)]


def _union(family: RangeFamily, a: Spans, b: Spans) -> Spans:
    if a and b and not (reaches(a[0], b[0], family) and reaches(b[0], a[0], family)):
        raise DataExceptionError("result of range union would not be contiguous")
    return _hull(family, a, b)


def _difference(family: RangeFamily, a: Spans, b: Spans) -> Spans:
    parts = _without(family, a, b)
    if len(parts) > 1:
        raise DataExceptionError("result of range difference would not be contiguous")
    return parts


def _together(_family: RangeFamily, a: Spans, b: Spans) -> Spans:
    return a + b


_RELATIONS: tuple[tuple[str, Callable[[RangeFamily, Spans, Spans], bool]], ...] = (
    ("@>", _contains),
    ("<@", lambda family, a, b: _contains(family, b, a)),
    ("&&", _overlap),
    ("<<", _before),
    (">>", _behind),
    ("&<", _ends_within),
    ("&>", _begins_within),
    ("-|-", _adjacent),
)


# ---------------------------------------------------------------------------- one kind's rows


def _relations(left: _Kind, right: _Kind) -> list[Overload]:
    def make(test: Callable[[RangeFamily, Spans, Spans], bool]) -> Callable[[bytes, bytes], bool]:
        return lambda a, b: test(left.family, left.spans(a), right.spans(b))

    return [
        operator(symbol, (left.type, right.type), types.BOOL, make(test))
        for symbol, test in _RELATIONS
    ]


def _made_of(
    kind: _Kind, make: Callable[[RangeFamily, Spans, Spans], Spans]
) -> Callable[..., bytes]:
    return lambda a, b: kind.packed(make(kind.family, kind.spans(a), kind.spans(b)))


def _combinations(kind: _Kind) -> list[Overload]:
    rows = (
        ("+", _together if kind.many else _union),
        ("*", _intersection),
        ("-", _without if kind.many else _difference),
    )
    return [
        operator(symbol, (kind.type, kind.type), kind.type, _made_of(kind, make))
        for symbol, make in rows
    ]


def _elements(kind: _Kind) -> list[Overload]:
    """Whether one value lies in it."""

    def within(data: bytes, value: Datum) -> bool:
        return _contains(kind.family, kind.spans(data), [Span(value, value, True, True)])

    element = kind.family.subtype
    return [
        operator("@>", (kind.type, element), types.BOOL, within),
        operator("<@", (element, kind.type), types.BOOL, lambda value, data: within(data, value)),
    ]


def _bounds(kind: _Kind) -> list[Overload]:
    def of(
        name: str, result: PgType, ask: Callable[[Spans], Datum], empty: Datum = False
    ) -> Overload:
        def run(data: bytes) -> Datum:
            spans = kind.spans(data)
            return ask(spans) if spans else empty

        return function(name, (kind.type,), result, run)

    element = kind.family.subtype
    return [
        of("lower", element, lambda s: s[0].lower, None),
        of("upper", element, lambda s: s[-1].upper, None),
        of("isempty", types.BOOL, lambda _s: False, True),
        of("lower_inc", types.BOOL, lambda s: s[0].lower_in),
        of("upper_inc", types.BOOL, lambda s: s[-1].upper_in),
        of("lower_inf", types.BOOL, lambda s: s[0].lower is None),
        of("upper_inf", types.BOOL, lambda s: s[-1].upper is None),
    ]


def _constructors(kind: _Kind) -> list[Overload]:
    family, element, name = kind.family, kind.family.subtype, kind.type.name

    def make(lower: Datum, upper: Datum, flags: str | None = "[)") -> bytes:
        if flags is None:
            raise DataExceptionError("range constructor flags argument must not be null")
        if flags not in {"[]", "[)", "(]", "()"}:
            raise SqlSyntaxError(
                "invalid range bound flags", hint='Valid values are "[]", "[)", "(]", and "()".'
            )
        return family.made(Span(lower, upper, flags[0] == "[", flags[1] == "]"))

    return [
        function(name, (element, element), kind.type, make, strict=False),
        function(name, (element, element, types.TEXT), kind.type, make, strict=False),
        function("range_merge", (kind.type, kind.type), kind.type, _made_of(kind, _hull)),
    ]


def _of_many(one: _Kind, many: _Kind) -> list[Overload]:
    """What turns ranges into a multirange, and back."""
    family, name = many.family, many.type.name

    def made(*ranges: bytes | None) -> bytes:
        if None in ranges:
            raise NullValueNotAllowedError("multirange values cannot contain null members")
        return many.packed(
            [span for data in ranges if data is not None for span in one.spans(data)]
        )

    def merged(data: bytes) -> bytes:
        return one.packed(_hull(family, many.spans(data), []))

    def unnest(data: bytes) -> list[bytes]:
        return [family.pack(span) for span in many.spans(data)]

    list_of = types.array_of(one.type)
    assert list_of is not None
    return [
        function(name, (), many.type, made),
        function(name, (one.type,), many.type, made),
        function(name, (list_of,), many.type, made, variadic=True, strict=False),
        function("multirange", (one.type,), many.type, made),
        function("range_merge", (many.type,), one.type, merged),
        cast(one.type, many.type, "e", made),
        returns_set("unnest", (many.type,), one.type, unnest),
    ]


def _aggregates(kind: _Kind, many: _Kind) -> list[Overload]:
    def together(rows: list[tuple[Datum, ...]]) -> Datum:
        given = [data for (data,) in rows if data is not None]
        if not given:
            return None
        return many.packed([span for data in given for span in kind.spans(data)])

    def met(rows: list[tuple[Datum, ...]]) -> Datum:
        given = [kind.spans(data) for (data,) in rows if data is not None]
        if not given:
            return None
        spans = given[0]
        for other in given[1:]:
            spans = _intersection(kind.family, spans, other)
        return kind.packed(spans)

    return [
        aggregate("range_agg", (kind.type,), many.type, together),
        aggregate("range_intersect_agg", (kind.type,), kind.type, met),
    ]


def _of_family(one: _Kind, many: _Kind) -> list[Overload]:
    found = _constructors(one) + _of_many(one, many)
    for kind in (one, many):
        found += _combinations(kind) + _elements(kind) + _bounds(kind) + _aggregates(kind, many)
        found += _relations(kind, one) + _relations(kind, many)
    return found


def rows_of(one: PgType, many: PgType, family: RangeFamily) -> tuple[Overload, ...]:
    """Everything there is for a range type and its multiranges; of all such types in the same order."""
    return tuple(_of_family(_Kind(one, family, False), _Kind(many, family, True)))


OVERLOADS: tuple[Overload, ...] = tuple(
    overload
    for one, family in FAMILIES.items()
    for overload in rows_of(one, MULTIRANGES[one], family)
)
