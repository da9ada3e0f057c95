"""Multiranges: ranges that do not touch, in order. Stored as bytes that sort as PostgreSQL's do.

The bounds of the ranges stand one after another, each range behind its own kind byte, and a zero byte
ends them. Of numeric ones come then the digits that are shown and do not count, as with ranges.
"""

from collections.abc import Iterable
from struct import Struct
from typing import cast

import pyarrow as pa

from catalog.types.common import bad_binary, fixed
from catalog.types.numeric import NUMERIC
from catalog.types.range_text import read_multirange
from catalog.types.ranges import (
    DATERANGE,
    FAMILIES,
    INT4RANGE,
    INT8RANGE,
    NUMRANGE,
    TSRANGE,
    TSTZRANGE,
    RangeFamily,
    Span,
)
from catalog.types.table import PgType, TypeContext
from storage.layout import Value

_END = b"\x00"
_COUNT = Struct("!i")


def unpack_multirange(data: bytes, family: RangeFamily) -> list[Span]:
    """The ranges of a stored multirange."""
    spans: list[Span] = []
    at = 0
    while data[at : at + 1] != _END:
        span, at = family.bounds_from(data, at)
        assert span is not None
        spans.append(span)
    return family.with_shown(spans, data)


def pack_multirange(spans: Iterable[Span | None], family: RangeFamily) -> bytes:
    """The stored form of the union of some ranges, in any order; None is an empty one."""
    merged: list[Span] = []
    filled = [span for span in spans if span is not None]
    for span in sorted(filled, key=family.bounds):
        if merged and reaches(merged[-1], span, family):
            if upper_key(span, family) > upper_key(merged[-1], family):
                merged[-1] = Span(merged[-1].lower, span.upper, merged[-1].lower_in, span.upper_in)
        else:
            merged.append(span)
    return b"".join(map(family.bounds, merged)) + _END + family.shown(merged)


def lower_key(span: Span, family: RangeFamily) -> tuple[int, bytes, int]:
    """Orders lower bounds: none first, then one that is in, then the same one out."""
    if span.lower is None:
        return (0, b"", 0)
    return (1, family.key(span.lower), 0 if span.lower_in else 1)


def upper_key(span: Span, family: RangeFamily) -> tuple[int, bytes, int]:
    """Orders upper bounds, and lower ones among them: one that is out, the same one in, none."""
    if span.upper is None:
        return (2, b"", 0)
    return (1, family.key(span.upper), 0 if span.upper_in else -1)


def reaches(left: Span, right: Span, family: RangeFamily) -> bool:
    """Whether nothing lies between the end of `left` and the beginning of `right`."""
    if left.upper is None or right.lower is None:
        return True
    end, begin = family.key(left.upper), family.key(right.lower)
    return end > begin or (end == begin and (left.upper_in or right.lower_in))


def _read(text: str, family: RangeFamily, context: TypeContext) -> bytes:
    found = [family.unpack(family.read(part, context)) for part in read_multirange(text)]
    return pack_multirange(found, family)


def _write(data: bytes, family: RangeFamily, context: TypeContext) -> str:
    spans = unpack_multirange(data, family)
    return "{" + ",".join([family.write(family.pack(span), context) for span in spans]) + "}"


def _receive(data: bytes, family: RangeFamily) -> bytes:
    if len(data) < 4:
        raise bad_binary("insufficient data left in message")
    (count,) = _COUNT.unpack_from(data)
    at = 4
    spans: list[Span | None] = []
    while len(spans) < count:
        if len(data) < at + 4:
            raise bad_binary("insufficient data left in message")
        (length,) = _COUNT.unpack_from(data, at)
        at += 4
        if length < 0 or len(data) < at + length:
            raise bad_binary("insufficient data left in message")
        spans.append(family.unpack(family.receive(data[at : at + length])))
        at += length
    if at != len(data):
        raise bad_binary()
    return pack_multirange(spans, family)


def _send(data: bytes, family: RangeFamily) -> bytes:
    sent = [family.send(family.pack(span)) for span in unpack_multirange(data, family)]
    return _COUNT.pack(len(sent)) + b"".join([_COUNT.pack(len(part)) + part for part in sent])


def multirange_type(name: str, oid: int, array_oid: int, family: RangeFamily) -> PgType:
    """The type of multiranges of a family's ranges."""

    def receive(data: bytes, _typmod: int) -> Value:
        return _receive(data, family)

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
        input=lambda text, _typmod, context: _read(text, family, context),
        output=lambda value, context: _write(cast("bytes", value), family, context),
        receive=receive,
        send=lambda value: _send(cast("bytes", value), family),
    )


INT4MULTIRANGE = multirange_type("int4multirange", 4451, 6150, FAMILIES[INT4RANGE])
NUMMULTIRANGE = multirange_type("nummultirange", 4532, 6151, FAMILIES[NUMRANGE])
TSMULTIRANGE = multirange_type("tsmultirange", 4533, 6152, FAMILIES[TSRANGE])
TSTZMULTIRANGE = multirange_type("tstzmultirange", 4534, 6153, FAMILIES[TSTZRANGE])
DATEMULTIRANGE = multirange_type("datemultirange", 4535, 6155, FAMILIES[DATERANGE])
INT8MULTIRANGE = multirange_type("int8multirange", 4536, 6157, FAMILIES[INT8RANGE])

MULTIRANGES: dict[PgType, PgType] = {
    INT4RANGE: INT4MULTIRANGE, NUMRANGE: NUMMULTIRANGE, TSRANGE: TSMULTIRANGE,
    TSTZRANGE: TSTZMULTIRANGE, DATERANGE: DATEMULTIRANGE, INT8RANGE: INT8MULTIRANGE,
}  # fmt: skip
"""Range types to their multiranges' types."""
