"""What a call may cost: whether it runs on the event loop, or in a worker where nobody waits for it.

Each overload has a cost class. *Cheap* ones take a microsecond or so whatever they are given: their arguments
have a fixed size. All others have a *weight*: about the microseconds that a call takes, told from its
arguments before it is made, by their sizes and where it matters by their values (`repeat('x', 100000)`). What
nobody has measured weighs so much a byte that a few hundred kilobytes are too much.

A statement on the loop has some microseconds to spend (`EvalContext.left_us`) until the others have a turn. A
call that it cannot pay is not made: it raises `TakesLongError`, and the plan has it computed in a worker;
there nothing is weighed.
"""

import math
import operator as py
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from catalog.errors import FeatureNotSupportedError
from catalog.types.bounded import BoundedArray
from catalog.types.registry import NUMERIC
from catalog.types.table import PgType
from kalam_pg.functions.clock import span_us
from kalam_pg.functions.define import Datum
from kalam_pg.functions.table import EvalContext, Overload, OverloadKind

Weight: TypeAlias = Callable[..., float]
"""About the microseconds of a call, by its arguments (without the context); NULLs are not given."""

BUDGET_US: Final = 4000.0
"""What a statement's expressions may spend before the others have a turn."""

FOLD_US: Final = 50.0
"""What may be spent on one call of constants when a statement is planned."""

SMALL: Final = 2048
"""Texts up to here are compared without being weighed."""

_CALL_US: Final = 0.2
_ELEMENT_BYTES: Final = 8
_COUNTED_MAX: Final = 4096
"""Of an array with more elements only the first are looked into."""

_FIXED: Final = frozenset(
    {
        *(
            "bool",
            "char",
            "int2",
            "int4",
            "int8",
            "float4",
            "float8",
            "oid",
            "xid",
            "name",
            "uuid",
            "money",
            "timetz",
            "void",
        ),
        *(
            "regclass",
            "regtype",
            "regproc",
            "regrole",
            "regnamespace",
            "macaddr",
            "macaddr8",
            "pg_lsn",
            "anyenum",
        ),
        *("date", "time", "timestamp", "timestamptz", "interval", "inet", "cidr"),
    }
)

_OF_NUMBERS: Final = frozenset({"factorial", "generate_series"})
"""Calls that may take long with arguments of a fixed size."""

NEVER_US: Final = 1e12


class TakesLongError(FeatureNotSupportedError):
    """feature_not_supported: here, on the event loop, and not in a worker.

    Plans catch it and have the expression computed elsewhere; a client sees it only of what can be computed
    nowhere else.
    """

    def __init__(self) -> None:
        super().__init__(
            "an expression that takes so long is not supported here",
            hint="It would have to be computed beside what only the server's own process knows.",
        )


def pay(context: EvalContext, weight_us: float) -> None:
    """Take it from what the statement has left. Raises TakesLongError: there is not so much."""
    left = context.left_us - weight_us
    if left < 0.0 or weight_us > context.most_us:
        raise TakesLongError
    context.left_us = left


def pay_call(context: EvalContext, weight: Weight, values: Sequence[Datum]) -> None:
    """The same for a call with these arguments, NULLs among them or not."""
    if context.left_us != math.inf:
        pay(context, volume(tuple(values)) if None in values else weight(*values))


def pay_rows(context: EvalContext, rows: Sequence[tuple[Datum, ...]]) -> None:
    """The same for an aggregate of rows of arguments."""
    if context.left_us != math.inf:
        pay(context, sum([ITEM_US + _AGGREGATED_US * volume(row) for row in rows]))


@lru_cache(maxsize=4096)
def weight_of(overload: Overload) -> Weight | None:
    """The weight of an overload's calls; None when it is cheap."""
    if overload.name not in _OF_NUMBERS and all(of.name in _FIXED for of in overload.args):
        return None
    if overload.kind is OverloadKind.CAST:
        special = _CASTS.get(overload.result.name)
        if overload.args[0] is NUMERIC:
            special = _quadratic if overload.result.name in _INTEGERS else _linear_digits
    else:
        special = _numeric(overload) or _SPECIAL.get(overload.name)
    if special is not None:
        return _safe(special)
    rate = _RATES.get(overload.name, _RATE)
    if rate >= COPY_US and any(map(_is_read, (*overload.args, overload.result))):
        rate = max(rate, _READ_US)
    return lambda *values: _CALL_US + rate * volume(values)


