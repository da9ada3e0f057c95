"""How many rows of a tablet meet some conditions: from the columns of these conditions alone."""

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from storage.arrow import column_name
from storage.cold.extents import Condition
from storage.cold.first_rows import Work, groups_that_may_meet, may_meet
from storage.cold.indexed_rows import Walk
from storage.cold.sight import ColdSegment, Piece, Sight

_CHUNK = 1024
"""Rows that are looked up together, where a newer version may hide one."""

FEW = 64
"""So few are looked up one by one: of more it is quicker to know first what the log hides."""


def count_rows(
    sight: Sight,
    conditions: Sequence[Condition],
    work: Work,
    breathe: Callable[[], None],
    walk: Walk | None = None,
) -> int:
    """The exact number of rows. Arguments and errors are those of `first_rows`.

    walk: an index of which a part is what the conditions say. Raises IndexLostError with one.
    """
    found = sum(_count(piece, conditions, work) for piece in sight.hot())
    segments = sight.segments()
    work.segments = len(segments)
    columns = sight.layout.columns
    names = sorted({column_name(columns[one.position]) for one in conditions})
    for segment in segments:
        groups = segment.groups
        if not may_meet(conditions, groups.extent):
            continue
        work.opened += 1
        breathe()
        if walk is not None:
            counted = _count_entries(segment, walk, work)
            if counted is not None:
                found += counted
                continue
        having = groups.having(conditions[0]) if len(conditions) == 1 else None
        if having is not None and segment.is_cold:
            hidden = segment.hidden(conditions[0], breathe)
            if hidden is not None:
                found += sum(having.values()) - hidden
                continue
        asked = groups_that_may_meet(groups, conditions)
        for _ in asked:
            work.read_group()
        groups.load(asked, names)
        for at in asked:
            breathe()
            found += _count(segment.piece(at), conditions, work)
    return found


def _count_entries(segment: ColdSegment, walk: Walk, work: Work) -> int | None:
    """How many rows of a segment the index has, None where it has no file."""
    index = segment.groups.index(walk.mark)
    if index is None:
        work.lacking = work.lacking or segment.groups.is_large
        return None
    if segment.nothing_hides:
        return walk.count(index)
    work.look_at(walk.count(index))
    rows = sorted(row for reach in walk.reaches for row in index.rows(reach))
    return _count(segment.scattered(rows), (), work) if rows else 0


def _count(piece: Piece, conditions: Sequence[Condition], work: Work) -> int:
    mask = piece.matching(conditions)
    is_seen = piece.is_seen
    if is_seen is None and not piece.may_be_replaced:
        return piece.count if mask is None else mask.true_count
    at = pa.arange(0, piece.count) if mask is None else pc.indices_nonzero(mask)
    replaced = piece.replaced(at)
    if replaced is not None:
        at = at.filter(pc.invert(replaced))
    if is_seen is None:
        return len(at)
    if len(at) > FEW and piece.log_is_known:
        hidden = piece.hidden_by_log(at)
        return len(at) - (0 if hidden is None else hidden.true_count)
    work.look_at(len(at))
    found = 0
    for start in range(0, len(at), _CHUNK):
        chunk = at.slice(start, _CHUNK)
        found += sum(map(is_seen, piece.rows(chunk, piece.identity)))
    return found
