"""GROUP BY of many rows where only numbers are put together: by Arrow, which adds in the order of the rows
as PostgreSQL does, in a third of the time.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.acero
import pyarrow.compute as pc

from catalog.types.registry import (
    BOOL,
    DATE,
    FLOAT4,
    FLOAT8,
    INT2,
    INT4,
    INT8,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    VARCHAR,
)
from catalog.types.table import PgType
from kalam_pg.functions import decimals
from kalam_pg.functions.aggregates import OVERLOADS, mean_of_floats
from kalam_pg.functions.floats import to_real
from kalam_pg.functions.table import Overload
from kalam_pg.interpreter.expressions import Expressions
from kalam_pg.interpreter.relation import Relation
from kalam_pg.sql.closures import Run as Closure
from kalam_pg.sql.closures import Slot
from kalam_pg.sql.tree import Aggregate, Expr
from storage.layout import Row, Value

ROWS_MIN: Final = 2000
"""Of fewer rows plain Python has made the groups sooner than Arrow has begun."""

_KEYS: Final[dict[PgType, pa.DataType | None]] = {
    **dict.fromkeys((INT2, INT4, INT8, DATE, TIMESTAMP, TIMESTAMPTZ), None),
    **dict.fromkeys((TEXT, VARCHAR), pa.string()),
    BOOL: pa.bool_(),
    UUID: pa.binary(),
}
"""What Arrow makes of a key's stored values, None: integers. It finds those equal that PostgreSQL does."""

_INTEGERS: Final = frozenset({INT2, INT4, INT8})
_FLOATS: Final = frozenset({FLOAT4, FLOAT8})

_BUILT_IN: Final = frozenset(OVERLOADS)

assert pyarrow.acero, "`group_by` would import it when it is first called: 16 ms and more"

_ALL: Final = "all"
"""A key that is the same for all rows."""

_AT: Final = "at"
"""The place of each row: its least in a group says when the group came, and its count how large it is."""


@dataclass(frozen=True, slots=True)
class Part:
    """An aggregate of one column, from some of what Arrow says of each group.

    slot: the column; None: of count(*). kernels: what is asked, of which `value` makes the aggregate;
    it is NULL where the first of them is.
    """

    slot: int | None
    kernels: tuple[str, ...]
    value: Callable[..., Value]


@dataclass(frozen=True, slots=True)
class NumberGroups:
    """What is to be known of each group. floats: the columns that are no integers."""

    keys: Sequence[tuple[int, pa.DataType | None]]
    dependent: Sequence[int]
    parts: Sequence[Part]
    floats: frozenset[int]

    def __call__(self, relation: Relation) -> list[Row] | None:
        """The rows of `grouping.Groups`; None: there are few, or values of which Arrow thinks otherwise."""
        if len(relation) < ROWS_MIN:
            return None
        table, asked = self._asked(relation)
        if table is None:
            return None
        names = [str(n) for n in range(len(self.keys))]
        found = table.group_by(names or _ALL, use_threads=False).aggregate(asked)
        first = found[f"{_AT}_min"].to_pylist()
        order = sorted(range(len(first)), key=first.__getitem__)
        at = [first[n] for n in order]
        made: list[list[Value]] = []
        for n, (slot, type_) in enumerate(self.keys):
            if type_ is None:
                keys = found[str(n)].to_pylist()
                made.append([keys[n] for n in order])
            else:
                made.append(_picked(relation.column(slot), at))
        made += [_picked(relation.column(slot), at) for slot in self.dependent]
        for part in self.parts:
            of = _AT if part.slot is None else f"v{part.slot}"
            told = [found[f"{of}_{kernel}"].to_pylist() for kernel in part.kernels]
            values = [
                None if one[0] is None else part.value(*one) for one in zip(*told, strict=True)
            ]
            if part.slot in self.floats and not _is_plain(values, part.kernels):
                return None
            made.append([values[n] for n in order])
        return list(zip(*made, strict=True))

    def _asked(self, relation: Relation) -> tuple[pa.Table | None, list[tuple[str, str]]]:
        """The columns, and what is to be known of them; no columns when numbers may be too large."""
        columns = {
            str(n): relation.numbers(slot, "q")
            if type_ is None
            else pa.array(relation.column(slot), type_)
            for n, (slot, type_) in enumerate(self.keys)
        }
        if not columns:
            columns[_ALL] = pa.repeat(0, len(relation))
        columns[_AT] = pa.arange(0, len(relation))
        asked = {(_AT, "min"): None, (_AT, "count"): None}
        for part in self.parts:
            if part.slot is None:
                continue
            name = f"v{part.slot}"
            if name not in columns:
                columns[name] = relation.numbers(
                    part.slot, "d" if part.slot in self.floats else "q"
                )
            if not _is_safe(columns[name], part.kernels):
                return None, []
            asked.update(dict.fromkeys((name, kernel) for kernel in part.kernels))
        return pa.table(columns), list(asked)


