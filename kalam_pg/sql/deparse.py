"""Bound expressions back to SQL text, as EXPLAIN shows them: parenthesised, casts explicit.

How a column is named and what a subquery shows, the caller says. An expression's text binds to the same
expression again.
"""

import re
from collections.abc import Callable
from typing import Any

from catalog.types import registry as types
from catalog.types.composite import composite_of
from catalog.types.table import DEFAULT_CONTEXT, PgType
from kalam_pg.functions.lookup import SPREAD
from kalam_pg.functions.records import ATTRIBUTE, FIELD
from kalam_pg.functions.table import Overload, OverloadKind
from kalam_pg.functions.user_ranges import CONSTRUCTORS
from kalam_pg.sql import tree
from kalam_pg.sql.keywords import COLUMN_NAME, RESERVED, TYPE_OR_FUNCTION
from kalam_pg.sql.tree import Expr
from kalam_pg.sql.user_aggregates import UserAggregate

_KEYWORDS = RESERVED | TYPE_OR_FUNCTION | COLUMN_NAME
_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*\Z")
# Calls that are written without parentheses.
_BARE = frozenset(
    ("current_catalog", "current_date", "current_role", "current_time", "current_timestamp",
     "current_user", "localtime", "localtimestamp", "session_user", "user")
)  # fmt: skip

QueryText = Callable[[tree.Query], str]


def quote_identifier(name: str) -> str:
    """The name as SQL must write it: quoted unless it is plain, lower-case and no key word."""
    if _PLAIN.match(name) and name not in _KEYWORDS:
        return name
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """A string constant; backslashes make it an E'' string, as PostgreSQL writes it."""
    quoted = text.replace("'", "''")
    if "\\" in quoted:
        return "E'" + quoted.replace("\\", "\\\\") + "'"
    return f"'{quoted}'"


class Deparser:
    """Writes expressions; `column` names a reference, `query` writes a subquery."""

    def __init__(self, column: Callable[[tree.ColumnRef], str], query: QueryText) -> None:
        self.column = column
        self.query = query

    def expr(self, expr: Expr) -> str:
        """The text of one expression; parenthesised wherever precedence could matter."""
        writer: Callable[[Deparser, Any], str] = _WRITERS[type(expr)]
        return writer(self, expr)

    def list(self, exprs: tuple[Expr, ...]) -> str:
        """Expressions separated by commas."""
        return ", ".join([self.expr(e) for e in exprs])

    def subquery(self, query: tree.Query) -> str:
        """A query in parentheses."""
        return f"({self.query(query)})"

    def order(self, keys: tuple[tree.SortKey, ...]) -> str:
        """The items of ORDER BY."""
        return ", ".join([self.sort_key(k) for k in keys])

    def sort_key(self, key: tree.SortKey) -> str:
        """One item of ORDER BY; the default placing of NULLs is left out."""
        text = self.expr(key.expr)
        if isinstance(key.expr, tree.Const):
            text = f"({text})::{types.format_type(key.expr.type)}"  # Not an ordinal.
        return text + sort_direction(key)


def sort_direction(key: tree.SortKey) -> str:
    """What follows an ORDER BY item; nothing for the default."""
    if key.descending:
        return " DESC" + ("" if key.nulls_first else " NULLS LAST")
    return " NULLS FIRST" if key.nulls_first else ""


def _row(self: Deparser, node: tree.RowExpr) -> str:
    """Of a composite type it says so: two of these are compared as values, and not field by field."""
    text = f"ROW({self.list(node.items)})"
    return text if node.type is types.RECORD else f"{text}::{types.format_type(node.type)}"


def _const(_self: Deparser, node: tree.Const) -> str:
    value, kind = node.value, node.type
    if kind is types.UNKNOWN:
        return "NULL" if value is None else quote_literal(str(value))
    if value is None:
        return f"NULL::{types.format_type(kind, node.typmod)}"
    if kind is types.BOOL:
        return "true" if value else "false"
    if kind.names_objects:
        # By number: a name might mean another object when it is read again.
        number = types.OID if kind.element is None else types.by_name("_oid")
        assert number is not None
        text = number.output(value, DEFAULT_CONTEXT)
        return f"({quote_literal(text)}::{number.sql_name})::{kind.sql_name}"
    text = kind.output(value, DEFAULT_CONTEXT)
    if kind is types.INT4 and text.isdigit():
        return text
    if kind is types.NUMERIC and re.fullmatch(r"\d+\.\d+", text) and node.typmod < 0:
        return text
    if kind in (types.NUMERIC, types.FLOAT8) and text.isdigit() and node.typmod < 0:
        return f"({text})::{kind.sql_name}"  # Most are integers that were written beside one.
    # Never E'': backslashes stand for themselves in a standard string.
    plain = text.replace("'", "''")
    return f"'{plain}'::{types.format_type(kind, node.typmod)}"


