"""python -m conformance.neighbours: what one client's statements do to the others."""

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path

from conformance.neighbours import calls, definitions, much
from conformance.neighbours.attacker import Attacker, Outcome
from conformance.neighbours.report import HEAD
from conformance.neighbours.run import Ask, attack, prepare
from conformance.neighbours.statements import PARAMETERS, drawn, statements
from conformance.neighbours.victim import Victim
from tests.wire.server import KalamServer

STUCK_S = 5.0
"""A server that was held so long is ended, and the next attack has a new one."""


def main() -> int:
    """Run the attacks that were asked for; 1 when one held the loop longer than it may."""
    parser = argparse.ArgumentParser(prog="conformance.neighbours", description=__doc__)
    parser.add_argument("names", nargs="*", help="attacks whose names have one of these; all")
    parser.add_argument("--drawn", type=int, default=0, help="so many drawn by chance instead")
    parser.add_argument(
        "--calls", type=int, default=0, help="so many calls of any function instead"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--held-ms", type=float, default=25.0, help="what the loop may be held")
    parser.add_argument("--settle", type=float, default=0.1, help="seconds after each attack")
    options = parser.parse_args()
    asks = {
        name: ask
        for name, ask in _asks(options).items()
        if not options.names or any(part in name for part in options.names)
    }
    bad = 0
    print(HEAD, flush=True)
    while asks:
        bad += _one_life(asks, options)
    print(f"{bad} held the loop longer than {options.held_ms} ms")
    return 1 if bad else 0


def _asks(options: argparse.Namespace) -> dict[str, Ask]:
    """What is asked, by name."""
    given: dict[str, tuple[str, tuple[bytes, ...]]] = {}
    if options.calls:
        texts = calls.statements(options.seed, options.calls * 4 // 5)
        given = calls.given(options.seed, options.calls // 5)
    elif options.drawn:
        texts = drawn(options.seed, options.drawn)
    else:
        texts = statements() | definitions.STATEMENTS | much.STATEMENTS
        given = {f"parameter: {name}": one for name, one in PARAMETERS.items()}
    asks: dict[str, Ask] = {name: partial(_simple, text) for name, text in texts.items()}
    return asks | {name: partial(_with, *one) for name, one in given.items()}


def _one_life(asks: dict[str, Ask], options: argparse.Namespace) -> int:
    """Run what is left to run, until the server is stuck; how many held it too long."""
    bad = 0
    with tempfile.TemporaryDirectory() as scratch:
        server = KalamServer(Path(scratch) / "data").start(options.port)
        try:
            prepare(server, sized=bool(options.calls))
            with Victim(server, "victim", Path(scratch) / "samples") as victim:
                for name in list(asks):
                    seen = attack(server, victim, name, asks.pop(name), settle_s=options.settle)
                    bad += seen.held_s * 1000 > options.held_ms
                    print(seen.line(), flush=True)
                    if seen.held_s * 1000 > options.held_ms and options.calls:
                        print(f"    {name}", flush=True)
                    if seen.held_s > STUCK_S:
                        break
        finally:
            server.kill()
    for line in server.errors:
        if '"level": "error"' in line or "Traceback" in line:
            print(line)
    return bad


def _simple(text: str, client: Attacker) -> Outcome:
    return client.ask(text)


def _with(text: str, parameters: tuple[bytes, ...], client: Attacker) -> Outcome:
    return client.ask_with(text, parameters)


if __name__ == "__main__":
    sys.exit(main())
