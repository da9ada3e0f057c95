"""Compiled patterns: where a text matches, and what each group takes there.

A match is the leftmost one; of those, the longest or the shortest, as the pattern prefers (`tree`). Without
back-references it is found in time that grows with the text; with them one way after the other may have to be
tried, and the work is counted (`Subject`), so that somebody can give it up.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from math import inf

from kalam_pg.functions.regexes.automaton import Automaton, Subject
from kalam_pg.functions.regexes.dissection import Dissection, Span
from kalam_pg.functions.regexes.language import (
    At,
    Expression,
    Look,
    Place,
    Sequence,
    required,
    size,
)
from kalam_pg.functions.regexes.lexer import Options
from kalam_pg.functions.regexes.parser import parsed
from kalam_pg.functions.regexes.tree import Node, Traits
from storage.lazy import lazy

Match = tuple[Span, ...]
"""Start and end of the whole match, then of each group; (-1, -1) of one that took no part."""

ADVANCED = Options()


def _nothing() -> None:
    """What happens when work is used up that is not bounded."""


class Pattern:
    """A pattern that texts are looked through for. groups: how many capture."""

    def __init__(self, tree: Node, groups: int, *, any_case: bool) -> None:
        self._tree = tree
        self._any_case = any_case
        self.groups = groups
        self.states = size(tree.takes)
        self._shorter = bool(tree.traits & Traits.SHORTER)
        self._refers = bool(tree.traits & Traits.REFERS)
        self._anchored = _is_anchored(tree.takes)
        self._required = required(tree.takes)

    @lazy
    def _anywhere(self) -> Automaton:
        return Automaton(self._tree.takes, anywhere=True)

    def subject(
        self, text: str, work_max: float = inf, overworked: Callable[[], None] = _nothing
    ) -> Subject:
        """A text to look through; `overworked` is called (to raise) after so many characters' work."""
        return Subject(text, work_max, overworked, any_case=self._any_case)

    def is_in(self, subject: Subject) -> bool:
        """Whether there is a match."""
        if self._required not in subject.text:
            return False
        if self._refers:
            return self.match(subject, 0) is not None
        end = len(subject.text)
        if self._anchored:
            return self._tree.automaton.shortest(subject, 0, 0, end) >= 0
        return self._anywhere.shortest(subject, 0, 0, end) >= 0

    def match(self, subject: Subject, start: int, *, groups: bool = True) -> Match | None:
        """The first match that begins at `start` or later; what is before it is seen.

        groups: whether to tell what they take.
        """
        end = len(subject.text)
        close = start
        if subject.text.find(self._required, start) < 0:
            return None
        if self._anchored:
            return self._match_at(subject, 0, groups=groups) if start == 0 else None
        while close <= end:
            close, begin = self._anywhere.first_end(subject, close, close, end)
            if close < 0:
                return None
            while begin <= close:
                found = self._match_at(subject, begin, groups=groups)
                if found is not None:
                    return found
                begin += 1
            close += 1
        return None

    def _match_at(self, subject: Subject, begin: int, *, groups: bool) -> Match | None:
        """The match that begins at a place."""
        automaton = self._tree.automaton
        least, most = begin, len(subject.text)
        while True:
            if self._shorter:
                end = automaton.shortest(subject, begin, least, most)
            else:
                end = automaton.longest(subject, begin, most)
            if end < 0:
                return None
            if not self._refers and not (groups and self.groups):
                return ((begin, end), *[(-1, -1)] * self.groups)
            spans = Dissection(subject, self.groups).spans(self._tree, begin, end)
            if spans is not None:
                return ((begin, end), *spans)
            if end == (most if self._shorter else begin):
                return None
            if self._shorter:
                least = end + 1
            else:
                most = end - 1

    def matches(self, subject: Subject, start: int, *, groups: bool = True) -> Iterator[Match]:
        """Each match from a place on, one after the other."""
        while start <= len(subject.text):
            found = self.match(subject, start, groups=groups)
            if found is None:
                return
            subject.worked(_FOUND)
            yield found
            begin, end = found[0]
            start = end + 1 if begin == end else end


_FOUND = 40
"""To begin to look, and to tell what was found, takes as long as to go over so many characters."""


def _is_anchored(expression: Expression) -> bool:
    """Whether it can only begin where the text does."""
    if isinstance(expression, Sequence):
        for part in expression.parts:
            if _is_anchored(part):
                return True
            if not isinstance(part, At | Look):
                return False
    return isinstance(expression, At) and expression.place is Place.START


_PATTERNS: OrderedDict[tuple[str, Options], Pattern] = OrderedDict()
"""Those that were asked for last; a long one is made anew each time."""

_PATTERNS_MAX = 256
_LENGTH_MAX = 1000


def known(pattern: str, options: Options = ADVANCED) -> Pattern | None:
    """The pattern, if it has been compiled lately."""
    return _PATTERNS.get((pattern, options))


def compiled(pattern: str, options: Options = ADVANCED) -> Pattern:
    """The pattern. Raises 2201B: it is none, or too complex."""
    found = _PATTERNS.get((pattern, options))
    if found is None:
        tree, groups, last = parsed(pattern, options)
        found = Pattern(tree, groups, any_case=last.any_case)
        if len(pattern) <= _LENGTH_MAX:
            _PATTERNS[pattern, options] = found
            if len(_PATTERNS) > _PATTERNS_MAX:
                _PATTERNS.popitem(last=False)
    return found
