"""CREATE, ALTER and DROP SEQUENCE, and the options of an identity column's."""

from dataclasses import dataclass, field
from typing import Any

from catalog.changes_sequence import SequenceOptions
from catalog.errors import SqlSyntaxError, UndefinedObjectError
from catalog.types.registry import by_name
from catalog.types.table import PgType
from kalam_pg.sql.lexer import Token
from kalam_pg.sql.reader import StatementReader
from kalam_pg.sql.statements_sequence import (
    AlterSequence,
    CreateSequence,
    DropSequence,
    MoveSequence,
)


def create(reader: StatementReader) -> CreateSequence:
    """Behind CREATE SEQUENCE."""
    if_not_exists = reader.if_not_exists()
    name = reader.table_name()
    clauses = _clauses(reader)
    return CreateSequence(name, clauses.options, clauses.owned_by, if_not_exists)


def alter(reader: StatementReader) -> AlterSequence | MoveSequence:
    """Behind ALTER SEQUENCE."""
    if_exists = reader.if_exists()
    name = reader.table_name()
    if reader.accept("rename", "to"):
        return MoveSequence(name, new_name=reader.column_name(), if_exists=if_exists)
    if reader.accept("set", "schema"):
        return MoveSequence(name, schema=reader.column_name(), if_exists=if_exists)
    if reader.accept("owner", "to"):
        return MoveSequence(name, owner=reader.role_or_self(), if_exists=if_exists)
    clauses = _clauses(reader)
    if not clauses.written:
        reader.fail()
    return AlterSequence(name, clauses.options, clauses.owned_by, if_exists)


def drop(reader: StatementReader) -> DropSequence:
    """Behind DROP SEQUENCE."""
    if_exists = reader.if_exists()
    names = reader.many(reader.table_name)
    return DropSequence(tuple(names), if_exists, reader.cascade())


def of_identity(reader: StatementReader) -> SequenceOptions:
    """[( option … )] behind AS IDENTITY."""
    if not reader.accept("("):
        return SequenceOptions()
    clauses = _clauses(reader)
    if not clauses.written:
        reader.fail()
    reader.expect(")")
    return clauses.options


SET_OF_IDENTITY = frozenset(
    ("generated", "increment", "minvalue", "maxvalue", "no", "start", "restart", "cache", "cycle")
)
"""What may stand behind SET of an identity column."""


@dataclass(slots=True)
class Clauses:
    """What is read of a sequence's options so far."""

    reader: StatementReader
    written: dict[str, Any] = field(default_factory=dict)
    owned_by: tuple[str, ...] = ()

    def put(self, name: str, value: object, token: Token) -> None:
        """Note an option that begins at `token`. Raises 42601 when it was there."""
        if name in self.written:
            position = self.reader.position(token)
            raise SqlSyntaxError("conflicting or redundant options", position=position)
        self.written[name] = value

    @property
    def options(self) -> SequenceOptions:
        return SequenceOptions(**{k: v for k, v in self.written.items() if k != "owned_by"})


def _clauses(reader: StatementReader) -> Clauses:
    found = Clauses(reader)
    while sequence_clause(reader, found):
        pass
    return found


def sequence_clause(reader: StatementReader, found: Clauses) -> bool:
    """One option; False when none follows."""
    token = reader.token
    if reader.accept("as"):
        found.put("type", _type(reader), token)
    elif reader.accept("increment"):
        reader.accept("by")
        found.put("increment", reader.signed_integer(), token)
    elif reader.accept("minvalue"):
        found.put("minimum", reader.signed_integer(), token)
    elif reader.accept("maxvalue"):
        found.put("maximum", reader.signed_integer(), token)
    elif reader.accept("no", "minvalue"):
        found.put("minimum", "none", token)
    elif reader.accept("no", "maxvalue"):
        found.put("maximum", "none", token)
    elif reader.accept("start"):
        reader.accept("with")
        found.put("start", reader.signed_integer(), token)
    elif reader.accept("restart"):
        with_number = reader.accept("with") or reader.token.kind == "number" or reader.at("-", "+")
        found.put("restart", reader.signed_integer() if with_number else "start", token)
    elif reader.accept("cache"):
        found.put("cache", reader.signed_integer(), token)
    elif reader.accept("cycle"):
        found.put("cycle", True, token)
    elif reader.accept("no", "cycle"):
        found.put("cycle", False, token)
    elif reader.accept("owned", "by"):
        found.put("owned_by", True, token)
        found.owned_by = _name(reader)
    elif reader.accept("sequence", "name"):
        found.put("name", _name(reader)[-1], token)
    else:
        return False
    return True


def _type(reader: StatementReader) -> PgType:
    """What is no integer is found out with the other options. Raises 42704."""
    written = reader.type_name()
    found = by_name(written.name)
    if found is None:
        raise UndefinedObjectError(f'type "{written.name}" does not exist')
    return found


def _name(reader: StatementReader) -> tuple[str, ...]:
    parts = [reader.label()]
    while reader.accept("."):
        parts.append(reader.label())
    return tuple(parts)
