"""Acting for another user: SET ROLE, SET SESSION AUTHORIZATION, EXECUTE AS USER.

Allowed downwards only, and by the rights of who authenticated, never by those of a role taken on since:
service for users, dba for services and users, system for all.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import structlog

from catalog.errors import (
    FeatureNotSupportedError,
    InsufficientPrivilegeError,
    UndefinedObjectError,
)
from catalog.model import Role, User
from catalog.types.table import PgType
from kalam_pg.query.execution import Result
from kalam_pg.query.waits import Steps
from kalam_pg.rows.form import RowForm
from kalam_pg.sessions import acting, dispatch, transactions
from kalam_pg.sessions.acting import may_act_for
from kalam_pg.sessions.prepared import Given, PreparedStatement
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql import statements as st
from kalam_pg.sql.statements_copy import CopyTo
from kalam_pg.sql.statements_cursor import DeclareCursor
from kalam_pg.sql.statements_live import Listen, Subscribe, Unlisten, Unsubscribe
from kalam_pg.sql.tree import OutputColumn

log = structlog.get_logger()

_NOT_INSIDE = (
    *transactions.STATEMENTS,
    st.SetRole,
    st.ExecuteAsUser,
    st.Prepare,
    st.Deallocate,
    st.Discard,
    Listen,
    Unlisten,
    Subscribe,
    Unsubscribe,
)


def _find(sql: SqlSession, name: str) -> User:
    user = sql.database.store.user_by_name(name)
    if user is None or user.deleted_at_us is not None:
        if sql.login_user.role is Role.USER:
            # Who may act for nobody learns nothing of who exists.
            raise _denied(sql, name)
        raise UndefinedObjectError(f'role "{name}" does not exist')
    return user


def _denied(sql: SqlSession, name: str) -> InsufficientPrivilegeError:
    log.warning("acting for another user denied", actor=sql.login_user.id)
    return InsufficientPrivilegeError(f'permission denied to set role "{name}"')


def set_role(sql: SqlSession, statement: st.SetRole) -> Result:
    """SET [LOCAL] ROLE, RESET ROLE, SET SESSION AUTHORIZATION. Undone by ROLLBACK."""
    sql.begin_implicit()
    if statement.local and (sql.transaction is None or not sql.transaction.block):
        sql.notice(
            "SET LOCAL can only be used in transaction blocks", severity="WARNING", sqlstate="25P01"
        )
    user = None if statement.name is None else _find(sql, statement.name)
    if user is not None and not may_act_for(sql.login_user, user):
        raise _denied(sql, user.name)
    if statement.authorization:
        acting.set_session_user(sql, user or sql.login_user, local=statement.local)
    else:
        acting.set_role(sql, user, local=statement.local)
    if sql.user.id != sql.login_user.id:
        log.info("acting for another user", actor=sql.login_user.id, user=sql.user.id)
    return Result("RESET" if statement.reset else "SET")


def columns(sql: SqlSession, statement: st.ExecuteAsUser) -> tuple[OutputColumn, ...]:
    """Result columns of the statement inside."""
    with _as(sql, statement):
        return dispatch.prepare(sql, statement.statement, ()).columns


def prepare_as(
    sql: SqlSession, statement: st.ExecuteAsUser, declared: Sequence[PgType | None]
) -> PreparedStatement | None:
    """The query inside, with parameters of these types; None: it is not to be run, and why is told then.

    Raises what binding raises.
    """
    user = sql.database.store.user_by_name(statement.user)
    if user is None or user.deleted_at_us is not None or not may_act_for(sql.login_user, user):
        return None
    with _as(sql, statement):
        return dispatch.prepare(sql, statement.statement, declared)


def run_as(
    sql: SqlSession, statement: st.ExecuteAsUser, given: Given | None, form: RowForm | None
) -> Steps[Result]:
    """EXECUTE AS USER 'name' ( statement ): in that user's context, in this transaction.

    given: literals that were taken out of the statement inside.
    """
    inner = statement.statement
    if isinstance(inner, _NOT_INSIDE) or (
        isinstance(inner, CopyTo | DeclareCursor) and isinstance(inner.query, Subscribe)
    ):
        raise FeatureNotSupportedError(
            "EXECUTE AS USER runs queries, data changes, definitions and NOTIFY only",
            hint="Transactions, roles, prepared statements, LISTEN and SUBSCRIBE belong to the session.",
        )
    with _as(sql, statement) as user:
        log.info("acting for another user", actor=sql.login_user.id, user=user.id)
        types = () if given is None else given.types
        prepared = yield from dispatch.prepare_in_turn(sql, inner, types)
        params = () if given is None else given.params
        if form is None or not form.names_objects:
            return (yield from dispatch.run(sql, inner, params, prepared, form))
        # Names are those that this user sees: what shows them is written before the session's own is back.
        form = sql.row_form(form.columns, form.formats)
        result = yield from dispatch.run(sql, inner, params, prepared, form)
        messages = b"".join(map(form.encode, result.rows))
        return replace(result, rows=(), messages=messages)


@contextmanager
def _as(sql: SqlSession, statement: st.ExecuteAsUser) -> Iterator[User]:
    user = _find(sql, statement.user)
    if not may_act_for(sql.login_user, user):
        raise _denied(sql, statement.user)
    sql.become(user)
    try:
        yield user
    finally:
        acting.derive(sql)
