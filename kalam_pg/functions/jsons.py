"""Operators and functions on json and jsonb that look into a document or change it."""

import re
from collections.abc import Iterator

from catalog.errors import (
    ArraySubscriptError,
    InvalidParameterValueError,
    InvalidTextRepresentationError,
    NullValueNotAllowedError,
)
from catalog.types.registry import BOOL, INT4, JSON, JSONB, RECORD, TEXT, array_of
from kalam_pg.functions import jsontext
from kalam_pg.functions.define import Datum, function, operator, returns_set
from kalam_pg.functions.dimensions import array_shape, flatten, items_of
from kalam_pg.functions.jsonvalues import (
    contains,
    dump,
    key_order,
    parse,
    parse_cached,
    quote,
    rank,
)
from kalam_pg.functions.table import Overload

_TEXTS = array_of(TEXT) or TEXT
_MISSING = object()


def scalar_text(value: Datum) -> str | None:
    """A parsed value as ->> gives it."""
    if value is None:
        return None
    return value if isinstance(value, str) else dump(value)


def _member(document: str, key: str) -> Datum:
    value = parse_cached(document)
    return value.get(key, _MISSING) if isinstance(value, dict) else _MISSING


def _element(document: str, index: int) -> Datum:
    value = parse_cached(document)
    if not isinstance(value, dict | list):
        value = [value]  # A scalar is stored as an array of one.
    if not isinstance(value, list) or not -len(value) <= index < len(value):
        return _MISSING
    return value[index]


def step(value: Datum, word: str | None) -> Datum:
    """One step of a path; `_MISSING` when it leads nowhere."""
    if isinstance(value, dict):
        return value.get(word, _MISSING)
    if isinstance(value, list):
        index = _index(word)
        if index is not None and -len(value) <= index < len(value):
            return value[index]
    return _MISSING


_NUMBER = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)")


def _index(word: str | None) -> int | None:
    """The number of an element, as C's strtoint reads a word; None for a word that is none."""
    found = _NUMBER.fullmatch(word) if word is not None else None
    if found is None or len(found[1]) > _DIGITS_MAX:
        return None
    index = int(found[1])
    return index if -(2**31) <= index < 2**31 else None


_DIGITS_MAX = 4000
"""More than these Python does not read at once."""


def _words(path: Datum) -> Datum:
    """The words of a path that changes a document: an array of one dimension.

    Raises:
        ArraySubscriptError: 2202E, it has more; before PostgreSQL looks at the document.
    """
    if len(array_shape(path)) > 1:
        raise ArraySubscriptError("wrong number of array subscripts")
    return items_of(path)


def _follow(document: str, path: Datum) -> Datum:
    value = parse_cached(document)
    for word in flatten(path):
        value = _MISSING if word is None else step(value, word)
        if value is _MISSING:
            break
    return value


def _as_json(value: Datum) -> str | None:
    return None if value is _MISSING else dump(value)


def _as_text(value: Datum) -> str | None:
    return None if value is _MISSING else scalar_text(value)


def json_path(document: str, path: Datum) -> str | None:
    """What json's #> finds, None where the path, an array of any shape, leads nowhere."""
    value: str | None = document.strip(" \t\n\r")
    for word in flatten(path):
        if value is None or word is None:
            return None
        if jsontext.kind(value) == "array":
            index = _index(word)
            value = None if index is None else jsontext.element(value, index)
        else:
            value = jsontext.member(value, word)
    return value


# ------------------------------------------------------------------ containment, existence


def _contains(a: str, b: str) -> bool:
    return contains(parse_cached(a), parse_cached(b))


def _exists(document: str, key: str) -> bool:
    value = parse_cached(document)
    if isinstance(value, dict):
        return key in value
    if isinstance(value, list):
        return any(isinstance(item, str) and item == key for item in value)
    return isinstance(value, str) and value == key


def _exists_any(document: str, keys: Datum) -> bool:
    return any(_exists(document, key) for key in flatten(keys) if key is not None)


def _exists_all(document: str, keys: Datum) -> bool:
    return all(_exists(document, key) for key in flatten(keys) if key is not None)


# ------------------------------------------------------------------ changes


def _concatenate(a: str, b: str) -> str:
    x, y = parse(a), parse(b)
    if isinstance(x, dict) and isinstance(y, dict):
        return dump(x | y)
    left = x if isinstance(x, list) else [x]
    right = y if isinstance(y, list) else [y]
    return dump([*left, *right])


