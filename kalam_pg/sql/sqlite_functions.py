"""Stored values in sqlite, and expressions, sets and aggregates as the Python functions it calls.

sqlite knows NULL, integers, floats, text and blobs. A boolean is 0 or 1 there, an array its
PostgreSQL text; every other stored value is what it is.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cmp_to_key
from itertools import zip_longest
from typing import Any, TypeAlias

from catalog.errors import FeatureNotSupportedError
from catalog.types import registry
from catalog.types.bounded import BoundedArray
from catalog.types.composite import composite_of
from catalog.types.table import DEFAULT_CONTEXT, PgType
from kalam_pg.functions.comparison import comparer
from kalam_pg.functions.cost import ITEM_US, pay, pay_rows
from kalam_pg.functions.table import EvalContext, Overload
from kalam_pg.sql.to_python import Closure
from kalam_pg.sql.tree import SortKey
from storage.layout import Row, Value

SqliteValue: TypeAlias = "int | float | str | bytes | None"


def to_sqlite(value: Value, of: PgType) -> SqliteValue:
    """A stored value as sqlite keeps it. Raises 0A000 for rows."""
    refuse_rows(of)
    if isinstance(value, tuple | BoundedArray):
        return of.output(value, DEFAULT_CONTEXT)
    if isinstance(value, float) and math.isnan(value):
        raise FeatureNotSupportedError("NaN cannot be used in a catalogue query")
    return value


def refuse_rows(of: PgType) -> None:
    """Raise 0A000 for a type of rows, or of arrays of them: sqlite has nothing that they could be."""
    one = of.element or of
    if one is registry.RECORD or composite_of(one) is not None:
        raise FeatureNotSupportedError(
            "a row value is not supported in this query of the catalogue"
        )


def from_sqlite(value: Any, of: PgType) -> Value:  # noqa: ANN401 - what sqlite hands over
    """The stored value that `to_sqlite` was given."""
    if value is None:
        return None
    if of is registry.BOOL:
        return bool(value)
    if of.element is not None:
        return of.input(value, -1, DEFAULT_CONTEXT)
    stored: Value = value
    return stored


def is_coded(of: PgType) -> bool:
    """Whether values of the type differ from what sqlite keeps."""
    return of is registry.BOOL or of.element is not None


def decode_rows(rows: Sequence[tuple[Any, ...]], types: Sequence[PgType]) -> list[Row]:
    """Result rows of sqlite as stored values."""
    coded = [(i, of) for i, of in enumerate(types) if is_coded(of)]
    if not coded:
        return list(rows)
    decoded = []
    for row in rows:
        values = list(row)
        for i, of in coded:
            values[i] = from_sqlite(values[i], of)
        decoded.append(tuple(values))
    return decoded


@dataclass(slots=True)
class Function:
    """A Python function to register: scalar, or with `aggregate` a class with step and finalize."""

    name: str
    arity: int
    call: Callable[..., Any]
    deterministic: bool = True
    aggregate: bool = False


@dataclass(slots=True)
class Raised:
    """sqlite forgets what a function raised; here it is kept."""

    error: BaseException | None = None

    def keep(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, its exception kept."""

        def call(*values: Any) -> Any:  # noqa: ANN401
            try:
                return function(*values)
            except BaseException as exc:
                self.error = self.error or exc
                raise

        return call


def scalar(
    closure: Closure, arguments: Sequence[PgType], result: PgType, context: EvalContext
) -> Callable[..., SqliteValue]:
    """An expression over some sqlite values."""
    if not any(is_coded(of) for of in arguments):
        return lambda *values: to_sqlite(closure(values, context), result)

    def call(*values: Any) -> SqliteValue:  # noqa: ANN401
        row = tuple([from_sqlite(v, of) for v, of in zip(values, arguments, strict=True)])
        return to_sqlite(closure(row, context), result)

    return call


class Single:
    """At most one value."""

    def __init__(self) -> None:
        self._count = 0
        self._value: SqliteValue = None

    def step(self, value: SqliteValue) -> None:
        """Take the value; a second one is 21000."""
        from catalog.errors import CardinalityViolationError  # noqa: PLC0415

        self._count += 1
        if self._count > 1:
            raise CardinalityViolationError(
                "more than one row returned by a subquery used as an expression"
            )
        self._value = value

    def finalize(self) -> SqliteValue:
        """The value, NULL when there was none."""
        return self._value


def set_of(
    overload: Overload,
    arguments: Sequence[Closure],
    argument_types: Sequence[PgType],
    leaves: Sequence[PgType],
    columns: Sequence[PgType],
    context: EvalContext,
) -> Callable[..., str]:
    """A set-returning function as a JSON array of its rows: values, or arrays of several."""
    function = overload.row
    if function is None:
        raise FeatureNotSupportedError(f"{overload.name} cannot be used in a catalogue query")
    before: list[Any] = [context] if overload.needs_context else []
    if overload.needs_types:
        before.append(tuple(argument_types))

    def call(*values: Any) -> str:  # noqa: ANN401
        row = tuple([from_sqlite(v, of) for v, of in zip(values, leaves, strict=True)])
        given = [argument(row, context) for argument in arguments]
        if overload.strict and None in given:
            return "[]"
        return json_rows(_paid(function(*before, *given), context), columns)

    return call


