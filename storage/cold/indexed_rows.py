"""The first rows of a tablet through a declared index: what it finds, in all segments that have it.

The entries of all segments are read side by side in the order of the index, which may be that of the answer
or begin like it, until no further one can be among the rows that are wanted. Of the row groups only those
are read that the rows lie in, and of these the columns that are asked for. Segments without the index, and
what is in memory, are read as `storage.cold.first_rows` reads them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heapreplace

import pyarrow as pa

from storage.cold.extents import Condition
from storage.cold.first_rows import (
    Best,
    Question,
    TooMuchError,
    Work,
    may_meet,
    take_promising,
)
from storage.cold.index_keys import KeyPart, first_parts
from storage.cold.index_reader import Reach, SegmentIndex
from storage.cold.segment_pages import read_parts
from storage.cold.sight import ColdSegment, Piece, Sight
from storage.layout import Row

_TOGETHER = 16
"""Rows that are looked at together when there are enough, but some may come before these."""

_UNORDERED_MIN, _UNORDERED_TIMES = 256, 4
"""So many rows, or times the wanted ones, are sorted whatever their number; else the best are looked for."""


@dataclass(frozen=True, slots=True)
class Walk:
    """A part of an index.

    reaches: from where to where, and in which direction; several do not overlap, and then `ordered` is 0.
    parts: how its keys sort; the first `equal` of them have one value each, whose bytes come to `prefix`.
    ordered: how many keys of the ORDER BY the next ones are. rest: conditions of which the reaches say
    nothing.
    """

    mark: str
    parts: tuple[KeyPart, ...]
    equal: int
    prefix: int
    reaches: tuple[Reach, ...]
    ordered: int
    rest: tuple[Condition, ...]

    def count(self, index: SegmentIndex) -> int:
        """How many entries a segment has of it. Raises IndexLostError, NotInMemoryError."""
        return sum(map(index.count, self.reaches))


_Ahead = tuple[bytes, int, int]
"""Rank of the next entry, as far as the index knows it; whose it is; which row."""


def rows_by_index(
    sight: Sight, question: Question, walk: Walk, work: Work, breathe: Callable[[], None]
) -> list[Row] | None:
    """The rows with their system columns, in order; None: another way is better.

    Arguments are those of `first_rows`.

    Raises:
        TooMuchError: It takes more than `work` allows.
        IndexLostError: A file of the index is not what was written.
        DataCorruptedError: A segment is not what was written.
    """
    if not question.wanted:
        return []
    segments = sight.segments()
    work.segments = len(segments)
    found, others = _split(segments, question.conditions, walk, work)
    if not found:
        return None
    if not walk.ordered or question.every:
        entries = sum(walk.count(index) for _, index in found)
        if question.every:
            if entries > work.limits.looked_at:
                raise TooMuchError
        elif question.order and entries > max(_UNORDERED_MIN, _UNORDERED_TIMES * question.wanted):
            return None
    best = Best(question, sight.layout.key[0], work)
    for piece in sight.hot():
        best.take(piece)
    _take_entries(found, question, walk, best, work, breathe)
    take_promising(sight, others, question, work, best, breathe)
    return best.rows()


def _split(
    segments: Sequence[ColdSegment], conditions: Sequence[Condition], walk: Walk, work: Work
) -> tuple[list[tuple[ColdSegment, SegmentIndex]], list[ColdSegment]]:
    """The segments that may have rows: those with the index, newest first, and those without it."""
    found: list[tuple[ColdSegment, SegmentIndex]] = []
    others: list[ColdSegment] = []
    for segment in reversed(segments):
        if not may_meet(conditions, segment.groups.extent):
            continue
        index = segment.groups.index(walk.mark)
        if index is None:
            work.lacking = work.lacking or segment.groups.is_large
            others.append(segment)
        else:
            work.opened += 1
            found.append((segment, index))
    others.reverse()
    return found, others


def _take_entries(
    found: Sequence[tuple[ColdSegment, SegmentIndex]],
    question: Question,
    walk: Walk,
    best: Best,
    work: Work,
    breathe: Callable[[], None],
) -> None:
    """Look at what the index finds in its order, as long as it can better what was found."""
    streams = [_stream(number, index, walk) for number, (_, index) in enumerate(found)]
    heap: list[_Ahead] = [first for stream in streams if (first := next(stream, None))]
    heapify(heap)
    waiting: dict[int, list[int]] = {}
    count = 0
    while heap:
        rank, number, row = heap[0]
        if walk.ordered and best.surpass(rank):
            break
        waiting.setdefault(number, []).append(row)
        count += 1
        following = next(streams[number], None)
        if following is None:
            heappop(heap)
        else:
            heapreplace(heap, following)
        # Of rows that come in order no more are read than are wanted.
        enough = work.limits.looked_at
        if walk.ordered and not question.every:
            enough = best.lacking or _TOGETHER
        if count >= enough:
            _look_at(found, waiting, question, walk, best, work, breathe)
            waiting, count = {}, 0
    _look_at(found, waiting, question, walk, best, work, breathe)


def _stream(number: int, index: SegmentIndex, walk: Walk) -> Iterator[_Ahead]:
    parts = walk.parts[walk.equal : walk.equal + walk.ordered]
    every = walk.equal + walk.ordered == len(walk.parts)
    for reach in walk.reaches:
        for key, row in index.entries(reach):
            rank = b""
            if parts:
                rank = first_parts(key, walk.prefix, parts, every=every, backward=reach.backward)
            yield rank, number, row


def _look_at(
    found: Sequence[tuple[ColdSegment, SegmentIndex]],
    waiting: dict[int, list[int]],
    question: Question,
    walk: Walk,
    best: Best,
    work: Work,
    breathe: Callable[[], None],
) -> None:
    """Look at rows, by the segments' numbers. Columns of all row groups are decoded together."""
    columns = {one.position for one in walk.rest}
    if question.where is None and not walk.rest:
        columns |= question.given  # Most of them are of the answer.
    asked: list[tuple[Piece, list[int]]] = []
    for number, rows in waiting.items():
        piece = found[number][0].scattered(rows)
        for _ in range(piece.groups):
            work.read_group()
        asked.append((piece, sorted(columns.union(best.examined(piece)))))
    if len(asked) > 1:
        breathe()
        lacking = [one for piece, positions in asked for one in piece.lacking(positions)]
        read_parts(lacking, coded=True)
    for piece, positions in asked:
        breathe()
        piece.load(positions)
        best.take_at(piece, pa.array(range(piece.count), pa.int64()), walk.rest)
