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
from catalog.types.table import PgType
from kalam_pg.functions.define import Datum, function, returns_set
from kalam_pg.functions.regex import matches, matches_any_case, translate
from kalam_pg.functions.strings import too_long
from kalam_pg.functions.table import Overload

_TEXTS = array_of(TEXT) or TEXT
_WHOLE = "k0"


@kept(512, 1000)
def _named(pattern: str, *, ignore_case: bool, wide: bool) -> tuple[str, int]:
    """The RE2 pattern with its groups named k1, k2 …, all in k0; and how many groups there are."""
    translated = translate(pattern, ignore_case=ignore_case, wide=wide)
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


def _flags(flags: str, function_name: str, *, every: bool = False) -> tuple[bool, bool]:
    """(global, ignore case) of a flags argument.

    every: whether `g` may be asked for.
    """
    for flag in flags:
        if flag not in "gicsmnpqtwxbe":
            raise InvalidParameterValueError(f'invalid regular expression option: "{flag}"')
        if flag == "g" and not every:
            hint = "Use the regexp_matches function instead."
            raise InvalidParameterValueError(
                f'{function_name}() does not support the "global" option',
                hint=hint if function_name == "regexp_match" else "",
            )
        if flag not in "gicst":
            raise FeatureNotSupportedError(f'regular expression option "{flag}" is not supported')
    return "g" in flags, flags.rfind("i") > flags.rfind("c")


_PROBE_COST = 20_000
_WORK_MAX = 500_000_000
"""Characters looked at for one value, about a second's: each match looks through the rest again, and
nothing can interrupt it."""


def _find(
    text: str, pattern: str, *, ignore_case: bool, every: bool, start: int = 0, spans: bool = False
) -> Iterator[tuple[int, int, tuple[str | None, ...]]]:
    """(start, end, groups) of each match; without groups the whole match is the one group.

    start: characters to pass over first. spans: without groups, give none.
    """
    body, groups = _named(pattern, ignore_case=ignore_case, wide=not text.isascii())
    flags = body[: body.index(")") + 1]
    rest = body[len(flags) :]
    empty = _absent(_unnamed(rest))
    work = 0
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
        yield begin, end, tuple(parts) if parts or spans else (whole,)
        if not every:
            return
        start = end + 1 if end == begin else end


def _match(text: str, pattern: str, flags: str = "") -> Datum:
    _, ignore_case = _flags(flags, "regexp_match")
    for _, _, groups in _find(text, pattern, ignore_case=ignore_case, every=False):
        return groups
    return None


def _matches(text: str, pattern: str, flags: str = "") -> Iterator[Datum]:
    every, ignore_case = _flags(flags, "regexp_matches", every=True)
    for _, _, groups in _find(text, pattern, ignore_case=ignore_case, every=every):
        yield groups


_REFERENCE = re.compile(r"\\(.)", re.DOTALL)


def _replace(text: str, pattern: str, replacement: str, flags: str = "") -> str:
    if flags[:1].isdigit():
        raise InvalidParameterValueError(
            f'invalid regular expression option: "{flags[:1]}"',
            hint="If you meant to use regexp_replace() with a start parameter, cast the fourth "
            "argument to integer explicitly.",
        )
    every, ignore_case = _flags(flags, "regexp_replace", every=True)
    found = _find(text, pattern, ignore_case=ignore_case, every=every, spans=True)
    return _replaced(text, found, replacement, 0 if every else 1)


def _replace_from(
    text: str, pattern: str, replacement: str, start: int, nth: int = 1, flags: str = ""
) -> str:
    """From a place on; nth: which match, 0 for all."""
    _at_least("start", start, 1)
    _at_least("n", nth, 0)
    every, ignore_case = _flags(flags, "regexp_replace", every=True)
    found = _find(text, pattern, ignore_case=ignore_case, every=True, start=start - 1, spans=True)
    return _replaced(text, found, replacement, 0 if every and "g" in flags and nth == 0 else nth)


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise InvalidParameterValueError(f'invalid value for parameter "{name}": {value}')


def _replaced(
    text: str, found: Iterator[tuple[int, int, tuple[str | None, ...]]], new: str, nth: int
) -> str:
    """The text with one match replaced, or (0) all of them."""
    parts: list[str] = []
    at = 0
    for number, (begin, end, groups) in enumerate(found, 1):
        if nth and number < nth:
            continue
        parts += [text[at:begin], _expand(new, text[begin:end], groups)]
        at = end
        if nth:
            break
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


