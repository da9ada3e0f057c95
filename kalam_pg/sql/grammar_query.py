"""The grammar of queries (gram.y's SelectStmt), to the nodes of `dialect`."""

from abc import abstractmethod

from sqlglot import exp

from catalog.errors import SqlSyntaxError
from kalam_pg.sql.grammar_from import FromGrammar
from kalam_pg.sql.keywords import NEEDS_AS
from kalam_pg.sql.leaves import row, row_of
from kalam_pg.sql.lexer import Token
from kalam_pg.sql.listings import Listing
from kalam_pg.sql.positions import mark, position

_SET_OPERATIONS: dict[str, tuple[type[exp.SetOperation], int]] = {
    "union": (exp.Union, 1),
    "except": (exp.Except, 1),
    "intersect": (exp.Intersect, 2),
}
_STRENGTHS = (
    ("update",),
    ("no", "key", "update"),
    ("share",),
    ("key", "share"),
)
_ENDS_TARGETS = (
    *("from", "where", "group", "having", "window", "union", "intersect", "except"),
    *("order", "limit", "offset", "fetch", "for", "into", ")", "on", "returning"),
)
# What PostgreSQL calls the clauses that a query may have only once.
_ONCE = {"order": "ORDER BY", "limit": "LIMIT", "offset": "OFFSET", "with_": "WITH"}


