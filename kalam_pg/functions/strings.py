"""Functions on text and bytea."""

import hashlib
import re
import sys
import unicodedata
from collections.abc import Callable

from catalog.errors import (
    InvalidParameterValueError,
    InvalidTextRepresentationError,
    SqlSyntaxError,
    SubstringError,
)
from catalog.types.registry import (
    ANY,
    BOOL,
    BPCHAR,
    BYTEA,
    CHAR,
    INT4,
    INT8,
    NAME,
    TEXT,
)
from catalog.types.text import NAME_BYTES_MAX
from kalam_pg.functions.define import Datum, function, operator
from kalam_pg.functions.encodings import convert_from, convert_to, length_in
from kalam_pg.functions.integers import out_of_range, to_hex
from kalam_pg.functions.output import to_text
from kalam_pg.functions.table import EvalContext, Overload, Volatility
from storage.errors import KeyTooLongError

# The longest string a function may make: PostgreSQL's own limit is 1 GB, but a worker holds many.
LONGEST = 64 << 20
INTEGER_MAX = 2**31 - 1


def too_long() -> KeyTooLongError:
    """54000, in the words of repeat() and lpad()."""
    return KeyTooLongError("requested length too large")


def repeat(text: str, count: int) -> str:
    """`text`, count times."""
    if count > 0 and len(text) * count > LONGEST:
        raise too_long()
    return text * count


