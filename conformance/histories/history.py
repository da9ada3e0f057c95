"""A history: what several sessions did in transactions, and what they were told.

Every element is written once in the whole history, so whoever reads one knows whose it is. A list is a row to
which elements are appended: its last state tells in which order. A set is the rows with one value: elements
come and go as rows, so who reads it asks a predicate, and what is not there matters as much as what is.
"""

from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias


class Append(NamedTuple):
    """An element was appended to a list."""

    key: int
    element: int


class Read(NamedTuple):
    """A list was read."""

    key: int
    elements: tuple[int, ...]


class Add(NamedTuple):
    """An element became a member of a set."""

    group: int
    element: int


class Remove(NamedTuple):
    """An element that was a member is none any more."""

    group: int
    element: int


class Members(NamedTuple):
    """A set was read."""

    group: int
    elements: frozenset[int]


Operation: TypeAlias = Append | Read | Add | Remove | Members


@dataclass(slots=True)
class Transaction:
    """What one transaction did, in its order. undone: elements that a ROLLBACK TO took back.

    began, ended: before BEGIN was sent, after COMMIT was answered. committed: as the client was told.
    """

    number: int
    session: int
    began: float = 0.0
    ended: float = 0.0
    committed: bool = False
    operations: list[Operation] = field(default_factory=list)
    undone: set[int] = field(default_factory=set)

    def __str__(self) -> str:
        done = ", ".join(f"{type(one).__name__}{tuple(one)}" for one in self.operations)
        return f"T{self.number} (session {self.session}): {done}"


@dataclass(slots=True)
class History:
    """Transactions, and what was there in the end: of each list its elements, of each set its members."""

    transactions: list[Transaction]
    lists: dict[int, tuple[int, ...]]
    sets: dict[int, frozenset[int]]
