"""python -m conformance.soak.live --seed N --kills M [--minutes T] | --subscribes N [--keep]"""

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from conformance.soak.live.run import SUBSCRIBERS, LiveSoak


def main() -> int:
    """Exit status 0 when the ledger has nothing that is wrong."""
    parser = argparse.ArgumentParser(prog="python -m conformance.soak.live", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="not longer than this")
    parser.add_argument("--subscribes", type=int, help="no kills, but so many SUBSCRIBEs")
    parser.add_argument("--keep", action="store_true", help="keep the data directory")
    given = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="kalam-live-"))
    what = f"{given.subscribes} SUBSCRIBEs" if given.subscribes else f"{given.kills} kills"
    print(f"seed {given.seed}, {what}, in {directory}", flush=True)
    try:
        if given.subscribes:
            good = LiveSoak(directory, given.seed, SUBSCRIBERS).subscribe(given.subscribes)
        else:
            good = LiveSoak(directory, given.seed).run(given.kills, given.minutes)
    finally:
        if not given.keep:
            shutil.rmtree(directory, ignore_errors=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
