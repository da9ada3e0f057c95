"""Encoded rows that a worker keeps: of immutable batches, which are asked for again and again.

A dashboard reads the same rows every few seconds. A batch never changes, so neither do its rows'
messages for the same columns, formats and settings; what is kept is bounded by bytes, the least
recently used goes first.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import NamedTuple

from kalam_pg.engines.request import WireChunk, WireResult

ENCODED_BYTES_MAX = 64 << 20
"""For one worker. A result that is larger than half of it is not kept: it would push out all else."""


class Key(NamedTuple):
    """What a piece was made of. batch: its id, from 1 on; without one nothing is kept. form: with
    nothing in its context that differs between two runs of the same statement.
    """

    batch: int
    start: int
    rows: int
    columns: tuple[str, ...]
    form: WireResult


@dataclass(slots=True)
class EncodedRows:
    """Pieces of results by what they were made of. `bytes_held` counts their data."""

    bytes_max: int = ENCODED_BYTES_MAX
    bytes_held: int = 0
    _chunks: "OrderedDict[Key, WireChunk]" = field(default_factory=OrderedDict)

    def get(self, key: Key) -> WireChunk | None:
        """The piece that was kept under `key`, if it is there still."""
        chunk = self._chunks.get(key)
        if chunk is not None:
            self._chunks.move_to_end(key)
        return chunk

    def put(self, key: Key, chunk: WireChunk) -> None:
        """Keep a piece, unless it is there, and drop what was not used for longest."""
        size = len(chunk.data)
        if key.batch <= 0 or size > self.bytes_max or key in self._chunks:
            return
        self._chunks[key] = chunk
        self.bytes_held += size
        while self.bytes_held > self.bytes_max:
            _, dropped = self._chunks.popitem(last=False)
            self.bytes_held -= len(dropped.data)
