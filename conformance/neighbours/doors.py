"""python -m conformance.neighbours.doors: floods before authentication, and who still comes in.

Thousands of connections say nothing, begin a startup packet and send it byte by byte, or guess a password.
Beside them somebody logs in again and again: over the Unix socket, from the same address and from another;
and a right cancel key comes after thousands of wrong ones.
"""

import argparse
import resource
import socket
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from conformance.neighbours.attacker import Attacker
from conformance.neighbours.run import prepare
from tests.wire.raw import RawClient, startup
from tests.wire.server import PASSWORD, KalamServer

HERE: Final = "127.0.0.1"
ELSEWHERE: Final = "127.0.0.2"

ROUND_S: Final = 0.2
"""How often a flood sees which of its connections were ended."""

MET_ROUNDS: Final = 7

PACE_S: Final = 0.05
"""Between two that log in: as people do, not as a flood of their own."""


class Flood:
    """So many connections from one address, those that were ended made again, until `stop`.

    It is there once it has looked at all of them `MET_ROUNDS` times: the server has met every one then,
    ended those beyond its bounds, and met those that came instead.
    """

    def __init__(self, server: KalamServer, count: int, *, dripping: bool) -> None:
        self._server, self._count, self._dripping = server, count, dripping
        self._links: list[socket.socket] = []
        self._over = threading.Event()
        self._met = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._met.wait()

    def stop(self) -> None:
        """All go."""
        self._over.set()
        self._thread.join()
        for link in self._links:
            link.close()

    def _run(self) -> None:
        packet = startup("mallory")
        sent = rounds = 0
        while not self._over.is_set():
            self._links = [link for link in self._links if _is_open(link)]
            while len(self._links) < self._count and not self._over.is_set():
                try:
                    link = socket.create_connection((HERE, self._server.port), 5)
                except OSError:
                    break
                link.setblocking(False)
                self._links.append(link)
            rounds += 1
            if rounds > MET_ROUNDS:
                self._met.set()
            if self._dripping and sent < len(packet) - 1:
                for link in self._links:
                    with suppress(OSError):
                        link.send(packet[sent : sent + 1])
                sent += 1
            self._over.wait(ROUND_S)


def _is_open(link: socket.socket) -> bool:
    try:
        return bool(link.recv(1))
    except BlockingIOError:
        return True
    except OSError:
        return False


def login(server: KalamServer, address: str) -> float:
    """Seconds until somebody at an address is in; raises when they are refused."""
    since = time.monotonic()
    with RawClient(server, "victim", login=False, source=address) as client:
        client.send(startup("victim"))
        answer = client.authenticate(PASSWORD)
        assert answer.kinds.endswith("Z"), answer.errors
    return time.monotonic() - since


def login_as_root(server: KalamServer) -> float:
    """The same over the Unix socket."""
    since = time.monotonic()
    with RawClient(server) as root:
        assert root.simple("SELECT 1").rows == [("1",)]
    return time.monotonic() - since


def tried(what: str, logs_in: Callable[[], float], times: int) -> int:
    """Log in some times; how often that failed."""
    took, failed = [], 0
    for _ in range(times):
        try:
            took.append(logs_in())
        except (AssertionError, OSError) as exc:
            failed += 1
            print(f"  {what}: {exc!r}"[:160])
        time.sleep(PACE_S)
    longest = max(took, default=0.0) * 1000
    print(f"  {what}: {len(took)} of {times} in, the longest after {longest:.0f} ms", flush=True)
    return failed


def guessed(server: KalamServer, times: int) -> int:
    """Wrong passwords for a user from this address, then the right one from here."""

    def guess() -> None:
        with RawClient(server, "victim", login=False) as client:
            client.send(startup("victim"))
            client.authenticate("wrong")

    threads = [threading.Thread(target=guess) for _ in range(times)]
    for thread in threads:
        thread.start()
    failed = tried(
        "the right password, among wrong ones from the same address",
        lambda: login(server, HERE),
        10,
    )
    for thread in threads:
        thread.join()
    return failed


def cancelled(server: KalamServer, wrong: int) -> int:
    """A right key after many wrong ones; 1 when it did not cancel."""
    with Attacker(server, "other") as client:
        right = client.secret
        for number in range(wrong):
            client.secret = struct.pack("!i", number)
            client.cancel()
        client.secret = right
        timer = threading.Timer(0.3, client.cancel)
        timer.start()
        outcome = client.ask("SELECT pg_sleep(5)")
        timer.join()
    print(
        f"  the right cancel key after {wrong} wrong ones: {outcome} after {outcome.seconds:.2f} s"
    )
    return int(outcome.sqlstate != "57014")


def main() -> int:
    """1 when somebody was locked out."""
    parser = argparse.ArgumentParser(prog="conformance.neighbours.doors", description=__doc__)
    parser.add_argument("--connections", type=int, default=3000)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        server = KalamServer(Path(scratch) / "data").start(options.port)
        try:
            prepare(server)
            for dripping in (False, True):
                print(f"{options.connections} {'dripping' if dripping else 'silent'} connections")
                flood = Flood(server, options.connections, dripping=dripping)
                failed += tried("root, Unix socket", lambda: login_as_root(server), 10)
                failed += tried("another address", lambda: login(server, ELSEWHERE), 10)
                # Of a flood that comes again as soon as it is ended nobody can be told apart.
                tried("the same address", lambda: login(server, HERE), 10)
                flood.stop()
            failed += guessed(server, 200)
            failed += cancelled(server, 2000)
        finally:
            server.stop()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
