"""Collect: remove files that nobody reads and nothing names; erase: everything of dropped tablets.

What there is to remove is found in the directory, whether the tablet is open or not. A file stays
as long as

- the newest manifest names it,
- a manifest names it that an open view would choose, or has chosen (`View.reads`),
- it is the file of one of its table's indexes over a segment that stays,
- or somebody is writing it (`Directories.names`).

Everything may be cut off anywhere and is simply done again; what is gone already was to go.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from storage import failpoints
from storage.cold.directories import TEMPORARY, Directories
from storage.cold.index_file import PREFIX, segment_and_mark
from storage.cold.kept_manifests import Reads
from storage.cold.manifest import (
    Manifest,
    check_noted,
    files_of,
    read,
    read_by,
    versions_among,
)
from storage.cold.point_read import forget_file
from storage.cold.publication import PublicationHost, adopt
from storage.fs import FileSystem
from storage.ids import TabletId
from storage.tablet import Tablet

_ERASERS = 8
"""Threads that remove files: on a disk that is mounted with `discard`, and has no journal, each removal
waits until the disk has let go of its blocks, a millisecond or more. With four times as many it is no
quicker."""

_FILES = ("segment-", "manifest-", PREFIX, TEMPORARY)


class CollectHost(PublicationHost, Protocol):
    """What collection needs of the engine. Called from its thread."""

    def opened(self, tablet: TabletId) -> Tablet | None:
        """The tablet, if it is open (on the loop)."""
        ...

    def reads(self, tablet: TabletId) -> Reads:
        """What open views may read of it (on the loop)."""
        ...

    def index_marks(self, tablet: TabletId) -> frozenset[str]:
        """The marks of the indexes that its table has (on the loop)."""
        ...


def collect(host: CollectHost, tablet: TabletId, directory: Path) -> list[str]:
    """Remove files of a tablet that nobody reads; returns their names. For a worker thread.

    An empty directory goes too.

    Raises:
        DataCorruptedError: A manifest cannot be read, or is lost: what it names is not known.
        IoError: The disk refuses.
    """
    if _is_tidy(host, tablet, directory):
        return []
    with host.directories.section(tablet):
        removed = _collect(host, tablet, directory)
        host.directories.remove(host.fs, tablet, directory)
    return removed


def _is_tidy(host: CollectHost, tablet: TabletId, directory: Path) -> bool:
    """Whether there is one manifest, and nothing that it does not name: nothing to do."""
    fs = host.fs
    try:
        names = fs.listdir(directory)
        versions = versions_among(names)
        if len(versions) != 1:
            return False
        named = files_of([read(fs, directory, versions[0], tablet)])
    except FileNotFoundError:
        return False
    return all(name in named for name in _without_indexes(host, tablet, names, named))


def _without_indexes(
    host: CollectHost, tablet: TabletId, names: Iterable[str], named: AbstractSet[str]
) -> list[str]:
    """These files but for those of the table's indexes over segments that are named."""
    left: list[str] = []
    marks: frozenset[str] | None = None
    for name in names:
        if name.startswith(PREFIX):
            segment, mark = segment_and_mark(name)
            if segment in named:
                if marks is None:
                    marks = host.run_on_loop(lambda: host.index_marks(tablet))
                if mark in marks:
                    continue
        left.append(name)
    return left


def _collect(host: CollectHost, tablet: TabletId, directory: Path) -> list[str]:
    fs = host.fs
    opened = host.run_on_loop(lambda: host.opened(tablet))
    if opened is not None:
        adopt(host, opened)  # What the disk says and what readers are told is one thing from here.
    try:
        names = sorted(fs.listdir(directory))
        # After the list: a file in it was announced before it was made, and whoever has left since
        # has not published it, for that is done in this section.
        writing = host.directories.names(tablet)
        reads = host.run_on_loop(lambda: host.reads(tablet))
        named = _named(fs, tablet, directory, names, reads)
    except FileNotFoundError:
        return []  # It goes already.
    if opened is not None:
        host.run_on_loop(lambda: opened.forget_manifests(reads))
    there = _without_indexes(host, tablet, names, named)
    unread = [n for n in there if n.startswith(_FILES) and n not in named and n not in writing]
    # Manifests first: none that is there names a file that is not.
    for name in sorted(unread, key=lambda name: not name.startswith("manifest-")):
        _remove(fs, directory / name)
        failpoints.hit("collect.unlinked")
    return unread


def _named(
    fs: FileSystem, tablet: TabletId, directory: Path, names: Iterable[str], reads: Reads
) -> set[str]:
    """The files that a manifest names which somebody reads, or will."""
    versions = versions_among(names)
    if not versions:
        check_noted(Manifest(tablet), reads.note)
        return files_of(reads.manifests)
    newest = read(fs, directory, versions[-1], tablet)
    check_noted(
        newest, reads.note
    )  # Files of a newer one that is lost may be all that is left of it.
    older = read_by(fs, directory, newest, versions, reads.seqs)
    return files_of([*reads.manifests, *older, newest])


def erase(
    fs: FileSystem, directories: Directories, tablets: Sequence[tuple[TabletId, Path]]
) -> None:
    """Remove the directories of dropped tablets, which nobody reads or writes any more.

    That they are dropped is durable, and what is left after a crash is found and removed again: no removal
    needs to be durable by itself. At the end those of whole users are.

    Raises:
        IoError: The disk refuses; some of them are left.
    """
    there = [place for place in tablets if fs.exists(place[1])]
    if not there:
        return  # Most that were dropped young never had any.

    def remove(places: Sequence[tuple[TabletId, Path]]) -> None:
        for tablet, directory in places:
            _empty(fs, directory)
            directories.remove(fs, tablet, directory)

    threads = _ERASERS if len(there) > _ERASERS else 1
    with (
        directories.section(*(tablet for tablet, _ in there)),
        ThreadPoolExecutor(threads) as pool,
    ):
        list(pool.map(remove, [there[at::threads] for at in range(threads)]))
    for cold in {directory.parent.parent for _, directory in there}:
        fs.sync_directory(cold)


def _empty(fs: FileSystem, directory: Path) -> None:
    """Remove the files of a directory, manifests first: none that is there names a file that is not."""
    try:
        names = fs.listdir(directory)
    except FileNotFoundError:
        return
    for name in sorted(names, key=lambda name: not name.startswith("manifest-")):
        _remove(fs, directory / name)
        failpoints.hit("erase.unlinked")


def _remove(fs: FileSystem, path: Path) -> None:
    try:
        fs.unlink(path)
    except FileNotFoundError:
        return
    forget_file(path)
