"""Window functions and aggregates over windows: each becomes one more column of the level's rows.

Windows of one PARTITION BY and ORDER BY share a sort, and the rows go on in the order of the last one.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.errors import (
    FeatureNotSupportedError,
    InvalidArgumentForNthValueFunctionError,
    InvalidArgumentForNtileFunctionError,
)
from kalam_pg.functions.pythonkey import python_key
from kalam_pg.functions.table import OverloadKind
from kalam_pg.interpreter.aggregates import Computed, Growing, computed
from kalam_pg.interpreter.expressions import Expressions, QueryCompiler
from kalam_pg.interpreter.frames import (
    TO_PEERS,
    WHOLE,
    FrameClause,
    Partition,
    RangeKey,
    Span,
    places_of,
    spans_of,
)
from kalam_pg.interpreter.level import Level
from kalam_pg.interpreter.ranges import in_range
from kalam_pg.interpreter.relation import Relation
from kalam_pg.interpreter.running import STRIDE, Run
from kalam_pg.interpreter.sorting import Order, order_of, places_as_postgresql
from kalam_pg.interpreter.values import Key, keys, values
from kalam_pg.sql.closures import Run as Closure
from kalam_pg.sql.datafusion_state import fingerprint
from kalam_pg.sql.tree import Aggregate, Expr, Frame, Select, SetOp, SortKey, ValuesQuery, Window
from kalam_pg.sql.walk import children
from storage.layout import Value

_QUERIES = (Select, SetOp, ValuesQuery)


@dataclass(frozen=True, slots=True)
class Sorted:
    """PARTITION BY and ORDER BY of some windows. by: keys of the partition's values."""

    partition: Sequence[Order]
    by: Sequence[Key]
    order: Sequence[Order]


@dataclass(frozen=True, slots=True)
class Call:
    """One window function. aggregate: what it is of the frame's rows, if it is an aggregate."""

    name: str
    args: Sequence[Closure]
    frame: FrameClause
    aggregate: Computed | None


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of a level, by what they sort by. places: where each value goes behind the row."""

    sorts: Sequence[tuple[Sorted, Sequence[tuple[int, Call]]]]
    count: int

    def __call__(self, relation: Relation, run: Run) -> Relation:
        """The rows with the windows' values behind them."""
        added: list[Sequence[Value]] = [()] * self.count
        order: Sequence[int] = range(len(relation))
        for sort, calls in self.sorts:
            order = _ordered(sort, relation, order, run)
            partitions = _partitions(sort, relation, order, run)
            for at, call in calls:
                column: list[Value] = [None] * len(relation)
                for places, partition in partitions:
                    found = _values(call, relation, places, partition, run)
                    for place, value in zip(places, found, strict=True):
                        column[place] = value
                added[at] = column
        rows, tails = relation.rows, list(zip(*added, strict=True))
        return Relation([rows[at] + tails[at] for at in order])


def window_nodes(exprs: Sequence[Expr]) -> list[Window]:
    """The window functions of a level's expressions, each once; those of subqueries are theirs."""
    found: dict[Any, Window] = {}

    def collect(node: Any) -> None:  # noqa: ANN401 -- any node
        if isinstance(node, Window):
            found.setdefault(fingerprint(node), node)
        elif not isinstance(node, _QUERIES):
            for child in children(node):
                collect(child)

    for expr in exprs:
        collect(expr)
    return list(found.values())


def compile_windows(
    query: Select, nodes: Sequence[Window], level: Level, queries: QueryCompiler
) -> tuple[Windows, Level]:
    """The windows of a query's rows, and the level with their values. Raises FeatureNotSupportedError."""
    expressions = Expressions(level, queries)
    sorts: dict[Any, tuple[Sorted, list[tuple[int, Call]]]] = {}
    places: dict[Any, int] = {}
    for number, node in enumerate(nodes):
        mark = fingerprint((node.partition_by, node.order_by))
        if mark not in sorts:
            sorts[mark] = _sorted(node, expressions), []
        sorts[mark][1].append((number, _call(node, expressions)))
        places[fingerprint(node)] = level.width + number
    ordered = [sorts[mark] for mark in _in_turn(query, nodes)]
    known: Mapping[Any, int] = {**level.nodes, **places}
    width = level.width + len(nodes)
    inner = Level(level.depth, level.parent, level.offsets, level.columns, known, width)
    return Windows(ordered, len(nodes)), inner


def _in_turn(query: Select, nodes: Sequence[Window]) -> list[Any]:
    """The sorts of windows, by their marks, in PostgreSQL's order: what was named last comes first, then
    what sorts by more than another that it begins as, so that the rest may find its order there
    (planner.c, `select_active_windows`).
    """
    numbers: dict[Any, int] = {}
    for expr in [key.expr for key in query.order_by] + [*query.group_by]:
        numbers.setdefault(fingerprint(expr), len(numbers))
    turns: dict[Any, list[tuple[float, ...]]] = {}
    for node in nodes:
        for expr in [key.expr for key in node.order_by] + [*node.partition_by]:
            numbers.setdefault(fingerprint(expr), len(numbers))
        by = [SortKey(expr, False, False) for expr in node.partition_by] + [*node.order_by]
        # An item that is compared first where another list ends.
        turns[fingerprint((node.partition_by, node.order_by))] = [
            *[(-numbers[fingerprint(k.expr)], -k.descending, -k.nulls_first) for k in by],
            (math.inf,),
        ]
    return sorted(turns, key=turns.__getitem__)


