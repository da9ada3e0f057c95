"""Verifying a data directory that no server has open: what `kalam check` does.

Each inconsistency is one problem; a directory without any is as good as the day it was written,
as far as checksums, counts and cross-references can tell.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from storage.cold.directories import directory_of, tablets_in
from storage.errors import DataCorruptedError, KalamError
from storage.fs import OS, FileSystem
from storage.ids import TabletId
from storage.keys import (
    index_range,
    log_key,
    log_range,
    meta_key,
    meta_range,
    split_index_key,
    split_log_key,
    unpack_position,
)
from storage.log.hot import HotSnapshot
from storage.log.log_entry import Op, decode_entry
from storage.log.manifest_note import unpack_note
from storage.log.recovery import LOAD, Opened, open_directory
from storage.log.unflushed import find_unflushed
from storage.log.view import View


@dataclass(frozen=True, slots=True)
class Problem:
    """One inconsistency. where: the tablet or file; what: in a sentence."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


ColdCheck = Callable[[FileSystem, Path, TabletId, View], Iterator[Problem]]
"""Checks a tablet's directory of segments and manifests, against its log in the view."""


TableExists = Callable[[HotSnapshot, int], bool]
"""Whether the catalog, which is in the log, has a table of this id."""


def check(
    path: Path,
    *,
    fs: FileSystem = OS,
    cold_check: ColdCheck | None = None,
    exists: TableExists = lambda _log, _table: True,
) -> Iterator[Problem]:
    """Everything wrong with a data directory, as it is found.

    Args:
        path: The directory; nothing in it is changed, but LevelDB tidies its own files.
        fs: Where files are.
        cold_check: Checks one tablet's cold files; by default `check_manifest`.
        exists: What is left of a table that was dropped may be incomplete.

    Raises:
        DirectoryInUseError: A server has it open.
    """
    try:
        opened = open_directory(path, fs, create=False)
    except DataCorruptedError as exc:
        yield Problem(str(path), exc.message)
        return
    snapshot = opened.store.snapshot()
    try:
        yield from _check_slots(path, opened)
        # The log need not know of each: a crash may come before its note. Nor need the disk have each.
        trimmed = _trimmed(snapshot)
        tablets = sorted(t for t in {*tablets_in(fs, path / "cold"), *trimmed})
        cold = {t: directory_of(path / "cold", t) for t in tablets if exists(snapshot, t.table)}
        yield from _check_log(snapshot, opened.last, trimmed | cold.keys())
        for tablet, _ in find_unflushed(snapshot):
            if tablet not in opened.unflushed:
                yield Problem(_name(tablet), "no flush would find what it has in no segment")
        view = View(opened.last, snapshot)
        yield from _check_cold(fs, cold, view, cold_check or check_manifest)
    except DataCorruptedError as exc:
        yield Problem("log", exc.message)
    finally:
        snapshot.close()
        opened.close()


def check_manifest(
    fs: FileSystem, directory: Path, tablet: TabletId, view: View
) -> Iterator[Problem]:
    """The tablet's manifests, and the checksums of all segments, side and index files of the newest."""
    # Imported here: they need Arrow, which the log does not.
    from storage.cold import index_file, manifest, segment  # noqa: PLC0415
    from storage.cold.point_read import SegmentReader  # noqa: PLC0415

    newest = manifest.load(fs, directory, tablet, unpack_note(view.system_get(meta_key(tablet))))
    if text := view.system_get(meta_key(tablet, LOAD)):
        # A load has committed it, and a start links it if it has no name yet.
        loaded = manifest.decode(text, directory)
        newest = max(newest, loaded, key=lambda one: one.version)
    for version in manifest.versions_of(fs, directory):
        try:
            manifest.read(fs, directory, version, tablet)
        except DataCorruptedError as exc:
            yield Problem(_name(tablet), f"manifest {version}: {exc.message}")
    if newest.flushed_through > view.seq:
        yield Problem(
            _name(tablet),
            f"its segments reach commit {newest.flushed_through}, the log only {view.seq}",
        )
    for one in newest.segments:
        try:
            segment.verify(fs, one, tablet)
            SegmentReader(fs, one, tablet).check_pieces()
        except KalamError as exc:
            yield Problem(_name(tablet), exc.message)
    segments = {one.file: one for one in newest.segments}
    for name in fs.listdir(directory) if segments else ():
        if name.startswith(index_file.PREFIX):
            of = segments.get(index_file.segment_and_mark(name)[0])
            try:
                if of is not None:
                    with fs.open_read(directory / name) as stream:
                        index_file.check(stream, of)
            except KalamError as exc:
                yield Problem(_name(tablet), exc.message)


