"""SQL functions that ask something of the session itself: set_config(), has_table_privilege()."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from catalog.errors import UndefinedTableError
from catalog.model import Table
from catalog.privileges import Action, table_allows
from kalam_pg.sessions import listening
from kalam_pg.sessions.prepared import described_statements
from storage.layout import Value

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession

_ACTIONS = {
    "SELECT": Action.SELECT,
    "INSERT": Action.INSERT,
    "UPDATE": Action.UPDATE,
    "DELETE": Action.DELETE,
    "TRUNCATE": Action.TRUNCATE,
}


def session_functions(sql: "SqlSession") -> dict[str, Callable[..., Value]]:
    """What a session answers by itself, by function name; its own relations by their whole name."""

    def set_config(name: str, value: str | None, local: bool) -> str:
        sql.settings.set(name, value, local=local)
        return sql.settings.show(name)[1]

    def has_table_privilege(*arguments: Value) -> bool:
        *_, of, privileges = arguments
        assert isinstance(privileges, str)
        return _has_privilege(sql, of, privileges)

    return {
        "set_config": set_config,
        "has_table_privilege": has_table_privilege,
        "pg_catalog.pg_cursors": lambda: tuple(sql.portals.described()),
        "pg_catalog.pg_prepared_statements": lambda: tuple(described_statements(sql.prepared)),
        **listening.functions(sql),
    }


def _has_privilege(sql: "SqlSession", of: Value, privileges: str) -> bool:
    """Whether the session's user has any of the privileges on a table. Raises 42P01."""
    table = _find(sql, of)
    if not isinstance(table, Table):
        return True  # a view runs with its caller's rights, a catalogue shows what may be seen
    asked = [_ACTIONS.get(word.strip().upper()) for word in privileges.split(",")]
    return any(action is not None and table_allows(sql.user, action, table) for action in asked)


def _find(sql: "SqlSession", of: Value) -> object:
    if isinstance(of, int):
        return sql.snapshot.table_by_id(of)
    assert isinstance(of, str)
    schema, _, name = of.replace('"', "").rpartition(".")
    found = sql.snapshot.find(schema, name, sql.search_path)
    if found is None and schema not in ("", "pg_catalog", "information_schema", "system"):
        raise UndefinedTableError(f'relation "{of}" does not exist')
    return found
