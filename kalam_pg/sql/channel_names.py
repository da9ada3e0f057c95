"""The name of a channel that is a table's: `schema.table`, and perhaps `?name=value&…` behind it.

`LISTEN "chat.messages?where=room_id%3D5&last_rows=50"` is all that many drivers can send, so a subscription
with everything that it may have fits into a name. Options are split at `&` and at the first `=`; names and
values are percent-encoded UTF-8 (a `+` is a plus).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from catalog.errors import InvalidParameterValueError, SqlSyntaxError
from catalog.pg_catalog.text import quote_identifier
from kalam_pg.sql.parse import parse
from kalam_pg.sql.statements import QueryStatement
from kalam_pg.sql.statements_live import SubscribeOptions
from kalam_pg.sql.subscribe_options import OptionReader

BYTES_MAX: Final = 4096
"""A table's channel has no longer name."""

OPTIONS: Final = ("last_rows", "from_seq", "snapshot", "progress", "bigint", "old", "flush")
"""Of those of SUBSCRIBE: the channel is named already, and there is no result."""

WHERE: Final = "where"

_ALL_OF = "SELECT * FROM "

_BAD_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class TableName:
    """A name that could be a table's channel: the table, and its options as they were written.

    options: None where there is no `?`. schema: "" where none was said.
    """

    schema: str
    table: str
    options: str | None

    @property
    def means_a_table(self) -> bool:
        """Whether it is an error if there is no such table."""
        if self.options is None:
            return False
        return bool(self.schema) or "=" in self.options


def possible_tables(channel: str) -> Iterator[TableName]:
    """What tables a channel may be that of, in the order in which they are to be looked for.

    A bare word without options never is: that is how PostgreSQL's users call their channels.
    """
    name, asked, options = channel.partition("?")
    written = options if asked else None
    parts = name.split(".")
    for at in range(len(parts) - 1, 0, -1):
        yield TableName(".".join(parts[:at]), ".".join(parts[at:]), written)
    if asked and len(parts) == 1:
        yield TableName("", name, written)


@dataclass(frozen=True, slots=True)
class ChannelQuery:
    """What a table's channel tells: a query as SUBSCRIBE has it, and its options.

    options.snapshot: only where rows were asked for, by `snapshot` or `last_rows`.
    """

    query: QueryStatement
    options: SubscribeOptions


def read(schema: str, table: str, options: str | None, since: str) -> ChannelQuery:
    """The subscription that a channel's name asks for. since: of LISTEN … SINCE, "" for none.

    Raises:
        InvalidParameterValueError: A value cannot be, or is not percent-encoded.
        SqlSyntaxError: An option does not exist, or contradicts another; or what `where` says is none.
    """
    reader = OptionReader("LISTEN", OPTIONS)
    where: str | None = None
    for name, value in _pairs(options or ""):
        if name != WHERE:
            reader.add(name, value)
        elif where is not None:
            raise SqlSyntaxError("conflicting or redundant options")
        else:
            where = value
    if since:
        reader.add("from_seq", since)
    return ChannelQuery(_query(schema, table, where), reader.options(snapshot=False))


def place_in_where(
    schema: str, table: str, options: str | None, position: int
) -> tuple[str, int] | None:
    """Where in a name's `where` an error of its query is: that condition, and the character, from 1.

    position: in the query that `read` has made. None: it is nowhere in there.
    """
    for name, _, value in (written.partition("=") for written in (options or "").split("&")):
        where = unquote_to_bytes(value).decode(errors="replace")
        at = position - len(_before_where(schema, table))
        if name == WHERE and 1 <= at <= len(where) + 1:
            return where, at
    return None


def _before_where(schema: str, table: str) -> str:
    return f"{_ALL_OF}{quote_identifier(schema)}.{quote_identifier(table)} WHERE "


def _pairs(options: str) -> Iterator[tuple[str, str]]:
    for written in options.split("&") if options else ():
        name, equals, value = written.partition("=")
        if not equals:
            raise SqlSyntaxError(f'LISTEN option "{written}" has no value')
        yield _decoded(name), _decoded(value)


def _decoded(text: str) -> str:
    if _BAD_PERCENT.search(text) is None:
        try:
            decoded = unquote_to_bytes(text).decode()
        except UnicodeDecodeError:
            pass
        else:
            if "\0" not in decoded:
                return decoded
    raise InvalidParameterValueError(f'invalid percent-encoding in channel name: "{text}"')


def _query(schema: str, table: str, where: str | None) -> QueryStatement:
    text = _before_where(schema, table)
    # What else may stand there than a condition no subscription can be, or it is no statement.
    text = text.removesuffix(" WHERE ") if where is None else text + where
    statements = parse(text)
    (query,) = statements if len(statements) == 1 else (None,)
    if not isinstance(query, QueryStatement):
        raise SqlSyntaxError(f'LISTEN option "where" is no condition: "{where}"')
    return query
