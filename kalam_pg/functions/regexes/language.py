"""What a part of a pattern takes, whoever it captures for: the expressions that automata are made of."""

from dataclasses import dataclass
from enum import Enum, auto
from math import inf

from kalam_pg.functions.regexes.characters import CharacterSet


class Place(Enum):
    """Where a constraint holds."""

    START = auto()  # of the text
    END = auto()
    LINE_START = auto()  # of the text, or after a newline
    LINE_END = auto()
    WORD_START = auto()
    WORD_END = auto()
    BOUNDARY = auto()
    NO_BOUNDARY = auto()


@dataclass(frozen=True, slots=True)
class Characters:
    """One character of a set."""

    members: CharacterSet


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other; of nothing, the empty text."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Any of them."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """So many times; `most` may be infinite."""

    part: "Expression"
    least: int
    most: float


@dataclass(frozen=True, slots=True)
class At:
    """Nothing, at such a place."""

    place: Place


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """Nothing, where `part` begins (ahead) or ends (behind); or where it does not."""

    part: "Expression"
    ahead: bool
    negative: bool


Expression = Characters | Sequence | Choice | Repeat | At | Look

EMPTY = Sequence(())


def sequence(*parts: Expression) -> Expression:
    """Sequences in sequences are one."""
    flat: list[Expression] = []
    for part in parts:
        if isinstance(part, Sequence):
            flat += part.parts
        else:
            flat.append(part)
    return flat[0] if len(flat) == 1 else Sequence(tuple(flat))


def repeat(part: Expression, least: int, most: float) -> Expression:
    """The same for what is repeated once or never."""
    if most == 0:
        return EMPTY
    return part if least == most == 1 else Repeat(part, least, most)


def unconstrained(expression: Expression) -> Expression:
    """The same at any place: what a back-reference takes."""
    match expression:
        case At() | Look():
            return EMPTY
        case Sequence(parts):
            return sequence(*map(unconstrained, parts))
        case Choice(parts):
            return Choice(tuple(map(unconstrained, parts)))
        case Repeat(part, least, most):
            return Repeat(unconstrained(part), least, most)
        case Characters():
            return expression


def required(expression: Expression) -> str:
    """A text that is in all that it takes: the longest that is easily seen."""
    best = run = ""
    parts = expression.parts if isinstance(expression, Sequence) else (expression,)
    for part in parts:
        if isinstance(part, Characters) and (only := part.members.only) is not None:
            run += only
            best = max(best, run, key=len)
        elif not isinstance(part, At | Look):
            run = ""
    return best


def size(expression: Expression) -> float:
    """About the states of its automaton."""
    match expression:
        case Sequence(parts) | Choice(parts):
            return 1 + sum(map(size, parts))
        case Repeat(part, least, most):
            return 2 + size(part) * max(1, least if most == inf else most)
        case Look(part=part):
            return 2 + size(part)
        case Characters() | At():
            return 1
