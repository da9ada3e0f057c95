"""Whose tablets a table has: for what is done to all rows of a USER table, whoever's they are.

They are looked for in the log and among the files, in a thread: some seeks for each tablet of any table.
"""

from collections.abc import Iterator
from functools import partial
from itertools import chain

import trio

from catalog.model import Role, Table, TableKind, User
from kalam_pg.query.database import Database
from kalam_pg.query.transaction import Transaction
from kalam_pg.query.waits import Steps, run_async
from storage.cold.directories import tablets_in
from storage.engine import Engine
from storage.ids import TabletId
from storage.log.view import View


def owners_of(
    database: Database, transaction: Transaction, table: Table, user: User
) -> Steps[list[User]]:
    """The users who may have rows of a table, committed or the transaction's own; `user` as it is.

    Of a table that is not per user: `user` alone, whose rows are everybody's.
    """
    if not table.per_user:
        return [user]
    ids = yield from owner_ids(database, transaction, table)
    return [user if one == user.id else User(one, "", Role.USER) for one in ids]


def owner_ids(database: Database, transaction: Transaction, table: Table) -> Steps[list[int]]:
    """The ids of the users who may have rows of a USER or STREAM table, in order."""
    engine = database.engine
    if table.kind is TableKind.STREAM:
        found = set(engine.streams.ids())
    else:
        with engine.acquire() as view:
            look = partial(_tablets, engine, view, table.storage_id)
            found = yield from run_async(lambda: trio.to_thread.run_sync(look))
    found.update(transaction.changes, transaction.loads)
    owners = {tablet.user for tablet in found if tablet.table == table.storage_id}
    return sorted(owners.difference(database.erasing))


def _tablets(engine: Engine, view: View, table: int) -> set[TabletId]:
    found: Iterator[TabletId] = chain(view.tablets(), tablets_in(engine.fs, engine.cold_directory))
    return {tablet for tablet in found if tablet.table == table}
