"""Manifests: which segments a tablet's cold part consists of, as immutable numbered versions.

A manifest file is JSON with its format number first and the sha256 of all before it last; it names its
predecessor's, and the log that of the newest (`storage.log.manifest_note`), so that an altered version
shows, and a lost one, and an older one in its place. It is published under a name that no other may
hold (link, or rename without replacing, then the directory is fsynced): that is the commit point of a
flush. This module holds the values and their text; `storage.tablet` decides which version a view reads.
"""

import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from storage.errors import DataCorruptedError
from storage.fs import FileSystem, told
from storage.ids import TabletId
from storage.log.manifest_note import NO_MANIFEST, ManifestNote

FORMAT = 4
"""Greatest format number of the manifests written here; readers refuse a greater one.

Format 1 had no sha256 of its own, format 2 no key filters in itself. Format 4 names columns in shaped form
(`storage.shaped`), which who reads format 3 does not know; it is written only where there are any.
"""

_UNSHAPED = 3

_HASHED = 2
"""The first format with a sha256 of its own."""

_NAME = re.compile(r"manifest-(\d+)\.json")
_HASH = re.compile(rb',\n "sha256": "([0-9a-f]{64})"\n}')
_HASH_BYTES = len(b',\n "sha256": ""\n}') + 64


Bound = bool | int | float | str | None
"""A least or greatest value; bytes have none, since JSON has no form of them."""


@dataclass(frozen=True, slots=True)
class ColumnStats:
    """Of one column of a segment: its least and greatest value and its nulls.

    minimum, maximum: stored values, None where the type has no order or a bound is too long.
    """

    minimum: Bound
    maximum: Bound
    nulls: int


@dataclass(frozen=True, slots=True)
class Segment:
    """One Parquet file of a tablet, sorted by primary key.

    path: absolute. rows: versions in it, of which `deleted` are tombstones. superseded: how many
    live rows of older segments its run hides, told of the first of a run. size: bytes. min_key,
    max_key: encoded keys of its first and last row. columns: by column name. filter_file: name of
    its key filter, "" for a small one, which stands here as `keys`. continues: it is of the same run
    as the segment before it: what one flush or compaction wrote, in the order of keys. shaped: names of
    columns that are in shaped form in the file.
    """

    path: str
    rows: int
    size: int
    sha256: str
    min_seq: int
    max_seq: int
    min_key: bytes
    max_key: bytes
    deleted: int
    superseded: int
    filter_file: str
    keys: bytes = field(default=b"", repr=False, compare=False)
    continues: bool = False
    columns: Mapping[str, ColumnStats] = field(default_factory=dict, compare=False)
    shaped: frozenset[str] = frozenset()

    @property
    def file(self) -> str:
        """Name of the file in the tablet's directory."""
        return Path(self.path).name

    @property
    def filter_path(self) -> Path:
        """Where its key filter is, if it has a file."""
        return Path(self.path).parent / self.filter_file

    @property
    def files(self) -> set[str]:
        """Names of the files that belong to it."""
        return {self.file, self.filter_file} if self.filter_file else {self.file}


@dataclass(frozen=True, slots=True)
class Manifest:
    """One version of a tablet's cold part.

    version: 0 is the empty one that no file holds. incarnation: seq of the commit whose TRUNCATE
    began this life of the tablet, 0 for the first. flushed_through: the log up to here is in
    `segments`. loaded_through: the newest commit of which rows came into segments without having been in
    the log (`storage.cold.load`), 0 if none did. previous: the sha256 of version - 1, "" when there was
    none. sha256: of its text.
    """

    tablet: TabletId
    version: int = 0
    schema_version: int = 0
    incarnation: int = 0
    flushed_through: int = 0
    segments: tuple[Segment, ...] = ()
    loaded_through: int = 0
    previous: str = ""
    sha256: str = field(default="", compare=False)
    hidden_through: int = field(init=False, repr=False, compare=False)
    """Versions of commits up to this one are of an earlier life.

    The commit that truncates may go on to write: what it wrote before that, it does not log.
    """
    log_begins_behind: int = field(init=False, repr=False, compare=False)
    """Live rows of commits up to this one may be in segments alone, whatever the log has kept."""

    def __post_init__(self) -> None:
        # Each point read asks for them: they are worked out once.
        hidden = max(0, self.incarnation - 1)
        object.__setattr__(self, "hidden_through", hidden)
        object.__setattr__(self, "log_begins_behind", max(hidden, self.loaded_through))

    @property
    def rows(self) -> int:
        """Live rows in cold: exact, since every segment counts what it hides."""
        return sum(s.rows - s.deleted - s.superseded for s in self.segments)

    @property
    def note(self) -> ManifestNote:
        """What the log is to know of it, once it is published."""
        return ManifestNote(self.flushed_through, self.version, self.sha256)

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        return sum(segment.size for segment in self.segments)

    @property
    def merging(self) -> bool:
        """Whether a key may stand in two segments, or a tombstone in one."""
        return any(segment.deleted or segment.superseded for segment in self.segments)


