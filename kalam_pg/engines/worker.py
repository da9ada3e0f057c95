"""A worker process, forked by the fork server: it answers the queries that come over a socket.

It runs what users wrote, so it is built to be lost: it dies with its parent, has no terminal and no
signals from one, and whatever happens to it touches the one query that it runs.
"""

import array
import contextlib
import resource
import select
import socket
from collections import deque
from pathlib import Path

import pyarrow as pa

from kalam_pg.engines.area import PIECE_BYTES_MAX, PIECE_BYTES_MIN, Area
from kalam_pg.engines.context import Sessions
from kalam_pg.engines.encoded import EncodedRows
from kalam_pg.engines.errors import from_datafusion, to_failure
from kalam_pg.engines.execution import Execution
from kalam_pg.engines.inputs import Input
from kalam_pg.engines.merging import Merges
from kalam_pg.engines.protocol import (
    Done,
    FrameReader,
    Placed,
    QueryBody,
    SharedBatch,
    TableBody,
    WorkerFrame,
    decode_query,
    encode_placed,
    encode_report,
    pack,
)
from kalam_pg.engines.request import EngineSettings, WireChunk
from kalam_pg.engines.segments import VerifiedSegments
from kalam_pg.engines.shared import BatchCache, from_ipc
from storage.errors import KalamError

_SET_ASIDE_BYTES = 256 << 20
"""What threads and their allocators take before anything is put there: a query begins dozens of them."""

_FDS_MAX = 253
"""SCM_MAX_FD: descriptors that one message can carry."""


def main(descriptors: list[int], arguments: list[str]) -> int:
    """Serve until the parent closes its end.

    descriptors: the socket, the area for rows. arguments: as `EngineSettings` has them.
    """
    link, rows = descriptors
    partitions, pool_bytes, spill_directory = arguments
    settings = EngineSettings(
        partitions=int(partitions),
        pool_bytes=int(pool_bytes),
        spill_directory=Path(spill_directory) if spill_directory else None,
    )
    with socket.socket(fileno=link) as sock:
        Worker(sock, settings, Area.map(rows)).serve()
    return 0