def _sorted(node: Window, expressions: Expressions) -> Sorted:
    partition = [
        order_of(SortKey(expr, False, False), expressions.compile(expr))
        for expr in node.partition_by
    ]
    order = [order_of(key, expressions.compile(key.expr)) for key in node.order_by]
    return Sorted(partition, [python_key(e.type) for e in node.partition_by], order)


def _call(node: Window, expressions: Expressions) -> Call:
    args = [expressions.compile(arg) for arg in node.args]
    frame = _frame(node, expressions)
    if node.overload.kind is not OverloadKind.AGGREGATE:
        if node.overload.name not in _FUNCTIONS:
            raise FeatureNotSupportedError(f"window function {node.overload.name} is not supported")
        return Call(node.overload.name, args, frame, None)
    aggregate = Aggregate(node.overload, node.args, node.type, node.typmod, filter=node.filter)
    return Call(node.overload.name, args, frame, computed(aggregate, expressions))


def _frame(node: Window, expressions: Expressions) -> FrameClause:
    frame = node.frame
    if frame is None:
        return TO_PEERS if node.order_by else WHOLE
    first, last = (
        None if offset is None else expressions.compile(offset)
        for offset in (frame.start_offset, frame.end_offset)
    )
    mode = frame.mode
    key = None
    if mode == "range":
        if first is None and last is None:
            mode = "groups"  # Without an offset RANGE counts peers too.
        else:
            key = _range_key(node, frame)
    return FrameClause(mode, frame.start, first, frame.end, last, frame.exclude, key)


def _range_key(node: Window, frame: Frame) -> RangeKey:
    assert frame.mode == "range"
    (by,) = node.order_by
    return RangeKey(in_range(by.expr.type), by.descending, by.nulls_first)


# ------------------------------------------------------------------ sorting


def _ordered(sort: Sorted, relation: Relation, order: Sequence[int], run: Run) -> Sequence[int]:
    """The places of the rows, sorted by partition and order."""
    by = [*sort.partition, *sort.order]
    if not by:
        return order
    columns = [values(item.closure, relation, run) for item in by]
    run.budget.check()
    picked = [[column[at] for at in order] for column in columns]
    return [order[at] for at in places_as_postgresql(picked, by)]


def _partitions(
    sort: Sorted, relation: Relation, order: Sequence[int], run: Run
) -> list[tuple[Sequence[int], Partition]]:
    """The places of each partition's rows, and what is known of them."""
    made: Sequence[Any] = [()] * len(relation)
    if sort.partition:
        columns = [values(item.closure, relation, run) for item in sort.partition]
        made = keys(columns, sort.by, nulls=True)
    sorted_by = [values(item.closure, relation, run) for item in sort.order]
    peers: Sequence[Any] = [()] * len(relation)
    if sort.order:
        peers = keys(sorted_by, [item.key for item in sort.order], nulls=True)
    single = sorted_by[0] if len(sorted_by) == 1 else [None] * len(relation)
    found: list[tuple[Sequence[int], Partition]] = []
    start = 0
    for end in range(1, len(order) + 1):
        if end == len(order) or made[order[end]] != made[order[start]]:
            rows = order[start:end]
            partition = Partition([peers[at] for at in rows], [single[at] for at in rows])
            found.append((rows, partition))
            start = end
    return found


# ------------------------------------------------------------------ values


def _values(
    call: Call, relation: Relation, rows: Sequence[int], partition: Partition, run: Run
) -> Sequence[Value]:
    """The function's value for each row of a partition."""
    run.budget.check()
    if call.aggregate is not None:
        return _aggregated(call, call.aggregate, relation, rows, partition, run)
    columns = []
    for arg in call.args:
        whole = values(arg, relation, run)
        columns.append([whole[at] for at in rows])
    return _FUNCTIONS[call.name](call, columns, partition, run)


def _aggregated(
    call: Call,
    aggregate: Computed,
    relation: Relation,
    rows: Sequence[int],
    partition: Partition,
    run: Run,
) -> Sequence[Value]:
    from_first = call.frame.start == "unbounded preceding"
    begin = None if call.frame.exclude else aggregate.growing(relation, run, from_first=from_first)
    if begin is not None:
        spans = spans_of(call.frame, partition, call.frame.offsets(run), run)
        return _growing(begin, spans, rows, run)
    compute = aggregate.of(relation, run)
    offsets = call.frame.offsets(run)
    found: list[Value] = []
    before, value = None, None
    for at, span in enumerate(spans_of(call.frame, partition, offsets, run)):
        if at % STRIDE == 0:
            run.budget.check()
        if call.frame.exclude or span != before:
            places = places_of(span, call.frame.exclude, at, partition)
            value = compute([rows[n] for n in places])
            before = span
        found.append(value)
    return found