def superseding(segments: Sequence[Segment]) -> list[bool]:
    """For each of a manifest's segments whether it may hide a row of an older one.

    What a run hides is counted for the first of its segments.
    """
    found: list[bool] = []
    for segment in segments:
        found.append(segment.superseded > 0 or (segment.continues and found[-1]))
    return found


def runs(segments: Sequence[Segment]) -> list[list[Segment]]:
    """A manifest's segments by the flush or compaction that wrote them, oldest first."""
    found: list[list[Segment]] = []
    for segment in segments:
        if segment.continues:
            found[-1].append(segment)
        else:
            found.append([segment])
    return found


def manifest_name(version: int) -> str:
    """File name of a version; names sort as versions do."""
    return f"manifest-{version:010d}.json"


def encode(manifest: Manifest) -> bytes:
    """The manifest's file: JSON, its format number first and its sha256 last."""
    document = {
        "format": FORMAT if any(s.shaped for s in manifest.segments) else _UNSHAPED,
        "user": str(
            manifest.tablet.user
        ),  # 64 bits unsigned: more than other readers' numbers take
        "table": manifest.tablet.table,
        "incarnation": manifest.incarnation,
        "version": manifest.version,
        "schema_version": manifest.schema_version,
        "flushed_through": manifest.flushed_through,
        **({"loaded_through": manifest.loaded_through} if manifest.loaded_through else {}),
        "previous_sha256": manifest.previous,
        "segments": [_segment_document(segment) for segment in manifest.segments],
    }
    text = msgspec.json.format(msgspec.json.encode(document), indent=1).removesuffix(b"\n}")
    return text + b',\n "sha256": "%s"\n}' % hashlib.sha256(text).hexdigest().encode()


def decode(data: bytes, directory: Path) -> Manifest:
    """The manifest in a file of `directory`. Raises DataCorruptedError for anything else."""
    try:
        document = msgspec.json.decode(data)
        if document["format"] > FORMAT:
            raise DataCorruptedError(
                f"manifest in {told(directory)} has format {document['format']}, not {FORMAT}"
            )
        return Manifest(
            tablet=TabletId(int(document["user"]), document["table"]),
            version=document["version"],
            schema_version=document["schema_version"],
            incarnation=document["incarnation"],
            flushed_through=document["flushed_through"],
            segments=_segments(document["segments"], directory),
            loaded_through=document.get("loaded_through", 0),
            previous=document["previous_sha256"],
            sha256=_own_hash(data, document, directory),
        )
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError) as exc:
        raise DataCorruptedError(f"manifest in {told(directory)} cannot be read") from exc


def _own_hash(data: bytes, document: Mapping[str, Any], directory: Path) -> str:
    """The sha256 of a manifest's text, which is what the text says it is. Raises DataCorruptedError."""
    if document["format"] == 1 and "sha256" not in document:
        return hashlib.sha256(data).hexdigest()
    said = _HASH.fullmatch(data[-_HASH_BYTES:])
    found = hashlib.sha256(data[:-_HASH_BYTES]).hexdigest()
    if document["format"] < _HASHED or said is None or said[1] != found.encode():
        raise DataCorruptedError(f"manifest in {told(directory)} is not what was written")
    return found


