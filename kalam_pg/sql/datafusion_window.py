"""Window functions, and aggregates used as such, where DataFusion answers as PostgreSQL."""

from collections.abc import Iterable, Sequence

import pyarrow as pa

from catalog.errors import (
    FeatureNotSupportedError,
    InvalidArgumentForNthValueFunctionError,
    InvalidArgumentForNtileFunctionError,
)
from catalog.types import registry as types
from kalam_pg.functions.sortkey import ordered_in_arrow
from kalam_pg.functions.table import OverloadKind
from kalam_pg.sql.constancy import is_constant
from kalam_pg.sql.datafusion_aggregate import average, float_code, float_of_code
from kalam_pg.sql.datafusion_expr import Expressions
from kalam_pg.sql.datafusion_state import WHOLE, Rendering, Scope, converted
from kalam_pg.sql.physical import BOOLEAN, INT64, Sql, arrow_cast, canonical, is_decimal
from kalam_pg.sql.to_python import evaluate
from kalam_pg.sql.tree import (
    ColumnRef,
    Expr,
    Frame,
    FromItem,
    Join,
    Select,
    SetOp,
    SubqueryScan,
    ValuesQuery,
    Window,
)
from kalam_pg.sql.user_aggregates import refuse_of_people
from kalam_pg.sql.walk import children

_RANKS = frozenset({"row_number", "rank", "dense_rank"})
_BY_PLACE = frozenset(
    {"row_number", "lag", "lead", "ntile", "first_value", "last_value", "nth_value"}
)
_SHARES = frozenset({"percent_rank", "cume_dist"})
_INTEGERS = (types.INT2, types.INT4, types.INT8)


def add_windows(
    state: Rendering,
    scope: Scope,
    expressions: Expressions,
    exprs: Iterable[Expr],
    from_: Sequence[FromItem],
) -> None:
    """Compute every window of `exprs`, over the rows of `from_`, and say so in the scope."""
    emitter = _Windows(state, expressions, scope.order, from_)
    for expr in exprs:
        for window in _windows(expr):
            if scope.node(window) is None:
                scope.add_node(window, emitter.emit(window))


def _windows(node: object) -> Iterable[Window]:
    if isinstance(node, Window):
        yield node
        return
    for child in children(node):
        if not isinstance(child, Select | SetOp | ValuesQuery):
            yield from _windows(child)


def _only_grows(window: Window) -> bool:
    """Whether no row leaves the frame again, so that nothing is ever subtracted."""
    return window.frame is None or window.frame.start == "unbounded preceding"


def _is_framed(window: Window) -> bool:
    """Whether it is computed over its frame, not over its partition."""
    values = {"first_value", "last_value", "nth_value"}
    return window.overload.kind is OverloadKind.AGGREGATE or window.overload.name in values


def _constant_below(items: Sequence[FromItem], ref: ColumnRef) -> bool:
    """Whether a column is a constant of a derived table."""
    for item in items:
        if isinstance(item, Join) and _constant_below((item.left, item.right), ref):
            return True
        if (
            isinstance(item, SubqueryScan)
            and item.relation == ref.relation
            and isinstance(item.query, Select)
        ):
            expr = item.query.targets[ref.column].expr
            return is_constant(expr) or (
                isinstance(expr, ColumnRef) and _constant_below(item.query.from_, expr)
            )
    return False


