"""Queries over rows whose select list asks what only the server can give, each time anew: nextval, setval.

The query without these items is answered by whatever plan it has, and they are computed of its rows here, as
PostgreSQL does it: behind WHERE, ORDER BY and LIMIT, so numbers are given in the order of the answer and none
for a row that is not in it. Where the ORDER BY is by such an item, all rows have theirs before they are
sorted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

from catalog.errors import FeatureNotSupportedError
from catalog.types.registry import INT4
from kalam_pg.functions.table import OverloadKind, Volatility
from kalam_pg.interpreter.shipping import at_home
from kalam_pg.interpreter.sorting import Bounds, Order, order_of, sort_rows
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.portion import NO_ROWS, Portion, RowPortion
from kalam_pg.query.row_source import RowSource, Whole
from kalam_pg.query.rules import Closure
from kalam_pg.query.select import SelectPlan
from kalam_pg.query.waits import Steps, breathe
from kalam_pg.sql.to_python import compile_expr
from kalam_pg.sql.tree import (
    Aggregate,
    Call,
    ColumnRef,
    Const,
    Expr,
    Grouping,
    OutputColumn,
    Select,
    SetOp,
    SortKey,
    SubqueryScan,
    Target,
    ValuesQuery,
    Window,
)
from kalam_pg.sql.walk import Node, children, map_children, walk

_TOGETHER = 500
"""Rows of which the items are computed before others have their turn: some milliseconds."""


@dataclass(frozen=True, slots=True)
class Split:
    """A query in two. inner: what it reads. items: each item over a row of that, and what it is sorted by.

    width: so many of the items are the answer. order: over the items, () when `inner` has the order.
    bounded: LIMIT and OFFSET are not the inner one's.
    """

    inner: Select
    items: tuple[Closure, ...]
    width: int
    order: tuple[Order, ...]
    bounded: bool = False


def split(query: Select) -> Split | None:
    """The query in two; None when it asks for nothing of the kind, or in a way that is not for this."""
    asked = [_asks(target.expr) for target in query.targets]
    if not any(asked):
        return _projected(query)
    within = any(
        isinstance(node, _QUERIES) for target in query.targets for node in walk(target.expr)
    )
    if not (query.from_ or within) or _is_other(query):
        return None
    by_item = any(_asks(key.expr) for key in query.order_by)
    whole = within or query.grouped or bool(query.group_by)
    reads = _Reads()
    items = [
        reads.computed(target.expr, whole=whole) if asks else reads.read(target.expr)
        for target, asks in zip(query.targets, asked, strict=True)
    ]
    order: list[Order] = []
    for key in query.order_by if by_item else ():
        at = _place(key, query.targets)
        if at is None and _asks(key.expr):
            return None
        if at is None:
            items.append(reads.read(key.expr))
            at = len(items) - 1
        order.append(order_of(key, _slot(at)))
    inner = replace(query, targets=reads.targets(), columns=reads.columns())
    if by_item:
        inner = replace(inner, order_by=())
    bounded = by_item or query.offset is not None
    if bounded:  # Rows that OFFSET skips have used up their numbers.
        inner = replace(inner, limit=None, offset=None)
    return Split(inner, tuple(items), len(query.targets), tuple(order), bounded)


def _projected(query: Select) -> Split | None:
    """One that is all the rows of another that is split, with casts: as INSERT puts it around its query."""
    item = query.from_[0] if len(query.from_) == 1 else None
    if not isinstance(item, SubqueryScan) or item.lateral or not isinstance(item.query, Select):
        return None
    if query != Select(query.targets, query.columns, query.from_) or split(item.query) is None:
        return None
    try:
        items = [
            compile_expr(target.expr, lambda reference: reference.column)
            for target in query.targets
        ]
    except FeatureNotSupportedError:
        return None
    return Split(item.query, tuple(items), len(items), ())


def _asks(expr: Node) -> bool:
    """Whether it is another thing each time, and the server's to give."""
    return any(
        isinstance(node, Call) and node.overload.volatility is Volatility.VOLATILE and at_home(node)
        for node in walk(expr)
    )


def _is_other(query: Select) -> bool:
    """Whether the items are not computed once for each row that is read."""
    if query.distinct or query.distinct_on or query.locking:
        return True
    if any(_asks(one) for one in (query.where, query.having, *query.group_by) if one is not None):
        return True
    return any(
        (isinstance(node, _WITHIN) and _asks(node))
        or (isinstance(node, ColumnRef) and node.outer)
        or (isinstance(node, Call) and node.overload.kind not in _PLAIN)
        for target in query.targets
        for node in _outside(target.expr)
    )


