"""python -m conformance.retention [--only NAME] [--tablets N] [--list]"""

import argparse
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

from conformance.retention import ages, dropping, steps
from conformance.retention.place import Place

Probe = Callable[[Place], str]


def probes(tablets: int) -> dict[str, Probe]:
    """What is tried, by its name; each tells in a line what it saw."""
    found: dict[str, Probe] = {
        f"{work.job}, {action} at each step": partial(steps.every_step, work=work, action=action)
        for work in (steps.FLUSH, steps.COMPACT)
        for action in steps.STATES
    }
    found |= {
        f"erase, {action} at each step": partial(steps.erase_at_every_step, action=action)
        for action in steps.STATES
    }
    for module in (dropping, ages):
        found |= module.PROBES
    found["many tablets are dropped"] = partial(dropping.many, tablets=tablets)
    return found


def main() -> int:
    """Exit status 0 when nothing was wrong."""
    parser = argparse.ArgumentParser(prog="python -m conformance.retention", description=__doc__)
    parser.add_argument("--only", default="", help="probes whose names have this")
    parser.add_argument("--tablets", type=int, default=20_000)
    parser.add_argument("--list", action="store_true")
    given = parser.parse_args()
    wrong = 0
    for name, probe in probes(given.tablets).items():
        if given.only not in name:
            continue
        if given.list:
            print(name)
            continue
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="kalam-") as directory:
            place = Place(Path(directory) / "data")
            try:
                told = probe(place)
            except Exception:  # noqa: BLE001 -- the other probes are tried all the same
                wrong += 1
                told = "WRONG\n" + traceback.format_exc() + "".join(place.server.errors[-20:])
            finally:
                place.server.kill()
        print(f"{name}: {told} ({time.monotonic() - began:.1f} s)", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
