"""A unique index over rows that are there: its entries are made of them, every user's, before COMMIT.

The table is locked against writers meanwhile. Many become segments (`building`), the
others are written ahead, some hundred at a time, so that a
table of any size takes little memory: until the index is in the catalogue nobody looks for them, and what a
rollback or a crash leaves is erased as a dropped table's tablets are. That no value comes twice is seen by
the committer, which finds the key in its index, or among those of the same portion.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from catalog.errors import UniqueViolationError
from catalog.model import Table, TableKind, User
from kalam_pg.query import elsewhere
from kalam_pg.query.execution import Execution
from kalam_pg.query.owners import owners_of
from kalam_pg.query.row_changes import shown_entry
from kalam_pg.query.unique import UniqueRule
from kalam_pg.query.waits import Steps, breathe, run_async
from kalam_pg.sessions import building
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sessions.table_rows import rows_of
from storage.engine import Write, WriteSet
from storage.errors import SerializationError
from storage.layout import Row
from storage.log.log_entry import Op

PORTION = 500
"""Entries of one commit: about 5 ms of the committer's time."""


def fill(sql: SqlSession, table: Table, indexes: Iterable[int]) -> Steps[None]:
    """Make the entries of these indexes of a table that this transaction has defined. Raises 23505."""
    building, indexes = sql.database.building, set(indexes)
    building.update(indexes)
    transaction = sql.begin_implicit()
    transaction.on_end.append(lambda: building.difference_update(indexes))
    rules = [
        rule for rule in sql.cache.rules(table, sql.snapshot).unique if rule.index.id in indexes
    ]
    for user in (yield from owners_of(sql.database, transaction, table, sql.user)):
        yield from _fill_tablet(sql, table, rules, user)


def _fill_tablet(
    sql: SqlSession, table: Table, rules: Sequence[UniqueRule], user: User
) -> Steps[None]:
    left = []
    for rule in rules:
        fill_later = partial(_fill_later, sql, table, rule, user)
        if not (yield from building.load_index(sql, table, rule, user, fill_later)):
            left.append(rule)
    if left:
        yield from _write_tablet(sql, table, left, user)


def _fill_later(
    sql: SqlSession, table: Table, rule: UniqueRule, user: User, _x: Execution
) -> Steps[None]:
    yield from _write_tablet(sql, table, (rule,), user, again=True)


def _write_tablet(
    sql: SqlSession, table: Table, rules: Sequence[UniqueRule], user: User, *, again: bool = False
) -> Steps[None]:
    x, source = yield from rows_of(sql, table, sql.snapshot, user)
    try:
        while len(portion := (yield from source.take(PORTION))):
            for rule in rules:
                yield from put_entries(x, sql, table, rule, portion.rows(), again=again)
            yield from breathe()
            elsewhere.renew(x)
    finally:
        x.close()


def put_entries(
    x: Execution,
    sql: SqlSession,
    table: Table,
    rule: UniqueRule,
    rows: Iterable[Row],
    *,
    again: bool = False,
) -> Steps[None]:
    """Write a table's rows' entries in a unique index. again: see `write_ahead`. Raises 23505."""
    entries: list[Row] = []
    for row in rows:
        entry = yield from elsewhere.entry(x, rule, row)
        if entry is not None:
            entries.append(entry)

    def duplicated(entry: Row) -> UniqueViolationError:
        shown = shown_entry(table, rule, entry, sql.context(()))
        return duplicate(table, rule.index.name, shown, own=x.user is sql.user)

    yield from write_ahead(
        sql, rule.entries, x.user, entries, rule.entry_key, duplicated, again=again
    )


def write_ahead(
    sql: SqlSession,
    stored: Table,
    user: User,
    rows: Iterable[Row],
    key_of: Callable[[Row], bytes],
    duplicated: Callable[[Row], UniqueViolationError],
    *,
    again: bool = False,
) -> Steps[None]:
    """Commit rows where nobody looks before a definition is committed; all have to have other keys.

    again: they were loaded before, so that they are known to; some may have been written ahead by then.
    """
    tablet = sql.database.tablet(stored, user).id
    writes: dict[bytes, Write] = {}
    for row in rows:
        key = key_of(row)
        if key in writes:
            raise duplicated(row)
        writes[key] = Write(tablet, Op.INSERT, key, row, None, stored.version, 0)
    view = sql.database.engine.current
    made = [w for w in writes.values() if not again or view.position(tablet, w.key) is None]
    if not made:
        return
    stream = stored.kind is TableKind.STREAM
    write_set = WriteSet([] if stream else made, made if stream else [], [], sync=False)
    try:
        yield from run_async(lambda: sql.database.committer.commit(write_set))
    except SerializationError as exc:
        for write in made:
            if sql.database.engine.current.position(tablet, write.key) is not None:
                raise duplicated(write.row) from exc
        raise


def duplicate(table: Table, index: str, shown: str, *, own: bool) -> UniqueViolationError:
    """23505. Of other users' rows nothing is told but that they are in the way."""
    return UniqueViolationError(
        f'could not create unique index "{index}"',
        detail=f"Key {shown} is duplicated."
        if own or not table.per_user
        else "Another user has a key twice.",
        schema=table.namespace,
        table=table.name,
        constraint=index,
    )
