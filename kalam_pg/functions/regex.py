r"""Regular expression matching: ~ ~* !~ !~*, by RE2, so that no pattern takes more than linear time.

PostgreSQL's advanced regular expressions (manual, 9.7.3) are close to RE2's; what differs is
translated here, and what RE2 cannot do (back-references, lookaround, \m and \M) is 0A000.
"""

import re

import pyarrow as pa
import pyarrow.compute as pc

from catalog.errors import FeatureNotSupportedError, InvalidRegularExpressionError
from catalog.memo import kept
from catalog.types.registry import BOOL, BPCHAR, NAME, TEXT
from kalam_pg.functions.define import operator
from kalam_pg.functions.regex_classes import with_classes
from kalam_pg.functions.table import Overload

_ESCAPES = {"y": r"\b", "Y": r"\B", "A": r"\A", "Z": r"\z"}
_REFUSED = re.compile(r"\\[mM1-9]|\(\?(?:[=!]|<[=!])")
_EMBEDDED = re.compile(r"\*\*\*:|\(\?([bceimnpqstwx]+)\)")

_REPEATED_MAX = 255
_COUNTS = "invalid repetition count(s)"

# An escape or a bracket expression, in which braces are characters; or a bound. An unclosed bracket
# goes to the end, so that many of them take linear time.
_BOUND = re.compile(
    r"""\\. | \[\^?\]? (?: \[([:.=])[^\]]{0,40}?\1\] | \\. | [^\]\\] )* (?: \] | \Z )
    | \{ (?P<least>\d{1,4}) (?: ,(?P<most>\d{0,4}) )? (?P<closed>\})?""",
    re.DOTALL | re.VERBOSE | re.ASCII,
)

# What RE2 says of a pattern, and what PostgreSQL says of it: the first that is part of it.
_FAULTS = (
    ("missing ]", "brackets [] not balanced"),
    ("missing )", "parentheses () not balanced"),
    ("unexpected )", "parentheses () not balanced"),
    ("invalid character class range: [:", "invalid character class"),
    ("invalid character class range", "invalid character range"),
    ("invalid character class", "invalid character class"),
    ("invalid repetition size", _COUNTS),
    ("repetition operator", "quantifier operand invalid"),
    ("invalid named capture group", "quantifier operand invalid"),
    ("invalid perl operator", "quantifier operand invalid"),
    ("trailing \\", r"invalid escape \ sequence"),
    ("invalid escape sequence", r"invalid escape \ sequence"),
    ("pattern too large", "regular expression is too complex"),
)

# Patterns that are no more than a prefix or the whole of a name: most of what clients send.
_LITERAL = re.compile(r"(\^?)\(?([\w ]*)\)?(\$?)", re.ASCII)


@kept(512, 1000)
def translate(pattern: str, *, ignore_case: bool = False, wide: bool = False) -> str:
    """A PostgreSQL pattern as RE2 has it.

    wide: for a text that is not of ASCII alone.

    Raises:
        FeatureNotSupportedError: RE2 has nothing like it.
        InvalidRegularExpressionError: It is no pattern.
    """
    flags = "si" if ignore_case else "s"
    if pattern.startswith("***="):
        return f"(?{flags}){re.escape(pattern[4:])}"
    if found := _EMBEDDED.match(pattern):
        pattern = pattern[found.end() :]
        options = found[1] or ""
        if set(options) - set("ics"):
            raise FeatureNotSupportedError(
                f'regular expression option "{options}" is not supported'
            )
        if options:
            flags = "si" if options.rfind("i") > options.rfind("c") else "s"
    if refused := _REFUSED.search(pattern):
        raise FeatureNotSupportedError(f'"{refused[0]}" in regular expressions is not supported')
    _check_bounds(pattern)
    body = re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), pattern, flags=re.DOTALL)
    translated = f"(?{flags}){with_classes(body, wide=wide)}"
    try:
        pc.match_substring_regex(pa.scalar(""), translated)
    except pa.ArrowInvalid as exc:
        raise _invalid(_fault(str(exc))) from exc
    return translated


def _check_bounds(pattern: str) -> None:
    """Refuse a{2 and a{256}, which RE2 takes: the first as these characters, the second as it says."""
    for found in _BOUND.finditer(pattern):
        least, most, closed = found["least"], found["most"], found["closed"]
        if least is None:
            continue
        if not closed:
            raise _invalid(_COUNTS if found.end() < len(pattern) else "braces {} not balanced")
        if not int(least) <= int(most or least) <= _REPEATED_MAX:
            raise _invalid(_COUNTS)


def _fault(told: str) -> str:
    """What PostgreSQL says of a pattern of which RE2 says `told`."""
    for ours, theirs in _FAULTS:
        if ours in told:
            return theirs
    return told


def _invalid(fault: str) -> InvalidRegularExpressionError:
    return InvalidRegularExpressionError(f"invalid regular expression: {fault}")


def matches(value: str, pattern: str) -> bool:
    """Value ~ pattern."""
    if simple := _simple(pattern):
        start, text, end = simple
        if start:
            return value == text if end else value.startswith(text)
        return value.endswith(text) if end else text in value
    translated = translate(pattern, wide=not value.isascii())
    return bool(pc.match_substring_regex(pa.scalar(value), translated).as_py())


@kept(512, 1000)
def _simple(pattern: str) -> tuple[bool, str, bool] | None:
    found = _LITERAL.fullmatch(pattern)
    if found is None or pattern.count("(") != pattern.count(")"):
        return None
    return bool(found[1]), found[2], bool(found[3])


def matches_any_case(value: str, pattern: str) -> bool:
    """Value ~* pattern."""
    translated = translate(pattern, ignore_case=True, wide=not value.isascii())
    return bool(pc.match_substring_regex(pa.scalar(value), translated).as_py())


OVERLOADS: tuple[Overload, ...] = tuple(
    o
    for t in (TEXT, NAME, BPCHAR)
    for o in (
        operator("~", (t, TEXT), BOOL, matches),
        operator("!~", (t, TEXT), BOOL, lambda a, b: not matches(a, b)),
        operator("~*", (t, TEXT), BOOL, matches_any_case),
        operator("!~*", (t, TEXT), BOOL, lambda a, b: not matches_any_case(a, b)),
    )
)
