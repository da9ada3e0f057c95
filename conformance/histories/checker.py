"""What a history has that its isolation level forbids, found without knowing how anything works.

From what transactions were told follows how they depend on each other (Adya's thesis; Elle, VLDB 2021):

- ww: one appended to a list right behind the other;
- wr: one read what the other wrote last, or a member that it added, or the lack of one that it removed;
- rw: one read a state that the other then replaced: the element behind those that it read, a member that it
  did not find, or that it found and the other removed;
- rt: one had ended before the other began (asked for at SERIALIZABLE: ours is strict).

A cycle says that no order of the transactions explains what they were told. Its edges tell which anomaly it
is: G0 has ww alone, G1c also wr, G-single one rw, G-nonadjacent several of which no two follow each other
(what snapshots rule out), G2 any. Beside cycles: G1a, something of who was rolled back was read; G1b, what
one wrote and replaced itself; and elements that are lost, come twice, or stand in another order than read.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from conformance.histories.graph import Edge, Graph
from conformance.histories.history import (
    Add,
    Append,
    History,
    Members,
    Read,
    Remove,
    Transaction,
)

PERMITTED: Final = {
    "READ COMMITTED": frozenset(("G-single", "G-nonadjacent", "G2")),
    "REPEATABLE READ": frozenset(("G2",)),
    "SERIALIZABLE": frozenset[str](),
}
"""The anomalies that each level allows, as PostgreSQL has them; anything else it forbids."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One of them. kind: as the module's docstring names it. text: what was seen."""

    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


def check(history: History, *, strict: bool) -> list[Anomaly]:
    """All kinds of anomalies in a history; of cycles a short one of each kind. strict: by rt, too."""
    return _Checker(history).found(strict=strict)


def forbidden(history: History, level: str) -> list[Anomaly]:
    """Those that a level does not permit."""
    found = check(history, strict=level == "SERIALIZABLE")
    return [anomaly for anomaly in found if anomaly.kind not in PERMITTED[level]]


