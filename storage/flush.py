"""Flush: copy a tablet's log up to a commit into segments, and publish the manifest that names them.

Nothing is deleted here (that is `storage.trim`), so a crash at any step loses nothing: before the
manifest's name exists the log is read as before, and what lies around is removed by `clean`; from
then on reads begin after it. Idempotent, and one at a time for a tablet.
"""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

import pyarrow as pa

from storage import failpoints
from storage.errors import DataCorruptedError, IoError
from storage.fs import FileSystem
from storage.ids import TabletId
from storage.layout import Layout
from storage.manifest import Manifest, Segment, decode, encode, manifest_name, read
from storage.segment import (
    EncodedSegment,
    encode_segments,
    row_count,
)
from storage.tablet import Tablet
from storage.view import View

T = TypeVar("T")

_TEMPORARY = "tmp-"
"""Prefix of files that mean nothing after a crash."""


class FlushHost(Protocol):
    """What a flush needs of the engine. Called from the flush's thread."""

    fs: FileSystem

    def run_on_loop(self, call: Callable[[], T]) -> T:
        """Call on the event loop and wait for its answer."""
        ...

    def acquire(self) -> AbstractContextManager[View]:
        """The published view (on the loop)."""
        ...

    def begin_flush(self, tablet: TabletId, seq: int) -> None:
        """Write the intent, synced: afterwards every commit up to `seq` is durable."""
        ...

    def before_manifest(self) -> None:
        """Make the high-water mark durable: no manifest may name a commit that recovery misses."""
        ...

    def end_flush(self, tablet: TabletId, manifest: Manifest) -> None:
        """Remove the intent; note flushed_through as a hint; nothing up to there is dirty."""
        ...


Encoder = Callable[[Sequence[pa.RecordBatch], Layout], list[EncodedSegment]]
"""`encode_segments`, or the same in a worker process."""


@dataclass(frozen=True, slots=True)
class FlushResult:
    """rows: versions written, of which `deleted` are tombstones. size: bytes of new segments.

    version: of the published manifest, 0 when there was nothing to flush.
    """

    tablet: TabletId
    flushed_through: int
    version: int
    rows: int
    deleted: int
    size: int
    segments: int


def flush(host: FlushHost, tablet: Tablet, *, encoder: Encoder = encode_segments) -> FlushResult:
    """Flush everything that is published now. For a worker thread; waits for a running flush.

    Raises:
        DiskFullError, IoError: No room, or the disk refuses; the log is read as before.
        DataCorruptedError: What was written does not read back.
    """
    with tablet.flushing:
        _adopt(host, tablet)
        view_of = host.run_on_loop(host.acquire)
        view = host.run_on_loop(view_of.__enter__)
        try:
            return _flush(host, tablet, view, encoder)
        finally:
            host.run_on_loop(lambda: view_of.__exit__(None, None, None))


def clean(fs: FileSystem, directory: Path) -> list[str]:
    """Remove what an interrupted flush left half-written; returns the names of removed files.

    For recovery, when no flush of the tablet runs. Whole segments that no manifest names stay for
    `storage.trim.collect`.
    """
    if not fs.exists(directory):
        return []
    names = [name for name in fs.listdir(directory) if name.startswith(_TEMPORARY)]
    for name in names:
        fs.unlink(directory / name)
    return names


def publish(host: FlushHost, tablet: Tablet, manifest: Manifest) -> Manifest:
    """Publish the next manifest and swap it in: the commit point of a flush or compaction.

    `tablet.flushing` is held, so `manifest` is based on the newest there is.
    """
    fs, directory = host.fs, tablet.directory
    assert manifest.version == tablet.manifest.version + 1
    manifest = replace(manifest, previous=tablet.manifest.sha256)
    data = encode(manifest)
    temporary = directory / f"{_TEMPORARY}{secrets.token_hex(8)}"
    name = directory / manifest_name(manifest.version)
    host.before_manifest()
    fs.write_new(temporary, data)
    failpoints.hit("flush.manifest_written")
    fs.link(temporary, name)  # Unlike a rename it never replaces another version.
    failpoints.hit("flush.manifest_linked")
    fs.sync_directory(directory)
    failpoints.hit("flush.manifest_durable")
    published = decode(data, directory)
    host.run_on_loop(lambda: tablet.swap(published))
    failpoints.hit("flush.swapped")
    with suppress(IoError):  # It is published; `collect` removes the name.
        fs.unlink(temporary)
    return published


