"""The cursor that statement readers are given: the grammar, and statements inside statements."""

from collections.abc import Callable

from kalam_pg.sql.grammar_data import Grammar
from kalam_pg.sql.lexer import Token
from kalam_pg.sql.statements import QueryStatement, Statement

Nested = Callable[[str, int, str], Statement]
"""Reads a statement from its text, the text's offset in the message, and what stands behind it."""


class StatementReader(Grammar):
    """The grammar with what statements need beyond it."""

    def __init__(
        self,
        text: str,
        tokens: list[Token],
        nested: Nested,
        *,
        offset: int = 0,
        ended_by: str = "",
        ended_at: int | None = None,
    ) -> None:
        super().__init__(text, tokens, offset, ended_by, ended_at)
        self._nested = nested

    def nested_statement(
        self, end: int | None = None, *, prefix: str = "", suffix: str = ""
    ) -> Statement:
        """The statement from here to the end, or to the token at index `end`.

        prefix, suffix: what to read before and behind it; positions count as if it were not there.
        """
        begin = self.token.start
        if end is None:
            body, ended_by = self.text[begin:], self.ended_by
            self.skip_rest()
        else:
            closing = self.tokens[end] if end < len(self.tokens) else self.peek(len(self.tokens))
            body, ended_by = (
                self.text[begin : closing.start],
                self.text[closing.start : closing.end],
            )
            self.back_to(end)
        return self._nested(prefix + body + suffix, self.offset + begin - len(prefix), ended_by)

    def nested_query(
        self, end: int | None = None, *, prefix: str = "", suffix: str = ""
    ) -> QueryStatement:
        """The query from here to the end, or to the token at index `end`. As `nested_statement`."""
        token = self.token
        statement = self.nested_statement(end, prefix=prefix, suffix=suffix)
        if not isinstance(statement, QueryStatement) or statement.kind != "select":
            self.fail(token)
        return statement

    def skip_rest(self) -> None:
        """Go to the end."""
        self.back_to(len(self.tokens))

    def expression_text(self, *, restricted: bool = False) -> str:
        """Read an expression and return its source text."""
        begin = self.index
        if restricted:
            self.restricted_expression()
        else:
            self.expression()
        return self.source(begin)

    def cascade(self) -> bool:
        """[CASCADE | RESTRICT]."""
        if self.accept("cascade"):
            return True
        self.accept("restrict")
        return False

    def if_exists(self) -> bool:
        return self.accept("if", "exists")

    def if_not_exists(self) -> bool:
        return self.accept("if", "not", "exists")
