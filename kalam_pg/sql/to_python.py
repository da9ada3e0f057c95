"""The typed tree as Python closures over one row: DEFAULT, CHECK, the fast path, live filters.

Each node becomes a closure `(row, context) -> stored value`; `closures` has them. A predicate such
as `a = $1 AND b > 5` costs a few hundred nanoseconds. Logic is three-valued, a strict function is
not called with NULL, and AND, OR, CASE and COALESCE evaluate no more than they must, from left to
right.
"""

import operator as py
from collections.abc import Callable
from functools import partial
from math import inf
from typing import TypeAlias, assert_never

from catalog.errors import ArraySubscriptError, FeatureNotSupportedError
from catalog.types.composite import composite_of
from catalog.types.registry import RECORD
from catalog.types.table import PgType
from kalam_pg.functions.cost import FOLD_US, is_plain_comparison, pay, weight_of
from kalam_pg.functions.define import Datum, same
from kalam_pg.functions.dimensions import array_shape, lower_bounds, stacked
from kalam_pg.functions.table import EvalContext, Overload, OverloadKind, Volatility
from kalam_pg.sql import closures
from kalam_pg.sql.array_slices import array_slice
from kalam_pg.sql.closures import Constant, Origin, Parameter, Run, Slot, is_given
from kalam_pg.sql.memberships import HASHED_MIN, AmongElements, AmongGiven, Parameters
from kalam_pg.sql.tree import (
    Aggregate,
    AnyAll,
    ArrayExpr,
    ArraySubquery,
    BoolKind,
    BoolOp,
    Call,
    Case,
    CaseOperand,
    Coalesce,
    ColumnRef,
    Const,
    Exists,
    Expr,
    Grouping,
    InList,
    InSubquery,
    IsDistinct,
    IsNull,
    IsTruth,
    MinMax,
    NullIf,
    Numbered,
    OuterAggregate,
    Param,
    RowExpr,
    ScalarSubquery,
    Slice,
    Subscript,
    Window,
    WithTies,
)
from storage.errors import KalamError
from storage.layout import Row, Value

Closure: TypeAlias = Callable[[Row, EvalContext], Value]
Slots: TypeAlias = Callable[[ColumnRef], int]


def compile_expr(expr: Expr, slots: Slots) -> Closure:
    """The closure that evaluates `expr`.

    Args:
        expr: Any expression without subqueries, aggregates and windows.
        slots: Where in the row a column stands.

    Raises:
        FeatureNotSupportedError: The expression holds a subquery, an aggregate or a window.
    """
    return closures.with_origin(Compiler(slots).compile(expr), Origin(expr, slots))


def evaluate(expr: Expr, context: EvalContext) -> Value:
    """The value of an expression without columns."""
    return compile_expr(expr, _no_columns)((), context)


def _no_columns(column: ColumnRef) -> int:
    raise FeatureNotSupportedError(f'column "{column.name}" is not constant')


