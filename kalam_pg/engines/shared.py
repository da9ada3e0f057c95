"""Handing record batches to workers: sealed memory files that every worker maps, copied once.

The parent keeps the memory files (`SharedBatches`), a worker what it has mapped (`BatchCache`). Both
are bounded by bytes, the least recently used goes first. Workers map the same pages, so a batch costs
its size once, however many workers hold it.
"""

import fcntl
import mmap
import os
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

import pyarrow as pa

from kalam_pg.engines.request import BatchRef

INLINE_BYTES_MAX = 32 << 10
"""A batch up to this size travels in the query itself: copying 32 KiB takes 5 µs, a memory file 60."""

# Whoever maps the file may rely on its bytes: neither parent nor a worker gone wrong can change them.
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


PIECE_ROWS = 8192
"""Rows of one piece: DataFusion's batch size. It counts a slice of a batch as the whole of it, so a
large batch that it cuts up itself seems to fill its memory pool many times over."""


def to_ipc(batch: pa.RecordBatch) -> bytes:
    """One batch as an Arrow IPC stream of pieces."""
    sink = pa.BufferOutputStream()
    _write_pieces(sink, batch)
    return bytes(memoryview(sink.getvalue()))


def from_ipc(data: "bytes | memoryview | pa.Buffer") -> list[pa.RecordBatch]:
    """The pieces of `to_ipc`'s batch, without copying."""
    return list(pa.ipc.open_stream(pa.py_buffer(data)))


def _write_pieces(sink: pa.NativeFile, batch: pa.RecordBatch) -> None:
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        for start in range(0, max(batch.num_rows, 1), PIECE_ROWS):
            writer.write_batch(batch.slice(start, PIECE_ROWS))


@dataclass(frozen=True, slots=True)
class MemoryFile:
    """A batch in a sealed memory file: `size` bytes of Arrow IPC stream behind descriptor `fd`."""

    fd: int
    size: int


@dataclass(slots=True)
class SharedBatches:
    """The parent's memory files, by batch id, at most `bytes_max` of them beside those in use."""

    bytes_max: int = 512 << 20
    bytes_held: int = 0
    _files: "OrderedDict[int, MemoryFile]" = field(default_factory=OrderedDict)

    def get(self, ref: BatchRef) -> MemoryFile:
        """The memory file of `ref`, made when it is not there."""
        file = self._files.get(ref.id)
        return self.put(ref, write(ref.batch)) if file is None else self._used(ref, file)

    def known(self, ref: BatchRef) -> bool:
        """Whether it has one."""
        return ref.id in self._files

    def put(self, ref: BatchRef, file: MemoryFile) -> MemoryFile:
        """Its memory file, which was made in a thread: that one, or another that came first."""
        there = self._files.get(ref.id)
        if there is not None:
            os.close(file.fd)
            return self._used(ref, there)
        self._files[ref.id] = file
        self.bytes_held += file.size
        return file

    def _used(self, ref: BatchRef, file: MemoryFile) -> MemoryFile:
        self._files.move_to_end(ref.id)
        return file

    def trim(self, in_use: Iterable[int] = ()) -> None:
        """Close the files least recently used until the bound holds, but none of `in_use`."""
        keep = set(in_use)
        for batch_id in list(self._files):
            if self.bytes_held <= self.bytes_max:
                return
            if batch_id not in keep:
                file = self._files.pop(batch_id)
                self.bytes_held -= file.size
                os.close(file.fd)

    def close(self) -> None:
        """Close every file; workers keep what they have mapped."""
        for file in self._files.values():
            os.close(file.fd)
        self._files.clear()
        self.bytes_held = 0


def write(batch: pa.RecordBatch) -> MemoryFile:
    """A memory file of a batch. Raises OSError."""
    fd = os.memfd_create("kalam-batch", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with os.fdopen(fd, "wb", closefd=False) as file:
            _write_pieces(pa.PythonFile(file, mode="w"), batch)
            size = file.tell()
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(fd)
        raise
    return MemoryFile(fd, size)


@dataclass(slots=True)
class BatchCache:
    """A worker's mapped batches, by id. The parent is told of every one that is dropped."""

    bytes_max: int = 256 << 20
    bytes_held: int = 0
    _batches: "OrderedDict[int, tuple[list[pa.RecordBatch], int]]" = field(
        default_factory=OrderedDict
    )

    def add(self, batch_id: int, fd: int, size: int) -> None:
        """Map the memory file `fd` and close it."""
        try:
            # Private: a write-sealed file cannot be mapped shared before Linux 6.7.
            mapped = mmap.mmap(fd, size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
        finally:
            os.close(fd)
        self._batches[batch_id] = (from_ipc(memoryview(mapped)), size)
        self.bytes_held += size

    def get(self, batch_id: int) -> list[pa.RecordBatch]:
        """The pieces of a batch that was added and not dropped since."""
        self._batches.move_to_end(batch_id)
        return self._batches[batch_id][0]

    def trim(self) -> list[int]:
        """Drop the least recently used until the bound holds; between queries only."""
        dropped = []
        while self.bytes_held > self.bytes_max:
            batch_id, (_, size) = self._batches.popitem(last=False)
            self.bytes_held -= size
            dropped.append(batch_id)
        return dropped
