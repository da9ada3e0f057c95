r"""SIMILAR TO's patterns: as regular expressions, and the part that substring(… SIMILAR …) takes.

Source: PostgreSQL's similar_escape_internal.
"""

import pyarrow as pa
import pyarrow.compute as pc

from catalog.errors import (
    FeatureNotSupportedError,
    InvalidEscapeSequenceError,
    InvalidUseOfEscapeCharacterError,
)
from catalog.memo import kept
from catalog.types.registry import TEXT
from kalam_pg.functions.define import function
from kalam_pg.functions.regex import matches, translate
from kalam_pg.functions.table import Overload

_ENDS = ("){1,1}?(", "){1,1}(?:")
"""What the two marks of a part become: before it as little as may be, in it as much."""


def similar_to_escape(pattern: str, escape: str = "\\") -> str:
    """The pattern as a regular expression that takes the whole text.

    Raises:
        InvalidEscapeSequenceError: 22025, the escape has more than one character.
        InvalidUseOfEscapeCharacterError: 2200C, more than two marks of a part.
    """
    return "^(?:" + "".join(_translated(pattern, escape)) + ")$"


def _similar_escape(pattern: str | None, escape: str | None) -> str | None:
    """The older form: an escape that is NULL is the backslash."""
    if pattern is None:
        return None
    return similar_to_escape(pattern, "\\" if escape is None else escape)


def _translated(pattern: str, escape: str) -> list[str]:
    if len(escape) > 1:
        raise InvalidEscapeSequenceError(
            "invalid escape string", hint="Escape string must be empty or one character."
        )
    result: list[str] = []
    escaped = in_class = False
    marks = 0
    for character in pattern:
        if escaped:
            if character == '"' and not in_class:
                if marks == len(_ENDS):
                    raise InvalidUseOfEscapeCharacterError(
                        "SQL regular expression may not contain more than two "
                        "escape-double-quote separators"
                    )
                result.append(_ENDS[marks])
                marks += 1
            else:
                result.append("\\" + character)
            escaped = False
        elif escape and character == escape:
            escaped = True
        elif in_class:
            result.append("\\\\" if character == "\\" else character)
            in_class = character != "]"
        else:
            in_class = character == "["
            result.append(_PLAIN.get(character, character))
    return result


_PLAIN = {"%": ".*", "_": ".", "(": "(?:", **{c: "\\" + c for c in "\\.^$"}}


@kept(256, 1000)
def _parts(pattern: str, escape: str) -> str | None:
    """What finds the marked part as RE2 has it; None without marks."""
    pieces = _translated(pattern, escape)
    if _ENDS[0] not in pieces:
        return None
    first = pieces.index(_ENDS[0])
    last = pieces.index(_ENDS[1]) if _ENDS[1] in pieces else len(pieces)
    before, part, after = pieces[:first], pieces[first + 1 : last], pieces[last + 1 :]
    if "|" in before or "|" in part:
        raise FeatureNotSupportedError("alternatives in substring(… SIMILAR …) are not supported")
    for piece in (before, part, after):
        translate("".join(piece))
    return rf"(?s)\A(?U:{''.join(before)})(?P<part>{''.join(part)})(?:{''.join(after)})\z"


def substring_similar(text: str, pattern: str, escape: str) -> str | None:
    """The part between the marks (the whole text without marks), NULL if the text does not match."""
    found = _parts(pattern, escape)
    if found is None:
        return text if matches(text, similar_to_escape(pattern, escape)) else None
    parts = pc.extract_regex(pa.scalar(text), found).as_py()
    return None if parts is None else str(parts["part"])


OVERLOADS: tuple[Overload, ...] = (
    function("similar_to_escape", (TEXT,), TEXT, similar_to_escape),
    function("similar_to_escape", (TEXT, TEXT), TEXT, similar_to_escape),
    function("similar_escape", (TEXT, TEXT), TEXT, _similar_escape, strict=False),
    function("substring", (TEXT, TEXT, TEXT), TEXT, substring_similar),
)
