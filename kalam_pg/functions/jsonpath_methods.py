"""What a jsonpath does with one item: .double(), .abs() and their like, like_regex."""

import math
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from catalog.errors import NonNumericSqlJsonItemError
from catalog.types.float import parse_float8
from kalam_pg.functions import decimals
from kalam_pg.functions.define import Datum
from kalam_pg.functions.jsonvalues import number
from kalam_pg.functions.regexes.lexer import Options, Syntax
from kalam_pg.functions.regexes.search import compiled
from storage.errors import KalamError

_NUMBERS = (int, Decimal)


def is_number(item: Datum) -> bool:
    """Whether an item is a number; true and false are none."""
    return isinstance(item, _NUMBERS) and not isinstance(item, bool)


def matcher(pattern: str, flags: str) -> Callable[[str], bool]:
    """like_regex: XQuery's flags over PostgreSQL's regular expressions.

    What it takes is bounded before it runs (`functions.cost`).
    """
    options = Options(any_case="i" in flags)
    if "q" in flags:
        options = replace(options, syntax=Syntax.PLAIN)
    else:
        options = replace(options, stops="s" not in flags, anchors="m" in flags)
    found = compiled(pattern, options)
    return lambda text: found.is_in(found.subject(text))


def double(item: Datum) -> Decimal:
    """.double(). Raises 22036."""
    if is_number(item):
        try:
            value = parse_float8(number(item))
        except KalamError:
            value = math.inf
        if not math.isfinite(value):
            raise NonNumericSqlJsonItemError(
                "numeric argument of jsonpath item method .double() is out of range for type "
                "double precision"
            )
        return Decimal(repr(value)).normalize() if value else Decimal(0)
    if isinstance(item, str):
        try:
            value = parse_float8(item)
        except KalamError:
            value = math.nan
        if not math.isfinite(value):
            raise NonNumericSqlJsonItemError(
                "string argument of jsonpath item method .double() is not a valid representation "
                "of a double precision number"
            )
        return Decimal(decimals.from_float(value, 15))
    raise NonNumericSqlJsonItemError(
        "jsonpath item method .double() can only be applied to a string or numeric value"
    )


_ROUNDED: dict[str, Callable[[str], str]] = {
    "abs": decimals.absolute,
    "floor": decimals.floor,
    "ceiling": decimals.ceiling,
}


def rounded(name: str, item: Datum) -> Decimal:
    """.abs(), .floor(), .ceiling(). Raises 22036."""
    if not is_number(item):
        raise NonNumericSqlJsonItemError(
            f"jsonpath item method .{name}() can only be applied to a numeric value"
        )
    return Decimal(_ROUNDED[name](number(item)))
