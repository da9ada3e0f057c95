"""Regular expression matching: ~ ~* !~ !~*, and how every function that takes a pattern looks for it.

Patterns are PostgreSQL's (`functions.regexes`). On the event loop each look for one pays for what it takes as
it goes, and is given up (`TakesLongError`: a worker does it) when the statement cannot pay: how long a
pattern takes depends on the text, and with back-references it may be for ever. A worker can be ended.
"""

import re
from collections.abc import Callable
from math import inf

from catalog.memo import kept
from catalog.types.registry import BOOL, BPCHAR, NAME, TEXT
from kalam_pg.functions.cost import TakesLongError, pay
from kalam_pg.functions.define import operator
from kalam_pg.functions.regexes.automaton import Subject
from kalam_pg.functions.regexes.lexer import Options
from kalam_pg.functions.regexes.search import ADVANCED, Pattern, compiled, known
from kalam_pg.functions.table import EvalContext, Overload

_COMPILED_US = 5.0
"""To read a character of a pattern."""

_STATE_US = 3.0
"""To make a state of its automaton."""

_CHARACTER_US = 0.12
"""To look at a character of a text."""

_ANY_CASE = Options(any_case=True)

# Patterns that are no more than a prefix or the whole of a name: most of what clients send.
_LITERAL = re.compile(r"(\^?)\(?([\w ]*)\)?(\$?)", re.ASCII)


class Look:
    """One text that is looked through for one pattern, at the expense of a statement."""

    __slots__ = ("_context", "_given", "pattern", "subject")

    def __init__(self, context: EvalContext, text: str, pattern: str, options: Options) -> None:
        """Raises 2201B, and TakesLongError."""
        self._context = context
        found = known(pattern, options)
        if context.left_us == inf:
            self.pattern: Pattern = found or compiled(pattern, options)
            self.subject: Subject = self.pattern.subject(text)
            return
        if found is None:
            pay(context, _COMPILED_US * len(pattern))
            found = compiled(pattern, options)
            pay(context, _STATE_US * found.states)
        self.pattern = found
        self._given = min(context.left_us, context.most_us) / _CHARACTER_US
        self.subject = found.subject(text, self._given, _takes_long)

    def paid(self) -> None:
        """Take what the work has cost from what the statement has left."""
        if self._context.left_us != inf:
            used = (self._given - self.subject.work_left) * _CHARACTER_US
            self._given = self.subject.work_left
            self._context.left_us -= used


def _takes_long() -> None:
    raise TakesLongError


def is_match(context: EvalContext, text: str, pattern: str, options: Options = ADVANCED) -> bool:
    """Whether a text has a match."""
    look = Look(context, text, pattern, options)
    found = look.pattern.is_in(look.subject)
    look.paid()
    return found


def matches(context: EvalContext, value: str, pattern: str) -> bool:
    """Value ~ pattern."""
    if simple := _simple(pattern):
        start, text, end = simple
        if start:
            return value == text if end else value.startswith(text)
        return value.endswith(text) if end else text in value
    return is_match(context, value, pattern)


@kept(512, 1000)
def _simple(pattern: str) -> tuple[bool, str, bool] | None:
    found = _LITERAL.fullmatch(pattern)
    if found is None or pattern.count("(") != pattern.count(")"):
        return None
    return bool(found[1]), found[2], bool(found[3])


def matches_any_case(context: EvalContext, value: str, pattern: str) -> bool:
    """Value ~* pattern."""
    return is_match(context, value, pattern, _ANY_CASE)


def _not(
    test: Callable[[EvalContext, str, str], bool],
) -> Callable[[EvalContext, str, str], bool]:
    return lambda context, value, pattern: not test(context, value, pattern)


OVERLOADS: tuple[Overload, ...] = tuple(
    operator(symbol, (of, TEXT), BOOL, test, needs_context=True)
    for of in (TEXT, NAME, BPCHAR)
    for symbol, test in (
        ("~", matches),
        ("!~", _not(matches)),
        ("~*", matches_any_case),
        ("!~*", _not(matches_any_case)),
    )
)
