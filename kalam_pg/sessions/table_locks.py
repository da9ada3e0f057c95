"""What a session locks beside rows: tables before a statement runs, other names for a definition.

While a statement waits for a table, the table may be dropped, made anew or redefined, and rights may be
taken away. So names are looked up again after every wait, until nothing had to be waited for.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from kalam_pg.query.locks.modes import ACCESS_EXCLUSIVE, ACCESS_SHARE, Mode
from kalam_pg.query.locks.state import Name
from kalam_pg.query.locks.waits import Patience, take
from kalam_pg.query.waits import Deadline, Steps

if TYPE_CHECKING:
    from kalam_pg.query.prepare import Planned
    from kalam_pg.sessions.sql_session import SqlSession


def lock_nowait(sql: "SqlSession", planned: "Planned") -> bool:
    """Lock the tables of a statement that will run now, as far as nobody has to be waited for."""
    transaction, locks = sql.begin_implicit(), sql.database.locks
    for table, mode in planned.locks:
        if not locks.lock_nowait(transaction, table, mode):
            return False
    if planned.reads:
        transaction.read.update(planned.reads)
        if locks.strong:
            for table in planned.reads:
                if table in locks.strong and not locks.lock_nowait(
                    transaction, table, ACCESS_SHARE
                ):
                    return False
    return True


def wait(sql: "SqlSession", plan: Callable[[], "Planned"]) -> Steps["Planned"]:
    """The statement's plan as it is once its tables are locked.

    plan: makes it of the names as they are now, the same one as long as they mean the same. Raises
    40P01, 55P03, 57014, what `plan` raises, and 42501.
    """
    deadline = statement_deadline(sql)
    while True:
        planned = plan()
        if lock_nowait(sql, planned):
            return planned
        # Who may do nothing with a table does not stand in others' way.
        planned.check(sql.user, sql.begin_implicit(), len(planned.param_types))
        wanted = [*planned.locks, *[(one, ACCESS_SHARE) for one in planned.reads]]
        for table, mode in wanted:
            if (yield from lock(sql, table, mode, deadline)):
                break


def lock(
    sql: "SqlSession", name: Name, mode: Mode, deadline: Deadline, *, readers: bool = False
) -> Steps[bool]:
    """Take one lock for the transaction; True if it had to wait. Raises 40P01, 55P03, 57014.

    readers: ACCESS EXCLUSIVE of a table keeps those out as well who only read it.
    """
    transaction = sql.begin_implicit()
    if readers and mode == ACCESS_EXCLUSIVE and isinstance(name, int):
        sql.database.locks.strengthen(name)
    lock_timeout_s = int(sql.settings["lock_timeout"]) / 1000.0
    patience = Patience(lock_timeout_s, deadline.left_s)
    return (yield from take(sql.database.locks, transaction, name, mode, patience))


def statement_deadline(sql: "SqlSession") -> Deadline:
    """When the statement that begins now has used up its time."""
    return Deadline(int(sql.settings["statement_timeout"]) / 1000.0)
