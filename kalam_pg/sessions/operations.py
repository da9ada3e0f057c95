"""Operations in SQL: STORAGE FLUSH and COMPACT, SHOW STATS, SHOW MANIFEST, SHOW JOBS, KILL."""

from collections.abc import Callable, Iterator
from functools import partial

import trio

from catalog.errors import (
    QueryCanceledError,
    UndefinedObjectError,
    UndefinedTableError,
    WrongObjectTypeError,
)
from catalog.indexes import entry_tables
from catalog.model import Role, Table, TableKind
from catalog.privileges import Action, require, table_allows
from catalog.types.registry import FLOAT8, INT8, TEXT, TIMESTAMPTZ
from kalam_pg.jobs import compacting, flushing
from kalam_pg.query.execution import Result
from kalam_pg.query.waits import Steps, run_async
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql import statements as st
from kalam_pg.sql.statements import Statement, TableName
from kalam_pg.sql.statements_live import KillLiveQuery
from kalam_pg.sql.tree import OutputColumn
from storage.cold.tiering import everything
from storage.ids import TabletId
from storage.layout import Row
from storage.stream import StreamTablet
from storage.tablet import Tablet, TabletStats

STATEMENTS = (
    st.FlushTable,
    st.FlushAll,
    st.ShowStats,
    st.ShowManifest,
    st.CompactTable,
    st.CompactAll,
    st.KillJob,
    KillLiveQuery,
)

_STATS = tuple(
    OutputColumn(name, INT8)
    for name in ("hot_rows", "hot_bytes", "cold_rows", "cold_bytes", "segments")
)
_MANIFEST = (
    OutputColumn("table_name", TEXT),
    OutputColumn("user_name", TEXT),
    OutputColumn("file", TEXT),
    OutputColumn("rows", INT8),
    OutputColumn("bytes", INT8),
    OutputColumn("min_seq", INT8),
    OutputColumn("max_seq", INT8),
)
JOB_COLUMNS = (
    OutputColumn("job_id", TEXT),
    OutputColumn("job_type", TEXT),
    OutputColumn("status", TEXT),
    OutputColumn("parameters", TEXT),
    OutputColumn("progress", FLOAT8),
    OutputColumn("result", TEXT),
    OutputColumn("error", TEXT),
    OutputColumn("started_at", TIMESTAMPTZ),
    OutputColumn("ended_at", TIMESTAMPTZ),
)


def columns(statement: Statement) -> tuple[OutputColumn, ...]:
    """Result columns of a statement of this module, () for any other."""
    match statement:
        case st.ShowStats():
            return _STATS
        case st.ShowManifest():
            return _MANIFEST
        case _:
            return ()


def run(sql: SqlSession, statement: Statement) -> Steps[Result]:
    """Run one of `STATEMENTS`. Raises 42P01, 42501, and what the work raises."""
    match statement:
        case st.FlushTable(name):
            table = find_table(sql, name)
            yield from _flush(sql, table)
            return Result("STORAGE FLUSH")
        case st.FlushAll(namespace):
            require(sql.user, Action.FLUSH)
            for table in _flushable_in(sql, namespace):
                yield from _flush(sql, table)
            return Result("STORAGE FLUSH")
        case st.CompactTable(name):
            yield from compact(sql, find_table(sql, name))
            return Result("STORAGE COMPACT")
        case st.CompactAll(namespace):
            require(sql.user, Action.COMPACT)
            for table in _flushable_in(sql, namespace):
                yield from compact(sql, table)
            return Result("STORAGE COMPACT")
        case st.ShowStats(name):
            row = yield from _stats(sql, find_table(sql, name))
            return Result("SHOW", None, _STATS, [row])
        case st.ShowManifest(name):
            return Result("SHOW", None, _MANIFEST, _manifest(sql, name))
        case st.KillJob(job_id):
            require(sql.user, Action.SEE_JOBS)
            job = sql.jobs.find(job_id)
            if job is None:
                raise UndefinedObjectError(f'job "{job_id}" does not exist')
            if not job.kill():
                sql.notice(f'job "{job_id}" has already ended')
            return Result("KILL JOB")
        case KillLiveQuery(number):
            _kill_live_query(sql, number)
            return Result("KILL LIVE QUERY")
        case _:
            raise AssertionError(statement)


def _kill_live_query(sql: SqlSession, number: str) -> None:
    """End a subscription; its client is told why. One's own may be ended by anybody."""
    database = sql.database
    known = number.isascii() and number.isdigit() and len(number) < 20
    found = database.live_queries.find(int(number)) if known else None
    if found is None or found.about.user != sql.user.id:
        require(sql.user, Action.SEE_JOBS)
    if found is None:
        raise UndefinedObjectError(f'live query "{number}" does not exist')
    database.hub.end(found.subscriber, QueryCanceledError("live query was killed"))