def _outside(node: Node) -> Iterator[Node]:
    """A node and those under it, but not those of its subqueries."""
    yield node
    if not isinstance(node, _QUERIES):
        for child in children(node):
            yield from _outside(child)


_QUERIES = (Select, SetOp, ValuesQuery)
_WITHIN = (*_QUERIES, Aggregate, Window)
"""What is computed by the query itself, with all that it is computed of."""
_PLAIN = (OverloadKind.FUNCTION, OverloadKind.OPERATOR, OverloadKind.CAST)


def _place(key: SortKey, targets: Sequence[Target]) -> int | None:
    return next((at for at, target in enumerate(targets) if target.expr == key.expr), None)


_OF_ROWS = (ColumnRef, Aggregate, Grouping)


class _Reads:
    """What the inner query is asked for."""

    def __init__(self) -> None:
        self._exprs: list[Expr] = []

    def read(self, expr: Expr) -> Closure:
        """Something that it answers itself."""
        return _slot(self._at(expr))

    def computed(self, expr: Expr, *, whole: bool) -> Closure:
        """Something that is computed of columns that it reads, or of whole expressions and subqueries."""
        if whole:
            found = self._known(expr)
            return compile_expr(found, lambda reference: reference.column)
        return compile_expr(expr, self._at)

    def _known(self, expr: Expr) -> Expr:
        """The item, with what the inner query can answer in it as columns of that."""
        if _asks(expr):
            return cast("Expr", map_children(expr, lambda node: self._known(cast("Expr", node))))
        if not any(isinstance(node, (*_QUERIES, *_OF_ROWS)) for node in walk(expr)):
            return expr
        return ColumnRef(0, self._at(expr), "", expr.type, expr.typmod)

    def _at(self, expr: Expr) -> int:
        if expr not in self._exprs:
            self._exprs.append(expr)
        return self._exprs.index(expr)

    def targets(self) -> tuple[Target, ...]:
        """Its select list, which has something in it."""
        return tuple(Target(expr, f"c{at}") for at, expr in enumerate(self._all()))

    def columns(self) -> tuple[OutputColumn, ...]:
        """The columns of that."""
        return tuple(
            OutputColumn(f"c{at}", expr.type, getattr(expr, "typmod", -1))
            for at, expr in enumerate(self._all())
        )

    def _all(self) -> Sequence[Expr]:
        return self._exprs or [Const(1, INT4)]


def _slot(at: int) -> Closure:
    return lambda row, _context: row[at]


@dataclass(frozen=True, slots=True)
class NumberedPlan:
    """A query that was split. bounds: its LIMIT and OFFSET."""

    columns: tuple[OutputColumn, ...]
    inner: SelectPlan
    parts: Split
    bounds: Bounds

    def run(self, x: Execution) -> Steps[Result]:
        """Rows."""
        source = yield from self.source(x)
        try:
            rows = yield from source.every()
        finally:
            source.close()
        return Result("SELECT", len(rows), self.columns, rows)

    def source(self, x: Execution) -> Steps[RowSource]:
        """As stored values."""
        parts = self.parts
        limit, offset = self.bounds.values(x.context) if parts.bounded else (None, 0)
        end = None if limit is None or parts.order else limit + offset
        source = _Numbered((yield from self.inner.source(x)), parts, x, end)
        if not parts.order and not offset:
            return source
        try:
            if parts.order:
                rows = sort_rows((yield from source.every()), parts.order, x.context)
                return Whole([row[: parts.width] for row in rows[offset:][:limit]])
            while offset:
                offset -= len((yield from source.take(offset))) or offset
        except BaseException:
            source.close()
            raise
        return source


class _Numbered(RowSource):
    """The items of a source's rows, computed when these are asked for. end: of so many, None: of all."""

    __slots__ = ("_context", "_inner", "_items", "_left", "_x")

    def __init__(self, inner: RowSource, parts: Split, x: Execution, end: int | None) -> None:
        super().__init__()
        self._inner = inner
        self._items = parts.items
        self._x = x
        self._context = x.context
        self._left = end

    def take(self, limit: int) -> Steps[Portion]:
        """See `RowSource`. Rows that nobody asks for use up no numbers."""
        most = min(limit, _TOGETHER)
        if self._left is not None:
            most = min(most, self._left)
        read = (yield from self._inner.take(most)) if most else NO_ROWS
        if not len(read):
            return NO_ROWS
        if self._left is not None:
            self._left -= len(read)
        yield from breathe(self._x.statement_timeout_s)
        context, items = self._context, self._items
        return RowPortion([tuple([item(row, context) for item in items]) for row in read.rows()])

    def next_portion(self) -> Steps[Portion | None]:
        found = yield from self.take(_TOGETHER)
        return found if len(found) else None

    def close(self) -> None:
        self._inner.close()
