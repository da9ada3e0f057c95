r"""SIMILAR TO's patterns: as regular expressions, and the part that substring(… SIMILAR …) takes.

Source: PostgreSQL's similar_escape_internal.
"""

from catalog.errors import InvalidEscapeSequenceError, InvalidUseOfEscapeCharacterError
from catalog.types.registry import TEXT
from kalam_pg.functions.define import function
from kalam_pg.functions.regexfunctions import substring
from kalam_pg.functions.table import EvalContext, Overload

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


def _substring_similar(context: EvalContext, text: str, pattern: str, escape: str) -> str | None:
    """The part between the marks (the whole text without marks), NULL if the text does not match."""
    return substring(context, text, similar_to_escape(pattern, escape))


OVERLOADS: tuple[Overload, ...] = (
    function("similar_to_escape", (TEXT,), TEXT, similar_to_escape),
    function("similar_to_escape", (TEXT, TEXT), TEXT, similar_to_escape),
    function("similar_escape", (TEXT, TEXT), TEXT, _similar_escape, strict=False),
    function("substring", (TEXT, TEXT, TEXT), TEXT, _substring_similar, needs_context=True),
)