class Compiler:
    """One walk over one expression. A subclass may know more nodes."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    def compile(self, expr: Expr) -> Run:  # noqa: C901 # one line per kind of node
        """Dispatch on the node."""
        match expr:
            case ColumnRef():
                return Slot(self._slots(expr))
            case Const(value):
                return Constant(value)
            case Param(index):
                return Parameter(index)
            case Numbered(indexes):
                return Parameters(indexes)
            case Call():
                return self._call(expr)
            case BoolOp(kind, args):
                return self._logic(kind, [self.compile(a) for a in args])
            case IsNull(arg, negated, whole=True):
                return closures.null_test(self.compile(arg), negated=negated)
            case IsNull(RowExpr(items), negated):
                return closures.row_null_test([self.compile(i) for i in items], negated=negated)
            case IsNull(arg, negated) if arg.type is RECORD:
                return closures.record_null_test(self.compile(arg), negated=negated)
            case IsNull(arg, negated):
                return closures.null_test(self.compile(arg), negated=negated)
            case IsTruth(arg, value, negated):
                return closures.truth(self.compile(arg), value, negated=negated)
            case IsDistinct(left, right, equals, negated):
                test = _test(equals, left, right)
                return closures.distinct(
                    self.compile(left), self.compile(right), test, negated=negated
                )
            case Case():
                return self._case(expr)
            case CaseOperand():
                return _last
            case Coalesce(args):
                return _coalesce([self.compile(a) for a in args])
            case NullIf(left, right, equals):
                return _null_if(self.compile(left), self.compile(right), _test(equals, left, right))
            case MinMax():
                return self._min_max(expr)
            case InList():
                return self._in_list(expr)
            case AnyAll(arg, array, operator, every):
                given = self.compile(array)
                once = is_given(given) or isinstance(given, Parameters)
                if once and operator.row is (py.ne if every else py.eq):
                    return AmongElements(self.compile(arg), given, negated=every)
                test = _element_test(operator, arg, array)
                return closures.any_all(self.compile(arg), given, test, every=every)
            case ArrayExpr(items):
                nested = any(i.type is expr.type for i in items)
                return _array([self.compile(i) for i in items], nested=nested)
            case Subscript(arg, indexes):
                return closures.subscript(self.compile(arg), [self.compile(i) for i in indexes])
            case Slice(arg, bounds):
                made = [(self._bound(lower), self._bound(upper)) for lower, upper in bounds]
                return array_slice(self.compile(arg), made)
            case RowExpr(items):
                kinds = [i.type for i in items]
                present = None if expr.present is None else self.compile(expr.present)
                fields = [self.compile(i) for i in items]
                if (definition := composite_of(expr.type)) is not None:
                    return closures.composite(definition, fields, present)
                return closures.record(expr.names, kinds, fields, present)
            case ScalarSubquery() | ArraySubquery() | Exists() | InSubquery():
                raise FeatureNotSupportedError("a subquery cannot be used here")
            case Aggregate() | OuterAggregate() | Grouping():
                raise FeatureNotSupportedError("an aggregate function cannot be used here")
            case Window():
                raise FeatureNotSupportedError("a window function cannot be used here")
            case WithTies():
                raise FeatureNotSupportedError("WITH TIES cannot be used here")
            case _:
                assert_never(expr)

    def _bound(self, bound: Expr | None) -> Run | None:
        return None if bound is None else self.compile(bound)

    def _call(self, expr: Call) -> Run:
        overload = expr.overload
        args = [self.compile(a) for a in expr.args]
        function = row_function(overload, tuple([a.type for a in expr.args]), expr.typmod)
        if overload.needs_context:
            run = _context_call(overload, function, args)
        else:
            run = _plain_call(overload, function, args)
            if overload.volatility is Volatility.IMMUTABLE and all(
                isinstance(a, Constant) for a in args
            ):
                run = _folded(run)
        if _is_worth_keeping(overload, run, args):
            return closures.once(run)
        return run

    @staticmethod
    def _logic(kind: BoolKind, args: list[Run]) -> Run:
        match kind:
            case BoolKind.AND:
                return closures.both(args)
            case BoolKind.OR:
                return closures.either(args)
            case BoolKind.NOT:
                return closures.negation(args[0])
            case _:
                assert_never(kind)

    def _case(self, expr: Case) -> Run:
        whens = [(self.compile(test), self.compile(value)) for test, value in expr.whens]
        default = self.compile(expr.default)
        operand = None if expr.operand is None else self.compile(expr.operand)

        def run(row: Row, context: EvalContext) -> Datum:
            seen = row if operand is None else (*row, operand(row, context))
            for test, value in whens:
                if test(seen, context):
                    return value(seen, context)
            return default(row, context)

        return run

    def _min_max(self, expr: MinMax) -> Run:
        args = [self.compile(a) for a in expr.args]
        less = _test(expr.less, expr.args[0], expr.args[0])
        greatest = expr.greatest

        def run(row: Row, context: EvalContext) -> Datum:
            best: Datum = None
            for arg in args:
                value = arg(row, context)
                if value is None:
                    continue
                if best is None or (
                    less(context, best, value) if greatest else less(context, value, best)
                ):
                    best = value
            return best

        return run

    def _in_list(self, expr: InList) -> Run:
        arg = self.compile(expr.arg)
        items = [self.compile(i) for i in expr.items]
        if expr.equals.row is py.eq and all(isinstance(i, Constant) for i in items):
            values = [i.value for i in items if isinstance(i, Constant)]
            return closures.member_of_set(
                arg,
                frozenset(v for v in values if v is not None),
                has_null=None in values,
                negated=expr.negated,
            )
        if expr.equals.row is py.eq and len(items) >= HASHED_MIN and all(map(is_given, items)):
            return AmongGiven(arg, items, negated=expr.negated)
        test = _test(expr.equals, expr.arg, expr.items[0])
        return closures.member(arg, items, test, negated=expr.negated)


def row_function(
    overload: Overload,
    types: tuple[Datum, ...],
    typmod: int = -1,
) -> Callable[..., Datum]:
    """The overload's row implementation, taking only values (after the context, if it needs one)."""
    function = overload.row
    if function is None or overload.kind not in {
        OverloadKind.FUNCTION,
        OverloadKind.OPERATOR,
        OverloadKind.CAST,
    }:
        raise FeatureNotSupportedError(f"{overload.name} cannot be used here")
    if overload.needs_types:
        if overload.needs_context:
            inner = function

            def typed(context: EvalContext, *values: Datum) -> Datum:
                return inner(context, types, *values)

            function = typed
        else:
            function = partial(function, types)
    if overload.needs_typmod:
        unbound = function

        def sized(*values: Datum) -> Datum:
            return unbound(*values, typmod)

        function = sized
    return function


