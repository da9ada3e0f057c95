"""python -m conformance.histories: random transactions at each isolation level, and what they may not show.

    python -m conformance.histories --seed 7 --rounds 100 --transactions 1000

Each round makes its tables anew (SHARED and USER in turn), runs its transactions over several sessions while
the tables are flushed, and searches the history for anomalies that its level forbids: the first that is found
is told with the transactions concerned, and the command ends with 1. `--without-validation` runs a server
that does not validate SERIALIZABLE transactions, and ends with 1 if nothing is found.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from conformance.histories.checker import PERMITTED, check, forbidden
from conformance.histories.workload import Plan, run
from tests.wire.server import KalamServer


def main() -> int:
    """1 when something was found, or when it should have been and was not."""
    parser = argparse.ArgumentParser(prog="conformance.histories", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=10, help="of each level")
    parser.add_argument("--transactions", type=int, default=1000, help="of each round")
    parser.add_argument("--sessions", type=int, default=6)
    parser.add_argument("--level", choices=[*PERMITTED], action="append")
    parser.add_argument("--without-validation", action="store_true")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        server = KalamServer(Path(scratch) / "data")
        if options.without_validation:
            server.within = (sys.executable, "-m", "conformance.histories.without_validation")
        server.start(options.port)
        try:
            found = [_rounds(server, level, options) for level in options.level or PERMITTED]
        finally:
            server.stop()
    return int(any(found)) if not options.without_validation else int(not any(found))


def _rounds(server: KalamServer, level: str, options: argparse.Namespace) -> int:
    """How many anomalies were found at a level that it forbids."""
    since, seen, bad = time.monotonic(), Counter[str](), 0
    committed = transactions = 0
    for number in range(options.rounds):
        kind = ("SHARED", "USER")[number % 2]
        seed = options.seed * 1000 + number
        plan = Plan(seed, options.transactions, level, options.sessions, kind)
        history = run(server.root, plan)
        transactions += len(history.transactions)
        committed += sum(one.committed for one in history.transactions)
        seen.update({anomaly.kind for anomaly in check(history, strict=level == "SERIALIZABLE")})
        for anomaly in forbidden(history, level):
            bad += 1
            print(f"round {number} of {level}: {anomaly}", flush=True)
        if bad:
            break
    print(
        f"{level}: {transactions} transactions in {time.monotonic() - since:.0f} s, {committed} committed; "
        f"rounds with {dict(seen) or 'no anomaly'}; {bad} that the level forbids",
        flush=True,
    )
    return bad


if __name__ == "__main__":
    sys.exit(main())