def _call(self: Deparser, node: tree.Call) -> str:
    overload, args = node.overload, node.args
    if overload.kind is OverloadKind.CAST:
        inner = self.expr(args[0])
        # A literal of its own type would be read again as the outer cast's text.
        return f"({inner})::{_cast_type(node.type, node.typmod)}"
    if overload.kind is OverloadKind.OPERATOR:
        if len(args) == 1:
            return f"({overload.name} {self.expr(args[0])})"
        return f"({self.expr(args[0])} {overload.name} {self.expr(args[1])})"
    if overload.name in (ATTRIBUTE.name, FIELD.name):
        return f"({self.expr(args[0])}).{quote_identifier(_attribute_name(*args))}"
    if overload.name in CONSTRUCTORS:
        definition = node.type.definition
        assert definition is not None
        name = f"{quote_identifier(definition.namespace)}.{quote_identifier(definition.name)}"
        return f"{name}({self.list(args[1:])})"
    if overload.name in _BARE:
        return overload.name.upper() + (f"({self.list(args)})" if args else "")
    spread, name = overload.name.startswith(SPREAD), overload.name.removeprefix(SPREAD)
    written = [self.expr(arg) for arg in args]
    if spread:
        written[-1] = SPREAD + written[-1]
    return f"{quote_identifier(name)}({', '.join(written)})"


def _attribute_name(row: tree.Expr, place: tree.Expr) -> str:
    assert isinstance(place, tree.Const)
    assert isinstance(place.value, int)
    definition = composite_of(row.type)
    if definition is None:
        return f"f{place.value + 1}"
    return definition.attributes[place.value].name


def _cast_type(kind: PgType, typmod: int) -> str:
    return types.format_type(kind, typmod)


def _bool(self: Deparser, node: tree.BoolOp) -> str:
    if node.kind is tree.BoolKind.NOT:
        return f"(NOT {self.expr(node.args[0])})"
    return "(" + f" {node.kind.value} ".join([self.expr(a) for a in node.args]) + ")"


def _not(negated: bool) -> str:
    return "NOT " if negated else ""


def _is_truth(self: Deparser, node: tree.IsTruth) -> str:
    word = "UNKNOWN" if node.value is None else str(node.value).upper()
    return f"({self.expr(node.arg)} IS {_not(node.negated)}{word})"


def _is_distinct(self: Deparser, node: tree.IsDistinct) -> str:
    # `negated` is IS NOT DISTINCT FROM.
    left, right = self.expr(node.left), self.expr(node.right)
    return f"({left} IS {_not(node.negated)}DISTINCT FROM {right})"


def _case(self: Deparser, node: tree.Case) -> str:
    conditions = [condition for condition, _ in node.whens]
    operand = ""
    if node.operand is not None:
        operand = f"{self.expr(node.operand)} "
        # What it is compared with; it has its operator from that when it is read again.
        conditions = [c.args[1] for c in conditions if isinstance(c, tree.Call)]
    results = [self.expr(result) for _, result in node.whens]
    parts = [
        f"WHEN {self.expr(c)} THEN {result}" for c, result in zip(conditions, results, strict=True)
    ]
    return f"CASE {operand}{' '.join(parts)} ELSE {self.expr(node.default)} END"


def _in_list(self: Deparser, node: tree.InList) -> str:
    return f"({self.expr(node.arg)} {_not(node.negated)}IN ({self.list(node.items)}))"


def _any_all(self: Deparser, node: tree.AnyAll) -> str:
    word = "ALL" if node.all else "ANY"
    return f"({self.expr(node.arg)} {node.operator.name} {word} ({self.expr(node.array)}))"


def _array(self: Deparser, node: tree.ArrayExpr) -> str:
    return f"ARRAY[{self.list(node.items)}]"


def _subscript(self: Deparser, node: tree.Subscript) -> str:
    return _subscripted(self, node.arg) + "".join([f"[{self.expr(i)}]" for i in node.indexes])


def _subscripted(self: Deparser, arg: Expr) -> str:
    return self.expr(arg) if isinstance(arg, tree.ColumnRef) else f"({self.expr(arg)})"


