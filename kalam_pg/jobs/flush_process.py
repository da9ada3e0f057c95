"""The parent's side of the flush process: an `Encoder` that works elsewhere.

Decoding, sorting and encoding a million rows takes seconds of the interpreter, in which sessions would
wait again and again. So what the log holds is sent as it is to a process of its own, which is started
when there is something to do and ended when there has been nothing for a while (decision 0012). There is
one: flushes of large tablets take turns.
"""

import os
import pickle
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

import pyarrow as pa

from catalog.errors import (
    AdminShutdownError,
    InsufficientResourcesError,
    SystemFailureError,
)
from kalam_pg.engines.errors import from_failure
from kalam_pg.engines.forked import FLUSH_WORKER, Forked, ForkServer
from kalam_pg.engines.protocol import decode_failure
from kalam_pg.failures import last_words
from kalam_pg.jobs.flush_frames import (
    FlushFrame,
    Link,
    LinkLostError,
    decode_answer,
    decode_facts,
    encode,
)
from kalam_pg.jobs.load_jobs import LoadJob
from kalam_pg.rows.copy_columns import RefusedError
from storage.cold.encoder import Answers, Encoded, Job
from storage.cold.encoder import encode as encode_here
from storage.cold.indexing import IndexJob
from storage.cold.merge import MergeJob
from storage.cold.segment_builder import EncodedSegment
from storage.errors import KalamError
from storage.tail.frozen import FrozenTail

IDLE_S = 60.0
"""A process without work is ended after so long, and with it the memory of what it did last."""

FEW_TABLETS = 8
"""So many small tablets are encoded where they are: some 10 ms, in which others have their turns."""

NICENESS = 5
"""Sessions come first: when they want every core, the process gets a quarter of one."""

ENDING_S = 2.0
"""How long a process that has closed its end of the socket may take to end."""

CHECK_S = 0.05
"""How soon a killed job, or a load that was cancelled, stops waiting."""

BATCH_BYTES = 4 << 20
"""Rows of a tail are sent in pieces of about this size."""

COPIES = 8
"""Of a row while it is sent: as LevelDB gives it, read ahead, and in its frame, which grows by doubling."""

_WORDS_BYTES = 8 << 10


@dataclass(frozen=True, slots=True)
class _Running:
    process: Forked
    link: Link
    stderr: int


