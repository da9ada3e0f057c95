"""regexp_match, regexp_matches, regexp_replace, regexp_split_…, substring by pattern and their like.

Source: PostgreSQL's manual, 9.7.3.
"""

import re
from collections.abc import Callable, Iterator

from catalog.errors import InvalidParameterValueError
from catalog.types.registry import BOOL, INT4, TEXT, array_of
from catalog.types.table import PgType
from kalam_pg.functions.define import Datum, function, returns_set
from kalam_pg.functions.regex import Look, is_match
from kalam_pg.functions.regexes.dissection import NONE, Span
from kalam_pg.functions.regexes.lexer import Options
from kalam_pg.functions.regexes.search import ADVANCED, Match
from kalam_pg.functions.table import EvalContext, Overload

_TEXTS = array_of(TEXT) or TEXT


def _options(flags: str, function_name: str, *, every: bool = False) -> tuple[bool, Options]:
    """Whether all matches are asked for, and how the pattern is read.

    every: whether `g` may be asked for.
    """
    options = ADVANCED
    for flag in flags:
        if flag == "g":
            continue
        try:
            # As an argument, PostgreSQL 15 takes "e" for "b"; only (?e) makes an extended pattern.
            options = options.given("b" if flag == "e" else flag)
        except KeyError:
            raise InvalidParameterValueError(
                f'invalid regular expression option: "{flag}"'
            ) from None
    if "g" in flags and not every:
        hint = "Use the regexp_matches function instead."
        raise InvalidParameterValueError(
            f'{function_name}() does not support the "global" option',
            hint=hint if function_name == "regexp_match" else "",
        )
    return "g" in flags, options


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise InvalidParameterValueError(f'invalid value for parameter "{name}": {value}')


def _found(look: Look, start: int = 0, *, groups: bool = True) -> Iterator[Match]:
    """The matches from a place on."""
    for match in look.pattern.matches(look.subject, start, groups=groups):
        look.paid()
        yield match
    look.paid()


def _texts(text: str, match: Match) -> tuple[str | None, ...]:
    """What each group took; without groups the whole match."""
    spans = match[1:] or match
    return tuple([text[begin:end] if begin >= 0 else None for begin, end in spans])


def _match(context: EvalContext, text: str, pattern: str, flags: str = "") -> Datum:
    _, options = _options(flags, "regexp_match")
    for match in _found(Look(context, text, pattern, options)):
        return _texts(text, match)
    return None


def _matches(context: EvalContext, text: str, pattern: str, flags: str = "") -> Iterator[Datum]:
    every, options = _options(flags, "regexp_matches", every=True)
    for match in _found(Look(context, text, pattern, options)):
        yield _texts(text, match)
        if not every:
            return


_REFERENCE = re.compile(r"\\([1-9&\\])")


def _replace(
    context: EvalContext, text: str, pattern: str, replacement: str, flags: str = ""
) -> str:
    if flags[:1].isdigit():
        raise InvalidParameterValueError(
            f'invalid regular expression option: "{flags[:1]}"',
            hint="If you meant to use regexp_replace() with a start parameter, cast the fourth "
            "argument to integer explicitly.",
        )
    every, options = _options(flags, "regexp_replace", every=True)
    return _replaced(Look(context, text, pattern, options), replacement, 0, 0 if every else 1)


def _replace_from(
    context: EvalContext,
    text: str,
    pattern: str,
    replacement: str,
    start: int,
    nth: int | None = None,
    flags: str = "",
) -> str:
    """From a place on; nth: which match, 0 for all."""
    _at_least("start", start, 1)
    if nth is not None:
        _at_least("n", nth, 0)
    every, options = _options(flags, "regexp_replace", every=True)
    if nth is None:
        nth = 0 if every else 1
    return _replaced(Look(context, text, pattern, options), replacement, start - 1, nth)


def _replaced(look: Look, new: str, start: int, nth: int) -> str:
    """The text with one match replaced, or (0) all of them."""
    text = look.subject.text
    parts: list[str] = []
    at = 0
    refers = "\\" in new
    for number, match in enumerate(_found(look, start, groups=refers), 1):
        if nth and number < nth:
            continue
        begin, end = match[0]
        parts += [text[at:begin], _expanded(new, text, match) if refers else new]
        at = end
        if nth:
            break
    return "".join([*parts, text[at:]])


def _expanded(new: str, text: str, match: Match) -> str:
    def one(found: re.Match[str]) -> str:
        code = found[1]
        if code == "\\":
            return code
        group = 0 if code == "&" else int(code)
        begin, end = match[group] if group < len(match) else (0, 0)
        return text[begin:end] if begin >= 0 else ""

    return _REFERENCE.sub(one, new)