def _context_call(overload: Overload, function: Callable[..., Datum], args: list[Run]) -> Run:
    weight = weight_of(overload)
    if weight is None:
        return closures.context_call(function, args, strict=overload.strict)
    return closures.weighed_call(function, args, weight, strict=overload.strict, with_context=True)


def _plain_call(overload: Overload, function: Callable[..., Datum], args: list[Run]) -> Run:
    weight = None if function is same else weight_of(overload)
    if weight is None:
        call = closures.strict_call if overload.strict else closures.lenient_call
        return call(function, args)
    if is_plain_comparison(overload) and overload.strict:
        return closures.comparing_call(function, *args)
    return closures.weighed_call(function, args, weight, strict=overload.strict, with_context=False)


def _is_worth_keeping(overload: Overload, run: Run, args: list[Run]) -> bool:
    """Whether a call has one value for all rows of a statement, which may take long to compute."""
    if not args or is_given(run) or overload.volatility is Volatility.VOLATILE:
        return False
    kept = list(map(closures.is_once, args))
    if not all(k or is_given(arg) for k, arg in zip(kept, args, strict=True)):
        return False
    return any(kept) or weight_of(overload) is not None


def _folded(run: Run) -> Run:
    """The call of constants as a constant; one that raises, or takes long, stays for when it is reached."""
    try:
        return Constant(run((), EvalContext(left_us=FOLD_US)))
    except KalamError:
        return run


def comparison(overload: Overload, left: PgType, right: PgType) -> Callable[..., Datum]:
    """A comparison of values of these types as `test(context, a, b)`."""
    function = row_function(overload, (left, right))
    weight = weight_of(overload)
    if weight is None or is_plain_comparison(overload):
        return function if overload.needs_context else lambda _context, a, b: function(a, b)
    with_context = overload.needs_context

    def weighed(context: EvalContext, a: Datum, b: Datum) -> Datum:
        if context.left_us != inf:
            pay(context, weight(a, b))
        return function(context, a, b) if with_context else function(a, b)

    return weighed


def _test(overload: Overload, left: Expr, right: Expr) -> Callable[..., Datum]:
    return comparison(overload, left.type, right.type)


def _element_test(overload: Overload, left: Expr, array: Expr) -> Callable[..., Datum]:
    assert array.type.element is not None
    return comparison(overload, left.type, array.type.element)


def _last(row: Row, _context: EvalContext) -> Datum:
    """What a CASE has put behind the row for its conditions."""
    return row[-1]


def _coalesce(args: list[Run]) -> Run:
    def run(row: Row, context: EvalContext) -> Datum:
        for arg in args:
            value = arg(row, context)
            if value is not None:
                return value
        return None

    return run


def _null_if(left: Run, right: Run, equals: Callable[..., Datum]) -> Run:
    def run(row: Row, context: EvalContext) -> Datum:
        a = left(row, context)
        b = right(row, context)
        if a is None or b is None:
            return a
        return None if equals(context, a, b) else a

    return run


def _array(items: list[Run], *, nested: bool) -> Run:
    """ARRAY[…]. nested: of arrays, which are of one shape, or are all empty or NULL: that is empty."""

    def run(row: Row, context: EvalContext) -> Datum:
        values = tuple([item(row, context) for item in items])
        if not nested:
            return values
        shapes = [(array_shape(value), lower_bounds(value)) for value in values]
        if any(shape != shapes[0] for shape in shapes):
            raise ArraySubscriptError(
                "multidimensional arrays must have array expressions with matching dimensions"
            )
        return stacked(values) if shapes[0][0] else ()

    return run
