"""What a transaction has loaded (`storage.cold.load`): rows that are in segments before its COMMIT.

They are not among its changes. So nobody looks at them there: what the transaction goes on to do makes
changes of them first (`put`), as does a COMMIT that somebody follows, who is told of each row.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from kalam_pg.query.database import Database
from kalam_pg.query.execution import Execution
from kalam_pg.query.rows import Target
from kalam_pg.query.spool import Sent
from kalam_pg.query.transaction import Transaction
from kalam_pg.query.waits import Steps
from storage.cold.load import Load
from storage.engine import Engine, WriteSet
from storage.log.hot import Put
from storage.log.recovery import load_key

LARGE_BYTES: Final = 4 << 20
"""Of text: some ten thousand rows."""

PutRows = Callable[[Execution], Steps[object]]
"""Puts the rows one by one."""


class Road(Protocol):
    """The way on which many rows come to their table without being one by one."""

    def may(self, x: Execution, target: Target) -> bool:
        """Whether the transaction is one whose rows may come so, as far as that can be told before."""
        ...

    def load(self, x: Execution, target: Target, sent: Sent, put: PutRows) -> Steps[int | None]:
        """How many rows were loaded; None: none were, and they are to be put. put: if they must be later."""
        ...


@dataclass(frozen=True, slots=True)
class Loaded:
    """Rows of one tablet. put: makes changes of them. discard: gives the segments up, soon."""

    load: Load
    put: PutRows
    discard: Callable[[], None]


def put(x: Execution) -> Steps[None]:
    """Make changes of all that the transaction has loaded. Raises what putting rows raises."""
    loads = x.transaction.loads
    while loads:
        _, loaded = loads.popitem()
        loaded.discard()
        yield from loaded.put(x)


def is_followed(database: Database, transaction: Transaction) -> bool:
    """Whether somebody wants to be told of each row."""
    return any(map(database.hub.follows, transaction.loads))


def with_loads(database: Database, transaction: Transaction, write_set: WriteSet) -> WriteSet:
    """The write set with what the transaction has loaded, which gets its number with it."""
    if transaction.loads:
        loads = [loaded.load for loaded in transaction.loads.values()]
        write_set.loads, write_set.sync = loads, True
        own = write_set.system
        # Not empty when it is submitted: so the committer's thread writes it.
        write_set.system = [*own, *[(load_key(load.id), None) for load in loads]]
        write_set.validate = partial(_number, database.engine, write_set, own, loads)
    return write_set


def _number(
    engine: Engine, write_set: WriteSet, own: list[Put], loads: list[Load], seq: int
) -> None:
    write_set.system = [*own, *[one for load in loads for one in load.number(engine, seq)]]
