"""The functions of json that go by names: those behind operators, json_extract_path and others."""

from collections.abc import Callable
from json.decoder import scanstring  # type: ignore[attr-defined] # public in CPython's json.decoder

from catalog.errors import InvalidParameterValueError, NullValueNotAllowedError
from catalog.types.registry import BOOL, INT4, JSON, JSONB, TEXT, array_of
from catalog.types.table import PgType
from kalam_pg.functions import jsons, jsontext
from kalam_pg.functions.define import Datum, function
from kalam_pg.functions.jsonvalues import quote
from kalam_pg.functions.table import Overload

_TEXTS = array_of(TEXT) or TEXT

# pg_operator.oprcode, by operator and right operand.
_BEHIND = (
    ("->", TEXT, "object_field"),
    ("->", INT4, "array_element"),
    ("->>", TEXT, "object_field_text"),
    ("->>", INT4, "array_element_text"),
    ("@>", JSONB, "contains"),
    ("<@", JSONB, "contained"),
    ("?", TEXT, "exists"),
    ("?|", _TEXTS, "exists_any"),
    ("?&", _TEXTS, "exists_all"),
    ("||", JSONB, "concat"),
    ("-", TEXT, "delete"),
    ("-", _TEXTS, "delete"),
    ("-", INT4, "delete"),
    ("#-", _TEXTS, "delete_path"),
)


def _behind_operators() -> list[Overload]:
    rows: dict[tuple[str, PgType, PgType], Overload] = {
        (o.name, o.args[0], o.args[1]): o for o in jsons.OVERLOADS if len(o.args) == 2
    }
    found = []
    for symbol, right, name in _BEHIND:
        for left in (JSON, JSONB):
            operator = rows.get((symbol, left, right))
            if operator is not None and operator.row is not None:
                args = (left, right)
                more = {"variadic": True} if (name, right) == ("delete", _TEXTS) else {}
                row = _deleted if more else operator.row
                found.append(function(f"{left.name}_{name}", args, operator.result, row, **more))
    return found


def _deleted(document: str, *keys: str | None) -> str:
    return jsons.without_keys(document, keys)


def _extract(document: str, *path: str) -> str | None:
    return jsons.json_path(document, path)


# ------------------------------------------------------------------ json_strip_nulls

_SKIP = " \t\n\r"


def _strip_nulls(text: str) -> str:
    """The text without its blanks and without members that are null; numbers as they were written."""
    parts: list[str] = []
    _copy(text, 0, parts)
    return "".join(parts)


def _blank(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SKIP:
        at += 1
    return at


def _copy(text: str, at: int, parts: list[str]) -> int:
    """Append one value to `parts`; returns where it ended."""
    at = _blank(text, at)
    match text[at]:
        case "{":
            return _copy_object(text, at + 1, parts)
        case "[":
            return _copy_array(text, at + 1, parts)
        case '"':
            value, at = scanstring(text, at + 1)
            parts.append(quote(value))
            return int(at)
        case _:
            end = at
            while end < len(text) and text[end] not in ",]}" + _SKIP:
                end += 1
            parts.append(text[at:end])
            return end


def _copy_object(text: str, at: int, parts: list[str]) -> int:
    parts.append("{")
    first = True
    at = _blank(text, at)
    while text[at] != "}":
        name, at = scanstring(text, at + 1)
        value: list[str] = []
        at = _blank(text, _copy(text, _blank(text, at) + 1, value))
        if value != ["null"]:
            parts += [("" if first else ",") + quote(name) + ":", *value]
            first = False
        if text[at] == ",":
            at = _blank(text, at + 1)
    parts.append("}")
    return at + 1


def _copy_array(text: str, at: int, parts: list[str]) -> int:
    parts.append("[")
    first = True
    at = _blank(text, at)
    while text[at] != "]":
        if not first:
            parts.append(",")
        first = False
        at = _blank(text, _copy(text, at, parts))
        if text[at] == ",":
            at = _blank(text, at + 1)
    parts.append("]")
    return at + 1


# ------------------------------------------------------------------ jsonb_set_lax

_TREATMENTS = ("raise_exception", "use_json_null", "delete_key", "return_target")


def _set_lax(
    document: str | None, path: Datum, new: str | None, create: Datum = True,
    treatment: str | None = "use_json_null",
) -> str | None:  # fmt: skip
    if document is None or path is None or create is None:
        return None
    if treatment is None or (new is None and treatment not in _TREATMENTS):
        raise InvalidParameterValueError(
            'null_value_treatment must be "delete_key", "return_target", "use_json_null", or '
            '"raise_exception"'
        )
    if new is not None:
        return jsons.set_path(document, path, new, create)
    match treatment:
        case "raise_exception":
            raise NullValueNotAllowedError(
                "JSON value must not be null",
                detail='Exception was raised because null_value_treatment is "raise_exception".',
                hint="To avoid, either change the null_value_treatment argument or ensure that an "
                "SQL NULL is not passed.",
            )
        case "use_json_null":
            return jsons.set_path(document, path, "null", create)
        case "delete_key":
            return jsons.without_path(document, path)
        case _:
            return document


_unquoted: Callable[[str | None], str | None] = jsontext.unquoted

OVERLOADS: tuple[Overload, ...] = (
    *_behind_operators(),
    function("json_extract_path", (JSON, _TEXTS), JSON, _extract, variadic=True),
    function(
        "json_extract_path_text", (JSON, _TEXTS), TEXT,
        lambda d, *p: _unquoted(_extract(d, *p)), variadic=True,
    ),
    function("json_strip_nulls", (JSON,), JSON, _strip_nulls),
    function(
        "jsonb_set_lax", (JSONB, _TEXTS, JSONB, BOOL, TEXT), JSONB, _set_lax,
        defaults=2, strict=False,
    ),
)  # fmt: skip
