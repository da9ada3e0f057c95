"""python -m conformance.messages: mutated messages, in this process and over sockets, by seed."""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import trio

from conformance.messages import process, sockets


def main() -> int:
    """1 when anything escaped, hung, or was answered with an internal error."""
    parser = argparse.ArgumentParser(prog="conformance.messages", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--messages", type=int, default=100_000, help="in this process")
    parser.add_argument("--sockets", type=int, default=0, help="so many over sockets, to a server")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    bad, tell = 0, partial(print, flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch)
        if options.messages:
            made = partial(process.run, path, options.seed, options.messages, tell)
            bad += _told("in process", partial(trio.run, made))
        if options.sockets:
            served = path / "served"
            made = partial(sockets.run, served, options.seed, options.sockets, options.port, tell)
            bad += _told("over sockets", made)
    return 1 if bad else 0


def _told(where: str, run: Callable[[], tuple[Counter[str], int]]) -> int:
    since = time.monotonic()
    counts, failed = run()
    most = dict(counts.most_common(14))
    print(f"{where}: {failed} failed, {time.monotonic() - since:.0f} s, {most}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
