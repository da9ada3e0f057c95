"""python -m conformance.isolation: generated probes of what one user learns of another, by seed."""

import argparse
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from conformance.isolation.run import prepare, run
from tests.wire.server import KalamServer


def main() -> int:
    """1 when anything was told that is another's, or changed with what another has."""
    parser = argparse.ArgumentParser(prog="conformance.isolation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--probes", type=int, default=400, help="of each of five roles")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    since = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        server = KalamServer(Path(scratch) / "data").start(options.port)
        try:
            prepare(server)
            tally = run(server, options.seed, options.probes, partial(print, flush=True))
        finally:
            server.stop()
    for line in tally.leaks[:20] + tally.moved[:20]:
        print(line[:600])
    print(
        f"{tally.asked} probes in {time.monotonic() - since:.0f} s ({dict(tally.outcomes)}): "
        f"{len(tally.leaks)} leaks, {len(tally.moved)} answers moved by others' rows, "
        f"{tally.own} that move by themselves"
    )
    return 1 if tally.leaks or tally.moved else 0


if __name__ == "__main__":
    sys.exit(main())
