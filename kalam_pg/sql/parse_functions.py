"""CREATE, ALTER and DROP FUNCTION, PROCEDURE and ROUTINE."""

from dataclasses import replace
from typing import Any

from sqlglot import exp

from catalog.errors import (
    FeatureNotSupportedError,
    InvalidFunctionDefinitionError,
    SqlSyntaxError,
)
from kalam_pg.sql.grammar_types import TYPE_KEYWORDS
from kalam_pg.sql.keywords import NOT_A_FUNCTION
from kalam_pg.sql.parse_session import set_
from kalam_pg.sql.reader import StatementReader
from kalam_pg.sql.statements import (
    QueryStatement,
    SetSetting,
    Statement,
    TableName,
    TypeName,
    Unsupported,
)
from kalam_pg.sql.statements_functions import (
    AlterFunction,
    CallProcedure,
    CommentOnFunction,
    CreateFunction,
    DropFunction,
    FunctionName,
    FunctionOptions,
    MoveFunction,
    ParameterDefinition,
)

KINDS = ("function", "procedure", "routine")
"""What GRANT calls them."""

ALL_KINDS = (*KINDS, "aggregate")
"""What ALTER, DROP and COMMENT call them."""

_NO_NAME_FOLLOWS = frozenset((",", ")", "default", "=", ":=", ".", "(", "[", "array", ""))


def create(reader: StatementReader, *, or_replace: bool) -> Statement:
    """CREATE [OR REPLACE] FUNCTION | PROCEDURE."""
    kind = "f" if reader.advance().key == "function" else "p"
    name = function_called(reader)
    parameters = _parameters(reader)
    returns: TypeName | None = None
    returns_set = False
    if kind == "f" and reader.at_words("returns") and reader.peek().key != "null":
        reader.advance()
        if reader.at_words("table", "("):
            reader.advance()
            returns_set = True
            parameters += tuple(reader.parenthesised(lambda: _table_column(reader)))
        else:
            returns_set = reader.accept("setof")
            returns = _type(reader)
    clauses = _Clauses(reader)
    while not reader.at_end():
        clauses.read()
    return CreateFunction(
        *(name, parameters, returns, returns_set, clauses.body, clauses.options, kind),
        or_replace=or_replace,
        standard=clauses.standard,
        language=clauses.language,
        body_at=clauses.body_at,
    )


def function_called(reader: StatementReader) -> TableName:
    """func_name: what a function may be called, or a qualified name."""
    position = reader.token.start + 1
    parts = [reader.name_except(NOT_A_FUNCTION)]
    while reader.accept("."):
        parts.append(reader.label())
    if len(parts) > 3:
        raise SqlSyntaxError(
            f"improper qualified name (too many dotted names): {'.'.join(parts)}",
            position=position + reader.offset,
        )
    if len(parts) == 3:
        reader.of_this_database(parts, position, quoted=False)
    return TableName(parts[-2] if len(parts) > 1 else "", parts[-1], position)


# ------------------------------------------------------------------ parameters


def _parameters(reader: StatementReader) -> tuple[ParameterDefinition, ...]:
    reader.expect("(")
    found = [] if reader.at(")") else reader.many(lambda: _parameter(reader))
    reader.expect(")")
    return tuple(found)


def _parameter(reader: StatementReader) -> ParameterDefinition:
    mode = _mode(reader)
    name = ""
    if _is_named(reader):
        name = reader.name_except(NOT_A_FUNCTION)
        mode = mode or _mode(reader)
    kind = _type(reader)
    default = ""
    if reader.accept("default") or reader.accept("=") or reader.accept(":="):
        default = reader.expression_text()
    return ParameterDefinition(name, kind, mode, default)


def _mode(reader: StatementReader) -> str:
    if reader.accept("in"):
        return "b" if reader.accept("out") else "i"
    for word, mode in (("inout", "b"), ("out", "o"), ("variadic", "v")):
        if reader.accept(word):
            return mode
    return ""


