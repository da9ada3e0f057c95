"""Log entries on their way to Arrow: in chunks as the log has them, and into a tail."""

from collections.abc import Iterable, Iterator, Sequence

from storage.errors import DataCorruptedError
from storage.ids import TabletId
from storage.keys import split_log_key
from storage.log.log_entry import Op, decode_entry
from storage.log.view import View
from storage.schema import Schema
from storage.tail.changes import TabletChange
from storage.tail.tail import Tail

Chunk = list[tuple[bytes, bytes]]
"""Log keys and entries, as they lie in the store."""

CHUNK_ENTRIES = 512
"""Making so many takes some 0.4 ms, of which the interpreter is held for a few µs at a time."""

CHUNK_BYTES = 256 << 10
"""More is in a chunk only when it is a single entry."""


def chunks(pairs: Iterable[tuple[bytes, bytes]]) -> Iterator[Chunk]:
    """Raw pairs in chunks bounded by number and bytes."""
    chunk: Chunk = []
    size = 0
    for pair in pairs:
        chunk.append(pair)
        size += len(pair[1])
        if size >= CHUNK_BYTES or len(chunk) >= CHUNK_ENTRIES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def split(found: Iterable[Chunk]) -> Iterator[tuple[int, int, bytes]]:
    """(seq, n, entry) of every pair in chunks."""
    for chunk in found:
        for key, data in chunk:
            _, seq, n = split_log_key(key)
            yield seq, n, data


def built(view: View, tablet: TabletId, schema: Schema, base: int) -> tuple[Tail, list[int]]:
    """A tail of the entries behind `base` that a view has, and what `fill` returns. Raises as that."""
    tail = Tail(schema.layout, base)
    return tail, fill(tail, schema, view.log(tablet, base))


def fill(tail: Tail, schema: Schema, entries: Iterable[tuple[int, int, bytes]]) -> list[int]:
    """Append log entries to a tail; returns the seqs of TRUNCATEs met.

    Raises:
        DataCorruptedError: An entry is not what was written.
    """
    truncations = []
    append, key_of, version = tail.append, schema.key_of, schema.layout.version
    for seq, _, data in entries:
        entry = decode_entry(data)
        op, row, old = entry.op, entry.row, entry.old
        if op is Op.TRUNCATE:
            truncations.append(seq)
            continue
        if op is Op.LOAD:
            raise DataCorruptedError("this version knows no direct segments")
        if entry.version != version:
            row = schema.newest(row, entry.version)
            old = None if old is None else schema.newest(old, entry.version)
        append(seq, key_of(row), row, op, old, len(data))
    return truncations


def take_in(tail: Tail, schema: Schema, seq: int, changes: Sequence[TabletChange]) -> None:
    """Add what a commit has done to rows, in any version of their table."""
    version = schema.layout.version
    if len(changes) > 1 and all(change.version == version for change in changes):
        tail.extend(seq, changes)
        return
    for change in changes:
        row, old = change.row, change.old
        if change.version != version:
            row = schema.newest(row, change.version)
            old = None if old is None else schema.newest(old, change.version)
        tail.append(seq, change.key, row, change.op, old, change.size)
