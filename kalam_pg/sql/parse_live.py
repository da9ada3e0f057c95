"""SUBSCRIBE, UNSUBSCRIBE, LISTEN, UNLISTEN, NOTIFY, KILL."""

from catalog.errors import InvalidParameterValueError
from kalam_pg.sql.keywords import NOT_A_NAME
from kalam_pg.sql.lexer import whole_name
from kalam_pg.sql.reader import StatementReader
from kalam_pg.sql.statements import KillJob, QueryStatement, Statement
from kalam_pg.sql.statements_live import (
    KillLiveQuery,
    Listen,
    Notify,
    Subscribe,
    SubscribeOptions,
    Unlisten,
    Unsubscribe,
)
from kalam_pg.sql.subscribe_options import OptionReader, position

_ALL_OF = "SELECT * FROM "


def listen(reader: StatementReader) -> Listen:
    """LISTEN channel [SINCE token]."""
    reader.advance()
    channel = _channel(reader)
    since = ""
    if reader.accept("since"):
        token = reader.token
        if token.kind not in ("string", "number"):
            reader.fail()
        since = reader.advance().value
        try:
            position(since)
        except ValueError:
            raise InvalidParameterValueError(
                f'invalid position "{since}"', position=reader.position(token)
            ) from None
    return Listen(channel, since)


def unlisten(reader: StatementReader) -> Unlisten:
    """UNLISTEN channel | *."""
    reader.advance()
    return Unlisten(None if reader.accept("*") else _channel(reader))


def notify(reader: StatementReader) -> Notify:
    """NOTIFY channel [, 'payload']."""
    reader.advance()
    channel = _channel(reader)
    return Notify(channel, reader.string() if reader.accept(",") else "")


def unsubscribe(reader: StatementReader) -> Unsubscribe:
    """UNSUBSCRIBE channel."""
    reader.advance()
    return Unsubscribe(_channel(reader))


def _channel(reader: StatementReader) -> str:
    """A channel's name, however long."""
    if not reader.is_name(NOT_A_NAME):
        reader.fail()
    return whole_name(reader.text, reader.advance())


def subscribe(reader: StatementReader) -> Subscribe:
    """SUBSCRIBE [TO] SELECT … | SUBSCRIBE TO table [WHERE …], each with [OPTIONS (…)]."""
    reader.advance()
    to = reader.accept("to")
    options_at = _options_at(reader)
    if reader.at("select", "(", "with", "table", "values"):
        token = reader.token
        query = reader.nested_statement(options_at)
        if not isinstance(query, QueryStatement) or query.kind != "select":
            reader.fail(token)
    elif to:
        query = _all_of_table(reader, options_at)
    else:
        reader.fail()
    return Subscribe(query, _options(reader) if options_at is not None else SubscribeOptions())


def _all_of_table(reader: StatementReader, options_at: int | None) -> QueryStatement:
    """Table [WHERE …], read as the query of all its columns."""
    begin = reader.index
    reader.table_name()
    if not reader.at_end() and not reader.at("where") and reader.index != options_at:
        reader.fail()
    reader.back_to(begin)
    query = reader.nested_statement(options_at, prefix=_ALL_OF)
    assert isinstance(query, QueryStatement)
    return query


def _options_at(reader: StatementReader) -> int | None:
    """The index of the word OPTIONS whose parentheses end the statement; None if there is none."""
    tokens = reader.tokens
    for index in range(len(tokens) - 2, reader.index, -1):
        if tokens[index].key == "options" and tokens[index + 1].key == "(":
            return index if reader.closing(index + 1) >= len(tokens) - 1 else None
    return None


def _options(reader: StatementReader) -> SubscribeOptions:
    """OPTIONS (name = value, …)."""
    reader.expect("options")
    found = OptionReader()

    def option() -> None:
        token = reader.token
        name = reader.label()
        reader.expect("=")
        value = reader.token
        if value.kind not in ("string", "number", "word", "name"):
            reader.fail()
        reader.advance()
        found.add(name, value.value, reader.position(token))

    reader.parenthesised(option)
    return found.options()


def kill(reader: StatementReader) -> Statement:
    """KILL JOB 'id', KILL LIVE QUERY 'id'; a number may stand there as it is."""
    reader.advance()
    if reader.accept("job"):
        return KillJob(_id(reader))
    reader.expect("live", "query")
    return KillLiveQuery(_id(reader))


def _id(reader: StatementReader) -> str:
    return str(reader.integer()) if reader.token.kind == "number" else reader.string()
