"""What a tablet answers with: the values that its reads, its loading and its flush hand on."""

from dataclasses import dataclass

import pyarrow as pa

from storage.cold.manifest import Manifest, Segment
from storage.log.log_count import LogCount
from storage.log.view import View
from storage.tail.tail import Tail


class ColdNeeded:
    """The answer of `Tablet.get` when only a file can tell: ask `get_cold` in a worker thread."""


COLD_NEEDED = ColdNeeded()


@dataclass(frozen=True, slots=True)
class Scan:
    """A tablet as one view sees it.

    batches: hot live rows, as (unique id, batch of the columns c<id>, `_seq`, `_deleted`).
    segments: cold files, oldest first. superseded: keys whose newest version is hot and that may
    stand in `segments`, one column c<id> for each key column; None when there are none.
    overlapping: a key may stand in two segments, or a segment holds tombstones.
    rows: exact number of live rows, hot and cold.
    """

    batches: tuple[tuple[int, pa.RecordBatch], ...]
    segments: tuple[Segment, ...]
    superseded: pa.RecordBatch | None
    overlapping: bool
    rows: int | None


@dataclass(frozen=True, slots=True)
class TabletStats:
    """hot_rows: versions in the log that no segment holds; hot_bytes: their size as entries, or in
    memory when the tail is loaded. cold_rows: live rows of all segments.
    """

    hot_rows: int
    hot_bytes: int
    cold_rows: int
    cold_bytes: int
    segments: int


def stats_of(view: View, manifest: Manifest, count: LogCount) -> TabletStats:
    """A tablet's counts; reads what the log has that was not counted before."""
    entries, size = count.at(view, manifest.tablet, manifest.flushed_through)
    return TabletStats(
        # A TRUNCATE is an entry without a row.
        hot_rows=entries - (manifest.incarnation > manifest.flushed_through),
        hot_bytes=size,
        cold_rows=manifest.rows,
        cold_bytes=manifest.size,
        segments=len(manifest.segments),
    )


@dataclass(frozen=True, slots=True)
class Loaded:
    """A tail made by `Tablet.load`, for `Tablet.install`. upto: the log is in it up to this seq."""

    tail: Tail
    upto: int
    truncations: tuple[int, ...]
