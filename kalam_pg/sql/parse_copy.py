"""COPY … TO and COPY … FROM, with the options of today and those of before PostgreSQL 9 and 7.3."""

from dataclasses import replace
from typing import Literal

from kalam_pg.sql.keywords import RESERVED
from kalam_pg.sql.reader import StatementReader
from kalam_pg.sql.statements import QueryStatement, Statement
from kalam_pg.sql.statements_copy import CopyFrom, CopyOption, CopyTo
from kalam_pg.sql.statements_live import Subscribe


def copy(reader: StatementReader) -> Statement:
    """COPY {table [(columns)] | (query)} TO … [options], COPY table [(columns)] FROM … [options] [WHERE]."""
    reader.advance()
    if reader.at("("):
        return _copy_query(reader)
    options: list[CopyOption] = []
    if reader.at("binary"):
        position = reader.position(reader.advance())
        options.append(CopyOption("format", "word", "binary", position=position))
    table = reader.table_name()
    columns = tuple(reader.parenthesised(lambda: _column(reader))) if reader.at("(") else ()
    if reader.accept("from"):
        source = _source(reader)
        options += _delimiters(reader) + _options(reader)
        return _copy_from(reader, CopyFrom(table, columns, tuple(options), source=source))
    reader.expect("to")
    target = _target(reader)
    options += _delimiters(reader) + _options(reader)
    return CopyTo(table, columns, None, tuple(options), target)


def _copy_from(reader: StatementReader, read: CopyFrom) -> CopyFrom:
    """COPY FROM, with its WHERE if it has one."""
    if not reader.accept("where"):
        return read
    where_at = reader.offset + reader.token.start
    return replace(read, where=reader.expression_text(), where_at=where_at)


def _copy_query(reader: StatementReader) -> CopyTo:
    closing = reader.closing(reader.index)
    reader.advance()
    token = reader.token
    query = reader.nested_statement(closing)
    if not isinstance(query, QueryStatement | Subscribe):
        reader.fail(token)
    reader.expect(")")
    reader.expect("to")
    target = _target(reader)
    return CopyTo(None, (), query, tuple(_options(reader)), target)


def _column(reader: StatementReader) -> tuple[str, int]:
    position = reader.position(reader.token)
    return reader.column_name(), position


def _target(reader: StatementReader) -> Literal["stdout", "file", "program"]:
    if reader.accept("program"):
        reader.string()
        return "program"
    if reader.accept("stdout") or reader.accept("stdin"):  # PostgreSQL takes either for either.
        return "stdout"
    reader.string()
    return "file"


def _source(reader: StatementReader) -> Literal["stdin", "file", "program"]:
    target = _target(reader)
    return "stdin" if target == "stdout" else target


def _delimiters(reader: StatementReader) -> list[CopyOption]:
    """[USING] DELIMITERS 'character', of before PostgreSQL 7.3."""
    if not reader.at("using", "delimiters"):
        return []
    reader.accept("using")
    position = reader.position(reader.expect("delimiters"))
    return [CopyOption("delimiter", "string", reader.string(), position=position)]


def _options(reader: StatementReader) -> list[CopyOption]:
    reader.accept("with")
    if reader.at("("):
        return reader.parenthesised(lambda: _option(reader))
    found = []
    while not reader.at_end() and not reader.at("where"):
        found.append(_old_option(reader))
    return found


def _option(reader: StatementReader) -> CopyOption:
    """Name [argument], between parentheses."""
    position = reader.position(reader.token)
    name = reader.label()
    token = reader.token
    if reader.at(",", ")"):
        return CopyOption(name, position=position)
    if reader.accept("*"):
        return CopyOption(name, "star", "*", position=position)
    if reader.at("("):
        names = reader.parenthesised(lambda: _word_or_string(reader))
        return CopyOption(name, "list", names=tuple(names), position=position)
    if token.kind == "string":
        return CopyOption(name, "string", reader.string(), position=position)
    if token.kind == "number" or reader.at("-", "+"):
        return CopyOption(name, "number", reader.signed_number(), position=position)
    return CopyOption(name, "word", _word_or_string(reader), position=position)


def _word_or_string(reader: StatementReader) -> str:
    if reader.token.kind == "string":
        return reader.string()
    if reader.at("true", "false", "on"):  # The reserved words that are values.
        return reader.advance().key
    return reader.name_except(RESERVED)


_WORDS = {
    "binary": ("format", "binary"),
    "csv": ("format", "csv"),
    "freeze": ("freeze", "true"),
    "header": ("header", "true"),
}
_TEXTS = ("delimiter", "null", "quote", "escape")


def _old_option(reader: StatementReader) -> CopyOption:
    """One of those that stand without parentheses."""
    token = reader.token
    position = reader.position(token)
    if token.key in _WORDS:
        reader.advance()
        name, value = _WORDS[token.key]
        return CopyOption(name, "word", value, position=position)
    if reader.at(*_TEXTS):
        name = reader.advance().key
        reader.accept("as")
        return CopyOption(name, "string", reader.string(), position=position)
    if reader.accept("encoding"):
        return CopyOption("encoding", "string", reader.string(), position=position)
    reader.expect("force")
    if reader.accept("not"):
        reader.expect("null")
        name = "force_not_null"
    elif reader.accept("null"):
        name = "force_null"
    else:
        reader.expect("quote")
        name = "force_quote"
        if reader.accept("*"):
            return CopyOption(name, "star", "*", position=position)
    names = tuple(reader.many(reader.column_name))
    return CopyOption(name, "list", names=names, position=position)
