"""Analysed expressions, from the syntax tree and what each node of it was bound to.

Predicates, values and calls are in modules of their own, which register what they analyse with `shows`.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlglot import exp

from catalog.types import registry as types
from catalog.types.domain import DomainDefinition
from catalog.types.table import PgType
from kalam_pg.sql import analysed as a
from kalam_pg.sql import tree
from kalam_pg.sql.analyse import BIND, Analysis, Unshown, cast
from kalam_pg.sql.bind_types import resolve_type
from kalam_pg.sql.coerce import read_literal
from kalam_pg.sql.dialect import type_name
from kalam_pg.sql.overloads import resolve_operator
from kalam_pg.sql.rule_expr import is_row_type
from kalam_pg.sql.type_text import type_text

Handler = Callable[[Analysis, Any], a.Node]
HANDLERS: dict[type[exp.Expr], Handler] = {}
H = TypeVar("H", bound=Handler)


def shows(*kinds: type[exp.Expr]) -> Callable[[H], H]:
    """Make a function what analyses nodes of these classes."""

    def register(handler: H) -> H:
        for kind in kinds:
            HANDLERS[kind] = handler
        return handler

    return register


def analyse(an: Analysis, node: exp.Expr) -> a.Node:
    """An expression as it stands, with the type that it has by itself."""
    handler = HANDLERS.get(type(node))
    if handler is None:
        raise Unshown(type(node).__name__)
    return handler(an, node)


def typed(an: Analysis, node: exp.Expr, kind: PgType) -> a.Node:
    """An expression where a type is asked for: a literal is of it, anything else is cast to it."""
    bound = an.bound(node)
    own = bound.type
    if own is types.UNKNOWN:
        return _literal_as(an, node, bound, kind)
    shown = analyse(an, node)
    if own is kind or kind is types.ANY or kind is types.UNKNOWN or _is_row(own, kind):
        return shown
    return cast(shown, own, kind, implicit=True)


def passed(an: Analysis, node: exp.Expr, kind: PgType) -> a.Node:
    """An argument of an operator or function: as `typed`; a value of a domain is taken as its base type."""
    shown = typed(an, node, kind)
    told = isinstance(shown, a.Constant) or (isinstance(shown, a.Cast) and shown.implicit)
    if told or not is_of_domain(an, node):
        return shown
    return a.Cast(shown, kind, -1, implicit=True, by_function=False)


def unified(an: Analysis, nodes: Sequence[exp.Expr], kind: PgType) -> list[a.Node]:
    """Expressions of one type; that is a domain only where all of them are of it."""
    if _all_of_domain(an, nodes):
        return [typed(an, n, kind) for n in nodes]
    return [passed(an, n, kind) for n in nodes]


def _all_of_domain(an: Analysis, nodes: Sequence[exp.Expr]) -> bool:
    # With anything else among them, be it NULL, PostgreSQL goes back to the base type.
    return all(is_of_domain(an, n) for n in nodes)


def is_of_domain(an: Analysis, node: exp.Expr) -> bool:
    """Whether PostgreSQL takes the type of a cast or column for a domain, which is its base type here."""
    if type(node) is exp.Cast:
        scope = an.state.scope
        kind, _ = resolve_type(type_name(node.args["to"]), scope.snapshot, scope.search_path)
        return isinstance(kind.definition, DomainDefinition)
    bound = an.trace.bound(node)
    if isinstance(bound, tree.Coalesce | tree.MinMax) and type(node) is exp.Anonymous:
        return _all_of_domain(an, node.expressions)
    if isinstance(bound, tree.Case) and type(node) is exp.Case:
        default = node.args.get("default")
        results = [branch.args["true"] for branch in node.args["ifs"]]
        return default is not None and _all_of_domain(an, [*results, default])
    if not isinstance(bound, tree.ColumnRef):
        return False
    column = an.state.columns[bound.relation][bound.column]
    relation = an.snapshot.tables.get(column.table_id) or an.snapshot.views.get(column.table_id)
    if relation is None:
        return False
    return any(c.id == column.column_id and c.domain for c in relation.columns)


def _is_row(own: PgType, kind: PgType) -> bool:
    return is_row_type(own) and is_row_type(kind)


def _literal_as(an: Analysis, node: exp.Expr, bound: tree.Expr, kind: PgType) -> a.Node:
    if kind in (types.UNKNOWN, types.ANY):
        return analyse(an, node)
    if isinstance(bound, tree.Const):
        return constant_of(an, bound, kind)
    shown = analyse(an, node)
    return shown if isinstance(bound, tree.Param) else cast(shown, types.TEXT, kind, implicit=True)


def constant_of(an: Analysis, bound: tree.Const, kind: PgType, typmod: int = -1) -> a.Constant:
    """A literal without a type as a constant of one."""
    if kind.pseudo and kind is not types.RECORD:
        raise Unshown("pseudo")
    read = read_literal(an.state, bound, kind, typmod)
    if isinstance(read, tree.Const):
        return a.Constant(read.value, kind)
    return a.Constant(None, kind, str(bound.value))


def settled(an: Analysis, node: exp.Expr) -> a.Node:
    """An expression where what has no type is text."""
    unknown = an.bound(node).type is types.UNKNOWN
    return typed(an, node, types.TEXT) if unknown else analyse(an, node)


# ------------------------------------------------------------------ leaves


@shows(exp.Literal, exp.Null, exp.Boolean, exp.BitString, exp.HexString)
def _constant(an: Analysis, node: exp.Expr) -> a.Node:
    bound = an.bound(node)
    if not isinstance(bound, tree.Const):
        raise Unshown("constant")
    return a.Constant(bound.value, bound.type)


@shows(exp.Parameter)
def _parameter(an: Analysis, node: exp.Expr) -> a.Node:
    return a.Words(f"${node.args['this']}")


@shows(exp.Column)
def _column(an: Analysis, node: exp.Column) -> a.Node:
    bound = an.bound(node)
    merged = an.merged.get(id(bound))
    if merged is not None:
        return merged
    return column_of(an, bound)


def column_of(an: Analysis, bound: tree.Expr) -> a.Node:
    """A column, or a relation's row, as it was bound."""
    merged = an.merged.get(id(bound))
    if merged is not None:
        return merged
    match bound:
        case tree.ColumnRef():
            return an.variable(bound)
        case tree.RowExpr(whole=True, items=items) if items and isinstance(
            items[0], tree.ColumnRef
        ):
            first = an.variable(items[0])
            return a.Var(first.rel, None, bound.type)
        case tree.Case(whens=((tree.IsNull(tree.ColumnRef() as key), _),), default=tree.Const()):
            return a.Var(an.variable(key).rel, -1, types.OID, "tableoid")
        case _:
            raise Unshown("column")


