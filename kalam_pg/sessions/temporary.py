"""A session's temporary objects: when it has any, what COMMIT does to their rows, how they end.

`query.temporary` has what they are. A session without any has no part of this: its catalogue and its plans
are those that all share. From the first on both are its own, until none is left or it ends.
"""

from functools import partial
from typing import TYPE_CHECKING

from catalog import changes_drop
from catalog.difference import Difference, difference
from catalog.errors import FeatureNotSupportedError, ObjectInUseError
from catalog.indexes import entry_tables, stored_ids
from catalog.model import TEMPORARY, Table
from catalog.snapshot import Snapshot
from catalog.temporary import parted
from kalam_pg.query.net_change import Emptied
from kalam_pg.query.transaction import Transaction
from kalam_pg.sql import statements as st
from kalam_pg.sql.statements import Statement
from kalam_pg.sql.statements_derived import CreateTableAs
from kalam_pg.sql.statements_sequence import CreateSequence
from kalam_pg.sql.statements_views import CreateView
from storage.stream import StreamTablet

if TYPE_CHECKING:
    from kalam_pg.query.database import Database
    from kalam_pg.sessions.sql_session import SqlSession


def prepare(sql: "SqlSession", statement: Statement) -> None:
    """See that there is a schema for a temporary object that a statement may make."""
    if not isinstance(statement, st.CreateTable | CreateTableAs | CreateView | CreateSequence):
        return
    schema = statement.name.schema
    named = schema == TEMPORARY or (not schema and TEMPORARY in sql.settings.search_path)
    if statement.temporary or named:
        if sql.temporary is None:
            sql.temporary = sql.database.temporaries.enter(sql.database)
            sql.cache = sql.cache.own()
        sql.begin_implicit().temporary = sql.temporary


def check_unused(sql: "SqlSession", made: Difference, before: Snapshot) -> None:
    """Raise 55006 where a definition takes away or alters what another session's temporary view reads."""
    changed = {
        one
        for kind, there in ((made.tables, before.tables), (made.views, before.views))
        for one, after in kind.items()
        if one in there and _is_another(there[one], after)
    }
    if not changed:
        return
    for other in sql.database.temporaries.sessions.values():
        if other is not sql.temporary:
            for view in other.kept.views.values():
                for read in changed.intersection(view.reads if view is not None else ()):
                    found = before.tables.get(read) or before.views[read]
                    raise ObjectInUseError(
                        f'cannot change "{found.name}" because a temporary view of another session '
                        "reads it"
                    )


def _is_another(before: object, after: object) -> bool:
    """Whether who reads a relation by its names would find something else."""
    what = ("namespace", "name", "columns", "query")
    return after is None or any(
        getattr(before, one, None) != getattr(after, one, None) for one in what
    )


# ------------------------------------------------------------------ at the end of a transaction


def before_commit(sql: "SqlSession", transaction: Transaction) -> None:
    """ON COMMIT of the tables. Raises 0A000, and 53200 when their rows are too many to keep."""
    tables = [table for table in sql.snapshot.tables.values() if table.on_commit]
    emptied = [table for table in tables if table.on_commit == "delete rows"]
    for table in emptied:
        _check_referring(sql.snapshot, table, emptied)
        _empty(sql, transaction, table)
    dropped = [table for table in tables if table.on_commit == "drop"]
    if dropped:
        _drop(sql, transaction, dropped)
    if transaction.changes and transaction.temporary is not None:
        transaction.temporary.check_room(transaction)


def _check_referring(snapshot: Snapshot, table: Table, emptied: list[Table]) -> None:
    for referring, _ in snapshot.referring_to(table.id):
        if referring not in emptied:
            raise FeatureNotSupportedError(
                "unsupported ON COMMIT and foreign key combination",
                detail=f'Table "{referring.name}" references "{table.name}", but they do not have '
                "the same ON COMMIT setting.",
            )


def _empty(sql: "SqlSession", transaction: Transaction, table: Table) -> None:
    transaction.unwrite(set(stored_ids(table)))
    for stored in (table, *entry_tables(table)):
        tablet = sql.database.tablet(stored, sql.user)
        assert isinstance(tablet, StreamTablet)
        if tablet.hot_rows(sql.database.engine.current):
            transaction.truncate(tablet.id, Emptied(stored.version, stream=True))


def _drop(sql: "SqlSession", transaction: Transaction, tables: list[Table]) -> None:
    """Drop tables, and the views that read them."""
    before = sql.snapshot
    change = changes_drop.drop_relations(before, tables, "table", cascade=True)
    _, own = parted(difference(before, change.snapshot), before)
    define(sql, transaction, own, before)


def define(sql: "SqlSession", transaction: Transaction, own: Difference, before: Snapshot) -> None:
    """Have the transaction define something of the session's own."""
    after = own.tables.items()
    kept = {one for _, table in after if table is not None for one in stored_ids(table)}
    there = [before.tables[one] for one, _ in after if one in before.tables]
    gone = {one for table in there for one in stored_ids(table)} - kept
    transaction.define_temporary(own, gone)
    transaction.on_end.append(partial(_settled, sql.database, gone | kept))


def _settled(database: "Database", tables: set[int]) -> None:
    """Tables that were dropped, or never made, leave nothing behind."""
    database.forget_unknown(tables)


def ended(sql: "SqlSession", transaction: Transaction, *, committed: bool) -> None:
    """A transaction has ended: what it has made of them is there, or not."""
    own = transaction.temporary
    if own is None:
        return
    if committed and transaction.temporaries is not None:
        own.commit(transaction.temporaries)
    own.settle_numbers()
    if not own.kept or sql.closed:
        _leave(sql)
    # They were changed rows until now.
    sql.account.holding("temporary tables").note(0 if sql.temporary is None else own.size)


def discard(sql: "SqlSession") -> None:
    """DISCARD TEMP: drop all of them, as far as the transaction commits."""
    own, transaction = sql.temporary, sql.begin_implicit()
    if own is None:
        return
    before = sql.snapshot
    gone = Difference(
        {},
        {one: None for one, table in before.tables.items() if table.temporary},
        {one: None for one, view in before.views.items() if view.temporary},
        sequences={one: None for one, s in before.sequences.items() if s.temporary},
    )
    transaction.temporary = own
    define(sql, transaction, gone, before)


def close(sql: "SqlSession") -> None:
    """The session has ended; a COMMIT that is under way has its outcome first."""
    if sql.transaction is None:
        _leave(sql)


def _leave(sql: "SqlSession") -> None:
    own, sql.temporary = sql.temporary, None
    if own is not None:
        sql.cache = sql.cache.shared
        own.drop()
