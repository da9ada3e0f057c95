"""A session's advisory locks: what pg_advisory_lock and its kin do. Keys are of the user's context."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from catalog.errors import ConfigurationLimitExceededError
from kalam_pg.query.execution import Execution
from kalam_pg.query.locks.advisory import AdvisoryLocks, advisory_name
from kalam_pg.query.locks.modes import EXCLUSIVE, NAMES, SHARE, Mode
from kalam_pg.query.locks.state import Name
from kalam_pg.query.locks.waits import take
from kalam_pg.query.waits import Steps
from storage.layout import Value

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession

Key = tuple[int, ...]


def functions(sql: "SqlSession") -> dict[str, Callable[..., Value]]:
    """What `functions.advisory` asks for, by name."""

    def lock(key: Key, shared: bool, of_transaction: bool) -> object:
        """None once it is taken; else what to wait for."""
        own = _locks(sql)
        name, mode, depth = _wanted(sql, key, shared, of_transaction)
        if sql.database.locks.lock_nowait(own, name, mode):
            own.taken(name, mode, depth)
            return None

        def wait(x: Execution) -> Steps[None]:
            yield from take(x.database.locks, own, name, mode, x.patience())
            own.taken(name, mode, depth)

        return wait

    def try_lock(key: Key, shared: bool, of_transaction: bool) -> bool:
        own = _locks(sql)
        name, mode, depth = _wanted(sql, key, shared, of_transaction)
        granted = sql.database.locks.lock_nowait(own, name, mode)
        if granted:
            own.taken(name, mode, depth)
        return granted

    def unlock(key: Key, shared: bool) -> bool:
        name, mode, _ = _wanted(sql, key, shared, of_transaction=False)
        if sql.advisory is not None and sql.advisory.unlock(name, mode):
            return True
        sql.notice(
            f"you don't own a lock of type {NAMES[mode]}", severity="WARNING", sqlstate="01000"
        )
        return False

    def unlock_all() -> str:
        if sql.advisory is not None:
            sql.advisory.unlock_all()
        return ""

    return {
        "advisory_lock": lock,  # type: ignore[dict-item]  # what it returns is for its own caller
        "advisory_try_lock": try_lock,
        "advisory_unlock": unlock,
        "pg_advisory_unlock_all": unlock_all,
    }


def _wanted(
    sql: "SqlSession", key: Key, shared: bool, of_transaction: bool
) -> tuple[Name, Mode, int | None]:
    name = advisory_name(sql.user.id, key)
    return name, SHARE if shared else EXCLUSIVE, sql.savepoints_deep if of_transaction else None


def _locks(sql: "SqlSession") -> AdvisoryLocks:
    """What the session holds, to hold one more. Raises 53400."""
    transaction = sql.begin_implicit()
    own = sql.advisory
    if own is None:
        own = sql.advisory = AdvisoryLocks(sql.database.locks, sql.process)
    own.partner = transaction
    transaction.partner = own
    if own.is_full:
        raise ConfigurationLimitExceededError(
            "too many advisory locks", hint="Unlock those that are not needed."
        )
    return own
