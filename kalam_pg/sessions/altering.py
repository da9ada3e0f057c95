"""What ALTER TABLE does with the rows that are there: fill columns in, and see that all are as they must be.

Of a USER table these are the rows of every user. Whoever alters it reads and writes them as if they were
each user in turn, in the one transaction; nobody else reads or writes the table meanwhile. What does not
ask for rows never looks at one: it costs the same for ten users and for a million.
"""

from collections.abc import Sequence
from dataclasses import replace

from catalog.changes import with_tables, with_views
from catalog.difference import Difference
from catalog.errors import DependentObjectsStillExistError, GroupingError, ObjectInUseError
from catalog.model import Table, User, View, kind_of
from catalog.pg_catalog.text import qualified, quote_identifier
from catalog.snapshot import Snapshot
from kalam_pg.query.owners import owner_ids
from kalam_pg.query.table_change import HOLE, TableChange
from kalam_pg.query.waits import Steps
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql.bind import bind
from kalam_pg.sql.statements import QueryStatement
from storage.arrow import projector
from storage.errors import KalamError
from storage.layout import Row


def check_unused(sql: SqlSession, before: Snapshot, made: Difference) -> None:
    """Raise 55006 where an open cursor or result of this session reads a table that is altered."""
    for changed in made.tables:
        table = before.tables.get(changed)
        if table is not None:
            _check_unused(sql, table)


def check_readers(sql: SqlSession, before: Snapshot, after: Snapshot, made: Difference) -> None:
    """Raise 2BP01 where a view groups by a primary key that is dropped, and shows what depends on it.

    made: what is changed from `before` to `after`.
    """
    for table in [
        before.tables[one] for one in made.tables if one in after.tables and one in before.tables
    ]:
        key = next((c for c in table.constraints if c.kind == "p"), None)
        if key is None or key in after.tables[table.id].constraints:
            continue
        for view in after.stored_queries():
            if table.id in view.reads and not _binds(sql, view, after):
                called = kind_of(after.tables.get(view.id) or view)
                raise DependentObjectsStillExistError(
                    f"cannot drop constraint {key.name} on table {table.name} "
                    "because other objects depend on it",
                    detail=f"{called} {view.name} depends on constraint {key.name} "
                    f"on table {table.name}",
                    hint="Use DROP ... CASCADE to drop the dependent objects too.",
                )


def _binds(sql: SqlSession, view: View, snapshot: Snapshot) -> bool:
    """Whether a view's query means something in a catalogue."""
    seen = with_views(snapshot, {view.id: view})
    (query,) = sql.cache.statements(f"SELECT * FROM {qualified(view.namespace, view.name)}")  # noqa: S608 -- quoted
    assert isinstance(query, QueryStatement)
    try:
        bind(query, sql.cache.scope(seen, sql.search_path, sql.settings.types))
    except GroupingError:
        return False
    return True


def _check_unused(sql: SqlSession, table: Table) -> None:
    for portal in sql.portals:
        planned = portal.prepared.planned
        is_open = portal.depth is not None and portal.rows is not None
        if is_open and planned is not None and table.id in planned.reads:
            raise ObjectInUseError(
                f'cannot ALTER TABLE "{table.name}" because it is being used by active queries '
                "in this session"
            )


def fill(sql: SqlSession, change: TableChange, made: Snapshot) -> Steps[None]:
    """Fill columns in, and bring what the transaction has written itself into the new form.

    made: the catalogue with the change. Raises what the expressions raise for some row.
    """
    before, filled, after = change.before, change.filled, change.after
    if change.fillings:
        _reform(sql, before, filled)
        sets = ", ".join(f"{quote_identifier(one.column)} = {one.value}" for one in change.fillings)
        text = f"UPDATE {qualified(filled.namespace, filled.name)} SET {sets}"  # noqa: S608 -- bound before
        snapshot = with_tables(sql.snapshot, {filled.id: filled})
        try:
            for user in (yield from _owners(sql, filled)):
                with sql.sequences.counting_for(user, made):  # Whose rows they are.
                    yield from _run(sql, text, snapshot, user)
        except KalamError as error:
            error.position = 0  # It counts in a text that the client has not sent.
            raise
    if not change.rekeys:
        _reform(sql, filled, after)


def check_rows(sql: SqlSession, change: TableChange) -> Steps[None]:
    """Raise the error of the first demand that a row breaks."""
    if not change.demands:
        return
    after, snapshot = change.after, sql.snapshot
    name = qualified(after.namespace, after.name)
    for user in (yield from _owners(sql, after)):
        for demand in change.demands:
            columns = ", ".join(f"{quote_identifier(column)}::text" for column in demand.shows)
            where = demand.broken_by
            text = f"SELECT {columns} FROM {name} WHERE {where} LIMIT 1"  # noqa: S608 -- bound
            for row in (yield from _run(sql, text, snapshot, user)):
                shown = ", ".join(map(str, row)) if user.id == sql.user.id else "…"  # Theirs.
                demand.error.detail = demand.detail.replace(HOLE, shown)
                raise demand.error


def _run(sql: SqlSession, text: str, snapshot: Snapshot, user: User) -> Steps[Sequence[Row]]:
    """Run a statement in a catalogue of its own as one user; the rows that it answers."""
    (statement,) = sql.cache.statements(text)
    assert isinstance(statement, QueryStatement)
    planned = sql.cache.plan(
        statement,
        snapshot,
        sql.search_path,
        sql.settings.types,
        now_us=sql.begin_implicit().started_us,
        cached=False,
    )
    x = sql.execution(())
    x.user = user
    x.declared = True  # The table is locked against who would change what is read.
    tables = [table for one in planned.reads if (table := snapshot.tables.get(one)) is not None]
    x.look_again(tables)  # What is committed now, whatever the transaction's own snapshot is.
    try:
        result = yield from planned.plan.run(x)
        if result.source is not None:
            return (yield from result.source.every())
        return result.rows
    finally:
        x.close()


def _owners(sql: SqlSession, table: Table) -> Steps[list[User]]:
    """Everybody who has, or may have, rows in a table, as users whose rows are read."""
    if not table.per_user:
        return [sql.user]
    ids = yield from owner_ids(sql.database, sql.begin_implicit(), table)
    return [replace(sql.user, id=one) for one in ids]


def _reform(sql: SqlSession, before: Table, after: Table) -> None:
    """What the transaction has written of a table, in the form of another version."""
    if before.layout != after.layout:
        sql.begin_implicit().reform(
            before.storage_id, projector(before.layout, after.layout) or _same, after.version
        )


def _same(row: Row) -> Row:
    return row
