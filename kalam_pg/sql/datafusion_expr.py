"""Expressions as DataFusion SQL.

A built-in of DataFusion is used only where an overload says that it answers as PostgreSQL
(`Overload.native`); everything else is a function of ours. What needs no row is computed here and
now, so a query is planned with literals.
"""

from collections import Counter
from collections.abc import Sequence
from typing import assert_never

import pyarrow as pa

from catalog.errors import FeatureNotSupportedError, UndefinedFunctionError
from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.functions import patterns
from kalam_pg.functions.define import same
from kalam_pg.functions.dimensions import flatten
from kalam_pg.functions.lookup import key_of
from kalam_pg.functions.sortkey import key_function, ordered_in_arrow
from kalam_pg.functions.table import Overload, OverloadKind
from kalam_pg.sql import numeric_sql
from kalam_pg.sql.constancy import is_constant
from kalam_pg.sql.datafusion_bounds import check_repeats, few
from kalam_pg.sql.datafusion_choice import choice, first_not_null, of_coalesce, same_form
from kalam_pg.sql.datafusion_state import Rendering, Scope, all_integers, converted, relabelled
from kalam_pg.sql.json_rows import with_json_rows
from kalam_pg.sql.physical import (
    BINARY,
    BOOLEAN,
    Sql,
    arrow_cast,
    canonical,
    is_decimal,
    literal,
    quote,
)
from kalam_pg.sql.same_values import distinct, joins
from kalam_pg.sql.simple_case import searched
from kalam_pg.sql.three_valued import NOTHING, chain, kept_apart, one_of
from kalam_pg.sql.to_python import evaluate
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

# Their names are the catalogue's, which a worker does not have.
_LOOKED_UP = {
    types.REGCLASS, types.REGTYPE, types.REGPROC, types.REGNAMESPACE, types.REGROLE,
}  # fmt: skip
_LIKES: dict[object, str] = {patterns.like: "LIKE", patterns.not_like: "NOT LIKE"}

_COMPARISONS = frozenset({"=", "<>", "<", ">", "<=", ">="})
_INTEGERS = frozenset({types.INT2, types.INT4, types.INT8})


