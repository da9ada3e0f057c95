"""What all sessions share: the engine, the committer, the locks, the catalog, the engine pool."""

from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from catalog.model import Table, TableKind, User
from catalog.snapshot import Snapshot
from catalog.store import Store
from kalam_pg.engines.request import Engine as QueryEngine
from kalam_pg.live.channels import Channels
from kalam_pg.query.committer import Committer
from kalam_pg.query.locks.table import LockTable
from kalam_pg.query.row_store import Spills
from kalam_pg.query.virtual import Catalogue
from storage.engine import Engine, Group
from storage.ids import NO_USER, TabletId
from storage.stream import StreamTablet
from storage.tablet import Tablet


class Database:
    """One open data directory. Used from the event loop alone.

    catalog: the committed snapshot that new statements bind against. catalogue: its virtual relations,
    None until they are set up. worker_memory_bytes: what one query may make a worker grow by.
    """

    def __init__(
        self, engine: Engine, store: Store, query_engine: QueryEngine, now_us: Callable[[], int]
    ) -> None:
        self.engine = engine
        self.store = store
        self.query_engine = query_engine
        self.committer = Committer(engine)
        self.locks = LockTable()
        self.channels = Channels()
        self.catalog: Snapshot = store.load()
        self.now_us = now_us
        self.catalogue: Catalogue | None = None
        self.worker_memory_bytes = 2 << 30
        self.spills = Spills(engine.fs, engine.directory / "spill")
        self.on_catalog_change: list[Callable[[Snapshot], None]] = []
        self.sessions: WeakSet[Any] = WeakSet()
        """Every open conversation, to be told of changed users (`sessions.acting`)."""

    def install_catalog(self, snapshot: Snapshot) -> None:
        """A definition was committed: later statements see it."""
        self.catalog = snapshot
        for hook in self.on_catalog_change:
            hook(snapshot)

    def tablet(self, table: Table, user: User) -> Tablet | StreamTablet:
        """The tablet that `user` means by the table's name: their own, or the one that all share.

        The one place that says so. A STREAM table's lives in memory.
        """
        tablet_id = TabletId(user.id if table.per_user else NO_USER, table.id)
        return self.tablet_of_anyone(table, tablet_id)

    def tablet_of_anyone(self, table: Table, tablet_id: TabletId) -> Tablet | StreamTablet:
        """A tablet whoever it belongs to: for jobs, never for a user's statement."""
        if table.kind is TableKind.STREAM:
            options = table.options
            return self.engine.stream(
                tablet_id, table.layout, int(options.ttl_s * 1_000_000), options.max_buffer
            )
        return self.engine.tablet(tablet_id, table.layout)


__all__ = ["Database", "Group"]
