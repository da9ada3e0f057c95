"""Binding of long lists (`listings`): a vector of constants or parameters of one type, made at once.

IN becomes what PostgreSQL makes of it, `= ANY` or `<> ALL` of an array; rows of VALUES become a set of rows
out of an array for each column. The types are found by the same rules, which ask for the kinds that there
are and not for each item. None, and nothing has been changed: the list is bound item by item, as what is
short is, and any error has its place.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from catalog.types import registry as types
from catalog.types.composite import composite_of
from catalog.types.domain import DomainDefinition
from catalog.types.table import DEFAULT_CONTEXT, PgType
from kalam_pg.functions.table import Volatility
from kalam_pg.sql.bind_call import call_function
from kalam_pg.sql.bind_expr import PARAMETERS_MAX
from kalam_pg.sql.coerce import argument, coerce, is_moment
from kalam_pg.sql.listings import Listing
from kalam_pg.sql.overloads import Ambiguous, common_type, find_cast, resolve_operator
from kalam_pg.sql.row_values import is_written_row
from kalam_pg.sql.scope import Binding, Level
from kalam_pg.sql.tree import (
    AnyAll,
    ColumnRef,
    Const,
    Expr,
    FunctionScan,
    Numbered,
    OutputColumn,
    Param,
    RowsFrom,
    Select,
    Target,
)
from storage.errors import KalamError
from storage.layout import Value

_TEXTS = (types.TEXT, types.VARCHAR)
_INT4 = range(-(2**31) + 1, 2**31)
_INT8 = range(-(2**63) + 1, 2**63)
"""The least of each is a number with an operator before it, which the general way knows."""


def bind_in(level: Level, arg: Expr, listed: Listing, negated: bool, at: int) -> Expr | None:
    """`arg [NOT] IN (listed)`."""
    state = level.state
    column = _read(state, listed.items())
    if column is None or is_written_row(arg) or arg.type is types.UNKNOWN:
        return None
    target = common_type([arg.type, *column.kinds])
    if target is None:
        return None
    try:
        found = resolve_operator("<>" if negated else "=", (arg.type, target))
    except Ambiguous:
        return None
    if found is None:
        return None
    element = found.args[1]
    if element is not target and not (element in _TEXTS and target in _TEXTS):
        return None
    make = _array(state, column, target, (), element, at)
    if make is None:
        return None
    left = argument(state, arg, found.args[0])
    return AnyAll(left, make(), found.overload, negated, types.BOOL, -1, at)


def bind_values(
    level: Level, first: Sequence[Sequence[Expr]], listed: Listing, at: int
) -> Select | None:
    """VALUES with the rows `first`, which are bound, and those listed behind them."""
    state = level.state
    columns = listed.columns()
    if any(len(row) != len(columns) for row in first):
        return None
    makes: list[Callable[[], Expr]] = []
    kinds: list[PgType] = []
    numbers: list[int] = []
    for place, items in enumerate(columns):
        column = _read(state, items)
        before = [row[place] for row in first]
        if column is None:
            return None
        kind = common_type([*(e.type for e in before), *column.kinds])
        make = None if kind is None else _array(state, column, kind, before, kind, at)
        if kind is None or make is None:
            return None
        makes.append(make)
        kinds.append(kind)
        numbers += column.indexes
    if len(set(numbers)) < len(numbers):
        return None  # A parameter in several places has its type from the first.
    outputs = tuple([OutputColumn(f"column{n + 1}", kind) for n, kind in enumerate(kinds)])
    clause, level.clause = level.clause, "FROM"
    sets = len(level.sets)
    calls = tuple([call_function(level, "unnest", (make(),), at) for make in makes])
    level.clause = clause
    del level.sets[sets:]
    relation = state.relation(outputs)
    rows = (
        RowsFrom(relation, calls, outputs)
        if len(calls) > 1
        else FunctionScan(relation, calls[0], outputs)
    )
    targets = tuple(
        [Target(ColumnRef(relation, n, c.name, c.type), c.name) for n, c in enumerate(outputs)]
    )
    return Select(targets, outputs, (rows,))


@dataclass(frozen=True, slots=True)
class _Column:
    """Items of one kind. kinds: the types that they have, in the order in which these are met.

    indexes: of parameters; values: of literals, None for NULL (integers as numbers, else their text).
    """

    kinds: tuple[PgType, ...]
    values: Sequence[int | str | None] = ()
    indexes: tuple[int, ...] = ()


def _read(state: Binding, items: Sequence[str]) -> _Column | None:
    """What the items are; None: they are of several kinds."""
    if items[0][0] == "$":
        return _parameters(state, tuple([int(item[1:]) - 1 for item in items]))
    values: list[str | None] = [None if item[0] in "nN" else item for item in items]
    given = [value for value in values if value is not None]
    strings = sum([value[0] == "'" for value in given])
    if strings == len(given):
        texts = [None if v is None else v[1:-1].replace("''", "'") for v in values]
        return _Column((types.UNKNOWN,), texts)
    if strings:
        return None
    if any("." in value for value in given):
        return _numerics(values)
    numbers = [None if value is None else int(value) for value in values]
    present = [number for number in numbers if number is not None]
    least, greatest = min(present), max(present)
    if least not in _INT8 or greatest not in _INT8:
        return None
    if least in _INT4 and greatest in _INT4:
        return _Column((types.INT4,), numbers)
    kinds = [types.INT4 if number in _INT4 else types.INT8 for number in present]
    return _Column(tuple(dict.fromkeys(kinds)), numbers)


def _numerics(values: Sequence[str | None]) -> _Column | None:
    """Numbers with digits behind a point, all of them: an integer among them has another type."""
    if any("." not in value for value in values if value is not None):
        return None
    return _Column((types.NUMERIC,), values)


def _parameters(state: Binding, indexes: tuple[int, ...]) -> _Column | None:
    """Parameters that have all the same type, or none yet."""
    if min(indexes) < 0 or max(indexes) >= PARAMETERS_MAX or len(set(indexes)) < len(indexes):
        return None
    known = state.params
    kinds = {known[at] if at < len(known) else None for at in indexes}
    if len(kinds) > 1 or any(at in state.pending for at in indexes):
        return None
    (kind,) = kinds
    return _Column((types.UNKNOWN if kind is None else kind,), (), indexes)


def _array(
    state: Binding,
    column: _Column,
    target: PgType,
    before: Sequence[Expr],
    element: PgType,
    at: int,
) -> Callable[[], Expr] | None:
    """What makes the array of a column's items, those before it first, each as `target`.

    element: the array's, as what `target` is stored. Nothing is changed before it is called.
    """
    array = types.array_of(element)
    if (
        array is None
        or target.element is not None
        or target.pseudo
        or composite_of(target) is not None
        or isinstance(target.definition, DomainDefinition)
    ):
        return None
    if not column.indexes:
        values = _cast_all(state, column, target)
        if values is None or not all(type(e) is Const for e in before):
            return None
        leading = [_cast(state, e, target) for e in before]
        if not all(type(e) is Const for e in leading):
            return None
        constants = (*[e.value for e in leading if type(e) is Const], *values)
        return lambda: Const(constants, array, -1, at)
    (kind,) = column.kinds
    if kind not in (types.UNKNOWN, target):
        return None
    if any(type(e) is not Param or e.type not in (types.UNKNOWN, target) for e in before):
        return None

    def numbered() -> Expr:
        made = [_cast(state, e, target) for e in before]
        indexes = (*[e.index for e in made if type(e) is Param], *column.indexes)
        known = state.params
        known.extend([None] * (max(indexes) + 1 - len(known)))
        for index in column.indexes:
            known[index] = target
        return Numbered(indexes, array, -1, at)

    return numbered


def _cast(state: Binding, expr: Expr, target: PgType) -> Expr | None:
    try:
        return coerce(state, expr, target)
    except KalamError:
        return None  # It is told of when the list is bound item by item.


def _cast_all(state: Binding, column: _Column, target: PgType) -> Sequence[Value] | None:
    """The literals as `target`; None when one of them is more than a value."""
    source = column.kinds[0]
    if source is types.UNKNOWN:
        return _read_all(state, column.values, target)
    if source is not types.NUMERIC and target in (types.INT4, types.INT8):
        return column.values
    if target is types.NUMERIC:
        read = types.NUMERIC.input
        return [None if v is None else read(str(v), -1, DEFAULT_CONTEXT) for v in column.values]
    overload = find_cast(source, target, "i")
    if (
        len(column.kinds) > 1
        or overload is None
        or overload.row is None
        or overload.volatility is not Volatility.IMMUTABLE
        or overload.needs_context
        or overload.needs_types
        or overload.needs_typmod
    ):
        return None
    if source is types.NUMERIC:
        read = types.NUMERIC.input
        given = [None if v is None else read(str(v), -1, DEFAULT_CONTEXT) for v in column.values]
    else:
        given = list(column.values)
    try:
        return [None if value is None else overload.row(value) for value in given]
    except KalamError:
        return None


def _read_all(
    state: Binding, texts: Sequence[int | str | None], target: PgType
) -> Sequence[Value] | None:
    """Literals without a type as `target`."""
    if target in _TEXTS:
        return texts
    if target.names_objects:
        return None
    context = state.scope.types
    read = target.input
    given = [None if text is None else str(text) for text in texts]
    if any(text is not None and is_moment(target, text) for text in given):
        return None
    try:
        return [None if text is None else read(text, -1, context) for text in given]
    except KalamError:
        return None
