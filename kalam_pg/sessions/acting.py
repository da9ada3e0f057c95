"""Who a session is: who authenticated, whom SET SESSION AUTHORIZATION and SET ROLE made of them.

The two are kept as settings (PostgreSQL's `session_authorization` and `role`), so that ROLLBACK, ROLLBACK
TO SAVEPOINT and the end of a SET LOCAL take them back as they take back every setting. `derive` makes the
users of the names again after any of these.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from catalog.model import Role, User
from kalam_pg.sessions import streams

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession

NO_ROLE = "none"


def may_act_for(actor: User, user: User) -> bool:
    """Whether `actor` may take on `user`'s context."""
    if actor.id == user.id or actor.role is Role.SYSTEM:
        return True
    return actor.role is not Role.USER and user.role.rank < actor.role.rank


def set_role(sql: "SqlSession", user: User | None, *, local: bool = False) -> None:
    """SET [LOCAL] ROLE; None: as the session's own user again."""
    if user is not None:
        sql.acted_for[user.name] = user
    sql.settings.act("role", NO_ROLE if user is None else user.name, local=local)
    derive(sql)


def set_session_user(sql: "SqlSession", user: User, *, local: bool = False) -> None:
    """SET [LOCAL] SESSION AUTHORIZATION: it ends a SET ROLE, too."""
    sql.acted_for[user.name] = user
    sql.settings.act("session_authorization", user.name, local=local)
    sql.settings.act("role", NO_ROLE, local=local)
    derive(sql)


def derive(sql: "SqlSession") -> None:
    """Make the session's users what the settings say."""
    settings = sql.settings
    sql.session_user = sql.acted_for[settings["session_authorization"]]
    role = settings["role"]
    sql.become(sql.session_user if role == NO_ROLE else sql.acted_for[role])


def users_settled(author: "SqlSession", users: Sequence[User]) -> None:
    """A transaction that changed these users has ended: every session goes by what they now are.

    author: the session whose transaction it was, which its own change of a login does not end.
    """
    database = author.database
    database.store.forget(users)
    for session in list(database.sessions):
        for user in users:
            known = session.acted_for.get(user.name)
            if (
                known is not None and known.id == user.id
            ):  # Hardly any session has been a given user.
                now = database.store.user_by_id(user.id)
                _user_settled(session, user, now, is_author=session is author)


def _user_settled(sql: "SqlSession", was: User, user: User | None, *, is_author: bool) -> None:
    """One session, one user as it was and is (None: it is no more).

    A session that may no longer be who it acts for is ended: to go on as another would put its rows in
    the wrong place.
    """
    if sql.acted_for[was.name] == user:
        return
    acting = was.id in (sql.login_user.id, sql.session_user.id, sql.user.id)
    if user is not None:
        sql.acted_for[user.name] = user
        sql.login_user = sql.acted_for[sql.login_user.name]
        derive(sql)
        if sql.subscriptions or sql.following:
            streams.recheck(sql, sql.database.catalog)
    if user is None or user.deleted_at_us is not None or not user.can_login:
        if acting and not is_author:
            is_there = user is not None and user.deleted_at_us is None
            why = "is not permitted to log in" if is_there else "was dropped"
            sql.end(f"terminating connection because the role {why}")
    elif not all(may_act_for(sql.login_user, user) for user in (sql.session_user, sql.user)):
        sql.end("terminating connection because it may no longer act for this role")