def _slice(self: Deparser, node: tree.Slice) -> str:
    def bound(one: Expr | None) -> str:
        return "" if one is None else self.expr(one)

    places = [f"[{bound(lower)}:{bound(upper)}]" for lower, upper in node.bounds]
    return _subscripted(self, node.arg) + "".join(places)


def _in_subquery(self: Deparser, node: tree.InSubquery) -> str:
    left = self.expr(node.args[0]) if len(node.args) == 1 else f"({self.list(node.args)})"
    symbol, query = node.operators[0].name, self.subquery(node.query)
    if symbol == "=" and not node.all:
        return f"({left} IN {query})"
    if symbol == "<>" and node.all:
        return f"({left} NOT IN {query})"
    return f"({left} {symbol} {'ALL' if node.all else 'ANY'} {query})"


def _aggregate(self: Deparser, node: tree.Aggregate) -> str:
    inner = self.list(node.args) or ("" if node.within_group else "*")
    if node.distinct:
        inner = f"DISTINCT {inner}"
    if node.order_by and not node.within_group:
        inner += f" ORDER BY {self.order(node.order_by)}"
    text = f"{_called(node.overload)}({inner})"
    if node.within_group:
        text += f" WITHIN GROUP (ORDER BY {self.order(node.order_by)})"
    return text + _filter(self, node.filter)


def _called(overload: Overload) -> str:
    """The name of an aggregate or window function, with its schema if somebody made it."""
    names = overload.name.split(".", 1) if isinstance(overload, UserAggregate) else [overload.name]
    return ".".join([quote_identifier(name) for name in names])


def _filter(self: Deparser, condition: Expr | None) -> str:
    return "" if condition is None else f" FILTER (WHERE {self.expr(condition)})"


def _window(self: Deparser, node: tree.Window) -> str:
    star = "*" if node.overload.kind is OverloadKind.AGGREGATE and not node.args else ""
    parts = []
    if node.partition_by:
        parts.append(f"PARTITION BY {self.list(node.partition_by)}")
    if node.order_by:
        parts.append(f"ORDER BY {self.order(node.order_by)}")
    if node.frame is not None:
        parts.append(_frame(self, node.frame))
    name = _called(node.overload)
    call = f"{name}({star or self.list(node.args)}){_filter(self, node.filter)}"
    return f"{call} OVER ({' '.join(parts)})"


def _frame(self: Deparser, frame: tree.Frame) -> str:
    def bound(side: str, offset: Expr | None) -> str:
        return side.upper() if offset is None else f"{self.expr(offset)} {side.upper()}"

    start, end = bound(frame.start, frame.start_offset), bound(frame.end, frame.end_offset)
    exclude = f" EXCLUDE {frame.exclude.upper()}" if frame.exclude else ""
    return f"{frame.mode.upper()} BETWEEN {start} AND {end}{exclude}"


_WRITERS: dict[type, Callable[[Deparser, Any], str]] = {
    tree.Const: _const,
    tree.Numbered: lambda _s, n: f"ARRAY[{', '.join([f'${i + 1}' for i in n.indexes])}]",
    tree.Param: lambda _s, n: f"${n.index + 1}",
    tree.ColumnRef: lambda s, n: s.column(n),
    tree.Call: _call,
    tree.BoolOp: _bool,
    tree.IsNull: lambda s, n: f"({s.expr(n.arg)} IS {_not(n.negated)}NULL)",
    tree.IsTruth: _is_truth,
    tree.IsDistinct: _is_distinct,
    tree.Case: _case,
    tree.Coalesce: lambda s, n: f"COALESCE({s.list(n.args)})",
    tree.NullIf: lambda s, n: f"NULLIF({s.expr(n.left)}, {s.expr(n.right)})",
    tree.MinMax: lambda s, n: f"{'GREATEST' if n.greatest else 'LEAST'}({s.list(n.args)})",
    tree.InList: _in_list,
    tree.AnyAll: _any_all,
    tree.ArrayExpr: _array,
    tree.Subscript: _subscript,
    tree.Slice: _slice,
    tree.RowExpr: _row,
    tree.ScalarSubquery: lambda s, n: s.subquery(n.query),
    tree.ArraySubquery: lambda s, n: f"ARRAY{s.subquery(n.query)}",
    tree.Exists: lambda s, n: f"(EXISTS {s.subquery(n.query)})",
    tree.InSubquery: _in_subquery,
    tree.Aggregate: _aggregate,
    tree.Grouping: lambda s, n: f"GROUPING({s.list(n.args)})",
    tree.Window: _window,
}
