"""JSON as Python values: reading stored text, writing jsonb's own form, comparing as jsonb does.

Values: None, bool, int, Decimal (numbers with a point keep their digits), str, list, dict. jsonb's
objects have unique keys, ordered by length in bytes and then bytewise.
"""

import json
from decimal import Decimal
from json.encoder import encode_basestring

from catalog.errors import InvalidTextRepresentationError
from catalog.memo import kept
from kalam_pg.functions.define import Datum


def _bad(_name: str) -> Datum:
    raise ValueError


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_bad)
_LARGE = json.JSONDecoder(parse_int=Decimal, parse_float=Decimal, parse_constant=_bad)
"""Reads integers of more digits than Python makes an int of."""


def parse(text: str) -> Datum:
    """Read stored json or jsonb text."""
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError:
        raise InvalidTextRepresentationError("invalid input syntax for type json") from None
    except ValueError:
        pass
    try:
        return _LARGE.decode(text)
    except ValueError:
        raise InvalidTextRepresentationError("invalid input syntax for type json") from None


@kept(256, 16_384)
def parse_cached(text: str) -> Datum:
    """`parse` for values that are looked at, never changed (one document, several operators)."""
    return parse(text)


def key_order(key: str) -> tuple[int, bytes]:
    """Jsonb's order of object keys."""
    data = key.encode()
    return len(data), data


def number(value: int | Decimal) -> str:
    """A JSON number without exponent."""
    if isinstance(value, int):
        return str(value)
    text = format(value, "f")
    if text.startswith("-") and not value:
        text = text[1:]
    return text


def quote(text: str) -> str:
    """A JSON string literal, only what must be escaped escaped."""
    return encode_basestring(text)


def dump(value: Datum) -> str:
    """Jsonb's output form: sorted keys, one blank after ':' and ','."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return encode_basestring(value)
        case int() | Decimal():
            return number(value)
        case list():
            return "[" + ", ".join([dump(item) for item in value]) + "]"
        case _:
            keys = sorted(value, key=key_order)
            return (
                "{" + ", ".join([f"{encode_basestring(k)}: {dump(value[k])}" for k in keys]) + "}"
            )


_RANKS = {type(None): 0, str: 1, int: 2, Decimal: 2, bool: 3, list: 4, dict: 5}


def rank(value: Datum) -> int:
    """Jsonb's order of kinds: null, string, number, boolean, array, object."""
    return _RANKS[type(value)]


def compare_values(a: Datum, b: Datum) -> int:
    """Compare two parsed values as jsonb's btree does."""
    kind_a, kind_b = rank(a), rank(b)
    if kind_a != kind_b:
        # An empty top-level array sorts below everything: PostgreSQL keeps that for compatibility.
        return (kind_a > kind_b) - (kind_a < kind_b)
    if kind_a == 0:
        return 0
    if kind_a == 4:
        if len(a) != len(b):
            return -1 if len(a) < len(b) else 1
        for x, y in zip(a, b, strict=True):
            if order := compare_values(x, y):
                return order
        return 0
    if kind_a == 5:
        return _compare_objects(a, b)
    return int(a > b) - int(a < b)


def _compare_objects(a: dict[str, Datum], b: dict[str, Datum]) -> int:
    if len(a) != len(b):
        return -1 if len(a) < len(b) else 1
    keys = zip(sorted(a, key=key_order), sorted(b, key=key_order), strict=True)
    for x, y in keys:
        if x != y:
            return -1 if x < y else 1
        if order := compare_values(a[x], b[x if x in b else y]):
            return order
    return 0


def compare(a: str, b: str) -> int:
    """Compare two jsonb texts: -1, 0 or 1."""
    if a == b:
        return 0
    x, y = parse(a), parse(b)
    if (x == [] and isinstance(x, list)) != (y == [] and isinstance(y, list)):
        return -1 if x == [] and isinstance(x, list) else 1
    return compare_values(x, y)


def contains(a: Datum, b: Datum, *, top: bool = True) -> bool:
    """A @> b."""
    if isinstance(a, dict) and isinstance(b, dict):
        return all(k in a and contains(a[k], v, top=False) for k, v in b.items())
    if isinstance(a, list):
        if isinstance(b, list):
            return all(any(contains(x, y, top=False) for x in a) for y in b)
        # A primitive is contained in an array, only at the top level.
        return top and not isinstance(b, dict) and any(_equal(x, b) for x in a)
    return _equal(a, b)


def _equal(a: Datum, b: Datum) -> bool:
    return rank(a) == rank(b) and compare_values(a, b) == 0
