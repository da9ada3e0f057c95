"""format, quote_ident, and SQL literals of values of any type."""

import re

from catalog.errors import (
    InvalidParameterValueError,
    NullValueNotAllowedError,
    NumericValueOutOfRangeError,
)
from catalog.types.integer import parse_integer
from catalog.types.registry import (
    ANY,
    ANYELEMENT,
    BOOL,
    BPCHAR,
    TEXT,
)
from catalog.types.table import PgType
from kalam_pg.functions.define import Datum, function
from kalam_pg.functions.output import to_text
from kalam_pg.functions.reserved import needs_quotes
from kalam_pg.functions.strings import LONGEST, quote_literal, too_long
from kalam_pg.functions.table import EvalContext, Overload, Volatility


def quote_ident(name: str) -> str:
    """A name as SQL must write it: quoted only where it has to be."""
    if not needs_quotes(name):
        return name
    return '"' + name.replace('"', '""') + '"'


# ------------------------------------------------------------------ format

_PLACE = re.compile(r"%(?:([0-9]+)\$)?(-?)(?:([0-9]+)|\*(?:([0-9]+)\$)?)?(.)?", re.DOTALL)
_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1


def _written(digits: str) -> int:
    """A number of the format itself. Raises 22003."""
    digits = digits.lstrip("0") or "0"
    if len(digits) > len(str(_INT_MAX)) or int(digits) > _INT_MAX:
        raise NumericValueOutOfRangeError("number is out of range")
    return int(digits)


def _format(
    context: EvalContext, types: tuple[PgType, ...], text: str | None, *args: Datum
) -> str | None:
    if text is None:
        return None
    following = 0

    def take(index: str | None) -> tuple[Datum, PgType]:
        nonlocal following
        following = _written(index) if index else following + 1
        if following < 1:
            raise InvalidParameterValueError(
                "format specifies argument 0, but arguments are numbered from 1"
            )
        if following > len(args):
            raise InvalidParameterValueError("too few arguments for format()")
        return args[following - 1], types[following]

    def one(match: re.Match[str]) -> str:
        index, minus, width, star, kind = match.groups()
        if kind == "%" and not index:
            return "%"
        if kind is None:
            raise InvalidParameterValueError(
                "unterminated format() type specifier", hint='For a single "%" use "%%".'
            )
        size = _written(width or "0")
        if "*" in match[0]:
            value, pg_type = take(star)
            if value is not None:
                asked = to_text(value, pg_type, context.types)
                size = parse_integer(asked, "integer", _INT_MIN, _INT_MAX)
        if kind not in "sIL":
            raise InvalidParameterValueError(
                f'unrecognized format() type specifier "{kind}"',
                hint='For a single "%" use "%%".',
            )
        value, pg_type = take(index)
        shown = _formatted(kind, value, pg_type, context)
        if abs(size) > LONGEST:
            raise too_long()
        left = bool(minus) or size < 0
        return shown.ljust(abs(size)) if left else shown.rjust(abs(size))

    return _PLACE.sub(one, text)


def _formatted(kind: str, value: Datum, pg_type: PgType, context: EvalContext) -> str:
    if value is None:
        if kind == "I":
            raise NullValueNotAllowedError("null values cannot be formatted as an SQL identifier")
        return "NULL" if kind == "L" else ""
    text = to_text(value, pg_type, context.types)
    if kind == "s":
        return text
    return quote_ident(text) if kind == "I" else quote_literal(text)


def _quoted(context: EvalContext, types: tuple[PgType, ...], value: Datum) -> str:
    """A literal of the value as a cast to text has it, which is not always its output."""
    (of,) = types
    if value is not None and of is BOOL:
        return "'true'" if value else "'false'"
    if value is not None and of is BPCHAR:
        return quote_literal(value.rstrip(" "))
    return _formatted("L", value, of, context)


OVERLOADS: tuple[Overload, ...] = (
    function("quote_ident", (TEXT,), TEXT, quote_ident),
    function(
        "quote_literal", (ANYELEMENT,), TEXT, _quoted,
        needs_context=True, needs_types=True, volatility=Volatility.STABLE,
    ),
    function(
        "quote_nullable", (ANYELEMENT,), TEXT, _quoted, strict=False,
        needs_context=True, needs_types=True, volatility=Volatility.STABLE,
    ),
    *(
        function(
            "format", args, TEXT, _format, variadic=len(args) > 1, strict=False,
            needs_context=True, needs_types=True, volatility=Volatility.STABLE,
        )
        for args in ((TEXT,), (TEXT, ANY))
    ),
)  # fmt: skip
