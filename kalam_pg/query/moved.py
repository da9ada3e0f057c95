"""Tables whose rows lie somewhere else since they got another primary key: not for every snapshot."""

from collections.abc import Iterable

from catalog import codec
from catalog.model import Table
from kalam_pg.query.execution import Execution
from storage.errors import SerializationError


def check(x: Execution, tables: Iterable[Table]) -> None:
    """Raise 40001 where a statement's view is older than the definition that moved a table.

    At READ COMMITTED it never is. A transaction's own definitions are of before its first view.
    """
    made = x.transaction.definitions
    for table in tables:
        if table.temporary or (made is not None and table.id in made.tables):
            continue
        if x.view_of(table.id).system_get(codec.index_key(table.stored)) is None:
            raise SerializationError(
                "could not serialize access due to concurrent update",
                detail=f'The primary key of table "{table.name}" has been altered.',
            )
