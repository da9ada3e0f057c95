"""CREATE, ALTER, DROP, GRANT and COMMENT: definitions, one transaction at a time.

A definition changes the transaction's own catalog; it becomes everybody's when the transaction
commits. Until then the catalog is locked for other definitions, never for readers; a DROP waits for
writers of its table.
"""

from collections.abc import Sequence
from functools import partial

from catalog.changes import Change
from catalog.errors import FeatureNotSupportedError, WrongObjectTypeError
from catalog.model import Table
from catalog.types.table import PgType
from kalam_pg.jobs.retention import erase_orphans
from kalam_pg.pgwire.scram import make_verifier, parse_verifier
from kalam_pg.query.ddl import DdlContext, plan_ddl
from kalam_pg.query.ddl_context import find_relation
from kalam_pg.query.execution import Result
from kalam_pg.query.waits import Steps, run_async
from kalam_pg.sessions import acting
from kalam_pg.sessions.sql_session import SqlSession, now_us
from kalam_pg.sql import statements as st
from kalam_pg.sql.bind import bind, bind_expression
from kalam_pg.sql.parse import parse
from kalam_pg.sql.statements import QueryStatement, Statement
from kalam_pg.sql.to_python import compile_expr
from kalam_pg.sql.tree import OutputColumn

STATEMENTS = (
    st.CreateNamespace,
    st.DropNamespace,
    st.RenameNamespace,
    st.CreateTable,
    st.DropTable,
    st.Truncate,
    st.CreateView,
    st.DropView,
    st.CommentOn,
    st.CreateUser,
    st.AlterUser,
    st.DropUser,
    st.GrantRevoke,
)

CATALOG_LOCK = ("catalog",)


def run(sql: SqlSession, statement: Statement) -> Steps[Result]:
    """Run one of `STATEMENTS`. Raises what `plan_ddl` raises, 55P03, 40P01."""
    if isinstance(statement, st.Truncate):
        return (yield from _truncate(sql, statement))
    if isinstance(statement, st.DropUser) and statement.purge:
        raise FeatureNotSupportedError("DROP USER ... PURGE is not supported yet")
    transaction = sql.transaction
    if transaction is None:
        transaction = sql.transaction = sql.new_transaction()
    transaction.check_writable(st.command_name(statement))
    locks = sql.database.locks
    timeout_s = int(sql.settings["lock_timeout"]) / 1000.0
    if not locks.lock_nowait(transaction, CATALOG_LOCK):
        yield from run_async(partial(locks.lock, transaction, CATALOG_LOCK, timeout_s=timeout_s))
    plan = plan_ddl(statement, _context(sql))
    change = plan.change
    for table in change.dropped:
        yield from run_async(
            partial(locks.define_table, transaction, table.id, timeout_s=timeout_s)
        )
    last = len(change.notices) - 1
    for at, notice in enumerate(change.notices):
        sql.notice(notice, detail=change.detail if at == last else "")
    if change.puts:
        transaction.define(change.snapshot, list(change.puts))
        _after_commit(sql, change)
    return Result(plan.tag)


def _after_commit(sql: SqlSession, change: Change) -> None:
    """What a committed change means to the running server."""
    transaction = sql.transaction
    assert transaction is not None
    database = sql.database
    if change.users:

        def users_changed() -> None:
            database.store.forget(change.users)
            for session in list(database.sessions):
                acting.users_changed(session, change.users)
            for user in change.users:
                if user.deleted_at_us is not None or not user.can_login:
                    sql.end_sessions_of(user.id)

        transaction.on_commit.append(users_changed)
        transaction.on_rollback.append(lambda: database.store.forget(change.users))
    if change.dropped:

        def tables_dropped() -> None:
            for table in change.dropped:
                database.engine.forget_table(table.id)
            # The start of every server does the same: a crash in between leaves nothing behind.
            jobs = sql.jobs
            if jobs.nursery is not None:
                jobs.nursery.start_soon(erase_orphans, database, jobs)

        transaction.on_commit.append(tables_dropped)


def _context(sql: SqlSession) -> DdlContext:
    transaction = sql.transaction
    assert transaction is not None
    return DdlContext(
        snapshot=sql.snapshot,
        user=sql.user,
        now_us=now_us(),
        search_path=sql.search_path,
        get=sql.database.store.reader(transaction.puts),
        check_expression=partial(_check_expression, sql),
        describe=partial(_describe, sql),
        make_verifier=_verifier,
        reads=partial(_reads, sql),
    )


def _check_expression(sql: SqlSession, text: str, table: Table | None, expected: PgType) -> object:
    """Bind and compile, so that what is stored can be evaluated. Raises what binding raises."""
    scope = sql.cache.scope(sql.snapshot, sql.search_path, sql.settings.types)
    bound = bind_expression(text, scope, table, expected)
    return compile_expr(bound, lambda reference: reference.column)


def _describe(sql: SqlSession, query: QueryStatement) -> Sequence[OutputColumn]:
    return sql.plan(query).columns


def _reads(sql: SqlSession, query: QueryStatement) -> tuple[int, ...]:
    scope = sql.cache.scope(sql.snapshot, sql.search_path, sql.settings.types)
    return bind(query, scope).relations


def _verifier(password: str) -> str:
    """A password as it is kept; a verifier given as text is kept as it is."""
    if parse_verifier(password) is not None:
        return password
    return str(make_verifier(password))


def _truncate(sql: SqlSession, statement: st.Truncate) -> Steps[Result]:
    """TRUNCATE: every row that the caller sees, as one DELETE without a WHERE."""
    for name in statement.names:
        table = find_relation(_begun(sql), name)
        if not isinstance(table, Table):
            raise WrongObjectTypeError(f'"{table.name}" is not a table')
        quoted = ".".join(
            '"' + part.replace('"', '""') + '"' for part in (table.namespace, table.name)
        )
        (delete,) = parse("DELETE FROM " + quoted)  # noqa: S608 -- quoted identifiers, no user text
        assert isinstance(delete, QueryStatement)
        yield from sql.run_planned(sql.plan(delete))
    return Result("TRUNCATE TABLE")


def _begun(sql: SqlSession) -> DdlContext:
    if sql.transaction is None:
        sql.transaction = sql.new_transaction()
    return _context(sql)
