"""Analysed expressions as text, in the spelling of PostgreSQL's ruleutils.c.

Each node is written so that it is one term whatever stands around it: in parentheses, unless `pretty` leaves
out those that nobody needs. Casts that nobody wrote are shown where they decide what is called.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from catalog.types import registry as types
from catalog.types.composite import composite_of
from catalog.types.table import DEFAULT_CONTEXT, PgType
from kalam_pg.sql import analysed as a
from kalam_pg.sql.deparse import quote_identifier
from kalam_pg.sql.rule_simple import is_simple

STD, JOIN, VAR = 8, 4, 4
"""How far lines go in: of clauses, of joins, and of what is longer than a line."""

_INDENT_MAX: Final = 40
_DECIMAL = re.compile(r"\d+[.eE]")


class ExpressionText:
    """Collects the text. type_text: a type as it is called here; wrap: see `view_text.Form`."""

    def __init__(
        self, type_text: Callable[[PgType, int], str], *, pretty: bool, prefix: bool, wrap: int = 0
    ) -> None:
        self.type_text = type_text
        self.pretty = pretty
        self.prefix = prefix
        self.wrap = wrap
        self.indent = 0
        self.parts: list[str] = []

    # ------------------------------------------------------------------ the text so far

    def put(self, text: str) -> None:
        """Add text."""
        self.parts.append(text)

    def aside(self, write: Callable[[], object]) -> str:
        """What something writes, which is not added."""
        before, self.parts = self.parts, []
        write()
        text, self.parts = "".join(self.parts), before
        return text

    def trim(self) -> None:
        """Take off the blanks at the end."""
        while self.parts:
            last = self.parts.pop().rstrip(" ")
            if last:
                self.parts.append(last)
                return

    def line_length(self) -> int:
        """Of the last line so far."""
        length = 0
        for part in reversed(self.parts):
            behind = part.rfind("\n")
            if behind >= 0:
                return length + len(part) - behind - 1
            length += len(part)
        return length

    def keyword(self, word: str, before: int = 0, after: int = 0, plus: int = 0) -> None:
        """A word on a line of its own; the lines behind it go in further, or less far."""
        self.indent += before
        self.trim()
        amount = max(self.indent, 0)
        if self.indent >= _INDENT_MAX:
            amount = (_INDENT_MAX + (self.indent - _INDENT_MAX) // (STD // 2)) % _INDENT_MAX
        self.put("\n" + " " * (amount + plus) + word)
        self.indent = max(self.indent + after, 0)

    # ------------------------------------------------------------------ expressions

    def expr(self, node: a.Node, *, implicit: bool) -> None:
        """One expression. implicit: a cast around all of it that nobody wrote is shown."""
        if isinstance(node, a.Cast):
            self._cast(node, implicit=implicit)
            return
        writer: Callable[[ExpressionText, Any], object] = _WRITERS[type(node)]
        writer(self, node)

    def inner(self, node: a.Node, parent: a.Node, *, implicit: bool) -> None:
        """An operand, in parentheses where `pretty` cannot do without."""
        if self.pretty and not is_simple(node, parent):
            self.put("(")
            self.expr(node, implicit=implicit)
            self.put(")")
        else:
            self.expr(node, implicit=implicit)

    def list(self, nodes: Sequence[a.Node], *, implicit: bool = True) -> None:
        """Expressions with commas between them."""
        for at, node in enumerate(nodes):
            if at:
                self.put(", ")
            self.expr(node, implicit=implicit)

    def values(self, nodes: Sequence[a.Node], *, implicit: bool, comma: str = ", ") -> None:
        """As `list`, where a row that stands by itself would be spread."""
        for at, node in enumerate(nodes):
            if at:
                self.put(comma)
            if isinstance(node, a.Var):
                self.variable(node, alone=True)
            else:
                self.expr(node, implicit=implicit)

    def variable(self, node: a.Var, *, alone: bool = False) -> str | None:
        """A column; what it is called."""
        name = node.name or (None if node.column is None else node.rel.shown[node.column])
        if node.rel.name and (self.prefix or name is None):
            self.put(quote_identifier(node.rel.name) + ".")
        if name is not None:
            self.put(quote_identifier(name))
        else:
            self.put("*" + (f"::{self.type_text(node.type, -1)}" if alone else ""))
        return name

    def constant(self, node: a.Constant, label: int = 0) -> None:
        """A constant with its type, where it would not be read as that. label: -1 never, 1 always."""
        kind = node.type
        written = node.text
        if node.value is None and written is None:
            self.put("NULL" + (f"::{self.type_text(kind, -1)}" if label >= 0 else ""))
            return
        text = kind.output(node.value, DEFAULT_CONTEXT) if written is None else written
        quoted = "'" + text.replace("'", "''") + "'"
        needed = True
        if kind is types.BOOL:
            quoted, needed = ("true" if node.value else "false"), False
        elif kind is types.UNKNOWN:
            needed = False
        elif (kind is types.INT4 and text.isdigit()) or (
            kind is types.NUMERIC and _DECIMAL.match(text)
        ):
            quoted, needed = text, False
        shown = label > 0 or (needed and label == 0)
        self.put(quoted + (f"::{self.type_text(kind, -1)}" if shown else ""))

    def _cast(self, node: a.Cast, *, implicit: bool) -> None:
        if node.implicit and not implicit:
            self.inner(node.arg, node, implicit=False)
            return
        if isinstance(node.arg, a.Constant) and node.arg.type is node.type:
            self.constant(node.arg, -1)
        elif self.pretty:
            self.inner(node.arg, node, implicit=False)
        else:
            self.put("(")
            self.expr(node.arg, implicit=False)
            self.put(")")
        self.put(f"::{self.type_text(node.type, node.typmod)}")

    def open(self) -> None:
        """A parenthesis that `pretty` leaves to who stands around."""
        if not self.pretty:
            self.put("(")

    def close(self) -> None:
        """See `open`."""
        if not self.pretty:
            self.put(")")

    def query(self, query: a.Query, *, visible: bool) -> None:
        """A subquery: see `rule_text`."""
        raise NotImplementedError

    # ------------------------------------------------------------------ ORDER BY and windows

    def order(self, items: Sequence[a.SortItem]) -> None:
        """The items of ORDER BY; an output column that is named again sorts no further."""
        seen: list[a.Node | int] = []
        for item in items:
            if any(item.expr is one for one in seen):
                continue
            self.put(", " if seen else "")
            if isinstance(item.expr, int):
                self.put(str(item.expr))
            else:
                self.sorted_by(item.expr)
            self.put(item.suffix)
            seen.append(item.expr)

    def grouped_by(self, nodes: Sequence[a.Node]) -> None:
        """What rows are grouped or told apart by, each once."""
        self.order([a.SortItem(node) for node in nodes])

    def sorted_by(self, node: a.Node) -> None:
        """What is sorted or grouped by: no constant is taken for a column's number there."""
        if isinstance(node, a.Constant):
            self.constant(node, 1)
        elif isinstance(node, a.Var):
            self.expr(node, implicit=True)
        else:
            called = isinstance(node, a.Func | a.AggregateOf | a.Cast)
            if isinstance(node, a.Cast):
                called = node.by_function
            if self.pretty or called:
                self.put("(")
            self.expr(node, implicit=True)
            if self.pretty or called:
                self.put(")")

    def window(self, spec: a.WindowSpec) -> None:
        """A window's definition."""
        self.put("(" + (quote_identifier(spec.refers) if spec.refers else ""))
        between = " " if spec.refers else ""
        if spec.partition and not spec.refers:
            self.put(f"{between}PARTITION BY ")
            self.grouped_by(spec.partition)
            between = " "
        if spec.order:
            self.put(f"{between}ORDER BY ")
            self.order(spec.order)
            between = " "
        for piece in spec.frame:
            self.put(between)
            between = " "
            if isinstance(piece, str):
                self.put(piece)
            else:
                self.expr(piece, implicit=False)
        self.put(")")


