"""regexp_match, regexp_matches, regexp_replace, regexp_split_…, substring by pattern.

Matches are found by RE2, in linear time whatever the pattern is. It finds the leftmost match and
prefers earlier alternatives, where PostgreSQL prefers the longest; so a pattern whose alternatives
could differ in that (`a|ab`) is refused here, never answered differently.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from catalog.errors import FeatureNotSupportedError, InvalidParameterValueError
from catalog.memo import kept
from catalog.types.registry import BOOL, INT4, TEXT, array_of
from kalam_pg.functions.define import Datum, function, returns_set
from kalam_pg.functions.regex import matches, matches_any_case, translate
from kalam_pg.functions.strings import too_long
from kalam_pg.functions.table import Overload

_TEXTS = array_of(TEXT) or TEXT
_WHOLE = "k0"


@kept(512, 1000)
def _named(pattern: str, *, ignore_case: bool) -> tuple[str, int]:
    """The RE2 pattern with its groups named k1, k2 …, all in k0; and how many groups there are."""
    translated = translate(pattern, ignore_case=ignore_case)
    flags, body = translated[: translated.index(")") + 1], translated[translated.index(")") + 1 :]
    parts: list[str] = []
    groups = 0
    in_class = False
    at = 0
    while at < len(body):
        character = body[at]
        if character == "\\":
            parts.append(body[at : at + 2])
            at += 2
            continue
        if in_class:
            in_class = character != "]" or body[at - 1 : at] in {"[", "^"}
        elif character == "[":
            in_class = True
        elif character == "|":
            _check_alternatives(body)
        elif character == "(" and body[at + 1 : at + 2] != "?":
            groups += 1
            parts.append(f"(?P<k{groups}>")
            at += 1
            continue
        parts.append(character)
        at += 1
    _check_greediness(body)
    return f"{flags}(?P<{_WHOLE}>{''.join(parts)})", groups


_QUANTIFIER = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?:?|((?:[*+?]|\{\d+(?:,\d*)?\}))(\??)", re.DOTALL
)


def _unnamed(body: str) -> str:
    """A pattern of `_named` with its own groups without names, the whole being none."""
    return re.sub(r"\(\?P<k\d+>", "(", body[len(f"(?P<{_WHOLE}>") : -1])


def _check_greediness(body: str) -> None:
    """PostgreSQL's first quantifier decides for the whole pattern, RE2's each for itself."""
    found = [m for m in _QUANTIFIER.finditer(body) if m[1] and not re.fullmatch(r"\{\d+\}", m[1])]
    if len({bool(m[2]) for m in found}) > 1:
        raise FeatureNotSupportedError(
            "a regular expression with greedy and non-greedy quantifiers is not supported"
        )


@dataclass(slots=True)
class _Group:
    """A capturing group. optional: it may take no part in a match."""

    start: int
    optional: bool = False
    end: int = 0


@kept(512, 1000)
def _absent(body: str) -> tuple[bool | None, ...]:
    """For each group what an empty text of it says: True that it took no part, False that it took
    part and is empty, None that this cannot be told.
    """
    groups: list[_Group] = []
    every: list[_Group] = []
    stack: list[_Group] = []
    branched: list[_Group] = []
    for token in _TOKEN.finditer(body):
        text = token[0]
        if text.startswith("("):
            group = _Group(token.end())
            every.append(group)
            stack.append(group)
            if text == "(":
                groups.append(group)
        elif text == ")" and stack:
            group = stack.pop()
            group.end = token.start()
            after = body[token.end() : token.end() + 3]
            group.optional = after[:1] in {"?", "*"} or after[:2] == "{0"
        elif text == "|":
            branched.append(stack[-1] if stack else _Group(-1, end=len(body)))
    answers: list[bool | None] = []
    for group in groups:
        around = [g for g in every if g.start <= group.start and group.end <= g.end]
        within = any(g.start < group.start and group.end <= g.end for g in branched)
        if not within and not any(g.optional for g in around):
            answers.append(False)
        else:
            inner = f"^(?:{body[group.start : group.end]})$"
            can_be_empty = pc.match_substring_regex(pa.scalar(""), inner).as_py()
            answers.append(None if can_be_empty else True)
    return tuple(answers)


_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?(?::|[a-z]+\))|\(|\)|\|", re.DOTALL)


def _part(text: str, absent: bool | None) -> str | None:
    """A group's text, which RE2 gives as empty for one that took no part."""
    if text or absent is False:
        return text
    if absent is None:
        raise FeatureNotSupportedError(
            "a group that may be empty or take no part in a match is not supported"
        )
    return None


_WORDS = re.compile(r"[\w\s,;:/@#%&=<>!~'\"-]*")


def _check_alternatives(body: str) -> None:
    """Alternatives are safe when each group's are plain words, none the beginning of another."""
    for group in re.split(r"[()]", body):
        words = group.split("|")
        if len(words) < 2:
            continue
        plain = [w.strip("^$") for w in words]
        if not all(_WORDS.fullmatch(w) for w in plain) or any(
            a != b and b.startswith(a) for a in plain for b in plain
        ):
            raise FeatureNotSupportedError(
                "alternatives of this form are not supported in this function"
            )


