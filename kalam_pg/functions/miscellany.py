"""Functions on values of any type: text concatenation, pg_typeof, num_nulls, parse_ident."""

import re
from string import ascii_lowercase, ascii_uppercase

from catalog.errors import InvalidParameterValueError
from catalog.types.network import network_text
from catalog.types.registry import (
    ANY,
    ANYNONARRAY,
    BOOL,
    INET,
    INT4,
    REGTYPE,
    TEXT,
    array_of,
)
from catalog.types.table import PgType
from kalam_pg.functions.define import Datum, function, operator
from kalam_pg.functions.output import to_text
from kalam_pg.functions.table import EvalContext, Overload, Volatility

Types = tuple[PgType, ...]
_TEXTS = array_of(TEXT) or TEXT
_PART = re.compile(
    r'\s*(?:"((?:[^"]|"")+)"|([A-Za-z_\u0080-\U0010ffff][\w$\u0080-\U0010ffff]*))\s*'
)


def _text_of(value: Datum, pg_type: PgType, context: EvalContext) -> str:
    # `||` casts to text: booleans are true and false there, not t and f; inet has its bits.
    if pg_type is BOOL:
        return "true" if value else "false"
    if pg_type is INET:
        return network_text(value)
    return to_text(value, pg_type, context.types)


def _join(context: EvalContext, types: Types, a: Datum, b: Datum) -> str:
    return _text_of(a, types[0], context) + _text_of(b, types[1], context)


def _type_of(types: Types, _value: Datum) -> int:
    return types[0].oid


def _nulls(*values: Datum) -> int:
    return sum(v is None for v in values)


def _non_nulls(*values: Datum) -> int:
    return sum(v is not None for v in values)


def _folded(name: str) -> str:
    """A name as PostgreSQL folds it where letters are bytes: those of ASCII alone."""
    return name.translate(_SMALL)


_SMALL = str.maketrans(ascii_uppercase, ascii_lowercase)


def _parse_ident(name: str, strict: Datum = True) -> tuple[str, ...]:
    parts: list[str] = []
    at = 0
    while True:
        match = _PART.match(name, at)
        if match is None:
            break
        quoted, plain = match.groups()
        parts.append(quoted.replace('""', '"') if quoted is not None else _folded(plain))
        at = match.end()
        if name[at : at + 1] != ".":
            break
        at += 1
        if at >= len(name):
            break
    if not parts or (strict and at < len(name)) or name[at - 1 : at] == ".":
        raise InvalidParameterValueError(f'string is not a valid identifier: "{name}"')
    return tuple(parts)


_JOINS = {"needs_context": True, "needs_types": True, "volatility": Volatility.STABLE}

OVERLOADS: tuple[Overload, ...] = (
    operator("||", (TEXT, ANYNONARRAY), TEXT, _join, **_JOINS),
    operator("||", (ANYNONARRAY, TEXT), TEXT, _join, **_JOINS),
    function(
        "pg_typeof", (ANY,), REGTYPE, _type_of, strict=False, needs_types=True,
        volatility=Volatility.STABLE,
    ),
    function("num_nulls", (ANY,), INT4, _nulls, variadic=True, strict=False),
    function("num_nonnulls", (ANY,), INT4, _non_nulls, variadic=True, strict=False),
    function("parse_ident", (TEXT, BOOL), _TEXTS, _parse_ident, defaults=1),
)  # fmt: skip
