"""The rows of a table as they are stored, for a definition that makes something of all of them."""

from collections.abc import Sequence
from typing import cast

from catalog.model import Column, Table, User
from catalog.pg_catalog.text import qualified, quote_identifier
from catalog.snapshot import Snapshot
from kalam_pg.query.execution import Execution
from kalam_pg.query.row_source import RowSource
from kalam_pg.query.select import SelectPlan
from kalam_pg.query.waits import Steps
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql.parse import parse
from kalam_pg.sql.statements import QueryStatement


def rows_of(
    sql: SqlSession,
    table: Table,
    snapshot: Snapshot,
    user: User,
    columns: Sequence[Column] | None = None,
) -> Steps[tuple[Execution, RowSource]]:
    """All rows of a user's tablet, the transaction's own too; whoever reads them closes the execution.

    table: as the snapshot has it. columns: of the rows, None: all.
    """
    wanted = table.columns if columns is None else columns
    names = ", ".join(quote_identifier(column.name) for column in wanted)
    name = qualified(table.namespace, table.name)
    (query,) = parse(f"SELECT {names} FROM {name}")  # noqa: S608 -- names are quoted
    assert isinstance(query, QueryStatement)
    mine = sql.execution(())
    planned = sql.cache.plan(
        query,
        snapshot,
        sql.search_path,
        sql.settings.types,
        now_us=mine.transaction.started_us,
        cached=False,
    )
    x = Execution(sql.database, mine.transaction, user, mine.context)
    x.declared = True  # The table is locked against who would change what is read.
    try:
        x.look_again((table,))  # Rows that the transaction does not see, too.
        return x, (yield from cast("SelectPlan", planned.plan).source(x))
    except BaseException:
        x.close()
        raise
