"""Temporary objects: the tables, views and sequences that a session alone has, as long as it lasts.

They lie over the committed catalogue in the session's own (`Temporary.over`), in a schema that is looked in
first; nobody else's catalogue has them, and nothing of them is ever written. Rows of a temporary table are
those of a STREAM tablet that lets none go: in memory, committed and rolled back as all rows are. What a
transaction has defined is its own until it commits (`Transaction.temporaries`).
"""

from itertools import count
from typing import TYPE_CHECKING

from catalog.difference import Difference
from catalog.errors import OutOfMemoryError
from catalog.indexes import entry_tables
from catalog.model import TEMPORARY, Namespace, Table
from catalog.snapshot import Snapshot
from catalog.temporary import NOTHING, ids_of, kept
from storage.stream import change_bytes

if TYPE_CHECKING:
    from kalam_pg.query.database import Database
    from kalam_pg.query.transaction import Transaction

_versions = count(-1, -1)
"""Of catalogues with something of a session's own: each has another one, and none a committed one's."""


class Temporaries:
    """Every session's temporary objects. For the event loop.

    tables: those that are committed, by the ids under which storage has something of them.
    """

    def __init__(self) -> None:
        self.tables: dict[int, Table] = {}
        self.sessions: dict[int, Temporary] = {}
        """By the numbers that are in the names of their schemas."""

    def enter(self, database: "Database") -> "Temporary":
        """Those of a session that had none."""
        number = next(n for n in count(3) if n not in self.sessions)
        made = self.sessions[number] = Temporary(database, number)
        return made


class Temporary:
    """The temporary objects of one session.

    schema: the name of the schema that they are in. kept: those that are committed.
    """

    __slots__ = ("_database", "_laid", "_namespace", "_number", "kept", "schema")

    def __init__(self, database: "Database", number: int) -> None:
        self._database = database
        self._number = number
        self.schema = f"{TEMPORARY}_{number}"
        self.kept = NOTHING
        self._namespace = Namespace(database.ids.oids(), self.schema)
        self._laid: tuple[Snapshot, Difference, Difference | None, Snapshot] | None = None
        """The last answer of `over`, behind what it was asked for."""

    def over(self, catalog: Snapshot, pending: Difference | None = None) -> Snapshot:
        """A catalogue with the session's objects over it; pending: those of the transaction, too."""
        laid = self._laid
        if (
            laid is None
            or laid[0] is not catalog
            or laid[1] is not self.kept
            or laid[2] is not pending
        ):
            own = self.kept if pending is None else self.kept.then(pending)
            schema = Difference({self.schema: self._namespace}, {}, {})
            made = schema.then(own).over(catalog, next(_versions), self.schema)
            laid = self._laid = (catalog, self.kept, pending, made)
        return laid[3]

    def path(self, path: tuple[str, ...]) -> tuple[str, ...]:
        """A search path with the schema in it: first, where it is not named."""
        named = self.named(path)
        return named if self.schema in named else (self.schema, *named)

    def named(self, path: tuple[str, ...]) -> tuple[str, ...]:
        """A search path with the schema where it is named."""
        if TEMPORARY not in path:
            return path
        return tuple([self.schema if name == TEMPORARY else name for name in path])

    def commit(self, pending: Difference) -> None:
        """What a transaction has made of them is there."""
        before = ids_of(self.kept)
        self.kept = kept(self.kept.then(pending))
        tables = self._database.temporaries.tables
        for gone in before - ids_of(self.kept):
            tables.pop(gone, None)
        for table in self.kept.tables.values():
            assert table is not None
            tables[table.storage_id] = table
            tables.update((entries.id, entries) for entries in entry_tables(table))

    def settle_numbers(self) -> None:
        """A transaction has ended: only sequences that are committed have numbers."""
        self._database.counters.keep_only(self.schema, self.kept.sequences)

    def drop(self) -> None:
        """The session has none any more: their rows go, and their names."""
        database = self._database
        tables = database.temporaries.tables
        for gone in ids_of(self.kept):
            tables.pop(gone, None)
            database.engine.forget_table(gone)
        self.kept = NOTHING
        self.settle_numbers()
        database.temporaries.sessions.pop(self._number, None)

    @property
    def size(self) -> int:
        """About how many bytes the committed rows of its tables take."""
        return sum(map(self._database.engine.streams.size_of_all, ids_of(self.kept)))

    def check_room(self, transaction: "Transaction") -> None:
        """Raise 53200 when what a transaction has written is too much to keep."""
        database, own = self._database, self._ids(transaction)
        written = sum(
            change_bytes(key, change.row, change.base)
            for tablet, changes in transaction.changes.items()
            if tablet.table in own
            for key, change in changes.items()
            if change.row is not None
        )
        if not written:
            return
        streams = database.engine.streams
        here = sum(map(streams.size_of_all, own))
        for limit, taken, what in (
            (database.session_temporary_bytes_max, here, "session_temporary_bytes_max"),
            (database.temporary_bytes_max, streams.lasting_size, "temporary_bytes_max"),
        ):
            if limit and taken + written > limit:
                raise OutOfMemoryError(
                    "out of memory",
                    detail=f"Temporary tables would take more than {limit} bytes.",
                    hint=f"Use a stored table, or have the setting {what} raised.",
                )

    def _ids(self, transaction: "Transaction") -> set[int]:
        """Under which ids storage has something of its tables, the transaction's new ones too."""
        pending = transaction.temporaries
        return ids_of(self.kept if pending is None else self.kept.then(pending))