def load(
    fs: FileSystem, directory: Path, tablet: TabletId, note: ManifestNote = NO_MANIFEST
) -> Manifest:
    """The newest version whose hash chain and files check out; the empty one when none was written.

    note: what the log knows of the newest, read before this is called.

    Raises:
        DataCorruptedError: The newest version is damaged, or an older one that is still there, or
            a file that it names is missing or has another size; or it is not the one that is noted,
            nor follows it. No older version is taken in its place: trim may have deleted what that
            one expects in the log.
    """
    return load_for(fs, directory, tablet, (), note)[-1]


def load_for(
    fs: FileSystem,
    directory: Path,
    tablet: TabletId,
    seqs: Iterable[int],
    note: ManifestNote = NO_MANIFEST,
) -> tuple[Manifest, ...]:
    """As `load`, and before it, oldest first, the versions that views at `seqs` read.

    Others may publish, collect or erase meanwhile: what they remove is not missing. Raises as `load`.
    """
    before: list[int] = []
    while versions := versions_of(fs, directory):
        newest = _checked(fs, directory, tablet, versions)
        if newest is not None:
            check_noted(newest, note)
            return (*read_by(fs, directory, newest, versions, seqs), newest)
        if versions == before:
            raise DataCorruptedError(
                f"manifest {versions[-1]} of tablet {tablet.user}/{tablet.table} cannot be opened"
            )
        before = versions
    check_noted(Manifest(tablet), note)
    return (Manifest(tablet),)


def check_noted(newest: Manifest, note: ManifestNote) -> None:
    """The newest manifest on disk is the one that the log knows, or the one that follows it.

    Raises:
        DataCorruptedError: It is not: a newer one is lost, or another was put in its place.
    """
    if note.version:
        name = (newest.version, newest.sha256)
        follows = (newest.version, newest.previous) == (note.version + 1, note.sha256)
        right = follows or name == (note.version, note.sha256)
    else:  # Nothing is noted, or by a server that noted no more than this.
        right = newest.flushed_through >= note.flushed_through
    if not right:
        raise DataCorruptedError(
            f"tablet {newest.tablet.user}/{newest.tablet.table} has lost its newest manifest",
            detail=f"The log knows of version {note.version}, flushed through commit "
            f"{note.flushed_through}; the newest there is is version {newest.version}.",
        )


def _checked(
    fs: FileSystem, directory: Path, tablet: TabletId, versions: Sequence[int]
) -> Manifest | None:
    """The last of these versions, verified; None when it was removed meanwhile."""
    try:
        newest = read(fs, directory, versions[-1], tablet)
    except FileNotFoundError:
        return None
    if newest.version - 1 in versions:  # Older ones than the predecessor wait to be collected.
        with suppress(FileNotFoundError):
            if read(fs, directory, newest.version - 1, tablet).sha256 != newest.previous:
                raise DataCorruptedError(
                    f"manifest {newest.version - 1} of tablet {tablet.user}/{tablet.table} "
                    "was altered"
                )
    for segment in newest.segments:
        if not _is_there(fs, segment):
            if not fs.exists(directory / manifest_name(newest.version)):
                return None  # The manifest goes first when a tablet is erased.
            raise DataCorruptedError(
                f"segment {segment.file} of tablet {tablet.user}/{tablet.table} "
                "is missing or has another size"
            )
    return newest


def _is_there(fs: FileSystem, segment: Segment) -> bool:
    try:
        return fs.size(Path(segment.path)) == segment.size
    except FileNotFoundError:
        return False


def read_by(
    fs: FileSystem,
    directory: Path,
    newest: Manifest,
    versions: Sequence[int],
    seqs: Iterable[int],
) -> tuple[Manifest, ...]:
    """Which of these `versions` before `newest` views at `seqs` read, oldest first.

    A view reads the newest version that reaches no further than it does. Raises DataCorruptedError.
    """
    found: list[Manifest] = []
    waiting = {seq for seq in seqs if seq < newest.flushed_through}
    for version in sorted(versions, reverse=True):
        if not waiting:
            break
        if version >= newest.version:
            continue
        try:
            manifest = read(fs, directory, version, newest.tablet)
        except FileNotFoundError:
            continue  # It was collected: no view reads it.
        fitting = {seq for seq in waiting if manifest.flushed_through <= seq}
        if fitting:
            found.append(manifest)
            waiting -= fitting
    return tuple(reversed(found))


