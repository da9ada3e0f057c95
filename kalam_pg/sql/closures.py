"""Closures for calls and three-valued logic, specialised by the shape of their arguments.

A closure takes `(row, context)` and gives a stored value. `Slot` and `Constant` and `Parameter` are
closures that say what they are, so that a call on them can skip a level of calls.
"""

from collections.abc import Callable, Sequence
from math import inf
from types import FunctionType

from catalog.types.bounded import BoundedArray
from catalog.types.composite import CompositeDefinition, pack
from catalog.types.records import Record, Shape, record_of
from catalog.types.table import PgType
from kalam_pg.functions.cost import COPY_US, ELEMENT_US, SMALL, Weight, pay, pay_call
from kalam_pg.functions.define import Datum, same
from kalam_pg.functions.dimensions import flatten
from kalam_pg.functions.table import EvalContext
from kalam_pg.sql.tree import ColumnRef, Expr
from storage.layout import Row, Value

Run = Callable[[Row, EvalContext], Datum]
Plain = Callable[..., Datum]


class Slot:
    """A column of the row."""

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index

    def __call__(self, row: Row, _context: EvalContext) -> Value:
        return row[self.index]


class Constant:
    """A value known when the expression is compiled."""

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value

    def __call__(self, _row: Row, _context: EvalContext) -> Value:
        return self.value


class Parameter:
    """$n, read when the expression runs."""

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index

    def __call__(self, _row: Row, context: EvalContext) -> Value:
        return context.params[self.index]


class Origin:
    """What a closure was compiled of: its expression, and where in a row the columns stand."""

    __slots__ = ("slots", "tree")

    def __init__(self, tree: Expr, slots: Callable[[ColumnRef], int]) -> None:
        self.tree = tree
        self.slots = slots


def with_origin(closure: Run, origin_: Origin) -> Run:
    """The closure, which `origin` knows again. Those that compute nothing need none."""
    if closure.__class__ is FunctionType and closure is not null:
        closure.__dict__["origin"] = origin_
    return closure


def origin(closure: Run) -> Origin | None:
    """What a closure was compiled of, so that it can be evaluated elsewhere."""
    found: Origin | None = getattr(closure, "origin", None)
    return found


def is_given(closure: Run) -> bool:
    """Whether it is a constant or a parameter, for which nothing is computed."""
    return isinstance(closure, Constant | Parameter)


def once(run: Run) -> Run:
    """What has one value for all rows of a statement: computed when one first asks for it, so that what it
    raises is raised only then, and kept for the others where as many are asked as there are: in a worker.
    """
    context_of: EvalContext | None = None
    value: Datum = None

    def kept(_row: Row, context: EvalContext) -> Datum:
        nonlocal context_of, value
        if context is context_of:
            return value
        found = run((), context)
        if context.left_us == inf:
            context_of, value = context, found
        return found

    kept.__dict__["once"] = True
    return kept


def is_once(closure: Run) -> bool:
    """Whether a closure is what `once` made."""
    return getattr(closure, "once", False)


def null(_row: Row, _context: EvalContext) -> None:
    """NULL."""


# ------------------------------------------------------------------ calls


def strict_call(function: Plain, args: Sequence[Run]) -> Run:
    """A function that is not called when an argument is NULL."""
    if any(isinstance(a, Constant) and a.value is None for a in args):
        return null
    if function is same:
        return args[0]
    if len(args) == 1:
        return _strict_one(function, args[0])
    if len(args) == 2:
        return _strict_two(function, args[0], args[1])

    def run(row: Row, context: EvalContext) -> Datum:
        values = [a(row, context) for a in args]
        return None if None in values else function(*values)

    return run


def _strict_one(function: Plain, arg: Run) -> Run:
    if isinstance(arg, Slot):
        index = arg.index

        def of_slot(row: Row, _context: EvalContext) -> Datum:
            value = row[index]
            return None if value is None else function(value)

        return of_slot

    def run(row: Row, context: EvalContext) -> Datum:
        value = arg(row, context)
        return None if value is None else function(value)

    return run


