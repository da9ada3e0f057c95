"""Reading the entries of one segment's index file, block by block; what was read stays in memory a while."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from storage.cold import index_file
from storage.cold.decoded import DECODED
from storage.cold.index_file import Block, Entry, Head
from storage.cold.manifest import Segment
from storage.cold.point_read import NotInMemoryError
from storage.errors import DataCorruptedError, IoError
from storage.fs import FileSystem


class IndexLostError(Exception):
    """The file is not there any more, or is not what was written: the segment is read without it.

    segment, mark: whose it was.
    """

    def __init__(self, segment: Segment, mark: str, why: Exception) -> None:
        super().__init__(str(why))
        self.segment = segment
        self.mark = mark


@dataclass(frozen=True, slots=True)
class Reach:
    """The entries from one key on to before another. backward: the last of them first."""

    low: bytes
    high: bytes
    backward: bool = False


class SegmentIndex:
    """The entries of one segment. It reads files, so it is for a worker thread; or `in_memory`."""

    def __init__(
        self,
        fs: FileSystem,
        segment: Segment,
        mark: str,
        opened: tuple[Head, int],
        *,
        in_memory: bool,
    ) -> None:
        """opened: the head, and where blocks begin. in_memory: NotInMemoryError instead of reading."""
        self._fs = fs
        self._segment = segment
        self._mark = mark
        self._head, self._start = opened
        self._in_memory = in_memory

    def count(self, reach: Reach) -> int:
        """How many entries there are. Raises IndexLostError, NotInMemoryError."""
        return max(0, self._place(reach.high) - self._place(reach.low))

    def rows(self, reach: Reach) -> list[int]:
        """The numbers of their rows, in no order."""
        return [entry.row for entry in self.entries(reach)]

    def entries(self, reach: Reach) -> Iterator[Entry]:
        """They one after the other. Raises IndexLostError, NotInMemoryError."""
        low, high = self._place(reach.low), self._place(reach.high)
        if low >= high:
            return
        before = self._head.before
        numbers: Sequence[int] = range(bisect_right(before, low) - 1, bisect_left(before, high))
        for number in reversed(numbers) if reach.backward else numbers:
            keys, rows = self._block(number)
            places: Sequence[int] = range(
                max(0, low - before[number]), min(len(keys), high - before[number])
            )
            for at in reversed(places) if reach.backward else places:
                yield Entry(keys[at], rows[at])

    def _place(self, key: bytes) -> int:
        """How many entries sort before a key."""
        head = self._head
        number = bisect_left(head.first_keys, key) - 1
        if number < 0:
            return 0
        return head.before[number] + bisect_left(self._block(number).keys, key)

    def _block(self, number: int) -> Block:
        segment, part = self._segment, ("index", self._mark, number)
        kept: Block | None = DECODED.get(segment.path, part)
        if kept is not None:
            return kept
        if self._in_memory:
            raise NotInMemoryError
        path = path_of(segment, self._mark)
        try:
            with self._fs.open_read(path) as stream:
                block = index_file.read_block(stream, segment, self._head, self._start, number)
        except (DataCorruptedError, IoError, OSError) as exc:
            raise IndexLostError(segment, self._mark, exc) from exc
        DECODED.put(segment.path, part, block, self._head.sizes[number] + 90 * len(block.keys))
        return block


def path_of(segment: Segment, mark: str) -> Path:
    """Where the file of an index with this mark is, if there is one."""
    return Path(segment.path).parent / index_file.name_of(segment, mark)


def open_index(
    fs: FileSystem, segment: Segment, mark: str, *, in_memory: bool = False
) -> SegmentIndex | None:
    """A segment's index of this mark, None when it has none.

    Raises:
        IndexLostError: Its file is not what was written.
        NotInMemoryError: Whether there is one is not known without asking the disk, with `in_memory`.
    """
    if segment.rows < index_file.ROWS_MIN:
        return None
    kept: tuple[tuple[Head, int] | None] | None = DECODED.get(segment.path, ("index", mark))
    if kept is None:
        if in_memory:
            raise NotInMemoryError
        opened = _opened(fs, segment, mark)
        kept = (opened,)
        DECODED.put(segment.path, ("index", mark), kept, 64 if opened is None else opened[0].nbytes)
    if kept[0] is None or not kept[0][0].usable:
        return None
    return SegmentIndex(fs, segment, mark, kept[0], in_memory=in_memory)


def has_file(fs: FileSystem, segment: Segment, mark: str) -> bool:
    """Whether a segment that may have one has an index file of this mark."""
    return segment.rows < index_file.ROWS_MIN or fs.exists(path_of(segment, mark))


def note_written(fs: FileSystem, segment: Segment, mark: str) -> None:
    """A file was written: readers who found none find it. Raises IndexLostError."""
    opened = _opened(fs, segment, mark)
    if opened is not None:
        DECODED.replace(segment.path, ("index", mark), (opened,), opened[0].nbytes)


def forget(segment: Segment, mark: str) -> None:
    """Nothing of this index is kept in memory any more."""
    DECODED.forget_parts(segment.path, ("index", mark))


def _opened(fs: FileSystem, segment: Segment, mark: str) -> tuple[Head, int] | None:
    try:
        with fs.open_read(path_of(segment, mark)) as stream:
            return index_file.read_head(stream, segment)
    except FileNotFoundError:
        return None
    except (DataCorruptedError, IoError, OSError) as exc:
        raise IndexLostError(segment, mark, exc) from exc
