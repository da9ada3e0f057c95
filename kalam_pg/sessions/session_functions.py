"""SQL functions that ask something of the session itself: set_config(), txid_current()."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from kalam_pg.functions.cursors import CURRENT_OF
from kalam_pg.sessions import advisory, listening, positioned
from kalam_pg.sessions.prepared import described_statements
from kalam_pg.sessions.privileges import Privileges
from kalam_pg.sessions.sizes import Sizes
from storage.layout import Value

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession


def session_functions(sql: "SqlSession") -> dict[str, Callable[..., Value]]:
    """What a session answers by itself, by function name; its own relations by their whole name."""

    def set_config(name: str, value: str | None, local: bool) -> str:
        sql.settings.set(name, value, local=local)
        return sql.settings.show(name)[1]

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
        CURRENT_OF: lambda cursor, table, place: positioned.current(sql, cursor, table, place),
        "pg_my_temp_schema": lambda: _temporary_schema(sql),
        "pg_catalog.pg_settings": lambda: tuple(sql.settings.described()),
        "pg_catalog.pg_sequences": lambda: tuple(sql.sequences.described()),
        "pg_catalog.pg_cursors": lambda: tuple(sql.portals.described()),
        "pg_catalog.pg_prepared_statements": lambda: tuple(described_statements(sql.prepared)),
        **advisory.functions(sql),
        **listening.functions(sql),
        **sql.sequences.functions,
        **Privileges(sql).functions,
        **Sizes(sql).functions,
    }


def _temporary_schema(sql: "SqlSession") -> int:
    """The OID of the schema of its temporary objects, 0 while it has none."""
    own = sql.temporary
    return 0 if own is None else sql.snapshot.namespaces[own.schema].id