def _op(self: ExpressionText, node: a.Op) -> None:
    self.open()
    if node.left is not None:
        self.inner(node.left, node, implicit=True)
        self.put(f" {node.symbol} ")
    else:
        self.put(f"{node.symbol} ")
    self.inner(node.right, node, implicit=True)
    self.close()


def _logic(self: ExpressionText, node: a.Logic) -> None:
    self.open()
    if node.word == "NOT":
        self.put("NOT ")
        self.inner(node.args[0], node, implicit=False)
    else:
        for at, arg in enumerate(node.args):
            if at:
                self.put(f" {node.word} ")
            self.inner(arg, node, implicit=False)
    self.close()


def _test(self: ExpressionText, node: a.Test) -> None:
    self.open()
    self.inner(node.arg, node, implicit=node.shows)
    self.put(f" IS {node.words}")
    self.close()


def _distinct(self: ExpressionText, node: a.Distinct) -> None:
    self.open()
    self.inner(node.left, node, implicit=True)
    self.put(" IS DISTINCT FROM ")
    self.inner(node.right, node, implicit=True)
    self.close()


def _array_op(self: ExpressionText, node: a.ArrayOp) -> None:
    self.open()
    self.inner(node.left, node, implicit=True)
    self.put(f" {node.symbol} {node.word} (")
    self.inner(node.right, node, implicit=True)
    self.put(f"{node.cast})")
    self.close()