class Expressions:
    """The expressions of one query level."""

    def __init__(self, state: Rendering, scope: Scope, *, once: bool = False) -> None:
        """once: the level has one row, there being nothing that it selects from."""
        self._state = state
        self._scope = scope
        self._once = once
        self._constants = 0
        self._made: dict[tuple[int, int], tuple[Expr, Sql]] = {}

    def emit(self, expr: Expr) -> Sql:
        """The expression in whatever physical form it comes in. Raises 0A000 where DataFusion cannot."""
        known = self._scope.node(expr)
        if known is not None:
            return known
        # Several forms repeat an operand, and that its own operands: each is written once.
        key = id(expr), self._scope.computed
        kept = self._made.get(key)
        if kept is None:
            made = self._emit(expr)
            check_repeats(expr, made, self._constants)
            kept = self._made[key] = (expr, made)  # Kept, so that nothing else has its id.
        return kept[1]

    def _emit(self, expr: Expr) -> Sql:  # noqa: C901 # one line per kind of node
        if isinstance(expr, ColumnRef):
            return self._column(expr)
        if is_constant(expr, once=self._once) and not isinstance(expr, RowExpr):
            return self._constant(expr)
        match expr:
            case Const() | Param():
                return self._constant(expr)
            case Call():
                return self._call(expr)
            case BoolOp(kind, args):
                logic = self._logic(kind, [self.emit(a) for a in args])
                return (
                    kept_apart(logic, self._compared_twice(args)) if kind is BoolKind.OR else logic
                )
            case IsNull(RowExpr(), negated, whole=True):
                return self._constant(Const(negated, types.BOOL))
            case IsNull(RowExpr(items), negated):
                return self._row_is_null(items, negated=negated)
            case IsNull(arg, negated):
                return self._suffix(self.emit(arg), "IS NOT NULL" if negated else "IS NULL")
            case IsTruth(arg, value, negated):
                return self._is_truth(self.emit(arg), value, negated=negated)
            case IsDistinct(left, right, _, negated):
                sides = self._comparable(left, right)
                return distinct(self._state, *sides, negated=negated, joins=joins(left, right))
            case Case():
                expr = searched(expr)
                whens = [(self.emit(test), self.emit(value)) for test, value in expr.whens]
                return choice(whens, self.emit(expr.default), expr.type)
            case Coalesce():
                return first_not_null([self.emit(a) for a in of_coalesce(expr)])
            case NullIf():
                return self._null_if(expr)
            case MinMax():
                return self._min_max(expr)
            case InList():
                return self._in_list(expr)
            case AnyAll():
                return self._any_all(expr)
            case ArrayExpr():
                return self._array(expr)
            case Subscript(arg, indexes):
                places = [self.canonical(i) for i in indexes]
                arg_types = (arg.type, *[i.type for i in indexes])
                result = canonical(expr.type)
                return self._state.call(
                    "~sub", [self.canonical(arg), *places], result, arg_types, expr.type,
                    fallible=False,
                )  # fmt: skip
            case CaseOperand() | RowExpr() | Numbered():
                raise FeatureNotSupportedError("row values are not supported here")
            case Aggregate() | OuterAggregate() | Grouping() | Window() | WithTies() | Slice():
                what = type(expr).__name__
                raise FeatureNotSupportedError(f"this use of {what} is not supported here")
            case ScalarSubquery() | ArraySubquery() | Exists() | InSubquery():
                raise FeatureNotSupportedError("a subquery is not supported here")
            case _:
                assert_never(expr)

    def _constant(self, expr: Expr) -> Sql:
        made = literal(self._state.value(expr), expr.type)
        self._constants += len(made.text)
        return made

    def is_null(self, expr: Expr) -> bool:
        """Whether a constant expression is NULL."""
        return evaluate(expr, self._state.context) is None

    def test(self, expr: Expr) -> Sql:
        """A condition in whose place NULL is as good as false, which DataFusion knows to use better."""
        if self._scope.node(expr) is not None or is_constant(expr, once=self._once):
            return self.emit(expr)
        match expr:
            case BoolOp(BoolKind.AND | BoolKind.OR as kind, args):
                return self._logic(kind, [self.test(a) for a in args])
            case InList(negated=False):
                return self._in_list(expr, null_is_false=True)
            case IsTruth(arg, True, negated=False):
                return self.test(arg)
            case _:
                return self.emit(expr)

    def canonical(self, expr: Expr) -> Sql:
        """The expression in its type's canonical form, as functions take it."""
        return converted(self.emit(expr), canonical(expr.type))

    def as_physical(self, expr: Expr, physical: pa.DataType) -> Sql:
        """The expression in a given form of its type."""
        return converted(self.emit(expr), physical)

    def sortable(self, expr: Expr) -> Sql:
        """A value that Arrow sorts, groups and compares as SQL does the expression's."""
        return self.comparable_form(self.emit(expr), expr.type)

    def comparable_form(self, sql: Sql, pg_type: PgType) -> Sql:
        """`sortable` of an expression that is already SQL."""
        if pg_type in {types.FLOAT4, types.FLOAT8}:
            # -0 and 0 are one value, and so are NaN and -NaN, which their bits would tell apart.
            text = f"nanvl({sql.text} + 0.0, arrow_cast('NaN', 'Float64'))"
            return Sql(text, pa.float64(), sql.fallible)
        if ordered_in_arrow(pg_type) or is_decimal(sql.physical):
            return sql
        try:
            key_function(pg_type)
        except UndefinedFunctionError as exc:
            # Nobody asked for an order but the translation (the bindings of a subquery, say).
            raise FeatureNotSupportedError(exc.message) from None
        argument = converted(sql, canonical(pg_type))
        key = self._state.call("~key", [argument], BINARY, (pg_type,), types.BYTEA, fallible=False)
        return Sql(key.text, BINARY, sql.fallible)

    # -------------------------------------------------------------- columns and calls

    def _column(self, ref: ColumnRef) -> Sql:
        try:
            return self._scope.column(ref)
        except KeyError:
            raise FeatureNotSupportedError(
                f'a reference to column "{ref.name}" is not supported here', position=ref.position
            ) from None

    def _call(self, expr: Call) -> Sql:
        expr = with_json_rows(expr)
        overload = expr.overload
        if overload.kind is OverloadKind.SET:
            raise FeatureNotSupportedError(
                f"set-returning function {overload.name} is not supported here",
                position=expr.position,
            )
        if any(isinstance(a, RowExpr) for a in expr.args):
            raise FeatureNotSupportedError("row values are not supported here")
        if len(expr.args) == 2 and (pair := self._compared(overload, *expr.args)) is not None:
            return self._infix(*pair, overload.name)
        word = _LIKES.get(overload.row)
        if word is not None and (liked := self._like(expr, word)) is not None:
            return liked
        args = [self.emit(a) for a in expr.args]
        if overload.name in {"/", "%"} and (made := self._quotient(expr, args)) is not None:
            return made
        special = numeric_sql.emit(expr, args)
        if special is not None:
            return special
        return self.apply(
            overload, args, tuple([a.type for a in expr.args]), expr.type, expr.typmod
        )

    def apply(
        self,
        overload: Overload,
        args: Sequence[Sql],
        arg_types: tuple[PgType, ...],
        result_type: PgType,
        typmod: int = -1,
    ) -> Sql:
        """An overload applied to SQL values."""
        if overload.row is same:
            return relabelled(args[0], arg_types[0], result_type)
        if overload.server_only or (
            overload.kind is OverloadKind.CAST and _LOOKED_UP & {*arg_types, result_type}
        ):
            raise FeatureNotSupportedError(f"{overload.name} over rows of tables is not supported")
        result = canonical(result_type)
        values = [converted(a, canonical(t)) for a, t in zip(args, arg_types, strict=True)]
        fallible = any(v.fallible for v in values)
        if overload.native is not None:
            texts = [v.text for v in values]
            text = (
                overload.native.format(*texts)
                if isinstance(overload.native, str)
                else overload.native(*texts)
            )
            return Sql(text, result, fallible)
        key = key_of(overload)
        if overload.needs_typmod:
            key += f"#{typmod}"
        if not values:
            values = [Sql("arrow_cast(1, 'Int64')", pa.int64())]
        if (
            overload.arrow is not None
            and overload.kind is OverloadKind.OPERATOR
            and all_integers(values)
        ):
            # Kernels take one type on both sides.
            values = [converted(v, result) for v in values]
        return self._state.call(key, values, result, arg_types, result_type)

    def _quotient(self, expr: Call, args: Sequence[Sql]) -> Sql | None:
        """An integer divided by a constant, which can fail for 0 and -1 alone."""
        divisor, physical = expr.args[1], canonical(expr.type)
        known = expr.type in _INTEGERS and is_constant(divisor)
        if not known or evaluate(divisor, self._state.context) in {None, 0, -1}:
            return None
        left, right = (converted(one, physical).text for one in args)
        return Sql(f"({left} {expr.overload.name} {right})", physical, args[0].fallible)

    def _like(self, expr: Call, word: str) -> Sql | None:
        """LIKE with a constant pattern that escapes nothing: DataFusion's is the same then."""
        value, pattern = expr.args
        if not is_constant(pattern) or is_constant(value):
            return None
        text = evaluate(pattern, self._state.context)
        if not isinstance(text, str) or "\\" in text:
            return None
        arg = self.canonical(value)
        part = patterns.part_of(text) if word == "LIKE" and isinstance(value, ColumnRef) else ""
        first = f"{arg.text} LIKE {quote(f'%{part}%')} AND " if part else ""
        return Sql(f"({first}{arg.text} {word} {quote(text)})", BOOLEAN, arg.fallible)

    # -------------------------------------------------------------- comparison

    def _compared(self, overload: Overload, left: Expr, right: Expr) -> tuple[Sql, Sql] | None:
        """Both sides of a comparison that Arrow makes as SQL does; None when it must be a call."""
        if overload.kind is not OverloadKind.OPERATOR or overload.name not in _COMPARISONS:
            return None
        floats = {left.type, right.type} <= {types.FLOAT4, types.FLOAT8}
        if overload.native is None and left.type is not right.type and not floats:
            return None
        if left.type is types.NUMERIC and is_constant(left) is not is_constant(right):
            column = right if is_constant(left) else left
            if not is_decimal(self.emit(column).physical):
                return None  # As decimals of 256 bits; keys are for what is hashed and sorted.
        return self._comparable(left, right)

    def _comparable(self, left: Expr, right: Expr) -> tuple[Sql, Sql]:
        """Both sides in a form in which Arrow compares them as SQL does."""
        a, b = self.emit(left), self.emit(right)
        if left.type is types.NUMERIC and right.type is types.NUMERIC:
            common = numeric_sql.comparable(a, b)
            if common is not None:
                return common
            a, b = converted(a, pa.string()), converted(b, pa.string())
        if left.type is not right.type and left.type.key_kind != right.type.key_kind:
            raise FeatureNotSupportedError(
                f"comparing {left.type.sql_name} with {right.type.sql_name} is not supported here"
            )
        return self.comparable_form(a, left.type), self.comparable_form(b, right.type)

    @staticmethod
    def _infix(left: Sql, right: Sql, symbol: str) -> Sql:
        return Sql(f"({left.text} {symbol} {right.text})", BOOLEAN, left.fallible or right.fallible)

    @staticmethod
    def _suffix(arg: Sql, test: str) -> Sql:
        return Sql(f"({arg.text} {test})", BOOLEAN, arg.fallible)

    @staticmethod
    def _is_truth(arg: Sql, value: bool | None, *, negated: bool) -> Sql:
        """IS TRUE and its like: DataFusion's own fail where they are an aggregate's condition."""
        if value is None:
            return Expressions._suffix(arg, "IS NOT NULL" if negated else "IS NULL")
        known = f"coalesce({arg.text}, {'false' if value else 'true'})"
        return Sql(known if value != negated else f"(NOT {known})", BOOLEAN, arg.fallible)

    def _row_is_null(self, items: tuple[Expr, ...], *, negated: bool) -> Sql:
        test = "IS NOT NULL" if negated else "IS NULL"
        return self.conjunction([self._suffix(self.emit(i), test) for i in items])

    # -------------------------------------------------------------- logic and choice

    def _logic(self, kind: BoolKind, args: list[Sql]) -> Sql:
        match kind:
            case BoolKind.AND:
                return self.conjunction(args)
            case BoolKind.OR:
                return chain(args, "OR", decided=1)
            case BoolKind.NOT:
                return Sql(f"(NOT {args[0].text})", BOOLEAN, args[0].fallible)
            case _:
                assert_never(kind)

    def _compared_twice(self, args: Sequence[Expr]) -> list[Sql]:
        """What alternatives compare for equality with more than one constant."""
        operands = [
            self.emit(side).text
            for arg in args
            if isinstance(arg, Call) and arg.overload.name == "=" and len(arg.args) == 2
            for side, other in (arg.args, arg.args[::-1])
            if is_constant(other) and not is_constant(side) and not isinstance(side, RowExpr)
        ]
        return [Sql(text, BOOLEAN) for text, count in Counter(operands).items() if count > 1]

    @staticmethod
    def conjunction(args: Sequence[Sql]) -> Sql:
        """AND of at least one; what may raise is evaluated only where nothing before is false."""
        return chain(args, "AND", decided=0)

    def _null_if(self, expr: NullIf) -> Sql:
        left, right = self.emit(expr.left), self.emit(expr.right)
        fallible = left.fallible or right.fallible
        floats = expr.left.type in {types.FLOAT4, types.FLOAT8}
        if left.physical == right.physical and ordered_in_arrow(expr.left.type) and not floats:
            return Sql(f"nullif({left.text}, {right.text})", left.physical, fallible)
        args = [self.canonical(expr.left), self.canonical(expr.right)]
        kinds = (expr.left.type, expr.right.type)
        made = self._state.call("~nullif", args, args[0].physical, kinds, expr.type, fallible=False)
        return Sql(made.text, made.physical, fallible)

    def _min_max(self, expr: MinMax) -> Sql:
        values, physical = same_form([self.emit(a) for a in expr.args])
        fallible = any(v.fallible for v in values)
        native = ordered_in_arrow(expr.type) and expr.type not in {types.FLOAT4, types.FLOAT8}
        if native or is_decimal(physical):
            name = "greatest" if expr.greatest else "least"
            return Sql(f"{name}({', '.join([v.text for v in values])})", physical, fallible)
        key = "~max" if expr.greatest else "~min"
        arg_types = tuple([a.type for a in expr.args])
        made = self._state.call(key, values, physical, arg_types, expr.type, fallible=fallible)
        return Sql(made.text, physical, fallible)

    def _in_list(self, expr: InList, *, null_is_false: bool = False) -> Sql:
        found = self._alternatives(expr.equals, expr.arg, expr.items, null_is_false=null_is_false)
        return Sql(f"(NOT {found.text})", BOOLEAN, found.fallible) if expr.negated else found

    def _alternatives(
        self, overload: Overload, arg: Expr, items: Sequence[Expr], *, null_is_false: bool = False
    ) -> Sql:
        """`arg operator item` for any item; plain equality with constants becomes IN."""
        few(items)
        listed: list[tuple[Sql, Sql]] = []
        tests: list[Sql] = []
        for item in items:
            pair = None
            if is_constant(item):
                if overload.strict and evaluate(item, self._state.context) is None:
                    tests.append(NOTHING)
                    continue
                pair = self._compared(overload, arg, item) if overload.name == "=" else None
            if pair is not None and pair[0] == (listed or [pair])[0][0]:
                listed.append(pair)
            else:
                tests.append(self._call(Call(overload, (arg, item), types.BOOL)))
        if listed:
            operand = listed[0][0]
            found = one_of(operand, [constant for _, constant in listed])
            tests.insert(0, found if null_is_false else kept_apart(found, [operand]))
        return chain(tests, "OR", decided=1)

    def _every(self, overload: Overload, arg: Expr, items: Sequence[Expr]) -> Sql:
        """`arg operator item` for every item."""
        few(items)
        return self.conjunction([self._call(Call(overload, (arg, i), types.BOOL)) for i in items])

    def _any_all(self, expr: AnyAll) -> Sql:
        element = expr.array.type.element
        assert element is not None
        if is_constant(expr.array):
            items = evaluate(expr.array, self._state.context)
            if items is None:
                return literal(None, types.BOOL)
            spelled = [Const(leaf, element) for leaf in flatten(items)]
            if not spelled:
                return literal(expr.all, types.BOOL)
            make = self._every if expr.all else self._alternatives
            return make(expr.operator, expr.arg, spelled)
        key = f"~{'all' if expr.all else 'any'}:{key_of(expr.operator)}"
        args = [self.canonical(expr.arg), self.canonical(expr.array)]
        return self._state.call(key, args, BOOLEAN, (expr.arg.type, expr.array.type), types.BOOL)

    def _array(self, expr: ArrayExpr) -> Sql:
        physical = canonical(expr.type)
        if any(i.type.element is not None and i.type is expr.type for i in expr.items):
            raise FeatureNotSupportedError("multidimensional arrays are not supported here")
        items = [self.as_physical(i, physical.value_type) for i in expr.items]
        text = f"make_array({', '.join([i.text for i in items])})"
        return Sql(arrow_cast(text, physical), physical, any(i.fallible for i in items))
