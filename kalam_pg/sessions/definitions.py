"""CREATE, ALTER, DROP, GRANT and COMMENT: definitions.

A definition changes the transaction's own catalog, which is what is committed with its own definitions
over it; they become everybody's when the transaction commits. Until then what it defines is locked for
other definitions (`definition_locks`), never for readers; a DROP waits for writers of its table.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from catalog import default_privileges
from catalog.changes import CatalogChange, with_views
from catalog.codec import CATALOG_KEY
from catalog.difference import Difference, difference
from catalog.errors import (
    ActiveSqlTransactionError,
    InvalidObjectDefinitionError,
)
from catalog.functions import Function
from catalog.indexes import stored_ids
from catalog.model import NumberSequence, Table, View
from catalog.options import KIND_OF_METHOD
from catalog.snapshot import Snapshot
from catalog.temporary import parted, stored_puts
from catalog.types.table import PgType
from kalam_pg.functions.table import Volatility
from kalam_pg.jobs.job_list import Jobs
from kalam_pg.pgwire.scram import make_verifier, parse_verifier
from kalam_pg.query.database import Database
from kalam_pg.query.ddl import DdlContext, plan_ddl
from kalam_pg.query.ddl_context import DdlPlan
from kalam_pg.query.execution import Result
from kalam_pg.query.transaction import Transaction
from kalam_pg.query.waits import Steps, run_async
from kalam_pg.sessions import (
    acting,
    altering,
    committing,
    definition_locks,
    generating,
    indexing,
    rekeying,
    role_settings,
    spelling,
    table_locks,
    temporary,
    truncating,
    viewing,
)
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql import statements as st
from kalam_pg.sql import statements_sequence as ss
from kalam_pg.sql.bind import bind, bind_expression
from kalam_pg.sql.constancy import is_immutable
from kalam_pg.sql.deparse import Deparser, quote_identifier
from kalam_pg.sql.function_check import check_aggregate, check_body
from kalam_pg.sql.statements import QueryStatement, Statement
from kalam_pg.sql.statements_alter import AlterTable, DropColumn, SetIdentity
from kalam_pg.sql.statements_derived import CreateTableAs, DropMaterializedView
from kalam_pg.sql.statements_functions import (
    AlterFunction,
    CallProcedure,
    CommentOnFunction,
    CreateAggregate,
    CreateFunction,
    DropFunction,
    GrantExecute,
)
from kalam_pg.sql.statements_indexes import CreateIndex, DropIndex, RenameIndex
from kalam_pg.sql.statements_live import Notify
from kalam_pg.sql.statements_types import (
    AlterDomain,
    AlterType,
    CreateComposite,
    CreateDomain,
    CreateRange,
    CreateType,
    DropDomain,
    DropType,
)
from kalam_pg.sql.statements_users import (
    AlterDefaultPrivileges,
    AlterSettings,
    AlterUser,
    CreateUser,
    DropUser,
)
from kalam_pg.sql.statements_views import CreateView, DropView
from kalam_pg.sql.to_python import compile_expr
from kalam_pg.sql.tree import Call, ColumnRef, TableScan
from kalam_pg.sql.walk import walk
from storage.layout import Value

STATEMENTS = (
    st.CreateNamespace,
    st.DropNamespace,
    st.RenameNamespace,
    st.NamespaceOwner,
    st.CreateTable,
    st.DropTable,
    st.Truncate,
    CreateIndex,
    DropIndex,
    RenameIndex,
    AlterTable,
    CreateView,
    DropView,
    DropMaterializedView,
    st.CommentOn,
    CreateUser,
    AlterUser,
    AlterDefaultPrivileges,
    AlterSettings,
    DropUser,
    CreateComposite,
    CreateRange,
    CreateType,
    AlterType,
    DropType,
    CreateDomain,
    AlterDomain,
    DropDomain,
    st.GrantRevoke,
    CreateFunction,
    CreateAggregate,
    AlterFunction,
    DropFunction,
    CommentOnFunction,
    GrantExecute,
    ss.CreateSequence,
    ss.AlterSequence,
    ss.MoveSequence,
    ss.DropSequence,
)


_IN_FUNCTIONS = (
    QueryStatement,
    *STATEMENTS,
    CreateTableAs,
    st.SetSetting,
    st.ResetSetting,
    Notify,
    CallProcedure,
)


def run(sql: SqlSession, statement: Statement, *, told: bool = True) -> Steps[Result]:
    """Run one of `STATEMENTS`. Raises what `plan_ddl` raises, 55P03, 40P01.

    told: not just what else goes.
    """
    if isinstance(statement, st.Truncate):
        return (yield from truncating.run(sql, statement))
    transaction = sql.transaction
    if transaction is None:
        transaction = sql.transaction = sql.new_transaction()
    has_seen = transaction.view is not None
    try:
        return (yield from _run(sql, transaction, statement, told=told))
    finally:
        if not has_seen and transaction.view is not None:
            # Above READ COMMITTED, too, what it has written ahead is seen by the statements that follow.
            transaction.view.release()
            transaction.view = None


def _run(
    sql: SqlSession, transaction: Transaction, statement: Statement, *, told: bool
) -> Steps[Result]:
    transaction.check_writable(st.command_name(statement))
    temporary.prepare(sql, statement)
    if isinstance(statement, AlterSettings):
        statement = role_settings.checked(sql, statement)
    if isinstance(statement, CreateIndex | DropIndex) and statement.concurrently:
        _check_alone(transaction, statement)
    plan, before, made = yield from _planned(sql, statement)
    change = plan.change
    if change.columns:
        for table_id, column in change.columns:
            yield from _drop_column(sql, sql.snapshot.tables[table_id], column)
        plan, before, made = yield from _planned(sql, statement)
        change = replace(plan.change, notices=change.notices, detail=change.detail)
    if transaction.deferred:
        command = st.command_name(statement)
        yield from committing.settle_tables(sql, transaction, made.tables, command)
    if isinstance(statement, AlterTable):
        altering.check_unused(sql, before, made)
        altering.check_readers(sql, before, change.snapshot, made)
    if plan.rows is not None:
        yield from altering.fill(sql, plan.rows, change.snapshot)
    if not sql.database.ids.covered:
        # Before the client, or anything on disk, has a number that a restart could give again.
        yield from run_async(sql.database.cover_ids)
    if plan.rows is not None and plan.rows.rekeys:
        transaction.on_end.append(
            partial(_tables_settled, sql.database, sql.jobs, [*stored_ids(plan.rows.after)])
        )
        yield from rekeying.rekey(sql, plan.rows, change.snapshot)
    _tell(sql, change if told else _cascaded(change))
    if change.puts:
        _define(sql, change, before, made)
        for table_id, after in made.tables.items():
            there = before.tables.get(table_id)
            if there is not None and after is not None:
                fresh = _stored(after) - _stored(there)
                if fresh and after.storage_id not in fresh:
                    yield from indexing.fill(sql, after, fresh)
    for asked in (*plan.asked, *(() if plan.rows is None else (plan.rows,))):
        yield from altering.check_rows(sql, asked)
    _recount(sql, statement, before, change.snapshot, made)
    return Result(plan.tag)


def _cascaded(change: CatalogChange) -> CatalogChange:
    """With what it says of dependent objects alone."""
    told = tuple([notice for notice in change.notices if notice.startswith("drop cascades")])
    return replace(change, notices=told)


def _drop_column(sql: SqlSession, table: Table, column: str) -> Steps[None]:
    """Drop a column with what depends on it, if what depended on the last one has not taken it along."""
    name = st.TableName(table.namespace, table.name)
    action = DropColumn(column, if_exists=True, cascade=True)
    yield from run(sql, AlterTable(name, (action,), kind="table"), told=False)


def _tell(sql: SqlSession, change: CatalogChange) -> None:
    last = len(change.notices) - 1
    for at, notice in enumerate(change.notices):
        detail = change.detail if at == last else ""
        state = next((s for text, s in _WARNINGS.items() if notice.startswith(text)), "")
        if state:
            sql.notice(notice, severity="WARNING", sqlstate=state, detail=detail)
        else:
            sql.notice(notice, sqlstate=_state_of(notice), detail=detail)


_WARNINGS = {
    "lowering statistics": "22023",
    "database ": "3D000",
    "aggregate attribute": "42601",
}
"""What is told as a warning begins so."""


def _recount(
    sql: SqlSession, statement: Statement, before: Snapshot, after: Snapshot, made: Difference
) -> None:
    """What a statement says of where sequences go on. made: what is changed from `before` to `after`."""
    if isinstance(statement, ss.AlterSequence):
        for there, changed in _sequences(before, made):
            sql.sequences.altered(there, changed, statement.options)
    if isinstance(statement, AlterTable):
        for action in statement.actions:
            if isinstance(action, SetIdentity):
                for there, changed in _sequences(before, made):
                    if _owner(changed, after) == action.column:
                        sql.sequences.altered(there, changed, action.options)


def _define(sql: SqlSession, change: CatalogChange, before: Snapshot, made: Difference) -> None:
    """Have the transaction define what a change makes, apart what is the session's own of it."""
    transaction = sql.begin_implicit()
    everybodys, own = parted(made, before)
    if own:
        temporary.define(sql, transaction, own, before)
    puts = stored_puts(change.puts, own, before)
    if own and not everybodys and not [put for put in puts if put[0] != CATALOG_KEY]:
        return
    stored = [
        (_stored(before.tables.get(table)), _stored(after))
        for table, after in everybodys.tables.items()
    ]
    gone = [one for had, has in stored for one in had - has]
    transaction.define(everybodys, puts, gone)
    _settle_at_end(sql, change, [one for had, has in stored for one in had ^ has])


