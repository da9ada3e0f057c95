"""Making the index files of a tablet's segments; `storage.cold.collect` removes what nobody asks for.

A file may be made at any time after its segment, by anybody, any number of times: it is the same each time,
and no answer depends on whether it is there. So nothing is announced in the log, and what a crash leaves is
either the whole file under its name, or one whose name means nothing.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from storage import failpoints
from storage.cold import index_file, index_reader
from storage.cold.decoded import DECODED
from storage.cold.directories import Directories
from storage.cold.index_file import Entry
from storage.cold.index_reader import IndexLostError
from storage.cold.manifest import Segment
from storage.cold.point_read import SegmentReader
from storage.cold.row_groups import RowGroups
from storage.cold.sight import Piece, Sight
from storage.errors import DiskFullError, KalamError
from storage.fs import OS, Buffer, FileSystem
from storage.ids import TabletId
from storage.layout import Layout, Row

ROOM_BYTES = 64 << 20
"""An index file leaves so much of a disk to those that rows need."""

EntryOf = Callable[[Row], bytes | None]
"""What a row sorts by in an index, None for one that the index does not have. May raise KalamError."""


@dataclass(frozen=True, slots=True)
class IndexJob:
    """One index file to be made. reads: positions of the columns that `entry_of` looks at.

    definition: what the process that does it makes `entry_of` of.
    """

    tablet: TabletId
    segment: Segment
    layout: Layout
    reads: tuple[int, ...]
    mark: str
    definition: bytes


class IndexHost(Protocol):
    """What making index files needs of the engine. Called from a worker thread."""

    fs: FileSystem
    directories: Directories

    def exists(self, tablet: TabletId) -> bool:
        """Whether the catalog still has the tablet's table (on the loop)."""
        ...

    def run_on_loop(self, call: Callable[[], bool]) -> bool:
        """Call on the event loop and wait for its answer."""
        ...


def build(job: IndexJob, entry_of: EntryOf, fs: FileSystem = OS) -> list[bytes]:
    """The index file of a segment, in pieces.

    Raises:
        DataCorruptedError: The segment is not what was written.
        IoError: It cannot be read.
    """
    sorter = index_file.Sorter()
    try:
        for row, key in _keys(job, entry_of, fs):
            sorter.add(Entry(key, row))
    except _NoIndexError:
        return index_file.encode(job.segment.sha256, None)
    finally:
        DECODED.forget(job.segment.path)
    return index_file.encode(job.segment.sha256, sorter.sorted())


class _NoIndexError(Exception):
    """A row has no entry that could be written."""


def _keys(job: IndexJob, entry_of: EntryOf, fs: FileSystem) -> Iterator[tuple[int, bytes]]:
    """The number of each live row that the index has, and what it sorts by."""
    groups = RowGroups(SegmentReader(fs, job.segment, job.tablet), job.layout)
    segment = _Columns(groups, deleted=job.segment.deleted > 0)
    start = 0
    for group in range(groups.count):
        piece = segment.piece(group)
        live = piece.matching(())
        at = pa.array(range(piece.count)) if live is None else pc.indices_nonzero(live)
        for place, row in zip(at.to_pylist(), piece.rows(at, job.reads), strict=True):
            try:
                key = entry_of(row)
            except KalamError:
                raise _NoIndexError from None  # A query that needs the value tells.
            if key is None:
                continue
            if len(key) > index_file.KEY_BYTES_MAX:
                raise _NoIndexError
            yield start + place, key
        start += piece.count


class _Columns:
    """A segment's row groups as pieces that nothing hides rows of."""

    def __init__(self, groups: RowGroups, *, deleted: bool) -> None:
        self._groups = groups
        self._deleted = deleted

    def piece(self, group: int) -> Piece:
        """One row group."""
        groups = self._groups

        def columns(names: Sequence[str]) -> dict[str, pa.Array]:
            return groups.columns(group, names)

        count = groups.rows(group)
        return Piece(groups.layout, count, columns, None, deleted=self._deleted)


def publish_index(host: IndexHost, job: IndexJob, size: int, pieces: Iterable[Buffer]) -> bool:
    """Write a file under its name; False when its segment has gone, or its table. For a worker thread.

    size: of all pieces, which come once. Not all of them are taken when it is not written.

    Raises:
        DiskFullError, IoError: The disk refuses; reads do without.
    """
    try:
        if not _publish(host, job, size, pieces):
            return False
    except FileNotFoundError:
        return False  # The directory goes.
    with suppress(IndexLostError):
        index_reader.note_written(host.fs, job.segment, job.mark)
    return True


def _publish(host: IndexHost, job: IndexJob, size: int, pieces: Iterable[Buffer]) -> bool:
    fs, tablet, segment = host.fs, job.tablet, job.segment
    target = index_reader.path_of(segment, job.mark)
    with host.directories.writer(tablet) as writer:
        if not host.run_on_loop(lambda: host.exists(tablet)):
            return False
        if fs.free_bytes(target.parent) < ROOM_BYTES + size:
            raise DiskFullError(
                f'could not write an index file of segment "{segment.file}": '
                "little room is left on the disk"
            )
        # Another name each time: a crash may have left one.
        writer.keep(target.name)
        temporary = target.parent / writer.name(f"{target.name}-{secrets.token_hex(4)}")
        fs.write_pieces(temporary, pieces)
        try:
            fs.sync_file(temporary)
            failpoints.hit("index.written")
            with host.directories.section(tablet):
                if not fs.exists(Path(segment.path)):
                    return False  # It was collected: nobody would look for the file.
                with suppress(FileExistsError):  # The same was written by somebody else.
                    fs.rename(temporary, target)
            failpoints.hit("index.named")
        finally:
            with suppress(FileNotFoundError, KalamError):
                fs.unlink(temporary)
    return True


def drop_index_file(sight: Sight, lost: IndexLostError) -> bool:
    """A file was not what was written: it is removed, to be made again. Whether that could be done."""
    fs = sight.readers[0].fs
    index_reader.forget(lost.segment, lost.mark)
    try:
        fs.unlink(index_reader.path_of(lost.segment, lost.mark))
    except FileNotFoundError:
        return True
    except KalamError:
        return False
    return True