def _growing(
    begin: Callable[[], Growing], spans: Sequence[Span], rows: Sequence[int], run: Run
) -> Sequence[Value]:
    """Frames that begin where the one before did go on from it; others begin anew, as in PostgreSQL."""
    found: list[Value] = []
    first = last = -1
    state, value = begin(), None
    for at, (start, end) in enumerate(spans):
        if at % STRIDE == 0:
            run.budget.check()
        if start != first or end < last:
            state, first, last = begin(), start, start
            value = state.value() if start == end else None
        if end > last:
            state.add([rows[at] for at in range(last, end)])
            value, last = state.value(), end
        found.append(value)
    return found


Columns = Sequence[Sequence[Value]]


def _row_number(_call: Call, _columns: Columns, partition: Partition, _run: Run) -> Sequence[Value]:
    return range(1, partition.count + 1)


def _rank(_call: Call, _columns: Columns, partition: Partition, _run: Run) -> Sequence[Value]:
    return [partition.groups[number] + 1 for number in partition.group_of]


def _dense_rank(_call: Call, _columns: Columns, partition: Partition, _run: Run) -> Sequence[Value]:
    return [number + 1 for number in partition.group_of]


def _percent_rank(
    _call: Call, _columns: Columns, partition: Partition, _run: Run
) -> Sequence[Value]:
    most = partition.count - 1
    return [partition.groups[number] / most if most else 0.0 for number in partition.group_of]


def _cume_dist(_call: Call, _columns: Columns, partition: Partition, _run: Run) -> Sequence[Value]:
    return [partition.groups[number + 1] / partition.count for number in partition.group_of]


def _ntile(_call: Call, columns: Columns, partition: Partition, _run: Run) -> Sequence[Value]:
    buckets = columns[0][0]
    if buckets is None:
        return [None] * partition.count
    assert isinstance(buckets, int)
    if buckets <= 0:
        raise InvalidArgumentForNtileFunctionError("argument of ntile must be greater than zero")
    size, larger = divmod(partition.count, buckets)
    found: list[Value] = []
    for number in range(1, min(buckets, partition.count) + 1):
        found += [number] * (size + (number <= larger))
    return found


def _shifted(sign: int) -> Callable[[Call, Columns, Partition, Run], Sequence[Value]]:
    """Lag and lead: offset and default are the current row's."""

    def run(_call: Call, columns: Columns, partition: Partition, _run: Run) -> Sequence[Value]:
        given = columns[0]
        found: list[Value] = []
        for at in range(partition.count):
            offset = columns[1][at] if len(columns) > 1 else 1
            if offset is None:
                found.append(None)
                continue
            assert isinstance(offset, int)
            place = at + sign * offset
            if 0 <= place < partition.count:
                found.append(given[place])
            else:
                found.append(columns[2][at] if len(columns) > 2 else None)
        return found

    return run


def _picked(
    pick: Callable[[Columns, Sequence[int], int], Value],
) -> Callable[[Call, Columns, Partition, Run], Sequence[Value]]:
    """A value of the frame's rows. pick: of the arguments, the places of the frame, the row's place."""

    def run(call: Call, columns: Columns, partition: Partition, run: Run) -> Sequence[Value]:
        offsets = call.frame.offsets(run)
        found: list[Value] = []
        for at, span in enumerate(spans_of(call.frame, partition, offsets, run)):
            if at % STRIDE == 0:
                run.budget.check()
            found.append(pick(columns, places_of(span, call.frame.exclude, at, partition), at))
        return found

    return run


def _first(columns: Columns, places: Sequence[int], _at: int) -> Value:
    return columns[0][places[0]] if places else None


def _last(columns: Columns, places: Sequence[int], _at: int) -> Value:
    return columns[0][places[-1]] if places else None


def _nth(columns: Columns, places: Sequence[int], at: int) -> Value:
    number = columns[1][at]
    if number is None:
        return None
    assert isinstance(number, int)
    if number <= 0:
        raise InvalidArgumentForNthValueFunctionError(
            "argument of nth_value must be greater than zero"
        )
    return columns[0][places[number - 1]] if number <= len(places) else None


_FUNCTIONS: dict[str, Callable[[Call, Columns, Partition, Run], Sequence[Value]]] = {
    "row_number": _row_number,
    "rank": _rank,
    "dense_rank": _dense_rank,
    "percent_rank": _percent_rank,
    "cume_dist": _cume_dist,
    "ntile": _ntile,
    "lag": _shifted(-1),
    "lead": _shifted(1),
    "first_value": _picked(_first),
    "last_value": _picked(_last),
    "nth_value": _picked(_nth),
}
