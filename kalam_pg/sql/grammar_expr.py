"""The grammar of expressions (gram.y's a_expr, b_expr, c_expr), to the nodes of `dialect`.

Binary operators are read by precedence climbing with PostgreSQL's own table (manual, "Operator
Precedence"). Comparisons, and LIKE with its kin, do not associate: `a < b < c` is a syntax error.
"""

from collections.abc import Sequence

from sqlglot import exp

from catalog.errors import SqlSyntaxError
from kalam_pg.sql.dialect import OPERATORS, type_node
from kalam_pg.sql.grammar_calls import CallGrammar
from kalam_pg.sql.keywords import NOT_A_FUNCTION, NOT_A_NAME, RESERVED
from kalam_pg.sql.lexer import Token
from kalam_pg.sql.listings import Listing
from kalam_pg.sql.positions import mark

(_OR, _AND, _NOT, _IS, _COMPARE, _RANGE, _OTHER, _ADD, _MULTIPLY, _POWER, _AT, _COLLATE, _SIGN) = (
    range(1, 14)
)
_LEVELS = {
    "or": _OR,
    "and": _AND,
    "is": _IS,
    "isnull": _IS,
    "notnull": _IS,
    **dict.fromkeys(("<", ">", "=", "<=", ">=", "<>"), _COMPARE),
    **dict.fromkeys(("between", "in", "like", "ilike", "similar"), _RANGE),
    "operator": _OTHER,
    **dict.fromkeys("+-", _ADD),
    **dict.fromkeys("*/%", _MULTIPLY),
    "^": _POWER,
    "at": _AT,
    "collate": _COLLATE,
}
_NOT_AN_OPERATOR = frozenset((",", "(", ")", "[", "]", ".", ";", ":", "::", ":=", "..", "=>"))
_NEGATABLE = ("between", "in", "like", "ilike", "similar")
_B_EXPR_WORDS = frozenset(("is", "operator"))
_LIKES: dict[str, type[exp.Binary]] = {"like": exp.Like, "ilike": exp.ILike}


