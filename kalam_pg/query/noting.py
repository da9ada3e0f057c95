"""How a run of a statement tells its SERIALIZABLE transaction what it asks for; other levels ask nothing."""

from collections.abc import Hashable
from dataclasses import replace
from typing import TYPE_CHECKING

from catalog.model import Table, User
from kalam_pg.query.read_set import READS, TABLET_BYTES, ReadSet, TabletReads
from kalam_pg.sql.to_python import Closure
from storage.stream import StreamTablet

if TYPE_CHECKING:
    from kalam_pg.query.execution import Execution


def note_key(x: "Execution", table: Table, user: User, key: bytes) -> None:
    """The transaction has asked for the row of a key, there or not."""
    reads = _of(x, table, user)
    if reads is not None:
        everything, found = reads
        _grew(x, everything, found.add_key(key, coarsely=everything.is_full))


def note_everything(x: "Execution", table: Table, user: User) -> None:
    """The transaction has asked for all rows that a user's name for a table means."""
    reads = _of(x, table, user)
    if reads is not None:
        reads[1].add_everything()


def note_condition(
    x: "Execution", table: Table, condition: Closure, *, timed: bool = False
) -> None:
    """The transaction has asked for the rows that meet a condition. timed: see `reading.TableRead`."""
    reads = _of(x, table, x.user)
    if reads is not None:
        everything, found = reads
        context = x.context
        params = tuple(context.params)
        name: Hashable = (condition, params)
        if timed:
            name = (condition, params, context.statement_us, context.types)
        size = found.add_condition(
            name, condition, lambda: replace(context, params=params), coarsely=everything.is_full
        )
        _grew(x, everything, size)


def _grew(x: "Execution", reads: ReadSet, size: int) -> None:
    """What is remembered takes so many more bytes. Raises 53200."""
    if size:
        reads.grew(size)
        x.transaction.memory.beside(READS).add(size)


def _of(x: "Execution", table: Table, user: User) -> tuple[ReadSet, TabletReads] | None:
    """What is remembered of a tablet; None: its transaction need not remember."""
    everything = x.transaction.reads
    if everything is None or table.temporary:
        return None
    database = x.database
    tablet = database.tablet(table, user)
    stream = isinstance(tablet, StreamTablet)
    if tablet.id not in everything.tablets:
        _grew(x, everything, TABLET_BYTES)
    return everything, everything.of(
        tablet.id, x.view.seq, lambda: database.schema(table, tablet.id), stream=stream
    )