def _adopt(host: FlushHost, tablet: Tablet) -> None:
    """Take over a manifest that was linked before its flush failed: its name may be durable."""
    fs, directory = host.fs, tablet.directory
    version = tablet.manifest.version + 1
    if fs.exists(directory / manifest_name(version)):
        found = read(fs, directory, version, tablet.id)
        fs.sync_directory(directory)
        host.run_on_loop(lambda: tablet.swap(found))


def _flush(host: FlushHost, tablet: Tablet, view: View, encoder: Encoder) -> FlushResult:
    base = tablet.manifest
    cold = tablet.manifest_at(view.seq)
    unflushed = next(iter(view.log(tablet.id, cold.flushed_through)), None)
    if unflushed is None and cold.incarnation == base.incarnation:
        return FlushResult(tablet.id, base.flushed_through, 0, 0, 0, 0, 0)
    host.begin_flush(tablet.id, view.seq)
    failpoints.hit("flush.intent")
    frozen = host.run_on_loop(lambda: tablet.frozen(view))
    if frozen is None:
        loaded = tablet.load(view)
        frozen = host.run_on_loop(lambda: tablet.frozen(view, loaded))
        assert frozen is not None
    cold = frozen.manifest
    encoded = encoder(frozen.batches, frozen.layout) if frozen.batches else []
    failpoints.hit("flush.encoded")
    segments = _write_segments(host.fs, tablet.directory, encoded, frozen.superseded)
    manifest = publish(
        host,
        tablet,
        Manifest(
            tablet=tablet.id,
            version=base.version + 1,
            schema_version=frozen.layout.version,
            incarnation=cold.incarnation,
            flushed_through=view.seq,
            segments=(*cold.segments, *segments),
        ),
    )
    host.end_flush(tablet.id, manifest)
    failpoints.hit("flush.done")
    return FlushResult(
        tablet=tablet.id,
        flushed_through=manifest.flushed_through,
        version=manifest.version,
        rows=sum(segment.rows for segment in segments),
        deleted=sum(segment.deleted for segment in segments),
        size=sum(segment.size for segment in segments),
        segments=len(segments),
    )


def _write_segments(
    fs: FileSystem, directory: Path, encoded: Sequence[EncodedSegment], superseded: int
) -> list[Segment]:
    """Write, fsync, verify, then rename all; their names are durable when this returns.

    superseded: older live rows that they hide together, counted for the first of them.
    """
    if not fs.exists(directory):
        fs.mkdir(directory)
        for parent in directory.parents[:3]:  # cold/<user>, cold, the root
            fs.sync_directory(parent)
    moves: list[tuple[Path, Path]] = []
    segments = []
    for part in encoded:
        token = secrets.token_hex(8)
        stem = f"segment-{part.min_seq}-{token}"
        pairs = [(f"{stem}.parquet", part.data), (f"{stem}.keys", part.key_filter)]
        for name, data in pairs:
            temporary = directory / f"{_TEMPORARY}{name}"
            fs.write_new(temporary, data)
            moves.append((temporary, directory / name))
            failpoints.hit("flush.file_written")
        _check_written(fs, directory / f"{_TEMPORARY}{stem}.parquet", part)
        segments.append(part.named(directory / f"{stem}.parquet", f"{stem}.keys", superseded))
        superseded = 0
    for source, target in moves:
        fs.rename(source, target)
        failpoints.hit("flush.renamed")
    fs.sync_directory(directory)
    failpoints.hit("flush.renames_durable")
    return segments


def _check_written(fs: FileSystem, path: Path, part: EncodedSegment) -> None:
    data = fs.read_bytes(path)
    if hashlib.sha256(data).hexdigest() != part.sha256 or row_count(data) != part.rows:
        raise DataCorruptedError(f"segment {path.name} does not read back as it was written")