def _split(
    function_name: str, context: EvalContext, text: str, pattern: str, flags: str = ""
) -> Iterator[str]:
    _, options = _options(flags, function_name)
    at = 0
    for match in _found(Look(context, text, pattern, options), groups=False):
        begin, end = match[0]
        # An empty match splits between characters, never at the ends or right after a match.
        if begin == end and (begin == at or begin >= len(text)):
            continue
        yield text[at:begin]
        at = end
    yield text[at:]


def _split_to_array(context: EvalContext, text: str, pattern: str, flags: str = "") -> Datum:
    return tuple(_split("regexp_split_to_array", context, text, pattern, flags))


def _split_to_table(
    context: EvalContext, text: str, pattern: str, flags: str = ""
) -> Iterator[str]:
    return _split("regexp_split_to_table", context, text, pattern, flags)


def substring(context: EvalContext, text: str, pattern: str) -> str | None:
    """What the first group took in the first match, or that whole."""
    for match in _found(Look(context, text, pattern, ADVANCED)):
        return _texts(text, match)[0]
    return None


def _count(context: EvalContext, text: str, pattern: str, start: int = 1, flags: str = "") -> int:
    _at_least("start", start, 1)
    _, options = _options(flags, "regexp_count")
    found = _found(Look(context, text, pattern, options), start - 1, groups=False)
    return sum(1 for _ in found)


def _nth(look: Look, start: int, nth: int, part: int) -> Span:
    """Where the n-th match from a place on lies, or a group in it; (-1, -1) where there is none."""
    for number, match in enumerate(_found(look, start - 1, groups=part > 0), 1):
        if number == nth:
            # Without groups the whole match is the first.
            spans = match if len(match) > 1 else match * 2
            return spans[part] if part < len(spans) else NONE
    return NONE


def _substr(
    context: EvalContext,
    text: str,
    pattern: str,
    start: int = 1,
    nth: int = 1,
    flags: str = "",
    part: int = 0,
) -> str | None:
    _at_least("start", start, 1)
    _at_least("n", nth, 1)
    _at_least("subexpr", part, 0)
    _, options = _options(flags, "regexp_substr")
    begin, end = _nth(Look(context, text, pattern, options), start, nth, part)
    return text[begin:end] if begin >= 0 else None


def _instr(
    context: EvalContext,
    text: str,
    pattern: str,
    start: int = 1,
    nth: int = 1,
    after: int = 0,
    flags: str = "",
    part: int = 0,
) -> int:
    _at_least("start", start, 1)
    _at_least("n", nth, 1)
    if after not in (0, 1):
        raise InvalidParameterValueError(f'invalid value for parameter "endoption": {after}')
    _at_least("subexpr", part, 0)
    _, options = _options(flags, "regexp_instr")
    return _nth(Look(context, text, pattern, options), start, nth, part)[after] + 1


def _like(context: EvalContext, text: str, pattern: str, flags: str = "") -> bool:
    _, options = _options(flags, "regexp_like")
    return is_match(context, text, pattern, options)


_T = TEXT
_FROM = ((_T, _T, _T, INT4), (_T, _T, _T, INT4, INT4), (_T, _T, _T, INT4, INT4, _T))
_FLAGS: tuple[tuple[PgType, ...], ...] = ((), (_T,))
_COUNTED: tuple[tuple[PgType, ...], ...] = ((), (INT4,), (INT4, _T))
_PARTS: tuple[tuple[PgType, ...], ...] = (
    (), (INT4,), (INT4, INT4), (INT4, INT4, _T), (INT4, INT4, _T, INT4),
)  # fmt: skip
_PLACES: tuple[tuple[PgType, ...], ...] = (
    (), (INT4,), (INT4,) * 2, (INT4,) * 3, (INT4, INT4, INT4, _T), (INT4, INT4, INT4, _T, INT4),
)  # fmt: skip


def _each(
    name: str, more: tuple[tuple[PgType, ...], ...], result: PgType, row: Callable[..., Datum]
) -> list[Overload]:
    """A function of (text, pattern) and each longer list of arguments."""
    make = returns_set if name in {"regexp_matches", "regexp_split_to_table"} else function
    return [make(name, (_T, _T, *args), result, row, needs_context=True) for args in more]


OVERLOADS: tuple[Overload, ...] = (
    *_each("regexp_match", _FLAGS, _TEXTS, _match),
    *_each("regexp_matches", _FLAGS, _TEXTS, _matches),
    *_each("regexp_split_to_array", _FLAGS, _TEXTS, _split_to_array),
    *_each("regexp_split_to_table", _FLAGS, _T, _split_to_table),
    *_each("regexp_like", _FLAGS, BOOL, _like),
    *_each("regexp_replace", ((_T,), (_T, _T)), _T, _replace),
    *_each("substring", ((),), _T, substring),
    *[function("regexp_replace", args, _T, _replace_from, needs_context=True) for args in _FROM],
    *_each("regexp_count", _COUNTED, INT4, _count),
    *_each("regexp_substr", _PARTS, _T, _substr),
    *_each("regexp_instr", _PLACES, INT4, _instr),
)
