"""The first rows of a tablet in an order, reading no more row groups than can hold one of them.

What is in memory is looked at first. Then come segments and row groups, always the one whose statistics
promise the earliest row, until none can hold one that comes before the last of those that were found. Of
a row group the narrow columns are read first: those of the conditions and the order; the others only
where one of its rows is in the answer.
"""

from bisect import insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from heapq import heapify, heappop, heappush, nsmallest
from itertools import accumulate

import pyarrow as pa
import pyarrow.compute as pc

from storage.arrow import SEQ, column_name
from storage.cold.extents import Condition, MaybeExtent, SortKey
from storage.cold.row_groups import RowGroups
from storage.cold.sight import ColdSegment, Piece, Sight, load_found, rows_of
from storage.layout import Layout, Row

_CHUNK = 64
"""Rows of a piece that are looked at one by one, before it is asked whether more are needed."""


_AHEAD_MAX = 8
"""Row groups of which narrow columns are decoded together."""

_Promise = tuple[bytes, int, ColdSegment, int]
"""Least rank, a number that is unlike all others, segment, row group or -1 for the whole segment."""


class TooMuchError(Exception):
    """It would take more than was allowed: an engine does it better."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one read may take. groups: row groups read; looked_at: rows that are tested one by one."""

    groups: int = 512
    looked_at: int = 10_000


@dataclass(slots=True)
class Work:
    """What a read has taken so far. segments: how many were there, and how many were opened.

    index: the declared index that was used. lacking: a large segment has no file of it yet.
    """

    limits: Limits
    segments: int = 0
    opened: int = 0
    groups: int = 0
    looked_at: int = 0
    index: str = ""
    lacking: bool = False

    def read_group(self) -> None:
        """One more row group. Raises TooMuchError."""
        self.groups += 1
        if self.groups > self.limits.groups:
            raise TooMuchError

    def look_at(self, rows: int) -> None:
        """So many more rows. Raises TooMuchError."""
        self.looked_at += rows
        if self.looked_at > self.limits.looked_at:
            raise TooMuchError


@dataclass(frozen=True, slots=True)
class Question:
    """Which rows are wanted. Of a first column of `order` that is not `comparable` all rows are looked at.

    wanted: at most so many; more than that is no error but where `every`: then all are wanted, and more
    are too much. where: what a row must pass beyond the conditions, seeing the columns at `examined`; None:
    nothing. given: the columns of the answer's rows, all others are NULL there.
    """

    conditions: tuple[Condition, ...]
    order: tuple[SortKey, ...]
    wanted: int
    every: bool
    where: Callable[[Row], bool] | None
    examined: frozenset[int]
    given: frozenset[int]


@dataclass(order=True, slots=True)
class _Found:
    """A row of the answer so far: where it is, and what was read of it."""

    rank: bytes
    piece: Piece = field(compare=False)
    at: int = field(compare=False)
    row: Row = field(compare=False)


def first_rows(
    sight: Sight, question: Question, work: Work, breathe: Callable[[], None]
) -> list[Row]:
    """The rows with their system columns, in order.

    Args:
        sight: Where to look.
        question: What for.
        work: Counts what it takes.
        breathe: Called between two row groups; may raise to end the read.

    Raises:
        TooMuchError: It takes more than `work` allows.
        DataCorruptedError: A segment is not what was written.
    """
    if not question.wanted:
        return []
    best = Best(question, sight.layout.key[0], work)
    for piece in sight.hot():
        best.take(piece)
    segments = sight.segments()
    work.segments = len(segments)
    take_promising(sight, segments, question, work, best, breathe)
    return best.rows()


def take_promising(
    sight: Sight,
    segments: Sequence[ColdSegment],
    question: Question,
    work: Work,
    best: "Best",
    breathe: Callable[[], None],
) -> None:
    """Look at row groups of these segments, the most promising first. Raises as `first_rows`."""
    for group in _promising(sight, segments, question, work, best):
        breathe()
        best.take(group)


def may_meet(conditions: Iterable[Condition], extent: Callable[[int], MaybeExtent]) -> bool:
    """Whether some rows, of which the columns' extents are known, may meet all conditions."""
    return all(condition.may_hold(extent(condition.position)) for condition in conditions)


def known_of(groups: RowGroups, conditions: Sequence[Condition]) -> list[Mapping[int, int]]:
    """Of those conditions of which it is known: how many rows of which row groups meet them."""
    return [having for one in conditions if (having := groups.having(one)) is not None]


