"""Window frames: which rows of a sorted partition each row's frame holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from catalog.errors import InvalidPrecedingOrFollowingSizeError, NullValueNotAllowedError
from kalam_pg.interpreter.ranges import InRange
from kalam_pg.interpreter.running import Run
from kalam_pg.sql.closures import Run as Closure
from storage.layout import Row, Value

_NO_ROW: Row = ()

Span = tuple[int, int]
"""The places from the first on, up to but not with the second."""


@dataclass(frozen=True, slots=True)
class RangeKey:
    """The one ORDER BY key of a RANGE frame with offsets."""

    within: InRange
    descending: bool
    nulls_first: bool


@dataclass(frozen=True, slots=True)
class FrameClause:
    """A frame as `tree.Frame` has it, with its offsets as closures. range: of a RANGE frame with any."""

    mode: str
    start: str
    start_offset: Closure | None
    end: str
    end_offset: Closure | None
    exclude: str
    range: RangeKey | None = None

    def offsets(self, run: Run) -> tuple[Value, Value]:
        """The offsets, None where there is none. Raises 22004, 22013."""
        return self._offset(self.start_offset, "starting", run), self._offset(
            self.end_offset, "ending", run
        )

    def _offset(self, closure: Closure | None, which: str, run: Run) -> Value:
        if closure is None:
            return None
        value: Value = closure(_NO_ROW, run)
        if value is None:
            raise NullValueNotAllowedError(f"frame {which} offset must not be null")
        if self.mode != "range" and isinstance(value, int) and value < 0:
            raise InvalidPrecedingOrFollowingSizeError(f"frame {which} offset must not be negative")
        return value


WHOLE = FrameClause("rows", "unbounded preceding", None, "unbounded following", None, "")
"""The frame of a window without ORDER BY."""

TO_PEERS = FrameClause("groups", "unbounded preceding", None, "current row", None, "")
"""The frame of a window with ORDER BY that names none."""


class Partition:
    """The rows of a partition in their order.

    groups: where each group of peers begins, and the count of rows at the end. group_of: the number of
    each row's group. keys: values of the one ORDER BY key, for RANGE with offsets.
    """

    __slots__ = ("count", "group_of", "groups", "keys")

    def __init__(self, made: Sequence[Any], keys: Sequence[Value]) -> None:
        """made: what is equal of peers, of each row."""
        self.count = len(made)
        self.keys = keys
        self.groups: list[int] = []
        self.group_of: list[int] = []
        for at, key in enumerate(made):
            if at == 0 or key != made[at - 1]:
                self.groups.append(at)
            self.group_of.append(len(self.groups) - 1)
        self.groups.append(self.count)

    def peers(self, at: int) -> Span:
        """The group of peers of a row."""
        number = self.group_of[at]
        return self.groups[number], self.groups[number + 1]


def spans_of(
    frame: FrameClause, partition: Partition, offsets: tuple[Value, Value], run: Run
) -> list[Span]:
    """The frame of each row, before anything is excluded."""
    first, last = offsets
    starts = _edges(frame, frame.start, first, partition, run, end=False)
    ends = _edges(frame, frame.end, last, partition, run, end=True)
    return [(start, max(start, end)) for start, end in zip(starts, ends, strict=True)]


def _edges(
    frame: FrameClause,
    bound: str,
    offset: Any,  # noqa: ANN401 -- a count, or of the key's kind
    partition: Partition,
    run: Run,
    *,
    end: bool,
) -> list[int]:
    """Where each row's frame begins, or ends."""
    count = partition.count
    if bound == "unbounded preceding":
        return [0] * count
    if bound == "unbounded following":
        return [count] * count
    if frame.mode == "rows":
        moved = {"preceding": -1, "current row": 0, "following": 1}[bound] * (offset or 0)
        return [min(count, max(0, at + moved + end)) for at in range(count)]
    if frame.mode == "groups" or bound == "current row":
        moved = {"preceding": -1, "current row": 0, "following": 1}[bound] * (offset or 0)
        groups = partition.groups
        return [
            groups[min(len(groups) - 1, max(0, number + moved + end))]
            for number in partition.group_of
        ]
    assert frame.range is not None
    return _range_edges(frame.range, bound, offset, partition, run, end=end)


def _range_edges(
    key: RangeKey, bound: str, offset: Value, partition: Partition, run: Run, *, end: bool
) -> list[int]:
    """As PostgreSQL finds them: an edge only moves on from row to row."""
    sub = (bound == "preceding") != key.descending
    less = end != key.descending
    values, within = partition.keys, key.within

    def passes(value: Value, base: Value) -> bool:
        """Whether the edge moves past a row with the value, for a current row with the base."""
        if value is None or base is None:
            if end:
                stays = (
                    (value is not None and base is None)
                    if key.nulls_first
                    else (value is None and base is not None)
                )
                return not stays
            if key.nulls_first:
                return value is None and base is not None
            return value is not None and base is None
        inside = within(value, base, offset, sub, less, run)
        return inside if end else not inside

    edges: list[int] = []
    at = 0
    for base in values:
        while at < partition.count and passes(values[at], base):
            at += 1
        edges.append(at)
    return edges


def places_of(span: Span, exclude: str, at: int, partition: Partition) -> Sequence[int]:
    """The rows of a frame without those that EXCLUDE names."""
    start, end = span
    if not exclude:
        return range(start, end)
    if exclude == "current row":
        return [n for n in range(start, end) if n != at]
    first, last = partition.peers(at)
    ties = exclude == "ties"
    return [n for n in range(start, end) if not first <= n < last or (ties and n == at)]