def _split(function_name: str, text: str, pattern: str, flags: str = "") -> Iterator[str]:
    _, ignore_case = _flags(flags, function_name)
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


def _count(text: str, pattern: str, start: int = 1, flags: str = "") -> int:
    _at_least("start", start, 1)
    _, ignore_case = _flags(flags, "regexp_count")
    found = _find(text, pattern, ignore_case=ignore_case, every=True, start=start - 1)
    return sum(1 for _ in found)


def _nth(
    function_name: str, text: str, pattern: str, start: int, nth: int, flags: str, part: int
) -> tuple[int, int, tuple[str | None, ...]] | None:
    """The n-th match from a place on."""
    _at_least("start", start, 1)
    _at_least("n", nth, 1)
    _, ignore_case = _flags(flags, function_name)
    _at_least("subexpr", part, 0)
    found = _find(text, pattern, ignore_case=ignore_case, every=True, start=start - 1, spans=True)
    for number, match in enumerate(found, 1):
        if number == nth:
            return match
    return None


def _substr(
    text: str, pattern: str, start: int = 1, nth: int = 1, flags: str = "", part: int = 0
) -> str | None:
    match = _nth("regexp_substr", text, pattern, start, nth, flags, part)
    if match is None or part > len(match[2]):
        return None
    return match[2][part - 1] if part else text[match[0] : match[1]]


def _instr(
    text: str, pattern: str, start: int = 1, nth: int = 1, end: int = 0, flags: str = "",
    part: int = 0,
) -> int:  # fmt: skip
    _at_least("start", start, 1)
    _at_least("n", nth, 1)
    if end not in (0, 1):
        raise InvalidParameterValueError(f'invalid value for parameter "endoption": {end}')
    match = _nth("regexp_instr", text, pattern, start, nth, flags, part)
    if match is None:
        return 0
    if not part:
        return (match[1] if end else match[0]) + 1
    if part > len(match[2]) or match[2][part - 1] is None:
        return 0
    raise FeatureNotSupportedError("regexp_instr of a subexpression is not supported")


def _like(text: str, pattern: str, flags: str = "") -> bool:
    _, ignore_case = _flags(flags, "regexp_like")
    return matches_any_case(text, pattern) if ignore_case else matches(text, pattern)


def _names(*counts: tuple[PgType, ...]) -> tuple[tuple[PgType, ...], ...]:
    """(text, text) and each longer list of arguments."""
    return tuple([(TEXT, TEXT, *more) for more in counts])


_T = TEXT
_COUNTED = _names((), (INT4,), (INT4, _T))
_PARTS = _names((), (INT4,), (INT4, INT4), (INT4, INT4, _T), (INT4, INT4, _T, INT4))
_PLACES = _names(
    (), (INT4,), (INT4,) * 2, (INT4,) * 3, (INT4, INT4, INT4, _T), (INT4, INT4, INT4, _T, INT4)
)
_FROM = ((_T, _T, _T, INT4), (_T, _T, _T, INT4, INT4), (_T, _T, _T, INT4, INT4, _T))

OVERLOADS: tuple[Overload, ...] = (
    *(
        overload
        for more in ((), (_T,))
        for overload in (
            function("regexp_match", (_T, _T, *more), _TEXTS, _match),
            returns_set("regexp_matches", (_T, _T, *more), _TEXTS, _matches),
            function("regexp_replace", (_T, _T, _T, *more), _T, _replace),
            function(
                "regexp_split_to_array",
                (_T, _T, *more),
                _TEXTS,
                lambda *a: tuple(_split("regexp_split_to_array", *a)),
            ),
            returns_set(
                "regexp_split_to_table",
                (_T, _T, *more),
                _T,
                lambda *a: _split("regexp_split_to_table", *a),
            ),
        )
    ),
    function("substring", (_T, _T), _T, _substring),
    *(function("regexp_replace", args, _T, _replace_from) for args in _FROM),
    *(function("regexp_count", args, INT4, _count) for args in _COUNTED),
    *(function("regexp_substr", args, _T, _substr) for args in _PARTS),
    *(function("regexp_instr", args, INT4, _instr) for args in _PLACES),
    function("regexp_like", (_T, _T), BOOL, _like),
    function("regexp_like", (_T, _T, _T), BOOL, _like),
)  # fmt: skip
