"""Random regular expressions over random texts beside PostgreSQL 15, through every function that takes one.

Usage: python -m conformance.fuzz.patterns [--seed N] [--patterns N] [--workers]
                                           [--postgresql DSN --kalam DSN]

The texts are rows of a table, some hot and some cold, and constants. Patterns are of all kinds that the
manual names, and some that are none. Prints every difference, then counts; ends with 1 if there was one.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Final

from conformance.fuzz.__main__ import servers
from conformance.fuzz.sides import Side
from conformance.fuzz.verdicts import REFUSED, RIGHT, SLOW, verdict

TEXTS: Final = 24
BATCH: Final = 400
"""Patterns over the same texts."""

_LETTERS: Final = "aaabbbcdAB01 _-.,\n"
_RARE: Final = "éÉßǅя١ !\t中\\^$()[]{}|*+?/"
_CLASSES: Final = (
    *("alpha", "alnum", "digit", "space", "punct", "upper", "lower", "graph", "print", "xdigit"),
    *("blank", "cntrl", "word", "ascii", "nonesuch"),
)
_ESCAPES: Final = (
    *(r"\d", r"\w", r"\s", r"\D", r"\W", r"\S", r"\m", r"\M", r"\y", r"\Y", r"\A", r"\Z"),
    *(r"\.", r"\\", r"\n", r"\t", r"\x61", r"\u0062", r"\e", r"\(", r"\B", r"\101", r"\0"),
)
_QUANTIFIERS: Final = (
    *("*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,2}?", "{1,}", "{2,}?", "{0}", "{1}?"),
    *("{,2}", "{3,1}", "{300}", "{0,1}", "{1,1}?", "{1,1}", "**", "+*"),
)


def text(random: Random) -> str:
    """A short text of few letters, so that patterns match."""
    letters = _LETTERS if random.random() < 0.7 else _LETTERS + _RARE
    return "".join(random.choices(letters, k=random.choice((0, 1, 2, 3, 5, 8, 12))))


class Patterns:
    """Makes one pattern after the other. groups: how many the one that is being made has so far."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.groups = 0

    def __call__(self) -> str:
        self.groups = 0
        made = self._choice(self.random.choice((1, 2, 2, 3, 3, 4)))
        if self.random.random() < 0.06:
            at = self.random.randrange(len(made) + 1)
            made = made[:at] + self.random.choice("()[]{}*+?\\|^$") + made[at:]
        if self.random.random() < 0.1:
            made = self.random.choice(self._STARTS) + made
        return made

    _STARTS: Final = (
        *("(?i)", "(?n)", "(?x)", "(?p)", "(?w)", "(?s)", "(?q)", "(?e)", "(?b)", "(?in)", "***="),
        *("***:", "(?z)", "***?", "(?c)"),
    )

    def _choice(self, depth: int) -> str:
        count = self.random.choice((1, 1, 1, 2, 3)) if depth else 1
        return "|".join([self._branch(depth) for _ in range(count)])

    def _branch(self, depth: int) -> str:
        count = self.random.choice((0, 1, 1, 2, 2, 3, 4)) if depth else 1
        return "".join([self._quantified(depth) for _ in range(count)])

    def _quantified(self, depth: int) -> str:
        atom = self._atom(depth)
        chance = self.random.random()
        if chance < 0.5:
            return atom
        if chance < 0.95:
            return atom + self.random.choice(_QUANTIFIERS[:13])
        return atom + self.random.choice(_QUANTIFIERS)

    def _atom(self, depth: int) -> str:
        chance = self.random.random()
        if depth and chance < 0.3:
            return self._group(depth - 1)
        if chance < 0.62:
            return self.random.choice("abcAB01_ ,")
        if chance < 0.70:
            return "."
        if chance < 0.77:
            return self.random.choice(_ESCAPES)
        if chance < 0.87:
            return self._brackets()
        if chance < 0.92 and self.groups:
            return f"\\{self.random.randint(1, self.groups)}"
        if chance < 0.96:
            return self.random.choice("^$^$") if self.random.random() < 0.7 else "^*"
        if chance < 0.98:
            return self.random.choice(
                ("(?#note)", "[[:<:]]", "[[:>:]]", "é", "É", "ß", "中", "\\9")
            )
        return self.random.choice(_RARE)

    def _group(self, depth: int) -> str:
        kind = self.random.choice(("(",) * 7 + ("(?:",) * 3 + ("(?=", "(?!", "(?<=", "(?<!"))
        inner = self._choice(depth)
        if kind == "(":
            self.groups += 1
        return f"{kind}{inner})"

    def _brackets(self) -> str:
        members = [self._member() for _ in range(self.random.choice((1, 1, 2, 3)))]
        return "[" + self.random.choice(("", "", "^")) + "".join(members) + "]"

    def _member(self) -> str:
        return self.random.choice(
            (
                *("a", "b", "c", "0", "_", "é", "-", "a-c", "A-Z", "0-9", "à-ÿ", "]", "^", "\\w"),
                *("\\d", "\\s", "\\W", "\\]", "[.a.]", "[=b=]", "[.comma.]", "[.nope.]", "b-a"),
                *(f"[:{self.random.choice(_CLASSES)}:]",) * 4,
            )
        )


