"""How many rows of a tablet meet some conditions: from the columns of these conditions alone."""

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from storage.cold.extents import Condition, MaybeExtent
from storage.cold.first_rows import Work, may_meet
from storage.cold.sight import Piece, Sight

_CHUNK = 1024
"""Rows that are looked up together, where a newer version may hide one."""


def count_rows(
    sight: Sight, conditions: Sequence[Condition], work: Work, breathe: Callable[[], None]
) -> int:
    """The exact number of rows. Arguments and errors are those of `first_rows`."""
    found = sum(_count(piece, conditions, work) for piece in sight.hot())
    segments = sight.segments()
    work.segments = len(segments)
    for segment in segments:
        groups = segment.groups
        if not may_meet(conditions, groups.extent):
            continue
        work.opened += 1
        for at in range(groups.count):

            def extent(position: int, at: int = at) -> MaybeExtent:
                return groups.extent_in(at, position)  # noqa: B023 -- used before the next turn

            if may_meet(conditions, extent):
                breathe()
                work.read_group()
                found += _count(segment.piece(at), conditions, work)
    return found


def _count(piece: Piece, conditions: Sequence[Condition], work: Work) -> int:
    mask = piece.matching(conditions)
    is_seen = piece.is_seen
    if is_seen is None:
        return piece.count if mask is None else mask.true_count
    at = range(piece.count) if mask is None else pc.indices_nonzero(mask)
    work.look_at(len(at))
    found = 0
    for start in range(0, len(at), _CHUNK):
        chunk = pa.array(at[start : start + _CHUNK], pa.int64())
        found += sum(map(is_seen, piece.rows(chunk, piece.identity)))
    return found
