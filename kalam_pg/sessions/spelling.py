"""Constant defaults as PostgreSQL spells them, which is what tools compare: `'3'` of an integer is 3.

PostgreSQL keeps trees, and shows a constant with its type unless a bare number or word has that one. Here a
default is kept as text, so it is written so when it is defined; what is no constant stays as it was written.
"""

import re

from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql.bind import BindScope, bind_expression
from kalam_pg.sql.deparse import Deparser, quote_identifier
from kalam_pg.sql.kept_calls import calls_people
from kalam_pg.sql.lexer import tokenize
from kalam_pg.sql.tree import Const
from storage.errors import KalamError

_BARE = (types.INT2, types.INT4, types.INT8, types.NUMERIC, types.BOOL)
"""Types of which constants are written without quotes."""

_MOVING = re.compile("now|today|tomorrow|yesterday", re.IGNORECASE)
"""What means another time at each row."""


def spelled(sql: SqlSession, text: str, kind: PgType) -> str:
    """A default of a column of this type; "" for NULL, which is none. What does not bind stays, too."""
    if kind.definition is not None or (kind.element is not None and kind.element.definition):
        return _label(sql, text, kind)
    if calls_people(text, sql.snapshot):
        return text
    scope = _scope(sql)
    tokens = tokenize(text)
    if [token.key for token in tokens] == ["null"]:
        return ""
    quoted = len(tokens) == 1 and tokens[0].kind == "string"
    if quoted and kind.category == "D" and _MOVING.search(text):
        return text
    try:
        bound = bind_expression(text, scope, None, kind if quoted else None)
    except KalamError:
        return text  # Whoever checks it says what is wrong with it.
    if not isinstance(bound, Const) or not (quoted or bound.type in _BARE):
        return text
    shown = Deparser(lambda reference: quote_identifier(reference.name), lambda _: "").expr(bound)
    if quoted and shown.startswith("("):
        # An integer beside a number of this kind would be written so; it is one of the kind itself.
        number, _, kind_name = shown[1:].partition(")::")
        return f"'{number}'::{kind_name}"
    return shown


def _label(sql: SqlSession, text: str, kind: PgType) -> str:
    """A default of a type that people made, as it was written: labels are renamed there (`query.ddl_types`).

    The cast that PostgreSQL shows and pg_dump writes is left out, for it says what the column says.
    """
    tokens = tokenize(text)
    if len(tokens) < 3 or tokens[0].kind != "string" or tokens[1].key != "::":
        return text
    try:
        bound = bind_expression(text, _scope(sql), None, None)
    except KalamError:
        return text
    alone = isinstance(bound, Const) and bound.type == kind and kind.category == "E"
    return text[tokens[0].start : tokens[0].end] if alone else text


def _scope(sql: SqlSession) -> BindScope:
    return sql.cache.scope(sql.snapshot, sql.search_path, sql.settings.types)
