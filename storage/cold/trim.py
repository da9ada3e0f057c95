"""Trim: delete from the log what is in cold; collect: remove files that nothing names any more.

Both run later than the flush, and apart from it: readers with older views, and the change feed,
may still want what a flush has copied.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Protocol

from storage import failpoints
from storage.cold.flush import FlushHost
from storage.cold.manifest import files_of
from storage.cold.point_read import forget_file
from storage.fs import FileSystem
from storage.ids import TabletId
from storage.log.log_entry import Op, decode_entry
from storage.log.view import View
from storage.tablet import Tablet

_BATCH_ENTRIES = 500
"""Entries deleted in one batch: some 4 ms for a commit that waits behind it."""

_FILES = ("segment-", "manifest-", "tmp-")


class LogEntry(NamedTuple):
    """One log entry to delete. key: of the index entry that may point at it, None for no index."""

    seq: int
    n: int
    key: bytes | None


class TrimHost(FlushHost, Protocol):
    """What trim needs of the engine. Called from trim's thread."""

    def oldest_view(self) -> int:
        """The least seq of all open views and the published one."""
        ...

    def delete_entries(self, tablet: TabletId, entries: Sequence[LogEntry]) -> None:
        """In the committer's turn, delete log entries, and those index entries that point at them.

        Whether one does is asked there and then: a commit in between may have moved it. The
        deletion need not be synced.
        """
        ...


@dataclass(frozen=True, slots=True)
class TrimResult:
    """through: the log has no entry up to this seq. entries: deleted now."""

    tablet: TabletId
    through: int
    entries: int


def trim(host: TrimHost, tablet: Tablet, *, retained_from: int) -> TrimResult:
    """Delete the log's entries that every open view reads from cold. For a worker thread.

    Args:
        host: The engine.
        tablet: Whose log.
        retained_from: First seq that the change feed must still find.
    """
    through = host.run_on_loop(lambda: _limit(host, tablet, retained_from))
    deleted = 0
    view_of = host.run_on_loop(host.acquire)
    view = host.run_on_loop(view_of.__enter__)
    try:
        log = _entries(view, tablet, through)
        while entries := list(islice(log, _BATCH_ENTRIES)):
            host.delete_entries(tablet.id, entries)
            deleted += len(entries)
            failpoints.hit("trim.batch")
    finally:
        host.run_on_loop(lambda: view_of.__exit__(None, None, None))
    host.run_on_loop(lambda: tablet.trimmed(through))
    return TrimResult(tablet.id, through, deleted)


def collect(host: TrimHost, tablet: Tablet, *, older_than_ns: int) -> list[str]:
    """Remove files of the tablet that no manifest of an open view names; returns their names.

    Args:
        host: The engine.
        tablet: Whose directory.
        older_than_ns: Only files last changed before this time, in ns since 1970: a statement
            that chose a manifest just before it was dropped may still open its files.
    """
    fs, directory = host.fs, tablet.directory
    with tablet.flushing:
        if not fs.exists(directory):
            return []
        kept = host.run_on_loop(lambda: tablet.forget_manifests(host.oldest_view()))
        named = files_of(kept)
        removed = []
        for name in sorted(fs.listdir(directory)):
            path = directory / name
            ours = name.startswith(_FILES) and name not in named
            if ours and fs.stat(path).st_mtime_ns < older_than_ns:
                fs.unlink(path)
                forget_file(path)
                removed.append(name)
                failpoints.hit("collect.unlinked")
        return removed


def erase(fs: FileSystem, directory: Path) -> list[str]:
    """Remove every file of a dropped tablet's directory, manifests first; returns their names.

    Idempotent: a crash leaves fewer files, and no manifest that names missing ones.
    """
    if not fs.exists(directory):
        return []
    names = sorted(fs.listdir(directory), key=lambda name: (not name.startswith("manifest-"), name))
    for name in names:
        fs.unlink(directory / name)
        forget_file(directory / name)
        failpoints.hit("erase.unlinked")
    fs.sync_directory(directory)
    return names


def _limit(host: TrimHost, tablet: Tablet, retained_from: int) -> int:
    flushed = tablet.manifest_at(host.oldest_view())
    # An incarnation that no file knows begins at a TRUNCATE; without its entry it would not begin.
    passed = flushed.flushed_through if flushed.version else 0
    return max(0, min(passed, retained_from - 1))


def _entries(view: View, tablet: Tablet, through: int) -> Iterator[LogEntry]:
    for seq, n, data in view.log(tablet.id, 0):
        if seq > through:
            break
        entry = decode_entry(data)
        row = None if entry.op in {Op.TRUNCATE, Op.LOAD} else entry.row
        key = None if row is None else tablet.key_of(tablet.projected_row(row, entry.version))
        yield LogEntry(seq, n, key)
