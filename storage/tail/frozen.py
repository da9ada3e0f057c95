"""What a flush takes of a tail: seen on the event loop at one moment, made in a thread of its own.

Batches are immutable, and of what has replaced their rows only what a published view knows counts:
all that is there when the flush begins. So the event loop only names the batches, and the filtering of
many rows is done elsewhere, while the tail goes on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from storage.arrow import DELETED, to_batch, to_values
from storage.layout import Layout, Row, Value
from storage.tail.superseded import Replaced, has_spellings
from storage.tail.versions import VersionBatch


@dataclass(frozen=True, slots=True)
class FrozenTail:
    """The versions of a tail with after < seq <= upto. Any one thread may ask."""

    layout: Layout
    after: int
    upto: int
    parts: Sequence[VersionBatch]
    replaced: Replaced

    def versions(self) -> Iterator[pa.RecordBatch]:
        """The newest version of every key, tombstones too."""
        if has_spellings(self.layout):
            found = list(self._newest())
            kept = {key for batch in found for key in _keys_of(batch, self.layout)}
            tombstones = self._respelt(kept)
            # First, so that a sort by key leaves them before the version that replaced them.
            yield from found if tombstones is None else [tombstones, *found]
        else:
            yield from self._newest()

    def superseding(self) -> list[Row]:
        """Keys of the live rows at or below `after` that these versions replace, each once."""
        return [key for _, key in self.replaced.superseded(self.after, self.upto)]

    def tombstones(self, since: int) -> Iterator[pa.RecordBatch]:
        """The newest versions that are deletes, by this commit or later ones."""
        for part in self.parts:
            if not part.tombstones or part.seqs[-1] < since:
                continue
            batch = part.newest(max(self.after, since - 1), self.upto)
            if batch is not None:
                gone = batch.filter(batch.column(DELETED))
                if gone.num_rows:
                    yield gone

    def _newest(self) -> Iterator[pa.RecordBatch]:
        for part in self.parts:
            batch = part.newest(self.after, self.upto)
            if batch is not None and batch.num_rows:
                yield batch

    def _respelt(self, kept: set[Row]) -> pa.RecordBatch | None:
        """Tombstones for superseded keys whose newest version spells the key differently.

        1.0 and 1.00 are one key, but Arrow and engines compare spellings: without a tombstone of
        its own the old spelling would still be there in cold. kept: spellings of newest versions.
        """
        layout = self.layout
        superseded = self.replaced.superseded(self.after, self.upto)
        found = [(seq, key) for seq, key in superseded if key not in kept]
        if not found:
            return None
        empty: list[Value] = [None] * len(layout.columns)
        rows = []
        for _, key in found:
            for position, value in zip(layout.key, key, strict=True):
                empty[position] = value
            rows.append(tuple(empty))
        return to_batch(rows, layout, [seq for seq, _ in found], [True] * len(found))


def _keys_of(batch: pa.RecordBatch, layout: Layout) -> Iterator[Row]:
    return zip(*(to_values(batch.column(position)) for position in layout.key), strict=True)