class _Windows:
    """Translates windows of one level."""

    def __init__(
        self,
        state: Rendering,
        expressions: Expressions,
        order: Sequence[Sql],
        from_: Sequence[FromItem],
    ) -> None:
        """order: what the rows are in the order of, if it is told."""
        self._from = from_
        self._state = state
        self._expressions = expressions
        self._order = order

    def emit(self, window: Window) -> Sql:
        """The window's value in the current row."""
        refuse_of_people(window.overload)
        over = self._over(window)
        if window.overload.kind is OverloadKind.AGGREGATE:
            return self._aggregate(window, over)
        name = window.overload.name
        if window.filter is not None:
            raise FeatureNotSupportedError(
                "FILTER is not implemented for non-aggregate window functions"
            )
        if name in _RANKS:
            return Sql(arrow_cast(f"{name}() {over}", INT64), INT64)
        if name in _SHARES:
            return Sql(arrow_cast(f"{name}() {over}", pa.float64()), pa.float64())
        if name == "ntile":
            buckets = self._constant(window.args[0], "ntile")
            if buckets <= 0:
                raise InvalidArgumentForNtileFunctionError(
                    "argument of ntile must be greater than zero"
                )
            return Sql(arrow_cast(f"ntile({buckets}) {over}", pa.int32()), pa.int32())
        return self._value(window, name, over)

    def _value(self, window: Window, name: str, over: str) -> Sql:
        """lag, lead, first_value, last_value, nth_value."""
        value = self._expressions.emit(window.args[0])
        if name in {"lag", "lead"}:
            offset = self._constant(window.args[1], name) if len(window.args) > 1 else 1
            if len(window.args) < 3:
                return Sql(f"{name}({value.text}, {offset}) {over}", value.physical)
            if not is_constant(window.args[2]):
                raise FeatureNotSupportedError(
                    f"{name} with a default that is not constant is not supported"
                )
            physical = canonical(window.type)
            default = self._expressions.as_physical(window.args[2], physical)
            value = converted(value, physical)
            return Sql(f"{name}({value.text}, {offset}, {default.text}) {over}", physical)
        if name == "nth_value":
            place = self._constant(window.args[1], name)
            if place <= 0:
                raise InvalidArgumentForNthValueFunctionError(
                    "argument of nth_value must be greater than zero"
                )
            return Sql(f"nth_value({value.text}, {place}) {over}", value.physical)
        return Sql(f"{name}({value.text}) {over}", value.physical)

    def _aggregate(self, window: Window, over: str) -> Sql:
        name = window.overload.name
        test = ""
        if window.filter is not None:
            test = f" FILTER (WHERE {self._expressions.emit(window.filter).text})"
        if name == "count":
            inner = self._expressions.emit(window.args[0]).text if window.args else "*"
            return Sql(f"count({inner}){test} {over}", INT64)
        value = self._expressions.emit(window.args[0])
        kind = window.args[0].type
        if name in {"min", "max"} and kind in {types.FLOAT4, types.FLOAT8}:
            code = float_code(self._state, value)
            return float_of_code(
                self._state, Sql(f"{name}({code.text}){test} {over}", INT64), value.physical
            )
        if name in {"min", "max"} and (ordered_in_arrow(kind) or is_decimal(value.physical)):
            return Sql(f"{name}({value.text}){test} {over}", value.physical)
        if name in {"bool_and", "bool_or", "every"}:
            native = "bool_or" if name == "bool_or" else "bool_and"
            return Sql(f"{native}({value.text}){test} {over}", BOOLEAN)
        if name in {"sum", "avg"} and (kind in _INTEGERS or is_decimal(value.physical)):
            scale = value.physical.scale if is_decimal(value.physical) else 0
            wide = pa.decimal128(38, scale)
            physical = INT64 if kind in {types.INT2, types.INT4} else wide
            total = Sql(f"sum({converted(value, physical).text}){test} {over}", physical)
            if name == "sum":
                return total
            count = Sql(f"count({value.text}){test} {over}", INT64)
            return average(self._state, total, count)
        if name in {"sum", "avg"} and kind is types.FLOAT8 and _only_grows(window):
            return self._float_sum(name, value, test, over)
        raise FeatureNotSupportedError(
            f"aggregate {name}({kind.sql_name}) as a window function is not supported"
        )

    def _float_sum(self, name: str, value: Sql, test: str, over: str) -> Sql:
        """As `datafusion_aggregate` does it: the largest value tells an overflow from an infinity."""
        float64 = pa.float64()
        total = Sql(f"sum({value.text}){test} {over}", float64)
        bound = Sql(f"max(abs({value.text})){test} {over}", float64)
        if name == "sum":
            return self._state.call(
                "~fsum", [total, bound], float64, (types.FLOAT8, types.FLOAT8), types.FLOAT8
            )
        count = Sql(f"count({value.text}){test} {over}", INT64)
        kinds = (types.FLOAT8, types.FLOAT8, types.INT8)
        return self._state.call("~favg", [total, bound, count], float64, kinds, types.FLOAT8)

    def _constant(self, expr: Expr, name: str) -> int:
        if not is_constant(expr):
            raise FeatureNotSupportedError(f"{name} with an argument that varies is not supported")
        value = evaluate(expr, self._state.context)
        if not isinstance(value, int):
            raise FeatureNotSupportedError(f"{name} of NULL is not supported")
        return value

    # -------------------------------------------------------------- the OVER clause

    def _over(self, window: Window) -> str:
        parts = []
        if window.partition_by:
            keys = [self._key(e).text for e in window.partition_by]
            parts.append(f"PARTITION BY {', '.join(keys)}")
        if window.order_by:
            parts.append(f"ORDER BY {', '.join(self._terms(window))}")
        elif self._order and window.overload.name in _BY_PLACE:
            parts.append(f"ORDER BY {', '.join([o.text for o in self._order])}")
        if window.frame is not None:
            parts.append(self._frame(window, window.frame))
        elif window.order_by and _is_framed(window):
            parts.append("GROUPS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW")
        else:
            parts.append(WHOLE)
        return f"OVER ({' '.join(parts)})"

    def _terms(self, window: Window) -> Sequence[str]:
        terms = []
        for key in window.order_by:
            way = "DESC" if key.descending else "ASC"
            nulls = "FIRST" if key.nulls_first else "LAST"
            terms.append(f"{self._key(key.expr).text} {way} NULLS {nulls}")
        return terms

    def _key(self, expr: Expr) -> Sql:
        """What a window is partitioned or sorted by, so that the optimizer finds it in its own sort.

        It drops a sort by what is constant below, and cannot tell that rows are in the order of what
        falls where a function rises (`-abs(x)`). Said twice, a key becomes a column below the window.
        """
        value = self._expressions.sortable(expr)
        if isinstance(expr, ColumnRef):
            if _constant_below(self._from, expr):
                return self._state.unforeseen(value, expr.type)
            return value
        text = f"CASE WHEN {value.text} IS NOT NULL THEN {value.text} END"
        return Sql(text, value.physical, value.fallible)

    def _frame(self, window: Window, frame: Frame) -> str:
        if frame.exclude:
            raise FeatureNotSupportedError("EXCLUDE in a window frame is not supported")
        offsets = [o for o in (frame.start_offset, frame.end_offset) if o is not None]
        if frame.mode == "range" and offsets:
            raise FeatureNotSupportedError("RANGE with an offset is not supported")
        if not window.order_by and (frame.mode == "range" or not _is_framed(window)):
            return WHOLE
        # Without an offset RANGE is GROUPS, which DataFusion has for every type.
        mode = "groups" if frame.mode == "range" else frame.mode
        start = self._bound(frame.start, frame.start_offset)
        end = self._bound(frame.end, frame.end_offset)
        return f"{mode.upper()} BETWEEN {start} AND {end}"

    def _bound(self, bound: str, offset: Expr | None) -> str:
        if offset is None:
            return bound.upper()
        rows = evaluate(offset, self._state.context)
        if not isinstance(rows, int) or rows < 0:
            raise FeatureNotSupportedError("this frame offset is not supported here")
        return f"{rows} {bound.upper()}"
