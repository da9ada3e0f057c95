"""Direct load: rows of one transaction become segments without having been in the log.

It is a flush whose rows the transaction brings. What they are to be is decided by its commit alone:

1. `write`: segments and key filters are written, made durable, read back and named. No manifest names
   them, so nobody sees them; what is not committed is discarded, or collected after a crash.
2. `enter`: nobody else writes to the tablet (its own lock), and all that others have committed to it is
   flushed. From here to the end no other flush and no other publication of the tablet is under way.
3. `number`, in the committer's turn: the next version of the manifest, of the one that is newest, flushed
   through this commit. Its whole text is a record of the commit's own batch (`load_puts`). **The commit
   point is that batch**; from then on the text is what the tablet consists of, wherever it stands.
4. `publish`, on the event loop, in the step in which the commit becomes visible: the version is the newest
   in memory. Views from before read the one before it, as after any flush.
5. `link`: the text is linked under its number, and the record goes. Whoever enters the section before that
   does it first (`finish_here`), and a start does (`finish`).

A transaction may load several times into a tablet, and read what it has loaded before it commits
(`reading`). Has it emptied the tablet before, the version has its segments alone, and begins a life.

The rows' `_seq` is that of an earlier commit, at which nobody saw them: they were written before theirs
had a number. It is not below that of anything that they could be compared with, since their keys were free
(`storage.cold.load_keys`). The log has nothing of them, so positions in the tablet's changes from before
the load are too old after it (`storage.log.retained`), and a tail does not have them
(`Manifest.log_begins_behind`).
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from storage import failpoints
from storage.cold.directories import Writer, directory_of
from storage.cold.kept_manifests import ManifestsWithLoaded
from storage.cold.manifest import Manifest, Segment, decode, encode, versions_of
from storage.cold.new_run import NewRun
from storage.cold.publication import PublicationHost, adopt, name_files, write_version
from storage.cold.segment_builder import EncodedSegment
from storage.errors import IoError, SerializationError
from storage.fs import FileSystem
from storage.ids import TabletId
from storage.keys import meta_key
from storage.layout import Layout
from storage.log.hot import Put
from storage.log.manifest_note import unpack_note
from storage.log.recovery import LOAD, load_puts
from storage.log.retained import RETAINED, Retained, unpack_retained
from storage.log.view import View
from storage.readings import Readings
from storage.tablet import Tablet


class LoadHost(PublicationHost, Protocol):
    """What a load needs of the engine beside what every publication does. Called from its thread."""

    def acquire(self) -> View:
        """The published view; on the event loop."""
        ...

    def loaded(self, manifest: Manifest) -> None:
        """Write, synced, that this manifest is the newest, and that its text need not be kept any more."""
        ...


class CommitLog(Protocol):
    """What the committer's turn tells (`storage.engine.Engine`)."""

    def newest_commit(self, tablet: TabletId) -> int:
        """The newest commit of a tablet that the log has."""
        ...

    def committed(self, key: bytes) -> bytes | None:
        """A system record as this group leaves it."""
        ...


