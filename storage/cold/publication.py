"""Publication: how a tablet's cold part gets its next version, whoever made it.

A flush adds segments and moves `flushed_through` on; a compaction replaces segments; a direct load
is taken up by the next flush. What they share is here:

1. The work enters `Directories.writer` and then asks whether its table still exists; if not, it
   makes nothing. It says the names of its files before it makes them.
2. It writes files under temporary names, and `name_files` makes them durable, reads them back and
   gives them their names. Nothing names them yet: a crash leaves garbage, which `collect` removes.
3. `publish`, in the tablet's section (one thread at a time, with collect and erase):
   a. A version that somebody linked, and failed before it was taken up, is taken up first.
   b. Whoever wants to change the tablet is asked for the next version *of the one that is newest
      now*, or for none: not of the one that it began with. A table that is gone, and a flush whose
      rows a TRUNCATE has taken meanwhile, get none.
   c. The high-water mark is made durable, the text is written under a temporary name, and both the
      text and the files' names are made durable.
   d. **The commit point:** the text is linked under its number. Unlike a rename that can replace no
      other version. Then the name is made durable.
   e. On the event loop the version becomes the newest; a lower one never replaces a higher.
   f. The log is told of it (`storage.log.manifest_note`), durably. Had that failed the last time, it
      is told before c: at a start the newest version is the one that is noted, or the one after it.
4. The writer leaves. Views that chose an older version hold its files (`storage.cold.collect`).

A crash before d changes nothing; from d on the version is found at the next start, or by whoever
enters the section next.
"""

import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from storage import failpoints
from storage.cold.directories import TEMPORARY, Directories, Writer
from storage.cold.kept_manifests import Reads
from storage.cold.manifest import Manifest, decode, encode, manifest_name, read
from storage.cold.segment import sha256_of
from storage.cold.segment_builder import SegmentFacts
from storage.errors import DataCorruptedError, IoError
from storage.fs import FileSystem
from storage.ids import TabletId
from storage.log.manifest_note import ManifestNote
from storage.tablet import Tablet

T = TypeVar("T")


class PublicationHost(Protocol):
    """What a publication needs of the engine. Called from the publication's thread."""

    fs: FileSystem
    directories: Directories

    def check(self) -> None:
        """Raise what ends this work if nobody wants it any more."""
        ...

    def run_on_loop(self, call: Callable[[], T]) -> T:
        """Call on the event loop and wait for its answer."""
        ...

    def reads(self, tablet: TabletId) -> Reads:
        """What open views may read of a tablet; on the loop."""
        ...

    def exists(self, tablet: TabletId) -> bool:
        """Whether the catalog still has the tablet's table (on the loop). Once not, never again."""
        ...

    def before_manifest(self) -> None:
        """Make the high-water mark durable: no manifest may name a commit that recovery misses."""
        ...

    def noted(self, tablet: TabletId) -> ManifestNote:
        """What the published log knows of its newest manifest (on the loop)."""
        ...

    def note(self, manifests: "Sequence[Manifest]", ended: Sequence[TabletId]) -> None:
        """Write, synced, which manifests are the newest, and that the flushes of some have ended."""
        ...


