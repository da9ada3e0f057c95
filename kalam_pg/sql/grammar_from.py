"""The grammar of FROM (gram.y's table_ref and its relatives)."""

from dataclasses import dataclass, field

from sqlglot import exp

from catalog.errors import SqlSyntaxError
from kalam_pg.sql.dialect import type_node
from kalam_pg.sql.grammar_expr import ExpressionGrammar
from kalam_pg.sql.positions import mark

_JOIN_WORDS = ("join", "inner", "left", "right", "full", "cross", "natural")
_QUERY_WORDS = ("select", "values", "with", "table")
_AFTER_QUERY = (")", "union", "intersect", "except", "order", "limit", "offset", "fetch", "for")


@dataclass(slots=True)
class Source:
    """One item of FROM with the joins that belong to it."""

    item: exp.Expr
    joins: list[exp.Join] = field(default_factory=list)

    def node(self) -> exp.Expr:
        """As one node: in Paren when there are joins."""
        if not self.joins:
            return self.item
        start = self.item.meta["start"]
        return mark(_with(exp.Paren(this=self.item), joins=self.joins), start)


def _with(node: exp.Expr, **arguments: object) -> exp.Expr:
    for name, value in arguments.items():
        node.set(name, value)
    return node


class FromGrammar(ExpressionGrammar):
    """Reads what stands in FROM and USING."""

    def query_ahead(self) -> bool:
        """Whether a query in parentheses comes next (and not an expression that begins with one)."""
        return self.at("(") and self._holds_query(self.index)

    def _holds_query(self, index: int) -> bool:
        """Whether the parenthesis at `index` holds a whole query, in further ones perhaps."""
        inner = index + 1
        while inner < len(self.tokens) and self.tokens[inner].key == "(":
            inner += 1
        if inner >= len(self.tokens) or self.tokens[inner].key not in _QUERY_WORDS:
            return False
        # Each parenthesis between must be followed by what may follow an operand of a query.
        for opening in range(index + 1, inner):
            after = self.closing(opening) + 1
            if after < len(self.tokens) and self.tokens[after].key not in _AFTER_QUERY:
                return False
        return True

    def from_list(self, statement: exp.Expr) -> None:
        """The items behind FROM, put into `statement` as `from_` and `joins`."""
        start = self.tokens[self.index - 1].start
        sources = self.many(self.table_ref)
        first, *rest = sources
        statement.set("from_", mark(exp.From(this=first.item), start))
        joins = list(first.joins)
        for source in rest:
            comma = exp.Join(this=source.item)
            comma.meta["comma"] = True
            joins.append(mark(comma, source.item.meta["start"]))
            joins += source.joins
        if joins:
            statement.set("joins", joins)

    def table_ref(self) -> Source:
        """One item of FROM, with all joins that follow it."""
        source = Source(self._table_primary())
        while self.at(*_JOIN_WORDS):
            source.joins.append(self._join())
        return source

    def _join(self) -> exp.Join:
        token = self.token
        if self.accept("cross", "join"):
            join = exp.Join(this=self._table_primary(), kind="CROSS")
            return mark(join, token.start)
        natural = self.accept("natural")
        side, kind = None, None
        if self.at("left", "right", "full"):
            side = self.advance().key.upper()
            self.accept("outer")
        elif self.accept("inner"):
            kind = "INNER"
        self.expect("join")
        join = exp.Join(side=side, kind=kind)
        if natural:
            join.set("method", "NATURAL")
            join.set("this", self._table_primary())
            return mark(join, token.start)
        join.set("this", self.table_ref().node())
        if self.accept("using"):
            join.set("using", self.parenthesised(self.identifier))
            if self.accept("as"):
                join.set("alias", self.identifier())
        else:
            self.expect("on")
            join.set("on", self.expression())
        return mark(join, token.start)

    def _table_primary(self) -> exp.Expr:
        token = self.token
        lateral = self.accept("lateral")
        if self.at("("):
            if self.query_ahead():
                item: exp.Expr = self.subquery()
                if lateral:
                    item = mark(exp.Lateral(this=item), token.start)
                return self._aliased(item)
            if lateral:
                self.fail()
            return self._aliased(self._join_in_parentheses())
        if self.at("rows") and self.peek().key == "from":
            self.expect("rows", "from")
            calls = mark(exp.Tuple(expressions=self.parenthesised(self._rows_from)), token.start)
            return self._aliased_function(calls, lateral=lateral, start=token.start)
        function = self._function()
        if function is not None:
            return self._aliased_function(function, lateral=lateral, start=token.start)
        if lateral:
            self.fail()
        table = self.relation()
        item = self._aliased(table)
        if self.at("tablesample"):
            item.set("sample", self._sample())
        return item

    def _sample(self) -> exp.Expr:
        """TABLESAMPLE method (arguments) [REPEATABLE (seed)]."""
        start = self.advance().start
        method = self.function_name()
        found = mark(
            exp.Anonymous(this=method, expressions=self.parenthesised(self.expression)), start
        )
        if self.accept("repeatable"):
            self.expect("(")
            found.set("seed", self.expression())
            self.expect(")")
        return found

    def _join_in_parentheses(self) -> exp.Expr:
        token = self.expect("(")
        source = self.table_ref()
        if not source.joins and not isinstance(source.item, exp.Paren):
            self.fail()
        self.expect(")")
        return mark(_with(exp.Paren(this=source.item), joins=source.joins), token.start)

    def _function(self) -> exp.Expr | None:
        """A function call in FROM, None when a table comes."""
        if self.call_ahead():
            return self.call()
        if self.token.kind == "word" and not self.is_name():
            return self.special_operand()
        return self.special_operand() if self.peek().key == "(" else None

    def _rows_from(self) -> exp.Expr:
        """One function of ROWS FROM."""
        function = self._function()
        if function is None:
            self.fail()
        if self.at("as"):
            self.unsupported("a column definition list")
        return function

    def _aliased_function(self, call: exp.Expr, *, lateral: bool, start: int) -> exp.Expr:
        item: exp.Expr = exp.Lateral(this=call) if lateral else exp.Table(this=call)
        mark(item, start)
        if self.accept("with", "ordinality"):
            item.set("ordinality", True)
        if self.at("as") and self.peek().key == "(":
            self.advance()
            columns = self.parenthesised(self._column_definition)
            item.set("alias", exp.TableAlias(columns=columns))
            return item
        named = self.accept("as")
        if named or self.is_name():
            alias = exp.TableAlias(this=self.identifier())
            if self.at("("):
                defined = self.peek(2).key not in (",", ")")
                reader = self._column_definition if defined else self.identifier
                alias.set("columns", self.parenthesised(reader))
            item.set("alias", alias)
        return item

    def _column_definition(self) -> exp.Expr:
        start = self.token.start
        name = self.identifier()
        return mark(exp.ColumnDef(this=name, kind=type_node(self.type_name())), start)

    def relation(self) -> exp.Table:
        """relation_expr: a table's name, with ONLY or * perhaps."""
        start = self.token.start
        only = self.accept("only")
        parenthesis = only and self.accept("(")
        parts = [self.identifier()]
        while self.accept("."):
            parts.append(self.identifier(label=True))
        if len(parts) > 3:
            raise SqlSyntaxError(
                "improper qualified name (too many dotted names): "
                + ".".join([part.name for part in parts]),
                position=start + 1 + self.offset,
            )
        if parenthesis:
            self.expect(")")
        elif not only:
            self.accept("*")
        if len(parts) == 3:
            self.of_this_database([part.name for part in parts], start + 1, quoted=True)
        names = ("this", "db")
        table = exp.Table(**dict(zip(names, reversed(parts), strict=False)))
        if only:
            table.set("only", True)
        return mark(table, start)

    def _aliased(self, item: exp.Expr) -> exp.Expr:
        """[AS] name [(columns)] behind an item."""
        named = self.accept("as")
        if named or self.is_name():
            alias = exp.TableAlias(this=self.identifier())
            if self.at("("):
                alias.set("columns", self.parenthesised(self.identifier))
            item.set("alias", alias)
        return item
