"""Acting for another user: SET ROLE, SET SESSION AUTHORIZATION, EXECUTE AS USER.

Allowed downwards only, and by the rights of who authenticated, never by those of a role taken on since:
service for users, dba for services and users, system for all.
"""

import structlog

from catalog.errors import InsufficientPrivilegeError, UndefinedObjectError
from catalog.model import Role, User
from kalam_pg.engines.request import WireResult
from kalam_pg.query.execution import Result
from kalam_pg.query.waits import Steps
from kalam_pg.sessions import dispatch
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql import statements as st
from kalam_pg.sql.tree import OutputColumn

log = structlog.get_logger()


def may_act_for(actor: User, user: User) -> bool:
    """Whether `actor` may take on `user`'s context."""
    if actor.id == user.id or actor.role is Role.SYSTEM:
        return True
    return actor.role is not Role.USER and user.role.rank < actor.role.rank


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
    before, session_before = sql.user, sql.session_user
    if statement.name is None:
        user = sql.login_user if statement.authorization else sql.session_user
    else:
        user = _find(sql, statement.name)
        if not may_act_for(sql.login_user, user):
            raise _denied(sql, statement.name)
    sql.set_user(user, session=statement.authorization)
    if user.id != sql.login_user.id:
        log.info("acting for another user", actor=sql.login_user.id, user=user.id)
    transaction = sql.transaction
    if transaction is not None:

        def restore() -> None:
            sql.set_user(session_before, session=True)
            sql.set_user(before)

        transaction.on_rollback.insert(0, restore)
        if statement.local:
            transaction.on_commit.insert(0, restore)
    return Result("SET" if statement.name is not None else "RESET")


def columns(sql: SqlSession, statement: st.ExecuteAsUser) -> tuple[OutputColumn, ...]:
    """Result columns of the statement inside."""
    return dispatch.prepare(sql, statement.statement, ()).columns


def run_as(sql: SqlSession, statement: st.ExecuteAsUser, wire: WireResult | None) -> Steps[Result]:
    """EXECUTE AS USER 'name' ( statement ): in that user's context, in this transaction."""
    user = _find(sql, statement.user)
    if not may_act_for(sql.login_user, user):
        raise _denied(sql, statement.user)
    log.info("acting for another user", actor=sql.login_user.id, user=user.id)
    before = sql.user
    sql.set_user(user)
    try:
        prepared = dispatch.prepare(sql, statement.statement, ())
        return (yield from dispatch.run(sql, statement.statement, (), prepared, wire))
    finally:
        sql.set_user(before)
