"""`python -m conformance.bench.kalamdb`: the table; with --write it goes into the reference."""

import argparse
import os
import sys

from conformance.bench.kalamdb import run
from conformance.bench.kalamdb.published import ELSEWHERE
from conformance.bench.report import facts, put

BEGIN, END = "<!-- generated: conformance.bench.kalamdb -->", "<!-- end of kalamdb -->"


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(
        prog="python -m conformance.bench.kalamdb", description=__doc__
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each scenario")
    parser.add_argument("--seconds", type=float, default=0.5, help="length of a round")
    parser.add_argument("--only", default="", help="scenarios whose name has one of these words")
    parser.add_argument("--write", action="store_true", help="update docs/reference/benchmarks.md")
    options = parser.parse_args()
    words = options.only.split()
    chosen = [s for s in run.scenarios() if not words or any(w in s.__name__ for w in words)]
    if not chosen:
        parser.error("no scenario has any of these words")
    print(run.HEAD, flush=True)
    loads = [os.getloadavg()[0]]
    lines = run.measure_all(chosen, options.rounds, options.seconds)
    table = [run.HEAD, *map(run.shown, lines)]
    table += [f"| {name} | | | | | | | {why} |" for name, why in ELSEWHERE.items()]
    if options.write:
        loads.append(os.getloadavg()[0])
        load = "The machine's load was {:.1f} before and {:.1f} after.".format(*loads)
        text = "\n".join([facts(options.rounds, options.seconds), load, "", *table])
        print(f"wrote {put(BEGIN, END, text)}", file=sys.stderr)


main()
