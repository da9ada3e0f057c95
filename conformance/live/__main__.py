"""python -m conformance.live --seed N --faults M [--drivers NAME,NAME] [--keep]"""

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from conformance.live.drivers import DRIVERS
from conformance.live.run import FAULTS, Run


def main() -> int:
    """Exit status 0 when every driver had what the table has."""
    parser = argparse.ArgumentParser(prog="python -m conformance.live", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--faults", type=int, default=FAULTS)
    parser.add_argument("--drivers", default=",".join(DRIVERS))
    parser.add_argument("--keep", action="store_true", help="keep the data directory")
    given = parser.parse_args()
    drivers = [DRIVERS[name] for name in given.drivers.split(",")]
    for driver in drivers:
        print(f"{driver.name}: {'not here: ' + driver.missing if driver.missing else 'runs'}")
    drivers = [driver for driver in drivers if not driver.missing]
    directory = Path(tempfile.mkdtemp(prefix="kalam-live-"))
    print(f"seed {given.seed}, {given.faults} faults, in {directory}", flush=True)
    try:
        run = Run(directory, given.seed, drivers)
        good = run.run(given.faults)
        print(run.summary())
    finally:
        if not given.keep:
            shutil.rmtree(directory, ignore_errors=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
