"""[NOT] IN and ANY of lists that are the same for every row, by a hash of them."""

from collections.abc import Sequence

from kalam_pg.functions.dimensions import flatten
from kalam_pg.functions.table import EvalContext
from kalam_pg.sql.closures import Run
from storage.layout import Row, Value

HASHED_MIN = 8
"""Of fewer items a look at each costs less."""


class Parameters:
    """An array of parameters, made once for the parameters of a statement."""

    __slots__ = ("_indexes", "_made")

    def __init__(self, indexes: tuple[int, ...]) -> None:
        self._indexes = indexes
        self._made: tuple[object, Value] = (None, None)

    def __call__(self, _row: Row, context: EvalContext) -> Value:
        params, array = self._made
        if params is not context.params:
            array = tuple([context.params[index] for index in self._indexes])
            self._made = (context.params, array)
        return array


class _Listed:
    """Whether a value is among some, by Python's own equality. A subclass says of what they are made."""

    __slots__ = ("_arg", "_found", "_made_of", "_negated", "_otherwise")

    def __init__(self, arg: Run, *, negated: bool) -> None:
        self._arg = arg
        self._negated = negated
        self._made_of: object = None
        self._found: frozenset[Value] = frozenset()
        self._otherwise: bool | None = negated

    def _take(self, made_of: object, values: Sequence[Value]) -> None:
        self._made_of = made_of
        self._found = frozenset(values) - {None}
        self._otherwise = None if None in values else self._negated

    def _test(self, row: Row, context: EvalContext) -> bool | None:
        value = self._arg(row, context)
        if value is None:
            return None if self._found or self._otherwise is None else self._negated
        return not self._negated if value in self._found else self._otherwise


class AmongGiven(_Listed):
    """`arg [NOT] IN (constants and parameters)`: hashed once for the parameters of a statement."""

    __slots__ = ("_items",)

    def __init__(self, arg: Run, items: Sequence[Run], *, negated: bool) -> None:
        super().__init__(arg, negated=negated)
        self._items = items

    def __call__(self, row: Row, context: EvalContext) -> bool | None:
        params = context.params
        if self._made_of is not params:
            self._take(params, [item((), context) for item in self._items])
        return self._test(row, context)


class AmongElements(_Listed):
    """`arg = ANY (array)`, or with `negated` `arg <> ALL (array)`, of an array that rows do not change."""

    __slots__ = ("_array",)

    def __init__(self, arg: Run, array: Run, *, negated: bool) -> None:
        super().__init__(arg, negated=negated)
        self._array = array

    def __call__(self, row: Row, context: EvalContext) -> bool | None:
        items = self._array((), context)
        if items is None:
            return None
        if self._made_of is not items:
            self._take(items, flatten(items))
        return self._test(row, context)
