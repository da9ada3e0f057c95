"""WHERE CURRENT OF: which row of a table a cursor stands on.

A cursor whose query PostgreSQL calls simply updatable, or that locks rows, is asked for the primary keys of
its tables' rows too (`sql.cursor_keys`). They stay in the cursor, and a statement that names it finds its row
by key, as it is by then.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from catalog.errors import InvalidCursorStateError
from catalog.types.table import PgType
from kalam_pg.query.prepare import Planned
from kalam_pg.sessions.portals import Keys
from kalam_pg.sql.cursor_keys import with_keys
from kalam_pg.sql.statements import QueryStatement
from storage.errors import KalamError
from storage.layout import Value

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession


def keyed(
    sql: "SqlSession", query: QueryStatement, planned: Planned, types: Sequence[PgType]
) -> tuple[Planned, Keys | None]:
    """The plan of a cursor's query, with the keys that it can give. planned: without them."""
    found = with_keys(query, lambda schema, name: sql.snapshot.find(schema, name, sql.search_path))
    if found is None:
        return planned, None
    try:
        made = sql.plan(found.query, types)
    except KalamError:
        return planned, None  # It is grouped after all, say.
    width = len(planned.columns)
    places = tuple([(table, width + at) for table, at in found.places])
    return made, Keys(width, places, found.locks)


# ------------------------------------------------------------------ the row


def current(sql: "SqlSession", cursor: str, table: int, place: int) -> Value:
    """A value of the primary key of the table's row that a cursor stands on; NULL where it is on none.

    Raises 34000, 24000 as PostgreSQL does.
    """
    portal = sql.portals.find(cursor)
    statement = portal.prepared.statement
    if not isinstance(statement, QueryStatement) or statement.kind != "select":
        raise InvalidCursorStateError(f'cursor "{cursor}" is not a SELECT query')
    if portal.depth is None:
        raise InvalidCursorStateError(f'cursor "{cursor}" is held from a previous transaction')
    keys, name = portal.keys, sql.snapshot.tables[table].name
    places = [at for of, at in keys.places if of == table] if keys is not None else []
    if len(places) > 1:
        raise InvalidCursorStateError(
            f'cursor "{cursor}" has multiple FOR UPDATE/SHARE references to table "{name}"'
        )
    if not places:
        locks = keys is not None and keys.locks
        what = "does not have a FOR UPDATE/SHARE reference to" if locks else _NO_SCAN
        raise InvalidCursorStateError(f'cursor "{cursor}" {what} table "{name}"')
    row = None if portal.rows is None else portal.rows.row
    if row is None:
        raise InvalidCursorStateError(f'cursor "{cursor}" is not positioned on a row')
    return row[places[0] + place]


_NO_SCAN = "is not a simply updatable scan of"