def _is_named(reader: StatementReader) -> bool:
    """Whether a parameter's name stands before its type."""
    token, following = reader.token, reader.peek()
    if token.kind == "word" and (token.key in TYPE_KEYWORDS or token.key == "setof"):
        return False
    if not reader.is_name(NOT_A_FUNCTION) or (
        token.key == "double" and following.key == "precision"
    ):
        return False
    if following.kind == "end" or following.key == "%":
        return False
    return following.kind == "name" or following.key not in _NO_NAME_FOLLOWS


def _type(reader: StatementReader) -> TypeName:
    kind = reader.type_name()
    if reader.at("%"):
        reader.unsupported("%TYPE")
    return kind


def _table_column(reader: StatementReader) -> ParameterDefinition:
    name = reader.name_except(NOT_A_FUNCTION)
    return ParameterDefinition(name, _type(reader), "t")


def aggregated(reader: StatementReader) -> tuple[ParameterDefinition, ...]:
    """aggr_args: the parameters of an aggregate, or a star for none."""
    if reader.accept("(", "*", ")"):
        return ()
    reader.expect("(")
    found = [] if reader.at("order") else reader.many(lambda: _aggregated(reader))
    if reader.at("order"):
        reader.unsupported("an ordered-set aggregate of one's own")
    reader.expect(")")
    return tuple(found)


def _aggregated(reader: StatementReader) -> ParameterDefinition:
    found = _parameter(reader)
    if found.default:
        reader.fail()
    if found.mode in ("o", "b"):
        raise FeatureNotSupportedError("aggregates cannot have output arguments")
    return found


# ------------------------------------------------------------------ options


class _Clauses:
    """What is read of what follows the parameters, in any order."""

    def __init__(self, reader: StatementReader, *, alter: bool = False) -> None:
        self._reader = reader
        self._alter = alter
        self._seen: set[str] = set()
        self._values: dict[str, Any] = {}
        self._settings: list[tuple[str, str | None]] = []
        self.body: str | None = None
        self.body_at = -1
        self.standard = False
        self.language = ""

    @property
    def options(self) -> FunctionOptions:
        """How the function behaves."""
        return FunctionOptions(**self._values, settings=tuple(self._settings))

    def _once(self, name: str, value: object) -> None:
        if name in self._seen:
            self._twice()
        self._seen.add(name)
        if value is not None:
            self._values[name] = value

    def _twice(self) -> None:
        reader = self._reader
        position = reader.position(reader.tokens[reader.index - 1])
        raise SqlSyntaxError("conflicting or redundant options", position=position)

    def read(self) -> None:
        """One clause. Raises 42601 for what is none, or twice there."""
        if not self._common() and (self._alter or not self._of_create()):
            self._reader.fail()

    def _common(self) -> bool:
        reader = self._reader
        if reader.at("immutable", "stable", "volatile"):
            self._once("volatility", reader.advance().key[0])
        elif reader.accept("called", "on", "null", "input"):
            self._once("strict", value=False)
        elif reader.accept("returns", "null", "on", "null", "input") or reader.accept("strict"):
            self._once("strict", value=True)
        elif reader.accept("leakproof"):
            self._once("leakproof", value=True)
        elif reader.accept("not", "leakproof"):
            self._once("leakproof", value=False)
        elif reader.at("external", "security"):
            reader.accept("external")
            reader.expect("security")
            if not reader.at("invoker", "definer"):
                reader.fail()
            self._once("definer", reader.advance().key == "definer")
        elif reader.accept("parallel"):
            self._once("parallel", reader.label())
        elif reader.accept("cost"):
            self._once("cost", float(reader.signed_number()))
        elif reader.accept("rows"):
            self._once("rows", float(reader.signed_number()))
        elif reader.at("support"):
            reader.unsupported("SUPPORT of a function")
        elif reader.at("set", "reset"):
            self._setting()
        else:
            return False
        return True

    def _setting(self) -> None:
        reader = self._reader
        if reader.accept("reset"):
            self._settings.append((reader.label(), None))
            return
        statement = set_(reader)
        if not isinstance(statement, SetSetting) or statement.local:
            reader.unsupported("this SET of a function")
        self._settings.append((statement.name, statement.value))

    def _of_create(self) -> bool:
        reader = self._reader
        if reader.accept("as"):
            if self.body is not None:
                self._twice()
            token = reader.token
            self.body = reader.string()
            at = reader.text.find(self.body, token.start + 1, token.end)
            self.body_at = at + reader.offset if at >= 0 else -1
            if reader.at(","):
                reader.unsupported("AS with a link symbol")
        elif reader.accept("language"):
            if self.language:
                self._twice()
            quoted = reader.token.kind == "string"
            self.language = reader.string() if quoted else reader.role_name()
        elif reader.at("window", "transform"):
            reader.unsupported(f"{reader.token.key.upper()} of a function")
        elif reader.at("return") or reader.at_words("begin", "atomic"):
            if self.body is not None:
                raise InvalidFunctionDefinitionError("duplicate function body specified")
            self._standard_body()
        else:
            return False
        return True

    def _standard_body(self) -> None:
        reader = self._reader
        begin, start = reader.index, reader.token.start
        if reader.accept("return"):
            reader.expression()
        else:
            reader.expect("begin", "atomic")
            cases = 0
            while not (reader.at("end") and not cases):
                if reader.at_end():
                    reader.fail()
                cases += reader.at("case") - reader.at("end")
                reader.advance()
            reader.advance()
        self.standard = True
        self.body = reader.source(begin)
        self.body_at = start + reader.offset