def _paid(items: Iterable[Any], context: EvalContext) -> Iterator[Any]:
    """The same, each paid for."""
    for item in items:
        pay(context, ITEM_US)
        yield item


def json_rows(items: Any, columns: Sequence[PgType]) -> str:  # noqa: ANN401 - an iterable of values
    """Rows for json_each: of one column the value itself, of several an array."""
    if len(columns) == 1:
        found: list[Any] = [to_sqlite(item, columns[0]) for item in items]
    else:
        found = [[to_sqlite(v, of) for v, of in zip(item, columns, strict=True)] for item in items]
    try:
        return json.dumps(found, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as exc:
        raise FeatureNotSupportedError(
            "a set of such values cannot be used in a catalogue query"
        ) from exc


def zip_sets(*sets: str) -> str:
    """Sets as `json_rows` made them, of one column each, side by side."""
    return json.dumps(list(zip_longest(*map(json.loads, sets))), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class AggregateCall:
    """What an aggregate needs at run time: its arguments come first, then the sort keys."""

    overload: Overload
    types: tuple[PgType, ...]
    result: PgType
    order_by: tuple[SortKey, ...]
    distinct: bool
    context: EvalContext


def aggregate_class(call: AggregateCall, raised: Raised) -> type:
    """A class for `sqlite3.create_aggregate`."""

    class Collected:
        def __init__(self) -> None:
            self.rows: list[tuple[Any, ...]] = []

        def step(self, *values: Any) -> None:  # noqa: ANN401
            self.rows.append(values)

        def finalize(self) -> SqliteValue:
            return raised.keep(lambda: compute(call, self.rows))()  # type: ignore[no-any-return]

    return Collected


def compute(call: AggregateCall, rows: list[tuple[Any, ...]]) -> SqliteValue:
    """The aggregate of a group's rows, each its arguments and then its sort keys."""
    function = call.overload.row
    if function is None:
        raise FeatureNotSupportedError(f"{call.overload.name} cannot be used here")
    width = len(call.types)
    pay_rows(call.context, rows)
    types = (*call.types, *(key.expr.type for key in call.order_by))
    decoded = [
        tuple([from_sqlite(v, of) for v, of in zip(row, types, strict=True)]) for row in rows
    ]
    for index in reversed(range(len(call.order_by))):
        decoded.sort(key=sort_key(call.order_by[index], width + index))
    group = [row[:width] for row in decoded]
    if call.distinct:
        group = list(dict.fromkeys(group))
        if not call.order_by and width:
            group.sort(key=cmp_to_key(_rows_comparer(call.types)))
    before: list[Any] = [call.context] if call.overload.needs_context else []
    if call.overload.needs_types:
        before.append(call.types)
    return to_sqlite(function(*before, group), call.result)


def sort_key(key: SortKey, column: int) -> Callable[[tuple[Any, ...]], Any]:
    """Python's key for one ORDER BY item over rows that hold its value in `column`."""
    compare = comparer(key.expr.type)
    sign = -1 if key.descending else 1
    null = -1 if key.nulls_first else 1

    def order(a: Any, b: Any) -> int:  # noqa: ANN401
        if a is None or b is None:
            return null * (int(a is None) - int(b is None))
        return sign * compare(a, b)

    wrap = cmp_to_key(order)
    return lambda row: wrap(row[column])


def _rows_comparer(types: Sequence[PgType]) -> Callable[[Any, Any], int]:
    compares = [comparer(of) for of in types]

    def compare(a: Any, b: Any) -> int:  # noqa: ANN401
        for test, x, y in zip(compares, a, b, strict=True):
            absent = int(x is None) - int(y is None)
            order = absent if x is None or y is None else test(x, y)
            if order:
                return order
        return 0

    return compare


@dataclass(slots=True)
class Functions:
    """The functions that one statement needs, named k0, k1 …; the same one is registered once."""

    context: EvalContext
    raised: Raised = field(default_factory=Raised)
    found: list[Function] = field(default_factory=list)
    collations: dict[str, Callable[[str, str], int]] = field(default_factory=dict)

    def add(self, arity: int, call: Callable[..., Any], *, deterministic: bool = True) -> str:
        """Register a scalar function; its name."""
        name = f"k{len(self.found)}"
        self.found.append(Function(name, arity, self.raised.keep(call), deterministic))
        return name

    def add_aggregate(self, arity: int, cls: type) -> str:
        """Register an aggregate; its name."""
        name = f"k{len(self.found)}"
        self.found.append(Function(name, arity, cls, aggregate=True))
        return name

    def collation(self, of: PgType) -> str:
        """`COLLATE …` for types that sqlite keeps as text but that do not sort as text."""
        if of not in (registry.NUMERIC, registry.BPCHAR) and of.element is None:
            return ""
        compare, name = comparer(of), f"by_{of.name}"

        def call(a: str, b: str) -> int:
            return compare(from_sqlite(a, of), from_sqlite(b, of))

        self.collations[name] = call
        return f" COLLATE {name}"
