"""python -m conformance.damage [--rounds N] [--tables N] [--seed N]"""

import argparse
import sys
import tempfile
from pathlib import Path

from conformance.damage.run import Tally, rounds


def main() -> int:
    """Exit status 0 when nobody was answered wrong, and `check` found every damage."""
    parser = argparse.ArgumentParser(prog="python -m conformance.damage", description=__doc__)
    parser.add_argument("--rounds", type=int, default=32)
    parser.add_argument("--tables", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="kalam-damage-") as scratch:
        for one in rounds(Path(scratch), given.tables, given.rounds, given.seed):
            tally += one
            print(tally, flush=True)
            for line in one.wrong:
                print(f"  {line}", flush=True)
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
