"""The victim: a point SELECT every few milliseconds, and what kept each from its answer.

A process of its own (`python -m conformance.neighbours.victim …`), so that no attack slows it but through
the server. A wait is split by what the kernel knows of the server's loop, which is the main thread: how long
it ran meanwhile, and how long it was ready and had no processor. What is left of the wait without the times
that the loop and the victim waited for a processor is how long the *server* kept the victim, `held_s`:
on a busy machine the figure to judge by.
"""

import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from tests.wire.raw import SYNC, RawClient, bind, execute, parse
from tests.wire.server import KalamServer

EVERY_S: Final = 0.004
_SAMPLE: Final = struct.Struct("ddddd")
_POINT: Final = "SELECT v FROM kin.own WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Sample:
    """One question. at: of `time.time()`, when it was asked. loop_s: what the loop computed meanwhile."""

    at: float
    waited_s: float
    loop_s: float
    loop_ready_s: float
    own_ready_s: float

    @property
    def held_s(self) -> float:
        """How long the server took, without the time that anybody waited for a processor."""
        return max(self.waited_s - self.loop_ready_s - self.own_ready_s, 0.0)


def schedule(pid: int) -> tuple[float, float]:
    """Seconds that the main thread of a process ran, and that it was ready and did not."""
    ran, ready, _ = Path(f"/proc/{pid}/task/{pid}/schedstat").read_text(encoding="ascii").split()
    return int(ran) / 1e9, int(ready) / 1e9


class Victim:
    """Measures from the moment that it is made; `window` gives what it saw."""

    def __init__(self, server: KalamServer, user: str, file: Path) -> None:
        assert server.process is not None
        self._file = file
        file.write_bytes(b"")
        command = [sys.executable, "-m", "conformance.neighbours.victim"]
        where = [str(server.directory), str(server.port), str(server.process.pid), user]
        self._process = subprocess.Popen([*command, *where, str(file)])
        while not self.samples():
            assert self._process.poll() is None, "the victim has ended"
            time.sleep(0.01)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()

    def samples(self) -> list[Sample]:
        """All that was asked and answered so far."""
        data = self._file.read_bytes()
        whole = len(data) - len(data) % _SAMPLE.size
        return [Sample(*values) for values in _SAMPLE.iter_unpack(data[:whole])]

    def window(self, since: float, until: float) -> list[Sample]:
        """What was asked between two times; the answer to the last has come when this returns."""
        deadline = time.monotonic() + 10
        while True:
            found = self.samples()
            if found and found[-1].at >= until:
                return [s for s in found if since <= s.at + s.waited_s and s.at <= until]
            assert self._process.poll() is None, "the victim has ended"
            if time.monotonic() > deadline:
                return [Sample(since, until - since, 0.0, 0.0, 0.0)]  # It is still waiting.
            time.sleep(0.01)


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that so great a part of the values does not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


def _measure(directory: str, port: str, pid: str, user: str, file: str) -> None:
    server = KalamServer(Path(directory))
    server.port = int(port)
    loop, own = int(pid), os.getpid()
    question = bind((b"1",), statement="point") + execute() + SYNC
    with RawClient(server, user) as client, Path(file).open("ab", buffering=0) as out:
        client.send(parse(_POINT, "point") + SYNC)
        assert client.answer().sqlstate is None
        link = client.socket
        link.settimeout(None)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            (ran, ready), (_, own_ready) = schedule(loop), schedule(own)
            at, since = time.time(), time.perf_counter()
            link.sendall(question)
            answer = b""
            while not answer.endswith(b"Z\0\0\0\x05I"):
                more = link.recv(65536)
                if not more:
                    return
                answer += more
            waited = time.perf_counter() - since
            (ran_then, ready_then), (_, own_then) = schedule(loop), schedule(own)
            assert b"victim" in answer, answer
            out.write(
                _SAMPLE.pack(at, waited, ran_then - ran, ready_then - ready, own_then - own_ready)
            )
            time.sleep(EVERY_S)


if __name__ == "__main__":
    _measure(*sys.argv[1:])