def _without_key(document: str, key: str) -> str:
    return _without(document, {key})


def without_keys(document: str, keys: Datum) -> str:
    """The document without these keys or strings: jsonb - text[]."""
    return _without(document, {key for key in _words(keys) if key is not None})


def _without(document: str, keys: set[str]) -> str:
    value = parse(document)
    if isinstance(value, dict):
        value = {name: item for name, item in value.items() if name not in keys}
    elif isinstance(value, list):
        value = [item for item in value if not (isinstance(item, str) and item in keys)]
    else:
        raise InvalidParameterValueError("cannot delete from scalar")
    return dump(value)


def _without_index(document: str, index: int) -> str:
    value = parse(document)
    if isinstance(value, dict):
        raise InvalidParameterValueError("cannot delete from object using integer index")
    if not isinstance(value, list):
        raise InvalidParameterValueError("cannot delete from scalar")
    if -len(value) <= index < len(value):
        del value[index]
    return dump(value)


def without_path(document: str, path: Datum) -> str:
    """The document without what a path leads to: jsonb #- path."""
    path = _words(path)
    value = parse(document)
    if not isinstance(value, dict | list):
        raise InvalidParameterValueError("cannot delete path in scalar")
    if not value:
        return dump(value)  # Before PostgreSQL looks at the path.
    parent: Datum = value
    for position, word in enumerate(path[:-1], 1):
        _check_index(parent, word, position)
        parent = step(parent, word)
        if not isinstance(parent, dict | list):
            return dump(value)
    if path:
        last = path[-1]
        _check_index(parent, last, len(path))
        if isinstance(parent, dict):
            parent.pop(last, None)
        elif (index := _index(last)) is not None and -len(parent) <= index < len(parent):
            del parent[index]
    return dump(value)


def _check_index(value: Datum, word: str | None, position: int) -> None:
    if word is None:
        raise NullValueNotAllowedError(f"path element at position {position} is null")
    if isinstance(value, list) and _index(word) is None:
        raise InvalidTextRepresentationError(
            f'path element at position {position} is not an integer: "{word}"'
        )


def set_path(document: str, path: Datum, new: str, create: Datum = True) -> str:
    """The document with another value where a path leads: jsonb_set."""
    path = _words(path)
    value = parse(document)
    if not isinstance(value, dict | list):
        raise InvalidParameterValueError("cannot set path in scalar")
    if not value and not create:
        return document  # Before PostgreSQL looks at the path.
    return dump(_replaced(value, path, 0, parse(new), create=bool(create)) if path else value)


def _replaced(
    value: Datum, path: tuple[str | None, ...], depth: int, new: Datum, *, create: bool
) -> Datum:
    word = path[depth]
    _check_index(value, word, depth + 1)
    last = depth == len(path) - 1
    if isinstance(value, dict):
        if last:
            if create or word in value:
                value[word] = new
        elif isinstance(value.get(word), dict | list):
            value[word] = _replaced(value[word], path, depth + 1, new, create=create)
        return value
    index = _index(word)
    assert index is not None
    inside = -len(value) <= index < len(value)
    if last:
        if inside:
            value[index] = new
        elif create:
            value.insert(0 if index < 0 else len(value), new)
    elif inside and isinstance(value[index], dict | list):
        value[index] = _replaced(value[index], path, depth + 1, new, create=create)
    return value


def _insert(document: str, path: Datum, new: str, after: Datum = False) -> str:
    path = _words(path)
    value = parse(document)
    if not isinstance(value, dict | list):
        raise InvalidParameterValueError("cannot set path in scalar")
    parent: Datum = value
    for position, word in enumerate(path[:-1], 1):
        _check_index(parent, word, position)
        parent = step(parent, word)
        if not isinstance(parent, dict | list):
            return dump(value)
    if not path:
        return dump(value)
    word = path[-1]
    _check_index(parent, word, len(path))
    if isinstance(parent, dict):
        if word in parent:
            raise InvalidParameterValueError(
                "cannot replace existing key",
                hint="Try using the function jsonb_set to replace key value.",
            )
        parent[word] = parse(new)
    else:
        index = _index(word) or 0
        place = max(0, len(parent) + index) if index < 0 else min(index, len(parent))
        inside = -len(parent) <= index < len(parent)
        parent.insert(place + 1 if after and inside else place, parse(new))
    return dump(value)


