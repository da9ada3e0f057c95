"""json and jsonb. json keeps its text; jsonb is stored as the text that PostgreSQL prints for it."""

import json
from typing import Any, NoReturn, cast

from catalog.errors import (
    InvalidTextRepresentationError,
    NumericValueOutOfRangeError,
    StatementTooComplexError,
    UntranslatableCharacterError,
)
from catalog.types.common import bad_binary
from catalog.types.json_errors import ZERO_ESCAPE, Fault, explain
from catalog.types.numeric import parse_numeric
from catalog.types.table import PgType, TypeContext
from catalog.types.text import receive_text, text_like
from storage.errors import KalamError
from storage.layout import Value

_quote = json.encoder.encode_basestring


class Number(str):
    """A number of a jsonb, as numeric prints it: keeps `1.50` apart from the text "1.50"."""

    __slots__ = ()


def parse_json(text: str, _typmod: int = -1, _context: TypeContext | None = None) -> str:
    """Return `text` if it is JSON.

    Raises:
        InvalidTextRepresentationError: 22P02, `invalid input syntax for type json`.
        StatementTooComplexError: 54001, nested too deeply.
    """
    try:
        _CHECKER.decode(text)
    except ValueError:
        raise _invalid(_explain(text, decode=False)) from None
    except RecursionError:
        raise _too_deep() from None
    return text


def parse_jsonb(text: str, _typmod: int = -1, _context: TypeContext | None = None) -> str:
    """Return PostgreSQL's canonical text of a JSON text.

    Raises:
        InvalidTextRepresentationError: 22P02, as `parse_json`; and a lone surrogate.
        UntranslatableCharacterError: 22P05, the escape for a zero byte.
        StatementTooComplexError: 54001, nested too deeply.
    """
    try:
        value, end = _PLAIN_LOADER.raw_decode(text)
        if end == len(text) and "\\u" not in text:
            return _encode(value)
    except (_OtherNumberError, ValueError, RecursionError):
        pass
    return dump(load(text))


def load(text: str) -> Any:  # noqa: ANN401  # a JSON value is what it is
    """Return a JSON text as None, bool, `Number`, str, list or dict (last duplicate key wins).

    Raises:
        As `parse_jsonb`.
    """
    value: Any = None
    try:
        value = _LOADER.decode(text)
        fault = explain(text, decode=True) if "\\u" in text else None
    except ValueError:
        fault = _explain(text, decode=True)
    except RecursionError:
        raise _too_deep() from None
    if fault is not None:
        raise _invalid(fault)
    return value


def check_escapes(text: str) -> None:
    """Refuse a JSON text (not jsonb, which never has any) with escapes that text cannot hold.

    Raises:
        UntranslatableCharacterError: 22P05, of a zero byte.
        InvalidTextRepresentationError: 22P02, of half a character.
    """
    if "\\u" in text and (fault := explain(text, decode=True)) is not None:
        raise _invalid(fault)


def _invalid(fault: Fault) -> KalamError:
    if fault.detail == ZERO_ESCAPE:
        return UntranslatableCharacterError(
            "unsupported Unicode escape sequence", detail=fault.detail, context=fault.context
        )
    return InvalidTextRepresentationError(
        "invalid input syntax for type json", detail=fault.detail, context=fault.context
    )


def dump(value: Any) -> str:  # noqa: ANN401
    """Return the canonical text of what `load` returns; int and float are taken as numbers too."""
    parts: list[str] = []
    try:
        _dump(value, parts)
    except RecursionError:
        raise _too_deep() from None
    return "".join(parts)


def _dump(value: Any, parts: list[str]) -> None:  # noqa: ANN401
    match value:
        case Number():
            parts.append(value)
        case str():
            parts.append(_quote(value))
        case None:
            parts.append("null")
        case bool():
            parts.append("true" if value else "false")
        case int() | float():
            parts.append(parse_numeric(repr(value)))
        case dict():
            parts.append("{")
            gap = ""
            for key in sorted(value, key=key_order):
                parts.append(f"{gap}{_quote(key)}: ")
                _dump(value[key], parts)
                gap = ", "
            parts.append("}")
        case _:
            parts.append("[")
            for i, item in enumerate(value):
                if i:
                    parts.append(", ")
                _dump(item, parts)
            parts.append("]")


def key_order(key: str) -> tuple[int, bytes]:
    """Return what jsonb sorts an object's keys by: their length in bytes, then their bytes."""
    data = key.encode()
    return len(data), data


def _number(text: str) -> Number:
    try:
        return Number(parse_numeric(text))
    except NumericValueOutOfRangeError as exc:
        raise _OverflowingNumberError(exc.message) from None


class _OverflowingNumberError(NumericValueOutOfRangeError):
    """numeric_value_out_of_range: not a ValueError, so that it is not taken for a syntax error."""


def _no_constant(_name: str) -> NoReturn:
    raise ValueError  # NaN and Infinity are Python's, not JSON's


class _OtherNumberError(Exception):
    """A number that Python's own would print in another way than numeric."""


def _plain_float(text: str) -> float:
    value = float(text)
    if repr(value) != text or "e" in text or not value:
        raise _OtherNumberError
    return value


def _in_order(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return {key: found[key] for key in sorted(found, key=key_order)} if len(found) > 1 else found


# What most documents consist of is read and written by Python's own parser and printer, in C.
_PLAIN_LOADER = json.JSONDecoder(
    object_pairs_hook=_in_order, parse_float=_plain_float, parse_constant=_no_constant
)
_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode
_LOADER = json.JSONDecoder(parse_int=_number, parse_float=_number, parse_constant=_no_constant)
_CHECKER = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=_no_constant)


def _explain(text: str, *, decode: bool) -> Fault:
    """Why a text was refused."""
    try:
        return explain(text, decode=decode) or Fault("Token is invalid.", "")
    except RecursionError:
        raise _too_deep() from None


def _too_deep() -> StatementTooComplexError:
    return StatementTooComplexError(
        "stack depth limit exceeded", detail="The JSON value is nested too deeply."
    )


def _receive_json(data: bytes, _typmod: int) -> str:
    return parse_json(receive_text(data, -1))


def _receive_jsonb(data: bytes, _typmod: int) -> str:
    if data[:1] != b"\x01":
        version = data[0] if data else 0
        raise bad_binary(f"unsupported jsonb version number {version}")
    return parse_jsonb(receive_text(data[1:], -1))


def _send_jsonb(value: Value) -> bytes:
    return b"\x01" + cast("str", value).encode()


JSON: PgType = text_like(
    "json", "json", 114, 199, "U", read=parse_json, receive=_receive_json, key_kind="none"
)
JSONB: PgType = text_like(
    "jsonb",
    "jsonb",
    3802,
    3807,
    "U",
    read=parse_jsonb,
    receive=_receive_jsonb,
    send=_send_jsonb,
    key_kind="none",
)
