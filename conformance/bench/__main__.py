"""`python -m conformance.bench`: measure, print the table, and with --write put it into the reference."""

import argparse
import sys
from contextlib import ExitStack

from conformance.bench import report, servers
from conformance.bench.report import Measured
from conformance.bench.scenarios import SCENARIOS, Scenario, fill, flush
from conformance.bench.servers import Server


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m conformance.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each scenario")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a round")
    parser.add_argument("--only", default="", help="scenarios whose name has all these words")
    parser.add_argument("--write", action="store_true", help="update docs/reference/benchmarks.md")
    options = parser.parse_args()
    words = options.only.lower().split()
    chosen = [s for s in SCENARIOS if all(word in s.name.lower() for word in words)]
    if not chosen:
        parser.error("no scenario has these words")
    with ExitStack() as stack:
        postgres = stack.enter_context(servers.postgres())
        kalam = stack.enter_context(servers.kalam())
        for server in (postgres, kalam):
            fill(server)
        print(report.HEAD, flush=True)
        measured = [_measure(s, postgres, kalam, options) for s in chosen]
    if options.write:
        print(f"wrote {report.write(measured, options.rounds, options.seconds)}", file=sys.stderr)


def _measure(
    scenario: Scenario, postgres: Server, kalam: Server, options: argparse.Namespace
) -> Measured:
    """The rounds of one scenario, the servers taking turns: the machine's noise meets both."""
    if scenario.cold:
        flush(kalam)
    theirs: list[float] = []
    ours: list[float] = []
    for _ in range(options.rounds):
        theirs.append(scenario.measure(postgres, options.seconds))
        ours.append(scenario.measure(kalam, options.seconds))
    measured = Measured(scenario, tuple(theirs), tuple(ours))
    print(report.line(measured), flush=True)
    return measured


main()
