"""Flush: copy tablets' logs up to a commit into segments, and publish the manifests that name them.

Nothing is deleted here (that is `storage.cold.trim`), so a crash at any step loses nothing: before the
manifest's name exists the log is read as before, and what lies around is removed by `clean`; from
then on reads begin after it. Idempotent, and one at a time for a tablet.

Tablets flushed together share what costs most of a small one's flush, the waits for the disk: each
step is done for all of them, and made durable for all of them, before the next begins.
"""

import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from storage import failpoints
from storage.cold.encoder import Encoded, Encoder, Job, LogJob, LogRange, encode
from storage.cold.manifest import Manifest, Segment, decode, manifest_name, read
from storage.cold.manifest import encode as encode_manifest
from storage.cold.segment import SegmentFacts, sha256_of
from storage.errors import DataCorruptedError, IoError, KalamError
from storage.fs import FileSystem
from storage.ids import TabletId
from storage.keys import log_key
from storage.log.view import View
from storage.tablet import Tablet
from storage.tail.entries import chunks

T = TypeVar("T")

_TEMPORARY = "tmp-"
"""Prefix of files that mean nothing after a crash."""


class FlushHost(Protocol):
    """What a flush needs of the engine. Called from the flush's thread."""

    fs: FileSystem

    def run_on_loop(self, call: Callable[[], T]) -> T:
        """Call on the event loop and wait for its answer."""
        ...

    def call_soon(self, call: Callable[[], object]) -> None:
        """Call on the event loop some time, even if this flush was cancelled."""
        ...

    def acquire(self) -> AbstractContextManager[View]:
        """The published view (on the loop)."""
        ...

    def unflushed(self, tablet: TabletId) -> int:
        """How many entries of the published log no segment holds (on the loop)."""
        ...

    def begin_flush(self, tablets: Sequence[TabletId], seq: int) -> None:
        """Write the intents, synced: afterwards every commit up to `seq` is durable."""
        ...

    def before_manifest(self) -> None:
        """Make the high-water mark durable: no manifest may name a commit that recovery misses."""
        ...

    def end_flush(self, flushed: "Sequence[Flushed]") -> None:
        """Remove the intents; note flushed_through as a hint; nothing up to there is dirty."""
        ...


class Flushed(NamedTuple):
    """A published flush. entries: how many unflushed ones there were up to it."""

    tablet: TabletId
    manifest: Manifest
    entries: int


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


def flush(host: FlushHost, tablet: Tablet, *, encoder: Encoder = encode) -> FlushResult:
    """Flush everything that is published now. For a worker thread; waits for a running flush.

    Raises:
        DiskFullError, IoError: No room, or the disk refuses; the log is read as before.
        DataCorruptedError: The log is damaged, or what was written does not read back.
    """
    (answer,) = flush_together(host, [tablet], encoder=encoder)
    if isinstance(answer, KalamError):
        raise answer
    return answer


def flush_together(
    host: FlushHost, tablets: Sequence[Tablet], *, encoder: Encoder = encode
) -> list[FlushResult | KalamError]:
    """Flush tablets side by side, in their order. For a worker thread; waits for running flushes.

    Each appears by itself, and an error in what one of them holds is its answer. An error of the
    disk is everybody's: it is raised, and those not yet published are read from the log as before.
    """
    with ExitStack() as locks:
        for tablet in sorted(tablets, key=lambda one: (one.id.user, one.id.table)):
            locks.enter_context(tablet.flushing)
        for tablet in tablets:
            _adopt(host, tablet)
        parts = [_Part(tablet) for tablet in tablets]
        view, leave = _enter(host, parts)
        try:
            _Flush(host, view, encoder).run(parts)
        finally:
            host.call_soon(leave)
        return [part.error or part.result() for part in parts]


def clean(fs: FileSystem, directory: Path) -> list[str]:
    """Remove what an interrupted flush left half-written; returns the names of removed files.

    For recovery, when no flush of the tablet runs. Whole segments that no manifest names stay for
    `storage.cold.trim.collect`.
    """
    if not fs.exists(directory):
        return []
    names = [name for name in fs.listdir(directory) if name.startswith(_TEMPORARY)]
    for name in names:
        fs.unlink(directory / name)
    return names


