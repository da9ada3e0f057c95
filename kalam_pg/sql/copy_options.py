"""The options of COPY, checked as PostgreSQL checks them, and in its order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from catalog.errors import (
    FeatureNotSupportedError,
    InvalidParameterValueError,
    SqlSyntaxError,
)
from kalam_pg.functions.encodings import Encoding, find_encoding
from kalam_pg.sql.statements_copy import CopyOption

_TRUE = frozenset(("true", "on"))
_FALSE = frozenset(("false", "off"))
_UNSAFE: Final = frozenset("\\.abcdefghijklmnopqrstuvwxyz0123456789")
"""Delimiters that text could not be told apart from."""


@dataclass(frozen=True, slots=True)
class CopyFormat:
    """How rows are written, or read. format: text | csv | binary.

    delimiter, quote, escape: one ASCII character each, `quote` and `escape` of csv. null: what stands for
    NULL. force_quote: columns that are quoted always, None is all of them. encoding: None is the
    client's. match: the header must have the columns' names. force_not_null:
    columns of which nothing is NULL; force_null: columns where NULL may be quoted. freeze: it was asked for.
    """

    format: str = "text"
    delimiter: str = "\t"
    null: str = "\\N"
    header: bool = False
    quote: str = '"'
    escape: str = '"'
    force_quote: tuple[str, ...] | None = ()
    encoding: Encoding | None = None
    match: bool = False
    force_not_null: tuple[str, ...] = ()
    force_null: tuple[str, ...] = ()
    freeze: bool = False


def copy_format(options: Sequence[CopyOption], *, reading: bool = False) -> CopyFormat:
    """What the options of a COPY say together. Raises 42601, 22023, 0A000. reading: it is COPY FROM."""
    given: dict[str, CopyOption] = {}
    for option in options:
        read = _READERS.get(option.name)
        if read is None:
            raise SqlSyntaxError(f'option "{option.name}" not recognized', position=option.position)
        if option.name in given:
            raise SqlSyntaxError("conflicting or redundant options", position=option.position)
        read(option)
        if option.name == "header" and not reading and _is_match(option):
            raise FeatureNotSupportedError('cannot use "match" with HEADER in COPY TO')
        given[option.name] = option
    return _together(given, reading=reading)


def _text(option: CopyOption) -> str:
    if option.kind == "none":
        raise SqlSyntaxError(f"{option.name} requires a parameter")
    return ", ".join(option.names) if option.kind == "list" else option.value


def _boolean(option: CopyOption) -> bool:
    word = option.value.lower()
    if option.kind == "none" or (option.kind == "number" and word == "1"):
        return True
    if option.kind == "number" and word == "0":
        return False
    if option.kind in ("word", "string") and (word in _TRUE or word in _FALSE):
        return word in _TRUE
    raise SqlSyntaxError(f"{option.name} requires a Boolean value")


def _is_match(option: CopyOption) -> bool:
    return option.kind in ("word", "string") and option.value.lower() == "match"


def _header(option: CopyOption) -> bool:
    try:
        return _is_match(option) or _boolean(option)
    except SqlSyntaxError:
        raise SqlSyntaxError('header requires a Boolean value or "match"') from None


def _format(option: CopyOption) -> str:
    name = _text(option)
    if name not in ("text", "csv", "binary"):
        raise InvalidParameterValueError(
            f'COPY format "{name}" not recognized', position=option.position
        )
    return name


def _columns(option: CopyOption) -> tuple[str, ...]:
    if option.kind != "list":
        raise InvalidParameterValueError(
            f'argument to option "{option.name}" must be a list of column names',
            position=option.position,
        )
    return option.names


def _columns_or_all(option: CopyOption) -> tuple[str, ...] | None:
    return None if option.kind == "star" else _columns(option)


def _encoding(option: CopyOption) -> Encoding:
    found = find_encoding(_text(option))
    if found is None:
        raise InvalidParameterValueError(
            'argument to option "encoding" must be a valid encoding name', position=option.position
        )
    return found


_READERS: dict[str, Callable[[CopyOption], object]] = {
    "format": _format,
    "freeze": _boolean,  # It is about COPY FROM, and PostgreSQL takes it.
    "delimiter": _text,
    "null": _text,
    "header": _header,
    "quote": _text,
    "escape": _text,
    "force_quote": _columns_or_all,
    "force_not_null": _columns,
    "force_null": _columns,
    "encoding": _encoding,
}


def _together(given: dict[str, CopyOption], *, reading: bool) -> CopyFormat:
    def text(name: str, otherwise: str) -> str:
        return _text(given[name]) if name in given else otherwise

    def columns(name: str) -> tuple[str, ...]:
        return _columns(given[name]) if name in given else ()

    kind = _format(given["format"]) if "format" in given else "text"
    csv = kind == "csv"
    for name in ("delimiter", "null"):
        if kind == "binary" and name in given:
            raise SqlSyntaxError(f"cannot specify {name.upper()} in BINARY mode")
    delimiter = text("delimiter", "," if csv else "\t")
    null = text("null", "" if csv else "\\N")
    quote = text("quote", '"')
    escape = text("escape", quote)
    header = "header" in given and _header(given["header"])
    _check_delimiter(delimiter, null, csv=csv)
    if kind == "binary" and header:
        raise FeatureNotSupportedError("cannot specify HEADER in BINARY mode")
    _check_csv(given, csv=csv)
    if csv:
        _check_one_byte(quote, "quote")
        if delimiter == quote:
            raise InvalidParameterValueError("COPY delimiter and quote must be different")
        _check_one_byte(escape, "escape")
    _check_forced(given, csv=csv, reading=reading)
    if delimiter in null:
        raise FeatureNotSupportedError("COPY delimiter must not appear in the NULL specification")
    if csv and quote in null:
        raise FeatureNotSupportedError(
            "CSV quote character must not appear in the NULL specification"
        )
    return CopyFormat(
        kind,
        delimiter,
        null,
        header,
        quote,
        escape,
        _columns_or_all(given["force_quote"]) if "force_quote" in given else (),
        _encoding(given["encoding"]) if "encoding" in given else None,
        "header" in given and _is_match(given["header"]),
        columns("force_not_null"),
        columns("force_null"),
        "freeze" in given and _boolean(given["freeze"]),
    )


def _check_one_byte(text: str, what: str) -> None:
    if len(text.encode()) != 1:
        raise FeatureNotSupportedError(f"COPY {what} must be a single one-byte character")


def _check_delimiter(delimiter: str, null: str, *, csv: bool) -> None:
    _check_one_byte(delimiter, "delimiter")
    if delimiter in "\r\n":
        raise InvalidParameterValueError("COPY delimiter cannot be newline or carriage return")
    if "\r" in null or "\n" in null:
        raise InvalidParameterValueError(
            "COPY null representation cannot use newline or carriage return"
        )
    if not csv and delimiter in _UNSAFE:
        raise InvalidParameterValueError(f'COPY delimiter cannot be "{delimiter}"')


def _check_csv(given: dict[str, CopyOption], *, csv: bool) -> None:
    for name in ("quote", "escape"):
        if name in given and not csv:
            raise FeatureNotSupportedError(f"COPY {name} available only in CSV mode")


def _check_forced(given: dict[str, CopyOption], *, csv: bool, reading: bool) -> None:
    for name in ("force_quote", "force_not_null", "force_null"):
        words = name.replace("_", " ")
        if name not in given:
            continue
        if not csv:
            raise FeatureNotSupportedError(f"COPY {words} available only in CSV mode")
        if reading is (name == "force_quote"):
            way = "TO" if reading else "FROM"
            raise FeatureNotSupportedError(f"COPY {words} only available using COPY {way}")
