"""SET, SHOW, RESET, USE, DISCARD, and the catalogue's SHOW and DESCRIBE: answered from memory."""

from catalog.errors import (
    ActiveSqlTransactionError,
    FeatureNotSupportedError,
    InvalidSchemaNameError,
    UndefinedTableError,
    WrongObjectTypeError,
)
from catalog.model import Role, Table
from catalog.pg_catalog.text import quote_identifier
from catalog.system import table_type, versions_of
from catalog.types.registry import BOOL, INT4, TEXT, TIMESTAMPTZ, format_type
from catalog.types.table import PgType
from kalam_pg.query.execution import Result
from kalam_pg.sessions import acting, characteristics, listening, operations, temporary
from kalam_pg.sessions.setting import canonical
from kalam_pg.sessions.settings import Settings
from kalam_pg.sessions.settings_table import SETTINGS
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql import statements as st
from kalam_pg.sql.statements import Statement
from kalam_pg.sql.tree import OutputColumn
from storage.layout import Row


def _columns(*named: tuple[str, PgType]) -> tuple[OutputColumn, ...]:
    return tuple(OutputColumn(name, type_) for name, type_ in named)


_SHOW_ALL = _columns(("name", TEXT), ("setting", TEXT), ("description", TEXT))
_CATALOG = {
    "namespaces": _columns(("name", TEXT), ("created_at", TIMESTAMPTZ)),
    "tables": _columns(("namespace", TEXT), ("table_name", TEXT), ("table_type", TEXT)),
    "users": _columns(("name", TEXT), ("role", TEXT), ("email", TEXT), ("created_at", TIMESTAMPTZ)),
    "storages": _columns(("name", TEXT), ("type", TEXT), ("path", TEXT)),
}
_DESCRIBE = _columns(
    ("column_name", TEXT),
    ("data_type", TEXT),
    ("nullable", BOOL),
    ("default", TEXT),
    ("key", TEXT),
    ("comment", TEXT),
)


_HISTORY = _columns(
    ("version", INT4), ("created_at", TIMESTAMPTZ), ("change", TEXT), ("columns", TEXT)
)


def columns(statement: Statement) -> tuple[OutputColumn, ...]:
    """Result columns of a statement of this module or of `operations`; () if it returns none."""
    match statement:
        case st.ShowSetting(name):
            return _SHOW_ALL if name == "all" else _columns((_shown_name(name), TEXT))
        case st.ShowCatalog(what):
            return operations.JOB_COLUMNS if what == "jobs" else _CATALOG.get(what, ())
        case st.DescribeTable(history=history):
            return _HISTORY if history else _DESCRIBE
        case _:
            return operations.columns(statement)


def _shown_name(name: str) -> str:
    return Settings().show(name)[0] if "." not in name else name


def run(sql: SqlSession, statement: Statement) -> Result:
    """Run a statement that needs neither the log nor an engine."""
    match statement:
        case st.SetSetting(name, value, local):
            if local and (sql.transaction is None or not sql.transaction.block):
                sql.notice(
                    "SET LOCAL can only be used in transaction blocks",
                    severity="WARNING",
                    sqlstate="25P01",
                )
            sql.begin_implicit()
            _set(sql, name, value, local=local)
            return Result("SET")
        case st.ResetSetting(name):
            sql.begin_implicit()
            if name == "all":
                sql.settings.reset_all()
            else:
                _set(sql, name, None, local=False)
            return Result("RESET")
        case st.ShowSetting(name):
            if name == "all":
                return Result("SHOW", None, _SHOW_ALL, list(sql.settings))
            shown, value = sql.settings.show(name)
            return Result("SHOW", None, _columns((shown, TEXT)), [(value,)])
        case st.UseNamespace(name):
            if sql.snapshot.namespace(name) is None:
                raise InvalidSchemaNameError(f'schema "{name}" does not exist')
            sql.begin_implicit()
            quoted = '"' + name.replace('"', '""') + '"'
            sql.settings.set("search_path", f"{quoted}, public")
            return Result("SET")
        case st.Discard(what):
            return _discard(sql, what)
        case st.ShowCatalog(what, scope):
            if what == "jobs":
                return Result("SHOW", None, operations.JOB_COLUMNS, operations.job_rows(sql))
            return _show_catalog(sql, what, scope)
        case st.DescribeTable():
            return _describe(sql, statement)
        case _:
            raise FeatureNotSupportedError(f"{st.command_name(statement)} is not supported yet")


