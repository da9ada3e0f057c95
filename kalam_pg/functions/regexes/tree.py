"""A pattern's tree: what captures, what refers back, and which parts prefer to be long or short.

Parts in which nothing captures and whose preferences agree are one leaf, whose automaton finds their longest
or shortest text. Where preferences meet, PostgreSQL's rule holds: each branch, and each part of it, is as
long or as short as the first quantifier in it prefers, and earlier parts have their way before later ones.
"""

from dataclasses import dataclass, field
from enum import Enum, IntFlag, auto

from kalam_pg.functions.regexes.automaton import Automaton
from kalam_pg.functions.regexes.language import Expression
from storage.lazy import lazy


class Traits(IntFlag):
    """What is in a part."""

    NONE = 0
    LONGER = auto()  # It prefers to be long,
    SHORTER = auto()  # or short.
    MIXED = auto()  # Both lie in it.
    CAPTURES = auto()
    REFERS = auto()

    @property
    def preference(self) -> "Traits":
        return self & (Traits.LONGER | Traits.SHORTER)

    @property
    def upward(self) -> "Traits":
        """What a part has of this one that is in it."""
        both = Traits.LONGER | Traits.SHORTER
        return (self & ~both) | (Traits.MIXED if self & both == both else Traits.NONE)

    @property
    def is_messy(self) -> bool:
        """Whether its text has to be taken apart."""
        return bool(self & (Traits.MIXED | Traits.CAPTURES | Traits.REFERS))

    def combined(self, later: "Traits") -> "Traits":
        """Of one part and the next: the first preference counts."""
        return (self | later).upward | (self.preference or later.preference)


class Shape(Enum):
    """What a node is made of."""

    LEAF = auto()
    REFERENCE = auto()
    PAIR = auto()  # one child, then the other
    CHOICE = auto()
    TIMES = auto()  # its child, many times
    WRAPPER = auto()  # its child, captured by one more group


@dataclass(slots=False, eq=False)
class Node:
    """A part of a pattern.

    takes: all that it can take, whatever is captured. group: whose text it captures, 0 for none. refers: to
    which group. least, most: how many times, of TIMES and REFERENCE.
    """

    shape: Shape
    traits: Traits
    takes: Expression
    children: tuple["Node", ...] = ()
    group: int = 0
    refers: int = 0
    least: int = 1
    most: float = field(default=1)

    @lazy
    def automaton(self) -> Automaton:
        return Automaton(self.takes)

    @lazy
    def groups(self) -> tuple[int, ...]:
        """All groups in it."""
        within = [group for child in self.children for group in child.groups]
        return (self.group, *within) if self.group else tuple(within)
