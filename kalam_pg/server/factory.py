"""Opens everything that sessions need, in order, and closes it in the other."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio

from catalog import store as catalog_store
from catalog.difference import difference
from catalog.store import Store
from kalam_pg.config import Config
from kalam_pg.engines.forked import ForkServer
from kalam_pg.engines.pool import Pool
from kalam_pg.engines.request import EngineSettings
from kalam_pg.garbage import LOOK_S, Collector
from kalam_pg.jobs.compacting import start_compactions
from kalam_pg.jobs.erasing import start_erasure
from kalam_pg.jobs.flushing import start_policies
from kalam_pg.jobs.indexing import start_index_files
from kalam_pg.jobs.job_list import Jobs
from kalam_pg.jobs.log_memory import LogMemory
from kalam_pg.jobs.retention import start_retention
from kalam_pg.query.committer import EventLoop
from kalam_pg.query.database import Database
from kalam_pg.query.first_reads import stay_ready
from kalam_pg.query.outcome import Commit
from kalam_pg.query.populated import is_populated
from kalam_pg.query.prepare import REST_S, StatementCache
from kalam_pg.query.transaction import Transaction
from kalam_pg.query.virtual import Catalogue
from kalam_pg.query.waits import drive, wait
from kalam_pg.server import heap
from kalam_pg.sessions import sources, streams
from kalam_pg.sessions.services import Services
from kalam_pg.supervision import Supervisor
from kalam_pg.wire.protocols import Peer, Transport
from kalam_pg.wire.session import WireSession
from storage import failpoints
from storage.engine import Engine, StorageOptions, WriteSet
from storage.errors import KalamError
from storage.log.hot import HotOptions

OPENING_BYTES = 8 << 20
"""Opening LevelDB makes tables of up to two write buffers, and writes this much else at most."""


@dataclass(slots=True)
class ServerServices:
    """What the server asks of the sessions' side (`server.instance.Services`)."""

    services: Services
    collector: Collector

    def session_factory(self, transport: Transport, peer: Peer) -> WireSession:
        """A session for a new connection."""
        return WireSession(self.services, transport, peer)

    def attach(self, loop: EventLoop) -> None:
        """Commits are grouped by the rounds of the loop that the sessions live in."""
        self.services.database.committer.attach(loop)

    def settle(self) -> None:
        """From now on garbage is collected in small parts."""
        self.collector.begin()

    def on_shutdown(self, mode: object) -> None:
        """The server ends the sessions; what they began is rolled back with them."""


@asynccontextmanager
async def open_services(config: Config, forks: ForkServer) -> AsyncIterator[ServerServices]:
    """The services of a data directory, for as long as the context lasts.

    forks: forks workers and flush workers.

    Raises:
        DirectoryInUseError: Another server has it.
        DataCorruptedError: It is damaged.
    """
    failpoints.arm_from_environment()
    engine = Engine.open(config.data_directory, options=_storage_options(config))
    with closing(engine):
        settings = EngineSettings(
            pool_bytes=config.query_memory_bytes, spill_directory=_spill_directory(engine)
        )
        async with (
            Pool(config.workers, settings=settings, spare=1, forks=forks) as pool,
            open_database(engine, pool) as database,
        ):
            services = build_services(config, database, forks)
            async with Supervisor() as supervisor:
                start_policies(database, services.jobs, supervisor)
                start_compactions(database, services.jobs, supervisor)
                start_index_files(database, services.jobs, supervisor)
                start_retention(database, services.jobs, supervisor, config.retention_interval_s)
                start_erasure(database, services.jobs, supervisor)
                supervisor.soon("first reads", stay_ready)
                log_memory = LogMemory(database)
                log_memory.begin(supervisor)
                flushes = services.jobs.flush_process
                database.accounts.own = lambda: log_memory.bytes + flushes.held_bytes
                collector = Collector(
                    database.accounts, in_use=heap.in_use_bytes, resident=heap.resident_bytes
                )
                supervisor.every("garbage", LOOK_S, collector.turn)
                supervisor.every("statements", REST_S, services.cache.rest)
                freed = heap.Heap(database.accounts.known, most=config.memory_max)
                supervisor.every("heap", heap.LOOK_S, freed.turn)
                try:
                    yield ServerServices(services, collector)
                finally:
                    # A job that waits for its commit can end only if somebody still calls.
                    database.committer.detach()
                    await services.jobs.wait_for_links()
                    supervisor.cancel()
                    services.jobs.close_processes()


