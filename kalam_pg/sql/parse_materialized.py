"""CREATE, REFRESH, DROP MATERIALIZED VIEW."""

from kalam_pg.sql.parse_derived import query_of_table
from kalam_pg.sql.parse_tables import access_method, option_list
from kalam_pg.sql.reader import StatementReader
from kalam_pg.sql.statements_derived import (
    CreateMaterializedView,
    DropMaterializedView,
    RefreshMaterializedView,
)


def create(reader: StatementReader) -> CreateMaterializedView:
    """Behind CREATE MATERIALIZED VIEW."""
    if_not_exists = reader.if_not_exists()
    name = reader.table_name()
    columns = tuple(reader.parenthesised(reader.column_name)) if reader.at("(") else ()
    if reader.accept("using"):
        access_method(reader)
    options = tuple(option_list(reader)) if reader.accept("with") else ()
    if reader.at("tablespace"):
        reader.unsupported("CREATE MATERIALIZED VIEW … TABLESPACE")
    reader.expect("as")
    query, with_data = query_of_table(reader)
    return CreateMaterializedView(name, query, columns, options, if_not_exists, with_data)


def refresh(reader: StatementReader) -> RefreshMaterializedView:
    """REFRESH MATERIALIZED VIEW [CONCURRENTLY] name [WITH [NO] DATA]."""
    reader.advance()
    reader.expect("materialized", "view")
    concurrently = reader.accept("concurrently")
    name = reader.table_name()
    with_data = not reader.accept("with", "no", "data")
    if with_data:
        reader.accept("with", "data")
    return RefreshMaterializedView(name, concurrently, with_data)


def drop(reader: StatementReader) -> DropMaterializedView:
    """Behind DROP MATERIALIZED VIEW."""
    if_exists = reader.if_exists()
    names = reader.many(reader.table_name)
    return DropMaterializedView(tuple(names), if_exists, reader.cascade())
