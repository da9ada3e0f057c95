"""The parent's side of one worker process: starting it, sending queries, reading frames, killing it."""

import array
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import trio

from kalam_pg.engines import area
from kalam_pg.engines.errors import internal_error
from kalam_pg.engines.forked import WORKER, Forked, ForkServer
from kalam_pg.engines.protocol import FrameReader, WorkerFrame, pack
from kalam_pg.engines.request import EngineSettings
from kalam_pg.failures import last_words
from storage.errors import KalamError

STDERR_BYTES_MAX = 64 << 10
"""What a worker printed is kept up to here: Rust's last words say why it ended."""

LONG_CHARACTERS = 10_000
"""A statement on which the engine can run out of stack has more than this in its own language."""

_FDS_PER_MESSAGE = 200  # The kernel takes 253 (SCM_MAX_FD).
RECEIVE_BYTES = 64 << 10

RECEIVE_AT_ONCE_BYTES = 1 << 20
"""Of a large frame, before others have their turn: while it is copied the worker sends more."""

SEND_BUFFER_BYTES = 4 << 20
"""A worker's socket takes this much unread: some batches of a result in Arrow."""


class WorkerLostError(Exception):
    """The worker's end of the socket is closed: it has ended or is about to."""


def count_oom_kills() -> int | None:
    """How many processes the kernel has ended for want of memory; None: it does not say."""
    try:
        counts = Path("/proc/vmstat").read_bytes()
    except OSError:
        return None
    found = counts.partition(b"oom_kill ")[2].split(maxsplit=1)
    return int(found[0]) if found else None


@dataclass(slots=True, eq=False)
class WorkerProcess:
    """One worker. `held`: ids of the batches that it has mapped. `area`: where it lays rows down.

    asked: queries that were sent to it. killed: its end is our doing. gone: it has ended, with `status`
    (-N is signal N). oom_kills: of all processes, when it began.
    """

    process: Forked
    link: trio.socket.SocketType
    stderr: int
    area: area.Mapped
    held: set[int] = field(default_factory=set)
    asked: int = 0
    killed: bool = False
    gone: trio.Event = field(default_factory=trio.Event)
    status: int = 0
    oom_kills: int | None = field(default_factory=count_oom_kills)
    _reader: FrameReader = field(default_factory=FrameReader)
    _frames: list[tuple[WorkerFrame, bytes]] = field(default_factory=list)
    _large: tuple[WorkerFrame, memoryview, int] | None = None

    @classmethod
    def start(cls, forks: ForkServer, settings: EngineSettings) -> "WorkerProcess":
        """Start a worker and return at once; it reports with a READY frame. Raises OSError."""
        ours, theirs = socket.socketpair()
        # What the worker has encoded must not wait for the event loop to fetch the piece before.
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        stderr = os.memfd_create("kalam-worker-stderr", os.MFD_CLOEXEC)
        rows = area.create()
        mapped = area.Mapped.to_read(rows)
        with theirs, os.fdopen(rows, "rb"):
            process = forks.fork(
                WORKER,
                "kalam:worker",
                [
                    *(str(settings.partitions), str(settings.pool_bytes)),
                    str(settings.spill_directory or ""),
                ],
                stderr=stderr,
                descriptors=[theirs.fileno(), rows],
            )
        return cls(process, trio.socket.from_stdlib_socket(ours), stderr, mapped)

    async def send(
        self, kind: WorkerFrame, body: bytes = b"", descriptors: list[int] | None = None
    ) -> None:
        """Send one frame. Raises WorkerLostError."""
        buffers: list[memoryview] = [memoryview(part) for part in pack(kind, body) if len(part)]
        waiting = list(descriptors or ())
        try:
            while waiting:
                # Descriptors need a byte to travel with: the frame's first bytes, one by one.
                now, waiting = waiting[:_FDS_PER_MESSAGE], waiting[_FDS_PER_MESSAGE:]
                rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", now))
                _advance(buffers, await self.link.sendmsg([buffers[0][:1]], [rights]))
            while buffers:
                _advance(buffers, await self.link.sendmsg(buffers))
        except OSError as exc:
            raise WorkerLostError from exc

    def send_nowait(self, kind: WorkerFrame) -> None:
        """Send a frame without a body if the socket takes it; it does unless the worker hangs."""
        try:
            self.link._sock.send(b"".join(pack(kind)), socket.MSG_DONTWAIT)  # type: ignore[attr-defined]  # noqa: SLF001
        except OSError:
            self.kill()

    async def receive(
        self, admit: Callable[[int], None] = lambda _size: None
    ) -> tuple[WorkerFrame, bytes]:
        """The next frame. Raises WorkerLostError at the end of the stream.

        admit: asked with the size of a large one before there is room for it; what it raises is raised.
        """
        while not self._frames:
            try:
                if self._large is not None or self._reader.missing() > RECEIVE_BYTES:
                    if self._large is None:
                        admit(self._reader.missing())
                    return await self._receive_large()
                data = await self.link.recv(RECEIVE_BYTES)
            except OSError as exc:
                raise WorkerLostError from exc
            if not data:
                raise WorkerLostError
            self._reader.feed(data)
            self._frames.extend(self._reader.frames())
            self._frames.reverse()
        return self._frames.pop()

    async def _receive_large(self) -> tuple[WorkerFrame, bytes]:
        """The frame in progress, straight into its own memory: a large result is not copied again.

        When it is cancelled the next call goes on with the same frame.
        """
        kind, body, filled = self._large or self._reader.take_started()
        try:
            while filled < len(body):
                received = await self.link.recv_into(body[filled : filled + RECEIVE_AT_ONCE_BYTES])
                if not received:
                    raise WorkerLostError
                filled += received
        finally:
            self._large = (kind, body, filled) if filled < len(body) else None
        return kind, body  # type: ignore[return-value]  # nobody else has this memory

    @property
    def alive(self) -> bool:
        """Whether it runs, as far as the kernel has said."""
        return self.process.poll() is None

    @property
    def blameless(self) -> bool:
        """Whether it was lost without having begun its last query."""
        return self.area.begun < self.asked

    def kill(self) -> None:
        """SIGKILL, now; the worker needs no warning."""
        self.killed = True
        self.put_down()

    def put_down(self) -> None:
        """SIGKILL to what has closed its socket and will end, or should."""
        self.process.kill()

    async def wait(self) -> None:
        """Wait for its end; for one task, others wait for `gone`."""
        while self.process.poll() is None:
            await trio.lowlevel.wait_readable(self.process.fileno())

    def bury(self) -> None:
        """Wait for an end that has come or cannot be far, and tell who waits for it."""
        self.status = self.process.wait()
        self.process.close()
        self.gone.set()

    def last_words(self) -> str:
        """What it wrote to its standard error, the end of it."""
        size = os.fstat(self.stderr).st_size
        start = max(0, size - STDERR_BYTES_MAX)
        return os.pread(self.stderr, STDERR_BYTES_MAX, start).decode(errors="replace")

    def forget_words(self) -> None:
        """Keep what a long-lived worker prints bounded."""
        if os.fstat(self.stderr).st_size > STDERR_BYTES_MAX:
            os.ftruncate(self.stderr, 0)

    def close(self) -> None:
        """Close the socket (which ends an idle worker) and its standard error. Again is no error."""
        if self.stderr >= 0:
            self.link.close()
            os.close(self.stderr)
            self.stderr = -1