def _row_compare(self: ExpressionText, node: a.RowCompare) -> None:
    self.put("(ROW(")
    self.values(node.left, implicit=True)
    self.put(f") {node.symbol} ROW(")
    self.values(node.right, implicit=True)
    self.put("))")


def _func(self: ExpressionText, node: a.Func) -> None:
    if node.syntax and _syntax(self, node):
        return
    self.put(f"{node.name}(")
    for at, arg in enumerate(node.args):
        if at:
            self.put(", ")
        if node.variadic and at == len(node.args) - 1:
            self.put("VARIADIC ")
        if node.names and node.names[at]:
            self.put(f"{quote_identifier(node.names[at])} => ")
        self.expr(arg, implicit=True)
    self.put(")")


def _syntax(self: ExpressionText, node: a.Func) -> bool:
    """A call in a way of writing of its own; False where there is none for it."""
    args = node.args
    # What is a word there is a constant here.
    words = [str(e.value) if isinstance(e, a.Constant) else "" for e in args]
    pieces: list[str | a.Node]
    match node.syntax, args:
        case "timezone", [zone, time]:
            self.put("(")
            self.inner(time, node, implicit=False)
            self.put(" AT TIME ZONE ")
            self.inner(zone, node, implicit=False)
            pieces = [")"]
        case "overlaps", [one, two, three, four]:
            pieces = ["((", one, ", ", two, ") OVERLAPS (", three, ", ", four, "))"]
        case "extract", [_, source]:
            pieces = [f"EXTRACT({words[0]} FROM ", source, ")"]
        case "pg_collation_for", [one]:
            pieces = ["COLLATION FOR (", one, ")"]
        case "normalize", [one, *form]:
            pieces = ["NORMALIZE(", one, f", {words[1]})" if form else ")"]
        case "overlay", [one, two, start, *count]:
            pieces = ["OVERLAY(", one, " PLACING ", two, " FROM ", start]
            pieces += [" FOR ", *count, ")"] if count else [")"]
        case "position", [whole, part]:
            pieces = ["POSITION((", part, ") IN (", whole, "))"]
        case "substring", [one, start, *count]:
            pieces = ["SUBSTRING(", one, " FROM ", start]
            pieces += [" FOR ", *count, ")"] if count else [")"]
        case "similar", [one, pattern, escape]:
            pieces = ["SUBSTRING(", one, " SIMILAR ", pattern, " ESCAPE ", escape, ")"]
        case (("btrim" | "ltrim" | "rtrim"), [one, *letters]):
            side = {"b": "BOTH", "l": "LEADING", "r": "TRAILING"}[node.syntax[0]]
            pieces = [f"TRIM({side}{' ' if letters else ''}", *letters, " FROM ", one, ")"]
        case _:
            return False
    for piece in pieces:
        if isinstance(piece, str):
            self.put(piece)
        else:
            self.expr(piece, implicit=False)
    return True