def lpad(text: str, length: int, fill: str = " ") -> str:
    """Fill on the left to a length, or cut on the right."""
    missing = length - len(text)
    if missing <= 0:
        return text[: max(0, length)]
    if not fill:
        return text
    if length > LONGEST:
        raise too_long()
    return (fill * (missing // len(fill) + 1))[:missing] + text


def rpad(text: str, length: int, fill: str = " ") -> str:
    """Fill or cut on the right."""
    missing = length - len(text)
    if missing <= 0:
        return text[: max(0, length)]
    if not fill:
        return text
    if length > LONGEST:
        raise too_long()
    return text + (fill * (missing // len(fill) + 1))[:missing]


def substring(text: Datum, start: int, count: int | None = None) -> Datum:
    """From `start` (1-based, may lie before the text), `count` characters or bytes."""
    if count is None:
        return text[max(0, start - 1) :]
    if count < 0:
        raise SubstringError("negative substring length not allowed")
    return text[max(0, start - 1) : max(0, start - 1 + count)]


def position(text: Datum, part: Datum) -> int:
    """Where `part` first begins, 1-based; 0 when it does not occur."""
    return text.find(part) + 1  # type: ignore[no-any-return]


def overlay(text: Datum, new: Datum, start: int, count: int | None = None) -> Datum:
    """Replace `count` characters (as many as `new` has) from `start`."""
    if start <= 0:
        raise SubstringError("negative substring length not allowed")
    length = len(new) if count is None else count
    if start + length > INTEGER_MAX:
        raise out_of_range(INT4)
    return text[: start - 1] + new + text[max(0, start - 1 + length) :]


def replace(text: str, old: str, new: str) -> str:
    """Every occurrence; an empty `old` occurs nowhere."""
    if not old:
        return text
    if new and len(text) // len(old) * len(new) > LONGEST:
        raise too_long()
    return text.replace(old, new)


def split_part(text: str, separator: str, index: int) -> str:
    """The n-th field, from the end when negative; "" when there is none."""
    if index == 0:
        raise InvalidParameterValueError("field position must not be zero")
    if not separator:
        return text if index in {1, -1} else ""
    parts = text.split(separator)
    place = index - 1 if index > 0 else len(parts) + index
    return parts[place] if 0 <= place < len(parts) else ""


def left(text: str, count: int) -> str:
    """The first `count` characters; all but the last -count when negative."""
    return text[:count]


def right(text: str, count: int) -> str:
    """The last `count` characters; all but the first -count when negative."""
    if count >= 0:
        return text[max(0, len(text) - count) :]
    # Of the least integer there is no opposite, and PostgreSQL takes nothing away.
    return text[-count:] if count > -INTEGER_MAX - 1 else text


def translate(text: str, source: str, target: str) -> str:
    """Each character of `source` becomes the one of `target` in its place, or goes."""
    table: dict[int, str | None] = {}
    for index, character in enumerate(source):
        table.setdefault(ord(character), target[index] if index < len(target) else None)
    return text.translate(table)


_WORD = re.compile(r"[^\W_]+")


def initcap(text: str) -> str:
    """The first letter of each word in upper case, the rest in lower case."""
    return _WORD.sub(lambda m: m[0][0].upper() + m[0][1:].lower(), text)


def upper(text: str) -> str:
    """Capitals, letter by letter as the C library has them: 'ß' stays as it is, 'ᾀ' has a title's."""
    if text.isascii():
        return text.upper()
    return "".join([u if len(u := c.upper()) == 1 or len(u := c.title()) == 1 else c for c in text])


def lower(text: str) -> str:
    """Small letters, the same way: that of 'İ' is 'i'."""
    if text.isascii():
        return text.lower()
    return "".join(["i" if c == "İ" else c.lower() for c in text])


def _ascii(text: str) -> int:
    return ord(text[0]) if text else 0


def _chr(code: int) -> str:
    if code == 0:
        raise KeyTooLongError("null character not permitted")
    if code < 0:
        raise InvalidParameterValueError("character number must be positive")
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise KeyTooLongError(
            f"requested character too large for encoding: {code}"
            if code > 0x10FFFF
            else f"requested character not valid for encoding: {code}"
        )
    return chr(code)


def quote_literal(text: str) -> str:
    """A string literal of SQL."""
    quoted = text.replace("'", "''")
    if "\\" in text:
        return " E'".lstrip() + quoted.replace("\\", "\\\\") + "'"
    return f"'{quoted}'"


def _concat(context: EvalContext, types: Datum, *args: Datum) -> str:
    return "".join(
        [to_text(v, t, context.types) for v, t in zip(args, types, strict=True) if v is not None]
    )


def _concat_ws(
    context: EvalContext, types: Datum, separator: str | None, *args: Datum
) -> str | None:
    if separator is None:
        return None
    return separator.join(
        [
            to_text(v, t, context.types)
            for v, t in zip(args, types[1:], strict=True)
            if v is not None
        ]
    )


def _normalize(text: str, form: str = "NFC") -> str:
    if form.upper() not in {"NFC", "NFD", "NFKC", "NFKD"}:
        raise InvalidParameterValueError(f"invalid normalization form: {form}")
    return unicodedata.normalize(form.upper(), text)  # type: ignore[arg-type] # checked above


def _to_base(data: bytes, form: str) -> str:
    import base64  # noqa: PLC0415

    match form.lower():
        case "hex":
            return data.hex()
        case "base64":
            text = base64.b64encode(data).decode()
            return "\n".join(text[i : i + 76] for i in range(0, len(text), 76))
        case "escape":
            return "".join(
                "\\\\" if b == 0x5C else chr(b) if 0 < b < 0x80 else f"\\{b:03o}" for b in data
            )
        case _:
            raise InvalidParameterValueError(f'unrecognized encoding: "{form}"')


def _from_base(text: str, form: str) -> bytes:
    import base64  # noqa: PLC0415
    import binascii  # noqa: PLC0415

    match form.lower():
        case "hex":
            digits = "".join(text.split())
            if bad := re.search("[^0-9a-fA-F]", digits):
                raise InvalidParameterValueError(f'invalid hexadecimal digit: "{bad[0]}"')
            if len(digits) % 2:
                raise InvalidParameterValueError("invalid hexadecimal data: odd number of digits")
            return bytes.fromhex(digits)
        case "base64":
            try:
                return base64.b64decode("".join(text.split()), validate=True)
            except binascii.Error:
                raise _bad_base64(text) from None
        case "escape":
            return _unescaped(text)
        case _:
            raise InvalidParameterValueError(f'unrecognized encoding: "{form}"')


def _bad_base64(text: str) -> InvalidParameterValueError:
    if bad := re.search(r"[^A-Za-z0-9+/=\s]", text):
        return InvalidParameterValueError(
            f'invalid symbol "{bad[0]}" found while decoding base64 sequence'
        )
    return InvalidParameterValueError(
        "invalid base64 end sequence",
        hint="Input data is missing padding, is truncated, or is otherwise corrupted.",
    )


_ESCAPED = re.compile(rb"\\(?:(\\)|([0-3][0-7][0-7]))?")


def _unescaped(text: str) -> bytes:
    """Bytes with backslashes and octal numbers behind a backslash."""

    def byte(found: re.Match[bytes]) -> bytes:
        if found[1]:
            return b"\\"
        if found[2]:
            return bytes([int(found[2], 8)])
        raise InvalidTextRepresentationError("invalid input syntax for type bytea")

    return _ESCAPED.sub(byte, text.encode())


def _set_byte(data: bytes, index: int, value: int) -> bytes:
    _check_index(data, index)
    return data[:index] + bytes([value & 0xFF]) + data[index + 1 :]


def _get_byte(data: bytes, index: int) -> int:
    _check_index(data, index)
    return data[index]


def _check_index(data: bytes, index: int) -> None:
    if not 0 <= index < len(data):
        from catalog.errors import ArraySubscriptError  # noqa: PLC0415

        raise ArraySubscriptError(f"index {index} out of valid range, 0..{len(data) - 1}")


_UNISTR = re.compile(
    r"\\(?:(\\)|([0-9A-Fa-f]{4})|\+([0-9A-Fa-f]{6})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|)"
)


def _unistr(text: str) -> str:
    """Each escape as its character; surrogates come in pairs.

    Raises:
        SqlSyntaxError: An escape is none, or stands for no character.
    """

    def one(match: re.Match[str]) -> str:
        if match[1]:
            return "\\"
        digits = match[2] or match[3] or match[4] or match[5]
        if digits is None:
            raise SqlSyntaxError(
                "invalid Unicode escape",
                hint="Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.",
            )
        if not 0 < int(digits, 16) <= sys.maxunicode:
            raise InvalidParameterValueError(f"invalid Unicode code point: {digits}")
        return chr(int(digits, 16))

    try:
        return _UNISTR.sub(one, text).encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise SqlSyntaxError("invalid Unicode surrogate pair") from None


def _strip_bytes(data: bytes, characters: bytes) -> bytes:
    return data.strip(characters) if characters else data


_TRIMS: list[tuple[str, Callable[[str, str], str]]] = [
    ("btrim", str.strip),
    ("ltrim", str.lstrip),
    ("rtrim", str.rstrip),
]


def _trim(strip: Callable[[str, str], str]) -> Callable[..., str]:
    return lambda text, characters=" ": strip(text, characters) if characters else text


def _digest(name: str) -> Callable[[bytes], bytes]:
    make = getattr(hashlib, name)
    return lambda data: bytes(make(data).digest())


def _quote_nullable(text: str | None) -> str:
    return "NULL" if text is None else quote_literal(text)


_T, _B = TEXT, BYTEA


def _byte_of_name(name: str, at: int) -> str | None:
    """A byte of a name, counted from 0, as "char"; NULL where a name has no place."""
    if not 0 <= at <= NAME_BYTES_MAX:
        return None
    byte = name.encode()[at : at + 1]
    return byte.decode("latin-1")


OVERLOADS: tuple[Overload, ...] = (
    operator("[]", (NAME, INT4), CHAR, _byte_of_name),  # A subscript: no operator is written so.
    operator("||", (_T, _T), _T, lambda a, b: a + b, native="({0} || {1})"),
    operator("||", (_B, _B), _B, lambda a, b: a + b),
    function("textcat", (_T, _T), _T, lambda a, b: a + b, native="({0} || {1})"),
    *(
        function(name, (_T,), INT4, len, native="CAST(character_length({0}) AS INT)")
        for name in ("length", "char_length", "character_length")
    ),
    *(
        function(name, (BPCHAR,), INT4, lambda a: len(a.rstrip(" ")))
        for name in ("length", "char_length", "character_length")
    ),
    function("length", (_B,), INT4, len),
    function("octet_length", (_T,), INT4, lambda a: len(a.encode())),
    function("octet_length", (BPCHAR,), INT4, lambda a: len(a.encode())),
    function("octet_length", (_B,), INT4, len),
    function("bit_length", (_T,), INT4, lambda a: len(a.encode()) * 8),
    function("bit_length", (_B,), INT4, lambda a: len(a) * 8),
    function("lower", (_T,), _T, lower),
    function("upper", (_T,), _T, upper),
    function("initcap", (_T,), _T, initcap),
    *(
        function(name, (t, *more), t, substring)
        for name in ("substring", "substr")
        for t in (_T, _B)
        for more in ((INT4,), (INT4, INT4))
    ),
    function("position", (_T, _T), INT4, position),
    function("position", (_B, _B), INT4, position),
    function("strpos", (_T, _T), INT4, position),
    *(
        function(name, args, _T, _trim(strip))
        for name, strip in _TRIMS
        for args in ((_T,), (_T, _T))
    ),
    function("btrim", (_B, _B), _B, _strip_bytes),
    function("overlay", (_T, _T, INT4), _T, overlay),
    function("overlay", (_T, _T, INT4, INT4), _T, overlay),
    function("replace", (_T, _T, _T), _T, replace),
    function("translate", (_T, _T, _T), _T, translate),
    function("split_part", (_T, _T, INT4), _T, split_part),
    function("left", (_T, INT4), _T, left),
    function("right", (_T, INT4), _T, right),
    function("lpad", (_T, INT4), _T, lpad),
    function("lpad", (_T, INT4, _T), _T, lpad),
    function("rpad", (_T, INT4), _T, rpad),
    function("rpad", (_T, INT4, _T), _T, rpad),
    function("repeat", (_T, INT4), _T, repeat),
    function("reverse", (_T,), _T, lambda a: a[::-1]),
    function("starts_with", (_T, _T), BOOL, str.startswith),
    operator("^@", (_T, _T), BOOL, str.startswith),
    function("ascii", (_T,), INT4, _ascii),
    function("chr", (INT4,), _T, _chr),
    function("to_hex", (INT4,), _T, to_hex(INT4)),
    function("to_hex", (INT8,), _T, to_hex(INT8)),
    function("md5", (_T,), _T, lambda a: hashlib.md5(a.encode(), usedforsecurity=False).hexdigest()),
    function("md5", (_B,), _T, lambda a: hashlib.md5(a, usedforsecurity=False).hexdigest()),
    *(
        function(name, (_B,), _B, _digest(name))
        for name in ("sha224", "sha256", "sha384", "sha512")
    ),
    function("encode", (_B, _T), _T, _to_base),
    function("decode", (_T, _T), _B, _from_base),
    function("get_byte", (_B, INT4), INT4, _get_byte),
    function("set_byte", (_B, INT4, INT4), _B, _set_byte),
    function("convert_from", (_B, NAME), _T, convert_from),
    function("length", (_B, NAME), INT4, length_in),
    function("convert_to", (_T, NAME), _B, convert_to),
    function("quote_literal", (_T,), _T, quote_literal),
    function("quote_nullable", (_T,), _T, _quote_nullable, strict=False),
    function("normalize", (_T,), _T, _normalize),
    function("normalize", (_T, _T), _T, _normalize),
    function("unistr", (_T,), _T, _unistr),
    function(
        "concat", (ANY,), _T, _concat, variadic=True, strict=False,
        volatility=Volatility.STABLE, needs_context=True, needs_types=True,
    ),
    function(
        "concat_ws", (_T, ANY), _T, _concat_ws, variadic=True, strict=False,
        volatility=Volatility.STABLE, needs_context=True, needs_types=True,
    ),
)  # fmt: skip