def _set(sql: SqlSession, name: str, value: str | None, *, local: bool) -> None:
    lowered = name.lower()
    setting = SETTINGS.get(lowered)
    if lowered == "transaction_isolation" and setting is not None:
        characteristics.isolate(
            sql, setting.default if value is None else canonical(setting, value)
        )
    elif lowered == "transaction_read_only" and setting is not None:
        chosen = setting.default if value is None else canonical(setting, value)
        characteristics.set_read_only(sql, read_only=chosen == "on")
    elif lowered == "transaction_deferrable" and setting is not None:
        chosen = setting.default if value is None else canonical(setting, value)
        characteristics.set_deferrable(sql, deferrable=chosen == "on")
    else:
        sql.settings.set(name, value, local=local)


def _discard(sql: SqlSession, what: str) -> Result:
    if what == "all":
        if sql.transaction is not None and sql.transaction.block:
            raise ActiveSqlTransactionError("DISCARD ALL cannot run inside a transaction block")
        sql.begin_implicit()
        sql.prepared.clear()
        sql.portals.drop_all()
        listening.unlisten_all(sql)
        if sql.advisory is not None:
            sql.advisory.unlock_all()
        sql.settings.reset_all()
        acting.set_session_user(sql, sql.login_user)
    if what in ("all", "temp"):
        temporary.discard(sql)
    if what in ("all", "sequences"):
        sql.sequences.forget()
    return Result(f"DISCARD {what.upper()}")


def _show_catalog(sql: SqlSession, what: str, scope: str) -> Result:
    snapshot = sql.snapshot
    rows: list[Row]
    match what:
        case "namespaces":
            rows = [(n.name, n.created_at_us) for n in snapshot.namespaces.values()]
        case "tables":
            if scope and snapshot.namespace(scope) is None:
                raise InvalidSchemaNameError(f'schema "{scope}" does not exist')
            rows = [
                (t.namespace, t.name, table_type(t))
                for t in snapshot.tables.values()
                if not scope or t.namespace == scope
            ]
        case "users":
            all_users = sql.user.role is not Role.USER
            users = list(sql.database.store.users()) if all_users else [sql.user]
            rows = [
                (u.name, u.role.value, u.email, u.created_at_us)
                for u in users
                if u.deleted_at_us is None
            ]
        case "storages":
            rows = [("local", "filesystem", "cold/${user_id}/${table_id}")]
        case _:
            raise FeatureNotSupportedError(f"SHOW {what.upper()} is not supported yet")
    return Result("SHOW", None, _CATALOG[what], sorted(rows, key=lambda row: str(row[:2])))


def _describe(sql: SqlSession, statement: st.DescribeTable) -> Result:
    name = statement.name
    if statement.history:
        return _history(sql, name)
    relation = sql.snapshot.find(name.schema, name.name, sql.search_path)
    if relation is None:
        raise UndefinedTableError(f'relation "{name}" does not exist', position=name.position)
    key = relation.declared_key if isinstance(relation, Table) else ()
    rows: list[Row] = [
        (
            column.name,
            format_type(column.type, column.typmod),
            not column.not_null,
            column.default,
            "PRI" if column.id in key else "",
            column.comment,
        )
        for column in relation.columns
        if column.name != "_rowid"
    ]
    return Result("DESCRIBE", None, _DESCRIBE, rows)


def _history(sql: SqlSession, name: st.TableName) -> Result:
    """The versions of a table, the newest first. Raises 42P01, 42809."""
    table = sql.snapshot.find(name.schema, name.name, sql.search_path)
    if table is None:
        raise UndefinedTableError(f'relation "{name}" does not exist', position=name.position)
    if not isinstance(table, Table):
        raise WrongObjectTypeError(f'"{table.name}" is not a table')
    rows: list[Row] = [
        (
            one.version,
            one.at_us,
            one.change or "CREATE TABLE",
            ", ".join(
                f"{quote_identifier(column.name)} {format_type(column.type, column.typmod)}"
                for column in one.columns
            ),
        )
        for one in versions_of(table)
    ]
    return Result("DESCRIBE", None, _HISTORY, rows[::-1])
