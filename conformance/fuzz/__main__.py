"""Random tables, changes and queries beside PostgreSQL 15.

Usage: python -m conformance.fuzz [--seed N] [--queries N] [--only ROUND]
                                  [--postgresql DSN --kalam DSN]

Starts a PostgreSQL and a server of its own unless it is told of two. Prints every difference in its
smallest form, then counts; ends with 1 if there was one.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from conformance.fuzz.rounds import Totals, run_round
from conformance.fuzz.sides import Side
from tests.wire import postgresql
from tests.wire.server import KalamServer


@contextmanager
def servers(postgresql_dsn: str, kalam_dsn: str) -> Iterator[tuple[Side, Side]]:
    """PostgreSQL's side and ours."""
    with ExitStack() as stack:
        if not postgresql_dsn or not kalam_dsn:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fuzz")))
        if not postgresql_dsn:
            postgresql_dsn = stack.enter_context(postgresql.running(directory))
        if not kalam_dsn:
            server = KalamServer(directory / "kalam").start()
            stack.callback(server.stop)
            kalam_dsn = f"host={server.directory} port={server.port} user=root dbname=kalam"
        theirs, ours = Side(postgresql_dsn), Side(kalam_dsn)
        stack.callback(theirs.close)
        stack.callback(ours.close)
        yield theirs, ours


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m conformance.fuzz")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("--only", type=int, help="a single round, as a difference names it")
    parser.add_argument("--postgresql", default="")
    parser.add_argument("--kalam", default="")
    arguments = parser.parse_args()
    totals = Totals()
    with servers(arguments.postgresql, arguments.kalam) as (theirs, ours):
        number = arguments.only or 0
        while totals.statements < arguments.queries:
            run_round(arguments.seed, number, theirs, ours, totals, show=print)
            if arguments.only is not None:
                break
            number += 1
    print(totals)
    return 1 if totals.failures else 0


if __name__ == "__main__":
    sys.exit(main())