def _strip_nulls(value: Datum) -> Datum:
    if isinstance(value, dict):
        return {k: _strip_nulls(v) for k, v in value.items() if v is not None}
    return [_strip_nulls(v) for v in value] if isinstance(value, list) else value


def _pretty(value: Datum, depth: int = 0) -> str:
    inner, outer = "    " * (depth + 1), "    " * depth
    if isinstance(value, dict):
        rows = [
            f"{inner}{quote(k)}: {_pretty(value[k], depth + 1)}"
            for k in sorted(value, key=key_order)
        ]
        return "{\n" + ",\n".join(rows) + f"\n{outer}}}" if rows else "{\n" + outer + "}"
    if isinstance(value, list):
        rows = [inner + _pretty(v, depth + 1) for v in value]
        return "[\n" + ",\n".join(rows) + f"\n{outer}]" if rows else "[\n" + outer + "]"
    return dump(value)


# ------------------------------------------------------------------ kinds and sets


def _typeof(document: str) -> str:
    names = {0: "null", 1: "string", 2: "number", 3: "boolean", 4: "array", 5: "object"}
    return names[rank(parse_cached(document))]


def _array(document: str) -> list[Datum]:
    value = parse_cached(document)
    if not isinstance(value, list):
        noun = "an object" if isinstance(value, dict) else "a scalar"
        raise InvalidParameterValueError(f"cannot extract elements from {noun}")
    return value


def _length(document: str) -> int:
    value = parse_cached(document)
    if not isinstance(value, list):
        noun = "non-array" if isinstance(value, dict) else "scalar"
        raise InvalidParameterValueError(f"cannot get array length of a {noun}")
    return len(value)


def _elements(document: str) -> Iterator[str]:
    return (dump(item) for item in _array(document))


def _elements_text(document: str) -> Iterator[str | None]:
    return (scalar_text(item) for item in _array(document))


def _object(document: str, name: str) -> dict[str, Datum]:
    value = parse_cached(document)
    if not isinstance(value, dict):
        noun = "an array" if isinstance(value, list) else "a scalar"
        if name.endswith("object_keys"):
            raise InvalidParameterValueError(f"cannot call {name} on {noun}")
        raise InvalidParameterValueError(f"cannot call {name} on a non-object")
    return dict(sorted(value.items(), key=lambda item: key_order(item[0])))


def _each(document: str) -> Iterator[tuple[str, str]]:
    return ((k, dump(v)) for k, v in _object(document, "jsonb_each").items())


def _each_text(document: str) -> Iterator[tuple[str, str | None]]:
    return ((k, scalar_text(v)) for k, v in _object(document, "jsonb_each_text").items())


def _keys(document: str) -> Iterator[str]:
    return iter(_object(document, "jsonb_object_keys"))


def _json_length(document: str) -> int:
    if jsontext.kind(document) != "array":
        noun = "non-array" if jsontext.kind(document) == "object" else "scalar"
        raise InvalidParameterValueError(f"cannot get array length of a {noun}")
    return sum(1 for _ in jsontext.elements(document))


def _json_elements(document: str) -> Iterator[str]:
    if jsontext.kind(document) != "array":
        noun = "an object" if jsontext.kind(document) == "object" else "a scalar"
        raise InvalidParameterValueError(f"cannot extract elements from {noun}")
    return jsontext.elements(document)


def _json_members(document: str, name: str) -> Iterator[tuple[str, str]]:
    if jsontext.kind(document) != "object":
        raise InvalidParameterValueError(
            f"cannot deconstruct {_noun(document)} as an object"
            if name == "json_each"
            else f"cannot call {name} on {_noun(document)}"
        )
    return jsontext.members(document)


def _noun(document: str) -> str:
    return "an array" if jsontext.kind(document) == "array" else "a scalar"


_KV = {"out_names": ("key", "value")}

