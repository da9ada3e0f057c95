"""The grammar of function calls (gram.y's func_application and func_expr) and windows."""

from sqlglot import exp

from kalam_pg.sql.grammar_special import SpecialGrammar
from kalam_pg.sql.lexer import Token
from kalam_pg.sql.positions import mark
from kalam_pg.sql.statements import TypeName

_FRAMES = ("rows", "range", "groups")


class CallGrammar(SpecialGrammar):
    """Reads calls."""

    def call(self) -> exp.Expr:
        """A function call by a possibly qualified name, with FILTER, OVER and so on."""
        token = self.token
        names = [self.label()]
        while self.accept("."):
            names.append(self.label())
        node = self.made(names[-1], token, [])
        if len(names) > 1:
            node.set("schema", names[-2])
        self._arguments(node)
        if self.token.kind == "string":
            return self.literal_of(self._type_of_call(node, token), token)
        return self.call_tail(node)

    def _type_of_call(self, node: exp.Anonymous, token: Token) -> TypeName:
        """What looked like a call was a type with modifiers: vector(3) '[1,2,3]'."""
        modifiers = []
        for argument in node.expressions:
            if not isinstance(argument, exp.Literal) or not argument.this.isdigit():
                self.fail()
            modifiers.append(int(argument.this))
        schema = node.args.get("schema") or ""
        return TypeName(node.this, tuple(modifiers), 0, token.start + 1, schema)

    def _arguments(self, node: exp.Anonymous) -> None:
        self.expect("(")
        if self.accept(")"):
            return
        if self.at("*"):
            node.set("expressions", [mark(exp.Star(), self.advance().start)])
            self.expect(")")
            return
        if self.accept("distinct"):
            node.set("distinct", True)
        else:
            self.accept("all")
        arguments = []
        while True:
            if self.accept("variadic"):
                node.set("variadic", True)
            arguments.append(self._argument())
            if not self.accept(","):
                break
        node.set("expressions", arguments)
        order = self.order_by()
        if order is not None:
            node.set("order", order)
        self.expect(")")

    def _argument(self) -> exp.Expr:
        if self.token.kind in ("word", "name") and self.peek().key in ("=>", ":="):
            token = self.token
            name = mark(exp.Identifier(this=self.function_name(), quoted=False), token.start)
            self.advance()
            return mark(exp.Kwarg(this=name, expression=self.expression()), token.start)
        return self.expression()

    def call_tail(self, node: exp.Expr) -> exp.Expr:
        """[WITHIN GROUP …] [FILTER …] [OVER …] behind a call."""
        start = node.meta["start"]
        if self.at_words("within", "group", "("):
            self.expect("within", "group", "(")
            order = self.order_by()
            if order is None:
                self.fail()
            self.expect(")")
            node = mark(exp.WithinGroup(this=node, expression=order), start)
        if self.at_words("filter", "("):
            self.expect("filter", "(")
            where = self.expect("where")
            condition = mark(exp.Where(this=self.expression()), where.start)
            self.expect(")")
            node = mark(exp.Filter(this=node, expression=condition), start)
        if self.accept("over"):
            window = exp.Window(this=node)
            if self.at("("):
                self.window_definition(window)
            else:
                window.set("alias", self.identifier())
            node = mark(window, start)
        return node

    def window_definition(self, window: exp.Window) -> None:
        """( [name] [PARTITION BY …] [ORDER BY …] [frame] ), put into `window`."""
        opening = self.expect("(")
        if self.is_name() and not self.at("partition", *_FRAMES):
            window.set("alias", self.identifier())
        if self.accept("partition", "by"):
            window.set("partition_by", self.many(self.expression))
        order = self.order_by()
        if order is not None:
            window.set("order", order)
        if self.at(*_FRAMES):
            spec = self._frame()
            spec.meta["window"] = opening.start
            window.set("spec", spec)
        self.expect(")")

    def _frame(self) -> exp.WindowSpec:
        token = self.advance()
        spec = exp.WindowSpec(kind=token.key.upper())
        if self.accept("between"):
            spec.meta["between"] = True
            start = self._bound()
            self.expect("and")
            end = self._bound()
        else:
            start, end = self._bound(), ("CURRENT ROW", None)
        spec.set("start", start[0])
        spec.set("start_side", start[1])
        spec.set("end", end[0])
        spec.set("end_side", end[1])
        if self.accept("exclude"):
            for words in (("current", "row"), ("group",), ("ties",), ("no", "others")):
                if self.accept(*words):
                    if words[0] != "no":
                        spec.set("exclude", exp.Var(this=" ".join(words).upper()))
                    break
            else:
                self.fail()
        return mark(spec, token.start)

    def _bound(self) -> tuple[str | exp.Expr, str | None]:
        if self.accept("current", "row"):
            return "CURRENT ROW", None
        value: str | exp.Expr
        if self.at("unbounded") and self.peek().key in ("preceding", "following"):
            self.advance()
            value = "UNBOUNDED"
        else:
            value = self.expression()
        if not self.at("preceding", "following"):
            self.fail()
        return value, self.advance().key.upper()