class QueryGrammar(FromGrammar):
    """Reads SELECT, VALUES, TABLE and what combines them."""

    into: exp.Table | None = None
    """What the INTO of a SELECT names, once one was read."""

    @abstractmethod
    def data_change(self) -> exp.Expr:
        """INSERT, UPDATE, DELETE or MERGE."""

    def subquery(self) -> exp.Subquery:
        """select_with_parens."""
        token = self.expect("(")
        query = self.query()
        self.expect(")")
        return mark(exp.Subquery(this=query), token.start)

    def query(self) -> exp.Expr:
        """SelectStmt without parentheses of its own around it, or with."""
        with_ = self.with_clause()
        query = self._combined(1)
        return self._finished(query, with_)

    def with_clause(self) -> exp.With | None:
        """WITH [RECURSIVE] …, or nothing."""
        token = self.token
        if not self.accept("with"):
            return None
        recursive = self.accept("recursive")
        ctes = self.many(self._cte)
        return mark(exp.With(expressions=ctes, recursive=recursive), token.start)

    def _cte(self) -> exp.CTE:
        start = self.token.start
        alias = exp.TableAlias(this=self.identifier())
        if self.at("("):
            alias.set("columns", self.parenthesised(self.identifier))
        self.expect("as")
        materialized: bool | None = None
        if self.accept("materialized"):
            materialized = True
        elif self.accept("not", "materialized"):
            materialized = False
        self.expect("(")
        changes = self.at("insert", "update", "delete", "merge") or self._change_behind_with()
        body = self.data_change() if changes else self.query()
        self.expect(")")
        cte = exp.CTE(this=body, alias=alias)
        cte.set("materialized", materialized)
        if self.at("search"):
            cte.set("search", self._search())
        if self.at("cycle"):
            cte.set("cycle", self._cycle())
        return mark(cte, start)

    def _search(self) -> exp.Tuple:
        """SEARCH {BREADTH | DEPTH} FIRST BY columns SET column: see `search_cycle`."""
        start = self.token.start
        self.expect("search")
        kind = "depth" if self.accept("depth") else "breadth"
        if kind == "breadth":
            self.expect("breadth")
        self.expect("first", "by")
        found = exp.Tuple(expressions=self.many(self.identifier))
        self.expect("set")
        found.set("kind", kind)
        found.set("order", self.identifier())
        return mark(found, start)

    def _cycle(self) -> exp.Tuple:
        """CYCLE columns SET column [TO value DEFAULT value] USING column."""
        start = self.token.start
        self.expect("cycle")
        found = exp.Tuple(expressions=self.many(self.identifier))
        self.expect("set")
        found.set("mark", self.identifier())
        if self.accept("to"):
            found.set("value", self.expression())
            self.expect("default")
            found.set("default", self.expression())
        self.expect("using")
        found.set("path", self.identifier())
        return mark(found, start)

    def _change_behind_with(self) -> bool:
        """Whether the WITH that comes next belongs to an INSERT, UPDATE, DELETE or MERGE."""
        if not self.at("with"):
            return False
        at = self.index
        while at < len(self.tokens):
            key = self.tokens[at].key
            if key in ("insert", "update", "delete", "merge") and not self._is_item(at):
                return True
            if key in ("select", "values", "table", ")"):
                return False
            at = self.closing(at) + 1 if key == "(" else at + 1
        return False

    def _is_item(self, at: int) -> bool:
        """Whether a word is the name of a WITH item."""
        return at + 1 < len(self.tokens) and self.tokens[at + 1].key in ("as", "(")

    def _combined(self, lowest: int) -> exp.Expr:
        """Operands with UNION, EXCEPT and (binding tighter) INTERSECT between them."""
        left = self._operand_query()
        while True:
            token = self.token
            found = _SET_OPERATIONS.get(token.key)
            if found is None or found[1] < lowest:
                return left
            self.advance()
            kind, level = found
            distinct = not self.accept("all")
            if distinct:
                self.accept("distinct")
            right = self._combined(level + 1)
            left = mark(kind(this=left, expression=right, distinct=distinct), token.start)

    def _operand_query(self) -> exp.Expr:
        if self.at("("):
            query: exp.Expr = self.subquery().this
            return query
        if self.at("select"):
            return self._select()
        if self.at("values"):
            return self._values()
        if self.at("table"):
            token = self.advance()
            table = self.relation()
            select = exp.Select(expressions=[mark(exp.Star(), token.start)])
            select.set("from_", mark(exp.From(this=table), token.start))
            return mark(select, token.start)
        return self.fail()

    def _values(self) -> exp.Values:
        token = self.expect("values")
        rows: list[exp.Expr] = []
        listed: Listing | None = None
        while True:
            if self.token.kind == "rows":
                last = self.advance()
                listed = Listing(last.value, last.start)
                break
            rows.append(self._values_row())
            if not self.accept(","):
                break
        # What has no subquery in it needs to know no parent (`leaves`).
        leaves = all(type(row.args["expressions"]) is tuple for row in rows)
        values = exp.Values(expressions=tuple(rows) if leaves else rows)
        if listed is not None:
            values.set("listed", listed)
        return mark(values, token.start)

    def _values_row(self) -> exp.Expr:
        if self.token.kind == "row":
            return row_of(self.advance())
        token = self.expect("(")
        leaves = self.leaves(")")
        if leaves is not None:
            return row(leaves, token.start)
        items = self.many(self.value)
        self.expect(")")
        return mark(exp.Tuple(expressions=items), token.start)

    def value(self) -> exp.Expr:
        """An expression, or DEFAULT."""
        if self.at("default"):
            return mark(exp.Var(this="DEFAULT"), self.advance().start)
        return self.expression()

    # ------------------------------------------------------------------ SELECT

    def _select(self) -> exp.Select:
        token = self.expect("select")
        select = exp.Select()
        if self.at("distinct"):
            select.set("distinct", self._distinct())
        else:
            self.accept("all")
        select.set("expressions", self._targets())
        if self.at("into"):
            select.set("into", self._into())
        if self.accept("from"):
            self.from_list(select)
        where = self.where()
        if where is not None:
            select.set("where", where)
        if self.at_words("group", "by"):
            select.set("group", self._group())
        if self.at("having"):
            start = self.advance().start
            select.set("having", mark(exp.Having(this=self.expression()), start))
        if self.accept("window"):
            select.set("windows", self.many(self._named_window))
        return mark(select, token.start)

    def _into(self) -> exp.Table:
        """INTO of SELECT: where it may stand is told by who has read the whole statement."""
        token = self.advance()
        unlogged = self.accept("unlogged")
        temporary = not unlogged and self._temporary()
        self.accept("table")
        table = self.relation()
        table.meta.update(temporary=temporary, unlogged=unlogged)
        if self.into is not None and position(self.into) != position(
            table
        ):  # It may be read again.
            message = "SELECT ... INTO is not allowed here"
            raise SqlSyntaxError(message, position=self.position(token))
        self.into = table
        return table

    def _temporary(self) -> bool:
        """[LOCAL | GLOBAL] TEMP[ORARY] before what INTO names, which may be called so itself."""
        if self.at("local", "global") and self.peek().key in ("temp", "temporary"):
            self.advance()
        if not self.at("temp", "temporary") or self.peek().key in ("from", ".", ";", ""):
            return False
        self.advance()
        return True

    def _distinct(self) -> exp.Distinct:
        token = self.advance()
        distinct = exp.Distinct()
        if self.accept("on"):
            at = self.token
            items = self.parenthesised(self.expression)
            distinct.set("on", mark(exp.Tuple(expressions=items), at.start))
        return mark(distinct, token.start)

    def _targets(self) -> list[exp.Expr]:
        if self.at_end() or self.at(*_ENDS_TARGETS):
            return []
        return self.targets()

    def targets(self) -> list[exp.Expr]:
        """target_list: of SELECT and RETURNING."""
        return self.many(self._target)

    def _target(self) -> exp.Expr:
        token = self.token
        if self.at("*"):
            return mark(exp.Star(), self.advance().start)
        value = self.expression()
        after = self.token
        labelled = self.accept("as")
        if (
            labelled
            or after.kind == "name"
            or (after.kind == "word" and after.value not in NEEDS_AS)
        ):
            name = self.identifier(label=True)
            return mark(exp.Alias(this=value, alias=name), token.start)
        return value

    def where(self) -> exp.Where | None:
        """WHERE …, or nothing."""
        token = self.token
        if not self.accept("where"):
            return None
        return mark(exp.Where(this=self.expression()), token.start)

    def _group(self) -> exp.Group:
        token = self.expect("group", "by")
        group = exp.Group()
        if self.accept("distinct"):
            group.set("distinct", True)
        else:
            self.accept("all")
        group.set("expressions", self.many(self._group_item))
        return mark(group, token.start)

    def _group_item(self) -> exp.Expr:
        token = self.token
        if self.at_words("(", ")"):
            self.advance()
            self.advance()
            return mark(exp.Tuple(expressions=[]), token.start)
        if self.at_words("grouping", "sets", "("):
            self.expect("grouping", "sets")
            sets = self.parenthesised(self._group_item)
            return mark(exp.GroupingSets(expressions=sets), token.start)
        if self.at("rollup", "cube") and self.peek().key == "(":
            kind = exp.Rollup if self.advance().key == "rollup" else exp.Cube
            return mark(kind(expressions=self.parenthesised(self.expression)), token.start)
        return self.expression()

    def _named_window(self) -> exp.Window:
        start = self.token.start
        window = exp.Window(this=self.identifier())
        self.expect("as")
        self.window_definition(window)
        return mark(window, start)

    # ------------------------------------------------------------------ behind a query

    def order_by(self) -> exp.Order | None:
        """ORDER BY …, or nothing."""
        token = self.token
        if not self.accept("order", "by"):
            return None
        return mark(exp.Order(expressions=self.many(self._sort_key)), token.start)

    def _sort_key(self) -> exp.Ordered:
        start = self.token.start
        value = self.expression()
        descending = False
        operator = ""
        using = self.token
        if self.accept("using"):
            using = self.token
            if using.kind != "op" and using.key != "operator":
                self.fail()
            operator = self._operator()[0]
            descending = operator in {">", "~>~"}
        elif self.accept("desc"):
            descending = True
        else:
            self.accept("asc")
        nulls_first = descending
        if self.accept("nulls"):
            if not self.at("first", "last"):
                self.fail()
            nulls_first = self.advance().key == "first"
        ordered = exp.Ordered(this=value, desc=descending, nulls_first=nulls_first)
        if operator:
            ordered.meta["using"] = operator, self.offset + using.start + 1
        return mark(ordered, start)

    def _finished(self, query: exp.Expr, with_: exp.With | None) -> exp.Expr:
        """The query with WITH before it and ORDER BY, LIMIT, OFFSET and FOR behind it."""
        token = self.token
        order = self.order_by()
        self._once(query, "order", order, token)
        while True:
            token = self.token
            if self.at("limit"):
                limit = self._limit()
                if limit is None:
                    query.meta["limit all"] = True  # It is shown.
                self._once(query, "limit", limit, token)
            elif self.at("fetch"):
                self._once(query, "limit", self._fetch(), token)
            elif self.at("offset"):
                self._once(query, "offset", self._offset(), token)
            elif self.at("for"):
                lock = self._lock()
                if lock is not None:
                    query.append("locks", lock)
            else:
                break
        if with_ is not None:
            start = with_.meta["start"]
            self._once(query, "with_", with_, Token("word", "with", "with", start, start + 4))
        return query

    def _once(self, query: exp.Expr, clause: str, value: exp.Expr | None, token: Token) -> None:
        if value is None:
            return
        if query.args.get(clause) is not None:
            raise SqlSyntaxError(
                f"multiple {_ONCE[clause]} clauses not allowed", position=self.position(token)
            )
        query.set(clause, value)

    def _limit(self) -> exp.Limit | None:
        token = self.advance()
        if self.accept("all"):
            return None
        limit = mark(exp.Limit(expression=self.expression()), token.start)
        if self.at(","):
            raise SqlSyntaxError(
                "LIMIT #,# syntax is not supported",
                hint="Use separate LIMIT and OFFSET clauses.",
                position=self.position(token),
            )
        return limit

    def _fetch(self) -> exp.Limit:
        token = self.advance()
        if not (self.accept("first") or self.accept("next")):
            self.fail()
        count: exp.Expr = mark(exp.Literal(this="1", is_string=False), token.start)
        if not self.at("row", "rows"):
            count = self._prefix(restricted=True)
        if not (self.accept("row") or self.accept("rows")):
            self.fail()
        limit = mark(exp.Limit(expression=count), token.start)
        if self.accept("with", "ties"):
            limit.meta["ties"] = True
        else:
            self.expect("only")
        return limit

    def _offset(self) -> exp.Offset:
        token = self.advance()
        offset = mark(exp.Offset(expression=self.expression()), token.start)
        if not self.accept("rows"):
            self.accept("row")
        return offset

    def _lock(self) -> exp.Lock | None:
        token = self.advance()
        if self.accept("read", "only"):
            return None
        strength = next((words for words in _STRENGTHS if self.accept(*words)), None)
        if strength is None:
            self.fail()
        names = self.many(self.identifier) if self.accept("of") else []
        wait: bool | None = None
        if self.accept("nowait"):
            wait = True
        elif self.accept("skip", "locked"):
            wait = False
        lock = exp.Lock(update="update" in strength, expressions=names, wait=wait)
        lock.meta["strength"] = " ".join(("for", *strength)).upper()
        return mark(lock, token.start)
