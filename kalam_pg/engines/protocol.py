"""What passes between the pool and a worker: frames over a socket pair, and how their bodies are coded.

A frame is a 4-byte little-endian length (of what follows it), one byte that says what it is, and a
body. File descriptors travel beside `QUERY` frames (SCM_RIGHTS), in the order in which the body
counts them. This module has no I/O in it.

The parent's frames are pickles: the parent is trusted by its worker. A worker runs what users
wrote, so the parent never unpickles what a worker sends: those bodies are msgpack, Arrow IPC or
DataRow messages.
"""

import mmap
import pickle
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import msgspec
import pyarrow as pa

from kalam_pg.engines.request import DeletedRows, Limits, Program, SegmentRef, UdfSpec, WireResult

FRAME_BYTES_MAX = 1 << 30
"""No frame is longer: a row has at most 1 GiB in PostgreSQL too (MaxAllocSize)."""

_HEADER = struct.Struct("<IB")


class WorkerFrame(IntEnum):
    """What a frame is. Parent to worker: QUERY, CANCEL, TAKEN. The others: worker to parent."""

    QUERY = 1
    CANCEL = 2
    READY = 3
    SCHEMA = 4  # Arrow IPC schema, before the first batch of an Arrow result
    BATCH = 5  # Arrow IPC record batch
    ROWS = 6  # 4-byte row count, then DataRow messages
    ERROR = 7  # Failure: the query is over, DONE follows
    DONE = 8  # Done: the worker is idle again
    PLACED = 9  # Placed: DataRow messages lie in the worker's area
    TAKEN = 10  # From the parent: the oldest piece in the area is not needed any more


@dataclass(frozen=True, slots=True)
class SharedBatch:
    """A batch that comes through a descriptor now (`size` bytes), or that the worker holds (0)."""

    id: int
    size: int = 0


@dataclass(frozen=True, slots=True)
class TableBody:
    """`request.TableInput` as it travels: hot batches are named or come inline as IPC bytes."""

    name: str
    schema: pa.Schema
    hot: tuple[SharedBatch | bytes, ...]
    segments: tuple[SegmentRef, ...]
    key_columns: tuple[str, ...]
    key_kinds: tuple[str, ...]
    superseded: pa.RecordBatch | None
    overlapping: bool
    missing: dict[str, object]
    prefix: str = ""
    deleted: DeletedRows | None = None


@dataclass(frozen=True, slots=True)
class QueryBody:
    """`request.EngineQuery` as it travels. result None asks for Arrow."""

    sql: str
    tables: tuple[TableBody, ...]
    udfs: tuple[UdfSpec, ...]
    result: WireResult | None
    context: dict[str, object]
    limits: Limits
    direct: tuple[str, ...] = ()
    steps: tuple[tuple[str, str], ...] = ()
    program: Program | None = None


class Failure(msgspec.Struct, frozen=True):
    """An error for the client, by SQLSTATE, with ErrorResponse's further fields."""

    sqlstate: str
    message: str
    fields: dict[str, str | int] = msgspec.field(default_factory=dict)


class Done(msgspec.Struct, frozen=True):
    """dropped: ids of the batches that the worker gave up to stay within its bound."""

    dropped: list[int] = msgspec.field(default_factory=list)


class Placed(NamedTuple):
    """How many rows lie where in the worker's area; sizes in bytes."""

    rows: int
    start: int
    size: int


_PLACED = struct.Struct("<IQQ")


def encode_placed(placed: Placed) -> bytes:
    """A PLACED frame's body."""
    return _PLACED.pack(*placed)


def decode_placed(body: bytes, area_bytes: int) -> Placed:
    """Read a PLACED frame's body. Raises ValueError: it is not one, or not within the area."""
    if len(body) != _PLACED.size:
        raise ValueError(f"PLACED of {len(body)} bytes")
    placed = Placed(*_PLACED.unpack(body))
    if placed.start + placed.size > area_bytes:
        raise ValueError(f"{placed} is not in an area of {area_bytes} bytes")
    return placed


def pack(kind: WorkerFrame, *parts: bytes | memoryview) -> list[bytes | memoryview]:
    """One frame as buffers for `sendmsg`."""
    length = 1 + sum(len(part) for part in parts)
    if length > FRAME_BYTES_MAX:
        raise ValueError(f"frame of {length} bytes")
    return [_HEADER.pack(length, kind), *parts]


def encode_query(body: QueryBody) -> bytes:
    """A QUERY frame's body."""
    return pickle.dumps(body, protocol=pickle.HIGHEST_PROTOCOL)


def decode_query(body: bytes) -> QueryBody:
    """Read what `encode_query` wrote; only ever called in a worker, on its parent's bytes."""
    query = pickle.loads(body)  # noqa: S301 - the parent is trusted, see the module's docstring
    assert isinstance(query, QueryBody)
    return query


_failure = msgspec.msgpack.Decoder(Failure)
_done = msgspec.msgpack.Decoder(Done)
encode_report = msgspec.msgpack.Encoder().encode
decode_failure = _failure.decode
decode_done = _done.decode


@dataclass(slots=True)
class FrameReader:
    """Cuts received bytes into frames. `feed` them, then take what `frames` yields."""

    _buffer: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Add what was received."""
        self._buffer += data

    def frames(self) -> Iterator[tuple[WorkerFrame, bytes]]:
        """Each complete frame, once; an incomplete one stays for the next call."""
        start = 0
        try:
            while len(self._buffer) - start >= _HEADER.size:
                length, kind = _HEADER.unpack_from(self._buffer, start)
                if not 1 <= length <= FRAME_BYTES_MAX:
                    raise ValueError(f"frame of {length} bytes")
                end = start + 4 + length
                if len(self._buffer) < end:
                    break
                body = bytes(memoryview(self._buffer)[start + _HEADER.size : end])
                start = end
                yield WorkerFrame(kind), body
        finally:
            del self._buffer[:start]

    def take_started(self) -> tuple[WorkerFrame, memoryview, int]:
        """Hand over the incomplete frame: its kind, room for its whole body, and how much is there."""
        length, kind = _HEADER.unpack_from(self._buffer)
        # Pages that come as they are filled: to clear so much at once holds the event loop.
        body = memoryview(mmap.mmap(-1, length - 1))
        filled = len(self._buffer) - _HEADER.size
        body[:filled] = memoryview(self._buffer)[_HEADER.size :]
        self._buffer.clear()
        return WorkerFrame(kind), body, filled

    def missing(self) -> int:
        """How many bytes the frame in progress lacks, 0 when that is not known yet."""
        if len(self._buffer) < _HEADER.size:
            return 0
        length, _ = _HEADER.unpack_from(self._buffer)
        return int(max(0, 4 + length - len(self._buffer)))
