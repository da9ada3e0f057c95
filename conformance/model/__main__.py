"""python -m conformance.model [--schedules N] [--seed N] [--without RULE|each]"""

import argparse
import sys
import time
from itertools import islice

from conformance.model.schedules import all_but, failures, shortest
from conformance.model.world import RULES


def main() -> int:
    """Exit status 0 when nothing went wrong, or everything that should."""
    parser = argparse.ArgumentParser(prog="python -m conformance.model", description=__doc__)
    parser.add_argument("--schedules", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without", default="", choices=["", "each", *RULES])
    given = parser.parse_args()
    if not given.without:
        return kept(given.schedules, given.seed)
    names = list(RULES) if given.without == "each" else [given.without]
    found = [left_out(name, given.schedules, given.seed) for name in names]
    return 0 if all(found) else 1


def kept(schedules: int, seed: int) -> int:
    """All rules: nothing may go wrong."""
    began_s = time.perf_counter()
    wrong = list(islice(failures(all_but(), schedules, seed), 3))
    print(f"{schedules} schedules, {time.perf_counter() - began_s:.0f} s, {len(wrong)} went wrong")
    for failure in wrong:
        tell(shortest(failure, all_but()))
    return 1 if wrong else 0


def left_out(name: str, schedules: int, seed: int) -> bool:
    """One rule left out: something must go wrong."""
    rules = all_but(name)
    print(f"\nwithout {name}: {RULES[name]}")
    found = next(failures(rules, schedules, seed), None)
    if found is None:
        print(f"  nothing went wrong in {schedules} schedules")
        return False
    tell(shortest(found, rules))
    return True


def tell(failure) -> None:
    steps = " · ".join(f"{name}{numbers or ''}" for name, numbers in failure.steps)
    print(f"  {steps}\n  => {failure.what} (seed {failure.seed})")


if __name__ == "__main__":
    sys.exit(main())
