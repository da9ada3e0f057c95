"""One attack after another against one server, with a victim beside."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from conformance.neighbours import calls, definitions, much
from conformance.neighbours.attacker import PATIENCE_S, Attacker, Outcome
from conformance.neighbours.report import Seen
from conformance.neighbours.statements import FILL, SETUP
from conformance.neighbours.victim import Victim
from tests.wire.server import PASSWORD, KalamServer

USERS: Final = ("victim", "mallory", "trudy", "eve", "other")
CANCEL_AFTER_S: Final = 0.3
TIMEOUT_S: Final = 0.5
LOST: Final = "lost"
"""In the place of an SQLSTATE: no answer came."""

Ask = Callable[[Attacker], Outcome]


def prepare(server: KalamServer, *, sized: bool = False) -> None:
    """Users and tables for attacks, in a server that has just begun. sized: those of `calls` too (60 MB)."""
    with server.root() as root:
        for user in USERS:
            root.execute(f"CREATE USER {user} PASSWORD '{PASSWORD}'")
        for text in SETUP + definitions.SETUP + much.SETUP + (calls.SETUP if sized else ()):
            root.execute(text)
    with server.connect("victim") as victim:
        victim.execute("INSERT INTO kin.own VALUES (1, 'victim')")
    with server.connect("mallory") as mallory:
        for text in FILL + definitions.FILL + (calls.FILL if sized else ()):
            mallory.execute(text)


class Memory:
    """The server's own memory, sampled by a thread: what is resident of it and is no page of a file.

    LevelDB maps its tables, as many as it has: those pages are the kernel's cache, which it drops when it
    needs them.
    """

    def __init__(self, server: KalamServer) -> None:
        assert server.process is not None
        self._file = Path(f"/proc/{server.process.pid}/status")
        self.most = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def now(self) -> float:
        """Megabytes; 0 when it has ended."""
        try:
            text = self._file.read_text(encoding="ascii")
        except OSError:
            return 0.0
        if "RssAnon:" not in text:
            return 0.0
        return sum(int(text.split(part)[1].split()[0]) for part in ("RssAnon:", "RssShmem:")) / 1024

    @contextmanager
    def watched(self) -> Iterator[None]:
        """`most` is the most meanwhile."""
        self.most = self.now()
        self._over.clear()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        try:
            yield
        finally:
            self._over.set()
            self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self.most = max(self.most, self.now())


def attack(server: KalamServer, victim: Victim, name: str, ask: Ask, *, settle_s: float) -> Seen:
    """Run a statement as it is, with a timeout, and cancelled; what the victim saw of all three."""
    memory = Memory(server)
    before, since = memory.now(), time.time()
    with memory.watched():
        outcome, timed_out = _timed_out(server, ask)
        canceled = None if outcome.sqlstate == LOST else _canceled(server, ask)
        until = time.time()
        time.sleep(settle_s)
    samples = victim.window(since, until)
    return Seen(
        name, str(outcome), outcome.seconds, samples, canceled, timed_out,
        (before, memory.most, memory.now()),
    )  # fmt: skip


def _timed_out(server: KalamServer, ask: Ask) -> tuple[Outcome, float | None]:
    with Attacker(server, "mallory") as client:
        client.ask(f"SET statement_timeout = {int(TIMEOUT_S * 1000)}")
        try:
            outcome = ask(client)
        except (OSError, EOFError) as exc:
            return Outcome(LOST, repr(exc), PATIENCE_S, 0), None
    if outcome.sqlstate == "57014" or outcome.seconds > TIMEOUT_S:
        return outcome, outcome.seconds - TIMEOUT_S
    return outcome, None


def _canceled(server: KalamServer, ask: Ask) -> float | None:
    with Attacker(server, "mallory") as client:
        asked: list[float] = []

        def cancel() -> None:
            asked.append(time.monotonic())
            client.cancel()

        timer = threading.Timer(CANCEL_AFTER_S, cancel)
        client.on_sent = timer.start
        try:
            ask(client)
        except (OSError, EOFError):
            return 99.0
        finally:
            ended = time.monotonic()
            timer.cancel()
            if timer.ident is not None:
                timer.join()
    return ended - asked[0] if asked and asked[0] < ended else None
