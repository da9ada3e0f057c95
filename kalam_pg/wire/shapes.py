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
from catalog.types.registry import (
    BOOL,
    FLOAT8,
    INT4,
    INT8,
    INTERVAL,
    NUMERIC,
    TEXT,
    VARCHAR,
)
from catalog.types.table import DEFAULT_CONTEXT, PgType, TypeContext
from kalam_pg.query.insert import ParamRows
from kalam_pg.query.lru import Lru, cost
from kalam_pg.sessions import dispatch, long_texts, roles
from kalam_pg.sessions.prepared import Given, PreparedStatement
from kalam_pg.sql.literal_rows import rows_shape
from kalam_pg.sql.literals import Shape, literal_shape
from kalam_pg.sql.statements import ExecuteAsUser, QueryStatement
from kalam_pg.wire.portals import moving
from storage.errors import KalamError
from storage.layout import Value

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession

SHAPES_MAX = 256
"""Shapes that one session remembers."""

SHAPES_BYTES_MAX = 8 << 20
"""About what they may hold in memory (`lru.cost`)."""

_NUMBERS = frozenset("iIn")
_DECLARED: dict[str, PgType | None] = {"i": INT4, "I": INT8, "n": NUMERIC, "b": BOOL, "s": None}

Shaped = tuple[PreparedStatement, tuple[Value, ...]]


class Shapes:
    """One session's prepared statements by shape. A None among them: a shape that cannot be prepared."""

    def __init__(self) -> None:
        self._known: Lru[str, PreparedStatement | QueryStatement | str] = Lru(
            SHAPES_MAX, SHAPES_BYTES_MAX
        )
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
        acting = _AS_USER.fullmatch(text)
        if acting is not None:
            return self._acting(sql, acting[1].replace("''", "'"), acting[2].strip())
        literals = _Literals.of(text)
        if literals is None:
            return None
        shape = literals.shape
        prepared = self._known.get(shape.key)
        again = prepared is not None
        if isinstance(prepared, PreparedStatement) and prepared.current(sql) is None:
            prepared = None  # Its literals might not get the types that its parameters have.
        if prepared is None:
            rows = literals.rows is not None
            prepared = _prepare(sql, shape.text, shape.classes, rows=rows) or _UNFIT
            self._known.put(shape.key, prepared, cost(shape.text))
        if not isinstance(prepared, PreparedStatement):
            return None
        try:
            readers = _readers(shape.classes, prepared.param_types, sql.settings.types)
            if again and literals.rows is None and len(shape.key) <= _TEMPLATE_CHARS_MAX:
                self._remember(text, _Template(prepared, _pattern(shape.key), readers))
            return prepared, literals.params(readers)
        except (KalamError, _MovingError):
            return None

    def taken_out(self, sql: "SqlSession", text: str) -> PreparedStatement | None:
        """As `find`, as a statement that has its values with it and no parameters."""
        found = self.find(sql, text)
        if found is None:
            return None
        prepared, values = found
        return (
            prepared
            if prepared.given is not None
            else PreparedStatement(
                prepared.statement,
                (),
                prepared.columns,
                prepared.planned,
                prepared.validity,
                given=Given(prepared.param_types, values),
            )
        )

    def _acting(self, sql: "SqlSession", user: str, text: str) -> Shaped | None:
        """EXECUTE AS USER 'user' (text). It is prepared as that user, who may be another each time."""
        literals = _Literals.of(text)
        if literals is None:
            return None
        shape = literals.shape
        inner = self._known.get(_ACTING + shape.key)
        if inner is None:
            inner = _statement(sql, shape.text) or _UNFIT
            self._known.put(_ACTING + shape.key, inner, cost(shape.text))
        if not isinstance(inner, QueryStatement):
            return None
        statement = ExecuteAsUser(user, inner)
        try:
            prepared = roles.prepare_as(sql, statement, [_DECLARED[c] for c in shape.classes])
            if prepared is None or len(prepared.param_types) != len(shape.classes):
                return None
            if _fails(prepared):
                return None
            types = prepared.param_types
            params = literals.params(_readers(shape.classes, types, sql.settings.types))
        except (KalamError, _MovingError):
            return None
        return PreparedStatement(statement, (), prepared.columns, given=Given(types, params)), ()

    def _remember(self, text: str, template: "_Template") -> None:
        if len(self._templates) >= SHAPES_MAX:
            self._templates.clear()
        self._templates[text[:_BEGINNING]] = template