def versions_of(fs: FileSystem, directory: Path) -> list[int]:
    """The versions that have a file, in order; none when there is no directory."""
    try:
        names = fs.listdir(directory)
    except FileNotFoundError:
        return []
    return versions_among(names)


def versions_among(names: Iterable[str]) -> list[int]:
    """The versions whose files are among these names, in order."""
    return sorted(int(match[1]) for name in names if (match := _NAME.fullmatch(name)))


def read(fs: FileSystem, directory: Path, version: int, tablet: TabletId) -> Manifest:
    """One version. Raises DataCorruptedError when it is damaged or another tablet's; FileNotFoundError."""
    manifest = decode(fs.read_bytes(directory / manifest_name(version)), directory)
    if manifest.tablet != tablet or manifest.version != version:
        raise DataCorruptedError(
            f"manifest {version} of tablet {tablet.user}/{tablet.table} names another"
        )
    return manifest


def newest_on_disk(fs: FileSystem, directory: Path, tablet: TabletId) -> Manifest:
    """The newest version as its file tells, for who only looks: no other file is checked.

    Raises:
        DataCorruptedError: It is damaged.
    """
    while versions := versions_of(fs, directory):
        with suppress(FileNotFoundError):  # Otherwise a newer one has replaced it.
            return read(fs, directory, versions[-1], tablet)
    return Manifest(tablet)


def files_of(manifests: Sequence[Manifest]) -> set[str]:
    """Names of all files that these manifests need, their own included."""
    names = {manifest_name(manifest.version) for manifest in manifests}
    for manifest in manifests:
        for segment in manifest.segments:
            names |= segment.files
    return names


def _segment_document(segment: Segment) -> dict[str, Any]:
    return {
        "file": segment.file,
        "rows": segment.rows,
        "bytes": segment.size,
        "sha256": segment.sha256,
        "min_seq": segment.min_seq,
        "max_seq": segment.max_seq,
        "min_key": segment.min_key.hex(),
        "max_key": segment.max_key.hex(),
        "deleted": segment.deleted,
        "superseded": segment.superseded,
        "key_filter": segment.filter_file,
        "keys": b64encode(segment.keys).decode(),
        "continues": segment.continues,
        "columns": {
            name: {"min": stats.minimum, "max": stats.maximum, "nulls": stats.nulls}
            for name, stats in segment.columns.items()
        },
        **({"shaped": sorted(segment.shaped)} if segment.shaped else {}),
    }


def _segments(documents: Sequence[dict[str, Any]], directory: Path) -> tuple[Segment, ...]:
    found: list[Segment] = []
    for document in documents:
        segment = _segment(document, directory)
        if "continues" not in document and found:
            # Of before runs were noted: what follows in key order may be of the same one.
            segment = replace(segment, continues=segment.min_key >= found[-1].max_key)
        found.append(segment)
    if found and found[0].continues:
        raise ValueError("a run begins with its first segment")
    return tuple(found)


def _segment(document: dict[str, Any], directory: Path) -> Segment:
    return Segment(
        path=str(directory / document["file"]),
        rows=document["rows"],
        size=document["bytes"],
        sha256=document["sha256"],
        min_seq=document["min_seq"],
        max_seq=document["max_seq"],
        min_key=bytes.fromhex(document["min_key"]),
        max_key=bytes.fromhex(document["max_key"]),
        deleted=document["deleted"],
        superseded=document["superseded"],
        filter_file=document["key_filter"],
        keys=b64decode(document.get("keys", "")),
        continues=document.get("continues", False),
        columns={
            name: ColumnStats(stats["min"], stats["max"], stats["nulls"])
            for name, stats in document["columns"].items()
        },
        shaped=frozenset(document.get("shaped", ())),
    )
