"""The flush process, forked by the fork server: it encodes what comes over a socket.

It decodes log entries, sorts them and makes Parquet of them, so that the server's interpreter need not.
It writes no file, and reads none but the segments that a compaction or an index names, so it may be lost
at any time. It has a low priority; it ends when its parent closes the socket, also in the middle of its work.
There is one for flushes and one for compactions.
"""

import os
import pickle
import select
import socket
import threading
from collections.abc import Iterator

import pyarrow as pa

from kalam_pg.engines.errors import to_failure
from kalam_pg.engines.protocol import encode_report
from kalam_pg.failures import place_elsewhere
from kalam_pg.interpreter.index_entries import entry_maker
from kalam_pg.jobs.flush_frames import (
    Answer,
    FlushFrame,
    Link,
    LinkLostError,
    decode_entries,
    encode,
    encode_facts,
)
from kalam_pg.jobs.load_jobs import LoadJob, segments_of
from kalam_pg.rows.copy_columns import RefusedError
from storage.cold.encoder import Taken, encode_taken, take_log
from storage.cold.indexing import IndexJob, build
from storage.cold.merge import MergeJob, merge
from storage.cold.segment_builder import EncodedSegment
from storage.errors import KalamError
from storage.layout import Layout


def main(descriptors: list[int], arguments: list[str]) -> int:
    """Serve until the parent closes its end. descriptors: the socket. arguments: the niceness."""
    (link,), (niceness,) = descriptors, arguments
    os.setpriority(os.PRIO_PROCESS, 0, max(int(niceness), os.getpriority(os.PRIO_PROCESS, 0)))
    with socket.socket(fileno=link) as sock:
        threading.Thread(target=_watch, args=(sock.fileno(),), daemon=True).start()
        worker = Worker(Link(sock))
        try:
            while True:
                worker.answer()
        except LinkLostError:
            return 0


def _watch(descriptor: int) -> None:
    """End the process when the other side has gone. Only a hang-up is waited for, never data."""
    poll = select.poll()
    poll.register(descriptor, 0)
    while not any(events & select.POLLHUP for _, events in poll.poll()):
        pass
    os._exit(0)


Answerable = tuple[Taken, Layout] | MergeJob | IndexJob | LoadJob | KalamError
"""A job, with what came for it, or why it was not taken."""


class _DroppedError(Exception):
    """The job in progress is not wanted any more."""


class Worker:
    """The loop: the jobs up to a GO, then their answers."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def answer(self) -> None:
        """Take jobs up to GO and answer them. Raises LinkLostError."""
        taken: list[Answerable] = []
        while (frame := self._link.receive())[0] is not FlushFrame.GO:
            kind, body = frame
            try:
                taken.append(self._take(kind, body))
            except _DroppedError:
                continue
        taken.reverse()
        while taken:
            # Popped, so that one tablet's rows are freed before the next one's are encoded.
            self._tell(taken.pop())
        self._link.flush()
        pa.default_memory_pool().release_unused()

    def _take(self, kind: FlushFrame, body: bytes) -> Answerable:
        job = pickle.loads(body)  # noqa: S301 - the parent is trusted, see flush_frames
        bodies = self._bodies()
        try:
            if isinstance(job, MergeJob | IndexJob | LoadJob):
                for _ in bodies:
                    pass  # Its files say the rest, or it asks for it.
                return job
            if kind is FlushFrame.LOG_JOB:
                return take_log(job, map(decode_entries, bodies)), job.layouts[-1]
            layout, superseding = job
            return Taken(list(_batches(bodies)), superseding, ()), layout
        except (LinkLostError, _DroppedError):
            raise
        except KalamError as exc:
            error = exc
        except Exception as exc:  # noqa: BLE001 - a bug in here is this job's alone
            error = _failed(exc)
        for _ in bodies:
            pass
        return error

    def _bodies(self) -> Iterator[bytes]:
        while (frame := self._link.receive())[0] is not FlushFrame.END:
            if frame[0] is FlushFrame.DROP:
                raise _DroppedError
            yield frame[1]

    def _tell(self, answer: Answerable) -> None:
        link = self._link
        if isinstance(answer, KalamError):
            link.send(FlushFrame.ERROR, encode_report(to_failure(answer)))
            return
        if isinstance(answer, IndexJob):
            self._tell_index(answer)
            return
        if isinstance(answer, LoadJob):
            self._tell_load(answer)
            return
        segments: Iterator[EncodedSegment]
        if isinstance(answer, MergeJob):
            told, segments = Answer(0, ()), merge(answer)
        else:
            taken, layout = answer
            told = Answer(len(taken.superseding), taken.truncations)
            segments = encode_taken(taken, layout)
            del taken
        del answer
        try:
            link.send(FlushFrame.TAKEN, encode(told))
            self._tell_segments(segments)
        except LinkLostError:
            raise
        except KalamError as exc:
            link.send(FlushFrame.ERROR, encode_report(to_failure(exc)))
        except Exception as exc:  # noqa: BLE001 - a bug in here is this job's alone
            link.send(FlushFrame.ERROR, encode_report(to_failure(_failed(exc))))

    def _tell_segments(self, segments: Iterator[EncodedSegment]) -> None:
        for segment in segments:
            self._link.send(FlushFrame.SEGMENT, encode_facts(segment.facts))
            for piece in segment.pieces:
                self._link.send_bytes(memoryview(piece))
        self._link.send(FlushFrame.END)

    def _tell_load(self, job: LoadJob) -> None:
        link = self._link
        try:
            self._tell_segments(segments_of(job, self._asked()))
        except LinkLostError:
            raise
        except RefusedError as exc:
            link.send(FlushFrame.REFUSED, str(exc)[:200].encode(errors="replace"))
        except KalamError as exc:
            link.send(FlushFrame.ERROR, encode_report(to_failure(exc)))
        except Exception as exc:  # noqa: BLE001 - a bug in here is this job's alone
            link.send(FlushFrame.ERROR, encode_report(to_failure(_failed(exc))))

    def _asked(self) -> Iterator[bytes]:
        """What is loaded, a piece whenever one is wanted."""
        while True:
            self._link.send(FlushFrame.MORE)
            self._link.flush()
            kind, body = self._link.receive()
            if kind is FlushFrame.END:
                return
            yield body

    def _tell_index(self, job: IndexJob) -> None:
        try:
            pieces = build(job, entry_maker(job.definition))
        except KalamError as exc:
            self._link.send(FlushFrame.ERROR, encode_report(to_failure(exc)))
        except Exception as exc:  # noqa: BLE001 - a bug in here is this job's alone
            self._link.send(FlushFrame.ERROR, encode_report(to_failure(_failed(exc))))
        else:
            self._link.send(FlushFrame.INDEX, sum(map(len, pieces)).to_bytes(8, "little"))
            for piece in pieces:
                self._link.send_bytes(piece)


def _batches(bodies: Iterator[bytes]) -> Iterator[pa.RecordBatch]:
    for body in bodies:
        yield from pa.ipc.open_stream(body)


def _failed(exc: Exception) -> KalamError:
    error = KalamError("the rows of a flush could not be encoded")
    error.add_note(place_elsewhere(exc))
    return error