OVERLOADS: tuple[Overload, ...] = (
    operator("->", (JSONB, TEXT), JSONB, lambda d, k: _as_json(_member(d, k))),
    operator("->", (JSONB, INT4), JSONB, lambda d, i: _as_json(_element(d, i))),
    operator("->>", (JSONB, TEXT), TEXT, lambda d, k: _as_text(_member(d, k))),
    operator("->>", (JSONB, INT4), TEXT, lambda d, i: _as_text(_element(d, i))),
    operator("#>", (JSONB, _TEXTS), JSONB, lambda d, p: _as_json(_follow(d, p))),
    operator("#>>", (JSONB, _TEXTS), TEXT, lambda d, p: _as_text(_follow(d, p))),
    operator("->", (JSON, TEXT), JSON, jsontext.member),
    operator("->", (JSON, INT4), JSON, jsontext.element),
    operator("->>", (JSON, TEXT), TEXT, lambda d, k: jsontext.unquoted(jsontext.member(d, k))),
    operator("->>", (JSON, INT4), TEXT, lambda d, i: jsontext.unquoted(jsontext.element(d, i))),
    operator("#>", (JSON, _TEXTS), JSON, json_path),
    operator("#>>", (JSON, _TEXTS), TEXT, lambda d, p: jsontext.unquoted(json_path(d, p))),
    operator("@>", (JSONB, JSONB), BOOL, _contains),
    operator("<@", (JSONB, JSONB), BOOL, lambda a, b: _contains(b, a)),
    operator("?", (JSONB, TEXT), BOOL, _exists),
    operator("?|", (JSONB, _TEXTS), BOOL, _exists_any),
    operator("?&", (JSONB, _TEXTS), BOOL, _exists_all),
    operator("||", (JSONB, JSONB), JSONB, _concatenate),
    operator("-", (JSONB, TEXT), JSONB, _without_key),
    operator("-", (JSONB, _TEXTS), JSONB, without_keys),
    operator("-", (JSONB, INT4), JSONB, _without_index),
    operator("#-", (JSONB, _TEXTS), JSONB, without_path),
    function(
        "jsonb_extract_path", (JSONB, _TEXTS), JSONB,
        lambda d, *p: _as_json(_follow(d, p)), variadic=True,
    ),
    function(
        "jsonb_extract_path_text", (JSONB, _TEXTS), TEXT,
        lambda d, *p: _as_text(_follow(d, p)), variadic=True,
    ),
    function("jsonb_set", (JSONB, _TEXTS, JSONB, BOOL), JSONB, set_path, defaults=1),
    function("jsonb_insert", (JSONB, _TEXTS, JSONB, BOOL), JSONB, _insert, defaults=1),
    function("jsonb_strip_nulls", (JSONB,), JSONB, lambda d: dump(_strip_nulls(parse(d)))),
    function("jsonb_pretty", (JSONB,), TEXT, lambda d: _pretty(parse_cached(d))),
    function("jsonb_typeof", (JSONB,), TEXT, _typeof),
    function("json_typeof", (JSON,), TEXT, jsontext.kind),
    function("jsonb_array_length", (JSONB,), INT4, _length),
    function("json_array_length", (JSON,), INT4, _json_length),
    returns_set("jsonb_array_elements", (JSONB,), JSONB, _elements, out_names=("value",)),
    returns_set("jsonb_array_elements_text", (JSONB,), TEXT, _elements_text, out_names=("value",)),
    returns_set("jsonb_object_keys", (JSONB,), TEXT, _keys),
    returns_set("jsonb_each", (JSONB,), RECORD, _each, out_types=(TEXT, JSONB), **_KV),
    returns_set("jsonb_each_text", (JSONB,), RECORD, _each_text, out_types=(TEXT, TEXT), **_KV),
    returns_set("json_array_elements", (JSON,), JSON, _json_elements, out_names=("value",)),
    returns_set(
        "json_array_elements_text", (JSON,), TEXT,
        lambda d: map(jsontext.unquoted, _json_elements(d)), out_names=("value",),
    ),
    returns_set(
        "json_object_keys", (JSON,), TEXT,
        lambda d: (k for k, _ in _json_members(d, "json_object_keys")),
    ),
    returns_set(
        "json_each", (JSON,), RECORD, lambda d: _json_members(d, "json_each"),
        out_types=(TEXT, JSON), **_KV,
    ),
    returns_set(
        "json_each_text", (JSON,), RECORD,
        lambda d: ((k, jsontext.unquoted(v)) for k, v in _json_members(d, "json_each")),
        out_types=(TEXT, TEXT), **_KV,
    ),
)  # fmt: skip