def find_table(sql: SqlSession, name: TableName) -> Table:
    """The table of that name. Raises 42P01, and 42809 for a view."""
    relation = sql.snapshot.find(name.schema, name.name, sql.search_path)
    if relation is None:
        raise UndefinedTableError(f'relation "{name}" does not exist', position=name.position)
    if not isinstance(relation, Table):
        raise WrongObjectTypeError(f'"{name.name}" is not a table', position=name.position)
    return relation


def _flushable(table: Table) -> bool:
    return table.kind is not TableKind.STREAM


def _flushable_in(sql: SqlSession, namespace: str) -> list[Table]:
    """The tables with files in a namespace, or, of "", in all."""
    tables = sql.snapshot.tables.values()
    return [
        table
        for table in tables
        if (not namespace or table.namespace == namespace) and _flushable(table)
    ]


def _flush(sql: SqlSession, table: Table) -> Steps[None]:
    """Flush every tablet of a table, or, for role user, their own."""
    database, jobs = sql.database, sql.jobs
    for stored, wanted in _stored(sql, table, Action.FLUSH):
        tablets = [tablet for tablet in flushing.dirty_tablets(database, stored) if wanted(tablet)]
        yield from run_async(partial(flushing.flush_table, database, jobs, stored, tablets))


def compact(sql: SqlSession, table: Table) -> Steps[None]:
    """Compact every tablet of a table, or, for role user, their own."""
    database, jobs = sql.database, sql.jobs

    async def run_job(stored: Table, wanted: Callable[[TabletId], bool]) -> None:
        tablets = await compacting.find_tablets(database, everything, wanted)
        await compacting.compact_table(database, jobs, stored, tablets, everything)

    for stored, wanted in _stored(sql, table, Action.COMPACT):
        yield from run_async(partial(run_job, stored, wanted))


def _stored(
    sql: SqlSession, table: Table, action: Action
) -> Iterator[tuple[Table, Callable[[TabletId], bool]]]:
    """A table, and those of its indexes' entries, each with which of its tablets; raises as `_tablets`."""
    yield table, _tablets(sql, table, action)
    for entries in entry_tables(table):
        yield entries, _tablets(sql, entries, action)


def _tablets(sql: SqlSession, table: Table, action: Action) -> Callable[[TabletId], bool]:
    """Whether a tablet is one of the table's that this user may work on.

    Raises:
        InsufficientPrivilegeError: None is.
        WrongObjectTypeError: A STREAM table.
    """
    require(sql.user, action, table)
    if not _flushable(table):
        raise WrongObjectTypeError(
            f'"{table.name}" is a STREAM table', detail="STREAM tables live in memory only."
        )
    if sql.user.role is Role.USER and table.per_user:
        own = sql.database.tablet(table, sql.user).id
        return own.__eq__
    return lambda tablet: tablet.table == table.storage_id


def _stats(sql: SqlSession, table: Table) -> Steps[Row]:
    """The caller's own tablet: hot and cold rows and bytes, segments; measured now."""
    require(sql.user, Action.SELECT, table)
    tablet = sql.database.tablet(table, sql.user)

    async def measure() -> TabletStats:
        with sql.database.engine.acquire() as view:
            if isinstance(tablet, StreamTablet):
                return tablet.stats(view)
            return await trio.to_thread.run_sync(tablet.stats, view)

    stats = yield from run_async(measure)
    return (stats.hot_rows, stats.hot_bytes, stats.cold_rows, stats.cold_bytes, stats.segments)


def _manifest(sql: SqlSession, name: TableName | None) -> list[Row]:
    """Segments of the caller's own tablets."""
    tables = [find_table(sql, name)] if name is not None else list(sql.snapshot.tables.values())
    rows: list[Row] = []
    for table in tables:
        if not _flushable(table):
            continue
        if not table_allows(sql.user, Action.SELECT, table):
            if name is not None:
                require(sql.user, Action.SELECT, table)
            continue
        tablet = sql.database.tablet(table, sql.user)
        assert isinstance(tablet, Tablet), "STREAM tables were left out"
        rows += [
            (
                table.qualified_name,
                sql.user.name if table.per_user else None,
                segment.file,
                segment.rows,
                segment.size,
                segment.min_seq,
                segment.max_seq,
            )
            for segment in tablet.manifest.segments
        ]
    return rows


def job_rows(sql: SqlSession) -> list[Row]:
    """What SHOW JOBS answers. Raises 42501."""
    require(sql.user, Action.SEE_JOBS)
    return [
        (
            job.id,
            job.type,
            job.status,
            " ".join(f"{key}={value}" for key, value in job.parameters.items()),
            job.progress,
            job.result,
            job.error,
            job.started_us,
            job.ended_us,
        )
        for job in sql.jobs
    ]