def _aggregate(self: ExpressionText, node: a.AggregateOf) -> None:
    self.put(f"{node.name}({'DISTINCT ' if node.distinct else ''}")
    if node.star:
        self.put("*")
    for at, arg in enumerate(node.args):
        if at:
            self.put(", ")
        if node.variadic and at == len(node.args) - 1:
            self.put("VARIADIC ")
        self.expr(arg, implicit=True)
    if node.order:
        self.put(") WITHIN GROUP (ORDER BY " if node.within else " ORDER BY ")
        self.order(node.order)
    if node.filter is not None:
        self.put(") FILTER (WHERE ")
        self.expr(node.filter, implicit=False)
    self.put(")")
    if isinstance(node.over, str):
        self.put(f" OVER {quote_identifier(node.over)}")
    elif node.over is not None:
        self.put(" OVER ")
        self.window(node.over)


def _listed(self: ExpressionText, node: a.Listed) -> None:
    self.put(f"{node.word}(")
    self.list(node.args)
    self.put(")")


def _array(self: ExpressionText, node: a.ArrayOf) -> None:
    self.put("ARRAY[")
    self.list(node.items)
    self.put("]" if node.items else f"]::{self.type_text(node.type, -1)}")


def _row(self: ExpressionText, node: a.RowOf) -> None:
    self.put("ROW(")
    self.values(node.items, implicit=True)
    self.put(")" if node.type is None else f")::{self.type_text(node.type, -1)}")


def _element(self: ExpressionText, node: a.Element) -> None:
    plain = isinstance(node.arg, a.Var | a.Field)
    self.put("" if plain else "(")
    self.expr(node.arg, implicit=True)
    self.put("" if plain else ")")
    for place in node.places:
        self.put("[")
        for at, bound in enumerate(place):
            self.put(":" if at else "")
            if bound is not None:
                self.expr(bound, implicit=False)
        self.put("]")


def _field(self: ExpressionText, node: a.Field) -> None:
    plain = isinstance(node.arg, a.Element | a.Field)
    self.put("" if plain else "(")
    self.expr(node.arg, implicit=True)
    self.put(("" if plain else ")") + f".{quote_identifier(node.name)}")


def _case(self: ExpressionText, node: a.CaseOf) -> None:
    self.keyword("CASE", 0, VAR)
    if node.operand is not None:
        self.put(" ")
        self.expr(node.operand, implicit=True)
    for condition, result in node.whens:
        self.keyword("WHEN ")
        self.expr(condition, implicit=False)
        self.put(" THEN ")
        self.expr(result, implicit=True)
    self.keyword("ELSE ")
    self.expr(node.default, implicit=True)
    self.keyword("END", -VAR)


def _collated(self: ExpressionText, node: a.Collated) -> None:
    self.open()
    self.inner(node.arg, node, implicit=True)
    self.put(f" COLLATE {quote_identifier(node.name)}")
    self.close()


def _sublink(self: ExpressionText, node: a.Sublink) -> None:
    self.put("ARRAY(" if node.kind == "array" else "(")
    if len(node.tests) == 1:
        self.expr(node.tests[0], implicit=True)
    elif node.tests:
        self.put("(")
        self.list(node.tests)
        self.put(")")
    words = {
        "exists": "EXISTS ", "row": f" {node.symbol} ", "all": f" {node.symbol} ALL ",
        "any": " IN " if node.symbol == "=" else f" {node.symbol} ANY ",
    }.get(node.kind)  # fmt: skip
    self.put("" if words is None else words + "(")
    self.query(node.query, visible=False)
    self.put(")" if words is None else "))")


_WRITERS: dict[type[a.Node], Callable[[ExpressionText, Any], object]] = {
    a.Var: ExpressionText.variable,
    a.Constant: ExpressionText.constant,
    a.Words: lambda s, n: s.put(n.text),
    a.Func: _func,
    a.Listed: _listed,
    a.Op: _op,
    a.Logic: _logic,
    a.Test: _test,
    a.Distinct: _distinct,
    a.ArrayOp: _array_op,
    a.RowCompare: _row_compare,
    a.ArrayOf: _array,
    a.RowOf: _row,
    a.Element: _element,
    a.Field: _field,
    a.CaseOf: _case,
    a.Collated: _collated,
    a.AggregateOf: _aggregate,
    a.Sublink: _sublink,
}


def is_row_type(kind: PgType) -> bool:
    """Whether a type's values are rows."""
    return kind is types.RECORD or composite_of(kind) is not None
