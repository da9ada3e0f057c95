"""DO [LANGUAGE plpgsql] 'BEGIN … END': blocks of statements, with handlers of exceptions.

Of PL/pgSQL there is what migrations write: statements, IF, RAISE, PERFORM, EXECUTE, nested blocks and
EXCEPTION. Whatever needs variables, loops or cursors is refused by its name (0A000) before anything runs.
"""

from collections.abc import Callable
from typing import NoReturn

from catalog.errors import (
    FeatureNotSupportedError,
    SqlSyntaxError,
    StatementTooComplexError,
    UndefinedObjectError,
)
from kalam_pg.sql.conditions import OTHERS, SQLSTATES
from kalam_pg.sql.lexer import Token, end_token, tokenize
from kalam_pg.sql.limits import check_text, check_tokens
from kalam_pg.sql.reader import StatementReader
from kalam_pg.sql.statements_do import Block, BlockStatement, Do, ExecuteText, If, Perform, Raise
from storage.errors import KalamError

_DEPTH_MAX = 50
_LEVELS = ("debug", "log", "info", "notice", "warning", "exception")
_OPTIONS = ("message", "detail", "hint", "errcode")
_LATER_OPTIONS = ("column", "constraint", "datatype", "table", "schema")
_REFUSED = {
    "declare": "DECLARE", "loop": "LOOP", "for": "FOR", "foreach": "FOREACH", "while": "WHILE",
    "exit": "EXIT",
    "continue": "CONTINUE", "case": "CASE", "get": "GET DIAGNOSTICS", "open": "OPEN", "fetch": "FETCH",
    "move": "MOVE", "close": "CLOSE", "call": "CALL", "assert": "ASSERT", "commit": "COMMIT",
    "rollback": "ROLLBACK", "return": "RETURN", "<<": "a label",
}  # fmt: skip
_QUERIES = ("select", "insert", "update", "delete", "merge", "with", "values", "table", "(")


def do(reader: StatementReader) -> Do:
    """DO [LANGUAGE name] 'block' [LANGUAGE name]."""
    reader.advance()
    body: str | None = None
    token = reader.token
    language = ""
    while not reader.at_end():
        if not language and reader.accept("language"):
            language = reader.string() if reader.token.kind == "string" else reader.role_name()
        elif body is None:
            token = reader.token
            body = reader.string()
        else:
            reader.fail()
    if body is None:
        if not language:
            reader.fail()
        raise SqlSyntaxError("no inline code specified")
    if language.lower() not in ("", "plpgsql"):
        raise UndefinedObjectError(f'language "{language}" does not exist')
    try:
        return Do(read_block(body))
    except KalamError as exc:
        if exc.position:
            # Where the block's text is as it was written, it counts in the statement.
            at = reader.text.find(body, token.start + 1, token.end)
            exc.position = exc.position + at + reader.offset if at >= 0 else 0
        raise


def read_block(text: str) -> Block:
    """The block of a DO. Raises 42601 in PL/pgSQL's words, 42704, 0A000, 54001."""
    check_text(text)
    tokens = tokenize(text)
    check_tokens(tokens)
    return _Reader(text, tokens).whole()