def literal(value: str) -> str:
    """A text as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"


def _flags(random: Random) -> str:
    chance = random.random()
    if chance < 0.6:
        return ""
    return "".join(random.choices("iscnmpwxtiieqbz", k=random.choice((1, 1, 2))))


_Form = Callable[[Random, str, str, str], str]
"""The expression of a text, a pattern and flags, all as SQL."""

_FORMS: Final[tuple[_Form, ...]] = (
    lambda _, s, p, _f: f"{s} ~ {p}",
    lambda _, s, p, _f: f"{s} ~* {p}",
    lambda _, s, p, _f: f"{s} !~ {p}",
    lambda _, s, p, f: f"regexp_match({s}, {p}, {f})",
    lambda _, s, p, f: f"regexp_match({s}, {p}, {f})",
    lambda _, s, p, f: f"regexp_like({s}, {p}, {f})",
    lambda _, s, p, f: f"regexp_split_to_array({s}, {p}, {f})",
    lambda r, s, p, f: f"regexp_replace({s}, {p}, {_replacement(r)}, {f} || 'g')",
    lambda r, s, p, f: f"regexp_replace({s}, {p}, {_replacement(r)}, {f})",
    lambda r, s, p, f: (
        f"regexp_replace({s}, {p}, {_replacement(r)}, {_low(r)}, {r.randint(0, 3)}, {f})"
    ),
    lambda _, s, p, _f: f"substring({s} from {p})",
    lambda r, s, p, f: f"regexp_count({s}, {p}, {_low(r)}, {f})",
    lambda r, s, p, f: (
        f"regexp_instr({s}, {p}, {_low(r)}, {_low(r)}, {r.randint(0, 1)}, {f}, {r.randint(0, 2)})"
    ),
    lambda r, s, p, f: f"regexp_substr({s}, {p}, {_low(r)}, {_low(r)}, {f}, {r.randint(0, 2)})",
    lambda _, s, p, f: f"ARRAY(SELECT m::text FROM regexp_matches({s}, {p}, {f} || 'g') m)",
    lambda _, s, p, _f: f"{s} SIMILAR TO {p}",
    lambda _, s, p, _f: f"substring({s} similar {p} escape '#')",
)


def _low(random: Random) -> int:
    return random.choice((1, 1, 1, 2, 3, 0))


def _replacement(random: Random) -> str:
    return literal(random.choice(("<>", r"[\1]", r"\2-\&", r"\\", r"\x\1", "")))


class Comparison:
    """Both servers, over the same texts."""

    def __init__(self, theirs: Side, ours: Side, random: Random) -> None:
        self.sides = (theirs, ours)
        self.random = random
        self.counts: Counter[str] = Counter()

    def run(self, number: int) -> None:
        """Compare what both say of so many patterns."""
        patterns = Patterns(self.random)
        for at in range(number):
            if at % BATCH == 0:
                self._make_texts()
            self._compare(patterns())

    def _make_texts(self) -> None:
        rows = [text(self.random) for _ in range(TEXTS)]
        halves = [(0, rows[: TEXTS // 2]), (TEXTS // 2, rows[TEXTS // 2 :])]
        for side in self.sides:
            side.run("DROP TABLE IF EXISTS texts")
            side.run("CREATE TABLE texts (id integer PRIMARY KEY, s text)")
            for first, half in halves:
                values = ", ".join([f"({first + n}, {literal(s)})" for n, s in enumerate(half)])
                side.run(f"INSERT INTO texts VALUES {values}")
                if first == 0:
                    side.run("STORAGE FLUSH TABLE texts")  # Only ours knows how.

    def _compare(self, pattern: str) -> None:
        flags = literal(_flags(self.random))
        forms = self.random.sample(_FORMS, 3)
        for form in forms:
            if self.random.random() < 0.5:
                expression = form(self.random, "s", literal(pattern), flags)
                asked = f"SELECT id, {expression} FROM texts ORDER BY id"
            else:
                value = literal(text(self.random))
                asked = "SELECT " + form(self.random, value, literal(pattern), flags)
            theirs, ours = [side.run(asked) for side in self.sides]
            found = verdict(theirs, ours, ordered=True, statement="")
            if found == RIGHT and theirs.error and ours.error and theirs.error != ours.error:
                found = "message"
            self.counts[found] += 1
            if found not in {RIGHT, SLOW}:
                print(f"## {found}: {asked!r}\n   pg   {theirs}\n   ours {ours}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m conformance.fuzz.patterns")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--patterns", type=int, default=2000)
    parser.add_argument("--workers", action="store_true", help="ask all questions of the workers")
    parser.add_argument("--postgresql", default="")
    parser.add_argument("--kalam", default="")
    arguments = parser.parse_args()
    dsns = arguments.postgresql, arguments.kalam
    with servers(*dsns, workers=arguments.workers) as (theirs, ours):
        for side in (theirs, ours):
            side.run("SET statement_timeout = '5s'")
        comparison = Comparison(theirs, ours, Random(arguments.seed))
        comparison.run(arguments.patterns)
    print(dict(comparison.counts))
    return 1 if set(comparison.counts) - {RIGHT, REFUSED, SLOW} else 0


if __name__ == "__main__":
    sys.exit(main())
