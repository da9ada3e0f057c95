"""What was committed, in order: every transaction of one author, who alone writes some keys."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from conformance.soak.ledger import Ledger, Outcome, State

MARK: Final = 0
"""The slot of the row that every transaction of an author writes."""

SLOTS: Final = 1000
"""Keys of one author: its number times this, and what is added."""


class Value(NamedTuple):
    """A row without its key. n: another for every write, growing with each author."""

    n: int
    body: str | None


class Change(NamedTuple):
    """One key of one transaction. old, new: None where there is no row."""

    key: int
    old: Value | None
    new: Value | None


Transaction = frozenset[Change]


@dataclass
class Chronicle(Ledger):
    """A domain of rows (key to value) whose committed transactions are all kept."""

    transactions: list[Transaction] = field(default_factory=list)
    by_mark: dict[int, int] = field(default_factory=dict)
    """Which transaction wrote a mark's n, by that."""

    def settle(self, outcome: Outcome, after: State) -> None:
        (before,) = self.possible
        super().settle(outcome, after)
        if outcome is Outcome.COMMITTED:
            self._add(before, after)

    def observe(self, seen: State) -> None:
        before = self.possible[0]
        super().observe(seen)
        self._add(before, seen)

    def _add(self, before: State, after: State) -> None:
        if made := frozenset(_changes(before, after)):
            (mark,) = (change.new for change in made if change.key % SLOTS == MARK)
            assert isinstance(mark, Value)
            self.by_mark[mark.n] = len(self.transactions)
            self.transactions.append(made)


def _changes(before: State, after: State) -> Iterable[Change]:
    for key in before.keys() | after.keys():
        old, new = before.get(key), after.get(key)
        if old != new:
            assert isinstance(key, int)
            assert isinstance(old, Value | None)
            assert isinstance(new, Value | None)
            yield Change(key, old, new)
