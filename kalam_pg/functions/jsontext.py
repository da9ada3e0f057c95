"""json (not jsonb) as the text it is: members and elements keep their own spelling."""

import json
from collections.abc import Iterator
from json.decoder import scanstring  # type: ignore[attr-defined] # public in CPython's json.decoder

from catalog.errors import InvalidTextRepresentationError
from catalog.types.json import check_escapes

_BLANKS = " \t\n\r"
_DECODER = json.JSONDecoder()


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANKS:
        at += 1
    return at


def _end(text: str, at: int) -> int:
    """Where the value that begins at `at` ends."""
    if text[at] == '"':
        return int(scanstring(text, at + 1)[1])
    if text[at] in "{[":
        depth = 0
        while True:
            character = text[at]
            if character == '"':
                at = scanstring(text, at + 1)[1]
                continue
            depth += (character in "{[") - (character in "}]")
            at += 1
            if depth == 0:
                return at
    while at < len(text) and text[at] not in ",]}" + _BLANKS:
        at += 1
    return at


def kind(text: str) -> str:
    """json_typeof."""
    first = text.lstrip(_BLANKS)[:1]
    return {
        "{": "object",
        "[": "array",
        '"': "string",
        "t": "boolean",
        "f": "boolean",
        "n": "null",
    }.get(first, "number")


def members(text: str) -> Iterator[tuple[str, str]]:
    """The members of an object, in order, duplicates too.

    Raises:
        UntranslatableCharacterError: 22P05, and as `check_escapes`.
    """
    check_escapes(text)
    at = _skip(text, _skip(text, 0) + 1)
    try:
        while text[at] != "}":
            key, at = scanstring(text, at + 1)
            at = _skip(text, _skip(text, at) + 1)
            end = _end(text, at)
            yield key, text[at:end]
            at = _skip(text, end)
            if text[at] == ",":
                at = _skip(text, at + 1)
    except (IndexError, ValueError):
        raise InvalidTextRepresentationError("invalid input syntax for type json") from None


def elements(text: str) -> Iterator[str]:
    """The elements of an array."""
    at = _skip(text, _skip(text, 0) + 1)
    try:
        while text[at] != "]":
            end = _end(text, at)
            yield text[at:end]
            at = _skip(text, end)
            if text[at] == ",":
                at = _skip(text, at + 1)
    except (IndexError, ValueError):
        raise InvalidTextRepresentationError("invalid input syntax for type json") from None


def member(text: str, key: str) -> str | None:
    """Json -> text: the last member of that name."""
    if kind(text) != "object":
        check_escapes(text)
        return None
    found = None
    for name, value in members(text):
        if name == key:
            found = value
    return found


def element(text: str, index: int) -> str | None:
    """Json -> integer, from the end when negative."""
    check_escapes(text)
    if kind(text) != "array":
        return None
    items = list(elements(text))
    place = index if index >= 0 else len(items) + index
    return items[place] if 0 <= place < len(items) else None


def unquoted(text: str | None) -> str | None:
    """A value as ->> gives it: strings without quotes, null as NULL."""
    if text is None:
        return None
    text = text.strip(_BLANKS)
    if text.startswith('"'):
        check_escapes(text)
        return str(scanstring(text, 1)[0])
    return None if text == "null" else text
