"""Analysed queries as text, in the spelling and with the line breaks of PostgreSQL's ruleutils.c."""

from collections.abc import Callable, Sequence
from functools import partial

from catalog.types.table import PgType
from kalam_pg.sql import analysed as a
from kalam_pg.sql.deparse import quote_identifier
from kalam_pg.sql.rule_expr import JOIN, STD, VAR, ExpressionText
from kalam_pg.sql.rule_names import name_relations


class QueryText(ExpressionText):
    """Writes queries; `around` are the names of the relations of those around the one that is written."""

    def __init__(
        self, type_text: Callable[[PgType, int], str], *, pretty: bool, prefix: bool, wrap: int = 0
    ) -> None:
        super().__init__(type_text, pretty=pretty, prefix=prefix, wrap=wrap)
        self.around: tuple[str, ...] = ()
        self.items: tuple[frozenset[str], ...] = ()

    def query(self, query: a.Query, *, visible: bool, columns: Sequence[str] | None = None) -> None:
        """A query. visible: its columns' names matter. columns: those that it is to have instead."""
        before, indent, prefix, items = self.around, self.indent, self.prefix, self.items
        self.around = (*before, *name_relations(query, before))
        self.items = (*items, frozenset(item.name for item in query.ctes))
        self._with(query)
        if query.operation is not None:
            self._operation(query.operation, columns, visible=visible)
        else:
            self._simple(query, columns, visible=visible)
        self._behind(query)
        self.around, self.indent, self.prefix, self.items = before, indent, prefix, items

    def _with(self, query: a.Query) -> None:
        if not query.ctes:
            return
        self.indent += STD
        self.put(" ")
        word = "WITH RECURSIVE " if query.recursive else "WITH "
        for cte in query.ctes:
            self.put(word + quote_identifier(cte.name))
            word = ", "
            if cte.aliases:
                self.put("(" + ", ".join(map(quote_identifier, cte.aliases)) + ")")
            how = {None: "", True: "MATERIALIZED ", False: "NOT MATERIALIZED "}[cte.materialized]
            self.put(f" AS {how}(")
            self.keyword("")
            self._below(cte.query, visible=True)
            self.keyword("")
            self.put(")" + cte.behind)
        self.indent -= STD
        self.keyword("")

    def _below(self, query: a.Query, *, visible: bool) -> None:
        prefix, self.prefix = self.prefix, True
        self.query(query, visible=visible)
        self.prefix = prefix

    def _operation(
        self, of: a.SetOf | a.Query, columns: Sequence[str] | None, *, visible: bool
    ) -> None:
        if isinstance(of, a.Query):
            closed = bool(
                of.ctes or of.order or of.locks or of.offset is not None or of.limit is not None
            )
            self.put("(" if closed else "")
            prefix, self.prefix = self.prefix, True
            self.query(of, visible=visible, columns=columns)
            self.prefix = prefix
            self.put(")" if closed else "")
            return
        left = of.left
        other = isinstance(left, a.SetOf) and (left.word, left.all) != (of.word, of.all)
        inner = STD if other else 0
        if other:
            self.put("(")
            self.keyword("", inner)
        self._operation(left, columns, visible=visible)
        self.keyword(") " if other else "", -inner)
        self.put(f"{of.word} {'ALL ' if of.all else ''}")
        nested = isinstance(of.right, a.SetOf)
        inner = STD if nested else 0
        self.put("(" if nested else "")
        self.keyword("", inner)
        self._operation(of.right, columns, visible=False)
        self.indent -= inner
        if nested:
            self.keyword(")")

    def _simple(self, query: a.Query, columns: Sequence[str] | None, *, visible: bool) -> None:
        self.indent += STD
        self.put(" ")
        if query.rows and [*(columns or query.columns)] == [*query.columns]:
            self._values(query.rows)
            return
        self.put("SELECT")
        if query.distinct is not None:
            self.put(" DISTINCT")
            if query.distinct:
                self.put(" ON (")
                self.grouped_by(query.distinct)
                self.put(")")
        self._targets(query.targets, columns, visible=visible)
        self._from(query.from_)
        if query.where is not None:
            self.keyword(" WHERE ", -STD, STD, 1)
            self.expr(query.where, implicit=False)
        if query.group:
            self.keyword(" GROUP BY ", -STD, STD, 1)
            self.put("DISTINCT " if query.group_distinct else "")
            keys = [item.expr for item in query.group if item.kind == "one" and item.expr]
            if len(keys) == len(query.group):
                self.grouped_by(keys)
            for at, item in enumerate(query.group if len(keys) < len(query.group) else ()):
                self.put(", " if at else "")
                self._grouped(item, bare=True)
        if query.having is not None:
            self.keyword(" HAVING ", -STD, STD, 0)
            self.expr(query.having, implicit=False)
        for at, (name, spec) in enumerate(query.windows):
            if at:
                self.put(", ")
            else:
                self.keyword(" WINDOW ", -STD, STD, 1)
            self.put(f"{quote_identifier(name)} AS ")
            self.window(spec)

    def _values(self, rows: Sequence[Sequence[a.Node]]) -> None:
        self.put("VALUES ")
        for at, row in enumerate(rows):
            self.put(", (" if at else "(")
            self.values(row, implicit=False, comma=",")
            self.put(")")

    def _grouped(self, item: a.Grouped, *, bare: bool) -> None:
        if item.kind == "one":
            assert item.expr is not None
            self.sorted_by(item.expr)
            return
        if item.kind == "list":
            closed = not bare or len(item.items) != 1
            opening = "(" if closed else ""
        else:
            closed, opening = True, item.kind
        self.put(opening)
        for at, one in enumerate(item.items):
            self.put(", " if at else "")
            self._grouped(one, bare=item.kind != "GROUPING SETS (")
        self.put(")" if closed else "")

    def _targets(
        self,
        targets: Sequence[tuple[a.Node, str]],
        columns: Sequence[str] | None,
        *,
        visible: bool,
    ) -> None:
        long_before = False
        for at, (node, written) in enumerate(targets):
            self.put(", " if at else " ")
            name = columns[at] if columns is not None and at < len(columns) else written
            text = self.aside(partial(self._target, node, name, visible=visible))
            if self.wrap >= 0:
                if text.startswith("\n"):
                    self.trim()
                elif at and (self.line_length() + len(text) > self.wrap or long_before):
                    self.keyword("", -STD, STD, VAR)
                long_before = "\n" in text[1 if text.startswith("\n") else 0 :]
            self.put(text)

    def _target(self, node: a.Node, name: str, *, visible: bool) -> None:
        known: str | None = None if visible else "?column?"
        if isinstance(node, a.Var):
            known = self.variable(node, alone=True)
        else:
            self.expr(node, implicit=True)
        if known is None or known != name:
            self.put(f" AS {quote_identifier(name)}")

    # ------------------------------------------------------------------ FROM

    def _from(self, items: Sequence[a.Rel | a.JoinItem]) -> None:
        for at, item in enumerate(items):
            if not at:
                self.keyword(" FROM ", -STD, STD, 2)
                self._item(item)
                continue
            self.put(", ")
            text = self.aside(partial(self._item, item))
            if self.wrap >= 0:
                if text.startswith("\n"):
                    self.trim()
                elif self.line_length() + len(text) > self.wrap:
                    self.keyword("", -STD, STD, VAR)
            self.put(text)

    def _item(self, item: a.Rel | a.JoinItem) -> None:
        if isinstance(item, a.JoinItem):
            self._join(item)
            return
        self.put("LATERAL " if item.lateral else "")
        if item.query is not None:
            self.put("(")
            self._below(item.query, visible=True)
            self.put(")")
        elif item.kind == "function":
            self._functions(item)
        elif item.kind == "values":
            self.put("(")
            self._values(item.rows)
            self.put(")")
        else:
            clash = item.kind == "relation" and any(item.called in names for names in self.items)
            self.put(("ONLY " if item.only else "") + (item.source if clash else item.bare))
        plain = item.kind in ("relation", "cte") and item.name == item.called
        if item.alias or item.prints or not plain:
            self.put(f" {quote_identifier(item.name)}")
        self._aliases(item)
        if item.sample is not None:
            method, percent, seed = item.sample
            self.put(f" TABLESAMPLE {method} (")
            self.expr(percent, implicit=False)
            if seed is not None:
                self.put(") REPEATABLE (")
                self.expr(seed, implicit=False)
            self.put(")")

    def _functions(self, item: a.Rel) -> None:
        several = len(item.calls) > 1 or (item.definitions and item.ordinality)
        unnested = [c.args[0] for c in item.calls if isinstance(c, a.Func) and c.name == "unnest"]
        if several and len(unnested) == len(item.calls):
            self.put("UNNEST(")
            self.list(unnested)
            self.put(")")
        else:
            self.put("ROWS FROM(" if several else "")
            for at, call in enumerate(item.calls):
                self.put(", " if at else "")
                self._called(call)
            self.put(")" if several else "")
        self.put(" WITH ORDINALITY" if item.ordinality else "")

    def _called(self, call: a.Node) -> None:
        """A call in FROM, where nothing else may stand but what looks like one."""
        if isinstance(call, a.Func | a.Listed) or (isinstance(call, a.Words) and call.call):
            self.expr(call, implicit=True)
            return
        self.put("CAST(")
        self.expr(call, implicit=False)
        assert isinstance(call, a.Cast)
        self.put(f" AS {self.type_text(call.type, call.typmod)})")

    def _aliases(self, item: a.Rel) -> None:
        if not item.prints:
            return
        names = [quote_identifier(name) for name in item.shown if name is not None]
        if item.definitions:
            names = [f"{n} {d}" for n, d in zip(names, item.definitions, strict=True)]
        if names:
            self.put(f"({', '.join(names)})")

    def _join(self, item: a.JoinItem) -> None:
        closed = not self.pretty or bool(item.rel.alias)
        self.put("(" if closed else "")
        self._item(item.left)
        word = {"inner": " JOIN ", "cross": " CROSS JOIN "}.get(item.kind)
        if item.kind == "inner" and item.condition is None and not item.using:
            word = " CROSS JOIN "
        self.keyword(word or f" {item.kind.upper()} JOIN ", -STD, STD, JOIN)
        right = item.right
        around = self.pretty and isinstance(right, a.JoinItem) and not right.rel.alias
        self.put("(" if around else "")
        self._item(right)
        self.put(")" if around else "")
        if item.using:
            names = [name for name in item.rel.shown[: len(item.using)] if name is not None]
            self.put(f" USING ({', '.join(map(quote_identifier, names))})")
            if item.using_alias:
                self.put(f" AS {quote_identifier(item.using_alias)}")
        elif item.condition is not None:
            self.put(" ON ")
            self.open()
            self.expr(item.condition, implicit=False)
            self.close()
        elif item.kind not in ("inner", "cross"):
            self.put(" ON TRUE")
        self.put(")" if closed else "")
        if item.rel.alias:
            self.put(f" {quote_identifier(item.rel.name)}")
            self._aliases(item.rel)

    # ------------------------------------------------------------------ behind a query

    def _behind(self, query: a.Query) -> None:
        if query.order:
            self.keyword(" ORDER BY ", -STD, STD, 1)
            self.order(query.order)
        if query.offset is not None:
            self.keyword(" OFFSET ", -STD, STD, 0)
            self.expr(query.offset, implicit=False)
        if query.limit is not None:
            self.keyword(" FETCH FIRST " if query.ties else " LIMIT ", -STD, STD, 0)
            if isinstance(query.limit, a.Constant) and query.limit.value is None:
                self.put("ALL")
            else:
                self.put("(" if query.ties else "")
                self.expr(query.limit, implicit=False)
            self.put(") ROWS WITH TIES" if query.ties else "")
        for strength, rels, wait in query.locks:
            for rel in rels:
                self.keyword(f" {strength}", -STD, STD, 0)
                self.put(f" OF {quote_identifier(rel.name)}" + (f" {wait}" if wait else ""))
