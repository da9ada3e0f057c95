"""What befalls followers, their links and the server."""

import json
import multiprocessing
import signal
import subprocess
import threading
import time
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
WRITTEN_S: Final = 3.0
"""How long a kill waits for a transaction, at most."""

LINE_BYTES_MAX: Final = 1 << 20
"""Of a record, a snapshot's too."""

HELD_S: Final = 0.3
"""How long enough bytes for a hold are waited for."""

SNAPSHOT_BYTES: Final = (500, 20_000)
"""A cut in a snapshot falls behind the log-in."""

STORED: Final = ("soak.story", "soak.board", "soak.slate")
"""The tables that are moved to segments."""

CUT_BYTES: Final = (60, 600, 6000, 60_000)
"""A cut falls within so many bytes: of the start-up, of a change, of a snapshot, of much."""

TRUNCATE_S: Final = 2.0
"""How long is waited for one to begin."""

ENDED_S: Final = 6.0
"""How soon a server is to come to its failpoint."""

FLUSHED, COMPACTED, RETAINED, COMMITTED = "flush", "compaction", "retention", "commit"

FAILPOINTS: Final = {
    FLUSHED: (
        "flush.intent",
        "flush.encoded",
        "publish.files_durable",
        "publish.renamed",
        "publish.manifest_written",
        "publish.names_durable",
        "publish.manifest_linked",
        "publish.manifest_durable",
        "publish.swapped",
        "publish.noted",
        "flush.done",
    ),
    COMPACTED: ("compact.chosen", "compact.merged", "compact.done"),
    RETAINED: ("trim.batch", "trim.batch@2", "collect.unlinked"),
    COMMITTED: (
        "commit.before_batch@9",
        "commit.after_batch@9",
        "commit.before_publish@9",
    ),
}
"""Where a server kills itself, in the middle of what."""

RETENTION_S: Final = 1.0
"""How often the server trims and collects."""

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
        match record.get("what"):
            case "change":
                return "at rest" if record["change"]["last"] else "in a transaction"
            case "row":
                return "among rows"
            case "asks":
                return "in a snapshot" if record["phase"] == "snapshot" else "resuming"
            case "snapshot":
                return "at rest"
        return "connecting"


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
                    for table in STORED:
                        root.execute(f"STORAGE FLUSH TABLE {table}")
                        self.world.count("flushes")
        except Exception as exc:  # noqa: BLE001 - it ends the soak
            self.world.fail(self.name, f"{type(exc).__name__}: {exc}")
        finally:
            self.world.round_over.set()


class Kills(Faults):
    """So many kills, one after the other; then the round is over."""

    def __init__(
        self, world: World, followed: list[Followed], kills: int, truncates: threading.Event
    ) -> None:
        """truncates: set while somebody empties a table."""
        super().__init__(world, frozenset())
        self.followed = followed
        self.kills = kills
        self.truncates = truncates
        self.weights: dict[Callable[[], None], int] = {
            self.cut_link: 500,
            self.cut_snapshot: 120,
            self.kill_client: 100,
            self.kill_held_client: 100,
            self.kill_client_in_snapshot: 100,
            # A server that begins costs everybody time: these are few.
            self.kill_server: 6,
            self.stop_server: 4,
            self.kill_server_in_snapshot: 8,
            self.kill_server_in_truncate: 10,
            self.kill_server_at_failpoint: 30,
            self.kill_flush_process: 12,
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
            self._pause()
            (strike,) = self.random.choices([*self.weights], [*self.weights.values()])
            before = self.world.counts["kills"]
            strike()
            self.kills -= self.world.counts["kills"] - before

    def _pause(self) -> None:
        """Until the next kill: somebody has written something meanwhile, however slow the machine is."""
        world, before = self.world, self.world.counts["transactions committed"]
        ends = time.monotonic() + WRITTEN_S
        world.round_over.wait(self.random.uniform(*APART_S))
        while world.counts["transactions committed"] == before and time.monotonic() < ends:
            world.round_over.wait(APART_S[0])

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

    def cut_snapshot(self) -> None:
        """A link is cut, and again in the middle of what it begins with then."""
        one = self._who_begins_anew()
        one.link.cut(0, reset=self.random.random() < 0.5)
        one.link.cut(self.random.randrange(*SNAPSHOT_BYTES), reset=self.random.random() < 0.5)
        self.killed("link in a start")

    def kill_client_in_snapshot(self) -> None:
        """kill -9 while it waits for the rest of its snapshot."""
        one = self._who_begins_anew()
        one.link.cut(0, reset=True)
        one.link.hold(self.random.randrange(*SNAPSHOT_BYTES))
        if one.link.wait_held(2 * HELD_S):
            where = one.kill()
            one.link.flow()
            one.start()
            self.killed(f"client {where}")
        else:
            one.link.flow()
            self.killed("link")

    def _who_begins_anew(self) -> Followed:
        return self.random.choice([one for one in self.followed if one.subject.anew])

    def kill_server_in_snapshot(self) -> None:
        """kill -9 while somebody waits for the rest of a snapshot."""
        one = self._who_begins_anew()
        one.link.cut(0, reset=True)
        one.link.hold(self.random.randrange(*SNAPSHOT_BYTES))
        is_held = one.link.wait_held(2 * HELD_S)
        super().kill_server()
        one.link.flow()
        self.killed("server in a snapshot" if is_held else "server")

    def kill_server_in_truncate(self) -> None:
        """kill -9 while a table is emptied."""
        is_within = self.truncates.wait(TRUNCATE_S)
        self.world.round_over.wait(self.random.uniform(0, 0.02))
        is_within = is_within and self.truncates.is_set()
        super().kill_server()
        self.killed("server in a truncate" if is_within else "server")

    def kill_server_at_failpoint(self) -> None:
        """A server that kills itself at one step of what it does, however short that is."""
        world = self.world
        world.check_alive()
        during = self.random.choice([*FAILPOINTS])
        world.end(kill=False)
        world.start(self.random.choice(FAILPOINTS[during]))
        process = world.server.process
        assert process is not None
        world.round_over.wait(self.random.uniform(0.2, 1.0))  # Authors and followers come.
        with suppress(psycopg.Error):
            if during != COMMITTED:
                with world.server.root() as root:
                    for what in ("FLUSH", "COMPACT") if during == COMPACTED else ("FLUSH",):
                        for table in STORED:
                            root.execute(f"STORAGE {what} TABLE {table}")
        try:
            process.wait(ENDED_S)
            is_within = process.returncode == -signal.SIGKILL
        except subprocess.TimeoutExpired:
            is_within = False
        world.end(kill=True)
        world.start()
        self.killed(f"server in a {during}" if is_within else "server")

    def kill_flush_process(self) -> None:
        before = len(self.world.events)
        super().kill_flush_process()
        if len(self.world.events) > before:
            self.killed("flush process")
