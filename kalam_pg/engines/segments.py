"""Cold segments in a worker: verified before they are read, then described by their footers."""

import hashlib
from collections import OrderedDict
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from io import SEEK_END
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kalam_pg.engines.request import SegmentRef
from storage.cold.checked import CheckedFile, PieceDamagedError, Pieces, check_columns
from storage.cold.keyfilter import read_head
from storage.errors import DataCorruptedError, IoError

KNOWN_MAX = 4096
"""Verified files whose footers are remembered; about 10 KiB each."""

SMALL_BYTES = 64 << 10
"""A plain file up to this is read whole and kept: to plan a scan of it takes longer."""


@dataclass(frozen=True, slots=True)
class Footer:
    """What the file says of itself. ranges: (min, max) of a column as Arrow scalars, by name, for
    those columns where every row group has both. types: of all columns, by name. small: its contents
    in memory are about as large as the file, and small.
    """

    types: dict[str, pa.DataType]
    rows: int
    ranges: dict[str, tuple[pa.Scalar, pa.Scalar]]
    small: bool


@dataclass(slots=True)
class _Known:
    """A file that was opened. columns: those that were verified; without `pieces` all of it was."""

    footer: Footer
    pieces: Pieces | None = None
    columns: set[str] = field(default_factory=set)


@dataclass(slots=True)
class VerifiedSegments:
    """What this process has verified of segments, by path and by inode, size and mtime.

    Of a file whose pieces are known these are the footer and the columns that queries have read; of
    others, and of small files, which are read whole, it is everything.
    """

    _files: "OrderedDict[tuple[str, int, int, int], _Known]" = field(default_factory=OrderedDict)

    def open(self, segment: SegmentRef, columns: AbstractSet[str]) -> Footer:
        """Verify what a query may read of `segment`, unless this process did so already.

        Raises:
            DataCorruptedError: Its bytes are not those that were written.
            IoError: It cannot be read.
        """
        path = Path(segment.path)
        try:
            stat = path.stat()
            key = (segment.path, stat.st_ino, stat.st_size, stat.st_mtime_ns)
            known = self._files.get(key)
            if known is None:
                known = self._files[key] = _open(path, segment, stat.st_size)
            if known.pieces is not None and not columns <= known.columns:
                _check_columns(path, known.pieces, columns - known.columns)
                known.columns |= columns
        except OSError as exc:
            raise IoError(f"could not read segment {path.name}: {exc.strerror}") from exc
        self._files.move_to_end(key)
        if len(self._files) > KNOWN_MAX:
            self._files.popitem(last=False)
        return known.footer


def _open(path: Path, segment: SegmentRef, size: int) -> _Known:
    """A file whose footer is verified; all of it, when it is small or nothing is known of its pieces."""
    pieces = _pieces(path, segment) if segment.key_filter and size > SMALL_BYTES else None
    if pieces is None or pieces.size != size:
        _verify(path, segment, size)
        return _Known(_read_footer(path))
    with path.open("rb") as file:
        checked = CheckedFile(file, pieces)
        checked.seek(-1, SEEK_END)
        try:
            checked.read(1)
        except PieceDamagedError as exc:
            raise _damaged(path) from exc
    return _Known(_read_footer(path), pieces)


def _pieces(path: Path, segment: SegmentRef) -> Pieces | None:
    """What the side file says of the segment's pieces; None when it is of another, or damaged."""
    try:
        with path.with_name(segment.key_filter).open("rb") as file:
            head = read_head(file)
    except (FileNotFoundError, DataCorruptedError):
        return None
    return head.pieces if head.sha256 == segment.sha256 else None


def _check_columns(path: Path, pieces: Pieces, columns: AbstractSet[str]) -> None:
    with path.open("rb") as file:
        try:
            check_columns(file, pieces, pq.read_metadata(path), columns)
        except PieceDamagedError as exc:
            raise _damaged(path) from exc


def _verify(path: Path, segment: SegmentRef, size: int) -> None:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if size != segment.size or digest != segment.sha256:
        raise _damaged(path)


def _damaged(path: Path) -> DataCorruptedError:
    return DataCorruptedError(
        f"segment {path.name} is damaged", detail="Its checksum is not the one in the manifest."
    )


def _read_footer(path: Path) -> Footer:
    with pq.ParquetFile(path) as file:
        schema, metadata = file.schema_arrow, file.metadata
        ranges = {}
        for index, name in enumerate(schema.names):
            found = _range(metadata, index, schema.field(name).type)
            if found is not None:
                ranges[name] = found
        types = {field.name: field.type for field in schema}
        small = path.stat().st_size <= SMALL_BYTES and _is_plain(metadata)
        return Footer(types, metadata.num_rows, ranges, small)


def _is_plain(metadata: pq.FileMetaData) -> bool:
    """Whether values are written as they are: a compressed file may hold any number of bytes."""
    groups = (metadata.row_group(at) for at in range(metadata.num_row_groups))
    chunks = (group.column(at) for group in groups for at in range(metadata.num_columns))
    return all(c.compression == "UNCOMPRESSED" and not c.has_dictionary_page for c in chunks)


def _range(
    metadata: pq.FileMetaData, index: int, of: pa.DataType
) -> tuple[pa.Scalar, pa.Scalar] | None:
    # Floating point has -0 and NaN, which footers order in their own way.
    if pa.types.is_nested(of) or pa.types.is_floating(of) or metadata.num_row_groups == 0:
        return None
    if metadata.schema.column(index).path != metadata.schema.to_arrow_schema().names[index]:
        return None
    low = high = None
    try:
        for group in range(metadata.num_row_groups):
            statistics = metadata.row_group(group).column(index).statistics
            if statistics is None or not statistics.has_min_max:
                return None
            low = statistics.min if low is None else min(low, statistics.min)
            high = statistics.max if high is None else max(high, statistics.max)
        return pa.scalar(low, of), pa.scalar(high, of)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, ValueError):
        # Python's dates have no year 0 and no infinity: such a segment is read without its range.
        return None
