"""Simple-protocol texts that differ only in their literals share one prepared statement.

Drivers that put values into the text (psql, psycopg's client cursor, pgbench -M simple) send a new text
for each row. Its shape (`sql.literals`) is the text with those values taken out; what is prepared is the
shape with parameters in their place, typed as PostgreSQL types the literals.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from catalog.memo import kept
from catalog.types.registry import INT4, INT8, NUMERIC, TEXT, VARCHAR
from catalog.types.table import PgType, TypeContext
from kalam_pg.query.prepare import Lru, cost
from kalam_pg.sessions import dispatch
from kalam_pg.sessions.prepared import PreparedStatement
from kalam_pg.sql.literals import literal_shape
from kalam_pg.sql.statements import QueryStatement
from kalam_pg.wire.portals import moving
from storage.errors import KalamError
from storage.layout import Value

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession

SHAPES_MAX = 256
"""Shapes that one session remembers."""

SHAPES_BYTES_MAX = 8 << 20
"""About what they may hold in memory (`prepare.cost`)."""

_DECLARED: dict[str, PgType | None] = {"i": INT4, "I": INT8, "n": NUMERIC, "s": None}

Shaped = tuple[PreparedStatement, tuple[Value, ...]]


class Shapes:
    """One session's prepared statements by shape. A None among them: a shape that cannot be prepared."""

    def __init__(self) -> None:
        self._known: Lru[str, PreparedStatement | str] = Lru(SHAPES_MAX, SHAPES_BYTES_MAX)
        self._templates: dict[str, _Template] = {}

    def again(self, sql: "SqlSession", text: str) -> Shaped | None:
        """As `find`, in a fifth of the time, for a text that is formed as one of those before it.

        None says nothing: ask `find`.
        """
        template = self._templates.get(text[:_BEGINNING])
        if template is None:
            return None
        match = template.pattern.fullmatch(text)
        if match is None or template.prepared.current(sql) is None:
            return None
        try:
            return template.prepared, _values(template.readers, match.groups())
        except (KalamError, _MovingError):
            return None

    def find(self, sql: "SqlSession", text: str) -> Shaped | None:
        """The text as a prepared statement and its values; None: run the text as it stands.

        Raises nothing: what is wrong with a text is found, and told, in the text itself.
        """
        if sql.cache.knows(text):
            return None
        shape = literal_shape(text)
        if shape is None or not shape.values:
            return None
        prepared = self._known.get(shape.key)
        again = prepared is not None
        if isinstance(prepared, PreparedStatement) and prepared.current(sql) is None:
            prepared = None  # Its literals might not get the types that its parameters have.
        if prepared is None:
            prepared = _prepare(sql, shape.text, shape.classes) or _UNFIT
            self._known.put(shape.key, prepared, cost(shape.text))
        if isinstance(prepared, str):
            return None
        types = prepared.param_types
        try:
            readers = _readers(shape.classes, types, sql.settings.types)
            if again and len(shape.key) <= _TEMPLATE_CHARS_MAX:
                self._remember(text, _Template(prepared, _pattern(shape.key), readers))
            values = _values(readers, shape.values)
        except (KalamError, _MovingError):
            return None
        return prepared, values

    def _remember(self, text: str, template: "_Template") -> None:
        if len(self._templates) >= SHAPES_MAX:
            self._templates.clear()
        self._templates[text[:_BEGINNING]] = template


@dataclass(frozen=True, slots=True)
class _Template:
    """A shape that came again. pattern: of its texts, a group for each value, read by its reader."""

    prepared: PreparedStatement
    pattern: re.Pattern[str]
    readers: "tuple[_Read, ...]"


_TEMPLATE_CHARS_MAX = 1024
"""Longer shapes are found the slower way: to read their patterns costs as much as to keep them."""

_BEGINNING = 32
"""Characters by which a text's template is found; no more than one of those that begin alike is kept."""

_LITERALS = {
    # Only what surely has the class: others go the long way.
    "i": r"(-?[0-9]{1,9})",
    "I": r"(-?(?:[1-9][0-9]{10,17}|[1-8][0-9]{18}))",
    "n": r"(-?[0-9]+\.[0-9]+)",
    "s": r"'([^'\0\1-\3]*)'",
}


@kept(1024, _TEMPLATE_CHARS_MAX)
def _pattern(key: str) -> re.Pattern[str]:
    """What the texts of a shape look like, but for rare spellings of their literals."""
    first, *rest = key.split("\0")
    literals = (_LITERALS[part[0]] + re.escape(part[1:]) for part in rest)
    return re.compile(re.escape(first) + "".join(literals))


def _values(readers: "Sequence[_Read]", literals: Sequence[str]) -> tuple[Value, ...]:
    return tuple([read(literal) for read, literal in zip(readers, literals, strict=True)])


_UNFIT = "unfit"


def _prepare(sql: "SqlSession", text: str, classes: Sequence[str]) -> PreparedStatement | None:
    try:
        statements = sql.cache.statements(text)
        if len(statements) != 1 or not isinstance(statements[0], QueryStatement):
            return None
        prepared = dispatch.prepare(sql, statements[0], [_DECLARED[c] for c in classes])
    except KalamError:
        return None
    return prepared if len(prepared.param_types) == len(classes) else None


class _MovingError(Exception):
    """A literal such as 'now' means another time at each statement."""


_Read = Callable[[str], Value]


@lru_cache(maxsize=2048)
def _readers(classes: str, types: tuple[PgType, ...], context: TypeContext) -> tuple[_Read, ...]:
    return tuple(_reader(c, t, context) for c, t in zip(classes, types, strict=True))


def _reader(letter: str, type_: PgType, context: TypeContext) -> _Read:
    if letter in "iI":
        return int
    if type_ in (TEXT, VARCHAR):
        return _same
    read = type_.input
    if type_.category != "D":
        return lambda literal: read(literal, -1, context)

    def date(literal: str) -> Value:
        if moving(literal.encode()):
            raise _MovingError
        return read(literal, -1, context)

    return date


def _same(literal: str) -> Value:
    return literal