class Worker:
    """The loop: one query at a time, its chunks as they come."""

    def __init__(self, link: socket.socket, settings: EngineSettings, area: Area) -> None:
        self._link = link
        self._area = area
        self._encoded = EncodedRows()
        self._sessions = Sessions(settings)
        self._reader = FrameReader()
        self._frames: deque[tuple[WorkerFrame, bytes]] = deque()
        self._descriptors: deque[int] = deque()
        self._cache = BatchCache()
        self._verified = VerifiedSegments()
        self._merges = Merges()
        self._idle_bytes = _data_bytes()

    def serve(self) -> None:
        """Answer queries until end of file."""
        self._warm_up()
        self._send(WorkerFrame.READY)
        while (frame := self._receive()) is not None:
            kind, body = frame
            if kind is WorkerFrame.QUERY:  # A late CANCEL or TAKEN is for a query that has ended.
                self._area.begin()
                self._answer(decode_query(body))

    def _warm_up(self) -> None:
        """The first query of a process is ten times slower; let it not be a user's."""
        first = Execution("SELECT 1 AS a", (), (), None, {}, self._sessions, self._verified)
        for _ in first.chunks():
            pass

    def _answer(self, query: QueryBody) -> None:
        kept = self._encoded.bytes_max + self._merges.bytes_max
        limit = self._idle_bytes + kept + query.limits.memory_bytes + _SET_ASIDE_BYTES
        resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.RLIM_INFINITY))
        try:
            tables = tuple(self._input(table) for table in query.tables)
            execution = Execution(
                query.sql,
                tables,
                query.udfs,
                query.result,
                query.context,
                self._sessions,
                self._verified,
                query.direct,
                self._encoded,
                self._merges,
                query.steps,
                query.program,
            )
            chunks = execution.chunks()
            with contextlib.closing(chunks):
                for chunk in chunks:
                    if not self._send_chunk(chunk) or self._is_canceled():
                        break
        except KalamError as exc:
            self._send(WorkerFrame.ERROR, encode_report(to_failure(exc)))
        except (BrokenPipeError, ConnectionResetError):
            raise SystemExit(0) from None
        except Exception as exc:  # noqa: BLE001 - a bug in here must not cost the worker
            self._send(WorkerFrame.ERROR, encode_report(to_failure(from_datafusion(exc))))
        self._send(WorkerFrame.DONE, encode_report(Done(self._cache.trim())))

    def _input(self, table: TableBody) -> Input:
        batches = [(self._batch(b), 0 if isinstance(b, bytes) else b.id) for b in table.hot]
        return Input(
            table.name,
            table.schema,
            tuple(piece for pieces, _ in batches for piece in pieces),
            table.segments,
            table.key_columns,
            table.key_kinds,
            table.superseded,
            table.overlapping,
            table.missing,
            tuple(number for pieces, number in batches for _ in pieces),
            table.prefix,
            table.deleted,
        )

    def _batch(self, batch: SharedBatch | bytes) -> list[pa.RecordBatch]:
        if isinstance(batch, bytes):
            return from_ipc(batch)
        if batch.size:
            self._cache.add(batch.id, self._descriptors.popleft(), batch.size)
        return self._cache.get(batch.id)

    def _send_chunk(self, chunk: pa.Schema | pa.RecordBatch | WireChunk) -> bool:
        """False: the query was cancelled while there was no room for more."""
        if isinstance(chunk, WireChunk):
            if PIECE_BYTES_MIN <= len(chunk.data) <= PIECE_BYTES_MAX:
                return self._place(chunk)
            self._send(WorkerFrame.ROWS, chunk.rows.to_bytes(4, "little"), chunk.data)
        elif isinstance(chunk, pa.Schema):
            self._send(WorkerFrame.SCHEMA, memoryview(chunk.serialize()))
        else:
            self._send(WorkerFrame.BATCH, memoryview(chunk.serialize()))
        return True

    def _place(self, chunk: WireChunk) -> bool:
        while (start := self._area.place(chunk.data)) is None:
            if self._is_end(self._receive()):
                return False
        self._send(WorkerFrame.PLACED, encode_placed(Placed(chunk.rows, start, len(chunk.data))))
        return True

    def _send(self, kind: WorkerFrame, *parts: bytes | memoryview) -> None:
        buffers = [memoryview(part) for part in pack(kind, *parts)]
        while buffers:
            sent = self._link.sendmsg(buffers)
            while buffers and sent >= len(buffers[0]):
                sent -= len(buffers.pop(0))
            if buffers:
                buffers[0] = buffers[0][sent:]

    def _is_canceled(self) -> bool:
        while self._frames or select.select([self._link], [], [], 0)[0]:
            if self._is_end(self._receive()):
                return True
        return False

    def _is_end(self, frame: tuple[WorkerFrame, bytes] | None) -> bool:
        """What came during a query: whether it ends it."""
        if frame is not None and frame[0] is WorkerFrame.TAKEN:
            self._area.taken()
            return False
        return True

    def _receive(self) -> tuple[WorkerFrame, bytes] | None:
        """The next frame; None at end of file."""
        while not self._frames:
            data, ancillary, _, _ = self._link.recvmsg(
                1 << 18, socket.CMSG_SPACE(_FDS_MAX * array.array("i").itemsize)
            )
            for level, what, payload in ancillary:
                if level == socket.SOL_SOCKET and what == socket.SCM_RIGHTS:
                    descriptors = array.array("i")
                    descriptors.frombytes(payload)
                    self._descriptors.extend(descriptors)
            if not data:
                return None
            self._reader.feed(data)
            self._frames.extend(self._reader.frames())
        return self._frames.popleft()


def _data_bytes() -> int:
    """What the process has of memory of its own: RLIMIT_DATA counts it, and no file or shared memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5])
    return pages * resource.getpagesize()
