"""python -m conformance.clients [NAME …] [--environment DIR]: all tools without a NAME."""

import argparse
import difflib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from conformance.clients.tools import TOOLS, Tool
from tests.wire import postgresql
from tests.wire.server import PASSWORD, KalamServer

_TIMEOUT_S = 300


def main() -> int:
    """Exit status 0 when each program printed the same over PostgreSQL and over ours."""
    parser = argparse.ArgumentParser(prog="python -m conformance.clients", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(TOOLS))
    parser.add_argument("--environment", type=Path, help="where packages are kept for the next run")
    given = parser.parse_args()
    tools = [TOOLS[name] for name in given.names or TOOLS]
    with tempfile.TemporaryDirectory(prefix="kalam-clients-") as scratch:
        environment = given.environment or Path(scratch) / "environment"
        results = [_compared(tool, environment, Path(scratch)) for tool in tools]
    return 0 if all(results) else 1


def _compared(tool: Tool, environment: Path, scratch: Path) -> bool:
    if tool.missing:
        print(f"{tool.name}: not run, {tool.missing} is not here", flush=True)
        return True
    tool.install(environment)
    command = tool.command(environment)
    directory = scratch / tool.name
    directory.mkdir()
    with postgresql.running(directory) as dsn:
        port = dict(part.split("=") for part in dsn.split())["port"]
        theirs = _run(command, "postgres", port, "postgres")
    data = directory / "data"
    data.mkdir()
    server = KalamServer(data).start()
    try:
        with server.root() as root:
            root.execute(f"CREATE USER app WITH PASSWORD '{PASSWORD}' ROLE dba")
        ours = _run(command, "app", str(server.port), "kalam")
    finally:
        server.stop()
    different = list(difflib.unified_diff(theirs, ours, "PostgreSQL", "ours", lineterm="", n=1))
    print(
        f"{tool.name}: {len(theirs)} lines, {'different' if different else 'the same'}", flush=True
    )
    for line in different:
        print("   ", line)
    return not different


def _run(command: list[str], user: str, port: str, database: str) -> list[str]:
    """What a program prints, and the last line of its errors if it fails."""
    link = {"PGHOST": "127.0.0.1", "PGPORT": port, "PGUSER": user, "PGDATABASE": database}
    done = subprocess.run(
        command,
        env={**os.environ, **link, "PGPASSWORD": PASSWORD},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    lines = done.stdout.splitlines()
    if done.returncode:
        lines += [f"exit status {done.returncode}", *done.stderr.splitlines()[-12:]]
    return lines


if __name__ == "__main__":
    sys.exit(main())
