"""Random tables, changes and queries beside PostgreSQL 15.

Usage: python -m conformance.fuzz [--seed N] [--queries N] [--only ROUND] [--workers]
                                  [--postgresql DSN --kalam DSN]

Starts a PostgreSQL and a server of its own unless it is told of two. Prints every difference in its
smallest form, then counts; ends with 1 if there was one, or if a program had to stand in for the engine.
Small questions over hot rows are answered in the server itself; with --workers they all go to the engines.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from conformance.fuzz.rounds import Totals, run_round
from conformance.fuzz.sides import Side
from kalam_pg.query.engine_answer import STOOD_IN
from tests.wire import postgresql
from tests.wire.server import KalamServer

_ROUNDS_TOLD = 100
"""After how many rounds a long run says how far it is."""


@contextmanager
def servers(
    postgresql_dsn: str, kalam_dsn: str, *, workers: bool = False
) -> Iterator[tuple[Side, Side]]:
    """PostgreSQL's side and ours. workers: no question is small enough for the server itself."""
    log: list[str] = []
    with ExitStack() as stack:
        if not postgresql_dsn or not kalam_dsn:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fuzz")))
        if not postgresql_dsn:
            postgresql_dsn = stack.enter_context(postgresql.running(directory))
        if not kalam_dsn:
            server = KalamServer(directory / "kalam")
            if workers:
                server.within = (sys.executable, "-m", "conformance.fuzz.workers_only")
            server.start()
            stack.callback(server.stop)
            log = server.errors
            kalam_dsn = f"host={server.directory} port={server.port} user=root dbname=kalam"
        theirs, ours = Side(postgresql_dsn), Side(kalam_dsn, log)
        stack.callback(theirs.close)
        stack.callback(ours.close)
        yield theirs, ours


def _show(difference: str) -> None:
    print(difference, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m conformance.fuzz")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("--only", type=int, help="a single round, as a difference names it")
    parser.add_argument("--workers", action="store_true", help="ask all questions of the workers")
    parser.add_argument("--postgresql", default="")
    parser.add_argument("--kalam", default="")
    arguments = parser.parse_args()
    totals = Totals()
    dsns = arguments.postgresql, arguments.kalam
    with servers(*dsns, workers=arguments.workers) as (theirs, ours):
        number = arguments.only or 0
        while totals.statements < arguments.queries:
            run_round(arguments.seed, number, theirs, ours, totals, show=_show)
            if arguments.only is not None:
                break
            number += 1
            if number % _ROUNDS_TOLD == 0:
                print(f"{number} rounds, {totals.verdicts}", file=sys.stderr, flush=True)
        totals.stood_in = [line for line in ours.log if STOOD_IN in line]
    print(totals)
    return 1 if totals.failures or totals.stood_in else 0


if __name__ == "__main__":
    sys.exit(main())