def groups_that_may_meet(groups: RowGroups, conditions: Sequence[Condition]) -> list[int]:
    """The row groups of a segment in which some row may meet all conditions."""
    known = known_of(groups, conditions)
    return [
        at
        for at in range(groups.count)
        if all(at in having for having in known)
        and may_meet(conditions, partial(groups.extent_in, at))
    ]


def _promising(
    sight: Sight,
    segments: Sequence[ColdSegment],
    question: Question,
    work: Work,
    best: "Best",
) -> Iterable[Piece]:
    """Row groups, the most promising first, as long as one can better what was found."""
    conditions, first = question.conditions, question.order[0] if question.order else None

    def edge(extent: Callable[[int], MaybeExtent]) -> bytes:
        return b"" if first is None else first.least_rank(extent(first.position))

    heap: list[_Promise] = []
    ahead = _Ahead(sight.layout, question, best)
    for number, segment in enumerate(reversed(segments)):
        extent = segment.groups.extent
        if may_meet(conditions, extent):
            heap.append((edge(extent), number, segment, -1))
    heapify(heap)
    number = len(segments)
    while heap:
        least, _, segment, group = heappop(heap)
        if best.surpass(least):
            return
        if group >= 0:
            work.read_group()
            ahead.before(segment, group, heap)
            yield segment.piece(group)
            continue
        work.opened += 1
        for at in groups_that_may_meet(segment.groups, conditions):
            heappush(heap, (edge(partial(segment.groups.extent_in, at)), number, segment, at))
            number += 1


class _Ahead:
    """Decodes the narrow columns of row groups before their turn, ever more of them at once.

    One row group at a time costs its own share of a call; many at the beginning would mostly be for
    nothing, and so would those behind the ones that are known to have all the rows that are wanted.
    """

    def __init__(self, layout: Layout, question: Question, best: "Best") -> None:
        self._conditions = question.conditions
        self._best = best
        positions = {one.position for one in question.conditions}
        positions.update(key.position for key in question.order[:1])
        columns = layout.columns
        self._names = sorted(
            SEQ if position == len(columns) else column_name(columns[position])
            for position in positions
        )
        self._count = 1

    def before(self, segment: ColdSegment, group: int, heap: "list[_Promise]") -> None:
        """A row group is read now; those in `heap` may follow."""
        known = known_of(segment.groups, self._conditions)
        # Where it is known how many rows of each are wanted, no more are read than have them.
        count = _AHEAD_MAX if known else self._count
        groups = [group]
        if count > 1:
            following = nsmallest(count - 1, heap)
            groups += (p[3] for p in following if p[2] is segment and p[3] >= 0)
        segment.groups.load(sorted(self._needed(known, groups)), self._names)
        self._count = min(2 * self._count, _AHEAD_MAX)

    def _needed(self, known: Sequence[Mapping[int, int]], groups: Sequence[int]) -> Sequence[int]:
        """The first of these row groups that may have all the rows that are still wanted."""
        rows = accumulate(min(having[at] for having in known) for at in groups) if known else ()
        count = next((at for at, sum_ in enumerate(rows, 1) if sum_ >= self._best.lacking), None)
        return groups[:count]