def _picked(column: Sequence[Value], places: Sequence[int]) -> list[Value]:
    return [column[place] for place in places]


def _is_safe(column: pa.Array, kernels: Sequence[str]) -> bool:
    """Whether no sum of integers may be too large, and no least one of floats has a NaN to reckon with."""
    if "sum" not in kernels:
        return pa.types.is_integer(column.type) or not pc.any(pc.is_nan(column)).as_py()
    if not pa.types.is_integer(column.type):
        return True
    bounds = pc.min_max(column).as_py()
    return bool(max(abs(bounds["min"] or 0), abs(bounds["max"] or 0)) * len(column) < 2**63)


def _is_plain(values: Sequence[Any], kernels: Sequence[str]) -> bool:
    """Whether what was made of floats is what PostgreSQL makes of them.

    A sum that is not finite may have overflowed, which is an error; of -0 and 0 Arrow takes any for the
    least, and begins a sum with 0.
    """
    if kernels == ("count",):
        return True
    zero = len(kernels) > 1
    return all(value is None or (math.isfinite(value) and (zero or value)) for value in values)


def number_groups(
    group_by: Sequence[Expr],
    aggregates: Sequence[Aggregate],
    dependent: Sequence[int],
    expressions: Expressions,
) -> NumberGroups | None:
    """How Arrow would group; None: there is more than columns and numbers."""
    keys: list[tuple[int, pa.DataType | None]] = []
    for expr in group_by:
        closure = expressions.compile(expr)
        if not isinstance(closure, Slot) or expr.type not in _KEYS:
            return None
        keys.append((closure.index, _KEYS[expr.type]))
    parts: list[Part] = []
    floats: set[int] = set()
    for aggregate in aggregates:
        closures = [expressions.compile(arg) for arg in aggregate.args]
        part = _part(aggregate, closures)
        if part is None:
            return None
        if part.slot is not None and aggregate.args[0].type in _FLOATS:
            floats.add(part.slot)
        parts.append(part)
    if not keys and all(part.slot is None for part in parts):
        return None
    return NumberGroups(keys, dependent, parts, frozenset(floats))


def _part(aggregate: Aggregate, args: Sequence[Closure]) -> Part | None:
    if aggregate.overload not in _BUILT_IN:
        return None
    if aggregate.distinct or aggregate.filter is not None or aggregate.order_by:
        return None
    if aggregate.overload.name == "count" and not args:
        return Part(None, ("count",), _itself)
    if len(args) != 1 or not isinstance(args[0], Slot):
        return None
    of = _kernels(aggregate.overload, aggregate.args[0].type)
    return None if of is None else Part(args[0].index, *of)


def _kernels(
    overload: Overload, type_: PgType
) -> tuple[tuple[str, ...], Callable[..., Value]] | None:
    """What of Arrow's makes an aggregate of a column of numbers, and how."""
    if type_ not in _INTEGERS | _FLOATS:
        return None
    match overload.name:
        case "count" | "min" | "max" as name:
            return (name,), _itself
        case "sum" if type_ is INT8:
            return ("sum",), str
        case "sum":
            return ("sum",), to_real if type_ is FLOAT4 else _itself
        case "avg" if type_ in _FLOATS:
            return ("sum", "count"), mean_of_floats
        case "avg":
            return ("sum", "count"), lambda total, count: decimals.divide(str(total), str(count))
        case _:
            return None


def _itself(value: Value) -> Value:
    return value
