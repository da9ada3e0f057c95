"""REINDEX: what an index lacks over segments is made soon.

An index of the rows in memory is made of them, entries of unique indexes are rows, and what is written of
others over segments is checked whenever it is read, and made again if it is not right. So there is nothing
that only this could mend; it has missing files looked for, and minds names and rights as PostgreSQL does.
"""

from collections.abc import Iterable

from catalog.errors import (
    ActiveSqlTransactionError,
    FeatureNotSupportedError,
    InsufficientPrivilegeError,
    InvalidSchemaNameError,
    UndefinedTableError,
    WrongObjectTypeError,
)
from catalog.indexes import indexes_of
from catalog.model import Role, Table
from catalog.privileges import Action, allowed
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql.statements import TableName
from kalam_pg.sql.statements_maintenance import Reindex


def reindex(sql: SqlSession, statement: Reindex) -> None:
    """Have the files looked for. Raises 25001, 42P01, 42809, 3F000, 42501, 0A000."""
    in_block = sql.transaction is not None and sql.transaction.block
    alone = "CONCURRENTLY" if statement.concurrently else statement.kind.upper()
    if in_block and (statement.concurrently or statement.kind not in ("index", "table")):
        raise ActiveSqlTransactionError(f"REINDEX {alone} cannot run inside a transaction block")
    match statement.kind:
        case "index":
            table = _indexed(sql, statement.name)
            _require(sql, table, f"index {statement.name.name}")
            tables, names = [table], [statement.name.name]
        case "table":
            table = _table(sql, statement.name)
            _require(sql, table, f"table {table.name}")
            tables, names = [table], _names(table)
        case _:
            tables = _of_many(sql, statement)
            names = [name for table in tables for name in _names(table)]
    stored = {table.storage_id for table in tables}
    sql.database.unindexed.update(
        tablet.id for tablet in sql.database.engine.open_tablets() if tablet.id.table in stored
    )
    for name in names if statement.verbose else ():
        sql.notice(f'index "{name}" was reindexed', severity="INFO")


def _names(table: Table) -> list[str]:
    return [index.name for index, _ in indexes_of(table)]


def _require(sql: SqlSession, table: Table, what: str) -> None:
    if not allowed(sql.user, Action.COMPACT, table):
        raise InsufficientPrivilegeError(f"must be owner of {what}")


def _table(sql: SqlSession, name: TableName) -> Table:
    found = sql.snapshot.find(name.schema, name.name, sql.search_path)
    if found is None:
        raise UndefinedTableError(f'relation "{name}" does not exist')
    if not isinstance(found, Table):
        raise WrongObjectTypeError(f'"{found.name}" is not a table or materialized view')
    return found


def _indexed(sql: SqlSession, name: TableName) -> Table:
    for namespace in (name.schema,) if name.schema else sql.search_path:
        table = sql.snapshot.indexed_by(namespace, name.name)
        if table is not None:
            return table
        if sql.snapshot.is_taken(namespace, name.name):
            raise WrongObjectTypeError(f'"{name.name}" is not an index')
    raise UndefinedTableError(f'relation "{name}" does not exist')


def _of_many(sql: SqlSession, statement: Reindex) -> list[Table]:
    """The tables of a schema or of the database that the user may look after."""
    name = statement.name.name
    tables: Iterable[Table] = sql.snapshot.tables.values()
    if statement.kind == "schema":
        if sql.snapshot.namespaces.get(name) is None:
            raise InvalidSchemaNameError(f'schema "{name}" does not exist')
        tables = [table for table in tables if table.namespace == name]
    else:
        if name != sql.context(()).database:
            raise FeatureNotSupportedError("can only reindex the currently open database")
        if sql.user.role.rank < Role.DBA.rank:
            raise InsufficientPrivilegeError(f"must be owner of database {name}")
        if statement.kind == "system":
            tables = ()
    return [table for table in tables if allowed(sql.user, Action.COMPACT, table)]
