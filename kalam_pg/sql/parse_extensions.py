"""CREATE, ALTER and DROP EXTENSION. The words up to EXTENSION are taken."""

from catalog.errors import SqlSyntaxError
from kalam_pg.sql.reader import StatementReader
from kalam_pg.sql.statements import Statement, Unsupported
from kalam_pg.sql.statements_extensions import CreateExtension, DropExtension, UpdateExtension


def create(reader: StatementReader) -> CreateExtension:
    """[IF NOT EXISTS] name [WITH] [SCHEMA name] [VERSION version] [CASCADE]."""
    if_not_exists = reader.if_not_exists()
    name = reader.column_name()
    reader.accept("with")
    given = {"schema": "", "version": "", "cascade": ""}
    while not reader.at_end():
        option = reader.token.key
        if option not in given:
            reader.fail()
        if given[option]:
            raise SqlSyntaxError(
                "conflicting or redundant options", position=reader.position(reader.token)
            )
        reader.advance()
        given[option] = _value(reader, option)
    return CreateExtension(name, if_not_exists, given["schema"], given["version"])


def _value(reader: StatementReader, option: str) -> str:
    if option == "cascade":
        return option
    return reader.column_name() if option == "schema" else _version(reader)


def _version(reader: StatementReader) -> str:
    return reader.string() if reader.token.kind == "string" else reader.label()


def alter(reader: StatementReader) -> Statement:
    """`name UPDATE [TO version]`; what else could be altered is not built."""
    name = reader.column_name()
    if not reader.accept("update"):
        reader.skip_rest()
        return Unsupported("ALTER EXTENSION")
    return UpdateExtension(name, _version(reader) if reader.accept("to") else "")


def drop(reader: StatementReader) -> DropExtension:
    """[IF EXISTS] name, … [CASCADE | RESTRICT]."""
    if_exists = reader.if_exists()
    names = reader.many(reader.column_name)
    reader.cascade()
    return DropExtension(tuple(names), if_exists)
