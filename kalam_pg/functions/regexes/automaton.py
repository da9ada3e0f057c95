"""Automata over nets: how far a text can be taken from a place on.

States are made when a text first needs them and kept with the automaton, so that most characters of most
texts are one look into a dict. Where a constraint holds is told from the characters before and after a
place, or (lookaround) by an automaton of its own.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import ClassVar, Final
from weakref import WeakSet

from kalam_pg.functions.regexes.characters import named
from kalam_pg.functions.regexes.language import Expression, Look
from kalam_pg.functions.regexes.net import EDGE, NEWLINE, OTHER, WORD, Net

STATES_MAX: Final = 2000
"""Of one automaton; beyond, all are forgotten and made anew."""

STEPS_MAX: Final = 200_000
"""Of all automata, at some 150 bytes each; beyond, all forget theirs."""

_PIECE: Final = 512
"""Characters that are looked at between two looks at how many may be."""


class Subject:
    """A text that is looked through, and what has been found out about it.

    any_case: of back-references. work_left: how many more characters may be looked at; `overworked` is called
    when it is used up.
    """

    __slots__ = ("ahead", "any_case", "behind", "overworked", "text", "work_left")

    def __init__(
        self, text: str, work_left: float, overworked: Callable[[], None], *, any_case: bool
    ) -> None:
        self.text = text
        self.any_case = any_case
        self.work_left = work_left
        self.overworked = overworked
        self.ahead: dict[tuple[Look, int], bool] = {}
        self.behind: dict[Look, bytearray] = {}

    def worked(self, characters: float) -> None:
        """Count characters looked at."""
        self.work_left -= characters
        if self.work_left < 0:
            self.overworked()


class _State:
    """Where an automaton may be: `members` of its net, after a character of the kind `before`.

    fresh: nothing but what `anywhere` allows has been taken. accepting: the text may end here, where nothing
    is guarded.
    """

    __slots__ = ("accepting", "before", "fresh", "members", "steps", "steps_by_colour")

    def __init__(self, members: frozenset[int], before: int, *, fresh: bool) -> None:
        self.members = members
        self.before = before
        self.fresh = fresh
        self.accepting = False
        self.steps: dict[object, _Step] = {}
        self.steps_by_colour: dict[int, _Step] = {}


_Step = tuple[bool, "_State | None"]
"""Whether the text may end before a character, and the state after it."""


class Automaton:
    """Finds the longest and the shortest text that an expression takes from a place on."""

    _all: ClassVar[WeakSet["Automaton"]] = WeakSet()
    _steps: ClassVar[int] = 0

    def __init__(self, expression: Expression, *, anywhere: bool = False) -> None:
        """anywhere: take whatever comes before, too."""
        self._net = Net(expression, anywhere=anywhere)
        self._colours: dict[str, int] = {}
        self._states: dict[tuple[frozenset[int], int, bool], _State] = {}
        self._starts: dict[int, _State] = {}
        self._looks = [
            (look, Automaton(look.part, anywhere=not look.ahead)) for look in self._net.looks
        ]
        self._all.add(self)

    # ------------------------------------------------------------------ states

    def _colour(self, character: str) -> int:
        colour = self._colours.get(character)
        if colour is None:
            colour = self._net.colour(character)
            if len(self._colours) < STATES_MAX:
                self._colours[character] = colour
        return colour

    def _state(self, members: frozenset[int], before: int, *, fresh: bool) -> _State:
        key = (members, before, fresh)
        state = self._states.get(key)
        if state is None:
            if len(self._states) >= STATES_MAX:
                self._forget()
            state = self._states[key] = _State(members, before, fresh=fresh)
            state.accepting = not self._net.guarded and self._net.end in members
        return state

    def _forget(self) -> None:
        for state in self._states.values():
            state.steps = {}
            state.steps_by_colour = {}
        self._states = {}
        self._starts = {}

    def _count_step(self) -> None:
        Automaton._steps += 1
        if Automaton._steps > STEPS_MAX:
            for automaton in list(self._all):
                automaton._forget()  # noqa: SLF001 # of the same class
            Automaton._steps = 0

    def _start(self, text: str, at: int) -> _State:
        guarded = self._net.guarded
        before = (_beside(text[at - 1]) if at else EDGE) if guarded else OTHER
        state = self._starts.get(before)
        if state is None:
            begin = self._net.begin
            members = frozenset((begin,)) if guarded else self._net.closure(begin)
            state = self._starts[before] = self._state(members, before, fresh=True)
        return state

    def _following(self, members: Iterable[int], colour: int, before: int) -> _State | None:
        reached = self._net.reached(members, colour)
        if not reached:
            return None
        fresh = reached == self._net.beginning
        if not self._net.guarded:
            reached = frozenset().union(*[self._net.closure(node) for node in reached])
        return self._state(reached, before, fresh=fresh)

    def _step(self, state: _State, character: str) -> _Step:
        """A step where nothing is guarded."""
        colour = self._colour(character)
        step = state.steps_by_colour.get(colour)
        if step is None:
            step = (state.accepting, self._following(state.members, colour, OTHER))
            state.steps_by_colour[colour] = step
        state.steps[character] = step
        self._count_step()
        return step

    def _guarded_step(self, state: _State, subject: Subject, at: int) -> _Step:
        """A step from a place, to where the character there leads."""
        character = subject.text[at] if at < len(subject.text) else ""
        looks = tuple([_holds(look, by, subject, at) for look, by in self._looks])
        key = (character, looks) if looks else character
        step = state.steps.get(key)
        if step is None:
            after = _beside(character) if character else EDGE
            members = self._net.reachable(state.members, state.before, after, looks)
            following = None
            if character:
                following = self._following(members, self._colour(character), after)
            step = state.steps[key] = (self._net.end in members, following)
            self._count_step()
        return step

    # ------------------------------------------------------------------ runs

    def longest(self, subject: Subject, begin: int, limit: int) -> int:
        """The end of the longest text from `begin` on, not beyond `limit`; -1 if there is none."""
        if self._net.guarded:
            return self._guarded_longest(subject, begin, limit)
        state = self._start(subject.text, begin)
        best = -1
        at = begin
        for piece in range(begin, limit, _PIECE):
            for character in subject.text[piece : min(piece + _PIECE, limit)]:
                accepting, following = state.steps.get(character) or self._step(state, character)
                if accepting:
                    best = at
                if following is None:
                    subject.worked(at - piece + 2)
                    return best
                state = following
                at += 1
            subject.worked(_PIECE)
        subject.worked(2)
        return limit if state.accepting else best

    def _guarded_longest(self, subject: Subject, begin: int, limit: int) -> int:
        state = self._start(subject.text, begin)
        best = -1
        at = begin
        keeps = not self._looks
        for character in self._guarded_characters(subject, begin, limit):
            accepting, following = (keeps and state.steps.get(character)) or (
                self._guarded_step(state, subject, at)
            )
            if accepting:
                best = at
            if following is None:
                break
            state = following
            at += 1
        subject.worked(2)
        return best

    def shortest(self, subject: Subject, begin: int, least: int, limit: int) -> int:
        """The first end of a text from `begin` on, between `least` and `limit`; -1 if there is none."""
        return self.first_end(subject, begin, least, limit)[0]

    def first_end(self, subject: Subject, begin: int, least: int, limit: int) -> tuple[int, int]:
        """The same, and the last place up to it before which nothing but `anywhere` was needed."""
        if self._net.guarded:
            return self._guarded_first_end(subject, begin, least, limit)
        state = self._start(subject.text, begin)
        fresh = at = begin
        for piece in range(begin, limit, _PIECE):
            for character in subject.text[piece : min(piece + _PIECE, limit)]:
                if state.fresh:
                    fresh = at
                if state.accepting and at >= least:
                    subject.worked(at - piece + 2)
                    return at, fresh
                following = (state.steps.get(character) or self._step(state, character))[1]
                if following is None:
                    subject.worked(at - piece + 2)
                    return -1, fresh
                state = following
                at += 1
            subject.worked(_PIECE)
        subject.worked(2)
        if state.fresh:
            fresh = limit
        return (limit if state.accepting and limit >= least else -1), fresh

    def _guarded_first_end(
        self, subject: Subject, begin: int, least: int, limit: int
    ) -> tuple[int, int]:
        state = self._start(subject.text, begin)
        fresh = at = begin
        keeps = not self._looks
        subject.worked(2)
        for character in self._guarded_characters(subject, begin, limit):
            if state.fresh:
                fresh = at
            accepting, following = (keeps and state.steps.get(character)) or (
                self._guarded_step(state, subject, at)
            )
            if accepting and at >= least:
                return at, fresh
            if following is None:
                break
            state = following
            at += 1
        return -1, fresh

    def _guarded_characters(self, subject: Subject, begin: int, limit: int) -> Iterator[str]:
        """What is taken, and what follows it: "" at the end of the text. Counts the work."""
        last = min(limit + 1, len(subject.text))
        for piece in range(begin, last, _PIECE):
            end = min(piece + _PIECE, last)
            yield from subject.text[piece:end]
            subject.worked(_GUARDED_WORK * (end - piece))
        if limit == len(subject.text):
            yield ""

    def every_end(self, subject: Subject) -> bytearray:
        """For each place whether a text ends there, from the start of the subject on."""
        ends = bytearray(len(subject.text) + 1)
        state: _State | None = self._start(subject.text, 0)
        for at in range(len(ends)):
            if state is None:
                break
            if self._net.guarded:
                ends[at], state = self._guarded_step(state, subject, at)
            else:
                ends[at] = state.accepting
                if at < len(subject.text):
                    state = self._step(state, subject.text[at])[1]
            subject.worked(_GUARDED_WORK)
        return ends


_GUARDED_WORK: Final = 8
"""What a guarded step takes, in characters of others."""


def _holds(look: Look, automaton: Automaton, subject: Subject, at: int) -> bool:
    """Whether a lookaround holds at a place."""
    if not look.ahead:
        ends = subject.behind.get(look)
        if ends is None:
            ends = subject.behind[look] = automaton.every_end(subject)
        return bool(ends[at]) is not look.negative
    found = subject.ahead.get((look, at))
    if found is None:
        found = automaton.shortest(subject, at, at, len(subject.text)) >= 0
        subject.ahead[look, at] = found
    return found is not look.negative


_WORDS = named("word")


@lru_cache(maxsize=4096)
def _beside(character: str) -> int:
    if character == "\n":
        return NEWLINE
    return WORD if character in _WORDS else OTHER