def _flags(flags: str, allowed: str) -> tuple[bool, bool]:
    """(global, ignore case) of a flags argument."""
    for flag in flags:
        if flag not in "gics":
            raise FeatureNotSupportedError(f'regular expression option "{flag}" is not supported')
        if flag == "g" and "g" not in allowed:
            raise InvalidParameterValueError(
                'regexp_match() does not support the "global" option',
                hint="Use the regexp_matches function instead.",
            )
    return "g" in flags, flags.rfind("i") > flags.rfind("c")


_PROBE_COST = 20_000
_WORK_MAX = 500_000_000
"""Characters looked at for one value, about a second's: each match looks through the rest again, and
nothing can interrupt it."""


def _find(
    text: str, pattern: str, *, ignore_case: bool, every: bool
) -> Iterator[tuple[int, int, tuple[str | None, ...]]]:
    """(start, end, groups) of each match; without groups the whole match is the one group."""
    body, groups = _named(pattern, ignore_case=ignore_case)
    flags = body[: body.index(")") + 1]
    rest = body[len(flags) :]
    empty = _absent(_unnamed(rest))
    start, work = 0, 0
    while start <= len(text):
        # The character before stays in front, so that ^, \\b and their like see that there is one.
        kept = max(start - 1, 0)
        work += len(text) - kept + _PROBE_COST
        if work > _WORK_MAX:
            raise too_long()
        probe = f"{flags}\\A(?P<before>{'(?s:.)' if start else ''}(?s:.*?)){rest}"
        found = pc.extract_regex(pa.scalar(text[kept:]), probe).as_py()
        if found is None:
            return
        begin = kept + len(found["before"])
        whole = found[_WHOLE]
        end = begin + len(whole)
        parts = [
            _part(found[f"k{i}"], absent)
            for i, absent in zip(range(1, groups + 1), empty, strict=True)
        ]
        yield begin, end, tuple(parts) or (whole,)
        if not every:
            return
        start = end + 1 if end == begin else end


def _match(text: str, pattern: str, flags: str = "") -> Datum:
    _, ignore_case = _flags(flags, "")
    for _, _, groups in _find(text, pattern, ignore_case=ignore_case, every=False):
        return groups
    return None


def _matches(text: str, pattern: str, flags: str = "") -> Iterator[Datum]:
    every, ignore_case = _flags(flags, "g")
    for _, _, groups in _find(text, pattern, ignore_case=ignore_case, every=every):
        yield groups


_REFERENCE = re.compile(r"\\(.)", re.DOTALL)


def _replace(text: str, pattern: str, replacement: str, flags: str = "") -> str:
    every, ignore_case = _flags(flags, "g")
    parts: list[str] = []
    at = 0
    for begin, end, groups in _find(text, pattern, ignore_case=ignore_case, every=every):
        whole = text[begin:end]
        parts += [text[at:begin], _expand(replacement, whole, groups)]
        at = end
    return "".join([*parts, text[at:]])


def _expand(replacement: str, whole: str, groups: tuple[str | None, ...]) -> str:
    def one(match: re.Match[str]) -> str:
        code = match[1]
        if code == "&":
            return whole
        if code in "123456789":
            return groups[int(code) - 1] or "" if int(code) <= len(groups) else ""
        return "\\" if code == "\\" else match[0]

    return _REFERENCE.sub(one, replacement)


def _split(text: str, pattern: str, flags: str = "") -> Iterator[str]:
    _, ignore_case = _flags(flags, "")
    at = 0
    for begin, end, _ in _find(text, pattern, ignore_case=ignore_case, every=True):
        # An empty match splits between characters, never at the ends or right after a match.
        if begin == end and (begin == at or begin >= len(text)):
            continue
        yield text[at:begin]
        at = end
    yield text[at:]


def _substring(text: str, pattern: str) -> str | None:
    for _, _, groups in _find(text, pattern, ignore_case=False, every=False):
        return groups[0]
    return None


def _count(text: str, pattern: str) -> int:
    return sum(1 for _ in _find(text, pattern, ignore_case=False, every=True))


def _like(text: str, pattern: str, flags: str = "") -> bool:
    _, ignore_case = _flags(flags, "")
    return matches_any_case(text, pattern) if ignore_case else matches(text, pattern)


_T = TEXT

OVERLOADS: tuple[Overload, ...] = (
    *(
        overload
        for more in ((), (_T,))
        for overload in (
            function("regexp_match", (_T, _T, *more), _TEXTS, _match),
            returns_set("regexp_matches", (_T, _T, *more), _TEXTS, _matches),
            function("regexp_replace", (_T, _T, _T, *more), _T, _replace),
            function(
                "regexp_split_to_array", (_T, _T, *more), _TEXTS, lambda *a: tuple(_split(*a))
            ),
            returns_set("regexp_split_to_table", (_T, _T, *more), _T, _split),
        )
    ),
    function("substring", (_T, _T), _T, _substring),
    function("regexp_substr", (_T, _T), _T, _substring),
    function("regexp_count", (_T, _T), INT4, _count),
    function("regexp_like", (_T, _T), BOOL, _like),
    function("regexp_like", (_T, _T, _T), BOOL, _like),
)
