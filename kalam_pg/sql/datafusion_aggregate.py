"""Aggregates as DataFusion SQL, over columns that hold their arguments.

Native where DataFusion answers as PostgreSQL; everything else is gathered by array_agg and finished
by the aggregate's row implementation (`~agg`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from catalog.errors import FeatureNotSupportedError
from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.functions.lookup import key_of
from kalam_pg.functions.sortkey import ordered_in_arrow
from kalam_pg.sql.constancy import is_constant
from kalam_pg.sql.datafusion_expr import Expressions
from kalam_pg.sql.datafusion_state import Rendering, converted
from kalam_pg.sql.json_rows import with_json_rows
from kalam_pg.sql.physical import BOOLEAN, INT64, TEXT, Sql, arrow_cast, canonical, is_decimal
from kalam_pg.sql.tree import Aggregate, Expr, SortKey
from kalam_pg.sql.user_aggregates import refuse_of_people

_INTEGERS = (types.INT2, types.INT4, types.INT8)
_FLOATS = (types.FLOAT4, types.FLOAT8)
_WIDE = pa.decimal128(38, 0)


@dataclass(frozen=True, slots=True)
class Parts:
    """What an aggregate needs of its level.

    input: an expression of the rows as a column of the level below. result: an aggregate call as a
    column of this level.
    """

    input: Callable[[Sql], Sql]
    result: Callable[[str, pa.DataType], Sql]


class Aggregates:
    """Translates the aggregates of one level."""

    def __init__(
        self,
        state: Rendering,
        expressions: Expressions,
        parts: Parts,
        order: Sequence[Sql],
        *,
        keep_order: bool,
        keyed: bool,
    ) -> None:
        """order: what the rows are in the order of, if it is told. keep_order: others of the level sort
        their input, so what has no ORDER BY must ask for the rows' own order. keyed: rows are grouped.
        """
        self._state = state
        self._expressions = expressions
        self._parts = parts
        self._of_rows = order
        self._keep_order = keep_order
        self._keyed = keyed
        self._filter: Sql | None = None

    def emit(self, aggregate: Aggregate) -> Sql:
        """The aggregate's value, over results of the grouping level."""
        refuse_of_people(aggregate.overload)
        aggregate = with_json_rows(aggregate)
        condition = aggregate.filter
        self._filter = None if condition is None else self._expressions.emit(condition)
        native = None if aggregate.within_group else self._native(aggregate)
        return native if native is not None else self._gathered(aggregate)

    # -------------------------------------------------------------- native ones

    def _native(self, aggregate: Aggregate) -> Sql | None:
        name, args = aggregate.overload.name, aggregate.args
        if name == "count":
            return self._count(aggregate)
        kind = args[0].type
        if name in {"sum", "avg"} and kind in (*_INTEGERS, types.NUMERIC):
            return self._exact_sum(aggregate)
        if name in {"sum", "avg"} and kind in _FLOATS and not aggregate.distinct:
            return self._float_sum(aggregate)
        if name in {"min", "max"}:
            return self._extreme(aggregate)
        if name in {"bool_and", "bool_or", "every"}:
            native = "bool_or" if name == "bool_or" else "bool_and"
            return self._call(native, aggregate, self._arg(args[0]).text, BOOLEAN)
        if name == "string_agg" and kind is types.TEXT and not aggregate.distinct:
            return self._string_agg(aggregate)
        if name == "array_agg" and not aggregate.distinct and kind.element is None:
            arg = self._arg(args[0], canonical(kind))
            text = arg.text + self._order(aggregate.order_by)
            return self._call("array_agg", aggregate, text, canonical(aggregate.type))
        return None

    def _count(self, aggregate: Aggregate) -> Sql:
        if not aggregate.args:
            return self._call("count", aggregate, "*", INT64)
        (arg,) = aggregate.args
        if not aggregate.distinct:
            return self._call("count", aggregate, self._arg(arg).text, INT64)
        if is_constant(arg):
            if self._expressions.is_null(arg):
                # DataFusion counts a NULL that is a constant.
                return Sql("arrow_cast(0, 'Int64')", INT64)
            # Two such counts and nothing else would be groups of constants, so one group of no rows.
            count = self._call("count", aggregate, self._arg(arg).text, INT64)
            return Sql(f"least({count.text}, 1)", INT64)
        key = self._input(self._expressions.sortable(arg))
        return self._call("count", aggregate, f"DISTINCT {key.text}", INT64)

    def _exact_sum(self, aggregate: Aggregate) -> Sql | None:
        (arg,) = aggregate.args
        value = self._arg(arg)
        if is_decimal(value.physical):
            if value.physical.precision > 28:  # sums of more digits could wrap round
                return None
            physical = pa.decimal128(38, value.physical.scale)
        elif arg.type is types.NUMERIC:
            return None
        else:
            physical = _WIDE if arg.type is types.INT8 else INT64
        each = ("DISTINCT " if aggregate.distinct else "") + converted(value, physical).text
        total = self._call("sum", aggregate, each, physical)
        if aggregate.overload.name == "sum":
            return total
        count = self._call("count", aggregate, each, INT64)
        return average(self._state, total, count)

    def _float_sum(self, aggregate: Aggregate) -> Sql:
        (arg,) = aggregate.args
        value = converted(self._arg(arg), pa.float64())
        total = self._call("sum", aggregate, value.text, pa.float64())
        bound = self._call("max", aggregate, f"abs({value.text})", pa.float64())
        if aggregate.overload.name == "sum":
            physical = canonical(aggregate.type)
            return self._state.call(
                "~fsum", [total, bound], physical, (types.FLOAT8, types.FLOAT8), aggregate.type
            )
        count = self._call("count", aggregate, value.text, INT64)
        return self._state.call(
            "~favg", [total, bound, count], pa.float64(),
            (types.FLOAT8, types.FLOAT8, types.INT8), types.FLOAT8,
        )  # fmt: skip

    def _extreme(self, aggregate: Aggregate) -> Sql | None:
        (arg,) = aggregate.args
        value = self._arg(arg)
        if arg.type in _FLOATS:
            coded = float_code(self._state, self._expressions.emit(arg))
            code = self._call(aggregate.overload.name, aggregate, self._input(coded).text, INT64)
            return float_of_code(self._state, code, value.physical)
        if not ordered_in_arrow(arg.type) and not is_decimal(value.physical):
            return None
        return self._call(aggregate.overload.name, aggregate, value.text, value.physical)

    def _string_agg(self, aggregate: Aggregate) -> Sql | None:
        value, separator = aggregate.args
        if not is_constant(separator):
            return None
        mark = self._expressions.emit(separator)
        if mark.text == arrow_cast("NULL", TEXT):
            return None
        text = f"{self._arg(value).text}, {mark.text}{self._order(aggregate.order_by)}"
        made = self._call("string_agg", aggregate, text, TEXT)
        return Sql(arrow_cast(made.text, TEXT), TEXT)

    # -------------------------------------------------------------- all others

    def _gathered(self, aggregate: Aggregate) -> Sql:
        """array_agg of the arguments, then the row implementation over each list."""
        ordered = [k.expr for k in aggregate.order_by] if aggregate.within_group else []
        exprs: Sequence[Expr] = (*aggregate.args, *ordered)
        arg_types = tuple([e.type for e in exprs])
        values = [self._arg(e, canonical(e.type)) for e in exprs]
        if len(values) == 1:
            item, physical = values[0].text, values[0].physical
        else:
            pairs = [f"'{chr(97 + i)}', {v.text}" for i, v in enumerate(values)]
            item = f"named_struct({', '.join(pairs)})"
            physical = pa.struct([(chr(97 + i), v.physical) for i, v in enumerate(values)])
        if len(values) == 1 and pa.types.is_list(physical):
            raise FeatureNotSupportedError(
                f"{aggregate.overload.name} over arrays is not supported here"
            )
        order = list(aggregate.order_by)
        if aggregate.distinct:
            order.append(SortKey(exprs[0], descending=False, nulls_first=False))
        gathered = self._call("array_agg", aggregate, item + self._order(order), pa.list_(physical))
        key = f"{'~aggd' if aggregate.distinct else '~agg'}:{key_of(aggregate.overload)}"
        return self._state.call(
            key, [gathered], canonical(aggregate.type), arg_types, aggregate.type
        )

    # -------------------------------------------------------------- pieces

    def _arg(self, expr: Expr, physical: pa.DataType | None = None) -> Sql:
        sql = self._expressions.emit(expr)
        return self._input(sql if physical is None else converted(sql, physical))

    def _input(self, sql: Sql) -> Sql:
        """A value of each row; what may raise is computed only of the rows that FILTER lets pass."""
        if self._filter is not None and sql.fallible:
            text = f"CASE WHEN {self._filter.text} THEN {sql.text} END"
            sql = Sql(text, sql.physical, fallible=True)
        return self._parts.input(sql)

    def _order(self, keys: Sequence[SortKey]) -> str:
        if not keys:
            if self._of_rows:
                return f" ORDER BY {', '.join([self._parts.input(o).text for o in self._of_rows])}"
            if not self._keep_order:
                return ""
            number = self._parts.input(Sql("row_number() OVER ()", pa.uint64()))
            return f" ORDER BY {number.text}"
        terms: dict[str, str] = {}
        for key in keys:
            value = self._input(self._expressions.sortable(key.expr))
            way = "DESC" if key.descending else "ASC"
            nulls = "FIRST" if key.nulls_first else "LAST"
            # Only once: a second time changes nothing, but DataFusion then fails.
            terms.setdefault(value.text, f"{value.text} {way} NULLS {nulls}")
        return f" ORDER BY {', '.join(terms.values())}"

    def _call(self, name: str, aggregate: Aggregate, args: str, physical: pa.DataType) -> Sql:
        text = f"{name}({args})"
        if self._filter is not None:
            condition = self._parts.input(self._filter)
            text += f" FILTER (WHERE {condition.text})"
        elif name == "sum" and not self._keyed:
            # Else the sum of a column that is constant is reckoned from statistics: 0 over no rows.
            text += " FILTER (WHERE true)"
        return self._parts.result(text, physical)


def float_code(state: Rendering, value: Sql) -> Sql:
    """A float as a bigint of the same order: DataFusion's min and max have no place for NaN."""
    floats = converted(value, pa.float64())
    made = state.call("~fcode", [floats], INT64, (types.FLOAT8,), types.INT8, fallible=False)
    return Sql(made.text, INT64, value.fallible)


def float_of_code(state: Rendering, code: Sql, physical: pa.DataType) -> Sql:
    """The float of such a bigint."""
    made = state.call("~fofcode", [code], pa.float64(), (types.INT8,), types.FLOAT8, fallible=False)
    return converted(made, physical)


def average(state: Rendering, total: Sql, count: Sql) -> Sql:
    """Numeric's average out of an exact sum and a count."""
    arg_types: tuple[PgType, ...] = (types.NUMERIC, types.INT8)
    return state.call(
        "~avg", [converted(total, TEXT), count], TEXT, arg_types, types.NUMERIC, fallible=False
    )