def _safe(weight: Weight) -> Weight:
    """The same, for whatever values: what cannot be told is told to be too much."""

    def told(*values: Datum) -> float:
        try:
            return weight(*values)
        except (ArithmeticError, TypeError, ValueError, AttributeError, IndexError):
            return NEVER_US

    return told


def _is_read(of: PgType) -> bool:
    """Whether values of a type are taken apart, or put together, piece by piece."""
    return of.name in _DOCUMENTS or of.element is not None or of.name.endswith("array")


def is_plain_comparison(overload: Overload) -> bool:
    """Whether it is one of Python's own comparisons, which take long for very long values only."""
    return overload.row in _PLAIN and len(overload.args) == 2


def volume(values: tuple[Datum, ...]) -> float:
    """About the bytes of some values."""
    total = 0.0
    for value in values:
        kind = value.__class__
        if kind is str or kind is bytes:
            total += len(value)
        elif kind is tuple:
            total += _array(value)
        elif kind is BoundedArray:
            total += _array(value.items)
    return total


def _array(items: tuple[Datum, ...]) -> float:
    count = len(items)
    if not count:
        return 0.0
    looked = items if count <= _COUNTED_MAX else items[:_COUNTED_MAX]
    return count * _ELEMENT_BYTES + volume(looked) * (count / len(looked))


# ------------------------------------------------------------------ microseconds a byte

_RATE: Final = 0.02
"""Of a function that nobody has measured: as much as a loop in Python over some characters takes."""

COPY_US: Final = 0.001
"""To make or copy a byte, with the memory that it takes."""

ITEM_US: Final = 1.0
"""To make one row of a set, or to take one row into an aggregate."""

_AGGREGATED_US: Final = 0.005
"""To take one byte of a row into an aggregate."""

_READ_US: Final = 0.06
"""To read a byte of a document or of an array's text, or to write it."""

_DOCUMENTS: Final = frozenset({"json", "jsonb", "jsonpath", "record"})

ELEMENT_US: Final = 0.1
"""To look at one element of an array."""

_RATES: Final = {
    "length": 0.0001, "char_length": 0.0001, "character_length": 0.0001, "octet_length": COPY_US,
    "bit_length": COPY_US, "textcat": COPY_US, "||": COPY_US, "concat": COPY_US, "concat_ws": COPY_US,
    "left": COPY_US, "right": COPY_US, "substr": COPY_US, "substring": COPY_US, "overlay": COPY_US,
    "md5": 0.003, "sha224": 0.008, "sha256": 0.008, "sha384": 0.008, "sha512": 0.008,
    "starts_with": COPY_US, "^@": COPY_US, "=": COPY_US, "<>": COPY_US, "get_byte": COPY_US,
    "set_byte": COPY_US,
    "domain check": 0.0, "domain not null": 0.0,
    "num_nulls": 0.0001, "num_nonnulls": 0.0001, "array_length": 0.0001,
    "array_upper": 0.0001, "array_lower": 0.0001, "array_ndims": 0.0001, "pg_typeof": 0.0,
    "format": 0.05, "string_to_array": 0.1, "array_to_string": 0.1,
}  # fmt: skip


# ------------------------------------------------------------------ those whose values matter


def _made(count: float, each: float = 1.0) -> float:
    return _CALL_US + max(count, 0.0) * each * COPY_US


def _repeat(text: str, count: int) -> float:
    return _made(count, len(text))


def _pad(text: str, length: int, fill: str = " ") -> float:
    return _made(length) + _made(len(text)) + _made(len(fill))


def _replace(text: str, old: str, new: str) -> float:
    grown = len(text) / max(len(old), 1) * len(new)
    return _CALL_US + 0.01 * len(text) + COPY_US * (grown + len(old))


def _format(form: str, *values: Datum) -> float:
    """A width may stand in the form, or be a value."""
    widths = sum([value for value in values if value.__class__ is int])
    for part in form.split("%")[1:]:
        digits = part.lstrip("-")
        digits = digits[: len(digits) - len(digits.lstrip("0123456789"))]
        widths += int(digits[:10] or 0)
    return _CALL_US + 0.05 * (len(form) + volume(values)) + COPY_US * abs(widths)


def _array_fill(value: Datum, sizes: tuple[int, ...], _lower: Datum = None) -> float:
    count = math.prod([max(size or 0, 0) for size in sizes]) if sizes else 0
    return _CALL_US + 0.02 * count + COPY_US * volume((value,))


