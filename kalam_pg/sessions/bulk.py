"""What a session does about rows that its transaction has loaded, or is going to (`jobs.loading`)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from catalog.model import Column, Table
from catalog.types.table import TypeContext
from kalam_pg.functions.encodings import UTF8
from kalam_pg.jobs import loading
from kalam_pg.query import large_insert, loads
from kalam_pg.query.copy_in import CopyPlan
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.insert import InsertPlan
from kalam_pg.query.plan import Plan
from kalam_pg.query.row_spool import SentRows
from kalam_pg.query.rules import Closure
from kalam_pg.query.transaction import Transaction
from kalam_pg.query.waits import Steps
from kalam_pg.rows.copy_columns import Field, fields_of
from kalam_pg.rows.copy_pieces import travelling
from kalam_pg.sql import statements as st
from kalam_pg.sql.copy_options import CopyFormat
from kalam_pg.sql.statements import Statement
from kalam_pg.sql.statements_copy import CopyFrom

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession

_LEAVE_LOADS = (st.Commit, st.Rollback, CopyFrom)
"""Statements that need no changes of what is loaded, or say so themselves."""


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


def steps(sql: "SqlSession", plan: Plan, x: Execution) -> Steps[Result]:
    """What runs a planned statement. What many rows of a query are inserted by is known here.

    In a block they are put one by one: what comes next in it would find them among its changes.
    """
    if not isinstance(plan, InsertPlan) or plan.source is None or x.transaction.block:
        return plan.run(x)
    sent = [at for at in plan.from_source if at is not None]
    if not (sent and large_insert.is_for(plan) and loading.is_for(plan.rules)):
        return plan.run(x)
    fields: list[Field | None] = [None] * len(plan.source.columns)
    for at, of in zip(plan.from_source, fields_of(plan.table.columns), strict=True):
        if at is not None:
            fields[at] = of
    form = SentRows(tuple(fields))
    return large_insert.run(
        x, plan, loading.Bulk(sql.database, sql.jobs, form, plan.from_source, None)
    )


def before(sql: "SqlSession", statement: Statement) -> Steps[None]:
    """Before a statement of a transaction that has loaded rows: it finds them among its changes."""
    if not isinstance(statement, _LEAVE_LOADS):
        yield from _put(sql)


def before_copy(sql: "SqlSession", plan: CopyPlan) -> Steps[None]:
    """The same before a COPY: to another table that asks for nothing of those rows they may stay."""
    loaded = sql.begin_implicit().loads
    tables = {tablet.table for tablet in loaded}
    if plan.road is None or plan.rules.table.storage_id in tables:
        yield from _put(sql)


def before_commit(sql: "SqlSession", transaction: Transaction) -> Steps[None]:
    """What is loaded is going to be committed, each row by itself where somebody follows them."""
    if loads.is_followed(sql.database, transaction):
        yield from _put(sql)
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
