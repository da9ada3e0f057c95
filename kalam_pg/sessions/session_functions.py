"""SQL functions that ask something of the session itself: set_config(), has_table_privilege()."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from catalog.errors import UndefinedTableError
from catalog.model import Table
from catalog.pg_catalog.relations import relation
from catalog.privileges import Action, table_allows
from catalog.system import SYSTEM_RELATIONS
from kalam_pg.sessions import advisory, listening
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

    last_of: tuple[int, int] | None = None
    last_id = 0

    def txid_current() -> int:
        """A number of the transaction's own, larger than those of the session's earlier ones."""
        nonlocal last_of, last_id
        transaction = sql.begin_implicit()
        mark = (id(transaction), transaction.started_us)
        if mark != last_of:
            last_of, last_id = mark, sql.database.engine.next_snowflake()
        return last_id

    def txid_current_if_assigned() -> int | None:
        transaction = sql.begin_implicit()
        return last_id if (id(transaction), transaction.started_us) == last_of else None

    return {
        "txid_current": txid_current,
        "txid_current_if_assigned": txid_current_if_assigned,
        "set_config": set_config,
        "has_table_privilege": has_table_privilege,
        "pg_my_temp_schema": lambda: _temporary_schema(sql),
        "pg_catalog.pg_settings": lambda: tuple(sql.settings.described()),
        "pg_catalog.pg_sequences": lambda: tuple(sql.sequences.described()),
        "pg_catalog.pg_cursors": lambda: tuple(sql.portals.described()),
        "pg_catalog.pg_prepared_statements": lambda: tuple(described_statements(sql.prepared)),
        **advisory.functions(sql),
        **listening.functions(sql),
        **sql.sequences.functions,
    }


def _temporary_schema(sql: "SqlSession") -> int:
    """The OID of the schema of its temporary objects, 0 while it has none."""
    own = sql.temporary
    return 0 if own is None else sql.snapshot.namespaces[own.schema].id


def _has_privilege(sql: "SqlSession", of: Value, privileges: str) -> bool:
    """Whether the session's user has any of the privileges on a table. Raises 42P01."""
    table = _find(sql, of)
    if not isinstance(table, Table):
        return True  # a view runs with its caller's rights, a catalogue shows what may be seen
    asked = [_ACTIONS.get(word.strip().upper()) for word in privileges.split(",")]
    return any(action is not None and table_allows(sql.user, action, table) for action in asked)


def _is_virtual(schema: str, name: str) -> bool:
    """Whether a catalogue has a relation of that name."""
    if schema == "system":
        return any(found.name == name for found in SYSTEM_RELATIONS)
    return relation(schema or "pg_catalog", name) is not None


def _find(sql: "SqlSession", of: Value) -> object:
    if isinstance(of, int):
        return sql.snapshot.tables.get(of)
    assert isinstance(of, str)
    schema, _, name = of.replace('"', "").rpartition(".")
    found = sql.snapshot.find(schema, name, sql.search_path)
    if found is None and not _is_virtual(schema, name):
        raise UndefinedTableError(f'relation "{of}" does not exist')
    return found
