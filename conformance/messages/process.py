"""Mutated messages for sessions in this process: a database in a scratch directory, and no sockets.

What an engine would be asked is refused. Nothing that a session does may raise: every byte that comes back is
one of the protocol's messages, and no error is an internal one.
"""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import trio

from catalog.errors import FeatureNotSupportedError
from conformance.messages.mutations import mutated, pieces
from conformance.messages.seeds import SETUP, joined, openings, streams
from kalam_pg.pgwire.messages import ErrorResponse
from kalam_pg.server.cancel import CancelRegistry
from kalam_pg.server.opening import Opening, OpeningRefusedError
from kalam_pg.wire.protocols import Peer
from kalam_pg.wire.session import WireSession
from tests import frontend
from tests.kalam_pg.wire.clients import Client, Server, serving

PATIENCE_S = 0.5
"""A stream may have no answer: it says to be longer than it is, or begins a COPY."""

LIFE = 50
"""Streams of one session, if none ends it."""


class NoEngine:
    """Refuses."""

    async def run(self, _query: object, _limits: object) -> Any:  # as the Protocol says
        await trio.lowlevel.checkpoint()
        raise FeatureNotSupportedError("there is no engine here")


class Transport:
    """A connection whose peer reads everything at once."""

    process_id = 1
    closed = False
    unsent = 0
    idles = True

    def __init__(self) -> None:
        self.finished: Callable[[], None] = lambda: None
        self.outbox = bytearray()
        self.ended = False

    def backend_key(self, _minor: int) -> bytes:
        return b"key!"

    def authenticated(self, _user: str) -> None:
        """Whoever it is."""

    def authentication_failed(self, _user: str) -> float:
        return 0.0

    def write(self, data: bytes | memoryview) -> None:
        self.outbox += data

    async def drain(self, *, patient: bool = False) -> None:
        del patient
        await trio.lowlevel.checkpoint()

    def lend(self, data: bytes | memoryview, done: Callable[[], None]) -> None:
        self.outbox += data
        done()

    def take_back(self) -> None:
        """Nothing is left."""

    def call_later(self, _delay_s: float, _callback: Callable[[], None]) -> "Transport":
        return self

    def cancel(self) -> None:
        """Of a timer."""

    def schedule(self) -> None:
        """Nobody is told anything."""

    def push(self) -> None:
        """It is read already."""

    def run_sync_soon(self, callback: Callable[[], None]) -> None:
        trio.lowlevel.current_trio_token().run_sync_soon(callback)

    def terminate(self, _error: object) -> None:
        self.ended = True


class Mutant(Client):
    """A client that sends what it likes."""

    def __init__(self, server: Server, *, known: bool) -> None:
        self.transport: Any = Transport()
        peer = Peer("unix", uid=os.getuid())
        self.session = WireSession(server.services, self.transport, peer)
        self.transport.outbox = self.session.outbox
        # Of its own: what this one waits for, no other client waits for.
        self._server = Server(server.services, server.rounds, server.nursery)
        self._decoder = frontend.BackendDecoder()
        if known:
            self.session.feed(frontend.startup_message({"user": "root", "database": "kalam"}))
            self.session.advance()
            self.session.outbox.clear()

    @property
    def over(self) -> bool:
        """Whether the session has ended."""
        return self.session.closing or self.transport.ended

    async def settle(self) -> None:
        """Until nothing is waited for."""
        await self._server.settle()

    def leave(self) -> None:
        """Go without a word."""
        self.session.eof()
        self.session.disconnected()


async def run(
    directory: Path, seed: int, messages: int, tell: Callable[[str], None]
) -> tuple[Counter[str], int]:
    """Send so many messages. Answers by SQLSTATE, and how many streams did what none may."""
    random, seeds = Random(seed), streams()
    counts: Counter[str] = Counter()
    bad = 0
    async with serving(directory) as server:
        server.services.database.query_engine = NoEngine()
        first = Mutant(server, known=True)
        for text in SETUP:
            await first.query(text)
        client = Mutant(server, known=True)
        left = LIFE
        while counts["messages"] < messages:
            if random.random() < 0.05:
                bad += await _open(server, random, counts, tell)
                continue
            stream = mutated(random, seeds)
            counts["messages"] += len(stream)
            failed = await _one(client, stream, random, counts)
            if failed:
                bad += 1
                tell(f"{failed}: {joined(stream)!r}")
            left -= 1
            if failed or client.over or not left:
                client.leave()
                client, left = Mutant(server, known=True), LIFE
        client.leave()
        first.leave()
    return counts, bad


async def _one(client: Mutant, stream: list[bytes], random: Random, counts: Counter[str]) -> str:
    """Why the stream did what none may; "" if it did not."""
    try:
        for piece in pieces(random, joined(stream)):
            if client.over:
                break
            client.feed(piece)
            with trio.move_on_after(PATIENCE_S) as scope:
                await client.settle()
            if scope.cancelled_caught:
                counts["unanswered"] += 1
                client.transport.ended = True
        for answer in client.answers():
            if isinstance(answer, ErrorResponse):
                sqlstate = dict(answer.fields).get("C", "none")
                counts[sqlstate] += 1
                if sqlstate.startswith("XX"):
                    return f"{sqlstate} {dict(answer.fields).get('M', '')}"
    except Exception as exc:  # noqa: BLE001 -- an escape is what is looked for
        return f"escaped {exc!r}"
    return ""


async def _open(
    server: Server, random: Random, counts: Counter[str], tell: Callable[[str], None]
) -> int:
    """A connection from its first byte."""
    stream = mutated(random, openings())
    counts["messages"] += len(stream)
    opening = Opening(Peer("tcp", "127.0.0.1"), CancelRegistry(), None, tls_required=False)
    client = Mutant(server, known=False)
    failed, known = "", False
    try:
        for piece in pieces(random, joined(stream)):
            if known:
                failed = failed or await _one(client, [piece], random, counts)
            elif (opened := opening.feed(piece)) is not None:
                known = True
                failed = await _one(client, [opened.data], random, counts)
    except OpeningRefusedError:
        counts["refused"] += 1
    except Exception as exc:  # noqa: BLE001 -- as above
        failed = f"escaped {exc!r}"
    client.leave()
    if failed:
        tell(f"{failed}: {joined(stream)!r}")
    return int(bool(failed))
