"""Flush: copy tablets' logs up to a commit into segments, and publish the manifests that name them.

Nothing is deleted here (that is `storage.cold.trim`), so a crash at any step loses nothing: before the
manifest's name exists the log is read as before, and what lies around is removed by `clean`; from
then on reads begin after it (`storage.cold.publication`). Idempotent, and one at a time for a tablet.

Tablets flushed together share what costs most of a small one's flush, the waits for the disk: each
step is done for all of them, and made durable for all of them, before the next begins.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from storage import failpoints
from storage.cold.directories import TEMPORARY, Writer
from storage.cold.encoder import Encoded, Encoder, Job, LogJob, LogRange, encode
from storage.cold.manifest import Manifest, Segment
from storage.cold.new_run import NewRun
from storage.cold.publication import PublicationHost, adopt, name_files, publish
from storage.errors import IoError, KalamError
from storage.fs import FileSystem
from storage.ids import TabletId
from storage.keys import log_key
from storage.log.view import View
from storage.tablet import Tablet
from storage.tail.entries import Chunk, chunks

SMALL_BYTES: Final = 1 << 20
"""Few rows of more are no small job all the same: what is made of them takes several times their bytes."""


class FlushHost(PublicationHost, Protocol):
    """What a flush needs of the engine. Called from the flush's thread."""

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

    def end_flush(self, flushed: "Sequence[Flushed]") -> None:
        """These were published and noted: nothing up to there is dirty."""
        ...

    def cancel_flush(self, tablets: Sequence[TabletId]) -> None:
        """Remove the intents of flushes that have published nothing."""
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
    ids = [tablet.id for tablet in tablets]
    directories = host.directories
    with ExitStack() as stack, _only_kalam_errors():
        stack.enter_context(directories.flushing(*ids, check=host.check))
        writers = [stack.enter_context(directories.writer(tablet)) for tablet in ids]
        with directories.section(*ids):
            for tablet in tablets:
                adopt(host, tablet)
        parts = [_Part(tablet, writer) for tablet, writer in zip(tablets, writers, strict=True)]
        view, leave = _enter(host, parts)
        try:
            _Flush(host, view, encoder).run(parts)
        except KalamError:
            _discard(host.fs, parts)  # On a full disk they are the room that others wait for.
            raise
        finally:
            host.call_soon(leave)
        return [part.error or part.result() for part in parts]


def clean(fs: FileSystem, directory: Path) -> list[str]:
    """Remove what an interrupted flush left half-written; returns the names of removed files.

    For recovery, when no flush of the tablet runs. Whole segments that no manifest names stay for
    `storage.cold.collect`.
    """
    if not fs.exists(directory):
        return []
    names = [name for name in fs.listdir(directory) if name.startswith(TEMPORARY)]
    for name in names:
        fs.unlink(directory / name)
    return names


