"""What all sessions share: the engine, the committer, the locks, the catalog, the engine pool."""

from collections.abc import Callable, Iterable
from typing import Any
from weakref import WeakSet

from catalog.erasing import ERASING, Erasing, decode_erasing
from catalog.ids import Ids
from catalog.model import NumberSequence, Table, TableKind, User
from catalog.snapshot import Snapshot
from catalog.store import Store
from catalog.types.table import TypeContext
from kalam_pg.engines.request import Engine as QueryEngine
from kalam_pg.failures import report
from kalam_pg.live.channels import Channels
from kalam_pg.live.hub import Hub
from kalam_pg.live.subscription import LiveQueries
from kalam_pg.memory import Accounts
from kalam_pg.query.committer import Committer
from kalam_pg.query.doubt import Doubt
from kalam_pg.query.index_definitions import IndexDefinition, definitions
from kalam_pg.query.locks.table import LockTable
from kalam_pg.query.log_feed import LogFeed, SyncSoon
from kalam_pg.query.perspective import virtual_columns
from kalam_pg.query.row_store import Spills
from kalam_pg.query.sequences import Counters
from kalam_pg.query.shared_reads import SharedReads
from kalam_pg.query.stream_feed import StreamFeed
from kalam_pg.query.tail_loads import TailLoads
from kalam_pg.query.temporary import Temporaries
from kalam_pg.query.transaction import Transaction
from kalam_pg.query.virtual import Catalogue
from kalam_pg.sql.bind import BindScope
from storage.engine import Engine, Group, WriteSet
from storage.ids import NO_TABLE, NO_USER, TabletId
from storage.schema import Schema
from storage.stream import StreamLimits, StreamTablet
from storage.tablet import Tablet


