"""CREATE AGGREGATE: its parameters before its options, or in the old form among them."""

from catalog.errors import SqlSyntaxError
from kalam_pg.sql.keywords import NOT_A_FUNCTION
from kalam_pg.sql.parse_functions import aggregated, function_called
from kalam_pg.sql.reader import StatementReader
from kalam_pg.sql.statements import Statement, TableName
from kalam_pg.sql.statements_functions import AggregateOption, CreateAggregate
from storage.errors import KalamError


def create(reader: StatementReader, *, or_replace: bool) -> Statement:
    """CREATE [OR REPLACE] AGGREGATE."""
    reader.advance()
    name = function_called(reader)
    old = reader.at("(") and reader.peek().kind in ("word", "name") and reader.peek(2).key == "="
    parameters = None if old else aggregated(reader)
    options = reader.parenthesised(lambda: _option(reader, old=old))
    return CreateAggregate(name, parameters, tuple(options), or_replace)


def _option(reader: StatementReader, *, old: bool) -> AggregateOption:
    if old and reader.at("parallel"):  # Newer than that form.
        reader.fail()
    name = reader.column_name() if old else reader.label()
    if not reader.accept("="):
        if old:
            reader.fail()
        return AggregateOption(name, "true")
    if reader.token.kind == "string":
        return AggregateOption(name, reader.string())
    if reader.at("-", "+") or reader.token.kind == "number":
        return AggregateOption(name, reader.signed_number())
    if reader.token.kind not in ("word", "name"):
        return AggregateOption(name, _operator(reader))
    if reader.accept("operator", "("):
        while reader.is_name() and reader.peek().key == ".":
            reader.advance()
            reader.advance()
        text = _operator(reader)
        reader.expect(")")
        return AggregateOption(name, text)
    return _named(reader, name)


def _operator(reader: StatementReader) -> str:
    text = reader.advance().key
    if not text or not set(text) <= set("+-*/<>=~!@#%^&|`?"):
        raise SqlSyntaxError(
            f'syntax error at or near "{text}"',
            position=reader.position(reader.tokens[reader.index - 1]),
        )
    return text


def _named(reader: StatementReader, name: str) -> AggregateOption:
    """What is called by a name: a type, a function, or a word."""
    begin = reader.index
    function: TableName | None = None
    if reader.is_name(NOT_A_FUNCTION):
        function = function_called(reader)
        if reader.at("(") and reader.peek().kind in ("word", "name"):
            # Types of arguments, which PostgreSQL reads as modifiers of a type and looks at no more.
            reader.back_to(reader.closing(reader.index))
            reader.expect(")")
            return AggregateOption(name, function.name, None, function)
        reader.back_to(begin)
    word = reader.token.value
    try:
        kind = reader.type_name()
    except KalamError:
        # A reserved word, which is the name of nothing.
        reader.back_to(begin)
        reader.label()
        return AggregateOption(name, word)
    return AggregateOption(name, word, kind, function)
