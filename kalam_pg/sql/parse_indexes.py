"""CREATE INDEX and DROP INDEX."""

from dataclasses import replace

from catalog.errors import UndefinedObjectError
from kalam_pg.sql.parse_columns import collation
from kalam_pg.sql.parse_tables import option_list
from kalam_pg.sql.reader import StatementReader
from kalam_pg.sql.statements_indexes import CreateIndex, DropIndex, IndexElement, RenameIndex

_BTREES = ("btree", "kalamdb")
_METHODS = ("hash", "brin")
"""What looks for less than a btree: it is one, under its name."""

_OTHER_METHODS = ("gin", "gist", "spgist")


def create_index(reader: StatementReader, *, unique: bool) -> CreateIndex:
    """Behind CREATE [UNIQUE] INDEX."""
    concurrently = reader.accept("concurrently")
    if_not_exists = reader.if_not_exists()
    name = ""
    if if_not_exists or not reader.at("on"):
        name = reader.column_name()
    reader.expect("on")
    reader.accept("only")
    table = replace(reader.table_name(), position=0)
    method = _method(reader) if reader.accept("using") else "btree"
    elements = tuple(reader.parenthesised(lambda: _element(reader)))
    include: tuple[str, ...] = ()
    if reader.accept("include"):
        include = tuple(reader.parenthesised(reader.column_name))
    distinct = True
    if reader.accept("nulls", "not", "distinct"):
        distinct = False
    else:
        reader.accept("nulls", "distinct")
    parameters: tuple[tuple[str, str], ...] = ()
    if reader.accept("with"):
        parameters = tuple((name.lower(), value) for name, value in option_list(reader))
    tablespace = reader.column_name() if reader.accept("tablespace") else ""
    where, where_at = "", 0
    if reader.accept("where"):
        where_at = reader.position(reader.token)
        where = reader.expression_text()
    return CreateIndex(
        table,
        elements,
        name,
        unique,
        concurrently,
        if_not_exists,
        include,
        distinct,
        where,
        where_at,
        method,
        parameters,
        tablespace,
    )


def _method(reader: StatementReader) -> str:
    token = reader.token
    name = reader.column_name()
    if name in _OTHER_METHODS:
        reader.unsupported(f"access method {name}", token)
    if name in _BTREES:
        return "btree"
    if name not in _METHODS:
        raise UndefinedObjectError(f'access method "{name}" does not exist')
    return name


def _element(reader: StatementReader) -> IndexElement:
    column, expression = "", ""
    position = reader.position(reader.token)
    if reader.accept("("):
        position = reader.position(reader.token)
        expression = reader.expression_text()
        reader.expect(")")
    elif reader.is_name() and reader.peek().key != "(" and reader.peek().key != ".":
        column = reader.column_name()
    else:
        expression = reader.expression_text()
    if reader.at("collate"):
        collation(reader)
    opclass = ""
    if reader.is_name() and not reader.at("asc", "desc", "nulls"):
        opclass = reader.column_name()
        while reader.accept("."):
            opclass = reader.label()
        if reader.at("("):
            reader.unsupported("parameters of an operator class")
    descending = reader.accept("desc")
    ascending = not descending and reader.accept("asc")
    nulls_first: bool | None = None
    if reader.accept("nulls", "first"):
        nulls_first = True
    elif reader.accept("nulls", "last"):
        nulls_first = False
    return IndexElement(column, expression, opclass, descending, nulls_first, position, ascending)


def drop_index(reader: StatementReader) -> DropIndex:
    """Behind DROP INDEX."""
    concurrently = reader.accept("concurrently")
    if_exists = reader.if_exists()
    names = tuple(reader.many(reader.table_name))
    return DropIndex(names, concurrently, if_exists, reader.cascade())


def alter_index(reader: StatementReader) -> RenameIndex:
    """Behind ALTER INDEX."""
    if_exists = reader.if_exists()
    name = reader.table_name()
    if not reader.at("rename"):
        reader.unsupported(f"ALTER INDEX … {reader.token.value.upper()}")
    reader.expect("rename", "to")
    return RenameIndex(name, reader.column_name(), if_exists)
