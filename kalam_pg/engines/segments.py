"""Cold segments in a worker: verified before their first read, then described by their footers."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kalam_pg.engines.request import SegmentRef
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
class VerifiedSegments:
    """The segments that this process has verified, by path and by inode, size and mtime."""

    _footers: "OrderedDict[tuple[str, int, int, int], Footer]" = field(default_factory=OrderedDict)

    def open(self, segment: SegmentRef) -> Footer:
        """Verify `segment` unless this process did so already.

        Raises:
            DataCorruptedError: Its bytes are not those that were written.
            IoError: It cannot be read.
        """
        path = Path(segment.path)
        try:
            stat = path.stat()
            key = (segment.path, stat.st_ino, stat.st_size, stat.st_mtime_ns)
            footer = self._footers.get(key)
            if footer is None:
                _verify(path, segment, stat.st_size)
                footer = self._footers[key] = _read_footer(path)
        except OSError as exc:
            raise IoError(f"could not read segment {path.name}: {exc.strerror}") from exc
        self._footers.move_to_end(key)
        if len(self._footers) > KNOWN_MAX:
            self._footers.popitem(last=False)
        return footer


def _verify(path: Path, segment: SegmentRef, size: int) -> None:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if size != segment.size or digest != segment.sha256:
        raise DataCorruptedError(
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
