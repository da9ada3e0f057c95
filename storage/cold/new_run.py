"""A new run: the segments that one flush or compaction writes, until a manifest names them."""

import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from storage import failpoints
from storage.cold.directories import Writer
from storage.cold.manifest import Segment
from storage.cold.publication import NewFile
from storage.cold.segment_builder import EncodedSegment, SegmentFacts
from storage.errors import KalamError
from storage.fs import Buffer, FileSystem

INLINE_BYTES = 1024
"""A key filter up to this stands in the manifest: that of some hundred rows. A file takes a block of the disk
and three entries of its journal, and there may be millions of tablets with a few rows."""


@dataclass(slots=True)
class NewRun:
    """Files in a tablet's directory, under temporary names until `publication.name_files`.

    written: what each segment is, and the name without its ending. step: the failpoint of a file.
    """

    directory: Path
    writer: Writer
    step: str
    files: list[NewFile] = field(default_factory=list)
    written: list[tuple[str, SegmentFacts]] = field(default_factory=list)

    def write(self, fs: FileSystem, segments: Iterable[EncodedSegment]) -> None:
        """Write segments and their key filters, each announced first; nothing is durable yet."""
        for segment in segments:
            facts = segment.facts
            stem = f"segment-{facts.min_seq}-{secrets.token_hex(8)}"
            contents: list[tuple[str, Iterable[Buffer]]] = [(f"{stem}.parquet", segment.pieces)]
            if not _is_inline(facts):
                contents.append((f"{stem}.keys", [facts.key_filter]))
            for name, pieces in contents:
                temporary = self.directory / self.writer.name(name)
                checked = facts if pieces is segment.pieces else None
                self.files.append(NewFile(temporary, self.directory / name, checked))
                fs.write_pieces(temporary, pieces)
                failpoints.hit(self.step)
            self.written.append((stem, facts))

    @property
    def live(self) -> int:
        """Rows that are no tombstones."""
        return sum(facts.rows - facts.deleted for _, facts in self.written)

    def segments(self, superseded: int) -> Sequence[Segment]:
        """As a manifest names them. superseded: how many live rows of older segments they hide."""
        return [
            facts.named(
                self.directory / f"{stem}.parquet",
                "" if _is_inline(facts) else f"{stem}.keys",
                0 if number else superseded,
                continues=number > 0,
            )
            for number, (stem, facts) in enumerate(self.written)
        ]

    def discard(self, fs: FileSystem) -> None:
        """Remove the files: no manifest names them, or will."""
        for file in self.files:
            for path in (file.temporary, file.target):
                with suppress(FileNotFoundError, KalamError):  # `collect` tries again.
                    fs.unlink(path)


def _is_inline(facts: SegmentFacts) -> bool:
    return len(facts.key_filter) <= INLINE_BYTES