def _sequences(
    before: Snapshot, made: Difference
) -> Iterator[tuple[NumberSequence, NumberSequence]]:
    """The sequences that are changed and stay, as they were and as they are."""
    for sequence_id, changed in made.sequences.items():
        there = before.sequences.get(sequence_id)
        if there is not None and changed is not None:
            yield there, changed


def _owner(sequence: NumberSequence, snapshot: Snapshot) -> str:
    """The name of the column that owns a sequence."""
    table, column = sequence.owned_by or (0, 0)
    return next(c.name for c in snapshot.tables[table].columns if c.id == column)


def _stored(table: Table | None) -> set[int]:
    return set() if table is None else set(stored_ids(table))


def _check_alone(transaction: Transaction, statement: CreateIndex | DropIndex) -> None:
    """Raise 25001 in a block: PostgreSQL's CONCURRENTLY needs transactions of its own."""
    if transaction.block:
        raise ActiveSqlTransactionError(
            f"{st.command_name(statement)} CONCURRENTLY cannot run inside a transaction block"
        )


def _state_of(notice: str) -> str:
    """The SQLSTATE of what is told where nothing had to be done."""
    if not notice.endswith("already exists, skipping"):
        return "00000"
    return {"column": "42701", "relation": "42P07", "schema": "42P06"}.get(
        notice.partition(" ")[0], "00000"
    )