@dataclass(slots=True)
class _Part:
    """One tablet of a flush, and how far it has come: an `Edit` of its cold part.

    entries: unflushed before. upto, schema_version: of what was encoded.
    """

    tablet: Tablet
    writer: Writer
    base: Manifest = field(init=False)
    exists: bool = True
    entries: int = 0
    error: KalamError | None = None
    run: NewRun = field(init=False)
    segments: Sequence[Segment] = ()
    upto: int = 0
    schema_version: int = 0
    linked: bool = False
    published: Manifest | None = None
    ends_flush: bool = True

    def __post_init__(self) -> None:
        self.base = self.tablet.manifest
        self.run = NewRun(self.directory, self.writer, "flush.file_written")

    @property
    def directory(self) -> Path:
        return self.tablet.directory

    def next_version(self, base: Manifest) -> Manifest | None:
        """The segments of `base` and the new ones; None when a TRUNCATE has hidden all of them."""
        if any(seq > self.upto for seq in self.tablet.truncations):
            return None
        cold = self.tablet.manifest_at(self.upto)  # `base`, or nothing since an earlier TRUNCATE.
        return Manifest(
            tablet=self.tablet.id,
            version=base.version + 1,
            schema_version=self.schema_version,
            incarnation=cold.incarnation,
            flushed_through=self.upto,
            segments=(*cold.segments, *self.segments),
            loaded_through=cold.loaded_through,
            previous=base.sha256,
        )

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
        known = [part for part in parts if part.exists]
        jobs = [(part, job) for part in known if (job := self._job(part)) is not None]
        busy = {part.tablet.id for part, _ in jobs}
        self._finish([part for part in known if part.entries and part.tablet.id not in busy])
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
            self._publish(good)

    def _finish(self, parts: Sequence[_Part]) -> None:
        """Do what flushes that got no further than their manifests have left to do."""
        if parts:
            # One may have failed before its manifest's name was durable.
            ids = [part.tablet.id for part in parts]
            with self._host.directories.section(*ids):
                for part in parts:
                    if part.base.version:
                        self._fs.sync_directory(part.directory)
                # Whoever published after them has noted that.
                self._host.note([part.tablet.manifest for part in parts], ids)
            self._host.end_flush([Flushed(p.tablet.id, p.base, p.entries) for p in parts])

    def _job(self, part: _Part) -> Job | None:
        """What a tablet has to encode, None when nothing is new."""
        tablet, upto = part.tablet, self._view.seq
        cold = tablet.manifest_at(upto)
        start = log_key(tablet.id, cold.flushed_through + 1, 0)
        found = chunks(self._view.scan(start, log_key(tablet.id, upto + 1, 0)))
        first = list(islice(found, 2))
        if not first and cold.incarnation == part.base.incarnation:
            return None
        small = len(first) < 2 and _size(first) <= SMALL_BYTES
        # A few rows are decoded as quickly as the event loop is asked for them.
        frozen = None if small else self._host.run_on_loop(lambda: tablet.frozen(self._view))
        if frozen is not None:
            return frozen
        part_of_log = LogRange(tablet.id, tablet.schema.layouts, cold.flushed_through, upto)
        return LogJob(part_of_log, _again(first, found), small)

    def _write(self, part: _Part, job: Job, answer: Encoded) -> None:
        """Write a tablet's new files under temporary names; nothing is durable yet."""
        tablet, fs, directory = part.tablet, self._fs, part.directory
        if answer.truncations:
            self._host.run_on_loop(lambda: tablet.learn_truncations(answer.truncations))
        cold = tablet.manifest_at(self._view.seq)
        layout = job.layout if not isinstance(job, LogJob) else job.range.layouts[-1]
        part.upto, part.schema_version = self._view.seq, layout.version
        superseded = answer.superseded if cold.segments else 0
        if not part.base.version:
            part.writer.make_directory(fs, directory)
        part.run.write(fs, answer.segments)
        part.segments = part.run.segments(superseded)

    def _publish(self, parts: Sequence[_Part]) -> None:
        """Name the files and publish the manifests; then the flushes have ended."""
        self._host.check()  # Who was killed publishes nothing; from here on it is soon done.
        new = {path for part in parts if not part.base.version for path in _above(part.directory)}
        name_files(self._fs, [file for part in parts for file in part.run.files], new)
        publish(self._host, parts)
        flushed = [
            Flushed(part.tablet.id, part.published, part.entries)
            for part in parts
            if part.published is not None
        ]
        if flushed:
            self._host.end_flush(flushed)
        unwanted = [part for part in parts if part.published is None]
        if unwanted:
            _discard(self._fs, unwanted)
            self._host.cancel_flush([part.tablet.id for part in unwanted])
        failpoints.hit("flush.done")


def _again(first: list[Chunk], rest: Iterator[Chunk]) -> Iterator[Chunk]:
    """Chunks that were read ahead, which are let go of one by one, and those behind them."""
    while first:
        yield first.pop(0)
    yield from rest


def _size(found: Iterable[Chunk]) -> int:
    """Bytes of entries."""
    return sum([len(entry) for chunk in found for _, entry in chunk])


def _above(directory: Path) -> Sequence[Path]:
    """Where the names of a tablet's directory and of those above it are."""
    return directory.parents[:3]


def _discard(fs: FileSystem, parts: Sequence[_Part]) -> None:
    """Remove the files of parts that no manifest names or will name."""
    for part in parts:
        if not part.linked:
            part.run.discard(fs)


@contextmanager
def _only_kalam_errors() -> Iterator[None]:
    """Files that somebody else removes from under a flush are the disk's trouble."""
    try:
        yield
    except (FileNotFoundError, FileExistsError) as exc:
        raise IoError(f"could not flush: {exc.strerror}") from exc


def _enter(host: FlushHost, parts: Sequence[_Part]) -> tuple[View, Callable[[], object]]:
    """The view that the flush writes, with each tablet's unflushed entries, and how to leave it."""

    def enter() -> tuple[AbstractContextManager[View], View]:
        held = host.acquire()
        for part in parts:
            # As of the view: in an older layout it would lose what newer rows have.
            part.tablet = part.tablet.newest_reading()
            part.entries = host.unflushed(part.tablet.id)
            part.exists = host.exists(part.tablet.id)
        return held, held.__enter__()

    held, view = host.run_on_loop(enter)
    return view, lambda: held.__exit__(None, None, None)