# ------------------------------------------------------------------ ALTER, DROP, COMMENT


def function_name(reader: StatementReader, kind: str) -> FunctionName:
    """A function by its name, with the types of what it is called with in parentheses or without.

    An aggregate has its types always, or a star for none.
    """
    name = function_called(reader)
    if kind == "aggregate":
        return FunctionName(name, aggregated(reader), kind)
    return FunctionName(name, _parameters(reader) if reader.at("(") else None, kind)


def alter(reader: StatementReader) -> Statement:
    """ALTER FUNCTION | PROCEDURE | ROUTINE | AGGREGATE."""
    target = function_name(reader, reader.advance().key)
    if reader.accept("rename", "to"):
        return AlterFunction(target, MoveFunction(new_name=reader.name_except(NOT_A_FUNCTION)))
    if reader.accept("set", "schema"):
        return AlterFunction(target, MoveFunction(schema=reader.column_name()))
    if reader.accept("owner", "to"):
        return AlterFunction(target, MoveFunction(owner=reader.role_or_self()))
    if target.kind == "aggregate":
        reader.fail()
    if reader.at("depends", "no"):
        reader.skip_rest()
        return Unsupported(f"ALTER {target.kind.upper()} … DEPENDS ON EXTENSION")
    clauses = _Clauses(reader, alter=True)
    clauses.read()
    while not reader.at_end() and not reader.at("restrict"):
        clauses.read()
    reader.accept("restrict")
    return AlterFunction(target, clauses.options)


def drop(reader: StatementReader) -> Statement:
    """DROP FUNCTION | PROCEDURE | ROUTINE | AGGREGATE."""
    kind = reader.advance().key
    if_exists = reader.if_exists()
    targets = reader.many(lambda: function_name(reader, kind))
    return DropFunction(tuple(targets), if_exists, reader.cascade())


def comment(reader: StatementReader) -> Statement:
    """COMMENT ON FUNCTION | PROCEDURE | ROUTINE | AGGREGATE."""
    target = function_name(reader, reader.advance().key)
    reader.expect("is")
    return CommentOnFunction(target, None if reader.accept("null") else reader.string())


def call(reader: StatementReader) -> Statement:
    """CALL name(arguments)."""
    reader.advance()
    query = reader.nested_statement(prefix="SELECT ")
    if not isinstance(query, QueryStatement):
        reader.fail()
    items = query.tree.expressions
    args = [name for name, value in query.tree.args.items() if value and name != "expressions"]
    if args or len(items) != 1 or type(items[0]) is not exp.Anonymous:
        reader.fail()
    return CallProcedure(query)


def unmoded(definition: ParameterDefinition) -> ParameterDefinition:
    """With the mode that it has where none is written."""
    return definition if definition.mode else replace(definition, mode="i")
