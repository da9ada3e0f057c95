"""What all of a soak share: the server and its lives, what befell it lately, and the first violation."""

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Final, TypeVar

from conformance.soak.client import Client, Diary, LostError, RefusedError
from conformance.soak.disk import Disk
from conformance.soak.ledger import Jobs, Scratch, Tally, Violation
from conformance.soak.waiting import until
from tests.wire.server import KalamServer

USERS: Final = ("ann", "ben", "eve")
TABLETS_MAX: Final = 4
"""Fewer than are in use, so that they are let go and opened again all the time."""

WORKERS: Final = 2

# What any client may be told at any time …
ALWAYS: Final = frozenset(("40001", "40P01", "55P03", "57014"))
# … and what only while that befalls the server, or shortly after.
EXCUSED: Final = {
    "disk": frozenset(("53100", "08007", "40003")),
    "worker": frozenset(("53200", "54001")),
    "flush process": frozenset(("58000",)),
    "server": frozenset(("57P01", "57P03", "08007", "40003")),
}
EXCUSED_S: Final = 10.0

ANSWERED_S: Final = 60.0
"""How long a question may be refused with an excuse: a life begins within that."""

T = TypeVar("T")


class World:
    """One soak: a server on a directory, and everybody who uses it."""

    def __init__(self, directory: Path, seed: int, **environment: str) -> None:
        """environment: of the server, beside what every soak gives it."""
        self.seed = seed
        self.began = time.monotonic()
        self.directory = directory
        self.disk = Disk(directory / "disk")
        self.server = KalamServer(
            self.disk.directory / "data",
            KALAM_TABLETS_MAX=str(TABLETS_MAX),
            KALAM_WORKERS=str(WORKERS),
            PYTHONFAULTHANDLER="1",
            **environment,
        )
        self.life = 0
        self.may_end = False
        """Whether the server is to end by itself in this life."""
        self.up = threading.Event()
        self.failed = threading.Event()
        self.round_over = threading.Event()
        self.violations: list[str] = []
        self.counts: Counter[str] = Counter()
        self.tallies = {1: Tally(), 2: Tally()}
        self.jobs = Jobs()
        self.scratch = Scratch()
        self.keys: dict[int, bytes] = {}
        """What a CancelRequest needs, of every session, by its pid."""
        self.diaries: dict[str, Diary] = {}
        self._troubles: dict[str, float] = {}
        self._events: list[str] = []
        self._lock = threading.Lock()

    def random(self, name: str) -> Random:
        """Somebody's own chances, the same in every run with this seed."""
        return Random(f"{self.seed}/{name}")

    def diary(self, name: str) -> Diary:
        return self.diaries.setdefault(name, Diary(self.began))

    def note(self, text: str) -> None:
        """Something happened to the server."""
        self._events.append(f"{time.monotonic() - self.began:9.3f}  {text}")

    @property
    def events(self) -> list[str]:
        return self._events

    def trouble(self, what: str) -> None:
        """`what` (of `EXCUSED`) befalls the server now."""
        self._troubles[what] = time.monotonic()

    def excused(self, sqlstate: str) -> bool:
        """Whether a client may be told this now."""
        now = time.monotonic()
        lately = [what for what, since in self._troubles.items() if now - since < EXCUSED_S]
        return sqlstate in ALWAYS or any(sqlstate in EXCUSED[what] for what in lately)

    def fail(self, who: str, text: str) -> None:
        """The first violation ends the soak; those that come with it are kept too."""
        with self._lock:
            self.violations.append(f"{who}: {text}")
            self.note(f"VIOLATION {who}: {text}")
        self.failed.set()
        self.round_over.set()

    def count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    def start(self, failpoint: str = "") -> None:
        """Begin a life of the server. failpoint: where it is to kill itself (`storage.failpoints`)."""
        self.life += 1
        self.note(
            f"server starts, life {self.life}" + (f", to end at {failpoint}" if failpoint else "")
        )
        self.trouble("server")
        self.may_end = bool(failpoint)
        self.server.start(**({"KALAM_FAILPOINTS": f"{failpoint}:kill"} if failpoint else {}))
        self.up.set()

    def end(self, *, kill: bool) -> None:
        """End it: kill -9, or as an administrator does."""
        self.note("kill -9" if kill else "fast shutdown")
        self.up.clear()
        self.may_end = False
        self.trouble("server")
        self.keys.clear()
        try:
            self.server.kill() if kill else self.server.stop()
        except subprocess.TimeoutExpired as exc:
            raise Violation(f"the server does not end: {exc}") from exc

    def last_words(self) -> None:
        """Let a server that may hang say where its threads are ("Fatal Python error"), and end it."""
        with suppress(subprocess.TimeoutExpired):
            self.server.abort()

    def check_alive(self) -> None:
        """Raises Violation when the server ended by itself."""
        process = self.server.process
        if self.may_end or not self.up.is_set():
            return
        if process is not None and process.poll() is not None:
            raise Violation(f"the server ended by itself, status {process.returncode}")

    def check_directory(self) -> None:
        """`kalam check`, between two lives. Raises Violation."""
        done = subprocess.run(
            [sys.executable, "-m", "kalam_pg", "check", "--data", str(self.server.directory)],
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        if done.returncode:
            raise Violation(f"kalam check: {(done.stdout + done.stderr)[-2000:]}")

    def connect(self, user: str, diary: Diary) -> Client:
        """A session, once the server is up. Raises LostError when that is not to be."""
        self.up.wait(60)
        life = self.life
        client = Client(self.server, user, diary, life)
        self.keys[client.pid] = client.key
        return client

    def asked(self, user: str, diary: Diary, ask: Callable[[Client], T], what: str) -> T:
        """What a user is told, by a session for this question, asked again while it is excused."""
        answers: list[T] = []

        def refused() -> str:
            try:
                client = self.connect(user, diary)
                try:
                    answers.append(ask(client))
                finally:
                    client.close()
            except LostError as exc:
                self.check_alive()
                return f"{what}: {exc}"
            except RefusedError as exc:
                if not self.excused(exc.sqlstate):
                    raise Violation(f"{what}: {exc}") from exc
                return f"{what}: {exc}"
            return ""

        until(refused, ANSWERED_S)
        return answers[-1]

    def rows(self, text: str) -> list[tuple[str | None, ...]]:
        """What root is told."""
        return self.asked("root", self.diary("root"), lambda client: client.ask(text).rows, text)

    def close(self) -> None:
        """End everything and remove nothing but the mount."""
        process = self.server.process
        if process is not None:
            process.kill()
            process.wait()
        self.disk.close()