def _strict_two(function: Plain, left: Run, right: Run) -> Run:
    if isinstance(left, Slot):
        i = left.index
        if isinstance(right, Constant):
            constant = right.value

            def slot_constant(row: Row, _context: EvalContext) -> Datum:
                value = row[i]
                return None if value is None else function(value, constant)

            return slot_constant
        if isinstance(right, Parameter):
            j = right.index

            def slot_parameter(row: Row, context: EvalContext) -> Datum:
                a = row[i]
                b = context.params[j]
                return None if a is None or b is None else function(a, b)

            return slot_parameter
        if isinstance(right, Slot):
            k = right.index

            def slot_slot(row: Row, _context: EvalContext) -> Datum:
                a = row[i]
                b = row[k]
                return None if a is None or b is None else function(a, b)

            return slot_slot
    if isinstance(right, Constant):
        second = right.value

        def any_constant(row: Row, context: EvalContext) -> Datum:
            value = left(row, context)
            return None if value is None else function(value, second)

        return any_constant

    def run(row: Row, context: EvalContext) -> Datum:
        a = left(row, context)
        if a is None:
            # The other side is still evaluated: it may raise, as it does in PostgreSQL.
            right(row, context)
            return None
        b = right(row, context)
        return None if b is None else function(a, b)

    return run


def lenient_call(function: Plain, args: Sequence[Run]) -> Run:
    """A function that is also called with NULLs."""
    return lambda row, context: function(*[a(row, context) for a in args])


def context_call(function: Plain, args: Sequence[Run], *, strict: bool) -> Run:
    """A function that takes the EvalContext first."""
    if not args:
        return lambda _row, context: function(context)

    def run(row: Row, context: EvalContext) -> Datum:
        values = [a(row, context) for a in args]
        return None if strict and None in values else function(context, *values)

    return run


def weighed_call(
    function: Plain, args: Sequence[Run], weight: Weight, *, strict: bool, with_context: bool
) -> Run:
    """A call that is paid for before it is made (`functions.cost`)."""

    def run(row: Row, context: EvalContext) -> Datum:
        values = [a(row, context) for a in args]
        if strict and None in values:
            return None
        pay_call(context, weight, values)
        return function(context, *values) if with_context else function(*values)

    return run


def comparing_call(function: Plain, left: Run, right: Run) -> Run:
    """One of Python's own comparisons: only that of two long values is paid for."""

    def run(row: Row, context: EvalContext) -> Datum:
        a = left(row, context)
        b = right(row, context)
        if a is None or b is None:
            return None
        if len(a) > SMALL and len(b) > SMALL:
            pay(context, COPY_US * min(len(a), len(b)))
        return function(a, b)

    if not isinstance(left, Slot):
        return run
    index = left.index

    def of_slot(row: Row, context: EvalContext) -> Datum:
        a: Datum = row[index]
        b = right(row, context)
        if a is None or b is None:
            return None
        if len(a) > SMALL and len(b) > SMALL:
            pay(context, COPY_US * min(len(a), len(b)))
        return function(a, b)

    return of_slot


# ------------------------------------------------------------------ logic


def both(args: Sequence[Run]) -> Run:
    """AND: false as soon as one is false, NULL when one is NULL and none false."""
    if len(args) == 2:
        first, second = args

        def two(row: Row, context: EvalContext) -> bool | None:
            a = first(row, context)
            if a is False:
                return False
            b = second(row, context)
            if b is False:
                return False
            return None if a is None or b is None else True

        return two

    def run(row: Row, context: EvalContext) -> bool | None:
        result: bool | None = True
        for arg in args:
            value = arg(row, context)
            if value is False:
                return False
            if value is None:
                result = None
        return result

    return run


def either(args: Sequence[Run]) -> Run:
    """OR: true as soon as one is true, NULL when one is NULL and none true."""

    def run(row: Row, context: EvalContext) -> bool | None:
        result: bool | None = False
        for arg in args:
            value = arg(row, context)
            if value is True:
                return True
            if value is None:
                result = None
        return result

    return run


def negation(arg: Run) -> Run:
    """NOT."""

    def run(row: Row, context: EvalContext) -> bool | None:
        value = arg(row, context)
        return None if value is None else not value

    return run


def truth(arg: Run, wanted: bool | None, *, negated: bool) -> Run:
    """IS [NOT] TRUE, FALSE or UNKNOWN."""
    if negated:
        return lambda row, context: arg(row, context) is not wanted
    return lambda row, context: arg(row, context) is wanted