class Database:
    """One open data directory. Used from the event loop alone.

    catalog: the committed snapshot that new statements bind against. catalogue: its virtual relations,
    None until they are set up. now_us: the time, by the engine's clock. log_bytes_max: more of the log is
    trimmed before its time, 0: none. worker_memory_bytes: what one
    query may make a worker grow by. temporary_bytes_max: what the temporary tables of all sessions may take
    in memory, session_temporary_bytes_max: those of one; 0: no limit. accounts: what sessions hold of memory.
    """

    def __init__(self, engine: Engine, store: Store, query_engine: QueryEngine) -> None:
        self.engine = engine
        self.store = store
        self.query_engine = query_engine
        self.committer = Committer(engine)
        self.doubt = Doubt(engine, self.committer, self.reload_catalog)
        self.locks = LockTable()
        self.locks.readers = self._readers
        self.apart: set[Transaction] = set()
        """Transactions of no session's own: of snapshots that are read beside it."""
        self.channels = Channels()
        self.live_queries = LiveQueries()
        self.hub = Hub(LogFeed(engine), StreamFeed(engine.streams), SyncSoon(self.committer))
        self.hub.begin(engine.current.seq)
        self.committer.is_followed = self.hub.is_followed
        self.committer.after_publish.append(self._tell_subscribers)
        self.catalog: Snapshot = store.load()
        self._learn_layouts()
        self.counters = Counters(engine.system_get)
        self.temporaries = Temporaries()
        self.ids = Ids(store.first_oid(), engine.next_snowflake)
        self.now_us = engine.clock.now_us
        self.catalogue: Catalogue | None = None
        self.worker_memory_bytes = 2 << 30
        self.log_bytes_max = 0
        self.temporary_bytes_max = self.session_temporary_bytes_max = 0
        self.accounts = Accounts()
        self.accounts.cached = lambda: engine.tail_bytes
        self.accounts.shrink = engine.relieve_memory
        self.tail_loads = TailLoads()
        self.spills = Spills(engine.fs, engine.directory / "spill")
        self.shared_reads = SharedReads(self.spills)
        self.committer.after_publish.append(self.shared_reads.published)
        self.on_catalog_change: list[Callable[[Snapshot], None]] = []
        engine.on_failure = _publishing_failed
        self.erasing: dict[int, Erasing] = {}
        """Users who are gone, and whose rows are being erased, by id."""
        self.note_erasing()
        self.building: set[int] = set()
        """Ids under which entries are written of indexes that are not in the catalogue yet."""
        self.unindexed: set[TabletId] = set()
        """Tablets with large segments that may lack files of declared indexes: `jobs.indexing` looks."""
        self._indexes: dict[int, tuple[Table, tuple[IndexDefinition, ...]]] = {}
        self.sessions: WeakSet[Any] = WeakSet()
        """Every open conversation, to be told of changed users (`sessions.acting`)."""

    def _tell_subscribers(self, group: Group) -> None:
        self.hub.publish(group.sets, self.engine.durable_seq)

    def install_catalog(self, snapshot: Snapshot) -> None:
        """A definition was committed: later statements see it."""
        self.catalog = snapshot
        self.shared_reads.forget_all()  # A dropped table's rows are not kept, for one.
        for hook in self.on_catalog_change:
            try:
                hook(snapshot)
            except Exception as exc:  # noqa: BLE001 -- it is the catalogue all the same
                report("hook of a new catalogue failed", exc)

    async def cover_ids(self) -> None:
        """Reserve the OIDs that were given, on disk. Raises what a commit raises."""
        end, put = self.ids.reservation()
        await self.committer.commit(WriteSet([], [], [put], sync=True))
        self.ids.reserved(end)

    def reload_catalog(self) -> None:
        """Make the catalogue in memory that on disk, when nobody can tell whether it is."""
        self.store.forget_all()
        self.install_catalog(self.store.load())
        self._learn_layouts()
        self.hub.reread()
        self.shared_reads.forget_all()

    def _readers(self, table: int) -> list[Transaction]:
        """The transactions that have read a table and are open."""
        of_sessions = [session.transaction for session in self.sessions]
        return [one for one in (*of_sessions, *self.apart) if one is not None and table in one.read]

    def note_erasing(self) -> bool:
        """Look on the disk for whom is to be erased, and let go of their tablets; whether there is anyone."""
        found = [decode_erasing(data) for _, data in self.engine.system_scan(ERASING)]
        self.erasing = {one.user: one for one in found}
        for user in self.erasing:
            self.engine.forget_user(user)
        return bool(found)

    def stored_as(self, storage_id: int) -> Table | None:
        """What is committed under an id of storage: everybody's table or a session's own, or entries."""
        return self.catalog.stored_as(storage_id) or self.temporaries.tables.get(storage_id)

    def indexes_of(self, storage_id: int) -> tuple[IndexDefinition, ...]:
        """The indexes of what is stored under an id."""
        table = self.stored_as(storage_id)
        if table is None or not table.indexes:
            return ()
        kept = self._indexes.get(table.id)
        if kept is None or kept[0] is not table:
            scope = BindScope(
                self.catalog, (table.namespace, "public"), virtual_columns, (), TypeContext()
            )
            kept = self._indexes[table.id] = table, definitions(table, scope)
        return kept[1]

    def forget_unknown(self, tables: Iterable[int]) -> list[int]:
        """Let go of what is in memory of what there is not of these, or no more; which those are."""
        gone = [table for table in tables if self.stored_as(table) is None]
        for table in gone:
            self.engine.forget_table(table)
        return gone

    def _learn_layouts(self) -> None:
        """Tell storage what altered tables were; what is committed later comes with the commit."""
        for table in self.catalog.tables.values():
            if table.history:
                self.engine.learn_layouts(table.storage_id, table.layouts)

    def differences(self) -> list[str]:
        """What memory says of the catalogue and the disk does not, for tests and checks; none is right.

        Between two steps of the event loop there is never any, but while a commit is in `doubt`.
        """
        disk = self.store.load()
        found = [
            f"{name}: in memory {ours!r}, on disk {theirs!r}"
            for name in ("version", "namespaces", "tables", "views", "sequences")
            if (ours := getattr(self.catalog, name)) != (theirs := getattr(disk, name))
        ]
        found += self.store.stale_users()
        for session in self.sessions:
            for user in {session.login_user, session.session_user, session.user}:
                if self.store.read_user(user.id) != user:
                    found.append(f"a session's {user!r} is not the one on disk")
        return found

    def schema(self, table: Table, tablet: TabletId) -> Schema:
        """Rows of any version of a table, committed later ones too, in the form of this one."""
        return Schema(tablet, table.layout, table.layouts, self.engine.layouts(table.storage_id))

    def tablet(self, table: Table, user: User) -> Tablet | StreamTablet:
        """The tablet that `user` means by the table's name. A STREAM table's lives in memory."""
        return self.tablet_of_anyone(table, tablet_id(table, user))

    def counted_at(self, sequence: NumberSequence, snapshot: Snapshot, user: User) -> TabletId:
        """The tablet that a sequence counts for when `user` asks: its table's, or none's."""
        if sequence.owned_by is None:
            return TabletId(NO_USER, NO_TABLE)
        table = snapshot.tables[sequence.owned_by[0]]
        return TabletId(user.id if table.per_user else NO_USER, table.id)

    def tablet_of_anyone(self, table: Table, tablet: TabletId) -> Tablet | StreamTablet:
        """A tablet whoever it belongs to: for jobs, never for a user's statement.

        Rows are given in the table's layout, whether that is the newest or is committed at all.
        """
        committed = self.stored_as(tablet.table) or table
        if committed.kind is TableKind.STREAM:
            ttl_us = int(committed.options.ttl_s * 1_000_000)
            limits = StreamLimits(
                committed.layout, ttl_us, committed.options.max_buffer, committed.temporary
            )
            stream = self.engine.streams.tablet(tablet, limits)
            return stream if committed is table else stream.reading(table.layout)
        there = self.engine.tablet(tablet, committed.layout)
        return there if committed.layout is table.layout else there.reading(table.layout)


def tablet_id(table: Table, user: User) -> TabletId:
    """Whose tablet `user` means by the table's name: their own, or the one that all share.

    The one place that says so.
    """
    return TabletId(user.id if table.per_user else NO_USER, table.storage_id)


def _publishing_failed(where: str, exc: Exception) -> None:
    report("publishing a commit failed in part", exc, where=where)


__all__ = ["Database", "Group", "tablet_id"]