# ------------------------------------------------------------------ operators


@shows(
    *(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Pow, exp.DPipe),
    *(exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Operator),
)
def _operator(an: Analysis, node: exp.Expr) -> a.Node:
    symbol: str = node.meta["operator"]
    bound, right = an.bound(node), node.args["expression"]
    left = node.args.get("this")
    if left is None:
        return a.Op(symbol, None, passed(an, right, operands(bound)[0]))
    if type(right) in (exp.Any, exp.All):
        return quantified(an, left, right, symbol, bound)
    rows = [an.bound(left), None if type(right) is exp.Subquery else an.bound(right)]
    if all(is_written_row(one) for one in rows):
        return rows_compared(an, symbol, left, right)
    if type(left) is exp.Tuple or (is_written_row(rows[0]) and type(right) is exp.Subquery):
        raise Unshown("a row beside a subquery")
    kinds = operands(bound)
    return a.Op(symbol, passed(an, left, kinds[0]), passed(an, right, kinds[1]))


def operands(bound: tree.Expr) -> list[PgType]:
    """The types of an operator's or function's arguments as it takes them."""
    if not isinstance(bound, tree.Call):
        raise Unshown("operator")
    return [arg.type for arg in bound.args]


def is_written_row(bound: tree.Expr | None) -> bool:
    """Whether it is ROW(…) as written, which is compared field by field."""
    return isinstance(bound, tree.RowExpr) and not bound.whole and bound.type is types.RECORD


