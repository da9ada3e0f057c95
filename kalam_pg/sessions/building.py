"""Many rows of a definition become segments: the entries of a new unique index, or rows under another key.

What comes after it in its transaction may need them to be no load (`query.loads.put`): then they are written
ahead, for good, as they would have been at once; a savepoint takes back the definition, or leaves them there.
Where that cannot be, or finds that a value comes twice, they are written ahead one by one (`indexing`), which
says which value it is.
"""

from collections.abc import Callable
from functools import partial

from catalog.model import Table, TableKind, User
from catalog.snapshot import Snapshot
from kalam_pg.interpreter.loaded_rows import RowsRecipe, Sent
from kalam_pg.jobs import load_entries, loading
from kalam_pg.jobs.load_jobs import LoadJob
from kalam_pg.query import large_insert
from kalam_pg.query.loads import PutRows
from kalam_pg.query.row_spool import RowSpool, SentRows
from kalam_pg.query.rules import RowRules
from kalam_pg.query.table_change import TableChange
from kalam_pg.query.transaction import READ_COMMITTED
from kalam_pg.query.unique import UniqueRule
from kalam_pg.query.waits import Steps
from kalam_pg.rows.copy_columns import fields_of
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sessions.table_rows import rows_of
from storage.errors import FeatureNotSupportedError


def load_index(
    sql: SqlSession, table: Table, rule: UniqueRule, user: User, fill: PutRows
) -> Steps[bool]:
    """Load the entries of a new unique index. False: they are to be written ahead. fill: does that, later."""
    if not (_may(sql, table) and load_entries.is_for(rule)):
        return False
    try:
        making = load_entries.making(rule, table)
    except FeatureNotSupportedError:
        return False
    columns = [table.columns[at] for at in making.places]
    x, source = yield from rows_of(sql, table, sql.snapshot, user, columns)
    try:
        spool = yield from large_insert.many(x, source, [])
        if spool is None:
            return False
        form = SentRows(fields_of(columns))
        loaded = yield from loading.build(
            sql.jobs,
            x,
            rule.entries,
            lambda seq: LoadJob(form, making.recipe, seq, sparse=True),
            spool,
            fill,
        )
        spool.close()
        return loaded is not None
    finally:
        x.close()


def load_rows(
    sql: SqlSession,
    change: TableChange,
    snapshot: Snapshot,
    rules: RowRules,
    user: User,
    write: Callable[[RowSpool], Steps[None]],
) -> Steps[bool]:
    """Load a table's rows, and their entries, under another key. False: they are to be written ahead.

    write: does that with what was spooled, later.
    """
    before, after = change.filled, change.after
    given = {column.id: at for at, column in enumerate(before.layout.columns)}
    ids = [column.id for column in after.layout.columns]
    if change.fillings or not given.keys() >= set(ids):
        return False  # A hidden key, for one, each row is given.
    if not (_may(sql, after) and all(map(load_entries.is_for, rules.unique))):
        return False
    try:
        makings = [load_entries.making(rule, after) for rule in rules.unique]
    except FeatureNotSupportedError:
        return False
    columns = [before.columns[given[one]] for one in ids]
    x, source = yield from rows_of(sql, before, snapshot, user, columns)
    try:
        spool = yield from large_insert.many(x, source, [])
        if spool is None:
            return False
        fields = fields_of(after.columns)
        sources = tuple(map(Sent, range(len(ids))))
        recipe = RowsRecipe(after.layout, fields, sources, rules.key)
        form = SentRows(fields)
        rows = yield from loading.build(
            sql.jobs,
            x,
            after,
            lambda seq: LoadJob(form, recipe, seq),
            spool,
            lambda _x: write(spool),
        )
        if rows is None:
            return False
        for rule, making in zip(rules.unique, makings, strict=True):
            job = partial(load_entries.job_of, making, after, rows.id, rows.segments)
            made = yield from loading.build(sql.jobs, x, rule.entries, job, None, None)
            if made is None:
                x.transaction.unwrite({rows.id.table, *[u.entries.id for u in rules.unique]})
                return False
        return True
    finally:
        x.close()


def _may(sql: SqlSession, table: Table) -> bool:
    if table.kind is TableKind.STREAM or table.temporary:
        return False
    # Above READ COMMITTED the next statement's snapshot may be of before they are written ahead.
    return sql.begin_implicit().isolation == READ_COMMITTED
