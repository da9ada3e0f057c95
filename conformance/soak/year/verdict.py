"""What was measured, week by week, and what must be true of it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from conformance.soak.year.questions import Times
from conformance.soak.year.upkeep import Kept

GROWTH_MAX = 1.5
NOISE_MS = 1.0
"""A p99 of the year's last quarter may be so many times, and so much more than, that of its first; after
what PostgreSQL's has done meanwhile was taken away, which is the machine's."""

WEEKS_MIN = 12
"""Of fewer weeks nothing is said about how long anything took."""

SHARE_MAX = 1.3
"""Bytes on the disk, of the live rows' size."""

SMALL_BYTES = 8 << 20
"""A year of fewer bytes is one of files' least sizes, and says nothing of that."""


def percentile(values: list[float], of_hundred: float) -> float:
    """The value that so many of a hundred do not exceed."""
    found = sorted(values)
    return found[min(len(found) - 1, int(len(found) * of_hundred / 100))] if found else 0.0


@dataclass(slots=True)
class Year:
    """p99s: of each week, by which answers and what was asked."""

    p99s: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    kept: list[Kept] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def week(self, times: Times) -> str:
        """Take in what a week's questions took; tells them in a line."""
        told = []
        for name in times.again:
            parts = []
            for which in ("first", "again", "theirs"):
                p99 = percentile(getattr(times, which)[name], 99)
                self.p99s[which, name].append(p99)
                parts.append(f"{p99:.2f}")
            told.append(f"{name} {' / '.join(parts)}")
        return ", ".join(told)

    def judge(self) -> list[str]:
        """What is wrong with all of it."""
        wrong = list(self.wrong)
        for (which, name), weeks in self.p99s.items():
            began, ended = _quarters(weeks)
            noise = max(0.0, _grown(self.p99s["theirs", name]))
            if (
                len(weeks) >= WEEKS_MIN
                and which != "theirs"
                and ended - noise > began * GROWTH_MAX + NOISE_MS
            ):
                wrong.append(f"{name}, {which}: p99 {began:.2f} ms became {ended:.2f} ms")
        if self.kept and self.kept[-1].rows > SMALL_BYTES and self.kept[-1].share > SHARE_MAX:
            wrong.append(f"the disk has too much: {self.kept[-1]}")
        return wrong


def _quarters(weeks: Sequence[float]) -> tuple[float, float]:
    """The medians of the first and the last quarter."""
    quarter = max(1, len(weeks) // 4)
    return median(weeks[:quarter]), median(weeks[-quarter:])


def _grown(weeks: Sequence[float]) -> float:
    began, ended = _quarters(weeks)
    return ended - began
