"""The same to a server of its own, over sockets: it must live, and its log must name no bug."""

import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

from conformance.messages.mutations import mutated, pieces
from conformance.messages.seeds import SETUP, joined, openings, streams
from tests.wire.raw import RawClient, startup
from tests.wire.server import KalamServer

PATIENCE_S = 0.02
"""A stream may well have no answer: it says to be longer than it is."""


def run(
    directory: Path, seed: int, messages: int, port: int, tell: Callable[[str], None]
) -> tuple[Counter[str], int]:
    """Send so many messages; counts, and how many streams ended the server or were bugs to it."""
    random = Random(seed)
    counts: Counter[str] = Counter()
    server = KalamServer(directory).start(port)
    assert server.process is not None
    bad = 0
    try:
        with server.root() as root:
            for text in SETUP:
                root.execute(text)
        while counts["messages"] < messages:
            early = random.random() < 0.1
            stream = mutated(random, openings() if early else streams())
            counts["messages"] += len(stream)
            errors = len(server.errors)
            _send(server, b"" if early else startup("root"), stream, random)
            if server.process.poll() is not None:
                tell(f"the server has ended: {joined(stream)!r}")
                return counts, bad + 1
            for line in server.errors[errors:]:
                if '"internal error"' in line or "Traceback" in line:
                    bad += 1
                    tell(f"{line.strip()[:300]}: {joined(stream)!r}")
            counts["streams"] += 1
        with RawClient(server) as root:
            assert root.simple("SELECT 1").rows == [("1",)]
    finally:
        server.stop()
    return counts, bad


def _send(server: KalamServer, first: bytes, stream: list[bytes], random: Random) -> None:
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(5)
    try:
        link.connect(str(server.directory / f".s.PGSQL.{server.port}"))
        if first:
            link.sendall(first)
            link.recv(65536)
        link.settimeout(PATIENCE_S)
        for piece in pieces(random, joined(stream)):
            link.sendall(piece)
        while link.recv(65536):
            pass
    except OSError:
        pass
    finally:
        link.close()
