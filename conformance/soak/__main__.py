"""python -m conformance.soak --seed N --minutes M [--without NAME,NAME] [--keep]"""

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from conformance.soak.run import Soak


def main() -> int:
    """Exit status 0 when nothing was wrong."""
    parser = argparse.ArgumentParser(prog="python -m conformance.soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument(
        "--without", default="", help="actors (Definer, …) and faults (fill_disk, …)"
    )
    parser.add_argument("--keep", action="store_true", help="keep the data directory")
    given = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="kalam-soak-"))
    print(f"seed {given.seed}, {given.minutes:g} minutes, in {directory}", flush=True)
    without = [name for name in given.without.split(",") if name]
    try:
        good = Soak(directory, given.seed, without).run(given.minutes * 60)
    finally:
        if not given.keep:
            shutil.rmtree(directory, ignore_errors=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