def _check_slots(path: Path, opened: Opened) -> Iterator[Problem]:
    """The two numbers that are kept outside of the log."""
    for name, file in (("last.seq", opened.last_file), ("reserved.seq", opened.reserved_file)):
        if file.damaged:
            yield Problem(str(path / name), "one of its slots is not what was written")


@dataclass(slots=True)
class _Counts:
    """What the log says about a tablet that was never trimmed: its index must agree."""

    live_rows: int = 0
    complete: bool = True


_ADDS = {Op.INSERT: 1, Op.UPDATE: 0, Op.DELETE: -1}


def _check_log(snapshot: HotSnapshot, last: int, trimmed: set[TabletId]) -> Iterator[Problem]:
    """Every entry reads, every commit is whole, and the index names as many rows as there are.

    trimmed: tablets whose log may lack older entries; their counts say nothing.
    """
    counts: defaultdict[TabletId, _Counts] = defaultdict(_Counts)
    entries: Counter[int] = Counter()
    highest: dict[int, int] = {}
    for key, value in snapshot.scan(*log_range()):
        tablet, seq, n = split_log_key(key)
        count = counts[tablet]
        entries[seq] += 1
        highest[seq] = max(highest.get(seq, 0), n)
        if seq > last:
            yield Problem(_name(tablet), f"commit {seq} is after the log's last commit {last}")
        try:
            op = decode_entry(value).op
        except DataCorruptedError as exc:
            yield Problem(_name(tablet), f"entry {n} of commit {seq}: {exc.message}")
            count.complete = False
            continue
        count.live_rows += _ADDS.get(op, 0)
        count.complete = count.complete and op in _ADDS
    if not trimmed:
        for seq, n in highest.items():
            if entries[seq] != n + 1:
                yield Problem("log", f"commit {seq} has {entries[seq]} of {n + 1} entries")
    named: Counter[TabletId] = Counter()
    yield from _check_index(snapshot, named)
    for tablet in counts.keys() | named.keys():
        rows, complete = counts[tablet].live_rows, counts[tablet].complete
        if complete and tablet not in trimmed and named[tablet] != rows:
            yield Problem(
                _name(tablet), f"the log has {rows} live rows, its index names {named[tablet]}"
            )


def _check_index(snapshot: HotSnapshot, named: Counter[TabletId]) -> Iterator[Problem]:
    """Every index entry names a log entry that did what it says; counts the live ones."""
    for key, value in snapshot.scan(*index_range()):
        tablet, _ = split_index_key(key)
        try:
            seq, n, op = unpack_position(value)
            data = snapshot.get(log_key(tablet, seq, n))
            what = f"the index names entry {n} of commit {seq}, which"
            if data is None:
                yield Problem(_name(tablet), f"{what} is missing")
            elif decode_entry(data).op != op:
                yield Problem(_name(tablet), f"{what} did something else")
            named[tablet] += op != Op.DELETE
        except DataCorruptedError as exc:
            yield Problem(_name(tablet), exc.message)


def _trimmed(snapshot: HotSnapshot) -> set[TabletId]:
    """Tablets that were flushed, or whose older entries a TRUNCATE hides, as the log knows."""
    return {split_index_key(key)[0] for key in snapshot.scan_keys(*meta_range())}


def _check_cold(
    fs: FileSystem, tablets: dict[TabletId, Path], view: View, cold_check: ColdCheck
) -> Iterator[Problem]:
    for tablet, directory in tablets.items():
        try:
            yield from cold_check(fs, directory, tablet, view)
        except (KalamError, FileNotFoundError) as exc:
            yield Problem(_name(tablet), str(exc))


def _name(tablet: TabletId) -> str:
    return f"tablet {tablet.user}/{tablet.table}"