class _Checker:
    def __init__(self, history: History) -> None:
        self._history = history
        self._committed = [one for one in history.transactions if one.committed]
        self._by_number = {one.number: one for one in history.transactions}
        self._writers: dict[int, Transaction] = {}
        self._removers: dict[int, Transaction] = {}
        self._added: defaultdict[int, set[int]] = defaultdict(set)
        self._anomalies: list[Anomaly] = []
        self._graph = Graph()
        for transaction in history.transactions:
            for operation in transaction.operations:
                if isinstance(operation, Append | Add):
                    self._writers[operation.element] = transaction
                if isinstance(operation, Add) and self._lasts(operation.element):
                    self._added[operation.group].add(operation.element)
                if isinstance(operation, Remove) and transaction.committed:
                    self._removers[operation.element] = transaction

    def found(self, *, strict: bool) -> list[Anomaly]:
        self._check_end()
        for key, elements in self._history.lists.items():
            for one, other in pairwise(elements):
                if one in self._writers and other in self._writers:
                    self._depend(self._writers[one], "ww", self._writers[other])
            self._check_reads(key, elements)
        for transaction in self._committed:
            self._check_members(transaction)
        if strict:
            self._follow_time()
        self._find_cycles(("rt",) if strict else ())
        return self._anomalies

    def _tell(self, kind: str, text: str) -> None:
        self._anomalies.append(Anomaly(kind, text))

    def _of(self, element: int) -> str:
        """Whose an element is that should not be seen."""
        writer = self._writers.get(element)
        if writer is None:
            return "of nobody"
        why = "taken back" if element in writer.undone else "not committed"
        return f"of {writer}, where it was {why}"

    def _lasts(self, element: int) -> bool:
        """Whether an element was committed."""
        writer = self._writers.get(element)
        return writer is not None and writer.committed and element not in writer.undone

    def _depend(self, one: Transaction, kind: str, other: Transaction) -> None:
        self._graph.add(one.number, kind, other.number)

    # ------------------------------------------------------------------ what is there in the end

    def _check_end(self) -> None:
        there = Counter([e for elements in self._history.lists.values() for e in elements])
        there.update([e for elements in self._history.sets.values() for e in elements])
        for element, times in there.items():
            if times > 1:
                self._tell("twice", f"{element} is there {times} times")
            if not self._lasts(element):
                self._tell("G1a", f"{element} is there, {self._of(element)}")
            elif element in self._removers:
                self._tell(
                    "lost", f"{element} is there, and T{self._removers[element].number} removed it"
                )
        for transaction in self._committed:
            for operation in transaction.operations:
                if isinstance(operation, Append | Add):
                    element = operation.element
                    gone = element in transaction.undone or element in self._removers
                    if element not in there and not gone:
                        self._tell("lost", f"{element} of {transaction}")

    # ------------------------------------------------------------------ lists

    def _check_reads(self, key: int, order: tuple[int, ...]) -> None:
        for transaction in self._committed:
            own: list[int] = []
            for operation in transaction.operations:
                if isinstance(operation, Append) and operation.key == key:
                    own.append(operation.element)
                if isinstance(operation, Read) and operation.key == key:
                    self._check_read(transaction, operation, order, own)

    def _check_read(
        self, reader: Transaction, read: Read, order: tuple[int, ...], own: list[int]
    ) -> None:
        elements = [e for e in read.elements if e not in reader.undone]
        at = next((n for n, e in enumerate(elements) if e in own), len(elements))
        others, mine = elements[:at], elements[at:]
        if mine != [e for e in own if e not in reader.undone]:
            self._tell("internal", f"{reader} read {read.elements} and had written {own}")
        for element in others:
            if not self._lasts(element):
                self._tell("G1a", f"{reader} read {element} {self._of(element)}")
                return
        if tuple(others) != order[: len(others)]:
            self._tell("order", f"{reader} read {read.elements}, in the end it is {order}")
            return
        if others:
            last = self._writers[others[-1]]
            self._depend(last, "wr", reader)
            after = order[len(others) : len(others) + 1]
            if after and self._writers[after[0]] is last and last is not reader:
                self._tell(
                    "G1b", f"{reader} read {read.elements}, of which T{last.number} wrote more"
                )
        if len(others) < len(order):
            self._depend(reader, "rw", self._writers[order[len(others)]])

    # ------------------------------------------------------------------ sets

    def _check_members(self, reader: Transaction) -> None:
        own: set[int] = set()
        for operation in reader.operations:
            if isinstance(operation, Add | Remove):
                own.add(operation.element)
            if not isinstance(operation, Members):
                continue
            for element in operation.elements - own:
                if not self._lasts(element):
                    self._tell("G1a", f"{reader} read member {element} {self._of(element)}")
                    continue
                self._depend(self._writers[element], "wr", reader)
                if element in self._removers:
                    self._depend(reader, "rw", self._removers[element])
            for element in self._added[operation.group] - operation.elements - own:
                if element not in self._removers:  # Else it may have been there before, or not yet.
                    self._depend(reader, "rw", self._writers[element])

    # ------------------------------------------------------------------ cycles

    def _follow_time(self) -> None:
        """Edges from each transaction to those that began after its end, through one node for each end."""
        ended = sorted(self._committed, key=lambda one: one.ended)
        for place, transaction in enumerate(ended):
            self._graph.add(transaction.number, "rt", -1 - place)
            self._graph.add(-1 - place, "rt", -2 - place)
        ends = [one.ended for one in ended]
        for transaction in self._committed:
            before = bisect_left(ends, transaction.began)
            if before:
                self._graph.add(-before, "rt", transaction.number)

    def _find_cycles(self, always: tuple[str, ...]) -> None:
        for kind, kinds in (("G0", ("ww",)), ("G1c", ("ww", "wr"))):
            cycle = self._graph.cycle((*kinds, *always))
            if cycle:
                self._tell(kind, self._shown(cycle))
                return
        apart = self._graph.cycle_apart(("ww", "wr", *always), "rw")
        if apart:
            single = sum(kind == "rw" for _, kind, _ in apart) == 1
            self._tell("G-single" if single else "G-nonadjacent", self._shown(apart))
        whole = self._graph.cycle(("ww", "wr", "rw", *always))
        if whole and not apart:
            self._tell("G2", self._shown(whole))

    def _shown(self, cycle: list[Edge]) -> str:
        return "\n".join(self._lines(cycle))

    def _lines(self, cycle: list[Edge]) -> Iterator[str]:
        names = [f"T{start}" if start >= 0 else "…" for start, _, _ in cycle]
        yield " ".join(f"{name} -{kind}->" for name, (_, kind, _) in zip(names, cycle, strict=True))
        for start, _, _ in cycle:
            if start >= 0:
                yield f"  {self._by_number[start]}"