_ACTING = "execute as "
"""Before the keys of what is run for another user: such a statement is planned each time."""

_AS_USER = re.compile(
    r"\s*execute\s+as\s+user\s+'((?:[^']|'')+)'\s*\((.*)\)\s*;?\s*", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class _Literals:
    """A text's shape, with the values of one statement, or of each row of an INSERT."""

    shape: Shape
    rows: Sequence[tuple[str | None, ...]] | None

    @classmethod
    def of(cls, text: str) -> "_Literals | None":
        """Those of one statement; None when it has none that can be taken out."""
        rows = rows_shape(text)
        if rows is not None:
            return cls(rows.shape, rows.rows)
        shape = literal_shape(text)
        return None if shape is None or not shape.values else cls(shape, None)

    def params(self, readers: "Sequence[_Read]") -> tuple[Value, ...]:
        """The values as they are stored. Raises what reading them raises."""
        if self.rows is None:
            return _values(readers, self.shape.values)
        columns = [
            [None if literal is None else read(literal) for literal in column]
            for read, column in zip(readers, zip(*self.rows, strict=True), strict=True)
        ]
        return ParamRows(list(zip(*columns, strict=True)))


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


def _prepare(
    sql: "SqlSession", text: str, classes: Sequence[str], *, rows: bool
) -> PreparedStatement | None:
    """rows: each literal is a value of an INSERT by itself."""
    statement = _statement(sql, text)
    if statement is None or long_texts.is_long_here(sql, text):
        return None
    declared = [_DECLARED[c] for c in classes]
    try:
        if rows and not _NUMBERS.isdisjoint(classes):
            given = [None if c in _NUMBERS else _DECLARED[c] for c in classes]
            columns = dispatch.prepare(sql, statement, given).param_types
            # A number for a double is what its text says, by whatever type it came there.
            declared = [
                FLOAT8 if c in _NUMBERS and column is FLOAT8 else _DECLARED[c]
                for c, column in zip(classes, columns, strict=True)
            ]
        prepared = dispatch.prepare(sql, statement, declared)
    except KalamError:
        return None
    return prepared if len(prepared.param_types) == len(classes) and not _fails(prepared) else None


def _fails(prepared: PreparedStatement) -> bool:
    """Whether a constant in it has no value: with the literals in their places it may never be asked for."""
    planned = prepared.planned
    return planned is not None and planned.raising is not None


def _statement(sql: "SqlSession", text: str) -> QueryStatement | None:
    try:
        statements = sql.cache.statements(text)
    except KalamError:
        return None
    only = statements[0] if len(statements) == 1 else None
    return only if isinstance(only, QueryStatement) else None


class _MovingError(Exception):
    """A literal such as 'now' means another time at each statement, or another one at each place."""


_Read = Callable[[str], Value]


@lru_cache(maxsize=2048)
def _readers(classes: str, types: tuple[PgType, ...], context: TypeContext) -> tuple[_Read, ...]:
    return tuple(_reader(c, t, context) for c, t in zip(classes, types, strict=True))


def _reader(letter: str, type_: PgType, context: TypeContext) -> _Read:
    if letter in _NUMBERS and type_ is FLOAT8:
        return _double
    if letter in "iI":
        return int
    if letter == "b":
        return _is_true
    if type_ in (TEXT, VARCHAR):
        return _same
    read = type_.input
    if type_ is INTERVAL:
        return lambda literal: _interval(literal, context)
    if type_.category != "D":
        return lambda literal: read(literal, -1, context)

    def date(literal: str) -> Value:
        if moving(literal.encode()):
            raise _MovingError
        return read(literal, -1, context)

    return date


_SURE = re.compile(r"\s*[+-]?[0-9]+ ?[a-z]+\s*")
"""An interval that means the same whatever fields a column or a cast restricts it to."""


def _interval(literal: str, context: TypeContext) -> Value:
    if _SURE.fullmatch(literal) is None:
        raise _MovingError
    return INTERVAL.input(literal, -1, context)


_SURELY_DOUBLE = 300
"""Characters of a number that is neither too large nor too small for a double."""


def _double(literal: str) -> Value:
    if len(literal) > _SURELY_DOUBLE:
        return FLOAT8.input(literal, -1, DEFAULT_CONTEXT)
    return float(literal) + 0.0  # No zero of other types has a sign.


def _is_true(literal: str) -> Value:
    return literal == "true"


def _same(literal: str) -> Value:
    return literal