def _like(text: Datum, pattern: Datum, *_escape: Datum) -> float:
    """Each piece of a pattern may go over the text again."""
    return _CALL_US + 0.002 * len(text) * (1 + len(pattern)) + 0.2 * len(pattern)


_MATCH_US: Final = 1.0
"""Of a call that matches a pattern: it pays for its work as it goes (`functions.regex`)."""


def _substring(text: Datum, *more: Datum) -> float:
    if more and more[0].__class__ is str:
        return _MATCH_US  # FROM a pattern
    return _CALL_US + COPY_US * volume((text,))


_KEPT_PICTURE: Final = 200
"""What was read of so long a picture is kept, as a rule."""


def _of_picture(value: Datum, picture: Datum) -> float:
    """Each character of a picture is a part of its own, and one of the result."""
    kept = 0.2 if len(picture) <= _KEPT_PICTURE else 10.0
    return _CALL_US + 0.2 * volume((value,)) + kept * len(picture)


_ARRAYS = (tuple, BoundedArray)


def _crossed(*values: Datum) -> float:
    """Each element of one array with each of the other."""
    sizes = [len(value) if isinstance(value, _ARRAYS) else 1 for value in values]
    return _CALL_US + 0.02 * volume(values) + 0.1 * math.prod(sizes)


_SERIES_US: Final = 3.0
"""To make one row of a series of numeric or of times."""


def _series(start: Datum, stop: Datum, step: Datum = 1) -> float:
    """A row for each step."""
    span = span_us(step) if isinstance(step, bytes) else float(step)
    each = ITEM_US if isinstance(start, int) and not isinstance(step, bytes) else _SERIES_US
    return _CALL_US + each * max((float(stop) - float(start)) / (span or 1.0), 0.0)


_UNBOUNDED: Final = re.compile(r"like_regex.*(?:\\[1-9]|\{)", re.DOTALL)
"""A jsonpath with a pattern whose work no length tells: back-references, and counts."""


_ROOTS: Final = re.compile(r'\$(?![\w"$])')
_COMPARISONS: Final = re.compile(r"[=!]=|[<>]=?")
_PAIRS: Final = re.compile(r"\*[^&|?()]*(?:[=!]=|<>|[<>]=?)[^&|?()]*\*")
_LEVELS_MAX: Final = 1000
"""Of a document: more cannot be read."""


_MOMENT_STEPS: Final = 3000.0
"""A text is read as a date or time in some 120 µs, if it is as three templates have it; two quotes each."""


def _path(json: str, path: str, *more: Datum) -> float:
    """Its steps go over the document once, but for what begins at the root again, or compares each item
    with each; and what lies anywhere below is looked at, and shown, at each level.
    """
    size = float(len(json) + volume(more))
    again = max(len(_ROOTS.findall(path)) - 1, 0) + len(_PAIRS.findall(path))
    if not again and path.count("?") > 1 and path.count("*") > 1 and _COMPARISONS.search(path):
        again = 1
    levels = min(json.count("{") + json.count("["), _LEVELS_MAX) + 1.0
    steps = size ** (1 + min(again, 4)) * levels ** min(path.count("**"), 4)
    moments = path.lower().count("datetime")
    if moments:
        steps += _MOMENT_STEPS * moments * json.count('"') * steps / size
    if "like_regex" in path:
        if _UNBOUNDED.search(path):
            return NEVER_US
        return 20.0 * len(path) + 0.2 * steps * (1 + path.count("like_regex"))
    return _CALL_US + 0.02 * size * len(path) + 0.02 * steps


def _two_texts(text: str, part: str) -> float:
    """Python's search is linear, with bad luck five times so."""
    return _CALL_US + 0.01 * (len(text) + len(part))


