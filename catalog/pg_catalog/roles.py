"""Rows about users: pg_authid, pg_roles, pg_user. Verifiers are never shown."""

# ruff: noqa: D103 - a function makes the rows of the relation whose name it has.

from collections.abc import Iterator, Mapping

from catalog.model import Role, User
from catalog.pg_catalog.visible import Visible
from storage.layout import Value

Values = Mapping[str, Value]


def _live(visible: Visible) -> Iterator[User]:
    """Users whom DROP USER has not marked."""
    return (user for user in visible.roles() if user.deleted_at_us is None)


def pg_authid(visible: Visible) -> Iterator[Values]:
    for user in _live(visible):
        yield {"oid": user.oid, **_attributes(user), "rolpassword": None}


def pg_roles(visible: Visible) -> Iterator[Values]:
    for user in _live(visible):
        yield {
            **_attributes(user),
            "rolpassword": "********",
            "oid": user.oid,
        }


def _attributes(user: User) -> dict[str, Value]:
    rank = user.role.rank
    return {
        "rolname": user.name,
        "rolsuper": rank >= Role.DBA.rank,
        "rolinherit": True,
        "rolcreaterole": rank >= Role.SERVICE.rank,
        "rolcreatedb": rank >= Role.DBA.rank,
        "rolcanlogin": user.can_login,
        "rolreplication": False,
        "rolbypassrls": False,  # Every role sees its own rows only; it crosses over explicitly.
        "rolconnlimit": -1,
        "rolvaliduntil": None,
    }


def pg_user(visible: Visible) -> Iterator[Values]:
    for user in _live(visible):
        if user.can_login:
            yield {
                "usename": user.name,
                "usesysid": user.oid,
                "usecreatedb": user.role.rank >= Role.DBA.rank,
                "usesuper": user.role.rank >= Role.DBA.rank,
                "userepl": False,
                "usebypassrls": False,
                "passwd": "********",
            }