class Edit(Protocol):
    """One tablet's next version, and the writer of its files.

    linked: set before the version gets its name; from then on its files are not the writer's.
    published: the version, once it is the newest. ends_flush: with it a flush that is announced ends.
    """

    tablet: Tablet
    writer: Writer
    ends_flush: bool
    linked: bool
    published: Manifest | None

    def next_version(self, base: Manifest) -> Manifest | None:
        """What is to follow `base`, the newest; None when nothing is to be published any more.

        In the publication's thread, in the tablet's section.
        """
        ...


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file under its temporary name, and what it is to be called. facts: of a segment."""

    temporary: Path
    target: Path
    facts: SegmentFacts | None


def name_files(fs: FileSystem, files: Sequence[NewFile], new_directories: Iterable[Path]) -> None:
    """Make the files durable, read the segments back, then give the files their names.

    new_directories: whose names must be durable too, with those above them.

    Raises:
        DataCorruptedError: A segment does not read back as it was written.
    """
    fs.sync_many([*(file.temporary for file in files), *sorted(set(new_directories))])
    failpoints.hit("publish.files_durable")
    for file in files:
        if file.facts is not None and sha256_of(fs, file.temporary) != file.facts.sha256:
            raise DataCorruptedError(
                f"segment {file.temporary.name} does not read back as it was written"
            )
    for file in files:
        fs.rename(file.temporary, file.target)
        failpoints.hit("publish.renamed")


def publish(host: PublicationHost, edits: Sequence[Edit]) -> None:
    """Publish the next versions of some tablets together: they share the waits for the disk.

    Each has its own commit point. What was published is in `published`; what was not, and has
    raised nothing, was not wanted any more.

    Raises:
        DiskFullError, IoError: The disk refuses. Versions that are `linked` may be there or not:
            whoever enters the section next finds out.
    """
    with host.directories.section(*(edit.tablet.id for edit in edits)):
        there = host.run_on_loop(lambda: [host.exists(edit.tablet.id) for edit in edits])
        versions: list[_Version] = []
        stale: list[Manifest] = []
        for edit, exists in zip(edits, there, strict=True):
            adopt(host, edit.tablet)
            manifest = edit.next_version(edit.tablet.manifest) if exists else None
            if manifest is not None:
                stale += _stale(host, edit.tablet)
                temporary = edit.tablet.directory / edit.writer.name(secrets.token_hex(8))
                versions.append(_Version(edit, manifest.version, encode(manifest), temporary))
        if stale:
            host.note(stale, [])
        if versions:
            _link(host, versions)


def _stale(host: PublicationHost, tablet: Tablet) -> list[Manifest]:
    """The newest manifest, if the log does not know it yet."""
    newest = tablet.manifest
    known = host.run_on_loop(lambda: host.noted(tablet.id))
    return [newest] if newest.version > known.version else []


def adopt(host: PublicationHost, tablet: Tablet) -> None:
    """Take up a version that was linked before its publication failed, or a load's that was not linked yet.

    In the tablet's section. Its name may be durable, or may not be yet.
    """
    fs, directory = host.fs, tablet.directory
    if unlinked := tablet.kept.unlinked:
        host.before_manifest()
        write_version(fs, directory, tablet.manifest.version, unlinked)
        tablet.kept.unlinked = b""
    version = tablet.manifest.version + 1
    if fs.exists(directory / manifest_name(version)):
        found = read(fs, directory, version, tablet.id)
        fs.sync_directory(directory)
        host.run_on_loop(lambda: tablet.swap(found))


def write_version(fs: FileSystem, directory: Path, version: int, text: bytes) -> None:
    """Link a version whose text is decided, durably; again is no error. In the tablet's section."""
    target = directory / manifest_name(version)
    if not fs.exists(target):
        temporary = directory / f"{TEMPORARY}{secrets.token_hex(8)}"
        fs.write_pieces(temporary, [text])
        fs.sync_many([directory, temporary])
        failpoints.hit("publish.names_durable")
        fs.link(temporary, target)
        failpoints.hit("publish.manifest_linked")
        with suppress(IoError, FileNotFoundError):  # `collect` removes the name.
            fs.unlink(temporary)
    fs.sync_directory(directory)


@dataclass(frozen=True, slots=True)
class _Version:
    """A version that is to be linked. data: its text."""

    edit: Edit
    number: int
    data: bytes
    temporary: Path

    @property
    def directory(self) -> Path:
        return self.edit.tablet.directory


def _link(host: PublicationHost, versions: Sequence[_Version]) -> None:
    fs = host.fs
    directories = [version.directory for version in versions]
    host.before_manifest()
    for version in versions:
        fs.write_pieces(version.temporary, [version.data])
        failpoints.hit("publish.manifest_written")
    # The segments' names, too: they must be there when a manifest's is.
    fs.sync_many([*directories, *(version.temporary for version in versions)])
    failpoints.hit("publish.names_durable")
    for version in versions:
        version.edit.linked = True
        fs.link(version.temporary, version.directory / manifest_name(version.number))
        failpoints.hit("publish.manifest_linked")
    fs.sync_many(directories)
    failpoints.hit("publish.manifest_durable")
    manifests = [decode(version.data, version.directory) for version in versions]
    host.run_on_loop(lambda: _swap(versions, manifests))
    failpoints.hit("publish.swapped")
    ended = [version.edit.tablet.id for version in versions if version.edit.ends_flush]
    host.note(manifests, ended)
    failpoints.hit("publish.noted")
    for version in versions:
        with suppress(IoError, FileNotFoundError):  # It is published; `collect` removes the name.
            fs.unlink(version.temporary)


def _swap(versions: Sequence[_Version], manifests: Sequence[Manifest]) -> None:
    for version, manifest in zip(versions, manifests, strict=True):
        version.edit.tablet.swap(manifest)
        version.edit.published = manifest
