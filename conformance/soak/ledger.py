"""What must be there: the model that the server is compared with.

Each part of the database that one actor alone writes is a domain. A domain's state is a value, so a
transaction is a step from one state to another, and one whose outcome is not known leaves two possible
states: all of it or nothing.
"""

import enum
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from itertools import count
from threading import Lock

State = Mapping[Hashable, Hashable]


class Violation(AssertionError):  # noqa: N818 - it is what the soak looks for
    """Something that must never be was seen."""


class Outcome(enum.Enum):
    """What the client knows of its transaction."""

    COMMITTED = "committed"
    ABANDONED = "abandoned"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Ledger:
    """The states that one domain may be in; one, unless an outcome is unknown."""

    name: str
    possible: list[State] = field(default_factory=lambda: [{}])

    @property
    def known(self) -> State | None:
        """The state, None while there are two."""
        return self.possible[0] if len(self.possible) == 1 else None

    def settle(self, outcome: Outcome, after: State) -> None:
        """A transaction from the known state to `after` has ended."""
        (before,) = self.possible
        if outcome is Outcome.COMMITTED:
            self.possible = [after]
        elif outcome is Outcome.UNKNOWN and after != before:
            self.possible = [before, after]

    def observe(self, seen: State) -> None:
        """The domain was read, with nothing under way. Raises Violation."""
        if seen not in self.possible:
            raise Violation(
                f"{self.name}: not what was committed: {difference(self.possible[-1], seen)}"
                + (" (a commit was lost; neither outcome fits)" if self.known is None else "")
            )
        self.possible = [seen]


def difference(wanted: State, seen: State) -> str:
    """What is missing, what is too much, and what is another value; some of each."""
    parts = {
        "missing": {key: wanted[key] for key in wanted if key not in seen},
        "not written": {key: seen[key] for key in seen if key not in wanted},
        "wrong (wanted, seen)": {
            key: (wanted[key], seen[key])
            for key in wanted
            if key in seen and wanted[key] != seen[key]
        },
    }
    return "; ".join(
        f"{len(found)} {name}: {dict(list(found.items())[:5])}"
        for name, found in parts.items()
        if found
    )


@dataclass(slots=True)
class Tally:
    """How often something was done that all may do: certainly, and perhaps."""

    certain: int = 0
    perhaps: int = 0
    _lock: Lock = field(default_factory=Lock)

    def settle(self, outcome: Outcome) -> None:
        with self._lock:
            self.certain += outcome is Outcome.COMMITTED
            self.perhaps += outcome is Outcome.UNKNOWN

    def check(self, name: str, seen: int) -> None:
        """Raises Violation."""
        if not self.certain <= seen <= self.certain + self.perhaps:
            raise Violation(
                f"{name}: {seen}, but {self.certain} certain and {self.perhaps} perhaps"
            )


@dataclass(slots=True)
class Jobs:
    """Ids that were put into a queue, certainly or perhaps, to be taken out once each."""

    certain: set[int] = field(default_factory=set)
    perhaps: set[int] = field(default_factory=set)
    _numbers: count = field(default_factory=lambda: count(1))
    _lock: Lock = field(default_factory=Lock)

    def new(self) -> int:
        return next(self._numbers)

    def settle(self, outcome: Outcome, number: int) -> None:
        with self._lock:
            if outcome is Outcome.COMMITTED:
                self.certain.add(number)
            elif outcome is Outcome.UNKNOWN:
                self.perhaps.add(number)

    def check(self, seen: list[int]) -> None:
        """seen: the ids that wait and those that were taken. Raises Violation."""
        found = set(seen)
        if len(found) < len(seen):
            twice = sorted(number for number in found if seen.count(number) > 1)
            raise Violation(f"queue: taken twice, or taken and still there: {twice[:10]}")
        if lost := self.certain - found:
            raise Violation(f"queue: {len(lost)} lost: {sorted(lost)[:10]}")
        if made := found - self.certain - self.perhaps:
            raise Violation(f"queue: {len(made)} that nobody put in: {sorted(made)[:10]}")


@dataclass(frozen=True, slots=True)
class Span:
    """When something was under way, and what is known of it. ended: infinite while it may still be."""

    began: float
    ended: float
    outcome: Outcome


@dataclass(slots=True)
class Scratch:
    """A table into which all insert, and which now and then one clears: who came first may be open."""

    rows: dict[int, Span] = field(default_factory=dict)
    clearings: list[Span] = field(default_factory=list)
    _numbers: count = field(default_factory=lambda: count(1))
    _lock: Lock = field(default_factory=Lock)

    def new(self) -> int:
        return next(self._numbers)

    def inserted(self, number: int, span: Span) -> None:
        with self._lock:
            self.rows[number] = span

    def cleared(self, span: Span) -> None:
        with self._lock:
            if span.outcome is not Outcome.ABANDONED:
                self.clearings.append(span)

    def check(self, seen: set[int], now: float) -> None:
        """Nothing is under way now. Raises Violation."""
        certain = {number for number, row in self.rows.items() if self._is_certain(row)}
        if lost := certain - seen:
            raise Violation(f"scratch: {len(lost)} lost: {sorted(lost)[:10]}")
        wrong = {
            number for number in seen if number not in self.rows or self._is_gone(self.rows[number])
        }
        if wrong:
            raise Violation(f"scratch: {len(wrong)} that must not be there: {sorted(wrong)[:10]}")
        # From here on it is known: what is there was inserted before any later clearing.
        self.rows = {number: Span(now, now, Outcome.COMMITTED) for number in seen}
        self.clearings.clear()

    def _is_certain(self, row: Span) -> bool:
        committed = row.outcome is Outcome.COMMITTED
        return committed and all(c.ended < row.began for c in self.clearings)

    def _is_gone(self, row: Span) -> bool:
        if row.outcome is Outcome.ABANDONED:
            return True
        sure = (c for c in self.clearings if c.outcome is Outcome.COMMITTED)
        return any(c.began > row.ended for c in sure)
