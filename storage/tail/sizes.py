"""When a tail does things, by numbers of rows and of bytes."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """Numbers of rows at which a tail does things; tests make them small.

    seal, seal_bytes: made into a batch at once (1.5 ms of the event loop, and 1 µs a row). batch,
    batch_bytes: batches are merged up to this (merging two halves copies some 10 MB in 4 ms). recent: newest
    rows kept as tuples too, for newest-N reads without decoding, of no more than recent_bytes. decode: rows
    of an older batch decoded at a time by a newest-first read. index: rows taken into an index at a time
    (0.25 µs each). sparse: rows after which an index of values that hardly repeat is made another way, 0: at
    once.
    """

    seal: int = 1024
    batch: int = 65536
    batch_bytes: int = 16 << 20
    recent: int = 2048
    recent_bytes: int = 16 << 20
    seal_bytes: int = 2 << 20
    decode: int = 256
    index: int = 4096
    sparse: int = 16384

    def kept(self, row_sizes: Sequence[int]) -> int:
        """How many of the newest rows stay as tuples, all being in batches. row_sizes: of all that do."""
        left = self.recent_bytes // 2
        for count, size in enumerate(reversed(row_sizes)):
            left -= size
            if count == self.recent or left < 0:
                return count
        return len(row_sizes)


DEFAULT_SIZES = Sizes()
