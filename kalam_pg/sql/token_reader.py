"""A place in a list of tokens, and the few moves that the grammar is written with."""

import re
from collections.abc import Callable, Sequence
from typing import NoReturn, TypeVar

from sqlglot import exp

from catalog.errors import FeatureNotSupportedError, SqlSyntaxError
from catalog.names import DATABASES
from kalam_pg.sql.keywords import NOT_A_FUNCTION, NOT_A_NAME, RESERVED
from kalam_pg.sql.leaves import leaves
from kalam_pg.sql.lexer import Token, end_token
from kalam_pg.sql.statements import TableName

T = TypeVar("T")


CURRENT, SESSION = "\0current", "\0session"
"""CURRENT_USER and SESSION_USER where a role's name stands; no role can be called so."""


class TokenReader:
    """Reads one statement's tokens. `token` is the next one; behind the last stands the end token.

    text: what the tokens' positions refer to. offset: where `text` begins in the message; errors
    are positioned in the message. ended_by: what stands behind the text there, ";" mostly, and
    ended_at where (counted from the text's beginning; None: right behind it).
    """

    def __init__(
        self,
        text: str,
        tokens: list[Token],
        offset: int = 0,
        ended_by: str = "",
        ended_at: int | None = None,
    ) -> None:
        self.text = text
        self.tokens = tokens
        self.offset = offset
        self.ended_by = ended_by
        self.index = 0
        self._end = end_token(len(text) if ended_at is None else ended_at)
        self._closing: dict[int, int] | None = None
        self.token = tokens[0] if tokens else self._end

    # ------------------------------------------------------------------ looking and moving

    def peek(self, ahead: int = 1) -> Token:
        """The token `ahead` places behind the next one."""
        at = self.index + ahead
        return self.tokens[at] if at < len(self.tokens) else self._end

    def advance(self) -> Token:
        """Take the next token."""
        token = self.token
        self.index += 1
        self.token = self.tokens[self.index] if self.index < len(self.tokens) else self._end
        return token

    def back_to(self, index: int) -> None:
        """Return to an earlier place (`cursor.index`)."""
        self.index = index
        self.token = self.tokens[index] if index < len(self.tokens) else self._end

    def at(self, *keys: str) -> bool:
        """Whether the next token is one of these words or symbols."""
        return self.token.key in keys and self.token.key != ""

    def at_words(self, *words: str) -> bool:
        """Whether exactly these words (or symbols) follow."""
        return all(self.peek(i).key == word for i, word in enumerate(words))

    def accept(self, *words: str) -> bool:
        """Take these words (or symbols) if all of them follow, else nothing."""
        if self.token.key != words[0]:
            return False
        if len(words) == 1:
            self.advance()
            return True
        if not self.at_words(*words):
            return False
        self.index += len(words) - 1
        self.advance()
        return True

    def expect(self, *words: str) -> Token:
        """Take these words (or symbols); a syntax error at the first that is not there."""
        token = self.token
        for word in words:
            if self.token.key != word:
                self.fail()
            token = self.advance()
        return token

    def closing(self, opening: int) -> int:
        """The index of the parenthesis that closes the one at `opening`; past the end if none."""
        if self._closing is None:
            self._closing = {}
            open_ones: list[int] = []
            for index, token in enumerate(self.tokens):
                if token.key == "(":
                    open_ones.append(index)
                elif token.key == ")" and open_ones:
                    self._closing[open_ones.pop()] = index
        return self._closing.get(opening, len(self.tokens))

    def at_end(self) -> bool:
        return self.token.kind == "end"

    def expect_end(self) -> None:
        if not self.at_end():
            self.fail()

    # ------------------------------------------------------------------ errors

    def fail(self, token: Token | None = None) -> NoReturn:
        """PostgreSQL's syntax error at the next token, or at `token`."""
        token = token or self.token
        if token.kind == "end" and not self.ended_by:
            raise SqlSyntaxError("syntax error at end of input", position=self.position(token))
        if token.kind == "junk":
            number = re.match(r"[0-9.]*(?:[eE][+-]?[0-9]+)?.", token.value)
            raise SqlSyntaxError(
                f'trailing junk after numeric literal at or near "{number[0] if number else ""}"',
                position=self.position(token),
            )
        near = self.text[token.start : token.end] or self.ended_by
        raise SqlSyntaxError(f'syntax error at or near "{near}"', position=self.position(token))

    def unsupported(self, what: str, token: Token | None = None) -> NoReturn:
        """0A000 for something that is right SQL and is not built."""
        raise FeatureNotSupportedError(
            f"{what} is not supported", position=self.position(token or self.token)
        )

    def unrecognized(self, what: str, name: str) -> NoReturn:
        """42601 for an option that a statement does not have."""
        token = self.tokens[self.index - 1]
        raise SqlSyntaxError(f'unrecognized {what} "{name}"', position=self.position(token))

    def position(self, token: Token) -> int:
        """The 1-based character of a token in the message."""
        return token.start + 1 + self.offset

    # ------------------------------------------------------------------ names and literals

    def column_name(self) -> str:
        """ColId: a name for a column or table."""
        return self.name_except(NOT_A_NAME)

    def function_name(self) -> str:
        """type_function_name."""
        return self.name_except(NOT_A_FUNCTION)

    def label(self) -> str:
        """ColLabel: any word."""
        return self.name_except(frozenset())

    def role_name(self) -> str:
        """A role, written as a name or (KalamDB) as a string."""
        if self.token.kind == "string":
            return self.advance().value
        if self.at("current_user", "session_user", "current_role"):
            self.unsupported(f"{self.token.key.upper()} as a role name")
        return self.name_except(RESERVED)

    def role_or_self(self) -> str:
        """A role that may be the one who says it, which is then `CURRENT` or `SESSION`."""
        if self.at("current_user", "current_role", "session_user"):
            return SESSION if self.advance().key == "session_user" else CURRENT
        return self.role_name()

    def name_except(self, excluded: frozenset[str]) -> str:
        """A quoted name, or a word that is not among these."""
        if not self.is_name(excluded):
            self.fail()
        return self.advance().value

    def is_name(self, excluded: frozenset[str] = NOT_A_NAME) -> bool:
        """Whether the next token can be a column or table name."""
        token = self.token
        return token.kind == "name" or (token.kind == "word" and token.value not in excluded)

    def table_alone(self) -> TableName:
        """`[ONLY] name` or `name [*]`: no table has descendants, so both are the table."""
        only = self.accept("only")
        name = self.table_name()
        if not only:
            self.accept("*")
        return name

    def table_name(self) -> TableName:
        """A possibly qualified name; a leading database name must be ours and is dropped."""
        position = self.token.start + 1
        parts = [self.column_name()]
        while self.accept("."):
            parts.append(self.label())
        if len(parts) > 3:
            raise SqlSyntaxError(
                f"improper qualified name (too many dotted names): {'.'.join(parts)}",
                position=position + self.offset,
            )
        if len(parts) == 3:
            self.of_this_database(parts, position, quoted=True)
        return TableName(parts[-2] if len(parts) > 1 else "", parts[-1], position)

    def of_this_database(self, parts: Sequence[str], position: int, *, quoted: bool) -> None:
        """0A000 unless the first part of a name at 1-based `position` is a database that there is."""
        if parts[0] not in DATABASES:
            name = ".".join(parts)
            raise FeatureNotSupportedError(
                "cross-database references are not implemented: "
                + (f'"{name}"' if quoted else name),
                position=position + self.offset,
            )

    def string(self) -> str:
        """A string literal's value."""
        if self.token.kind != "string":
            self.fail()
        return self.advance().value

    def integer(self) -> int:
        """An unsigned integer literal."""
        if self.token.kind != "number" or not self.token.value.isdigit():
            self.fail()
        return int(self.advance().value)

    def signed_integer(self) -> int:
        """An integer with an optional sign."""
        if self.accept("-"):
            return -self.integer()
        self.accept("+")
        return self.integer()

    def signed_number(self) -> str:
        """A number with an optional sign, as text."""
        sign = "-" if self.accept("-") else ""
        if not sign:
            self.accept("+")
        if self.token.kind != "number":
            self.fail()
        return sign + self.advance().value

    # ------------------------------------------------------------------ lists

    def many(self, item: Callable[[], T]) -> list[T]:
        """One or more, with commas between."""
        items = [item()]
        while self.accept(","):
            items.append(item())
        return items

    def parenthesised(self, item: Callable[[], T]) -> list[T]:
        """One or more in parentheses, with commas between."""
        self.expect("(")
        items = self.many(item)
        self.expect(")")
        return items

    def leaves(self, closing: str) -> tuple[exp.Expr, ...] | None:
        """Literals and parameters up to the closing symbol, which is taken too; None: there are others."""
        found = leaves(self.tokens, self.index, closing)
        if found is None:
            return None
        items, at = found
        self.back_to(at + 1)
        return tuple(items)

    def source(self, begin: int, end: int | None = None) -> str:
        """The text of tokens `begin` up to but not including `end` (indexes)."""
        last = (self.index if end is None else end) - 1
        if last < begin:
            return ""
        return self.text[self.tokens[begin].start : self.tokens[last].end]