@dataclass(slots=True)
class _Part:
    """One tablet of a flush, and how far it has come.

    entries: unflushed before. files: their temporary and final names, and a segment's facts.
    """

    tablet: Tablet
    base: Manifest = field(init=False)
    entries: int = 0
    error: KalamError | None = None
    files: list[tuple[Path, Path, SegmentFacts | None]] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    data: bytes = b""
    temporary: Path = field(init=False)
    published: Manifest | None = None

    def __post_init__(self) -> None:
        self.base = self.tablet.manifest
        self.temporary = self.directory / f"{_TEMPORARY}{secrets.token_hex(8)}"

    @property
    def directory(self) -> Path:
        return self.tablet.directory

    def result(self) -> FlushResult:
        if self.published is None:
            return FlushResult(self.tablet.id, self.base.flushed_through, 0, 0, 0, 0, 0)
        return FlushResult(
            tablet=self.tablet.id,
            flushed_through=self.published.flushed_through,
            version=self.published.version,
            rows=sum(segment.rows for segment in self.segments),
            deleted=sum(segment.deleted for segment in self.segments),
            size=sum(segment.size for segment in self.segments),
            segments=len(self.segments),
        )


class _Flush:
    """The protocol, step by step, for all its tablets together."""

    def __init__(self, host: FlushHost, view: View, encoder: Encoder) -> None:
        self._host = host
        self._fs = host.fs
        self._view = view
        self._encoder = encoder

    def run(self, parts: Sequence[_Part]) -> None:
        jobs = [(part, job) for part in parts if (job := self._job(part)) is not None]
        busy = {part.tablet.id for part, _ in jobs}
        done = [part for part in parts if part.entries and part.tablet.id not in busy]
        if done:  # A flush that got no further than its manifest left this to do.
            self._host.end_flush([Flushed(p.tablet.id, p.base, p.entries) for p in done])
        if not jobs:
            return
        self._host.begin_flush([part.tablet.id for part, _ in jobs], self._view.seq)
        failpoints.hit("flush.intent")
        with closing(self._encoder([job for _, job in jobs])) as answers:
            for (part, job), answer in zip(jobs, answers, strict=True):
                failpoints.hit("flush.encoded")
                if isinstance(answer, KalamError):
                    part.error = answer
                else:
                    self._write(part, job, answer)
        good = [part for part, _ in jobs if part.error is None]
        if good:
            self._name_segments(good)
            self._publish(good)

    def _job(self, part: _Part) -> Job | None:
        """What a tablet has to encode, None when nothing is new."""
        tablet, upto = part.tablet, self._view.seq
        cold = tablet.manifest_at(upto)
        start = log_key(tablet.id, cold.flushed_through + 1, 0)
        found = chunks(self._view.scan(start, log_key(tablet.id, upto + 1, 0)))
        first = list(islice(found, 2))
        if not first and cold.incarnation == part.base.incarnation:
            return None
        small = len(first) < 2
        # A few rows are decoded as quickly as the event loop is asked for them.
        frozen = None if small else self._host.run_on_loop(lambda: tablet.frozen(self._view))
        if frozen is not None:
            return frozen
        part_of_log = LogRange(tablet.id, tablet.layouts, cold.flushed_through, upto)
        return LogJob(part_of_log, chain(first, found), small)

    def _write(self, part: _Part, job: Job, answer: Encoded) -> None:
        """Write a tablet's new files under temporary names; nothing is durable yet."""
        tablet, fs, directory = part.tablet, self._fs, part.directory
        if answer.truncations:
            self._host.run_on_loop(lambda: tablet.learn_truncations(answer.truncations))
        cold = tablet.manifest_at(self._view.seq)
        layout = job.layout if not isinstance(job, LogJob) else job.range.layouts[-1]
        superseded = answer.superseded if cold.segments else 0
        if not part.base.version:
            fs.mkdir(directory, durable=False)
        for segment in answer.segments:
            facts = segment.facts
            stem = f"segment-{facts.min_seq}-{secrets.token_hex(8)}"
            contents = ((f"{stem}.parquet", segment.pieces), (f"{stem}.keys", [facts.key_filter]))
            for name, pieces in contents:
                temporary = directory / f"{_TEMPORARY}{name}"
                fs.write_pieces(temporary, pieces)
                checked = facts if pieces is segment.pieces else None
                part.files.append((temporary, directory / name, checked))
                failpoints.hit("flush.file_written")
            path = directory / f"{stem}.parquet"
            part.segments.append(facts.named(path, f"{stem}.keys", superseded))
            superseded = 0  # Counted for the first of them.
        manifest = Manifest(
            tablet=tablet.id,
            version=part.base.version + 1,
            schema_version=layout.version,
            incarnation=cold.incarnation,
            flushed_through=self._view.seq,
            segments=(*cold.segments, *part.segments),
            previous=part.base.sha256,
        )
        part.data = encode_manifest(manifest)

    def _name_segments(self, parts: Sequence[_Part]) -> None:
        """Make the files durable, read them back, then give them their names."""
        files = [file for part in parts for file in part.files]
        above = {p for part in parts if not part.base.version for p in part.directory.parents[:3]}
        self._fs.sync_many([*(temporary for temporary, _, _ in files), *sorted(above)])
        failpoints.hit("flush.files_durable")
        for temporary, _, facts in files:
            if facts is not None and sha256_of(self._fs, temporary) != facts.sha256:
                raise DataCorruptedError(
                    f"segment {temporary.name} does not read back as it was written"
                )
        for temporary, target, _ in files:
            self._fs.rename(temporary, target)
            failpoints.hit("flush.renamed")

    def _publish(self, parts: Sequence[_Part]) -> None:
        """Publish the next manifests and swap them in: each one's name is its commit point."""
        fs = self._fs
        directories = [part.directory for part in parts]
        self._host.before_manifest()
        for part in parts:
            fs.write_pieces(part.temporary, [part.data])
            failpoints.hit("flush.manifest_written")
        # The segments' names, too: they must be there when a manifest's is.
        fs.sync_many([*directories, *(part.temporary for part in parts)])
        failpoints.hit("flush.renames_durable")
        for part in parts:
            # Unlike a rename it never replaces another version.
            fs.link(part.temporary, part.directory / manifest_name(part.base.version + 1))
            failpoints.hit("flush.manifest_linked")
        fs.sync_many(directories)
        failpoints.hit("flush.manifest_durable")
        flushed = [
            Flushed(part.tablet.id, decode(part.data, part.directory), part.entries)
            for part in parts
        ]
        self._host.run_on_loop(lambda: _swap(parts, flushed))
        failpoints.hit("flush.swapped")
        for part in parts:
            with suppress(IoError):  # It is published; `collect` removes the name.
                fs.unlink(part.temporary)
        self._host.end_flush(flushed)
        failpoints.hit("flush.done")


def _enter(host: FlushHost, parts: Sequence[_Part]) -> tuple[View, Callable[[], object]]:
    """The view that the flush writes, with each tablet's unflushed entries, and how to leave it."""

    def enter() -> tuple[AbstractContextManager[View], View]:
        held = host.acquire()
        for part in parts:
            part.entries = host.unflushed(part.tablet.id)
        return held, held.__enter__()

    held, view = host.run_on_loop(enter)
    return view, lambda: held.__exit__(None, None, None)


def _swap(parts: Sequence[_Part], flushed: Sequence[Flushed]) -> None:
    for part, done in zip(parts, flushed, strict=True):
        part.tablet.swap(done.manifest)
        part.published = done.manifest


def _adopt(host: FlushHost, tablet: Tablet) -> None:
    """Take over a manifest that was linked before its flush failed: its name may be durable."""
    fs, directory = host.fs, tablet.directory
    version = tablet.manifest.version + 1
    if fs.exists(directory / manifest_name(version)):
        found = read(fs, directory, version, tablet.id)
        fs.sync_directory(directory)
        host.run_on_loop(lambda: tablet.swap(found))
