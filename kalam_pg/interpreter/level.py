"""Where the columns that an expression names stand in the rows that it is evaluated over."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from catalog.errors import FeatureNotSupportedError
from kalam_pg.functions.table import EvalContext
from kalam_pg.interpreter.running import Run
from kalam_pg.sql.tree import ColumnRef
from storage.layout import Row, Value


@dataclass(frozen=True, slots=True)
class Level:
    """The rows of one query at one stage: joined, grouped, or finished.

    depth: how many queries are around it. offsets: where a relation's columns begin. columns: where
    single columns stand, by relation and position. nodes: where the values of expressions stand that an
    earlier stage has computed, by fingerprint. width: how many columns the rows have.
    """

    depth: int
    parent: "Level | None"
    offsets: Mapping[int, int] = field(default_factory=dict)
    columns: Mapping[tuple[int, int], int] = field(default_factory=dict)
    nodes: Mapping[Any, int] = field(default_factory=dict)
    width: int = 0

    def slot(self, ref: ColumnRef) -> int | None:
        """Where a column of this query stands, None when it is another one's."""
        offset = self.offsets.get(ref.relation)
        if offset is not None:
            return offset + ref.column
        return self.columns.get((ref.relation, ref.column))

    def outer(self, ref: ColumnRef) -> "OuterSlot":
        """A column of a query around this one. Raises FeatureNotSupportedError: of none."""
        level = self.parent
        while level is not None:
            slot = level.slot(ref)
            if slot is not None:
                return OuterSlot(level.depth, slot)
            level = level.parent
        raise FeatureNotSupportedError(f'column "{ref.name}" is not to be had here')

    def computed_outside(self, mark: object) -> "OuterSlot":
        """What a query around this one has computed. Raises FeatureNotSupportedError: none has."""
        level = self.parent
        while level is not None:
            slot = level.nodes.get(mark)
            if slot is not None:
                return OuterSlot(level.depth, slot)
            level = level.parent
        raise FeatureNotSupportedError("this aggregate of a query around it is not supported")


class OuterSlot:
    """A column of the row for which a subquery runs."""

    __slots__ = ("_depth", "_slot")

    def __init__(self, depth: int, slot: int) -> None:
        self._depth = depth
        self._slot = slot

    def __call__(self, _row: Row, context: EvalContext) -> Value:
        assert isinstance(context, Run)
        return context.outer[self._depth][self._slot]
