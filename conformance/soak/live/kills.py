"""What befalls followers, their links and the server."""

import json
import multiprocessing
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg

from conformance.live.link import Link
from conformance.soak.faults import Faults
from conformance.soak.live.follower import Subject, follow
from conformance.soak.world import World

APART_S: Final = (0.02, 0.25)
LINE_BYTES_MAX: Final = 1 << 20
"""Of a record, a snapshot's too."""

HELD_S: Final = 0.3
"""How long enough bytes for a hold are waited for."""

CUT_BYTES: Final = (60, 600, 6000, 60_000)
"""A cut falls within so many bytes: of the start-up, of a change, of a snapshot, of much."""

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["conformance.soak.live.follower"])


@dataclass
class Followed:
    """A follower with its link and its journal, in lives of its own."""

    subject: Subject
    form: str
    journal: Path
    link: Link
    process: multiprocessing.process.BaseProcess = field(init=False)

    def start(self) -> None:
        self.process = _processes.Process(
            target=follow, args=(self.subject, self.link.port, self.journal, self.form), daemon=True
        )
        self.process.start()

    def kill(self) -> str:
        """kill -9; in the middle of what."""
        self.process.kill()
        self.process.join()
        self.process.close()
        if not self.journal.exists():
            return "at its beginning"
        last = self.journal.read_bytes()[-LINE_BYTES_MAX:].splitlines()[-1:]
        record = json.loads(last[0]) if last else {}
        if record.get("what") == "change":
            return "at rest" if record["change"]["last"] else "in a transaction"
        return "before its snapshot" if record.get("what") == "forgotten" else "at rest"


class Flushes:
    """Nothing is killed: rows are moved to segments again and again, so many times."""

    name = "flushes"

    def __init__(self, world: World, flushes: int) -> None:
        self.world = world
        self.flushes = flushes

    def run(self) -> None:
        """The round."""
        try:
            with self.world.server.root() as root:
                for _ in range(self.flushes):
                    for table in ("story", "board"):
                        root.execute(f"STORAGE FLUSH TABLE soak.{table}")
                        self.world.count("flushes")
        except Exception as exc:  # noqa: BLE001 - it ends the soak
            self.world.fail(self.name, f"{type(exc).__name__}: {exc}")
        finally:
            self.world.round_over.set()


class Kills(Faults):
    """So many kills, one after the other; then the round is over."""

    def __init__(self, world: World, followed: list[Followed], kills: int) -> None:
        super().__init__(world, frozenset())
        self.followed = followed
        self.kills = kills
        self.weights: dict[Callable[[], None], int] = {
            self.cut_link: 60,
            self.kill_client: 15,
            self.kill_held_client: 15,
            self.kill_server: 2,
            self.stop_server: 1,
            self.kill_server_in_flush: 5,
            self.kill_flush_process: 2,
        }

    def run(self) -> None:
        """The round."""
        try:
            self._run()
        except Exception as exc:  # noqa: BLE001 - a fault of the soak's own is told too
            self.world.fail(self.name, f"{type(exc).__name__}: {exc}")
        finally:
            self.world.round_over.set()

    def _run(self) -> None:
        while self.kills and not self.world.failed.is_set():
            self.world.check_alive()
            self.world.round_over.wait(self.random.uniform(*APART_S))
            (strike,) = self.random.choices([*self.weights], [*self.weights.values()])
            before = self.world.counts["kills"]
            strike()
            self.kills -= self.world.counts["kills"] - before

    def killed(self, what: str) -> None:
        """One more."""
        self.world.count("kills")
        self.world.count(f"kills: {what}")

    def cut_link(self) -> None:
        """FIN or RST after some more bytes, wherever in a message that is."""
        one = self.random.choice(self.followed)
        if not one.link.waits_to_cut:
            after = self.random.randrange(self.random.choice(CUT_BYTES))
            one.link.cut(after, reset=self.random.random() < 0.5)
            self.killed("link")

    def kill_client(self) -> None:
        """kill -9, and a new one that goes on from the journal."""
        one = self.random.choice(self.followed)
        where = one.kill()
        one.start()
        self.killed(f"client {where}")

    def kill_held_client(self) -> None:
        """kill -9 while it waits for the rest of a message."""
        one = self.random.choice(self.followed)
        one.link.hold(self.random.randrange(self.random.choice(CUT_BYTES)))
        if one.link.wait_held(HELD_S):
            where = one.kill()
            one.link.flow()
            one.start()
            self.killed(f"client {where}")
        else:
            one.link.flow()

    def kill_server(self) -> None:
        super().kill_server()
        self.killed("server")

    def stop_server(self) -> None:
        super().stop_server()
        self.killed("server (shutdown)")

    def kill_server_in_flush(self) -> None:
        """kill -9 while it moves rows to segments."""
        flushing = threading.Event()
        done = threading.Event()

        def flush() -> None:
            with suppress(psycopg.Error), self.world.server.root() as root:
                flushing.set()
                for table in ("story", "board"):
                    root.execute(f"STORAGE FLUSH TABLE soak.{table}")
            flushing.set()
            done.set()

        thread = threading.Thread(target=flush, daemon=True)
        thread.start()
        flushing.wait()
        done.wait(self.random.uniform(0, 0.15))
        is_within = not done.is_set()
        super().kill_server()
        thread.join()
        self.killed("server in a flush" if is_within else "server")

    def kill_flush_process(self) -> None:
        before = len(self.world.events)
        super().kill_flush_process()
        if len(self.world.events) > before:
            self.killed("flush process")
