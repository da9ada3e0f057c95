"""What a transaction has loaded (`storage.cold.load`): rows that are in segments before its COMMIT.

They are not among its changes. Its own queries read them as segments (`Execution.tablet_of`). What it goes
on to change makes changes of them first (`put`), as does a COMMIT that somebody follows, who is told of each
row.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import chain, count
from typing import Final, NamedTuple, Protocol

from kalam_pg.query.database import Database
from kalam_pg.query.execution import Execution
from kalam_pg.query.rows import Place, Target
from kalam_pg.query.spool import Sent
from kalam_pg.query.transaction import Transaction
from kalam_pg.query.waits import Steps
from storage.cold.load import Load
from storage.cold.manifest import Segment
from storage.engine import Engine, WriteSet
from storage.log.hot import Put
from storage.log.recovery import load_key
from storage.tablet import Tablet

LARGE_BYTES: Final = 4 << 20
"""Of text: some ten thousand rows."""

PutRows = Callable[[Execution], Steps[object]]
"""Puts the rows one by one."""

_numbers = count()


class Putting(NamedTuple):
    """What puts rows, in the order of the numbers: what is later may need what was before."""

    number: int
    run: PutRows


def in_order(run: PutRows) -> Putting:
    """It is put after all that has been loaded by now."""
    return Putting(next(_numbers), run)


@dataclass(slots=True)
class Ahead:
    """Of a load that is not made changes of but written ahead of COMMIT, for good: whether that is begun, or
    done. Savepoints do not take that back.
    """

    begun: bool = False
    done: bool = False


class Road(Protocol):
    """The way on which many rows come to their table without being one by one."""

    def may(self, x: Execution, target: Target) -> bool:
        """Whether the transaction is one whose rows may come so, as far as that can be told before."""
        ...

    def load(self, x: Execution, target: Target, sent: Sent) -> Steps[int | None]:
        """How many rows were loaded; None: none were, and they are to be put."""
        ...


@dataclass(frozen=True, slots=True)
class Loaded:
    """Rows of one tablet. segments, rows: those of the load that are the transaction's. puts: what makes
    changes of them; of an index's entries nothing does by itself. reading: the tablet with them. ahead: of
    what a definition has loaded.
    """

    load: Load
    segments: tuple[Segment, ...]
    rows: int
    puts: tuple[Putting, ...]
    reading: Tablet
    ahead: Ahead | None = None

    @property
    def is_settled(self) -> bool:
        """Whether it has been written ahead, so that it is no load any more."""
        return self.ahead is not None and self.ahead.done


def put(x: Execution) -> Steps[None]:
    """Make changes of all that the transaction has loaded. Raises what putting rows raises.

    The files stay until it has ended: an open cursor may read them.
    """
    transaction = x.transaction
    loads = transaction.loads
    transaction.restoring_loads()
    transaction.loads = {}
    ahead = [one.ahead for one in loads.values() if one.ahead is not None]
    for it in ahead:
        it.begun = True
    for one in sorted(chain.from_iterable(loaded.puts for loaded in loads.values())):
        yield from one.run(x)
    for it in ahead:
        it.done = True


def put_before(x: Execution, target: Target) -> Steps[None]:
    """The same, where the target or an index of it has some of it: rows are going to be put there."""
    places: list[Place] = [target, *target.indexes]
    if not x.transaction.loads.keys().isdisjoint([place.id for place in places]):
        yield from put(x)


def is_half_written(transaction: Transaction) -> bool:
    """Whether something is loaded that had begun to be written ahead before it was taken back to here."""
    return any(one.ahead is not None and one.ahead.begun for one in transaction.loads.values())


def is_followed(database: Database, transaction: Transaction) -> bool:
    """Whether somebody wants to be told of each row."""
    return any(map(database.hub.follows, transaction.loads))


def with_loads(database: Database, transaction: Transaction, write_set: WriteSet) -> WriteSet:
    """The write set with what the transaction has loaded, which gets its number with it."""
    if transaction.loads:
        for one in transaction.loads.values():
            one.load.choose(one.segments, one.rows)
        loads = [loaded.load for loaded in transaction.loads.values()]
        # Not empty when it is submitted, and waiting for the disk: so the committer's thread writes it.
        write_set.loads, write_set.sync, write_set.system_sync = loads, True, True
        own = write_set.system
        write_set.system = [*own, *[(load_key(load.id), None) for load in loads]]
        write_set.validate = partial(
            _number, database.engine, write_set, own, loads, write_set.validate
        )
    return write_set


def _number(
    engine: Engine,
    write_set: WriteSet,
    own: list[Put],
    loads: list[Load],
    check: Callable[[int], None] | None,
    seq: int,
) -> None:
    if check is not None:
        check(seq)  # At SERIALIZABLE: what was read is still so.
    write_set.system = [*own, *[one for load in loads for one in load.number(engine, seq)]]
