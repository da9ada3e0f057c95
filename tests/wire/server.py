"""A real server in a process of its own, and real clients for it."""

import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, ClassVar

import psycopg

from tests.wire.copies import Copies, Copy

PASSWORD = "a password"
START_TIMEOUT_S = 90
"""Long beside a start, also on a machine that has much else to do."""


class KalamServer:
    """`kalam serve` on a directory; killed, stopped and started again as a test likes."""

    copies: ClassVar[Copies | None] = None
    """Who starts servers in no time, where a copy will do; else each is a new program."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self.directory = directory
        self.environment = environment
        self.within: tuple[str, ...] = ()
        """A command that runs the server where it sees `data`; by default nothing."""
        self.data = directory
        self.process: subprocess.Popen[str] | Copy | None = None
        self.port = 0
        self.connects_by = ""
        """The psql command that it printed."""
        self.errors: list[str] = []
        """The lines that it wrote to standard error, in all its lives."""
        self._logged = threading.Condition()
        self._readers: list[threading.Thread] = []

    def start(self, port: int = 0, **environment: str) -> "KalamServer":
        """Start, and wait for the line `ready`."""
        self.process = self._begin(port, {**self.environment, **environment})
        lines: queue.Queue[str] = queue.Queue()
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, lines.put)),
            threading.Thread(target=self._read, args=(self.process.stderr, self._keep_log)),
        ]
        for reader in self._readers:
            reader.start()
        line = lines.get(timeout=START_TIMEOUT_S)
        assert line.startswith("ready "), line + "".join(self.errors)
        self.port = int(line.rpartition(":")[2])
        self.connects_by = lines.get(timeout=START_TIMEOUT_S).strip()
        return self

    def _begin(self, port: int, environment: dict[str, str]) -> subprocess.Popen[str] | Copy:
        command = ["serve", "--data", str(self.data), "--port", str(port)]
        if self.copies is not None and not self.within and self.copies.are_like(environment):
            return self.copies.start(command, environment)
        return subprocess.Popen(
            [*self.within, sys.executable, "-m", "kalam_pg", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )

    @staticmethod
    def _read(stream: Any, keep: Any) -> None:
        for line in stream:
            keep(line)
        keep("")
        stream.close()

    def _keep_log(self, line: str) -> None:
        with self._logged:
            self.errors.append(line)
            self._logged.notify_all()

    def wait_for_log(self, text: str, *, timeout_s: float = 20) -> str:
        """The first line of the log that has `text`, once it has come through the pipe."""

        def found() -> str:
            return next((line for line in self.errors if text in line), "")

        with self._logged:
            assert self._logged.wait_for(found, timeout_s), f"no {text} in {self.errors}"
            return found()

    def stop(self) -> None:
        """Shut down fast (SIGINT) and wait."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def abort(self) -> None:
        """End it by SIGABRT: where Python is to say so, it writes what its threads were doing."""
        self._end(signal.SIGABRT)

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(timeout=30)
            self.process = None
            for reader in self._readers:  # What it wrote is in `errors` then.
                reader.join(timeout=30)

    def root(self, **options: Any) -> psycopg.Connection[Any]:
        """psycopg through the Unix socket, as the system role."""
        return psycopg.connect(
            host=str(self.directory), port=self.port, user="root", dbname="kalam",
            autocommit=True, **options,
        )  # fmt: skip

    def connect(self, user: str, **options: Any) -> psycopg.Connection[Any]:
        """psycopg over TCP with SCRAM."""
        options.setdefault("autocommit", True)
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=user,
            password=PASSWORD,
            dbname="kalam",
            **options,
        )

    def dsn(self, user: str) -> str:
        """For clients that take a URL."""
        return f"postgresql://{user}:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{self.port}/kalam"

    def psql(self, text: str, *, user: str = "") -> str:
        """What psql prints for a script, unaligned and without headers; errors too."""
        psql = shutil.which("psql")
        assert psql is not None, "psql is not installed"
        where = (
            ["-h", "127.0.0.1", "-U", user] if user else ["-h", str(self.directory), "-U", "root"]
        )
        done = subprocess.run(
            [psql, *where, "-p", str(self.port), "-d", "kalam", "-X", "-q", "-A", "-t"],
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "PGPASSWORD": PASSWORD},
        )
        return done.stdout + done.stderr


def files_of(directory: Path) -> list[str]:
    """The paths of all files below a directory, whatever is erased meanwhile (which `rglob` fails at)."""
    return [f"{at}/{name}" for at, _, names in os.walk(directory) for name in names]