def _planned(sql: SqlSession, statement: Statement) -> Steps[tuple[DdlPlan, Snapshot, Difference]]:
    """What the statement means, all that it needs being locked; the catalogue that it changes, and how.

    After any wait the change is planned anew, since names may mean something else now.
    """
    deadline = table_locks.statement_deadline(sql)
    altered = isinstance(statement, AlterTable)
    while True:
        before = sql.snapshot
        context = yield from viewing.looked_at(sql, statement, _context(sql))
        if sql.snapshot is not before:
            continue
        plan = plan_ddl(statement, context)
        made = difference(before, plan.change.snapshot)
        change = default_privileges.applied(before, plan.change, made, context.get)
        if change is not plan.change:
            plan = replace(plan, change=change)
            made = difference(before, change.snapshot)
        for name, mode in definition_locks.needed(statement, before, plan.change, made):
            if (yield from table_locks.lock(sql, name, mode, deadline, readers=altered)):
                break
        else:
            temporary.check_unused(sql, made, before)
            return plan, before, made


def _settle_at_end(sql: SqlSession, change: CatalogChange, stored: Sequence[int]) -> None:
    """What a change means to the running server, when the outcome of its transaction is known.

    stored: under which ids storage has something, or had before.

    Nothing here relies on what the outcome is: the catalogue tells.
    """
    transaction = sql.transaction
    assert transaction is not None
    users = (*change.users, *change.purged)
    if users:
        transaction.on_end.append(partial(acting.users_settled, sql, users))
    if change.purged:
        transaction.on_end.append(partial(_purged_settled, sql.database, sql.jobs))
    if stored:
        transaction.on_end.append(partial(_tables_settled, sql.database, sql.jobs, stored))


def _tables_settled(database: Database, jobs: Jobs, tables: Sequence[int]) -> None:
    """Tables that the catalogue does not have, whether dropped or never made, leave nothing behind."""
    gone = database.forget_unknown(tables)
    # The start of every server does the same: a crash in between leaves nothing behind.
    if gone:
        jobs.clean_up_soon()


def _purged_settled(database: Database, jobs: Jobs) -> None:
    """Users that are no more leave nothing behind, either."""
    if database.note_erasing():
        jobs.erase_soon()


