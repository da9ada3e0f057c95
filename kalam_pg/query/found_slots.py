"""Where what a data change needs lies in the rows that a query finds for it."""

from collections.abc import Sequence
from typing import TypeAlias

from catalog.errors import FeatureNotSupportedError
from kalam_pg.query.rules import Closure
from kalam_pg.sql.to_python import compile_expr
from kalam_pg.sql.tree import (
    ColumnRef,
    Const,
    CteScan,
    Expr,
    FromItem,
    FunctionScan,
    Join,
    OutputColumn,
    RowsFrom,
    SubqueryScan,
    TableScan,
    ValuesScan,
    VirtualScan,
)
from kalam_pg.sql.tree import (
    Target as TargetItem,
)

Leaf: TypeAlias = (
    TableScan | VirtualScan | SubqueryScan | CteScan | FunctionScan | RowsFrom | ValuesScan
)


class FoundSlots:
    """Where each column lies in a found row, and the expressions that the query must compute."""

    def __init__(
        self, target: int, columns: tuple[OutputColumn, ...], items: Sequence[FromItem]
    ) -> None:
        self._target = target
        self._columns = columns
        self._start: dict[int, int] = {target: 0}
        self.extra: list[TargetItem] = []
        self.computed = False
        """Whether there is an expression that only the query computes."""
        width = len(columns)
        for leaf in (leaf for item in items for leaf in _leaves(item)):
            self._start[leaf.relation] = width
            for at, column in enumerate(leaf.columns):
                value: Expr = ColumnRef(leaf.relation, at, column.name, column.type, column.typmod)
                if isinstance(leaf, TableScan) and column.name == "_deleted":
                    value = Const(False, column.type)
                self.extra.append(TargetItem(value, column.name))
            width += len(leaf.columns)
        self._width = width

    def slot(self, reference: ColumnRef) -> int:
        """A column's place. Raises 0A000 for one that is not found with the rows."""
        start = self._start.get(reference.relation)
        if start is None or reference.outer:
            raise FeatureNotSupportedError(
                f'column "{reference.name}" cannot be used here', position=reference.position
            )
        return start + reference.column

    def compile(self, expr: Expr) -> Closure:
        """A closure over found rows; what no closure can compute (a subquery) the query computes."""
        try:
            return compile_expr(expr, self.slot)
        except FeatureNotSupportedError:
            at = self._width
            self._width += 1
            self.computed = True
            self.extra.append(TargetItem(expr, f"value{at}"))
            return lambda row, _context: row[at]

    def compile_returning(self, expr: Expr) -> Closure:
        """RETURNING sees the row as changed, so nothing of it can be computed beforehand."""
        return compile_expr(expr, self.slot)

    def computed_where(self, where: Expr) -> bool:
        """Whether only the query can evaluate the WHERE."""
        try:
            compile_expr(where, self.slot)
        except FeatureNotSupportedError:
            return True
        return False

    def target_items(self) -> list[TargetItem]:
        """What a query must give of the target: the first columns of a found row."""
        items = [
            TargetItem(ColumnRef(self._target, at, c.name, c.type, c.typmod), c.name)
            for at, c in enumerate(self._columns)
        ]
        # The last is `_deleted`: what a query finds to change is not.
        deleted = self._columns[-1]
        return [*items[:-1], TargetItem(Const(False, deleted.type), deleted.name)]


def _leaves(item: FromItem) -> list[Leaf]:
    if isinstance(item, Join):
        return [*_leaves(item.left), *_leaves(item.right)]
    return [item]