@asynccontextmanager
async def open_database(engine: Engine, query_engine: Pool) -> AsyncIterator[Database]:
    """A database over an open engine, its committer running; a new directory gets its first objects."""
    store = Store(engine)
    database = Database(engine, store, query_engine)
    database.committer.start()
    try:
        if not database.catalog.namespaces:
            first = catalog_store.first_start(database.now_us())
            transaction = Transaction(database.now_us())
            transaction.define(difference(database.catalog, first.snapshot), first.puts)
            transaction.settle(database.catalog)
            await drive(wait(Commit(database, transaction, sync=True)))
        yield database
    finally:
        database.doubt.close()
        with trio.CancelScope(shield=True):
            await _settle_sequences(database)
            await database.committer.stop()


async def _settle_sequences(database: Database) -> None:
    """Sequences go on without a gap at the next start. If that cannot be written, they leave one."""

    def is_user(user_id: int) -> bool:
        user = database.store.user_by_id(user_id)
        return user is not None and user.deleted_at_us is None

    numbers = database.counters.closing(database.catalog, is_user)
    if numbers:
        with suppress(KalamError):
            await database.committer.commit(WriteSet([], [], [], sync=True, numbers=numbers))


def build_services(config: Config, database: Database, forks: ForkServer) -> Services:
    """What sessions share, over an open database."""
    store = database.store
    catalogue = Catalogue(
        users=store.users,
        find_user=store.user_by_id,
        find_role=store.user_by_oid,
        is_populated=lambda transaction, view, user: is_populated(
            transaction, database.engine.current, view, user
        ),
        database_comment=store.database_comment,
    )
    database.catalogue = catalogue
    database.worker_memory_bytes = config.worker_memory_bytes
    database.log_bytes_max = config.log_bytes_max
    database.temporary_bytes_max = config.temporary_bytes_max
    database.session_temporary_bytes_max = config.session_temporary_bytes_max
    database.accounts.session_max = config.session_memory_max
    database.accounts.server_max = config.memory_max
    cache = StatementCache(catalogue.answer, config.statement_cache_entries)
    services = Services(
        config=config,
        database=database,
        cache=cache,
        jobs=Jobs(forks),
        owner_uid=config.data_directory.stat().st_uid,
        setting_defaults=_setting_defaults(config),
    )
    catalogue.sources.update(sources.row_sources(services))
    database.on_catalog_change.append(partial(streams.catalog_changed, database))
    return services


def _storage_options(config: Config) -> StorageOptions:
    hot = HotOptions(
        write_buffer_bytes=config.write_buffer_bytes, cache_bytes=config.block_cache_bytes
    )
    return StorageOptions(
        node=config.node_id,
        reserve_bytes=2 * config.write_buffer_bytes + OPENING_BYTES,
        tablets_max=config.tablets_max,
        stream_bytes_max=config.stream_bytes_max,
        hot=hot,
    )


def _spill_directory(engine: Engine) -> Path:
    """Where large sorts spill; what a crash left of them goes now."""
    directory = engine.directory / "spill"
    shutil.rmtree(directory, ignore_errors=True)
    engine.fs.mkdir(directory)
    return directory


def _setting_defaults(config: Config) -> dict[str, str]:
    """What sessions begin with where the server's configuration says so."""
    return {
        "synchronous_commit": "on" if config.synchronous_commit else "off",
        "timezone": config.timezone,
        "statement_timeout": _ms(config.statement_timeout_s),
        "lock_timeout": _ms(config.lock_timeout_s),
        "idle_session_timeout": _ms(config.idle_session_timeout_s),
        "idle_in_transaction_session_timeout": _ms(config.idle_in_transaction_session_timeout_s),
    }


def _ms(seconds: float) -> str:
    return str(round(seconds * 1000))


__all__ = ["ServerServices", "build_services", "open_database", "open_services"]
