"""A run: writers change a table, programs follow it, links and processes are lost; in the end all agree."""

import json
import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, Final

import psycopg

from conformance.live.drivers import Driver
from conformance.live.link import Link
from tests.wire.server import PASSWORD, KalamServer

FAULTS: Final = 300
TABLE: Final = "live.items"
KEYS: Final = 60
WRITERS: Final = 2

APART_S: Final = (0.02, 0.12)
"""Between two faults."""

STALLED_S: Final = (0.05, 0.4)
AGREED_S: Final = 60.0
"""How long after the last fault a program may take to have everything."""

PIECES: Final = (
    "",
    "x",
    "it's",
    '"',
    "\\",
    "\t",
    "\n",
    "{}",
    "ä",
    "日本",
    "🎈",
    "NULL",
    "\\N",
    ",",
)

Rows = dict[str, tuple[Any, ...]]


class Disagreement(AssertionError):  # noqa: N818 - it is what a run looks for
    """A program ended by itself, did not end, or had other rows than the table."""


class Program:
    """One driver's program behind a link of its own, begun again when it is killed."""

    def __init__(self, driver: Driver, server: KalamServer) -> None:
        self.driver = driver
        self.link = Link(lambda: server.port)
        self._begin()

    def _begin(self) -> None:
        self.process = subprocess.Popen(
            [*self.driver.command, TABLE],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "PGHOST": "127.0.0.1",
                "PGPORT": str(self.link.port),
                "PGUSER": "alice",
                "PGPASSWORD": PASSWORD,
                "PGDATABASE": "kalam",
            },
        )

    def check_alive(self) -> None:
        """Raises Disagreement when it ended by itself."""
        if self.process.poll() is not None:
            out, err = self.process.communicate()
            status = self.process.returncode
            raise Disagreement(f"{self.driver.name} ended, status {status}:\n{out}{err}")

    def kill(self) -> None:
        """Its memory is lost, and it begins anew."""
        self.end()
        self._begin()

    def rows(self, within_s: float) -> Rows:
        """What it printed when it saw the end. Raises Disagreement."""
        try:
            out, err = self.process.communicate(timeout=within_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            raise Disagreement(f"{self.driver.name} did not see the end:\n{out}{err}") from None
        if self.process.returncode or not out:
            raise Disagreement(f"{self.driver.name}, status {self.process.returncode}:\n{err}")
        found = json.loads(out.splitlines()[-1])
        return {key: (str(row["id"]), row["room"], row["body"]) for key, row in found.items()}

    def end(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.communicate()


class Run:
    """One run. seed: of what is written and of the faults; the times between them are the machine's."""

    def __init__(self, directory: Path, seed: int, drivers: Sequence[Driver]) -> None:
        self.seed = seed
        self.random = Random(f"{seed}/faults")
        self.server = KalamServer(directory / "data")
        self.counts: Counter[str] = Counter()
        self._drivers = drivers
        self._programs: list[Program] = []
        self._over = threading.Event()

    def run(self, faults: int) -> bool:
        """Whether every program had exactly what the table has; prints what was not."""
        self.server.start()
        writers = [
            threading.Thread(target=self._write, args=(number,)) for number in range(WRITERS)
        ]
        try:
            self._set_up()
            self._programs = [Program(driver, self.server) for driver in self._drivers]
            for writer in writers:
                writer.start()
            try:
                for _ in range(faults):
                    self._over.wait(self.random.uniform(*APART_S))
                    self._strike()
            finally:
                self._over.set()
                for writer in writers:
                    writer.join()
            self._compare()
        except Disagreement as exc:
            print(f"FAILED, seed {self.seed}: {exc}", "".join(self.server.errors[-40:]), sep="\n")
            return False
        finally:
            for program in self._programs:
                program.end()
                program.link.close()
            self.server.stop()
        return True

    def summary(self) -> str:
        """What was done."""
        return "\n".join(f"{count:8}  {what}" for what, count in sorted(self.counts.items()))

    def _set_up(self) -> None:
        # Little is retained: a program that was away for long begins anew with a snapshot.
        with self.server.root() as root:
            root.execute(f"CREATE USER alice WITH PASSWORD '{PASSWORD}' ROLE 'user'")
            root.execute("CREATE NAMESPACE live")
            root.execute(
                f"CREATE TABLE {TABLE} (id bigint PRIMARY KEY, room int, body text)"
                " WITH (TYPE = 'USER', FLUSH_POLICY = 'rows:400', CHANGE_RETENTION_HOURS = 0)"
            )

    def _write(self, number: int) -> None:
        """Transactions of some rows, until the faults are over."""
        random = Random(f"{self.seed}/writer {number}")
        while not self._over.is_set():
            with suppress(psycopg.OperationalError), self.server.connect("alice") as connection:
                while not self._over.is_set():
                    with connection.transaction():
                        if random.random() < 0.02:
                            connection.execute(f"TRUNCATE {TABLE}")
                        for _ in range(random.choice((1, 1, 2, 3, 20))):
                            # Keys of its own: two writers do not wait for each other.
                            key = random.randint(1, KEYS) * WRITERS + number
                            self._change(connection, random, key)
                    self.counts["transactions"] += 1
                    self._over.wait(random.uniform(0, 0.01))

    @staticmethod
    def _change(connection: psycopg.Connection[Any], random: Random, key: int) -> None:
        if random.random() < 0.3:
            connection.execute(f"DELETE FROM {TABLE} WHERE id = %s", [key])
            return
        body = None if random.random() < 0.1 else "".join(random.choices(PIECES, k=8))
        if body and random.random() < 0.1:
            body *= random.randint(1, 300)
        connection.execute(
            f"INSERT INTO {TABLE} VALUES (%s, %s, %s) ON CONFLICT (id) DO UPDATE"
            " SET room = excluded.room, body = excluded.body",
            [key, random.randint(1, 3), body],
        )

    def _strike(self) -> None:
        """One fault: of a link, of a program, or of the server with all links."""
        program = self.random.choice(self._programs)
        kind = self.random.choices(("cut", "stall", "kill", "server", "stop"), (40, 8, 4, 1, 1))[0]
        for one in self._programs:
            one.check_alive()
        match kind:
            case "cut" if not program.link.waits_to_cut:
                after = self.random.choice(
                    (0, self.random.randrange(400), self.random.randrange(9000))
                )
                program.link.cut(after, reset=self.random.random() < 0.5)
            case "stall":
                program.link.stall()
                self._over.wait(self.random.uniform(*STALLED_S))
                program.link.flow()
            case "kill":
                program.kill()
            case "server":
                self.server.kill()
                self.server.start()
            case "stop":
                self.server.stop()
                self.server.start()
            case _:
                return
        self.counts[f"fault {kind}"] += 1

    def _compare(self) -> None:
        for program in self._programs:
            program.link.mend()
        with self.server.connect("alice") as connection:
            connection.execute(f"INSERT INTO {TABLE} VALUES (0, 0, 'the end')")
            rows = connection.execute(f"SELECT id, room, body FROM {TABLE}").fetchall()
        wanted: Rows = {str(id_): (str(id_), room, body) for id_, room, body in rows}
        self.counts["rows in the end"] = len(wanted)
        deadline = time.monotonic() + AGREED_S
        for program in self._programs:
            self.counts["links cut"] += program.link.cuts
            seen = program.rows(max(1.0, deadline - time.monotonic()))
            if seen != wanted:
                wrong = {
                    key: (wanted.get(key), seen.get(key))
                    for key in wanted.keys() | seen.keys()
                    if wanted.get(key) != seen.get(key)
                }
                raise Disagreement(f"{program.driver.name} (wanted, seen): {wrong}")
