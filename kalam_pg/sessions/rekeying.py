"""Another primary key for the rows that are there: every user's are written to where they lie from then on.

Nobody else reads or writes the table meanwhile. Rows are written ahead, some hundred at a time, so that a
table of any size takes little memory: until the definition is committed nobody looks where they are, and
what a rollback or a crash leaves there is erased as a dropped table's tablets are; so is what they leave
behind where they were. That no key comes twice is seen by the committer (`indexing`).
"""

from collections.abc import Callable, Sequence
from functools import partial

from catalog.changes import with_tables
from catalog.errors import (
    FeatureNotSupportedError,
    NotNullViolationError,
    UniqueViolationError,
)
from catalog.indexes import stored_ids
from catalog.model import TableKind, User
from catalog.snapshot import Snapshot
from kalam_pg.query import elsewhere
from kalam_pg.query.execution import Execution
from kalam_pg.query.owners import owners_of
from kalam_pg.query.row_spool import RowSpool
from kalam_pg.query.rules import RowRules
from kalam_pg.query.table_change import TableChange
from kalam_pg.query.waits import Steps, breathe
from kalam_pg.sessions import building, indexing
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sessions.table_rows import rows_of
from storage.arrow import projector
from storage.keys import meta_key
from storage.layout import Row
from storage.log.retained import RETAINED, Retained


def rekey(sql: SqlSession, change: TableChange, made: Snapshot) -> Steps[None]:
    """Write all rows of a table, and the entries of its indexes, under the keys that they are to have.

    made: the catalogue with the change. Raises 23505, and 23502 when that is all that is wrong.
    """
    building, ids = sql.database.building, set(stored_ids(change.after))
    transaction = sql.begin_implicit()
    if transaction.view is not None:
        raise FeatureNotSupportedError(
            "another primary key after the transaction has read, above READ COMMITTED, is not supported",
            detail="The rows would be written to where its snapshot has none.",
        )
    building.update(ids)
    transaction.on_end.append(lambda: building.difference_update(ids))
    rules = sql.cache.rules(change.after, made)
    snapshot = with_tables(sql.snapshot, {change.filled.id: change.filled})
    notes: dict[bytes, bytes | None] = {}
    for user in (yield from owners_of(sql.database, transaction, change.before, sql.user)):
        yield from _rekey_tablet(sql, change, snapshot, rules, user)
        if change.after.kind is not TableKind.STREAM:
            # Who follows by a token knows rows by their old keys, and must not be told of these as new ones.
            seq = sql.database.engine.current.seq
            tablet = sql.database.tablet(change.after, user).id
            notes[meta_key(tablet, RETAINED)] = Retained(seq + 1, 0).pack()
    transaction.note(notes)


def _rekey_tablet(
    sql: SqlSession, change: TableChange, snapshot: Snapshot, rules: RowRules, user: User
) -> Steps[None]:
    write = partial(_write_spooled, sql, rules, user)
    if (yield from building.load_rows(sql, change, snapshot, rules, user, write)):
        return
    move = _mover(change, rules)
    after, lacking = change.after, ""
    x, source = yield from rows_of(sql, change.filled, snapshot, user)
    try:
        while len(portion := (yield from source.take(indexing.PORTION))):
            rows: list[Row] = []
            for old in portion.rows():
                row = move(old, x)
                nulls = [after.columns[at].name for at in rules.key if row[at] is None]
                if nulls:
                    lacking = lacking or nulls[0]
                else:
                    rows.append(row)
            yield from _write(x, sql, rules, rows)
            yield from breathe()
            elsewhere.renew(x)
    finally:
        x.close()
    if lacking:
        raise NotNullViolationError(
            f'column "{lacking}" of relation "{after.name}" contains null values',
            schema=after.namespace,
            table=after.name,
            column=lacking,
        )


def _write_spooled(sql: SqlSession, rules: RowRules, user: User, spool: RowSpool) -> Steps[None]:
    """What was loaded is written ahead after all."""
    x = Execution(sql.database, sql.begin_implicit(), user, sql.context(()))
    source = spool.source()
    while len(portion := (yield from source.take(indexing.PORTION))):
        yield from _write(x, sql, rules, portion.rows(), again=True)
        yield from breathe()
        elsewhere.renew(x)


def _mover(change: TableChange, rules: RowRules) -> Callable[[Row, Execution], Row]:
    """A row in its new form; a new hidden key is given to each."""
    before, after = change.filled, change.after
    move = projector(before.layout, after.layout) or _same
    if not after.hidden_key or after.primary_key == change.before.primary_key:
        return lambda row, _x: move(row)
    (at,) = rules.key
    next_key = rules.defaults[at]
    assert next_key is not None

    def with_key(row: Row, x: Execution) -> Row:
        moved = move(row)
        return (*moved[:at], next_key((), x.context), *moved[at + 1 :])

    return with_key


def _write(
    x: Execution, sql: SqlSession, rules: RowRules, rows: Sequence[Row], *, again: bool = False
) -> Steps[None]:
    table = rules.table

    def duplicated(row: Row) -> UniqueViolationError:
        (key,) = (constraint.name for constraint in table.constraints if constraint.kind == "p")
        shown = rules.shown_key(row, x.context)
        return indexing.duplicate(table, key, shown, own=x.user is sql.user)

    yield from indexing.write_ahead(sql, table, x.user, rows, rules.key_of, duplicated, again=again)
    for rule in rules.unique:
        yield from indexing.put_entries(x, sql, table, rule, rows, again=again)


def _same(row: Row) -> Row:
    return row