class ExpressionGrammar(CallGrammar):
    """Reads expressions."""

    def expression(self) -> exp.Expr:
        """a_expr: any expression."""
        return self._climb(_OR, restricted=False)

    def restricted_expression(self) -> exp.Expr:
        """b_expr: without AND, OR, NOT, LIKE, IN, BETWEEN, IS NULL at its top."""
        return self._climb(_COMPARE, restricted=True)

    # ------------------------------------------------------------------ operators

    def _climb(self, lowest: int, *, restricted: bool) -> exp.Expr:
        left = self._prefix(restricted=restricted)
        # The level of a non-associative operator that `left` has just been built with, and may
        # therefore not be followed by.
        stuck = 0
        while True:
            level = self._level(restricted=restricted)
            if level < (_IS if restricted and lowest == _COMPARE else lowest):
                return left
            if level == stuck:
                self.fail()
            left, stuck = self._infix(left, level, restricted=restricted)

    def _level(self, *, restricted: bool) -> int:
        """The precedence of the operator that comes next, 0 when none does."""
        token = self.token
        if token.kind == "op":
            if token.key in _NOT_AN_OPERATOR:
                return 0
            return _LEVELS.get(token.key, _OTHER)
        key = token.key
        if restricted:
            if key not in _B_EXPR_WORDS or (key == "is" and not self._is_distinct_ahead()):
                return 0
        elif key == "not":
            return _RANGE if self.peek().key in _NEGATABLE else 0
        # substring(a SIMILAR b ESCAPE c) has no TO.
        if (key == "operator" and self.peek().key != "(") or (
            key == "similar" and self.peek().key != "to"
        ):
            return 0
        return _LEVELS.get(key, 0) if token.kind == "word" else 0

    def _is_distinct_ahead(self) -> bool:
        after = self.peek(2) if self.peek().key == "not" else self.peek()
        return after.key == "distinct"

    def _infix(self, left: exp.Expr, level: int, *, restricted: bool) -> tuple[exp.Expr, int]:
        """Take the operator that comes next and its right side."""
        if level == _IS:
            return self._is(left, restricted=restricted)
        if level == _RANGE:
            return self._range(left)
        token = self.token
        if level in (_AND, _OR):
            self.advance()
            right = self._climb(level + 1, restricted=False)
            node = exp.And if level == _AND else exp.Or
            return mark(node(this=left, expression=right), token.start), 0
        if level == _AT:
            self.expect("at", "time", "zone")
            zone = self._climb(_AT + 1, restricted=restricted)
            return mark(exp.AtTimeZone(this=left, zone=zone), token.start), 0
        if level == _COLLATE:
            self.advance()
            return mark(exp.Collate(this=left, expression=self._dotted()), token.start), 0
        symbol, schema = self._operator()
        if self.at("any", "some", "all") and self.peek().key == "(":
            return self._binary(left, symbol, schema, token, self._quantified()), 0
        right = self._climb(level + 1, restricted=restricted)
        stuck = _COMPARE if level == _COMPARE else 0
        return self._binary(left, symbol, schema, token, right), stuck

    def _operator(self) -> tuple[str, str]:
        """qual_Op: a symbol, or OPERATOR(schema.symbol); with its schema or ""."""
        if not self.at("operator"):
            return self.advance().key, ""
        self.advance()
        self.expect("(")
        schema = ""
        while self.token.kind != "op":
            schema = self.column_name()
            self.expect(".")
        if self.token.key in _NOT_AN_OPERATOR:
            self.fail()
        symbol = self.advance().key
        self.expect(")")
        return symbol, schema

    def _binary(
        self, left: exp.Expr, symbol: str, schema: str, token: Token, right: exp.Expr
    ) -> exp.Expr:
        kind = OPERATORS.get(symbol)
        node: exp.Expr
        if kind is None:
            node = exp.Operator(this=left, operator=symbol, expression=right)
        else:
            node = kind(this=left, expression=right)
        return self._as_operator(node, symbol, schema, token)

    def _as_operator(self, node: exp.Expr, symbol: str, schema: str, token: Token) -> exp.Expr:
        node.meta["operator"] = symbol
        if schema:
            node.meta["operator_schema"] = schema
        return mark(node, token.start)

    def _quantified(self) -> exp.Expr:
        """ANY | SOME | ALL ( query or array )."""
        token = self.advance()
        kind = exp.All if token.key == "all" else exp.Any
        if self.query_ahead():
            inner: exp.Expr = self.subquery()
        else:
            self.expect("(")
            inner = self.expression()
            self.expect(")")
        return mark(kind(this=inner), token.start)

    def _is(self, left: exp.Expr, *, restricted: bool) -> tuple[exp.Expr, int]:
        token = self.advance()
        if token.key in ("isnull", "notnull"):
            node = exp.Is(this=left, expression=exp.Null(), negate=token.key == "notnull")
            return mark(node, token.start), 0
        negate = self.accept("not")
        if self.accept("distinct", "from"):
            right = self._climb(_IS + 1, restricted=restricted)
            kind = exp.NullSafeEQ if negate else exp.NullSafeNEQ
            return mark(kind(this=left, expression=right), token.start), _IS
        if self.at("document", "normalized", "nfc", "nfd", "nfkc", "nfkd"):
            self.unsupported(f"IS {self.token.key.upper()}")
        values: dict[str, exp.Expr] = {
            "null": exp.Null(),
            "true": exp.Boolean(this=True),
            "false": exp.Boolean(this=False),
            "unknown": exp.Var(this="UNKNOWN"),
        }
        if not self.at(*values):
            self.fail()
        value = values[self.advance().key]
        return mark(exp.Is(this=left, expression=value, negate=negate), token.start), 0

    def _range(self, left: exp.Expr) -> tuple[exp.Expr, int]:
        """[NOT] LIKE, ILIKE, SIMILAR TO, BETWEEN, IN."""
        start = self.token.start
        negate = self.accept("not")
        token = self.advance()
        if token.key == "in":
            return self._in(left, start, negate=negate), 0
        if token.key == "between":
            symmetric = self.accept("symmetric")
            if not symmetric:
                self.accept("asymmetric")
            low = self.restricted_expression()
            self.expect("and")
            high = self._climb(_RANGE + 1, restricted=False)
            node: exp.Expr = exp.Between(this=left, low=low, high=high, symmetric=symmetric)
            node.set("negate", negate)
            return mark(node, start), _RANGE
        kind = _LIKES.get(token.key, exp.SimilarTo)
        if kind is exp.SimilarTo:
            self.expect("to")
        elif self.at("any", "some", "all") and self.peek().key == "(":
            node = kind(this=left, expression=self._quantified())
            node.set("negate", negate)
            return mark(node, start), 0
        node = kind(this=left, expression=self._climb(_RANGE + 1, restricted=False))
        node.set("negate", negate)
        mark(node, start)
        if self.accept("escape"):
            escape = self._climb(_RANGE + 1, restricted=False)
            node = mark(exp.Escape(this=node, expression=escape), start)
        return node, _RANGE

    def _in(self, left: exp.Expr, start: int, *, negate: bool) -> exp.Expr:
        if self.query_ahead():
            node = exp.In(this=left, query=self.subquery())
        elif self.token.kind == "list":
            listed = self.advance()
            node = exp.In(this=left, listed=Listing(listed.value, listed.start))
        else:
            self.expect("(")
            items: Sequence[exp.Expr] | None = self.leaves(")")
            if items is None:
                items = self.many(self.expression)
                self.expect(")")
            node = exp.In(this=left, expressions=items)
        node.set("negate", negate)
        return mark(node, start)

    def _prefix(self, *, restricted: bool) -> exp.Expr:
        """An operand with the operators before it."""
        token = self.token
        if token.kind == "op" and token.key not in _NOT_AN_OPERATOR:
            level = _LEVELS.get(token.key, _OTHER)
            if level not in (_ADD, _OTHER):
                self.fail()
            self.advance()
            above = _SIGN if level == _ADD else _OTHER + 1
            operand = self._climb(above, restricted=restricted)
            return self._prefixed(token.key, "", token, operand)
        if token.key == "not" and not restricted:
            self.advance()
            return mark(exp.Not(this=self._climb(_NOT, restricted=False)), token.start)
        if token.key == "operator" and self.peek().key == "(":
            symbol, schema = self._operator()
            operand = self._climb(_OTHER + 1, restricted=restricted)
            return self._prefixed(symbol, schema, token, operand)
        operand = self._operand()
        if self.at("overlaps") and type(operand) is exp.Tuple:
            return self._overlaps(operand)
        return self._casts(operand)

    def _overlaps(self, left: exp.Tuple) -> exp.Expr:
        """Row OVERLAPS row: a call of the function of that name."""
        token = self.advance()
        right = self._operand() if self.at("(", "row") else None
        if type(right) is not exp.Tuple:
            self.fail(self.tokens[self.index - 1] if right is not None else self.token)
        for side, row in (("left", left), ("right", right)):
            if len(row.expressions) != 2:
                raise SqlSyntaxError(
                    f"wrong number of parameters on {side} side of OVERLAPS expression",
                    position=self.offset + row.meta["start"] + 1,
                )
        return self.spelled("overlaps", token, [*left.expressions, *right.expressions])

    def _prefixed(self, symbol: str, schema: str, token: Token, operand: exp.Expr) -> exp.Expr:
        node: exp.Expr = (
            exp.Neg(this=operand)
            if symbol == "-"
            else exp.Operator(operator=symbol, expression=operand)
        )
        return self._as_operator(node, symbol, schema, token)

    def _casts(self, operand: exp.Expr) -> exp.Expr:
        while self.at("::"):
            token = self.advance()
            to = type_node(self.type_name())
            operand = mark(exp.Cast(this=operand, to=to), token.start)
        return operand

    # ------------------------------------------------------------------ operands

    def _operand(self) -> exp.Expr:
        """c_expr."""
        token = self.token
        match token.kind:
            case "number":
                self.advance()
                return mark(exp.Literal(this=token.value, is_string=False), token.start)
            case "string":
                self.advance()
                return mark(exp.Literal(this=token.value, is_string=True), token.start)
            case "param":
                self.advance()
                return self._indirection(mark(exp.Parameter(this=token.value), token.start))
            case "bits" | "hex":
                self.advance()
                kind = exp.BitString if token.kind == "bits" else exp.HexString
                return mark(kind(this=token.value), token.start)
            case "op" if token.key == "(":
                return self._parenthesis()
            case "word" | "name":
                return self._word()
            case _:
                return self.fail()

    def _parenthesis(self) -> exp.Expr:
        """( query ), ( expression ) or a row, with what is taken out of it."""
        token = self.token
        if self.query_ahead():
            return self._indirection(self.subquery())
        self.advance()
        items = self.many(self.expression)
        self.expect(")")
        if len(items) > 1:
            row = mark(exp.Tuple(expressions=items), token.start)
            return self._indirection(row)
        return self._indirection(items[0])

    def _word(self) -> exp.Expr:
        token = self.token
        special = self.special_operand()
        if special is not None:
            return special
        if token.key == "array" and self.peek().key in ("[", "("):
            return self._indirection(self._array())
        literal = self.type_literal()
        if literal is not None:
            return literal
        if token.kind == "word" and token.value in RESERVED:
            self.fail()
        if self.call_ahead():
            return self.call()
        if token.kind == "word" and token.value in NOT_A_NAME:
            # A word such as LEFT can only be a function here.
            self.advance()
            self.fail()
        return self._column()

    def call_ahead(self) -> bool:
        """Whether a possibly qualified name and an opening parenthesis come next."""
        ahead = 0
        while self.peek(ahead + 1).key == "." and self.peek(ahead + 2).kind in ("word", "name"):
            ahead += 2
        if self.peek(ahead + 1).key != "(":
            return False
        token = self.token
        return ahead > 0 or token.kind == "name" or token.value not in NOT_A_FUNCTION

    def _array(self) -> exp.Expr:
        token = self.advance()
        if self.at("("):
            array = mark(exp.Array(expressions=[self.subquery()]), token.start)
            array.meta["query"] = True  # not ARRAY[(SELECT …)], which has one element
            return array
        return self._array_items(token)

    def _array_items(self, token: Token) -> exp.Expr:
        self.expect("[")
        leaves = self.leaves("]")
        if leaves is not None:
            return mark(exp.Array(expressions=leaves), token.start)
        items: list[exp.Expr] = []
        if not self.at("]"):
            if self.at("["):
                items = self.many(lambda: self._array_items(self.token))
            else:
                items = self.many(self.expression)
        self.expect("]")
        return mark(exp.Array(expressions=items), token.start)

    def _column(self) -> exp.Expr:
        """columnref: names with dots between them, at last a star or what is taken out of it."""
        start = self.token.start
        parts: list[exp.Expr] = [self.identifier()]
        while self.at(".") and len(parts) < 4:
            self.advance()
            if self.at("*"):
                parts.append(mark(exp.Star(), self.advance().start))
                break
            parts.append(self.identifier(label=True))
        if len(parts) == 4:
            written = [part.name or "*" for part in parts]
            while self.accept("."):
                written.append(self.label())
            if len(written) > 4:
                raise SqlSyntaxError(
                    f"improper qualified name (too many dotted names): {'.'.join(written)}",
                    position=start + 1 + self.offset,
                )
            self.of_this_database(written, start + 1, quoted=False)
        names = ("this", "table", "db")
        column = exp.Column(**dict(zip(names, reversed(parts), strict=False)))
        return self._indirection(mark(column, start))

    def identifier(self, *, label: bool = False) -> exp.Identifier:
        """One name, as a node. With `label` any word will do."""
        token = self.token
        name = self.label() if label else self.column_name()
        node = exp.Identifier(this=name, quoted=token.kind == "name")
        return mark(node, token.start)

    def _dotted(self) -> exp.Expr:
        """any_name, as a Column."""
        start = self.token.start
        parts = [self.identifier()]
        while self.accept("."):
            parts.append(self.identifier(label=True))
        names = ("this", "table", "db", "catalog")
        return mark(exp.Column(**dict(zip(names, reversed(parts), strict=False))), start)

    def _indirection(self, node: exp.Expr) -> exp.Expr:
        """[index], [low:high], .field, .* behind an operand."""
        while True:
            token = self.token
            if token.key == "[":
                self.advance()
                index = self._subscript(token)
                if isinstance(node, exp.Bracket):
                    node.append("expressions", index)
                else:
                    node = mark(exp.Bracket(this=node, expressions=[index]), token.start)
            elif token.key == ".":
                self.advance()
                field: exp.Expr
                if self.at("*"):
                    field = mark(exp.Star(), self.advance().start)
                else:
                    field = self.identifier(label=True)
                node = mark(exp.Dot(this=node, expression=field), token.start)
            else:
                return node

    def _subscript(self, token: Token) -> exp.Expr:
        low = None if self.at(":") else self.expression()
        if self.accept(":"):
            high = None if self.at("]") else self.expression()
            self.expect("]")
            return mark(exp.Slice(this=low, expression=high), token.start)
        self.expect("]")
        assert low is not None
        return low
