"""PostgreSQL 15 itself, started from Debian's package on a spare port, as the oracle."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = Path("/usr/lib/postgresql/15/bin")
CONTROL = str(PROGRAMS / "pg_ctl")
STARTS_MAX = 3


def installed() -> bool:
    """Whether Debian's package postgresql-15 is there."""
    return (PROGRAMS / "initdb").exists()


def _run(*command: str) -> None:
    """Run a program of PostgreSQL's, which refuses to be root, as an ordinary user."""
    if os.getuid() == 0:
        command = ("runuser", "-u", "postgres", "--", *command)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _start(data: Path) -> int:
    """Start the cluster on a port that is free; another one when somebody was faster."""
    for attempt in range(1, STARTS_MAX + 1):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        options = (
            f"-p {port} -c listen_addresses=127.0.0.1 "
            f"-c unix_socket_directories={data} -c fsync=off"
        )
        try:
            _run(CONTROL, "-D", str(data), "-o", options, "-l", str(data / "log"), "-w", "start")
        except subprocess.CalledProcessError:
            if attempt == STARTS_MAX:
                raise
        else:
            return port
    raise AssertionError("not reached")


@contextmanager
def running(directory: Path) -> Iterator[str]:
    """A cluster in `directory`; yields what psycopg connects with."""
    data = directory / "postgresql"
    data.mkdir()
    if os.getuid() == 0:
        owner = pwd.getpwnam("postgres")
        for path in (data, *(p for p in data.parents if str(p).startswith(str(directory)))):
            os.chown(path, owner.pw_uid, owner.pw_gid)
        for parent in directory.parents:
            if parent != Path("/") and parent.stat().st_uid == 0:
                parent.chmod(parent.stat().st_mode | 0o011)
    _run(
        str(PROGRAMS / "initdb"),
        "--no-sync",
        "-D",
        str(data),
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C",
        "--lc-ctype=C.UTF-8",  # upper() and its like know all of Unicode, as ours do
        "-U",
        "postgres",
    )
    port = _start(data)
    try:
        yield f"host=127.0.0.1 port={port} user=postgres dbname=postgres"
    finally:
        _run(CONTROL, "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(data, ignore_errors=True)