def why_lost(worker: WorkerProcess, *, long: bool) -> KalamError:
    """The error of the query that a worker, gone but not closed, took with it. long: its text was.

    Its allocator's last words mean memory, and so does SIGKILL if the kernel has ended anybody for want of it
    since the worker began, or does not say. A worker runs out of stack over a statement with thousands of
    terms, in threads that cannot say so; what else it dies of is told as it is.
    """
    from catalog.errors import (  # noqa: PLC0415
        OutOfMemoryError,
        StatementTooComplexError,
        SystemFailureError,
    )

    words, status = worker.last_words(), worker.status
    known = worker.oom_kills is not None and worker.oom_kills == count_oom_kills()
    if (status == -signal.SIGKILL and not known) or _is_out_of_memory(words):
        return OutOfMemoryError("out of memory", detail="The query passed its memory limit.")
    crashed = status < 0 and status != -signal.SIGKILL
    if crashed and (long or "overflowed its stack" in words):
        return StatementTooComplexError(
            "stack depth limit exceeded",
            detail="The query engine crashed on this statement.",
            hint="Write the statement with fewer or less deeply nested terms.",
        )
    if status < 0:
        name = signal.strsignal(-status)
        return SystemFailureError(
            f"the process that ran this query was terminated by signal {-status}: {name}",
            detail="It was tried twice, unless a part of its answer had been sent.",
            hint="Nobody else is concerned. The query might succeed if it is tried again.",
        )
    return internal_error(f"worker ended with status {status}: {last_words(words)}")


def may_be_anothers(worker: WorkerProcess) -> bool:
    """Whether a worker that is gone may have ended by what it did not run: the query is worth another one."""
    return worker.status < 0 and not _is_out_of_memory(worker.last_words())


def _is_out_of_memory(words: str) -> bool:
    return "memory allocation of" in words or "MemoryError" in words


def _advance(buffers: list[memoryview], sent: int) -> None:
    while buffers and sent >= len(buffers[0]):
        sent -= len(buffers.pop(0))
    if buffers:
        buffers[0] = buffers[0][sent:]
