"""What a statement's two answers count as, and the counts of a file."""

import re
from collections import Counter
from dataclasses import dataclass, field

from conformance.fuzz.sides import Answer
from conformance.fuzz.verdicts import INEXACT, RIGHT, SPELLED, verdict

SAME, REFUSED, DIFFERENT, INTERNAL = "same", "refused", "different", "XX000"
"""refused: PostgreSQL answers and we say an error. different: any other answer than PostgreSQL's."""

FOLLOWS = "(names what an earlier statement, that was refused, makes or changes)"

ELSEWHERE = {"58P01", "57014"}
"""What PostgreSQL itself cannot answer here: files that are not there, statements that take too long."""

_SORTS = re.compile(r"\bORDER\s+BY\b", re.IGNORECASE)
_ANY = re.compile(r'"[^"]*"|\'[^\']*\'|\d+')


@dataclass
class Counts:
    """Of a file or of all. kinds: what is refused, by SQLSTATE and message; differences: by verdict."""

    verdicts: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    differences: Counter[str] = field(default_factory=Counter)

    @property
    def statements(self) -> int:
        return self.verdicts.total()

    @property
    def share(self) -> float:
        """How many of 100 are answered the same."""
        return 100 * self.verdicts[SAME] / max(self.statements, 1)

    def add(self, other: "Counts") -> None:
        """Take in another file's."""
        self.verdicts += other.verdicts
        self.kinds += other.kinds
        self.differences += other.differences


def count(counts: Counts, text: str, theirs: Answer, ours: Answer, *, follows: bool) -> str:
    """Count a statement; which of the four it is. follows: it names what was refused before."""
    ordered = bool(_SORTS.search(_top_level(text)))
    found = verdict(theirs, ours, ordered=ordered, statement=text)
    if found in {RIGHT, SPELLED, INEXACT} or theirs == ours:
        kind = SAME
    elif found in {"XX000", "LOST"}:
        kind = INTERNAL
    elif ours.error is not None and (theirs.error is None or ours.error[0] == "0A000"):
        kind = REFUSED
        if ours.error[0] != "0A000" and follows:
            counts.kinds[FOLLOWS] += 1
        else:
            counts.kinds[f"{ours.error[0]} {_ANY.sub('…', ours.error[1])}"] += 1
    elif follows:
        kind = REFUSED
        counts.kinds[FOLLOWS] += 1
    else:
        kind = DIFFERENT
        counts.differences[found] += 1
    counts.verdicts[kind] += 1
    return kind


def _top_level(text: str) -> str:
    """What of a text stands in no brackets."""
    depth, kept = 0, []
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if not depth:
            kept.append(character)
    return "".join(kept)
