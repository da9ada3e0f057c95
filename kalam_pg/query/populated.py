"""Whether a materialized view has been populated: noted in the log, for each user where each has their own.

A note lies where a sequence of the view's would, under the view's own id: it is written with the rows by
the commit of a REFRESH, seen by who sees these, and erased with the tablet. The catalogue does not
change, so that no plan is made anew.
"""

from collections.abc import Iterable

from catalog.errors import ObjectNotInPrerequisiteStateError
from catalog.model import Table, User
from kalam_pg.query.database import tablet_id
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.transaction import Transaction
from kalam_pg.query.waits import Steps
from storage.keys import numbers_key
from storage.log.view import View

_NOTED = b"\x01"


def _key(view: Table, user: User) -> bytes:
    return numbers_key(tablet_id(view, user), view.id)


def note(transaction: Transaction, view: Table, user: User, *, populated: bool) -> None:
    """What COMMIT is to write of it."""
    transaction.note({_key(view, user): _NOTED if populated else None})


def is_populated(transaction: Transaction | None, seen: View, view: Table, user: User) -> bool:
    """Whether `user` can read a materialized view. transaction: whose own notes count, too."""
    key = _key(view, user)
    if transaction is not None and key in transaction.notes:
        return transaction.notes[key] is not None
    return seen.system_get(key) is not None


def check(x: Execution, views: Iterable[Table]) -> None:
    """Raise 55000 unless all are populated as the statement sees them."""
    for view in views:
        if not is_populated(x.transaction, x.view_of(view.id), view, x.user):
            raise ObjectNotInPrerequisiteStateError(
                f'materialized view "{view.name}" has not been populated',
                hint="Use the REFRESH MATERIALIZED VIEW command.",
            )


def then(x: Execution, views: Iterable[Table], steps: Steps[Result]) -> Steps[Result]:
    """What the steps answer, which read these. Raises 55000."""
    check(x, views)
    return (yield from steps)
