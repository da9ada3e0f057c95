"""What PostgreSQL computes when it plans: immutable calls of constants, whether a row ever asks or not.

`SELECT a FROM t WHERE a > 1 AND 1/0 = 1` is an error over no rows too. Decision 0111 has the rules, which are
those of PostgreSQL's planner (its manual, "Function Volatility Categories"): a constant condition of CASE,
AND, OR or COALESCE keeps what is behind it from being looked at; a query in FROM computes the columns that
something around it asks for. Nothing is rewritten here: only what raises is found.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from catalog.errors import FeatureNotSupportedError
from catalog.types.registry import RECORD
from catalog.types.table import TypeContext
from kalam_pg.functions.cost import FOLD_US
from kalam_pg.functions.table import EvalContext, OverloadKind, Volatility
from kalam_pg.sql import tree
from kalam_pg.sql.constancy import is_immutable, is_volatile
from kalam_pg.sql.to_python import evaluate
from kalam_pg.sql.tree import BoolKind, Bound, Call, ColumnRef, Const, Expr
from kalam_pg.sql.walk import Node, children, map_children, walk
from storage.errors import KalamError

_Known: TypeAlias = Const | None
"""The constant that an expression is, or None."""

_DOMAIN_RULES = frozenset(("domain check", "domain not null"))
"""Asked of a value when it is computed, never before."""


_FOLDS_MAX = 20_000
"""So much is looked at, in less than a second; what is behind that fails when it is reached."""


class _RaisesError(Exception):
    """The expression is constant, and has no value."""

    def __init__(self, expr: Expr) -> None:
        super().__init__()
        self.expr = expr


class _TooLongError(Exception):
    """The statement is not looked at any further."""


def raising(bound: Bound, types: TypeContext) -> Expr | None:
    """The first constant that PostgreSQL would fail to compute when it plans the statement, if any.

    None too of a statement that is too long to look for it.
    """
    statement = bound.statement
    folder = _Folder(types)
    try:
        for change in (*[item.change for item in bound.changes], statement):
            if isinstance(change, tree.Dml):
                folder.change(change)
        if not isinstance(statement, tree.Dml):
            folder.query(statement)
    except _RaisesError as found:
        return found.expr
    except _TooLongError:
        return None
    return None


class _Folder:
    """One walk over a statement, from the outermost query in.

    pulled: what stands for the columns of relations that PostgreSQL makes part of the query around them, and
    whether no outer join of that query may make it NULL. known: what such columns are: each is folded once,
    however often it is mentioned. used: the columns that were asked for, of the other relations. noted: how
    many these are. looked: how many they were after a relation's query was looked into, by whether it was
    empty: what several mentions of a WITH item share need not be looked into again before there are more.
    """

    def __init__(self, types: TypeContext) -> None:
        self._types = types
        self._pulled: dict[int, tuple[Sequence[Expr], bool]] = {}
        self._known: dict[tuple[int, int], _Known] = {}
        self._used: dict[int, set[int]] = {}
        self._noted = 0
        self._looked: dict[tuple[int, bool], int] = {}
        self._ctes: dict[int, tree.Cte] = {}
        self._asked_ctes: Counter[int] = Counter()
        self._operands: list[_Known] = []
        self._folds = 0

    # -------------------------------------------------------------- expressions

    def fold(self, expr: Expr) -> _Known:
        """The constant that it is. Raises _RaisesError, _TooLongError."""
        kind = type(expr)
        if kind is Const:
            return expr  # type: ignore[return-value]
        self._folds += 1
        if self._folds > _FOLDS_MAX:
            raise _TooLongError
        special = _SPECIAL.get(kind)
        if special is not None:
            return special(self, expr)
        known = [self.fold(child) for child in children(expr)]
        if kind not in _EVALUATED or None in known or not _is_fixed(expr):
            return None
        values = iter(known)
        return self._value(map_children(expr, lambda _: next(values)))

    def _value(self, expr: Expr) -> _Known:
        """The value of an expression whose parts are constants."""
        context = EvalContext(left_us=FOLD_US, types=self._types)
        try:
            return Const(evaluate(expr, context), expr.type, expr.typmod)
        except FeatureNotSupportedError:
            return None  # It takes long, or cannot be computed here: then when it is reached.
        except KalamError:
            raise _RaisesError(expr) from None

    def _column(self, ref: ColumnRef) -> _Known:
        found = self._pulled.get(ref.relation)
        if found is None:
            used = self._used.setdefault(ref.relation, set())
            if ref.column not in used:
                used.add(ref.column)
                self._noted += 1
            return None
        key = ref.relation, ref.column
        if key not in self._known:
            exprs, certain = found
            value = self.fold(exprs[ref.column]) if ref.column < len(exprs) else None
            self._known[key] = value if certain else None
        return self._known[key]

    def _call(self, call: Call) -> _Known:
        known = [self.fold(arg) for arg in call.args]
        overload = call.overload
        if overload.kind is OverloadKind.SET or call.type is RECORD or overload.row is None:
            return None
        if overload.name in _DOMAIN_RULES or overload.server_only:
            return None
        if overload.strict and any(one is not None and one.value is None for one in known):
            return Const(None, call.type, call.typmod)
        if None in known:
            return None
        put = Call(overload, tuple(known), call.type, call.typmod, call.position)  # type: ignore[arg-type]
        return self._value(put) if is_immutable(put) else None

    def _logic(self, expr: tree.BoolOp) -> _Known:
        if expr.kind is BoolKind.NOT:
            known = self.fold(expr.args[0])
            if known is None:
                return None
            return Const(None if known.value is None else not known.value, expr.type)
        decides = expr.kind is BoolKind.OR
        values = []
        for arg in expr.args:
            known = self.fold(arg)
            if known is not None and known.value is decides:
                return known  # What stands behind it is not looked at.
            values.append(known)
        if None in values:
            return None
        missing = any(one is not None and one.value is None for one in values)
        return Const(None if missing else not decides, expr.type)

    def _case(self, expr: tree.Case) -> _Known:
        self._operands.append(None if expr.operand is None else self.fold(expr.operand))
        try:
            certain = True
            for test, value in expr.whens:
                known = self.fold(test)
                if known is not None and known.value is not True:
                    continue
                result = self.fold(value)
                if known is not None:
                    return result if certain else None
                certain = False
            result = self.fold(expr.default)
            return result if certain else None
        finally:
            self._operands.pop()

    def _operand(self, _expr: Expr) -> _Known:
        return self._operands[-1] if self._operands else None

    def _coalesce(self, expr: tree.Coalesce) -> _Known:
        certain = True
        for arg in expr.args:
            known = self.fold(arg)
            if known is None:
                certain = False
            elif known.value is not None:
                return known if certain else None
        return Const(None, expr.type, expr.typmod) if certain else None

    def _subquery(self, expr: Node) -> _Known:
        for arg in getattr(expr, "args", ()):
            self.fold(arg)
        self.query(expr.query)
        return None

    def _exists(self, expr: tree.Exists) -> _Known:
        """Of a plain query what it shows is never computed."""
        query = expr.query
        plain = isinstance(query, tree.Select) and not (
            query.grouped or query.locking or query.offset or _expands(query)
        )
        plain = plain and (query.limit is None or _is_some(query.limit))
        if plain and not any(map(_windows, query.targets)):  # type: ignore[union-attr]
            self._select(query, ())  # type: ignore[arg-type]
        else:
            self.query(query)
        return None

    def _grouping(self, _expr: Expr) -> _Known:
        return None

    # -------------------------------------------------------------- queries

    def query(self, query: tree.Query, columns: set[int] | None = None) -> None:
        """A query of which these columns are asked for; None: all."""
        self._open(query)
        match query:
            case tree.SetOp(left=left, right=right):
                self.query(left)
                self.query(right)
            case tree.ValuesQuery(rows=rows):
                self._expressions(item for row in rows for item in row)
            case tree.Select(targets=targets):
                whole = columns is None or query.distinct or query.distinct_on
                shown = [t for at, t in enumerate(targets) if whole or at in columns]  # type: ignore[operator]
                self._select(query, shown)
        self._bounds(query)
        self._close(query)

    def _open(self, node: tree.Query | tree.Dml) -> None:
        """Note a statement's WITH items, and how often each is asked: once, whoever shares them."""
        if not node.with_ or node.with_[0].number in self._ctes:
            return
        own = {cte.number: cte for cte in node.with_}
        self._ctes.update(own)
        for inner in walk(node):
            if isinstance(inner, tree.CteScan) and inner.cte in own:
                self._asked_ctes[inner.cte] += 1

    def _close(self, node: tree.Query | tree.Dml) -> None:
        """Look into those that are computed by themselves; what nothing asks for is not."""
        for cte in node.with_:
            if self._asked_ctes[cte.number] and not self._is_inlined(cte):
                self.query(cte.query)

    def _bounds(self, query: tree.Query) -> None:
        self._expressions((query.limit, query.offset))
        if not isinstance(query, tree.Select):
            self._expressions(key.expr for key in query.order_by)

    def _select(self, query: tree.Select, shown: Sequence[tree.Target]) -> None:
        for item in query.from_:
            self._enter(item, certain=True)
        self._expressions(target.expr for target in shown)
        if shown or query.grouped:
            self._expressions(query.group_by)
            self._expressions(key.expr for key in query.order_by)
            self._expressions(query.distinct_on)
        self._expressions((query.having,))
        empty = query.where is not None and _is_never(self.fold(query.where))
        self._join_conditions(query.from_)
        for item in reversed(query.from_):
            self._leave(item, empty=empty)

    def _enter(self, item: tree.FromItem, *, certain: bool) -> None:
        """Note what stands for an item's columns. certain: no outer join makes it NULL."""
        match item:
            case tree.Join(kind=kind, left=left, right=right):
                self._enter(left, certain=certain and kind not in ("right", "full"))
                self._enter(right, certain=certain and kind not in ("left", "full"))
            case tree.SubqueryScan(query=query):
                self._pull(item.relation, query, certain=certain)
            case tree.CteScan(cte=number):
                cte = self._ctes.get(number)
                if cte is not None and self._is_inlined(cte):
                    self._pull(item.relation, cte.query, certain=certain)
            case _:
                pass

    def _pull(self, relation: int, query: tree.Query, *, certain: bool) -> None:
        if relation in self._pulled or not _is_simple(query):
            return
        if isinstance(query, tree.ValuesQuery):
            self._pulled[relation] = query.rows[0], certain
        elif isinstance(query, tree.Select):
            for item in query.from_:
                self._enter(item, certain=True)  # In its own query, that is.
            self._pulled[relation] = tuple([t.expr for t in query.targets]), certain

    def _join_conditions(self, items: Sequence[tree.FromItem]) -> None:
        for item in items:
            if isinstance(item, tree.Join):
                if item.condition is not None:
                    self.fold(item.condition)
                self._join_conditions((item.left, item.right))

    def _leave(self, item: tree.FromItem, *, empty: bool) -> None:
        """Look into an item, after all that may ask for its columns. empty: no row of it is."""
        match item:
            case tree.Join(left=left, right=right):
                self._leave(right, empty=empty)
                self._leave(left, empty=empty)
            case tree.SubqueryScan(query=query):
                self._inside(item.relation, query, empty=empty)
            case tree.CteScan(cte=number):
                cte = self._ctes.get(number)
                if cte is not None and self._is_inlined(cte):
                    self._inside(item.relation, cte.query, empty=empty)
            case tree.FunctionScan(call=call):
                self.fold(call)
            case tree.RowsFrom(calls=calls):
                self._expressions(calls)
            case tree.ValuesScan(rows=rows) if len(rows) > 1:
                self._expressions(value for row in rows for value in row)

    def _inside(self, relation: int, query: tree.Query, *, empty: bool) -> None:
        if self._looked.get((relation, empty)) == self._noted:
            return
        if relation in self._pulled:
            if isinstance(query, tree.Select):
                self._select_pulled(query, empty=empty)
        elif not empty:
            self.query(query, self._used.get(relation, set()))
        self._looked[relation, empty] = self._noted

    def _select_pulled(self, query: tree.Select, *, empty: bool) -> None:
        """What is left of a query whose columns stand in the one around it."""
        if query.where is not None:
            self.fold(query.where)
        self._join_conditions(query.from_)
        for item in reversed(query.from_):
            self._leave(item, empty=empty)

    def _is_inlined(self, cte: tree.Cte) -> bool:
        once = cte.materialized is False or (
            cte.materialized is None and self._asked_ctes[cte.number] == 1
        )
        return once and not cte.recursive and not is_volatile(cte.query)

    def _expressions(self, items: Iterable[Expr | None]) -> None:
        for item in items:
            if item is not None:
                self.fold(item)

    # -------------------------------------------------------------- data changes

    def change(self, change: tree.Dml) -> None:
        """A data change: all that it may have to compute."""
        items: Sequence[tree.FromItem] = ()
        self._open(change)
        match change:
            case tree.Insert(source=source):
                if isinstance(source, tuple):
                    self._expressions(item for row in source for item in row)
                else:
                    self.query(source)
                if change.on_conflict is not None:
                    self._expressions(a.expr for a in change.on_conflict.assignments)
                    self._expressions((change.on_conflict.where,))
            case tree.Update(from_=items) | tree.Delete(using=items) | tree.Merge(using=items):
                pass
        for item in items:
            self._enter(item, certain=True)
        self._expressions(target.expr for target in change.returning)
        if isinstance(change, tree.Update):
            self._expressions(a.expr for a in change.assignments)
        if isinstance(change, tree.Update | tree.Delete):
            self._expressions((change.where,))
        if isinstance(change, tree.Merge):
            self.fold(change.on)
            for when in change.whens:
                self._expressions((when.condition, *[a.expr for a in when.assignments]))
        self._join_conditions(items)
        for item in reversed(items):
            self._leave(item, empty=False)
        self._close(change)