def null_test(arg: Run, *, negated: bool) -> Run:
    """IS [NOT] NULL."""
    if isinstance(arg, Slot):
        index = arg.index
        if negated:
            return lambda row, _context: row[index] is not None
        return lambda row, _context: row[index] is None
    return truth(arg, None, negated=negated)


def row_null_test(args: Sequence[Run], *, negated: bool) -> Run:
    """ROW(...) IS [NOT] NULL: every field is (not) NULL."""

    def run(row: Row, context: EvalContext) -> bool:
        return all((arg(row, context) is None) != negated for arg in args)

    return run


def record_null_test(arg: Run, *, negated: bool) -> Run:
    """IS [NOT] NULL of a row that is a value: it, or every field, is (not) NULL."""

    def run(row: Row, context: EvalContext) -> bool:
        value = arg(row, context)
        if value is None:
            return not negated
        return all((field is None) != negated for field in record_of(value))

    return run


def record(
    names: Sequence[str], types: Sequence[PgType], items: Sequence[Run], present: Run | None
) -> Run:
    """ROW(...), NULL where `present` is."""
    shape = Shape(tuple(names), tuple(types))

    def run(row: Row, context: EvalContext) -> Datum:
        if present is not None and present(row, context) is None:
            return None
        return Record(tuple([item(row, context) for item in items]), shape)

    return run


def composite(definition: CompositeDefinition, items: Sequence[Run], present: Run | None) -> Run:
    """ROW(...) of a composite type, NULL where `present` is."""

    def run(row: Row, context: EvalContext) -> Value:
        if present is not None and present(row, context) is None:
            return None
        return pack(definition, [item(row, context) for item in items])

    return run


def distinct(left: Run, right: Run, equals: Plain, *, negated: bool) -> Run:
    """IS [NOT] DISTINCT FROM."""

    def run(row: Row, context: EvalContext) -> bool:
        a = left(row, context)
        b = right(row, context)
        if a is None or b is None:
            return (a is not b) != negated
        return (not equals(context, a, b)) != negated

    return run


def member(arg: Run, items: Sequence[Run], equals: Plain, *, negated: bool) -> Run:
    """[NOT] IN (list), three-valued."""

    def run(row: Row, context: EvalContext) -> bool | None:
        value = arg(row, context)
        if value is None:
            return None
        unknown = False
        for item in items:
            other = item(row, context)
            if other is None:
                unknown = True
            elif equals(context, value, other):
                return not negated
        return None if unknown else negated

    return run


def member_of_set(arg: Run, values: frozenset[Value], *, has_null: bool, negated: bool) -> Run:
    """[NOT] IN (constants) for types whose equality is Python's."""
    otherwise = None if has_null else negated

    def run(row: Row, context: EvalContext) -> bool | None:
        value = arg(row, context)
        if value is None:
            return None
        return (not negated) if value in values else otherwise

    return run


def any_all(arg: Run, array: Run, test: Plain, *, every: bool) -> Run:
    """`arg operator ANY|ALL (array)`, three-valued, over all dimensions."""

    def run(row: Row, context: EvalContext) -> bool | None:
        value = arg(row, context)
        items = array(row, context)
        if items is None:
            return None
        unknown = False
        elements = flatten(items)
        pay(context, ELEMENT_US * len(elements))
        for item in elements:
            if item is None or value is None:
                unknown = True
                continue
            answer = test(context, value, item)
            if answer is None:
                unknown = True
            elif answer is not every:
                return not every
        return None if unknown else every

    return run


def subscript(array: Run, indexes: Sequence[Run]) -> Run:
    """array[i][j]: NULL when out of range or when fewer subscripts than dimensions are given."""

    def run(row: Row, context: EvalContext) -> Datum:
        value = array(row, context)
        places = [i(row, context) for i in indexes]
        if value is None or None in places:
            return None
        if value.__class__ is BoundedArray:
            if len(places) != len(value.lower):
                return None
            places = [at - first + 1 for at, first in zip(places, value.lower, strict=True)]
            value = value.items
        for place in places:
            if not isinstance(value, tuple) or not 1 <= place <= len(value):
                return None
            value = value[place - 1]
        return None if isinstance(value, tuple) else value

    return run
