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
from kalam_pg.functions.table import Overload

_ESCAPES = {"y": r"\b", "Y": r"\B", "A": r"\A", "Z": r"\z"}
_REFUSED = re.compile(r"\\[mM1-9]|\(\?(?:[=!]|<[=!])")
_EMBEDDED = re.compile(r"\*\*\*:|\(\?([bceimnpqstwx]+)\)")

# Patterns that are no more than a prefix or the whole of a name: most of what clients send.
_LITERAL = re.compile(r"(\^?)\(?([\w ]*)\)?(\$?)", re.ASCII)


@kept(512, 1000)
def translate(pattern: str, *, ignore_case: bool = False) -> str:
    """A PostgreSQL pattern as RE2 has it.

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
    body = re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), pattern, flags=re.DOTALL)
    translated = f"(?{flags}){body}"
    try:
        pc.match_substring_regex(pa.scalar(""), translated)
    except pa.ArrowInvalid as exc:
        raise InvalidRegularExpressionError(f"invalid regular expression: {exc}") from exc
    return translated


def matches(value: str, pattern: str) -> bool:
    """Value ~ pattern."""
    if simple := _simple(pattern):
        start, text, end = simple
        if start:
            return value == text if end else value.startswith(text)
        return value.endswith(text) if end else text in value
    return bool(pc.match_substring_regex(pa.scalar(value), translate(pattern)).as_py())


@kept(512, 1000)
def _simple(pattern: str) -> tuple[bool, str, bool] | None:
    found = _LITERAL.fullmatch(pattern)
    if found is None or pattern.count("(") != pattern.count(")"):
        return None
    return bool(found[1]), found[2], bool(found[3])


def matches_any_case(value: str, pattern: str) -> bool:
    """Value ~* pattern."""
    translated = translate(pattern, ignore_case=True)
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