class Load:
    """The segments of one transaction's rows in one tablet, until they are published or discarded.

    `write`, `enter`, `link` and `discard` are for threads, which wait for each other; `number` is for the
    committer's, `publish` and `reading` for the event loop. manifest: the version that the commit makes,
    once it has a number. segments, rows: what was written, or what is chosen of it (`choose`). alone: whether
    the transaction has emptied the tablet before.
    """

    def __init__(self, host: LoadHost, tablet: Tablet, *, alone: bool = False) -> None:
        self.tablet = tablet
        self.manifest: Manifest | None = None
        self.published = False
        self.segments: tuple[Segment, ...] = ()
        self.rows = 0
        self.alone = alone
        self._discarded = False
        self._thread = threading.Lock()
        self._host = host
        self._resources = ExitStack()
        self._turn = ExitStack()
        self._writer: Writer | None = None
        self._runs: list[NewRun] = []
        self._entered = False
        self._text = b""

    @property
    def id(self) -> TabletId:
        """Of the tablet."""
        return self.tablet.id

    def write(self, segments: Iterable[EncodedSegment]) -> None:
        """Write segments, behind those that were, and name them.

        Raises DiskFullError, IoError, DataCorruptedError: none is added.
        """
        with self._working():
            self._write(segments)

    def choose(self, segments: Sequence[Segment], rows: int) -> None:
        """These are the transaction's, of what was written; the others go when it has ended."""
        self.segments, self.rows = tuple(segments), rows

    def reading(self, layout: Layout) -> Tablet:
        """The tablet as the transaction sees it: with the segments. As long as nobody else writes to it."""
        tablet = self.tablet
        kept = ManifestsWithLoaded(tablet.kept, self.segments, alone=self.alone)
        return Tablet(
            *(self.id, layout),
            fs=self._host.fs,
            directory=tablet.directory,
            current=self._host.acquire,
            older=tablet.schema.layouts,
            shared=Readings(tablet.readings.versions, kept),
        )

    @contextmanager
    def _working(self) -> Iterator[None]:
        """One thread at a time, none when it is discarded: its transaction may end at any moment."""
        with self._thread, _only_kalam_errors():
            if self._discarded:
                raise IoError("the load was given up")
            yield

    def _write(self, segments: Iterable[EncodedSegment]) -> None:
        host, directory = self._host, self.tablet.directory
        new = not self.tablet.manifest.version
        writer = self._writer
        if writer is None:
            writer = self._resources.enter_context(host.directories.writer(self.id))
            if not host.run_on_loop(lambda: host.exists(self.id)):
                raise IoError("the table is gone")
            if new:
                writer.make_directory(host.fs, directory)
            self._writer = writer
        run = NewRun(directory, writer, "load.file_written")
        self._runs.append(run)
        run.write(host.fs, segments)
        name_files(host.fs, run.files, directory.parents[:3] if new else ())
        self.segments = (*self.segments, *run.segments(0))
        self.rows += sum(facts.rows for _, facts in run.written)
        failpoints.hit("load.named")

    def enter(self) -> None:
        """Take the tablet's turn: from here on its manifest is this load's to follow."""
        with self._working():
            self._enter()

    def _enter(self) -> None:
        host = self._host
        # Whatever flush began before has ended then, and another has nothing to do.
        self._turn.enter_context(host.directories.flushing(self.id, check=host.check))
        self._turn.enter_context(host.directories.section(self.id))
        self._entered = True
        adopt(host, self.tablet)
        newest = self.tablet.manifest
        if newest.version > host.run_on_loop(lambda: host.noted(self.id)).version:
            host.note([newest], [])
        failpoints.hit("load.entered")

    def number(self, log: CommitLog, seq: int) -> list[Put]:
        """In the committer's turn: what the commit with this number writes of the load.

        Raises:
            SerializationError: Somebody has committed to the tablet what is in no segment.
        """
        base = self.tablet.manifest
        # What it has emptied is of an earlier life, wherever it is.
        if not self.alone and log.newest_commit(self.id) > base.flushed_through:
            raise SerializationError(
                "could not serialize access due to concurrent update",
                hint="The transaction might succeed if retried.",
            )
        made = replace(
            base,
            version=base.version + 1,
            schema_version=self.tablet.layout.version,
            incarnation=seq if self.alone else base.incarnation,
            flushed_through=seq,
            loaded_through=seq,
            segments=self.segments if self.alone else (*base.segments, *self.segments),
            previous=base.sha256,
            sha256="",
        )
        self._text = encode(made)
        self.manifest = decode(self._text, self.tablet.directory)
        retained_key = meta_key(self.id, RETAINED)
        oldest = unpack_retained(log.committed(retained_key)).oldest
        return [
            *load_puts(self.id, self._text),
            (retained_key, Retained(seq + 1, oldest).pack()),
        ]

    def publish(self) -> None:
        """The commit is visible from here on."""
        assert self.manifest is not None
        self.published = True
        self.tablet.kept.unlinked = self._text
        self.tablet.swap(self.manifest)

    def is_committed(self, system_get: Callable[[bytes], bytes | None]) -> bool:
        """Whether the log, which was opened again, has the commit of which nobody knew what became."""
        return bool(self._text) and system_get(meta_key(self.id, LOAD)) == self._text

    def link(self) -> None:
        """Give the version its name. Raises DiskFullError, IoError: that is to be tried again."""
        assert self.manifest is not None
        failpoints.hit("load.published")
        with ExitStack() as turn:
            if self._entered:
                self._entered = False
                turn.push(self._turn.pop_all())
            else:  # It was tried before.
                turn.enter_context(self._host.directories.section(self.id))
            adopt(self._host, self.tablet)
            failpoints.hit("load.linked")
            self._host.loaded(self.manifest)
            failpoints.hit("load.noted")
        self._resources.close()

    def discard(self) -> None:
        """The commit is none: remove the files. Again is no error."""
        with self._thread:
            self._discarded = True
            for run in self._runs:
                run.discard(self._host.fs)
            self._turn.close()
            self._resources.close()


def finish(
    fs: FileSystem,
    cold: Path,
    records: Iterable[tuple[TabletId, bytes]],
    get: Callable[[bytes], bytes | None],
) -> list[Put]:
    """At a start: link what loads have committed and not linked; what the log is told of that.

    get: a record of the log. A directory that is gone was erased with its table, or is lost: that the version
    was there is noted all the same, for whoever asks for the tablet.

    Raises:
        DiskFullError, IoError: The disk refuses.
        DataCorruptedError: A record is not what was written.
    """
    puts: list[Put] = []
    for tablet, text in records:
        directory = directory_of(cold, tablet)
        if text:  # Else its user is erased.
            made = decode(text, directory)
            there = fs.exists(directory)
            if there and made.version > max(versions_of(fs, directory), default=0):
                write_version(fs, directory, made.version, text)
            if made.version > unpack_note(get(meta_key(tablet))).version:
                puts.append((meta_key(tablet), made.note.pack()))
        puts += load_puts(tablet, None)
        failpoints.hit("recovery.load")
    return puts


@contextmanager
def _only_kalam_errors() -> Iterator[None]:
    """Files that somebody else removes from under a load are the disk's trouble."""
    try:
        yield
    except (FileNotFoundError, FileExistsError) as exc:
        raise IoError(f"could not load: {exc.strerror}") from exc