class Best:
    """The first rows among all that were looked at so far."""

    def __init__(self, question: Question, leading: int, work: Work) -> None:
        """leading: position of the key's first column."""
        self._question = question
        self._order = question.order
        self._leading = leading
        self._work = work
        self._found: list[_Found] = []
        self._examined = question.examined | {key.position for key in question.order}

    @property
    def lacking(self) -> int:
        """How many rows more are wanted than were found."""
        return self._question.wanted - len(self._found)

    @property
    def full(self) -> bool:
        """Whether there are as many as are wanted."""
        return len(self._found) >= self._question.wanted

    def surpass(self, least: bytes) -> bool:
        """Whether no row whose rank begins with this one or comes behind it is needed any more."""
        if self._question.every:
            return False
        return self.full and least >= self._found[-1].rank

    def take(self, piece: Piece) -> None:
        """Look at the rows of one more piece."""
        question = self._question
        examined = self.examined(piece)
        first = self._order[0] if self._order else None
        in_order = first is None or first.comparable or self._is_in_order(piece, first)
        for at in self._positions(piece):
            if (
                question.every
                and question.where is None
                and len(at) + len(self._found) > question.wanted
            ):
                raise TooMuchError
            for start in range(0, len(at), _CHUNK):
                chunk = pa.array(at[start : start + _CHUNK], pa.int64())
                if not self._look_at(piece, chunk, examined, in_order=in_order):
                    return

    def _is_in_order(self, piece: Piece, first: SortKey) -> bool:
        return first.position == self._leading and piece.in_key_order

    def examined(self, piece: Piece) -> list[int]:
        """The columns that are looked at of a row before it is known to be of the answer."""
        return sorted(self._examined.union(() if piece.is_seen is None else piece.identity))

    def take_at(self, piece: Piece, at: pa.Array, conditions: Sequence[Condition]) -> None:
        """Look at these rows of a piece, which are in no order. conditions: that are to be tested."""
        for condition in conditions:
            test = condition.test(piece.column(condition.position).take(at))
            at = at.filter(test)
        if len(at):
            self._look_at(piece, at, self.examined(piece), in_order=False)

    def rows(self) -> list[Row]:
        """All of them, with the columns that were asked for."""
        found, given = self._found, self._question.given
        if given <= self._examined:
            return [one.row for one in found]
        rows: list[Row] = [()] * len(found)
        places: dict[int, list[int]] = {}
        for place, one in enumerate(found):
            piece = one.piece
            # All rows of a segment are read together.
            places.setdefault(id(piece if piece.segment is None else piece.segment), []).append(
                place
            )
        positions = sorted(given)
        parts = [
            [(found[place].piece, found[place].at) for place in some] for some in places.values()
        ]
        if len(parts) > 1:
            load_found(parts, positions)
        for some, part in zip(places.values(), parts, strict=True):
            for place, row in zip(some, rows_of(part, positions), strict=True):
                rows[place] = row
        return rows

    def _positions(self, piece: Piece) -> Iterator[Sequence[int] | pa.Array]:
        """The rows of a piece that meet the conditions, what comes first before all else."""
        mask = self._better(piece, piece.matching(self._question.conditions))
        at: pa.Array | None = None if mask is None else pc.indices_nonzero(mask)
        first = self._order[0] if self._order else None
        if first is None or self._is_in_order(piece, first) or not first.comparable:
            every = range(piece.count) if at is None else at
            yield every[::-1] if first is not None and first.descending else every
            return
        values = piece.column(first.position)
        if at is not None:
            values = values.take(at)
        top = None if self._question.every else first.top(values, self._question.wanted + _CHUNK)
        if top is not None:
            yield top if at is None else at.take(top)
        left = first.sorted(values)[0 if top is None else len(top) :]
        yield left if at is None else at.take(left)

    def _better(self, piece: Piece, mask: pa.BooleanArray | None) -> pa.BooleanArray | None:
        """Without the rows of which the first sort key alone tells that they come too late."""
        if self._question.every or not self.full or not self._order:
            return mask
        first = self._order[0]
        if not first.comparable:
            return mask
        value = self._found[-1].row[first.position]
        if value is None or self._is_in_order(piece, first):
            return mask
        column = piece.column(first.position)
        condition = Condition(first.position, first.kind, ">=" if first.descending else "<=", value)
        better = pc.fill_null(condition.test(column), first.nulls_first)
        return better if mask is None else pc.and_(mask, better)

    def _look_at(
        self, piece: Piece, at: pa.Array, examined: Sequence[int], *, in_order: bool = True
    ) -> bool:
        """Take in the first rows of a part of a piece; False when all behind them come too late."""
        question, found, order = self._question, self._found, self._order
        where, is_seen = question.where, piece.is_seen
        self._work.look_at(len(at))
        replaced = piece.replaced(at)
        if replaced is not None:
            at = at.filter(pc.invert(replaced))
        for place, row in enumerate(piece.rows(at, examined)):
            rank = b"".join([key.rank(row[key.position]) for key in order])
            if self.full and not question.every and rank >= found[-1].rank:
                if in_order and self._too_late(row):
                    return False
                continue
            # A row that is hidden must not be tested: the WHERE might fail of it.
            if (is_seen is None or is_seen(row)) and (where is None or where(row)):
                insort(found, _Found(rank, piece, at[place].as_py(), row))
                if len(found) > question.wanted:
                    if question.every:
                        raise TooMuchError
                    found.pop()
        return True

    def _too_late(self, row: Row) -> bool:
        """Whether this row, and all behind it in its piece, come behind all that are wanted."""
        if not self._order:
            return True
        first = self._order[0]
        return first.rank(row[first.position]) >= self._found[-1].rank