def _context(sql: SqlSession) -> DdlContext:
    transaction = sql.transaction
    assert transaction is not None
    return DdlContext(
        snapshot=sql.snapshot,
        ids=sql.database.ids,
        user=sql.user,
        session_user=sql.session_user,
        now_us=sql.database.now_us(),
        search_path=sql.search_path,
        get=sql.database.store.reader(transaction.puts),
        check_expression=partial(_check_expression, sql),
        check_indexed=partial(_check_indexed, sql),
        check_generated=partial(generating.check, sql),
        spelled=partial(spelling.spelled, sql),
        describe=partial(viewing.describe, sql),
        make_verifier=_verifier,
        reads=partial(viewing.reads, sql),
        not_updatable=partial(viewing.not_updatable, sql),
        evaluate=partial(_evaluate, sql),
        columns_read=partial(_columns_read, sql),
        creates_in=sql.named_path,
        check_body=partial(_check_body, sql),
        check_aggregate=partial(_check_aggregate, sql),
        kind_unsaid=KIND_OF_METHOD[sql.settings["default_table_access_method"]],
    )


def _check_expression(sql: SqlSession, text: str, table: Table | None, expected: PgType) -> object:
    """Bind and compile, so that what is stored can be evaluated. Raises what binding raises."""
    scope = sql.cache.scope(sql.snapshot, sql.search_path, sql.settings.types)
    bound = bind_expression(text, scope, table, expected)
    return compile_expr(bound, lambda reference: reference.column)


def _check_indexed(
    sql: SqlSession, text: str, table: Table, expected: PgType | None
) -> tuple[PgType, str]:
    """An index's expression or condition: its type, and its text as the catalogue has it. Raises 42P17."""
    what = "expression" if expected is None else "predicate"
    scope = sql.cache.scope(sql.snapshot, sql.search_path, sql.settings.types)
    bound = bind_expression(text, scope, table, expected, what=f"index {what}s")
    if not is_immutable(bound):
        raise InvalidObjectDefinitionError(f"functions in index {what} must be marked IMMUTABLE")
    compile_expr(bound, lambda reference: reference.column)
    deparser = Deparser(lambda reference: quote_identifier(reference.name), lambda _query: "")
    return bound.type, deparser.expr(bound)


def _check_body(sql: SqlSession, function: Function) -> tuple[int, ...]:
    if sql.settings["check_function_bodies"] == "off" and not function.standard:
        return ()
    scope = sql.cache.scope(sql.snapshot, sql.search_path, sql.settings.types)
    return check_body(function, scope, _IN_FUNCTIONS)


def _check_aggregate(sql: SqlSession, function: Function) -> None:
    check_aggregate(function, sql.cache.scope(sql.snapshot, sql.search_path, sql.settings.types))


def _evaluate(sql: SqlSession, text: str, expected: PgType, typmod: int) -> tuple[Value] | None:
    scope = sql.cache.scope(sql.snapshot, sql.search_path, sql.settings.types)
    bound = bind_expression(text, scope, None, expected, typmod)
    if any(
        isinstance(node, Call) and node.overload.volatility is Volatility.VOLATILE
        for node in walk(bound)
    ):
        return None
    return (compile_expr(bound, lambda reference: reference.column)((), sql.context()),)


def _columns_read(sql: SqlSession, view: View, table: int) -> frozenset[int]:
    name = f"{quote_identifier(view.namespace)}.{quote_identifier(view.name)}"
    (query,) = sql.cache.statements(f"SELECT * FROM {name}")  # noqa: S608 -- quoted
    assert isinstance(query, QueryStatement)
    # Of a materialized view the query is meant, not the table.
    seen = with_views(sql.snapshot, {view.id: view})
    scope = sql.cache.scope(seen, sql.search_path, sql.settings.types)
    bound = bind(query, scope)
    nodes = list(walk(bound.statement))
    scans = {
        node.relation: node.table
        for node in nodes
        if isinstance(node, TableScan) and node.table.id == table
    }
    return frozenset(
        scans[node.relation].columns[node.column].id
        for node in nodes
        if isinstance(node, ColumnRef)
        and node.relation in scans
        and node.column < len(scans[node.relation].columns)
    )


def _verifier(password: str) -> str:
    """A password as it is kept; a verifier given as text is kept as it is."""
    if parse_verifier(password) is not None:
        return password
    return str(make_verifier(password))
