"""KalamDB's own statements: SHOW of the catalogue, DESCRIBE, STORAGE, EXECUTE AS USER …."""

from kalam_pg.sql.parse_session import setting_to_name
from kalam_pg.sql.reader import StatementReader
from kalam_pg.sql.statements import (
    CompactAll,
    CompactTable,
    DescribeTable,
    ExecuteAsUser,
    ExecutePrepared,
    FlushAll,
    FlushTable,
    ShowCatalog,
    ShowManifest,
    ShowSetting,
    ShowStats,
    Statement,
    Unsupported,
    UseNamespace,
)

_LISTS = ("namespaces", "users", "jobs", "storages", "backups")


def show(reader: StatementReader) -> Statement:
    """SHOW of a list, of a table's figures, or (PostgreSQL's) of a setting."""
    reader.advance()
    if reader.at(*_LISTS):
        return ShowCatalog(reader.advance().key)
    if reader.accept("tables"):
        scope = ""
        if reader.accept("in") or reader.accept("from"):
            reader.accept("namespace")
            scope = reader.column_name()
        return ShowCatalog("tables", scope)
    if reader.accept("stats"):
        reader.expect("for")
        reader.accept("table")
        return ShowStats(reader.table_name())
    if reader.accept("manifest"):
        name = None
        if reader.accept("for"):
            reader.accept("table")
            name = reader.table_name()
        return ShowManifest(name)
    if reader.accept("session", "authorization"):
        return ShowSetting("session_authorization")
    return ShowSetting(setting_to_name(reader))


def describe(reader: StatementReader) -> DescribeTable:
    """DESCRIBE [TABLE] name [HISTORY]."""
    reader.advance()
    reader.accept("table")
    name = reader.table_name()
    return DescribeTable(name, reader.accept("history"))


def use(reader: StatementReader) -> UseNamespace:
    """USE [NAMESPACE] name."""
    reader.advance()
    if reader.at("namespace") and reader.peek().kind in ("word", "name"):
        reader.advance()
    return UseNamespace(reader.column_name())


def storage(reader: StatementReader) -> Statement:
    """STORAGE FLUSH | COMPACT (as FLUSH) | CHECK …."""
    reader.advance()
    if reader.at("flush"):
        return flush(reader)
    if reader.accept("compact"):
        if reader.accept("all"):
            return CompactAll(_namespace(reader))
        reader.accept("table")
        return CompactTable(reader.table_name())
    if reader.accept("check"):
        reader.role_name()
        reader.accept("extended")
        return Unsupported("STORAGE CHECK")
    return reader.fail()


def flush(reader: StatementReader) -> Statement:
    """[STORAGE] FLUSH TABLE name, [STORAGE] FLUSH ALL [IN namespace]."""
    reader.advance()
    if reader.accept("all"):
        return FlushAll(_namespace(reader))
    reader.expect("table")
    return FlushTable(reader.table_name())


def _namespace(reader: StatementReader) -> str:
    """[IN [NAMESPACE] name], "" for all of them."""
    if not reader.accept("in"):
        return ""
    reader.accept("namespace")
    return reader.column_name()


def execute(reader: StatementReader) -> Statement:
    """EXECUTE AS USER 'name' ( statement ), or EXECUTE prepared [(arguments)]."""
    reader.advance()
    if reader.accept("as"):
        reader.expect("user")
        user = reader.role_name()
        opening = reader.index
        reader.expect("(")
        statement = reader.nested_statement(reader.closing(opening))
        reader.expect(")")
        return ExecuteAsUser(user, statement)
    name = reader.column_name()
    arguments = reader.parenthesised(reader.expression_text) if reader.at("(") else []
    return ExecutePrepared(name, tuple(arguments))


# ------------------------------------------------------------------ later subjects


def backup(reader: StatementReader) -> Unsupported:
    """BACKUP DATABASE name TO 'name'."""
    return _copied(reader, "BACKUP DATABASE", "to")


def restore(reader: StatementReader) -> Unsupported:
    """RESTORE DATABASE name FROM 'name'."""
    return _copied(reader, "RESTORE DATABASE", "from")


def _copied(reader: StatementReader, what: str, direction: str) -> Unsupported:
    reader.advance()
    if not reader.accept("namespace"):
        reader.expect("database")
    reader.column_name()
    reader.expect(direction)
    reader.string()
    return Unsupported(what)


def export(reader: StatementReader) -> Unsupported:
    """EXPORT USER DATA [FOR 'user'] TO 'name'."""
    reader.expect("export", "user", "data")
    if reader.accept("for"):
        reader.role_name()
    reader.expect("to")
    reader.string()
    return Unsupported("EXPORT USER DATA")
