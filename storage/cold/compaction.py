"""Compaction: runs of a tablet that lie side by side become one, and nobody sees a difference.

It publishes as a flush does (`storage.cold.publication`), of whatever is newest by then: a flush may go
on beside it. What it reads is held from the moment it was chosen, and what it replaces stays for views
that read it (`storage.cold.collect`). What is in the log does not matter to it.

The counts of a manifest are exact, so what a new run hides follows from them: as many rows are seen
with it as with those that it replaces.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from storage import failpoints
from storage.arrow import column_name
from storage.cold.directories import Writer
from storage.cold.encoder import Encoder, encode
from storage.cold.manifest import Manifest, Segment
from storage.cold.merge import MergeJob
from storage.cold.new_run import NewRun
from storage.cold.publication import PublicationHost, adopt, name_files, publish
from storage.cold.tiering import Stretch
from storage.errors import DataCorruptedError, DiskFullError, IoError, KalamError
from storage.fs import FileSystem
from storage.layout import Layout
from storage.tablet import Tablet

ROOM_BYTES = 64 << 20
"""Of the disk, what a compaction leaves to those who write."""

Choice = Callable[[Sequence[Segment], int], Stretch]
"""Which segments to compact, of all and by what tombstones may go: see `storage.cold.tiering`."""


@dataclass(frozen=True, slots=True)
class CompactionResult:
    """Segments and their bytes that were replaced, and by what. version: 0 when nothing was done."""

    version: int = 0
    segments_before: int = 0
    segments: int = 0
    size_before: int = 0
    size: int = 0


def compact_together(
    host: PublicationHost,
    tablets: Sequence[Tablet],
    choose: Choice,
    tombstones_before: int,
    *,
    encoder: Encoder = encode,
    told: Callable[[int], object] = lambda _rows: None,
) -> list[CompactionResult | KalamError]:
    """Compact one stretch of each tablet that has one; they share the waits for the disk.

    For a worker thread; waits for running compactions. What one tablet raises is its answer, an error
    of the disk while all are published is raised. told: called with the rows written so far.

    Raises:
        DiskFullError, IoError: The disk refuses; segments are as they were, or as they were to be.
    """
    ids = [tablet.id for tablet in tablets]
    with ExitStack() as stack, _only_kalam_errors():
        stack.enter_context(host.directories.compacting(*ids, check=host.check))
        parts = [
            _Part(tablet, stack.enter_context(host.directories.writer(tablet.id)))
            for tablet in tablets
        ]
        work = _Compaction(host, encoder, tombstones_before, told)
        try:
            work.run(parts, choose)
        finally:
            for part in parts:
                if not part.linked:
                    part.run.discard(host.fs)  # On a full disk it is the room that others wait for.
        return [part.error or part.result() for part in parts]


@dataclass(slots=True)
class _Part:
    """One tablet of a compaction: an `Edit` of its cold part. inputs: what is to be replaced."""

    tablet: Tablet
    writer: Writer
    inputs: tuple[Segment, ...] = ()
    older: tuple[Segment, ...] = ()
    run: NewRun = field(init=False)
    error: KalamError | None = None
    linked: bool = False
    published: Manifest | None = None
    ends_flush: bool = False

    def __post_init__(self) -> None:
        self.run = NewRun(self.tablet.directory, self.writer, "compact.file_written")

    def next_version(self, base: Manifest) -> Manifest | None:
        """The new run in the place of its inputs; None when they are not there any more."""
        files = [segment.file for segment in base.segments]
        first = self.inputs[0].file
        at = files.index(first) if first in files else 0
        end = at + len(self.inputs)
        if base.segments[at:end] != self.inputs:
            return None  # A TRUNCATE was flushed meanwhile.
        return replace(
            base,
            version=base.version + 1,
            segments=(*base.segments[:at], *self.segments(), *base.segments[end:]),
            previous=base.sha256,
            sha256="",
        )

    def segments(self) -> Sequence[Segment]:
        """The new run. Raises DataCorruptedError when the counts of its inputs cannot be right."""
        seen = sum(s.rows - s.deleted - s.superseded for s in self.inputs)
        superseded = self.run.live - seen
        if superseded < 0 or (superseded and not (self.older and self.run.written)):
            raise DataCorruptedError(
                f"tablet {self.tablet.id.user}/{self.tablet.id.table} has {self.run.live} rows "
                f"in segments that are said to have {seen} more than they hide"
            )
        return self.run.segments(superseded)

    def result(self) -> CompactionResult:
        if self.published is None:
            return CompactionResult()
        return CompactionResult(
            self.published.version,
            len(self.inputs),
            len(self.run.written),
            sum(segment.size for segment in self.inputs),
            sum(facts.size for _, facts in self.run.written),
        )


class _Compaction:
    """The protocol, step by step."""

    def __init__(
        self,
        host: PublicationHost,
        encoder: Encoder,
        tombstones_before: int,
        told: Callable[[int], object],
    ) -> None:
        self._host = host
        self._encoder = encoder
        self._tombstones_before = tombstones_before
        self._told = told
        self._rows = 0

    def run(self, parts: Sequence[_Part], choose: Choice) -> None:
        for part in parts:
            self._choose(part, choose)
        busy = [part for part in parts if part.inputs]
        failpoints.hit("compact.chosen")
        for part in busy:
            try:
                self._merge(part)
            except KalamError as exc:
                part.error = exc
                part.run.discard(self._host.fs)
        good = [part for part in busy if part.error is None]
        if good:
            failpoints.hit("compact.merged")
            self._host.check()  # As a flush.
            name_files(self._host.fs, [file for part in good for file in part.run.files], ())
            publish(self._host, good)
            failpoints.hit("compact.done")

    def _choose(self, part: _Part, choose: Choice) -> None:
        """Choose what to compact, and hold it, before anybody can replace and collect it."""
        host = self._host
        # The runs may have been written in a newer layout than it was opened in.
        tablet = part.tablet = host.run_on_loop(part.tablet.newest_reading)
        with host.directories.section(tablet.id):
            adopt(host, tablet)
            segments = tablet.manifest.segments
            inputs = tuple(choose(segments, self._tombstones_before))
            if not inputs or not host.run_on_loop(lambda: host.exists(tablet.id)):
                return
            if _loses_columns(inputs, tablet.layout) and host.run_on_loop(
                lambda: _is_older_view(host.reads(tablet.id).seqs)
            ):
                return  # It may read a column that has been dropped since; the next compaction is soon.
            part.inputs = inputs
            part.older = segments[: segments.index(inputs[0])]
            held = (*part.older, *inputs)
            part.writer.keep(*(name for segment in held for name in segment.files))

    def _merge(self, part: _Part) -> None:
        host, tablet = self._host, part.tablet
        _check_room(host.fs, part)
        job = MergeJob(tablet.id, tablet.layout, part.inputs, part.older, self._tombstones_before)
        with closing(self._encoder([job])) as answers:
            for answer in answers:
                if isinstance(answer, KalamError):
                    raise answer
                for segment in answer.segments:
                    host.check()
                    part.run.write(host.fs, [segment])
                    self._rows += segment.facts.rows
                    self._told(self._rows)
        part.segments()  # Counts that cannot be right are this tablet's own trouble.


def _loses_columns(inputs: Sequence[Segment], layout: Layout) -> bool:
    """Whether segments have values of columns that a layout has not: those of dropped columns."""
    kept = {column_name(column) for column in layout.columns}
    return any(not kept.issuperset(_values_of(segment)) for segment in inputs)


def _values_of(segment: Segment) -> set[str]:
    return {name for name in segment.columns if not name.startswith("_")}


def _is_older_view(seqs: Sequence[int]) -> bool:
    """Whether a view is held that began before the newest commit; that stands last."""
    return any(seq < seqs[-1] for seq in seqs)


def _check_room(fs: FileSystem, part: _Part) -> None:
    needed = sum(segment.size for segment in part.inputs) + ROOM_BYTES
    if fs.free_bytes(Path(part.tablet.directory)) < needed:
        raise DiskFullError(
            "could not compact: No space left on device",
            detail=f"Beside the segments that there are it takes {needed >> 20} MB.",
        )


@contextmanager
def _only_kalam_errors() -> Iterator[None]:
    """Files that somebody else removes from under a compaction are the disk's trouble."""
    try:
        yield
    except (FileNotFoundError, FileExistsError) as exc:
        raise IoError(f"could not compact: {exc.strerror}") from exc