def _is_fixed(expr: Expr) -> bool:
    """Whether what it compares by means the same in any session."""
    by = [getattr(expr, name, None) for name in ("equals", "operator", "less")]
    return all(one is None or one.volatility is Volatility.IMMUTABLE for one in by)


def _is_some(limit: Expr) -> bool:
    """Whether a LIMIT leaves a row."""
    return isinstance(limit, Const) and isinstance(limit.value, int) and limit.value > 0


def _is_never(known: _Known) -> bool:
    return known is not None and known.value is not True


def _windows(target: tree.Target) -> bool:
    return any(isinstance(node, tree.Window) for node in walk(target.expr))


def _expands(query: tree.Select) -> bool:
    """Whether its select list has a set."""
    calls = (node for t in query.targets for node in walk(t.expr) if isinstance(node, Call))
    return any(call.overload.kind is OverloadKind.SET for call in calls)


def _is_simple(query: tree.Query) -> bool:
    """Whether PostgreSQL makes a query in FROM part of the one around it."""
    if query.order_by or query.limit is not None or query.offset is not None or query.with_:
        return False
    if isinstance(query, tree.ValuesQuery):
        return len(query.rows) == 1 and not is_volatile(query)
    if not isinstance(query, tree.Select):
        return False
    if query.grouped or query.group_by or query.having is not None or query.locking:
        return False
    if query.distinct or query.distinct_on or _expands(query):
        return False
    targets = [target.expr for target in query.targets]
    return not (any(map(_windows, query.targets)) or any(map(is_volatile, targets)))


_EVALUATED = frozenset(
    (tree.IsNull, tree.IsTruth, tree.IsDistinct, tree.NullIf, tree.MinMax, tree.InList, tree.AnyAll,
     tree.ArrayExpr, tree.Subscript, tree.Slice)
)  # fmt: skip
"""What is computed as soon as its parts are constants."""

_SPECIAL: dict[type, Callable[[_Folder, Any], _Known]] = {
    ColumnRef: _Folder._column,  # noqa: SLF001 # of this module
    Call: _Folder._call,  # noqa: SLF001
    tree.BoolOp: _Folder._logic,  # noqa: SLF001
    tree.Case: _Folder._case,  # noqa: SLF001
    tree.CaseOperand: _Folder._operand,  # noqa: SLF001
    tree.Coalesce: _Folder._coalesce,  # noqa: SLF001
    tree.ScalarSubquery: _Folder._subquery,  # noqa: SLF001
    tree.ArraySubquery: _Folder._subquery,  # noqa: SLF001
    tree.InSubquery: _Folder._subquery,  # noqa: SLF001
    tree.Exists: _Folder._exists,  # noqa: SLF001
    tree.Grouping: _Folder._grouping,  # noqa: SLF001
}
