"""A server whose hours are seconds, and what can be seen of it from outside."""

import os
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import psycopg

from conformance.soak.waiting import until
from tests.wire.server import KalamServer

HOUR_S: Final = 2.0
"""How long an hour of the server takes."""

PATIENCE_S: Final = 120.0


class WrongError(Exception):
    """Something went that was to stay, or stays that was to go."""


def run_all(session: psycopg.Connection[Any], statements: Iterable[str]) -> list[tuple[Any, ...]]:
    """Run statements; the last one's rows."""
    rows: list[tuple[Any, ...]] = []
    for statement in statements:
        cursor = session.execute(statement.encode())
        rows = cursor.fetchall() if cursor.description else []
    return rows


class Place:
    """A data directory and its server, whose clock goes fast."""

    def __init__(self, directory: Path) -> None:
        self.server = KalamServer(directory)
        self.server.within = (
            *(sys.executable, "-m", "conformance.soak.year.clock"),
            *(repr(time.time()), repr(3600 / HOUR_S)),
        )
        self._hold = directory.with_name(f"{directory.name}-hold")

    @property
    def cold(self) -> Path:
        """Where the segments are."""
        return self.server.data / "cold"

    def start(self, **environment: str) -> None:
        """Start it, with settings and failpoints of this life."""
        self.server.start(0, KALAM_HOLD=str(self._hold), **{"KALAM_FAILPOINTS": "", **environment})

    def restart(self, **environment: str) -> None:
        """Stop it, and start it."""
        self.server.stop()
        self.start(**environment)

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Statements of the system role, in a session of their own; the last one's rows."""
        with self.server.root() as root:
            return run_all(root, statements)

    def hold(self) -> None:
        """Who passes a failpoint that holds waits there from now on."""
        os.mkfifo(self._hold)

    def go_on(self) -> None:
        """Who waits goes on, and nobody waits any more."""
        with suppress(FileNotFoundError):
            pipe = os.open(self._hold, os.O_RDWR)
            self._hold.unlink()
            os.close(pipe)

    def ended(self) -> None:
        """Wait until the server has ended by itself."""
        assert self.server.process is not None
        self.server.process.wait(60)
        self.server.kill()

    def one(self, statement: str) -> Any:
        """The one value of an answer."""
        return self.run(statement)[0][0]

    def state_of(self, statement: str) -> str:
        """The SQLSTATE of a statement's error; 00000 for none, 08006 when the server has gone."""
        try:
            self.run(statement)
        except psycopg.Error as exc:
            return exc.sqlstate or "08006"
        return "00000"

    def files(self) -> dict[str, int]:
        """All files and directories under `cold`, by their paths there, and their inodes."""
        found: dict[str, int] = {}
        for path, directories, names in os.walk(self.cold):
            for name in (*directories, *names):
                one = Path(path) / name
                with suppress(FileNotFoundError):  # Collected meanwhile.
                    found[str(one.relative_to(self.cold))] = one.stat().st_ino
        return found

    def running(self, job: str) -> str | None:
        """The id of a job of this type that runs."""
        found = self.run(
            f"SELECT job_id FROM system.jobs WHERE job_type = '{job}' AND status = 'running'"
        )
        return found[0][0] if found else None

    def trimmed(self) -> int:
        """Entries that were trimmed in this life."""
        done = (
            "SELECT result FROM system.jobs WHERE job_type = 'retention' AND status = 'completed'"
        )
        return sum(int(result.split()[0]) for (result,) in self.run(done))


def expect(holds: object, wrong: str) -> None:
    """Raise WrongError unless it holds."""
    if not holds:
        raise WrongError(wrong)


def equal(what: str, found: object, wanted: object) -> None:
    """Raise WrongError unless both are the same."""
    if found != wanted:
        raise WrongError(f"{what}: {found!r}, and not {wanted!r}")


def wait_until(holds: Callable[[], object], wrong: str, within_s: float = PATIENCE_S) -> float:
    """Look until it holds; how many seconds that took. Raises Violation."""
    began = time.monotonic()
    until(lambda: "" if holds() else wrong, within_s)
    return time.monotonic() - began
