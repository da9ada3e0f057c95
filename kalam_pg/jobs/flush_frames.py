"""What passes between a flush's thread and the flush process: frames over a socket pair.

A frame is one byte that says what it is, an 8-byte little-endian length, and a body. The parent names
a job (a pickle: the process trusts its parent), sends what it is to encode, and ENDs it; after the last
one it says GO, and nothing comes back before that, so neither side ever waits for the other to read.
Then each job is answered by TAKEN, its SEGMENTs (each followed by its bytes, without a frame) and END,
or by an ERROR; one for an index file by that, or by its INDEX. A load is told alone, and what is to be
loaded is asked for: each MORE is answered by a PIECE or by END, and between come SEGMENTs, at last END,
REFUSED or ERROR, so that neither has more of it than it works on. What the process sends is msgpack: it
decodes what users wrote.
"""

import socket
import struct
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import NamedTuple

import msgspec

from storage.cold.manifest import ColumnStats
from storage.cold.segment_builder import PIECE_BYTES, SegmentFacts
from storage.tail.entries import Chunk

_HEADER = struct.Struct("<BQ")

_BUFFER_BYTES = 128 << 10
"""Smaller frames are gathered up to this."""


class FlushFrame(IntEnum):
    """What a frame is."""

    LOG_JOB = 1  # LogRange
    ENTRIES = 2  # a chunk of log keys and entries
    BATCH_JOB = 3  # (Layout, superseding keys)
    BATCH = 4  # Arrow IPC stream of one batch
    END = 5  # the job, or its answer, is complete
    DROP = 6  # the job is not wanted after all, and gets no answer
    GO = 7
    TAKEN = 8  # Answer
    SEGMENT = 9  # Facts, then `size` bytes
    ERROR = 10  # engines.protocol.Failure
    MERGE_JOB = 11  # MergeJob
    INDEX_JOB = 12  # IndexJob
    INDEX = 13  # how many bytes an index file has, then these
    LOAD_JOB = 14  # LoadJob
    PIECE = 15  # some of what is loaded
    REFUSED = 16  # what is sent is for the general way to tell
    MORE = 17  # the next PIECE is wanted


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """What is said of a job before its segments: see `storage.cold.encoder.Encoded`."""

    superseded: int
    truncations: tuple[int, ...]


class _Stats(NamedTuple):
    minimum: bool | int | float | str | None
    maximum: bool | int | float | str | None
    nulls: int


class Facts(msgspec.Struct, frozen=True, array_like=True):
    """`storage.cold.segment_builder.SegmentFacts` as they travel."""

    key_filter: bytes
    rows: int
    deleted: int
    size: int
    sha256: str
    min_seq: int
    max_seq: int
    min_key: bytes
    max_key: bytes
    columns: dict[str, _Stats]
    shaped: list[str]


encode = msgspec.msgpack.Encoder().encode
decode_entries = msgspec.msgpack.Decoder(Chunk).decode
decode_answer = msgspec.msgpack.Decoder(Answer).decode
_decode_facts = msgspec.msgpack.Decoder(Facts).decode


def encode_facts(facts: SegmentFacts) -> bytes:
    """A SEGMENT frame's body."""
    columns = {name: (c.minimum, c.maximum, c.nulls) for name, c in facts.columns.items()}
    values = (
        *(facts.key_filter, facts.rows, facts.deleted, facts.size, facts.sha256),
        *(
            facts.min_seq,
            facts.max_seq,
            facts.min_key,
            facts.max_key,
            columns,
            sorted(facts.shaped),
        ),
    )
    return encode(values)


def decode_facts(body: bytes) -> SegmentFacts:
    """Read what `encode_facts` wrote."""
    facts = _decode_facts(body)
    return SegmentFacts(
        key_filter=facts.key_filter,
        rows=facts.rows,
        deleted=facts.deleted,
        size=facts.size,
        sha256=facts.sha256,
        min_seq=facts.min_seq,
        max_seq=facts.max_seq,
        min_key=facts.min_key,
        max_key=facts.max_key,
        columns={name: ColumnStats(*stats) for name, stats in facts.columns.items()},
        shaped=frozenset(facts.shaped),
    )


class LinkLostError(Exception):
    """The other side has ended."""


class Link:
    """One end of the socket pair, for one thread. Waiting for the other side lets others run.

    check: called now and then while it waits, if the socket has a timeout; may raise.
    """

    def __init__(self, sock: socket.socket, check: Callable[[], None] = lambda: None) -> None:
        self._sock = sock
        self._check = check
        self._outbox = bytearray()
        self._inbox = memoryview(b"")
        self._room = memoryview(bytearray(_BUFFER_BYTES))

    def send(self, kind: FlushFrame, body: bytes | memoryview = b"") -> None:
        """Send one frame, with those that come soon; `flush` ends the waiting. Raises LinkLostError."""
        self._outbox += _HEADER.pack(kind, len(body))
        self.send_bytes(body)

    def send_bytes(self, data: bytes | memoryview) -> None:
        """Send bytes as they are, as `send` does."""
        if len(data) >= _BUFFER_BYTES:
            self.flush()
            self._send_now(data)
            return
        self._outbox += data
        if len(self._outbox) >= _BUFFER_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send what waits. Raises LinkLostError."""
        outbox, self._outbox = self._outbox, bytearray()
        self._send_now(outbox)

    def _send_now(self, data: bytes | bytearray | memoryview) -> None:
        left = memoryview(data).cast("B")
        while left:
            try:
                left = left[self._sock.send(left) :]
            except TimeoutError:
                self._check()
            except OSError as exc:
                raise LinkLostError from exc

    def receive(self) -> tuple[FlushFrame, bytes]:
        """The next frame. Raises LinkLostError."""
        kind, length = _HEADER.unpack(self._take(_HEADER.size))
        return FlushFrame(kind), self._take(length)

    def receive_pieces(self, size: int) -> Iterator[memoryview]:
        """The next `size` bytes. A piece holds until the next is asked for. Raises LinkLostError."""
        if size <= len(self._inbox):
            yield self._inbox[:size]
            self._inbox = self._inbox[size:]
            return
        room = memoryview(bytearray(min(size, PIECE_BYTES)))
        while size:
            piece = room[: min(size, PIECE_BYTES)]
            self._fill(piece)
            size -= len(piece)
            yield piece

    def close(self) -> None:
        """Close this end: the other side's next frame is its last."""
        self._sock.close()

    def _take(self, size: int) -> bytes:
        if size > len(self._inbox):
            data = bytearray(size)
            self._fill(memoryview(data))
            return bytes(data)
        taken, self._inbox = bytes(self._inbox[:size]), self._inbox[size:]
        return taken

    def _fill(self, room: memoryview) -> None:
        have = min(len(room), len(self._inbox))
        room[:have] = self._inbox[:have]
        self._inbox, room = self._inbox[have:], room[have:]
        while len(room) >= _BUFFER_BYTES:
            room = room[self._receive_into(room) :]
        while room:
            # Small frames come many at a time: each wait gives the interpreter away.
            self._inbox = self._room[: self._receive_into(self._room)]
            have = min(len(room), len(self._inbox))
            room[:have] = self._inbox[:have]
            self._inbox, room = self._inbox[have:], room[have:]

    def _receive_into(self, room: memoryview) -> int:
        while True:
            try:
                received = self._sock.recv_into(room)
            except TimeoutError:
                self._check()
                continue
            except OSError as exc:
                raise LinkLostError from exc
            if not received:
                raise LinkLostError
            return received