class _Reader:
    def __init__(self, text: str, tokens: list[Token]) -> None:
        self._text = text
        self._tokens = tokens
        self._at = 0
        self._end = end_token(len(text))
        self._depth = 0

    # ------------------------------------------------------------------------------ moving

    @property
    def _token(self) -> Token:
        return self._peek(0)

    def _peek(self, ahead: int) -> Token:
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else self._end

    def _accept(self, *keys: str) -> bool:
        if any(self._peek(at).key != key for at, key in enumerate(keys)):
            return False
        self._at += len(keys)
        return True

    def _expect(self, *keys: str) -> None:
        if not self._accept(*keys):
            self._fail()

    def _fail(self) -> NoReturn:
        token = self._token
        if token.kind == "end":
            raise SqlSyntaxError("syntax error at end of input", position=token.start + 1)
        near = self._text[token.start : token.end]
        raise SqlSyntaxError(f'syntax error at or near "{near}"', position=token.start + 1)

    def _line(self) -> int:
        return self._text.count("\n", 0, self._token.start) + 1

    def _until(self, *keys: str) -> str:
        """The text up to one of these, outside of brackets and CASE; it is the next token then."""
        begin, depth, cases = self._at, 0, 0
        while (token := self._token).kind != "end":
            if not depth and not cases and token.key in keys:
                break
            depth += (token.key in ("(", "[")) - (token.key in (")", "]"))
            cases += (token.key == "case") - (token.key == "end" and cases > 0)
            self._at += 1
        if begin == self._at or self._token.kind == "end":
            self._fail()
        return self._text[self._tokens[begin].start : self._tokens[self._at - 1].end]

    # ------------------------------------------------------------------------------ blocks

    def whole(self) -> Block:
        self._refuse()
        block = self._block()
        self._accept(";")
        if self._token.kind != "end":
            self._fail()
        return block

    def _block(self) -> Block:
        self._expect("begin")
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise StatementTooComplexError("blocks are nested too deeply")
        body = self._statements("exception", "end")
        handlers = []
        if self._accept("exception"):
            while self._accept("when"):
                caught = [self._condition()]
                while self._accept("or"):
                    caught.append(self._condition())
                self._expect("then")
                handlers.append((tuple(caught), self._statements("when", "end")))
            if not handlers:
                self._fail()
        self._expect("end")
        self._depth -= 1
        return Block(body, tuple(handlers))

    def _statements(self, *ends: str) -> tuple[BlockStatement, ...]:
        found: list[BlockStatement] = []
        while self._token.key not in ends:
            if self._token.kind == "end":
                self._fail()
            statement = self._statement()
            if statement is not None:
                found.append(statement)
            self._expect(";")
        return tuple(found)

    def _condition(self) -> str:
        if self._accept("sqlstate"):
            return self._sqlstate()
        token = self._token
        if token.kind not in ("word", "name"):
            self._fail()
        self._at += 1
        if token.value == OTHERS:
            return OTHERS
        return self._named(token.value)

    def _sqlstate(self) -> str:
        token = self._token
        if token.kind != "string":
            self._fail()
        if len(token.value) != 5 or not (token.value.isascii() and token.value.isalnum()):
            raise SqlSyntaxError("invalid SQLSTATE code")
        self._at += 1
        return token.value

    def _named(self, name: str) -> str:
        found = SQLSTATES.get(name)
        if found is None:
            raise UndefinedObjectError(
                f'unrecognized exception condition "{name}"', context=self._compiling()
            )
        return found

    def _compiling(self) -> str:
        return f'compilation of PL/pgSQL function "inline_code_block" near line {self._line()}'

    # ------------------------------------------------------------------------------ statements

    def _statement(self) -> BlockStatement | None:
        self._refuse()
        read = _STATEMENTS.get(self._token.key)
        if read is not None:
            return read(self)
        line = self._line()
        if self._peek(1).key in (":=", "="):
            raise _refused("a variable")
        query = self._token.key in _QUERIES
        begin = self._at
        text = self._until(";")
        if query and self._has_target(begin):
            raise _refused("INTO a variable")
        return Perform(text, line)

    def _refuse(self) -> None:
        what = _REFUSED.get(self._token.key)
        if what is not None and not (what == "RETURN" and self._peek(1).key != ";"):
            raise _refused(what)

    def _has_target(self, begin: int) -> bool:
        """Whether a query puts its rows into something: INTO that is not an INSERT's or a MERGE's."""
        depth = 0
        for at in range(begin, self._at):
            key = self._tokens[at].key
            depth += (key == "(") - (key == ")")
            before = self._tokens[at - 1].key if at else ""
            if key == "into" and not depth and before not in ("insert", "merge"):
                return True
        return False

    def _null(self) -> None:
        self._at += 1

    def _perform(self) -> Perform:
        line = self._line()
        self._at += 1
        begin = self._at
        text = self._until(";")
        if self._has_target(begin):
            raise _refused("INTO a variable")
        return Perform(f"SELECT {text}", line, query=True)

    def _execute(self) -> ExecuteText:
        line = self._line()
        self._at += 1
        text = self._until(";", "into", "using")
        if self._token.key != ";":
            raise _refused(f"EXECUTE … {self._token.key.upper()}")
        return ExecuteText(text, line)

    def _if(self) -> If:
        line = self._line()
        branches = []
        self._at += 1
        while True:
            condition = self._until("then")
            self._expect("then")
            branches.append((condition, self._statements("elsif", "elseif", "else", "end")))
            if not (self._accept("elsif") or self._accept("elseif")):
                break
        if self._accept("else"):
            branches.append(("true", self._statements("end")))
        self._expect("end", "if")
        return If(tuple(branches), line)

    def _raise(self) -> Raise:
        line = self._line()
        self._at += 1
        if self._token.key == ";":
            return Raise("", line)
        level = "exception"
        if self._token.key in _LEVELS:
            level = self._token.key
            self._at += 1
        form: str | None = None
        sqlstate = ""
        arguments: list[str] = []
        if self._token.kind == "string":
            form = self._token.value
            self._at += 1
            while self._accept(","):
                arguments.append(self._until(",", ";", "using"))
            if form.replace("%%", "").count("%") != len(arguments):
                many = form.replace("%%", "").count("%") < len(arguments)
                raise SqlSyntaxError(
                    f"too {'many' if many else 'few'} parameters specified for RAISE",
                    context=self._compiling(),
                )
        elif self._token.key != "using":
            sqlstate = self._condition()
        using = self._using() if self._accept("using") else ()
        return Raise(level, line, form, tuple(arguments), using, sqlstate)

    def _using(self) -> tuple[tuple[str, str], ...]:
        found: dict[str, str] = {}
        while True:
            option = self._token.key
            if option in _LATER_OPTIONS:
                raise _refused(f"RAISE USING {option.upper()}")
            if option not in _OPTIONS:
                raise SqlSyntaxError("unrecognized RAISE statement option")
            if option in found:
                raise SqlSyntaxError(f"RAISE option already specified: {option.upper()}")
            self._at += 1
            if not self._accept("=") and not self._accept(":="):
                self._fail()
            found[option] = self._until(",", ";")
            if not self._accept(","):
                return tuple(found.items())


def _refused(what: str) -> FeatureNotSupportedError:
    return FeatureNotSupportedError(f"{what} is not supported in a DO block")


_STATEMENTS: dict[str, Callable[[_Reader], BlockStatement | None]] = {
    "begin": _Reader._block,  # noqa: SLF001 -- a table of its methods
    "null": _Reader._null,  # noqa: SLF001
    "perform": _Reader._perform,  # noqa: SLF001
    "execute": _Reader._execute,  # noqa: SLF001
    "if": _Reader._if,  # noqa: SLF001
    "raise": _Reader._raise,  # noqa: SLF001
}
