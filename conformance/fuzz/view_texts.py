"""Random queries as views: how both servers show them, and what either makes of the text that we show.

Usage: python -m conformance.fuzz.view_texts [--seed N] [--views N]

A view's text must be PostgreSQL's in each of its forms (pretty, in lines of a length, neither); read again
by PostgreSQL and here, the shown text must give views that are shown alike. Prints each difference, then
counts; ends with 1 if there was one.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from random import Random

from conformance.fuzz.__main__ import servers
from conformance.fuzz.pieces import Part, smaller
from conformance.fuzz.queries import Queries
from conformance.fuzz.sides import Side
from conformance.fuzz.tables import make_tables
from conformance.fuzz.vocabulary import DEFINITIONS

_FORMS = ("", ", true", ", 60")
_VIEWS_PER_ROUND = 40
_STEPS_MAX = 200


def _shown(side: Side, view: str, form: str = "") -> str:
    answer = side.run(f"SELECT pg_get_viewdef('{view}'::regclass{form})")
    if not answer.rows or answer.rows[0][0] is None:
        return str(answer)
    return answer.rows[0][0].decode()


def _columns(side: Side, query: str) -> int:
    """How many columns a query has; 0 where it cannot be run."""
    answer = side.run(f"SELECT * FROM ({query}) q LIMIT 0")
    return len(answer.columns)


def compare(theirs: Side, ours: Side, query: str) -> tuple[str, str]:
    """(verdict, what is different) of one query as a view: same, refused, unread or different."""
    count = _columns(theirs, query)
    names = ", ".join([f"v{at}" for at in range(count)])
    for side in (theirs, ours):
        side.run("DROP VIEW IF EXISTS again, shown")
    made = [side.run(f"CREATE VIEW shown({names}) AS {query}") for side in (theirs, ours)]
    if any(answer.error is not None for answer in made):
        return "refused", ""
    for form in _FORMS:
        one, other = _shown(theirs, "shown", form), _shown(ours, "shown", form)
        if one != other:
            return "different", f"{query}\n  theirs{form}: {one}\n  ours{form}: {other}"
    text = _shown(ours, "shown").rstrip(";")
    told = [side.run(f"CREATE VIEW again AS {text}") for side in (theirs, ours)]
    if any(answer.error is not None for answer in told):
        return "unread", f"{text}\n  theirs: {told[0]}\n  ours: {told[1]}"
    again = [_shown(side, "again") for side in (theirs, ours)]
    if again[0] != again[1]:
        return "different", f"read again: {text}\n  theirs: {again[0]}\n  ours: {again[1]}"
    return "same", ""


def _smallest(theirs: Side, ours: Side, text: Part, told: str) -> str:
    """A smaller query that is shown differently, too: what is told of it."""
    steps = 0
    found = True
    while found and steps < _STEPS_MAX:
        found = False
        for candidate in smaller(text):
            steps += 1
            verdict, detail = compare(theirs, ours, str(candidate))
            if verdict == "different":
                text, told, found = candidate, detail, True
                break
            if steps >= _STEPS_MAX:
                break
    return told


def run_round(
    seed: int,
    number: int,
    theirs: Side,
    ours: Side,
    show: Callable[[str], None],
    views: int = _VIEWS_PER_ROUND,
) -> Counter[str]:
    """Views of random queries over random tables; how many there were of each verdict."""
    random = Random(f"{seed}.{number}")
    tables = make_tables(random)
    for side in (theirs, ours):
        for definition in DEFINITIONS:
            side.run(definition)  # It may be there already.
        for table in tables:
            side.run(f"DROP TABLE IF EXISTS {table.name} CASCADE")
            side.run(table.create())
    queries, counts = Queries(random, tables), Counter[str]()
    for _ in range(views):
        text = queries.query().text
        verdict, told = compare(theirs, ours, str(text))
        counts[verdict] += 1
        if verdict == "different":
            told = _smallest(theirs, ours, text, told)
        if told:
            show(f"{seed}.{number}: {told}")
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m conformance.fuzz.view_texts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--views", type=int, default=1000)
    arguments = parser.parse_args()
    totals: Counter[str] = Counter()
    with servers("", "") as (theirs, ours):
        number = 0
        while totals.total() < arguments.views:
            totals += run_round(arguments.seed, number, theirs, ours, print)
            number += 1
    print(dict(totals))
    return 1 if totals["different"] or totals["unread"] else 0


if __name__ == "__main__":
    sys.exit(main())
