"""Which manifest a view reads: those that are kept in memory for open views."""

from collections.abc import Sequence

from storage.cold.manifest import Manifest


class KeptManifests:
    """A tablet's newest manifest and older ones, and the TRUNCATEs that they may not know.

    Changed on the event loop only; what a thread has read stays as it was.
    """

    def __init__(self, newest: Manifest) -> None:
        self.newest = newest
        """The newest published."""
        self._kept: tuple[Manifest, ...] = (newest,)  # Oldest first.
        self._empty = Manifest(newest.tablet)
        self._truncations: tuple[int, ...] = ()

    @property
    def truncations(self) -> tuple[int, ...]:
        """Seqs of the TRUNCATEs known."""
        return self._truncations

    def at(self, seq: int) -> Manifest:
        """The manifest for a view at `seq`: the newest with flushed_through <= seq.

        A TRUNCATE in between makes it an empty one that begins at that commit.
        """
        newest = self.newest
        if newest.flushed_through > seq:
            fitting = [kept for kept in self._kept if kept.flushed_through <= seq]
            newest = fitting[-1] if fitting else self._empty
        if self._truncations:
            begun = max((t for t in self._truncations if t <= seq), default=0)
            if begun > newest.incarnation:
                return Manifest(newest.tablet, incarnation=begun, flushed_through=begun)
        return newest

    def learn_truncations(self, seqs: Sequence[int]) -> None:
        """TRUNCATEs were committed at these seqs."""
        self._truncations = tuple(sorted({*self._truncations, *seqs}))

    def swap(self, manifest: Manifest) -> None:
        """Take in a just published manifest; a lower version never replaces a higher."""
        if manifest.version > self.newest.version:
            self._kept = (*self._kept, manifest)
            self.newest = manifest

    def forget(self, oldest_seq: int) -> tuple[Manifest, ...]:
        """Drop what no view at or above `oldest_seq` reads; returns those that are kept."""
        fitting = [kept for kept in self._kept if kept.flushed_through <= oldest_seq]
        if fitting:
            self._kept = tuple(k for k in self._kept if k.version >= fitting[-1].version)
        return self._kept
