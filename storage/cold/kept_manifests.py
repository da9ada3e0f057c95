"""Which manifest a view reads: those that are kept in memory for open views."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from storage.cold.manifest import Manifest, Segment
from storage.log.manifest_note import NO_MANIFEST, ManifestNote


class Reads(NamedTuple):
    """What the open views may read of one tablet. For the one moment that it was asked for.

    seqs: of the views. manifests: those that one of them has chosen for files that it may still
    open, whichever it would choose now. note: what the log knows of the newest.
    """

    seqs: tuple[int, ...] = ()
    manifests: tuple[Manifest, ...] = ()
    note: ManifestNote = NO_MANIFEST


NO_READS = Reads()


class KeptManifests:
    """A tablet's newest manifest and older ones, and the TRUNCATEs that they may not know.

    Changed on the event loop only; what a thread has read stays as it was.
    """

    def __init__(self, kept: Sequence[Manifest]) -> None:
        """kept: oldest first: those that open views read, then the newest published."""
        newest = self.newest = kept[-1]
        """The newest published."""
        self._kept = tuple(kept)  # Oldest first.
        self._empty = Manifest(newest.tablet)
        self._truncations: tuple[int, ...] = ()
        self.unlinked = b""
        """The text of the newest as long as a load has committed it and not linked it."""

    @property
    def truncations(self) -> tuple[int, ...]:
        """Seqs of the TRUNCATEs known."""
        return self._truncations

    def at(self, seq: int) -> Manifest:
        """The manifest for a view at `seq`: the newest with flushed_through <= seq.

        A TRUNCATE in between makes it an empty one that begins with that commit.
        """
        newest = self.newest
        if newest.flushed_through > seq:
            newest = self._published_at(seq)
        if self._truncations:
            begun = max((t for t in self._truncations if t <= seq), default=0)
            if begun > newest.incarnation:
                return Manifest(newest.tablet, incarnation=begun, flushed_through=begun - 1)
        return newest

    def learn_truncations(self, seqs: Sequence[int]) -> None:
        """TRUNCATEs were committed at these seqs."""
        self._truncations = tuple(sorted({*self._truncations, *seqs}))

    def swap(self, manifest: Manifest) -> None:
        """Take in a just published manifest; a lower version never replaces a higher."""
        if manifest.version > self.newest.version:
            self._kept = (*self._kept, manifest)
            self.newest = manifest

    def forget(self, seqs: Iterable[int]) -> tuple[Manifest, ...]:
        """Drop what no view at one of `seqs` reads, nor the newest; returns those that are kept."""
        read = {id(self._published_at(seq)) for seq in seqs} | {id(self.newest)}
        self._kept = tuple(kept for kept in self._kept if id(kept) in read)
        return self._kept

    def _published_at(self, seq: int) -> Manifest:
        newest = self.newest
        if newest.flushed_through > seq:
            fitting = [kept for kept in self._kept if kept.flushed_through <= seq]
            newest = fitting[-1] if fitting else self._empty
        return newest


class ManifestsWithLoaded(KeptManifests):
    """What the one transaction reads that has loaded segments and not committed them yet.

    Nobody else writes to the tablet meanwhile, and all that was committed to it is in segments: so each of
    its statements reads one manifest, the newest with those segments behind it.
    """

    def __init__(self, below: KeptManifests, segments: Sequence[Segment], *, alone: bool) -> None:
        """below: everybody's. alone: the transaction has emptied the tablet before."""
        self._below = below
        self._base = below.newest
        self._segments = tuple(segments)
        self._alone = alone
        super().__init__([self._over(self._base)])

    def at(self, seq: int) -> Manifest:
        """The same for every view of the transaction's."""
        base = self._below.newest
        if base is not self._base:  # It was compacted meanwhile.
            self._base, self.newest = base, self._over(base)
        return self.newest

    def _over(self, base: Manifest) -> Manifest:
        # Nothing is in the log alone: its rows count as flushed, whenever they had their numbers.
        through = max([base.flushed_through, *[one.max_seq for one in self._segments]])
        return replace(
            base,
            incarnation=through + 1 if self._alone else base.incarnation,
            flushed_through=through,
            loaded_through=through + 1,  # Behind where its life begins, as after the commit.
            segments=(*(() if self._alone else base.segments), *self._segments),
        )
