"""Expressions of definitions as PostgreSQL's pg_get_constraintdef spells them."""

import re

from catalog.model import Table
from catalog.pg_catalog.text import bare
from catalog.types.registry import BOOL, TEXT, VARCHAR, format_type
from kalam_pg.functions.table import OverloadKind
from kalam_pg.sql import tree
from kalam_pg.sql.bind import BindScope, bind_expression
from kalam_pg.sql.deparse import Deparser, quote_identifier
from kalam_pg.sql.kept_calls import calls_people
from kalam_pg.sql.tree import Expr
from kalam_pg.sql.walk import column_refs
from storage.errors import KalamError

_NUMBER = re.compile(r"\((\d+)\)(?=::)")


def check_text(table: Table, text: str, scope: BindScope, *, pretty: bool) -> str:
    """A CHECK's expression, what stands in its parentheses. pretty: without those that nobody needs.

    The text as it was written where it cannot be read any more.
    """
    if calls_people(text, scope.snapshot):
        return text if pretty else f"({text})"
    try:
        bound = bind_expression(text, scope, table, BOOL)
    except KalamError:
        return text if pretty else f"({text})"
    writer = _Definition(table, pretty=pretty)
    shown = writer.expr(bound)
    return bare(shown) if pretty else shown


def check_columns(table: Table, text: str, scope: BindScope) -> tuple[int, ...]:
    """The ids of the columns that a CHECK names, each once; () where its text cannot be read any more."""
    try:
        bound = bind_expression(text, scope, table, BOOL)
    except KalamError:
        return ()
    ids = {column.name: column.id for column in table.columns}
    # Its own columns, and the fields of rows of its own, are all of this table.
    named = [reference.name for _, reference in column_refs(bound)]
    return tuple(dict.fromkeys([ids[name] for name in named if name in ids]))


class _Definition(Deparser):
    """ruleutils.c's spelling, with and without PRETTY_PAREN."""

    def __init__(self, table: Table, *, pretty: bool) -> None:
        def _name(reference: tree.ColumnRef) -> str:
            return quote_identifier(reference.name) if table.id else reference.name.upper()

        super().__init__(_name, lambda _query: "…")
        self._pretty = pretty

    def expr(self, expr: Expr) -> str:
        match expr:
            case tree.InList():
                return self._in_list(expr)
            case tree.Case():
                whens = [f"    WHEN {self._part(c)} THEN {self.expr(r)}" for c, r in expr.whens]
                return "\nCASE\n{}\n    ELSE {}\nEND".format(
                    "\n".join(whens), self.expr(expr.default)
                )
            case tree.Const() if self._pretty:
                return _NUMBER.sub(r"\1", super().expr(expr), count=1)
            case tree.Call() if self._pretty and expr.overload.kind is OverloadKind.CAST:
                return f"{self.expr(expr.args[0])}::{format_type(expr.type, expr.typmod)}"
            case tree.BoolOp() if self._pretty:
                return self._bool(expr)
            case _:
                return super().expr(expr)

    def _part(self, expr: Expr) -> str:
        return bare(self.expr(expr)) if self._pretty else self.expr(expr)

    def _bool(self, expr: tree.BoolOp) -> str:
        if expr.kind is tree.BoolKind.NOT:
            return f"(NOT {self._part(expr.args[0])})"
        parts = [self.expr(a) if isinstance(a, tree.BoolOp) else self._part(a) for a in expr.args]
        return "(" + f" {expr.kind.value} ".join(parts) + ")"

    def _in_list(self, expr: tree.InList) -> str:
        items, arg = self.list(expr.items), expr.arg
        listed = f"ARRAY[{items}]"
        of_varchar = (
            isinstance(arg, tree.Call) and arg.overload.name == f"{VARCHAR.name}->{TEXT.name}"
        )
        if of_varchar and all(isinstance(one, tree.Const) for one in expr.items):
            # PostgreSQL has an array of the column's type here, and casts that.
            listed = listed.replace("::text", "::character varying")
            listed = f"{listed}::text[]" if self._pretty else f"({listed})::text[]"
        word = "<> ALL" if expr.negated else "= ANY"
        return f"({self.expr(arg)} {word} ({listed}))"
