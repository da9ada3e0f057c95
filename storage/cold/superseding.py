"""With which keys the segments of a tablet hide rows of older ones.

A flush knows the key of each cold row that it replaces or deletes, and writes these beside its segments
(`storage.cold.keyfilter`); a compaction keeps those of its inputs that an older segment may hold. A row
is hidden when a newer run has its key among these: runs lie in the order of their age. So a reader
handles as many keys as were edited since the last compaction, and not all keys of all segments.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from storage.cold.keysets import Keys, KeySet
from storage.cold.manifest import Segment
from storage.lazy import lazy

_COMPRESSED_ROWS = 1024
"""To set up a compressor for fewer keys takes longer than to write them."""


def encode(keys: Sequence[pa.Table]) -> pa.Buffer | bytes:
    """Keys of a segment, a column for each of the key's, as they stand in a side file: Arrow IPC."""
    table = pa.concat_tables(keys) if keys else None
    if table is None or not table.num_rows:
        return b""
    sink = pa.BufferOutputStream()
    compression = "zstd" if table.num_rows >= _COMPRESSED_ROWS else None
    options = pa.ipc.IpcWriteOptions(compression=compression)
    batch = table.combine_chunks().to_batches()[0]
    with pa.ipc.new_stream(sink, batch.schema, options=options) as stream:
        stream.write_batch(batch)
    return sink.getvalue()


def decode(data: bytes, kinds: Sequence[str]) -> Keys | None:
    """What `encode` wrote, None when there are none. kinds: of the key's columns."""
    if not data:
        return None
    columns = pa.ipc.open_stream(data).read_all().columns
    return Keys.of(columns, kinds)


def run_numbers(segments: Sequence[Segment]) -> list[int]:
    """For each of a manifest's segments the number of its run: newer ones have greater numbers."""
    return list(accumulate(int(not segment.continues) for segment in segments))


@dataclass(frozen=True, slots=True)
class Superseding:
    """The superseding keys of all runs of a tablet, each once. runs: the newest that has the key."""

    keys: KeySet
    runs: pa.Array

    @classmethod
    def of(cls, found: Sequence[tuple[int, Keys]]) -> "Superseding | None":
        """Of some segments, each with the number of its run; None when there are no keys."""
        parts = [(run, keys) for run, keys in found if len(keys.codes)]
        if not parts:
            return None
        lead = pa.concat_arrays([keys.lead for _, keys in parts])
        simple = all(keys.codes is keys.lead for _, keys in parts)
        codes = lead if simple else pa.concat_arrays([keys.codes for _, keys in parts])
        runs = pa.concat_arrays([pa.repeat(run, len(keys.codes)) for run, keys in parts])
        table = pa.table({"code": codes, "lead": lead, "run": runs})
        newest = (
            table.group_by(["code"] if simple else ["code", "lead"], use_threads=False)
            .aggregate([("run", "max")])
            .combine_chunks()
        )
        lead_name = "code" if simple else "lead"
        newest = newest.take(pc.sort_indices(newest.column(lead_name)))
        codes, lead, runs = (
            newest.column(name).combine_chunks() for name in ("code", lead_name, "run_max")
        )
        return cls(KeySet(Keys(lead, lead if simple else codes)), runs)

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return self.keys.keys.nbytes + int(self.runs.nbytes)

    def hide(self, keys: Keys, run: int) -> pa.Array | None:
        """For each key of rows of a run whether a newer run hides the row; None when none is hidden."""
        low, high = self.keys.stretch(keys)
        runs = self.runs.slice(low, high - low)
        if low == high or pc.max(runs).as_py() <= run:
            return None
        at = pc.index_in(keys.codes, value_set=self.keys.keys.codes.slice(low, high - low))
        return pc.fill_null(pc.greater(runs.take(at), run), False)

    def meets(self, bounds: Keys, run: int) -> bool:
        """Whether any row of a run may be hidden whose key lies between two keys."""
        low, high = self.keys.stretch(bounds)
        return low < high and bool(pc.max(self.runs.slice(low, high - low)).as_py() > run)


@dataclass(frozen=True, slots=True)
class Hidden:
    """What newer runs hide of one run."""

    by: Superseding
    run: int

    def has(self, keys: Keys) -> pa.Array | None:
        """For each of `keys` whether its row is hidden; None when none is."""
        return self.by.hide(keys, self.run)

    def meets(self, bounds: Keys) -> bool:
        """Whether any row may be hidden whose key lies between two keys."""
        return self.by.meets(bounds, self.run)


class Hiding(Protocol):
    """What newer runs hide of one run: of all of them together, or run by run."""

    def has(self, keys: Keys) -> pa.Array | None:
        """For each of `keys` whether its row is hidden; None when none is."""
        ...

    def meets(self, bounds: Keys) -> bool:
        """Whether any row may be hidden whose key lies between two keys."""
        ...


@dataclass(frozen=True, slots=True)
class HiddenByEach:
    """What newer runs hide of one run, asked run by run.

    For who looks at few rows, mostly of the newest runs: the keys of a run are read when rows of an older
    one are looked at for the first time, and nothing is made of all of them together. newer: gives the keys
    of each, None: it has none.
    """

    newer: Sequence[Callable[[], KeySet | None]]

    def has(self, keys: Keys) -> pa.Array | None:
        """For each of `keys` whether its row is hidden; None when none is."""
        hidden: pa.Array | None = None
        for keys_of in self.newer:
            found = keys_of()
            some = None if found is None else found.has(keys)
            if some is not None:
                hidden = some if hidden is None else pc.or_(hidden, some)
        return hidden

    def meets(self, bounds: Keys) -> bool:
        """Whether any row may be hidden whose key lies between two keys."""
        return any(self.within(bounds))

    def within(self, bounds: Keys) -> list[Keys]:
        """The keys between two keys that are hidden, of each run that has some."""
        found = []
        for keys_of in self.newer:
            known = keys_of()
            if known is not None:
                low, high = known.stretch(bounds)
                if low < high:
                    found.append(known.between(low, high))
        return found


class HiddenByLog:
    """What the log hides of rows in segments, for who looks at many of them."""

    def __init__(self, keys: pa.RecordBatch, kinds: Sequence[str]) -> None:
        """keys: of the rows that it hides, a column for each of the key's. kinds: of these."""
        self._batch = keys
        self._kinds = kinds

    @lazy
    def _keys(self) -> KeySet:
        return KeySet.of(Keys.of(self._batch.columns, self._kinds))

    def has(self, keys: Keys) -> pa.Array | None:
        """For each of `keys` whether its row is hidden; None when none is."""
        return self._keys.has(keys)


ORDERED_KINDS = frozenset({"bool", "int", "text", "bytes", "uuid"})
"""Kinds of columns of which `Keys.lead` lies in the order of keys."""

SEARCHED_KINDS = ORDERED_KINDS - {"bool"}
"""Those of them in which Arrow searches by bisection."""
