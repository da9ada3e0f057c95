"""The actors that come for a moment: who cancels others, who is rude, who keeps house."""

import socket
import struct

from conformance.soak.actors import Actor
from conformance.soak.client import LostError, RefusedError
from conformance.soak.ledger import Violation
from tests.wire.raw import RawClient, message, query, startup

LARGE = "SELECT a.n, repeat('x', 200) FROM generate_series(1, 400) AS a(n), generate_series(1, 400) AS b(n)"
READY = b"Z\0\0\0\x05I"
LONG = (
    "SELECT count(*) FROM generate_series(1, 3000) AS a(n), generate_series(1, 3000) AS b(n),"
    " generate_series(1, 100) AS c(n) WHERE (a.n * b.n + c.n) % 7 = 3"
)


class Canceler(Actor):
    """Cancels what some session runs, as drivers do; and is never answered."""

    def turn(self) -> None:
        self.world.round_over.wait(self.random.uniform(0.05, 0.6))
        keys = sorted(self.world.keys.items())
        if not keys or not self.world.up.is_set():
            return
        _, key = self.random.choice(keys)
        try:
            with socket.create_connection(("127.0.0.1", self.world.server.port), 5) as link:
                link.sendall(message(b"", struct.pack("!i", 80877102) + key))
                link.recv(1)
        except OSError:
            return
        self.world.count("cancel requests")


class Rude(Actor):
    """Connects, and goes without a word or in the middle of one."""

    def turn(self) -> None:
        self.world.up.wait(5)
        try:
            self.visit()
            self.world.count("rude visits")
        except (OSError, LostError):
            self.world.round_over.wait(0.1)
        self.world.round_over.wait(self.random.uniform(0, 0.2))

    def visit(self) -> None:
        """One of many ways."""
        way = self.random.randrange(5)
        with RawClient(self.world.server, "eve", login=False) as client:
            client.socket.settimeout(1)
            if way == 0:
                return
            hello = startup("eve")
            if way == 1:
                client.send(hello[: self.random.randrange(1, len(hello))])
                return
            if way == 2:
                client.send(self.random.randbytes(self.random.randrange(1, 200)))
                return
            client.send(hello)
            if way == 3:
                return
            client.authenticate("a password")
            client.send(query(self.random.choice((LARGE, LONG, "SELECT 1"))))
            if self.random.random() < 0.5:
                client.socket.recv(self.random.randrange(1, 60_000))
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Housekeeper(Actor):
    """Root: flushes, kills jobs, reads what the system says about itself."""

    TABLES = ("notes", "board", "accounts", "wallets", "queue", "done")

    def turn(self) -> None:
        self.world.round_over.wait(self.random.uniform(0.1, 1.5))
        super().turn()

    def step(self) -> None:
        what = self.random.random()
        try:
            if what < 0.45:
                self.say(
                    f"STORAGE FLUSH TABLE soak.{self.random.choice(self.TABLES)}", how="simple"
                )
            elif what < 0.55:
                self.say("STORAGE FLUSH ALL", how="simple")
            elif what < 0.75:
                running = self.say("SELECT job_id FROM system.jobs WHERE status = 'running'").rows
                for (job,) in running:
                    self.say(f"KILL JOB '{job}'", how="simple")
            else:
                relation = self.random.choice(
                    ("sessions", "segments", "manifests", "stats", "transactions", "tables", "jobs")
                )
                self.say(f"SELECT * FROM system.{relation}")
        except RefusedError as exc:
            # A job or a table may have gone before we named it.
            self.refused(exc, "42704", "42P01")
            self.leave()


class SlowReader(Actor):
    """Reads a large answer in small sips, some of it, and expects others not to suffer."""

    def step(self) -> None:
        assert self.client is not None
        self.diary.note(f"sips: {LARGE}")
        try:
            self.client.send(query(LARGE))
            for _ in range(self.random.randrange(1, 30)):
                sip = self.client.socket.recv(self.random.choice((100, 10_000, 500_000)))
                if not sip or sip.endswith(READY):  # Ready early: it was canceled.
                    break
                self.world.round_over.wait(0.02)
        except TimeoutError as exc:
            raise Violation("nothing to read of a large answer") from exc
        except OSError as exc:
            raise LostError from exc
        self.leave()
        self.world.count("large answers begun")


class Newcomer(Actor):
    """Connects anew for each question: what a web page does."""

    def step(self) -> None:
        assert self.client is not None
        if self.say("SELECT current_user, 1 + 1").rows != [(self.user, "2")]:
            raise Violation("SELECT current_user, 1 + 1 is wrong")
        self.world.count("newcomers")
        self.leave()
