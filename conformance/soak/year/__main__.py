"""python -m conformance.soak.year --seed N --minutes M [--users N] [--weeks N] [--busy N] [--keep]"""

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from conformance.soak.year.run import Soak
from tests.wire import postgresql


def main() -> int:
    """Exit status 0 when nothing was wrong."""
    parser = argparse.ArgumentParser(prog="python -m conformance.soak.year", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--weeks", type=int, default=52)
    parser.add_argument("--busy", type=float, default=16.0, help="transactions of a user in a week")
    parser.add_argument("--keep", action="store_true", help="keep the data directory")
    given = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="kalam-year-"))
    print(
        f"seed {given.seed}, {given.weeks} weeks of {given.users} users, in {directory}", flush=True
    )
    try:
        soak = Soak(
            directory,
            given.seed,
            users=given.users,
            weeks=given.weeks,
            seconds=given.minutes * 60,
            busy=given.busy,
        )
        with postgresql.running(directory) as postgres:
            good = soak.run(postgres)
    finally:
        if not given.keep:
            shutil.rmtree(directory, ignore_errors=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