_SPECIAL: Final[dict[str, Weight]] = {
    "repeat": _repeat, "lpad": _pad, "rpad": _pad, "replace": _replace, "format": _format,
    "array_fill": _array_fill, "substring": _substring, "substr": _substring,
    "like": _like, "notlike": _like, "~~": _like, "!~~": _like, "~~*": _like, "!~~*": _like,
    **dict.fromkeys(
        (
            "~", "!~", "~*", "!~*", "regexp_like", "regexp_count", "regexp_instr", "regexp_substr",
            "regexp_match", "regexp_matches", "regexp_split_to_array", "regexp_split_to_table",
        ),
        lambda *_values: _MATCH_US,
    ),
    "regexp_replace": lambda text, _pattern, new="", *_more: (
        _MATCH_US + COPY_US * len(text) * (1 + len(new))
    ),
    **dict.fromkeys(("to_char", "to_number", "to_date", "to_timestamp"), _of_picture),
    "generate_series": _series, "position": _two_texts, "strpos": _two_texts,
    "jsonb_path_exists": _path, "jsonb_path_match": _path, "jsonb_path_query_array": _path,
    "jsonb_path_query_first": _path, "@?": _path, "@@": _path,
    "jsonb_path_query": _path, "jsonb_path_query_tz": _path,
    "jsonb_path_exists_tz": _path, "jsonb_path_match_tz": _path, "jsonb_path_query_array_tz": _path,
    "jsonb_path_query_first_tz": _path, "jsonb_path_exists_opr": _path, "jsonb_path_match_opr": _path,
    "@>": _crossed, "<@": _crossed, "&&": _crossed, "factorial": lambda n: _CALL_US + 0.01 * n * n,
}  # fmt: skip


# ------------------------------------------------------------------ numeric


def _digits(value: Datum) -> int:
    return len(value) if value.__class__ is str else 20


def _linear_digits(*values: Datum) -> float:
    return 2.0 + 0.05 * sum([_digits(value) for value in values])


def _product(a: str, b: str) -> float:
    return 2.0 + 0.05 * (_digits(a) + _digits(b)) + 2e-5 * _digits(a) * _digits(b)


def _scaled(value: Datum, scale: Datum = 0) -> float:
    return 2.0 + 0.05 * (
        _digits(value) + (min(abs(scale), 20_000) if scale.__class__ is int else 0)
    )


def _quadratic(*values: Datum) -> float:
    digits = sum([_digits(value) for value in values])
    return 5.0 + 0.1 * digits + 1e-3 * digits * digits


def _power(base: Datum, exponent: Datum) -> float:
    """The digits of the result, which a small text may ask a hundred thousand of."""
    try:
        size, times = abs(float(base)), abs(float(exponent))
        magnitude = times * abs(math.log10(size)) if size else 0.0
    except (ValueError, OverflowError):
        return NEVER_US
    if not math.isfinite(magnitude):
        return 20.0 if max(_digits(base), _digits(exponent)) < 40 else NEVER_US
    whole = times == int(times) if math.isfinite(times) else True
    digits = magnitude + _digits(base) + _digits(exponent)
    if whole and times < 1000:
        digits += times * max(_digits(base) - 1, 0)
    return 50.0 + digits * digits * (0.05 if not whole else 0.01)


def _transcendental(*values: Datum) -> float:
    digits = 20 + sum([_digits(value) for value in values])
    return 30.0 + 0.05 * digits * digits


def _exponential(value: Datum) -> float:
    try:
        magnitude = abs(float(value)) * 0.4343
    except (ValueError, OverflowError):
        return NEVER_US
    return _transcendental("9" * int(min(magnitude, 1e6))) if math.isfinite(magnitude) else 20.0


_NUMERIC: Final[dict[str, Weight]] = {
    "*": _product, "/": _quadratic, "%": _quadratic, "mod": _quadratic, "div": _quadratic,
    "^": _power, "power": _power, "pow": _power, "sqrt": _transcendental, "ln": _transcendental,
    "log": _transcendental, "log10": _transcendental, "exp": _exponential, "gcd": _quadratic,
    "lcm": _quadratic, "round": _scaled, "trunc": _scaled, "generate_series": _series,
}  # fmt: skip


def _numeric(overload: Overload) -> Weight | None:
    if NUMERIC not in overload.args:
        return None
    return _NUMERIC.get(overload.name, _linear_digits if _numbers(overload.args) else None)


def _numbers(args: tuple[PgType, ...]) -> bool:
    return all(of is NUMERIC or of.name in _FIXED for of in args)


_CASTS: Final[dict[str, Weight]] = {
    "numeric": _linear_digits,
    "interval": lambda value, *_typmod: _CALL_US + 0.2 * volume((value,)),
}
"""By what is made."""

_INTEGERS: Final = frozenset({"int2", "int4", "int8"})

_PLAIN: Final = frozenset({py.eq, py.ne, py.lt, py.le, py.gt, py.ge})