def compared(an: Analysis, symbol: str, left: exp.Expr, right: exp.Expr) -> a.Op:
    """Two operands by an operator that was bound within something else."""
    kinds = pair(symbol, an.bound(left).type, an.bound(right).type)
    return a.Op(symbol, passed(an, left, kinds[0]), passed(an, right, kinds[1]))


def pair(symbol: str, left: PgType, right: PgType) -> tuple[PgType, ...]:
    """What the operator for two types takes."""
    found = resolve_operator(symbol, (left, right))
    if found is None:
        raise Unshown(symbol)
    return found.args


def rows_compared(an: Analysis, symbol: str, left: exp.Expr, right: exp.Expr) -> a.Node:
    """ROW(…) beside ROW(…)."""
    if type(left) is not exp.Tuple or type(right) is not exp.Tuple:
        raise Unshown("rows")
    pairs = list(zip(left.expressions, right.expressions, strict=True))
    if any(is_written_row(an.bound(one)) for pair in pairs for one in pair):
        raise Unshown("rows of rows")
    made = [compared(an, symbol, one, other) for one, other in pairs]
    if symbol in ("=", "<>"):
        return made[0] if len(made) == 1 else a.Logic("AND" if symbol == "=" else "OR", (*made,))
    if len(made) == 1:
        return made[0]
    return a.RowCompare(
        tuple([op.left for op in made if op.left is not None]),
        symbol,
        tuple([op.right for op in made]),
    )


def quantified(
    an: Analysis, left: exp.Expr, right: exp.Expr, symbol: str, bound: tree.Expr
) -> a.Node:
    """`left symbol ANY|ALL (…)`."""
    inner = right.args["this"]
    word = "ALL" if type(right) is exp.All else "ANY"
    if type(inner) is exp.Subquery:
        return among(an, left, inner, symbol, word.lower(), bound)
    if not isinstance(bound, tree.AnyAll):
        raise Unshown("any")
    shown = typed(an, inner, bound.array.type)
    made = a.ArrayOp(passed(an, left, bound.arg.type), symbol, word, shown)
    if isinstance(shown, a.Sublink) and shown.kind == "expr":
        made.cast = f"::{type_text(bound.array.type, -1, an.search_path)}"
    return made


def among(
    an: Analysis, left: exp.Expr, subquery: exp.Expr, symbol: str, kind: str, bound: tree.Expr
) -> a.Node:
    """`left symbol ANY|ALL (query)`, IN too; kind: any | all."""
    if not isinstance(bound, tree.InSubquery):
        raise Unshown("in")
    row = type(left) is exp.Tuple
    nodes = left.expressions if row else [left]
    if len(nodes) != len(bound.args):
        raise Unshown("in")
    tests = [passed(an, one, arg.type) for one, arg in zip(nodes, bound.args, strict=True)]
    return a.Sublink(kind, BIND[0](an, subquery.args["this"]), tuple(tests), symbol)


@shows(exp.Neg)
def _negative(an: Analysis, node: exp.Neg) -> a.Node:
    bound = an.bound(node)
    if isinstance(bound, tree.Const):
        return a.Constant(bound.value, bound.type)
    return a.Op("-", None, passed(an, node.args["this"], operands(bound)[0]))


@shows(exp.And, exp.Or)
def _logic(an: Analysis, node: exp.Expr) -> a.Node:
    kind = type(node)
    terms: list[exp.Expr] = []
    while type(node) is kind:
        terms.append(node.args["expression"])
        node = node.args["this"]
    terms.append(node)
    shown = tuple([typed(an, term, types.BOOL) for term in reversed(terms)])
    return a.Logic("AND" if kind is exp.And else "OR", shown)


@shows(exp.Not)
def _not(an: Analysis, node: exp.Not) -> a.Node:
    return a.Logic("NOT", (typed(an, node.args["this"], types.BOOL),))
