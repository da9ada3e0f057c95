"""A STREAM table that is followed. A server that ends takes its rows along, and says so to who comes back.

So its rows are numbered by their authors and never change: who follows is told every number once and in
order, and lacks none but those that it was told were lost (72000, and then a snapshot; or a gap).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from conformance.soak.contenders import Contender
from conformance.soak.ledger import Outcome
from conformance.soak.live.reading import WRONG
from conformance.soak.world import World

NUMBERS: Final = 10**9
"""An id is the author's number times this, and how many rows it has written."""

SIZES: Final = (1, 1, 2, 5, 60, 60, 4000)
"""Rows of a transaction; the last is more than is kept for anybody."""

EMPTIED: Final = 0.02
"""How often everybody's rows go before one writes: who has not heard them yet hears them, or of a gap."""


@dataclass
class Talk:
    """What one author has written: the outcome for each number."""

    author: int
    said: dict[int, Outcome] = field(default_factory=dict)

    def next(self, count: int) -> range:
        """Numbers that were not used yet."""
        return range(len(self.said) + 1, len(self.said) + 1 + count)

    def say(self, numbers: range, outcome: Outcome) -> None:
        """They were written, or not."""
        self.said.update(dict.fromkeys(numbers, outcome))

    def insert(self, numbers: range) -> str:
        """A statement that writes them."""
        low = self.author * NUMBERS
        return (
            f"INSERT INTO soak.talk SELECT {low} + i, i, 'said' "
            f"FROM generate_series({numbers[0]}, {numbers[-1]}) AS s(i)"
        )


class Talker(Contender):
    """Writes the next rows, of one statement or two."""

    def __init__(self, world: World, user: str, talk: Talk) -> None:
        super().__init__(world, f"talker {talk.author}", user)
        self.talk = talk

    def step(self) -> None:
        parts = [self.talk.next(self.random.choice(SIZES))]
        if self.random.random() < EMPTIED:
            self._settle(
                parts,
                self.transact(
                    ("TRUNCATE soak.talk", (), "TRUNCATE TABLE"),
                    (self.talk.insert(parts[0]), (), f"INSERT 0 {len(parts[0])}"),
                ),
            )
        elif self.random.random() < 0.5:
            self._settle(parts, self.alone(self.talk.insert(parts[0]), ()))
        else:
            parts.append(range(parts[0].stop, parts[0].stop + self.random.randint(1, 3)))
            texts = [(self.talk.insert(part), (), f"INSERT 0 {len(part)}") for part in parts]
            self._settle(parts, self.transact(*texts))
        self.world.round_over.wait(self.random.uniform(0.0, 0.05))

    def _settle(self, parts: Sequence[range], outcome: Outcome) -> None:
        for part in parts:
            self.talk.say(part, outcome)


class TalkReading:
    """One journal; as `reading.Reading`. talks: by the author's number."""

    def __init__(self, talks: Mapping[int, Talk]) -> None:
        self.talks = talks
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._told = dict.fromkeys(talks, 0)
        self._excused = set(talks)
        """Authors of whom something may be missing before what is told next."""

    def behind(self) -> dict[int, tuple[int, int]]:
        """Of each author whose last row was not told: its number, and that of the last that was."""
        last = {
            number: max((n for n, how in talk.said.items() if how is Outcome.COMMITTED), default=0)
            for number, talk in self.talks.items()
        }
        return {
            number: (told, last[number])
            for number, told in self._told.items()
            if told < last[number]
        }

    def take(self, record: Mapping[str, Any]) -> None:
        """The journal's next record."""
        match record["what"]:
            case "snapshot":
                self.counts["snapshots"] += 1
                self._snapshot(sorted(id_ for id_, _, _ in record["rows"]))
            case "change":
                self._change(record["change"]["op"], *record["change"].get("key", (None,)))
            case "row":
                _, op, _, id_, _, _ = record["row"]
                self._change(op, id_)
            case "refused":
                self._is_wrong("refused", record["text"])
            case what:
                self.counts[what] += 1
                if what in ("forgotten", "gap"):
                    self._excused = set(self.talks)

    def _snapshot(self, ids: Sequence[int]) -> None:
        """It has no hole. Who asks for one has no token: what went with a server may be missing before it.

        What of it was told before is of no account.
        """
        self._excused = set(self.talks)
        for number, n in (divmod(id_, NUMBERS) for id_ in ids):
            if n > self._told[number]:
                self._hear(number, n)
            self._excused.discard(number)

    def _change(self, op: str, id_: str | None) -> None:
        match op:
            case "insert":
                number, n = divmod(int(id_ or 0), NUMBERS)
                told = self._told[number]
                if n <= told:
                    what = "twice" if n == told else "out of order"
                    self._is_wrong(what, f"{n} of author {number} after {told}")
                else:
                    self._hear(number, n)
                    self.counts["changes told"] += 1
            case "progress":
                pass
            case "truncate":
                self.counts["truncates told"] += 1
            case _:
                self._is_wrong("wrong rows", f"{op} of {id_}")

    def _hear(self, number: int, n: int) -> None:
        said, told = self.talks[number].said, self._told[number]
        if said.get(n, Outcome.ABANDONED) is Outcome.ABANDONED:
            self._is_wrong("never committed", f"{n} of author {number}")
        if number not in self._excused:
            missing = [m for m in range(told + 1, n) if said[m] is Outcome.COMMITTED]
            if missing:
                self._is_wrong("lost", f"{missing[:9]} of author {number}")
        self._excused.discard(number)
        self._told[number] = n

    def _is_wrong(self, what: str, text: str) -> None:
        assert what in WRONG
        self.counts[what] += 1
        self.wrong.append(f"{what}: {text}")