class FlushProcess:
    """At most one process, and whose turn it is. `encode` is for threads, the rest for any.

    check: called twenty times a second while a thread waits; what it raises ends the work (and the
    process, which nobody could talk to any more). work: what messages call it.
    """

    def __init__(
        self,
        forks: ForkServer,
        check: Callable[[], None] = lambda: None,
        *,
        work: str = "flush",
        niceness: int = NICENESS,
    ) -> None:
        self._forks = forks
        self._check = check
        self._work = work
        self._niceness = niceness
        self._turn = threading.Lock()
        self._running: _Running | None = None
        self._last_used = 0.0
        self._closed = False
        self.held_bytes = 0
        """About what is in memory of the rows that are being sent."""

    @property
    def pid(self) -> int | None:
        """The process's id, None when there is none."""
        running = self._running
        return None if running is None else running.process.pid

    def encode(self, jobs: Sequence[Job]) -> Answers:
        """`storage.cold.encoder.encode`, elsewhere unless it is quickly done.

        Raises:
            KalamError: The process was lost; the next call starts another.
        """
        if len(jobs) <= FEW_TABLETS and all(
            not isinstance(job, FrozenTail) and job.small for job in jobs
        ):
            yield from encode_here(jobs)
            return
        with self._take_turn() as running, closing(self._ask(running.link, jobs)) as answers:
            yield from answers

    @contextmanager
    def index(self, job: IndexJob) -> Iterator[tuple[int, Iterator[memoryview]]]:
        """The size of a segment's index file, and its pieces. For a thread. Raises KalamError."""
        with self._take_turn() as running:
            link = running.link
            link.send(FlushFrame.INDEX_JOB, pickle.dumps(job))
            link.send(FlushFrame.END)
            link.send(FlushFrame.GO)
            link.flush()
            kind, body = link.receive()
            if kind is FlushFrame.INDEX:
                size = int.from_bytes(body, "little")
                pieces = link.receive_pieces(size)
                yield size, pieces
                for _ in pieces:
                    pass  # The next answer comes behind them.
                return
        assert kind is FlushFrame.ERROR
        raise from_failure(decode_failure(body))

    def load(self, job: LoadJob, pieces: Iterator[bytes]) -> Generator[EncodedSegment, None, None]:
        """The segments of what is loaded, to be taken one after the other, or closed.

        pieces: of it, one whenever the process wants one.

        Raises:
            RefusedError: It is not for this way, whatever was answered before.
            KalamError: The process was lost, or its memory is used up.
        """
        with self._take_turn() as running:
            link = running.link
            link.send(FlushFrame.LOAD_JOB, pickle.dumps(job))
            link.send(FlushFrame.END)
            link.send(FlushFrame.GO)
            link.flush()
            while True:
                kind, body = link.receive()
                if kind is FlushFrame.SEGMENT:
                    facts = decode_facts(body)
                    yield EncodedSegment(facts, self._pieces(link, facts.size))
                elif kind is FlushFrame.MORE:
                    piece = next(pieces, None)
                    kind = FlushFrame.END if piece is None else FlushFrame.PIECE
                    link.send(kind, piece or b"")
                    link.flush()
                else:
                    break
        if kind is FlushFrame.REFUSED:
            raise RefusedError(body.decode())
        if kind is FlushFrame.ERROR:
            raise from_failure(decode_failure(body))
        assert kind is FlushFrame.END

    def end_idle(self) -> None:
        """End the process if it has had nothing to do for a while; for a thread."""
        if self._running is None or not self._turn.acquire(blocking=False):
            return
        try:
            if time.monotonic() - self._last_used > IDLE_S:
                self._end()
        finally:
            self._turn.release()

    @property
    def idle(self) -> bool:
        """Whether `end_idle` might end something."""
        return self._running is not None and time.monotonic() - self._last_used > IDLE_S

    def close(self) -> None:
        """End the process, whatever it does, for good: a flush that waits for it has an error."""
        self._closed = True
        running = self._running
        if running is not None:
            running.process.kill()
        if self._turn.acquire(blocking=False):  # Else who has the turn will find it gone.
            self._end()
            self._turn.release()

    @contextmanager
    def _take_turn(self) -> Iterator[_Running]:
        while not self._turn.acquire(timeout=CHECK_S):
            self._check()
        try:
            if self._running is not None and self._running.process.poll() is not None:
                self._end()  # It ended while it had nothing to do: nobody's flush is lost with it.
            if self._running is None:
                self._running = self._start()
            yield self._running
        except LinkLostError:
            raise self._lost() from None
        except BaseException:
            # What was asked has not been answered: the next one would take it for theirs.
            self._end()
            raise
        finally:
            self.held_bytes = 0
            self._last_used = time.monotonic()
            self._turn.release()

    def _ask(self, link: Link, jobs: Sequence[Job]) -> Answers:
        failed = [self._send_job(link, job) for job in jobs]
        link.send(FlushFrame.GO)
        link.flush()
        self.held_bytes = 0  # All has been sent: what it is made into takes no memory here.
        for job, error in zip(jobs, failed, strict=True):
            yield error if error is not None else self._answer(link, job)

    def _send_job(self, link: Link, job: Job) -> KalamError | None:
        """Send what a job has to encode; the error if the log cannot be read."""
        if isinstance(job, MergeJob):
            link.send(FlushFrame.MERGE_JOB, pickle.dumps(job))
        elif isinstance(job, FrozenTail):
            link.send(FlushFrame.BATCH_JOB, pickle.dumps((job.layout, job.superseding())))
            for batch in job.versions():
                for piece in _streams(batch):
                    self.held_bytes = COPIES * len(piece)
                    link.send(FlushFrame.BATCH, piece)
        else:
            link.send(FlushFrame.LOG_JOB, pickle.dumps(job.range))
            try:
                for chunk in job.chunks:
                    self.held_bytes = COPIES * sum([len(entry) for _, entry in chunk])
                    link.send(FlushFrame.ENTRIES, encode(chunk))
            except KalamError as exc:
                link.send(FlushFrame.DROP)
                return exc
        link.send(FlushFrame.END)
        return None

    def _answer(self, link: Link, job: Job) -> Encoded | KalamError:
        kind, body = link.receive()
        if kind is FlushFrame.ERROR:
            return from_failure(decode_failure(body))
        assert kind is FlushFrame.TAKEN
        answer = decode_answer(body)
        return Encoded(answer.superseded, answer.truncations, self._segments(link))

    def _segments(self, link: Link) -> Iterator[EncodedSegment]:
        """What follows TAKEN. Asked for by the flush itself, so a loss is told from here."""
        try:
            while (frame := link.receive())[0] is FlushFrame.SEGMENT:
                facts = decode_facts(frame[1])
                yield EncodedSegment(facts, self._pieces(link, facts.size))
        except LinkLostError:
            raise self._lost() from None
        if frame[0] is FlushFrame.ERROR:
            raise from_failure(decode_failure(frame[1]))
        assert frame[0] is FlushFrame.END

    def _pieces(self, link: Link, size: int) -> Iterator[memoryview]:
        try:
            yield from link.receive_pieces(size)
        except LinkLostError:
            raise self._lost() from None

    def _start(self) -> _Running:
        """A new process. Raises InsufficientResourcesError."""
        if self._closed:
            raise AdminShutdownError(f"the {self._work} was given up: the server is shutting down")
        try:
            with ExitStack() as undo:
                running = self._fork(undo)
                running.process.started()
                undo.pop_all()
                return running
        except OSError as exc:
            raise InsufficientResourcesError(
                f"could not start the process that encodes a {self._work}: {exc.strerror}",
                hint=f"Nothing was changed. The next {self._work} tries it again.",
            ) from exc

    def _fork(self, undo: ExitStack) -> _Running:
        ours, theirs = socket.socketpair()
        undo.callback(ours.close)
        with theirs:
            ours.settimeout(CHECK_S)
            stderr = os.memfd_create("kalam-flush-stderr", os.MFD_CLOEXEC)
            undo.callback(os.close, stderr)
            process = self._forks.fork(
                FLUSH_WORKER,
                f"kalam:{self._work}"[:15],
                [str(self._niceness)],
                stderr=stderr,
                descriptors=[theirs.fileno()],
            )
        undo.callback(process.close)
        undo.callback(process.kill)
        return _Running(process, Link(ours, self._check), stderr)

    def _lost(self) -> KalamError:
        running = self._running
        assert running is not None, "lost once"
        try:
            status = running.process.wait(timeout=ENDING_S)
        except TimeoutError:
            running.process.kill()  # It talks to nobody any more, but has not ended.
            status = running.process.wait()
        words = os.pread(running.stderr, _WORDS_BYTES, 0).decode(errors="replace")
        self._end()
        how = f"by signal {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
        error = SystemFailureError(
            f"the {self._work} was given up: the process that encodes its rows ended {how}",
            hint=f"Nothing was changed. The next {self._work} begins again, with another process.",
        )
        if words:
            error.add_note(last_words(words))
        return error

    def _end(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.link.close()
            running.process.kill()
            running.process.wait()
            running.process.close()
            os.close(running.stderr)


def _streams(batch: pa.RecordBatch) -> Iterator[memoryview]:
    """A batch as IPC streams of a bounded size: one for some rows each."""
    rows = max(1, batch.num_rows * BATCH_BYTES // max(1, batch.nbytes))
    for start in range(0, batch.num_rows, rows):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch.slice(start, rows))
        yield memoryview(sink.getvalue())
