"""A unique index over rows that are there: its entries are made of them, every user's, before COMMIT.

The table is locked against writers meanwhile. Entries are written ahead, some hundred at a time, so that a
table of any size takes little memory: until the index is in the catalogue nobody looks for them, and what a
rollback or a crash leaves is erased as a dropped table's tablets are. That no value comes twice is seen by
the committer, which finds the key in its index, or among those of the same portion.
"""

from collections.abc import Iterable, Sequence
from typing import cast

from catalog.errors import UniqueViolationError
from catalog.model import Table, TableKind, User
from catalog.pg_catalog.text import qualified, quote_identifier
from kalam_pg.query import elsewhere
from kalam_pg.query.execution import Execution
from kalam_pg.query.owners import owners_of
from kalam_pg.query.row_changes import shown_entry
from kalam_pg.query.select import SelectPlan
from kalam_pg.query.unique import UniqueRule
from kalam_pg.query.waits import Steps, breathe, run_async
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql.parse import parse
from kalam_pg.sql.statements import QueryStatement
from storage.engine import Write, WriteSet
from storage.errors import SerializationError
from storage.ids import TabletId
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
    columns = ", ".join(quote_identifier(column.name) for column in table.columns)
    name = qualified(table.namespace, table.name)
    (query,) = parse(f"SELECT {columns} FROM {name}")  # noqa: S608 -- names are quoted
    assert isinstance(query, QueryStatement)
    planned = sql.plan(query)
    mine = sql.execution(())
    x = Execution(sql.database, mine.transaction, user, mine.context)
    x.declared = True  # The table is locked against who would change what is read.
    try:
        x.look_again((table,))  # Rows that the transaction does not see, too.
        source = yield from cast("SelectPlan", planned.plan).source(x)
        while len(portion := (yield from source.take(PORTION))):
            for rule in rules:
                entries: list[Row] = []
                for row in portion.rows():
                    entry = yield from elsewhere.entry(x, rule, row)
                    if entry is not None:
                        entries.append(entry)
                yield from _write(sql, table, rule, user, entries)
            yield from breathe()
            elsewhere.renew(x)
    finally:
        x.close()


def _write(
    sql: SqlSession, table: Table, rule: UniqueRule, user: User, entries: Sequence[Row]
) -> Steps[None]:
    tablet = sql.database.tablet(rule.entries, user).id
    writes: dict[bytes, Write] = {}
    for entry in entries:
        key = rule.entry_key(entry)
        if key in writes:
            raise _duplicated(sql, table, rule, entry, own=user is sql.user)
        writes[key] = Write(tablet, Op.INSERT, key, entry, None, rule.entries.version, 0)
    if not writes:
        return
    made = list(writes.values())
    stream = table.kind is TableKind.STREAM
    write_set = WriteSet([] if stream else made, made if stream else [], [], sync=False)
    try:
        yield from run_async(lambda: sql.database.committer.commit(write_set))
    except SerializationError as exc:
        for entry in entries:
            if _is_there(sql, tablet, rule.entry_key(entry)):
                raise _duplicated(sql, table, rule, entry, own=user is sql.user) from exc
        raise


def _is_there(sql: SqlSession, tablet: TabletId, key: bytes) -> bool:
    return sql.database.engine.current.position(tablet, key) is not None


def _duplicated(
    sql: SqlSession, table: Table, rule: UniqueRule, entry: Row, *, own: bool
) -> UniqueViolationError:
    """23505. Of other users' rows nothing is told but that they are in the way."""
    shown = shown_entry(table, rule, entry, sql.context(()))
    return UniqueViolationError(
        f'could not create unique index "{rule.index.name}"',
        detail=f"Key {shown} is duplicated."
        if own or not table.per_user
        else "Another user has a key twice.",
        schema=table.namespace,
        table=table.name,
        constraint=rule.index.name,
    )
