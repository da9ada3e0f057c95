"""What a session does about rows that its transaction has loaded, or is going to (`jobs.loading`)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from catalog.indexes import stored_ids
from catalog.model import Column, Table
from catalog.types.table import TypeContext
from kalam_pg.functions.encodings import UTF8
from kalam_pg.jobs import loading
from kalam_pg.query import large_insert, loads
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.insert import InsertPlan
from kalam_pg.query.prepare import Planned
from kalam_pg.query.row_spool import SentRows
from kalam_pg.query.rules import Closure
from kalam_pg.query.transaction import READ_COMMITTED, Transaction
from kalam_pg.query.waits import Steps
from kalam_pg.rows.copy_columns import Field, fields_of
from kalam_pg.rows.copy_pieces import travelling
from kalam_pg.sql import statements as st
from kalam_pg.sql import statements_alter as alter
from kalam_pg.sql.copy_options import CopyFormat
from kalam_pg.sql.statements import Statement
from kalam_pg.sql.statements_copy import CopyFrom, CopyTo
from kalam_pg.sql.statements_cursor import CloseCursor, DeclareCursor, FetchCursor
from kalam_pg.sql.statements_derived import CreateTableAs
from kalam_pg.sql.statements_indexes import CreateIndex
from kalam_pg.sql.statements_sequence import AlterSequence, CreateSequence
from kalam_pg.sql.statements_views import CreateView

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession

_LEAVE_LOADS = (st.Commit, st.Rollback, CopyFrom)
"""Statements that need no changes of what is loaded, or say so themselves."""

_READ_LOADS = (
    *(st.QueryStatement, CopyTo, CreateTableAs),
    *(DeclareCursor, FetchCursor, CloseCursor, st.Prepare, st.ExecutePrepared, st.Deallocate),
    *(st.Savepoint, st.ReleaseSavepoint, st.RollbackToSavepoint),
    *(st.SetSetting, st.ResetSetting, st.ShowSetting, st.CommentOn, st.GrantRevoke),
    *(st.CreateNamespace, st.CreateTable, CreateIndex, CreateView, CreateSequence, AlterSequence),
)
"""Those that find it in segments, where each statement sees what is committed: an older snapshot has none."""

_READING_ACTIONS = (alter.AddConstraint, alter.OwnerTo, alter.SetDefault)
"""Those of ALTER TABLE that only look at rows."""


def road(
    sql: "SqlSession",
    table: Table,
    columns: Sequence[Column],
    form: CopyFormat,
    context: TypeContext,
    where: Closure | None,
) -> loading.Bulk | None:
    """What loads the rows of a large COPY to a table; None: they are put one by one.

    columns: those that are sent. context: what their values depend on. where: what rows must satisfy.
    """
    if form.encoding not in (None, UTF8) or any(one.type.names_objects for one in columns):
        return None
    rules = sql.cache.rules(table, sql.snapshot)
    if not (columns and loading.is_for(rules)):
        return None
    places = {column.id: at for at, column in enumerate(columns)}
    return loading.Bulk(
        sql.database,
        sql.jobs,
        travelling(columns, replace(form, encoding=None), context),
        [places.get(column.id) for column in table.columns],
        where,
    )


def steps(sql: "SqlSession", planned: Planned, x: Execution) -> Steps[Result]:
    """What runs a planned statement. What many rows of a query are inserted by is known here."""
    plan = planned.plan
    if isinstance(plan, InsertPlan) and (loads_it := _road_of(sql, plan)) is not None:
        return large_insert.run(x, plan, loads_it)
    run = plan.run(x)
    if x.transaction.loads and _changes(sql, planned, x.transaction):
        x.keep_context()  # Its parameters are its own while rows are put.
        return _put_first(sql, run)
    return run


def _road_of(sql: "SqlSession", plan: InsertPlan) -> loading.Bulk | None:
    sent = [at for at in plan.from_source if at is not None]
    if plan.source is None or not (
        sent and large_insert.is_for(plan) and loading.is_for(plan.rules)
    ):
        return None
    fields: list[Field | None] = [None] * len(plan.source.columns)
    for at, of in zip(plan.from_source, fields_of(plan.table.columns), strict=True):
        if at is not None:
            fields[at] = of
    return loading.Bulk(sql.database, sql.jobs, SentRows(tuple(fields)), plan.from_source, None)


def _changes(sql: "SqlSession", planned: Planned, transaction: Transaction) -> bool:
    """Whether a statement may change or lock rows that the transaction has loaded, or does not see them."""
    if transaction.isolation != READ_COMMITTED:
        return True
    stored = {tablet.table for tablet in transaction.loads}
    tables = [table for one, _ in planned.locks if (table := sql.snapshot.tables.get(one))]
    if any(one in stored for table in tables for one in stored_ids(table)):
        return True
    plan = planned.plan
    if not planned.writes or (isinstance(plan, InsertPlan) and plan.conflict is None):
        return False
    return any(any(sql.snapshot.referring_to(table.id)) for table in tables)  # They may follow.


def _put_first(sql: "SqlSession", run: Steps[Result]) -> Steps[Result]:
    yield from _put(sql)
    return (yield from run)


def before(sql: "SqlSession", statement: Statement) -> Steps[None]:
    """Before a statement of a transaction that has loaded rows: what reads no segments finds them among its
    changes.
    """
    if isinstance(statement, _LEAVE_LOADS):
        return
    transaction = sql.begin_implicit()
    if transaction.isolation == READ_COMMITTED and (
        isinstance(statement, _READ_LOADS)
        or (
            isinstance(statement, alter.AlterTable)
            and all(isinstance(one, _READING_ACTIONS) for one in statement.actions)
        )
    ):
        return
    yield from _put(sql)


def before_commit(sql: "SqlSession", transaction: Transaction) -> Steps[None]:
    """What is loaded is going to be committed, each row by itself where somebody follows them.

    Changes of the same tablet would be lost: their commit is flushed by definition.
    """
    changed = transaction.changes.keys()
    if (
        loads.is_followed(sql.database, transaction)
        or loads.is_half_written(transaction)
        or not changed.isdisjoint(transaction.loads)
    ):
        yield from _put(sql)


def enter(sql: "SqlSession", transaction: Transaction) -> Steps[None]:
    """Nothing else of it takes long any more: take the turns of the tablets that it has loaded into."""
    found = [loaded.load for loaded in transaction.loads.values()]
    timeout_s = int(sql.settings["statement_timeout"]) / 1000.0
    yield from loading.enter(sql.jobs, found, sql.account.user, timeout_s)


def _put(sql: "SqlSession") -> Steps[None]:
    x = sql.execution(())
    x.declared = True
    try:
        yield from loads.put(x)
    finally:
        x.close()
