"""The grammar of operands that begin with a word of their own: CASE, CAST, EXTRACT, DATE 'x'.

Functions with a syntax of their own become the plain calls that PostgreSQL makes of them.
"""

from abc import abstractmethod
from collections.abc import Callable

from sqlglot import exp

from kalam_pg.sql.dialect import type_node
from kalam_pg.sql.grammar_types import TYPE_KEYWORDS, TypeGrammar
from kalam_pg.sql.keywords import NOT_A_FUNCTION
from kalam_pg.sql.lexer import Token
from kalam_pg.sql.positions import mark
from kalam_pg.sql.statements import TypeName

_SESSION_WORDS = frozenset(
    (
        "current_date",
        "current_time",
        "current_timestamp",
        "localtime",
        "localtimestamp",
        "current_role",
        "current_user",
        "session_user",
        "user",
        "current_catalog",
        "current_schema",
    )
)
_WITH_PRECISION = frozenset(("current_time", "current_timestamp", "localtime", "localtimestamp"))
_LIKE_FUNCTIONS = frozenset(("coalesce", "greatest", "least", "nullif", "grouping"))


class SpecialGrammar(TypeGrammar):
    """Reads operands that begin with a key word or type. The rest is for the classes built on it."""

    @abstractmethod
    def expression(self) -> exp.Expr: ...

    @abstractmethod
    def restricted_expression(self) -> exp.Expr: ...

    @abstractmethod
    def identifier(self, *, label: bool = False) -> exp.Identifier: ...

    @abstractmethod
    def query_ahead(self) -> bool:
        """Whether a query in parentheses comes next."""

    @abstractmethod
    def subquery(self) -> exp.Subquery:
        """A query in parentheses."""

    @abstractmethod
    def order_by(self) -> exp.Order | None:
        """ORDER BY …, or nothing."""

    @abstractmethod
    def call_tail(self, node: exp.Expr) -> exp.Expr:
        """FILTER, OVER and so on behind a call."""

    # ------------------------------------------------------------------ words with a syntax

    def special_operand(self) -> exp.Expr | None:
        """An operand that begins with a key word of its own, None when none is here."""
        token = self.token
        if token.kind != "word":
            return None
        word = token.key
        if word in ("true", "false"):
            self.advance()
            return mark(exp.Boolean(this=word == "true"), token.start)
        if word == "null":
            self.advance()
            return mark(exp.Null(), token.start)
        if word == "case":
            return self._case()
        if word in _SESSION_WORDS:
            return self._session_word()
        if self.peek().key == "(":
            reader = self._special_readers().get(word)
            if reader is not None:
                self.advance()
                return reader(token)
            if word.startswith("xml") and word in NOT_A_FUNCTION:
                self.unsupported(word.upper())
        if word == "collation" and self.peek().key == "for":
            self.advance()
            self.advance()
            return self.spelled("pg_collation_for", token, self.parenthesised(self.expression))
        return None

    def _special_readers(self) -> dict[str, Callable[[Token], exp.Expr]]:
        return {
            "cast": self._cast,
            "exists": self._exists,
            "row": self._row,
            "extract": self._extract,
            "position": self._position,
            "substring": self._substring,
            "overlay": self._overlay,
            "trim": self._trim,
            "normalize": self._normalize,
            "treat": self._treat,
            **dict.fromkeys(_LIKE_FUNCTIONS, self._like_function),
        }

    def made(self, name: str, token: Token, arguments: list[exp.Expr]) -> exp.Anonymous:
        """A call that stands where `token` stands."""
        return mark(exp.Anonymous(this=name, expressions=arguments), token.start)

    def spelled(self, name: str, token: Token, arguments: list[exp.Expr]) -> exp.Anonymous:
        """A call that is written in a way of its own, as it is shown again."""
        node = self.made(name, token, arguments)
        node.meta["syntax"] = True
        return node

    def _word_literal(self, token: Token, value: str) -> exp.Expr:
        return mark(exp.Literal(this=value, is_string=True), token.start)

    def _case(self) -> exp.Expr:
        token = self.advance()
        this = None if self.at("when") else self.expression()
        branches = []
        while self.at("when"):
            when = self.advance()
            condition = self.expression()
            self.expect("then")
            branch = exp.If(this=condition, true=self.expression())
            branches.append(mark(branch, when.start))
        if not branches:
            self.fail()
        default = self.expression() if self.accept("else") else None
        self.expect("end")
        return mark(exp.Case(this=this, ifs=branches, default=default), token.start)

    def _session_word(self) -> exp.Expr:
        token = self.advance()
        arguments: list[exp.Expr] = []
        keyword = True
        if self.at("("):
            if token.key in _WITH_PRECISION:
                self.advance()
                at = self.token
                value = str(self.integer())
                arguments = [mark(exp.Literal(this=value, is_string=False), at.start)]
                self.expect(")")
            elif token.key != "current_date" and self.peek().key == ")":
                # KalamDB's CURRENT_USER(); PostgreSQL itself has current_schema().
                self.advance()
                self.advance()
                keyword = False
        node = self.made(token.key, token, arguments)
        if keyword:
            node.meta["keyword"] = True
            return node
        return self.call_tail(node)

    def _cast(self, token: Token) -> exp.Expr:
        self.expect("(")
        this = self.expression()
        self.expect("as")
        to = type_node(self.type_name())
        self.expect(")")
        return mark(exp.Cast(this=this, to=to), token.start)

    def _exists(self, token: Token) -> exp.Expr:
        if not self.query_ahead():
            self.advance()
            self.fail()
        return mark(exp.Exists(this=self.subquery().this), token.start)

    def _row(self, token: Token) -> exp.Expr:
        self.expect("(")
        items = [] if self.at(")") else self.many(self.expression)
        self.expect(")")
        row = mark(exp.Tuple(expressions=items), token.start)
        row.meta["row"] = True
        return row

    def _like_function(self, token: Token) -> exp.Expr:
        items = self.parenthesised(self.expression)
        if token.key == "nullif" and len(items) != 2:
            self.fail(self.tokens[self.index - 1])
        return self.made(token.key, token, items)

    def _extract(self, token: Token) -> exp.Expr:
        self.expect("(")
        at = self.token
        if at.kind not in ("word", "name", "string"):
            self.fail()
        field = self._word_literal(at, self.advance().value)
        self.expect("from")
        source = self.expression()
        self.expect(")")
        return self.spelled("extract", token, [field, source])

    def _position(self, token: Token) -> exp.Expr:
        self.expect("(")
        part = self.restricted_expression()
        self.expect("in")
        whole = self.restricted_expression()
        self.expect(")")
        return self.spelled("position", token, [whole, part])

    def _substring(self, token: Token) -> exp.Expr:
        """Either substring(a, b, c), or the FROM, FOR, SIMILAR forms."""
        self.expect("(")
        if self.accept(")"):
            return self.made("substring", token, [])
        this = self.expression()
        made = self.spelled
        if self.accept("similar"):
            pattern = self.expression()
            self.expect("escape")
            arguments = [this, pattern, self.expression()]
        elif self.at("from", "for"):
            arguments = [this, *self._from_for(token)]
        else:
            made = self.made
            arguments = [this]
            while self.accept(","):
                arguments.append(self.expression())
        self.expect(")")
        return made("substring", token, arguments)

    def _from_for(self, token: Token) -> list[exp.Expr]:
        """FROM a [FOR b], FOR b [FROM a]; without FROM it begins at 1."""
        begin: exp.Expr | None = None
        count: exp.Expr | None = None
        while self.at("from", "for"):
            if self.advance().key == "from":
                begin = self.expression()
            else:
                count = self.expression()
        begin = begin or mark(exp.Literal(this="1", is_string=False), token.start)
        return [begin] if count is None else [begin, count]

    def _overlay(self, token: Token) -> exp.Expr:
        self.expect("(")
        arguments = [self.expression()]
        made = self.made
        if self.accept("placing"):
            made = self.spelled
            arguments.append(self.expression())
            self.expect("from")
            arguments.append(self.expression())
            if self.accept("for"):
                arguments.append(self.expression())
        else:
            while self.accept(","):
                arguments.append(self.expression())
        self.expect(")")
        return made("overlay", token, arguments)

    def _trim(self, token: Token) -> exp.Expr:
        self.expect("(")
        name = "btrim"
        if self.at("both", "leading", "trailing"):
            name = {"both": "btrim", "leading": "ltrim", "trailing": "rtrim"}[self.advance().key]
        if self.accept("from"):
            arguments = self.many(self.expression)
        else:
            arguments = [self.expression()]
            if self.accept("from"):
                arguments = [*self.many(self.expression), arguments[0]]
            else:
                while self.accept(","):
                    arguments.append(self.expression())
        self.expect(")")
        return self.spelled(name, token, arguments)

    def _normalize(self, token: Token) -> exp.Expr:
        self.expect("(")
        arguments = [self.expression()]
        if self.accept(","):
            if not self.at("nfc", "nfd", "nfkc", "nfkd"):
                self.fail()
            at = self.advance()
            arguments.append(self._word_literal(at, at.key.upper()))
        self.expect(")")
        return self.spelled("normalize", token, arguments)

    def _treat(self, token: Token) -> exp.Expr:
        self.unsupported("TREAT", token)

    # ------------------------------------------------------------------ DATE 'x', INTERVAL '1' DAY

    def type_literal(self) -> exp.Expr | None:
        """A type name and a string, None when the next tokens are not that."""
        token = self.token
        if not self._type_literal_ahead():
            return None
        if token.key == "interval":
            return self._interval_literal()
        return self.literal_of(self.simple_type(), token)

    def literal_of(self, to: TypeName, token: Token) -> exp.Expr:
        """The string that comes next, as a value of a type."""
        at = self.token
        text = mark(exp.Literal(this=self.string(), is_string=True), at.start)
        cast = mark(exp.Cast(this=text, to=type_node(to)), token.start)
        cast.meta["literal"] = True
        return cast

    def _type_literal_ahead(self) -> bool:
        token, after = self.token, self.peek()
        if token.kind == "word" and token.key in TYPE_KEYWORDS:
            if after.kind == "string" or after.key == "(":
                return True
            return (
                after.key
                in {
                    "time": ("with", "without"),
                    "timestamp": ("with", "without"),
                    "character": ("varying",),
                    "char": ("varying",),
                    "bit": ("varying",),
                    "national": ("character", "char"),
                }.get(token.key, ())
                and self.peek(2).key != "ordinality"
            )
        if token.key == "double" and after.key == "precision":
            return self.peek(2).kind == "string"
        if token.kind == "word" and token.value in NOT_A_FUNCTION:
            return False
        ahead = 0
        while self.peek(ahead + 1).key == "." and self.peek(ahead + 2).kind in ("word", "name"):
            ahead += 2
        return self.peek(ahead + 1).kind == "string"

    def _interval_literal(self) -> exp.Expr:
        token = self.advance()
        before = self.interval_fields() if self.at("(") else ()
        at = self.token
        text = mark(exp.Literal(this=self.string(), is_string=True), at.start)
        modifiers = before or self.interval_fields()
        to = type_node(TypeName("interval", modifiers, position=token.start + 1))
        cast = mark(exp.Cast(this=text, to=to), token.start)
        cast.meta["literal"] = True
        return cast
