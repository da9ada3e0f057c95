"""Which runs of a tablet to compact next: few are left, and each row is rewritten seldom.

Runs lie side by side in the order of their age, and only neighbours are compacted
(`conformance.model` says why). Of every stretch of neighbours it costs its bytes to make one run of it,
and as many runs are gone as it has, but one. Taken is the stretch with the least bytes for a power of the
runs that go (`_GONE_POWER`): a long stretch of small runs before a short one of large ones, and of runs of
like size all that there are. Simulated over a thousand flushes of one size and of sizes that vary, every
row is written 2 to 4.5 times in all, the flush included, with never more than ten runs that are not full;
tiers of a fixed number of runs would need twice as many for that.

A run of `FULL_BYTES` is left alone: it is as large as segments get. What makes it worth rewriting is how
many rows newer runs hide of it and of others, for then all of the tablet is rewritten.
"""

from collections.abc import Sequence
from itertools import accumulate

from storage.cold.manifest import Segment, runs

RUNS_MAX = 9
"""Runs that are not full, before some are compacted."""

SEGMENT_BYTES = 128 << 20
"""A compacted segment's file is at most about so large."""

FULL_BYTES = SEGMENT_BYTES // 2

STRETCH_MAX = 64
"""Runs that are compacted together: each takes some memory, and an open file."""

DEAD_SHARE = 0.4
"""Rows that nobody can see, as a share of those that are seen, that make it worth to rewrite everything:
every row that a flush replaces costs 2.5 rows written again."""

DEAD_BYTES_MIN = 4 << 20
"""A smaller tablet is not rewritten for that: the runs that it may have come first."""

_GONE_POWER = 3.5
"""Of powers from 1 to 4 the one with which rows are rewritten least; with 1, pairs are merged for ever."""

Stretch = Sequence[Segment]
"""Segments side by side: whole runs."""


def due(segments: Sequence[Segment], tombstones_before: int) -> Stretch:
    """The segments to compact now; none when the tablet is in order.

    tombstones_before: those of older commits need not be kept.
    """
    found = runs(segments)
    size = sum(segment.size for segment in segments)
    if len(found) <= STRETCH_MAX and size >= DEAD_BYTES_MIN:
        dead = _dead(segments, tombstones_before)
        if dead and dead >= DEAD_SHARE * (sum(s.rows for s in segments) - dead):
            return segments
    small = sum(_size(run) < FULL_BYTES for run in found)
    return _cheapest(found) if small > RUNS_MAX else ()


def overdue(segments: Sequence[Segment], tombstones_before: int) -> Stretch:
    """As `due`, for who looks seldom: a small tablet is rewritten for any tombstone that may go."""
    if sum(segment.size for segment in segments) < DEAD_BYTES_MIN and any(
        segment.deleted and segment.max_seq < tombstones_before for segment in segments
    ):
        return segments if len(runs(segments)) <= STRETCH_MAX else due(segments, tombstones_before)
    return due(segments, tombstones_before)


def everything(segments: Sequence[Segment], tombstones_before: int) -> Stretch:
    """The next segments to compact until one run is left and nobody's rows; none when that is so.

    Full runs of which nothing is hidden stay as they are.
    """
    found = runs(segments)
    if len(found) > STRETCH_MAX:
        return _cheapest(found)
    if _dead(segments, tombstones_before):
        return segments
    first = next((at for at, run in enumerate(found) if _size(run) < FULL_BYTES), len(found))
    small = found[first:]
    while small and _size(small[-1]) >= FULL_BYTES:
        small.pop()
    return [segment for run in small for segment in run] if len(small) > 1 else ()


def _dead(segments: Sequence[Segment], tombstones_before: int) -> int:
    """Rows that a compaction of all would drop; of tombstones those of which that is sure."""
    return sum(
        segment.superseded + (segment.deleted if segment.max_seq < tombstones_before else 0)
        for segment in segments
    )


def _cheapest(found: Sequence[Sequence[Segment]]) -> Stretch:
    """The stretch of these runs that costs least for what goes."""
    sizes = [_size(run) for run in found]
    before = list(accumulate(sizes, initial=0))
    small = list(accumulate((_size(run) < FULL_BYTES for run in found), initial=0))
    stretches = (
        ((before[end] - before[start]) / (small[end] - small[start] - 1) ** _GONE_POWER, start, end)
        for start in range(len(found))
        for end in range(start + 2, min(start + STRETCH_MAX, len(found)) + 1)
        if small[end] - small[start] > 1
    )
    best = min(stretches, default=None)
    return () if best is None else [one for run in found[best[1] : best[2]] for one in run]


def _size(run: Sequence[Segment]) -> int:
    return sum(segment.size for segment in run)
