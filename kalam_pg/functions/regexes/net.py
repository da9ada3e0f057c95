"""The net of an expression: nodes, ways between them that take a character, and ways that take none."""

from collections.abc import Callable, Iterable
from math import inf
from typing import Final

from kalam_pg.functions.regexes.characters import CharacterSet
from kalam_pg.functions.regexes.language import (
    At,
    Characters,
    Choice,
    Expression,
    Look,
    Place,
    Repeat,
    Sequence,
)

EDGE: Final = 0
NEWLINE: Final = 1
WORD: Final = 2
OTHER: Final = 3
"""What is on one side of a place: the text's end, or such a character."""

_ANYTHING: Final = 1
"""The bit of a colour that every character has."""

_HOLDS: dict[Place, Callable[[int, int], bool]] = {
    Place.START: lambda before, _: before == EDGE,
    Place.END: lambda _, after: after == EDGE,
    Place.LINE_START: lambda before, _: before <= NEWLINE,
    Place.LINE_END: lambda _, after: after <= NEWLINE,
    Place.WORD_START: lambda before, after: before != WORD and after == WORD,
    Place.WORD_END: lambda before, after: before == WORD and after != WORD,
    Place.BOUNDARY: lambda before, after: (before == WORD) is not (after == WORD),
    Place.NO_BOUNDARY: lambda before, after: (before == WORD) is (after == WORD),
}


class Net:
    """Nodes are numbers. guarded: whether some way that takes no character is open at some places only."""

    def __init__(self, expression: Expression, *, anywhere: bool) -> None:
        """anywhere: whatever comes before is taken, too."""
        self.guarded = False
        self.looks: list[Look] = []
        self._bits: dict[CharacterSet, int] = {}
        self._ways: list[list[tuple[int, Place | Look | None]]] = []
        self._takes: list[tuple[int, int] | None] = []
        self._closures: dict[int, frozenset[int]] = {}
        self.begin = self._node()
        self.beginning = frozenset((self.begin,))
        start = self._node()
        self._join(self.begin, start)
        if anywhere:
            self._takes[self.begin] = (_ANYTHING, self.begin)
        self.end = self._built(expression, start)

    def _node(self) -> int:
        self._ways.append([])
        self._takes.append(None)
        return len(self._ways) - 1

    def _join(self, start: int, end: int, guard: Place | Look | None = None) -> None:
        self._ways[start].append((end, guard))

    def _built(self, expression: Expression, start: int) -> int:
        """Add an expression from a node on. Returns the node after it."""
        match expression:
            case Sequence(parts):
                for part in parts:
                    start = self._built(part, start)
                return start
            case Repeat(part, least, most):
                return self._repeated(part, least, most, start)
            case Choice(parts):
                end = self._node()
                for part in parts:
                    branch = self._node()
                    self._join(start, branch)
                    self._join(self._built(part, branch), end)
                return end
            case Characters(members):
                bit = self._bits.setdefault(members, _ANYTHING << (1 + len(self._bits)))
                middle, end = self._node(), self._node()
                self._join(start, middle)
                self._takes[middle] = (bit, end)
                return end
            case At(place):
                return self._guard(start, place)
            case Look():
                if expression not in self.looks:
                    self.looks.append(expression)
                return self._guard(start, expression)

    def _guard(self, start: int, guard: Place | Look) -> int:
        self.guarded = True
        end = self._node()
        self._join(start, end, guard)
        return end

    def _repeated(self, part: Expression, least: int, most: float, start: int) -> int:
        for _ in range(least):
            start = self._built(part, start)
        end = self._node()
        if most == inf:
            again = self._node()
            self._join(start, again)
            self._join(self._built(part, again), again)
            self._join(again, end)
            return end
        self._join(start, end)
        for _ in range(int(most) - least):
            start = self._built(part, start)
            self._join(start, end)
        return end

    def colour(self, character: str) -> int:
        """Which of the sets have a character, as bits."""
        return _ANYTHING + sum([bit for of, bit in self._bits.items() if character in of])

    def reached(self, members: Iterable[int], colour: int) -> frozenset[int]:
        """The nodes after a character."""
        takes = self._takes
        return frozenset(
            [way[1] for node in members if (way := takes[node]) is not None and way[0] & colour]
        )

    def closure(self, node: int) -> frozenset[int]:
        """What can be reached without a character, where nothing is guarded: who takes one, and the end."""
        found = self._closures.get(node)
        if found is None:
            seen = {node}
            pending = [node]
            while pending:
                for end, _ in self._ways[pending.pop()]:
                    if end not in seen:
                        seen.add(end)
                        pending.append(end)
            found = frozenset([n for n in seen if self._takes[n] is not None or n == self.end])
            self._closures[node] = found
        return found

    def reachable(
        self, members: Iterable[int], before: int, after: int, looks: tuple[bool, ...]
    ) -> set[int]:
        """What can be reached without a character at a place: what is on its sides, which `looks` hold."""
        holds = dict(zip(self.looks, looks, strict=True))
        seen = set(members)
        pending = list(seen)
        while pending:
            for end, guard in self._ways[pending.pop()]:
                if end in seen:
                    continue
                if isinstance(guard, Look):
                    is_open = holds[guard]
                else:
                    is_open = guard is None or _HOLDS[guard](before, after)
                if is_open:
                    seen.add(end)
                    pending.append(end)
        return seen
