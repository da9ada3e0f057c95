"""CREATE, ALTER and DROP TYPE."""

from kalam_pg.sql.reader import StatementReader
from kalam_pg.sql.statements import Statement, Unsupported
from kalam_pg.sql.statements_types import (
    AddLabel,
    AlterType,
    CreateType,
    DropType,
    MoveType,
    OwnType,
    RenameLabel,
)


def create_type(reader: StatementReader) -> Statement:
    """What follows CREATE TYPE."""
    name = reader.table_name()
    if reader.accept("as", "enum"):
        labels: list[str] = []
        reader.expect("(")
        if not reader.at(")"):
            labels = reader.many(reader.string)
        reader.expect(")")
        return CreateType(name, tuple(labels))
    what = "CREATE TYPE"
    if reader.accept("as"):
        what = "CREATE TYPE AS RANGE" if reader.at("range") else "CREATE TYPE of a composite type"
    reader.skip_rest()
    return Unsupported(what)


def alter_type(reader: StatementReader) -> Statement:
    """What follows ALTER TYPE."""
    name = reader.table_name()
    if reader.accept("add", "value"):
        if_not_exists = reader.if_not_exists()
        label = reader.string()
        if reader.at("before", "after"):
            after = reader.advance().key == "after"
            neighbour = reader.string()
            return AlterType(name, AddLabel(label, neighbour, after, if_not_exists))
        return AlterType(name, AddLabel(label, if_not_exists=if_not_exists))
    if reader.accept("rename", "value"):
        old = reader.string()
        reader.expect("to")
        return AlterType(name, RenameLabel(old, reader.string()))
    if reader.accept("rename", "to"):
        return AlterType(name, MoveType(new_name=reader.column_name()))
    if reader.accept("set", "schema"):
        return AlterType(name, MoveType(schema=reader.column_name()))
    if reader.accept("owner", "to"):
        return AlterType(name, OwnType(reader.role_name()))
    reader.skip_rest()
    return Unsupported("ALTER TYPE of a composite type")


def drop_type(reader: StatementReader) -> Statement:
    """What follows DROP TYPE."""
    if_exists = reader.if_exists()
    names = reader.many(reader.table_name)
    return DropType(tuple(names), if_exists, reader.cascade())
