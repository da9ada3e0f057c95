"""What goes: log entries that are cold and no longer retained, files nobody reads, dropped tables.

What there is of it is found on disk, in the log's records and the directories of segments, never
among what happens to be open. Everything here may be cut off anywhere and is simply done again:
what it removes, nobody can see any more.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain, islice
from typing import TypeVar

import trio

from catalog import codec
from kalam_pg.failures import known
from kalam_pg.jobs.host import FlushHost
from kalam_pg.jobs.job_list import Job, Jobs
from kalam_pg.query.database import Database
from kalam_pg.supervision import Supervisor, ending_of
from storage.cold.collect import collect, erase
from storage.cold.directories import tablets_in
from storage.cold.trim import ToTrim, TrimResult, Untrimmed, trim_together, untrimmed
from storage.engine import Engine, WriteSet
from storage.errors import DataCorruptedError, KalamError
from storage.ids import NO_TABLE, TabletId
from storage.keys import row_ranges, tablet_ranges
from storage.log.clock import seq_at
from storage.log.recovery import intent_key
from storage.log.unflushed import note_key
from storage.log.view import View
from storage.schema import Schema

T = TypeVar("T")

INTERVAL_S = 60.0
"""How often logs are trimmed and files collected, unless `Config` says otherwise."""

CLEANUP_S = 3600.0
"""How often is looked for tablets without a table when nothing was dropped. What was, is at once."""

SHARE = 20
"""A look at all tablets is followed by a rest of at least so many times as long as it took: with very many
of them it is made less often, and what is dropped meanwhile shares the next one."""

STEP_TABLETS = 256
"""Tablets looked at in one go of the worker thread, after which it can be cancelled."""

ERASE_KEYS = 2000
"""Keys deleted in one batch: what a commit waits behind it stays short."""

ERASE_TABLETS = 2000
"""Tablets erased together: they share the wait for the disk, which may have much to write for others."""

RETRY_S = 0.25
"""How often is looked whether the last reader or writer of dropped tables has gone."""


def start_retention(
    database: Database, jobs: Jobs, supervisor: Supervisor, interval_s: float = INTERVAL_S
) -> None:
    """Trim and collect, again and again; erase what was dropped, also by an earlier server."""
    jobs.cleanup = supervisor.every(
        "table cleanup", CLEANUP_S, partial(_clean_up_and_rest, database, jobs), at_once=True
    )
    rest = partial(_retain_and_rest, database, jobs, interval_s)
    supervisor.every("retention", interval_s, rest)


async def _retain_and_rest(database: Database, jobs: Jobs, interval_s: float) -> None:
    began_s = trio.current_time()
    await retain(database, jobs)
    await trio.sleep(max(0.0, SHARE * (trio.current_time() - began_s) - interval_s))


# ------------------------------------------------------------------ trim and collect


async def retain(database: Database, jobs: Jobs) -> None:
    """Trim every log and collect in every directory, as one job.

    A tablet that fails costs nobody else anything; its turn comes again, and the first error is
    the job's.
    """

    async def work(job: Job) -> None:
        errors: list[KalamError] = []
        crowding = await _crowding(database)
        entries = await _trim_all(database, crowding, errors)
        await _give_back(database, crowding)
        files = await _collect_all(database, errors)
        job.result = f"{entries} entries, {files} files"
        if errors:
            raise errors[0]
        job.nothing_done = not (entries or files)

    await jobs.run("retention", {}, work)


async def _crowding(database: Database) -> frozenset[TabletId]:
    """Whose log is trimmed before its time: the largest that nobody follows, if all take too much."""
    engine = database.engine
    followed = {live.subscriber.tablet for live in database.live_queries}

    def find() -> frozenset[TabletId]:
        excess = engine.log_bytes() - database.log_bytes_max
        if excess <= 0:
            return frozenset()
        sizes = [
            (engine.log_bytes(one.tablet), one.tablet)
            for one in untrimmed(view)
            if one.tablet not in followed
        ]
        found = set[TabletId]()
        for size, tablet in sorted(sizes, reverse=True):
            if excess <= 0:
                break
            found.add(tablet)
            excess -= size
        return frozenset(found)

    if not database.log_bytes_max:
        return frozenset()
    with engine.acquire() as view:
        return await _in_thread(find)


async def _give_back(database: Database, tablets: Iterable[TabletId]) -> None:
    """Give the disk the room of logs that were trimmed for its sake."""
    for tablet in tablets:
        await _in_thread(partial(database.engine.give_back, tablet))


async def _trim_all(
    database: Database, crowding: frozenset[TabletId], errors: list[KalamError]
) -> int:
    host = FlushHost(database)

    def trim_some(found: Sequence[Untrimmed]) -> int:
        due = [
            due
            for one in found
            if (due := _due(database, one, early=one.tablet in crowding)) is not None
        ]
        if not due:
            return 0
        answers: list[TrimResult | KalamError] = []
        try:
            answers = trim_together(host, due)
        except BaseException as exc:
            if ending_of(exc) is not None:
                raise
            for one in due:  # Perhaps only one of them has trouble: each by itself.
                with _gathered(errors, user=one.tablet.user, table=one.tablet.table):
                    answers += trim_together(host, [one])
        errors.extend(answer for answer in answers if isinstance(answer, KalamError))
        return sum(answer.entries for answer in answers if isinstance(answer, TrimResult))

    with database.engine.acquire() as view:
        return await _for_some(untrimmed(view), trim_some, errors)


def _due(database: Database, found: Untrimmed, *, early: bool) -> ToTrim | None:
    """The log to trim, if anything in it is old enough. early: all that is in segments is."""
    table = database.catalog.stored_as(found.tablet.table)
    if table is None:
        return None
    retention_us = table.options.change_retention_h * 3_600_000_000
    retained_from = seq_at(database.now_us() - retention_us)
    if early:
        retained_from = found.through + 1
    if found.oldest >= retained_from:
        return None
    keep_rows = 0 if early else table.options.hot_row_limit
    return ToTrim(found.tablet, Schema(found.tablet, table.layout), retained_from, keep_rows)


async def _collect_all(database: Database, errors: list[KalamError]) -> int:
    host, engine = FlushHost(database), database.engine

    def collect_some(found: Sequence[TabletId]) -> int:
        files = 0
        for tablet in found:
            trio.from_thread.check_cancelled()
            with _gathered(errors, user=tablet.user, table=tablet.table):
                files += collected(tablet)
        return files

    def collected(tablet: TabletId) -> int:
        try:
            return len(collect(host, tablet, engine.tablet_directory(tablet)))
        except DataCorruptedError:
            if _is_dropped(database, tablet):
                return 0  # While it is erased its files go before what the log notes of them.
            raise

    found = tablets_in(engine.fs, engine.cold_directory)
    return await _for_some(found, collect_some, errors)


def _is_dropped(database: Database, tablet: TabletId) -> bool:
    return (
        database.catalog.stored_as(tablet.table) is None and tablet.table not in database.building
    )


async def _for_some(
    found: Iterator[T], do: Callable[[Sequence[T]], int], errors: list[KalamError]
) -> int:
    """Do something for all that is found, so many at a time, in a thread; the sum of the answers."""

    def do_some() -> tuple[int, int]:
        some, answer = list(islice(found, STEP_TABLETS)), 0
        with _gathered(errors):
            answer = do(some)
        return len(some), answer

    total, count = 0, STEP_TABLETS
    while count == STEP_TABLETS:
        count, answer = await _in_thread(do_some)
        total += answer
    return total


@contextmanager
def _gathered(errors: list[KalamError], **facts: object) -> Iterator[None]:
    """What fails inside is kept for later: it keeps nothing else from its turn."""
    try:
        yield
    except BaseException as exc:
        if ending_of(exc) is not None:
            raise
        errors.append(known(exc, **facts))


# ------------------------------------------------------------------ dropped tables


async def _clean_up_and_rest(database: Database, jobs: Jobs) -> None:
    await trio.sleep(SHARE * await erase_orphans(database, jobs))


async def erase_orphans(database: Database, jobs: Jobs) -> float:
    """Erase the tablets whose table exists no more, when no view is left that may read them.

    Returns for how long they were looked for, in seconds.
    """
    began_s = trio.current_time()
    orphans = await find_orphans(database)
    looked_s = trio.current_time() - began_s
    if not orphans:
        return looked_s
    engine = database.engine
    dropped_by = engine.current.seq
    while True:  # Views are released on the quickest way there is, which tells nobody.
        if engine.oldest_view_seq() >= dropped_by:
            break
        await trio.sleep(RETRY_S)
    await erase_tablets(database, jobs, orphans)
    return looked_s


async def find_orphans(database: Database) -> list[TabletId]:
    """Every tablet with log entries, index entries, meta records or files, but without a table.

    All tablets are looked at, some at a time: whoever shuts the server down need not wait for the last.
    """
    engine = database.engine
    candidates: set[TabletId] = set()

    def look(found: Sequence[TabletId]) -> int:
        catalog = database.catalog
        candidates.update(
            t for t in found if t.table != NO_TABLE and catalog.stored_as(t.table) is None
        )
        return 0

    errors: list[KalamError] = []
    with engine.acquire() as view:
        tables = database.catalog.tables
        logged = (t for t in view.tablets() if t.table not in tables or _has_rows(view, t))
        found = chain(logged, tablets_in(engine.fs, engine.cold_directory))
        await _for_some(found, look, errors)
    if errors:
        raise errors[0]
    # After the look: who has written before it has its table in the catalog now, or has lost it.
    catalog = database.catalog
    missing = [
        t
        for t in candidates
        if catalog.stored_as(t.table) is None and t.table not in database.building
    ]
    # The disk has the last word: a definition may be committed and not yet installed.
    ids = {t.table for t in missing}
    known = {table for table in ids if table not in catalog.tables and _is_stored(engine, table)}
    return sorted(tablet for tablet in missing if tablet.table not in known)


def _has_rows(view: View, tablet: TabletId) -> bool:
    """Whether the log has more of a tablet than what its sequences have counted.

    That is left of one whose table has its rows elsewhere since it got another primary key.
    """
    return any(
        next(view.scan_keys(start, stop), None) is not None for start, stop in row_ranges(tablet)
    )


def _is_stored(engine: Engine, table: int) -> bool:
    keys = (codec.table_key(table), codec.index_key(table))
    return any(engine.system_get(key) is not None for key in keys)


async def erase_tablets(database: Database, jobs: Jobs, tablets: Sequence[TabletId]) -> None:
    """Delete everything of tablets whose table is gone, as one job."""

    async def work(job: Job) -> None:
        await erase_all(database, tablets, job)
        job.result = f"{len(tablets)} tablets"

    await jobs.run("table_cleanup", {"tablets": str(len(tablets))}, work)


async def erase_all(database: Database, tablets: Sequence[TabletId], job: Job) -> None:
    """Delete everything of tablets that are nobody's any more.

    Those that a flush or trim still writes for come last, when it has noticed.
    """
    todo, done = list(tablets), 0
    while todo:
        busy: list[TabletId] = []
        for at in range(0, len(todo), ERASE_TABLETS):
            some = todo[at : at + ERASE_TABLETS]
            idle = [tablet for tablet in some if not database.engine.directories.written(tablet)]
            busy += set(some).difference(idle)
            await _erase(database, idle)
            done += len(idle)
            job.progress = done / len(tablets)
        todo = busy
        if todo:
            await trio.sleep(RETRY_S)


async def _erase(database: Database, tablets: Sequence[TabletId]) -> None:
    """Files first: that needs no room on the disk."""
    engine = database.engine
    places = [(tablet, engine.tablet_directory(tablet)) for tablet in tablets]
    await _in_thread(partial(erase, engine.fs, engine.directories, places))
    with engine.acquire() as view:
        keys = _keys_of(view, tablets, partial(_counts_on, database))
        while part := await _in_thread(lambda: list(islice(keys, ERASE_KEYS))):
            puts: list[tuple[bytes, bytes | None]] = [(key, None) for key in part]
            unlist = partial(_unlist, engine, tablets)
            await database.committer.commit(WriteSet([], [], puts, sync=False, validate=unlist))


def _unlist(engine: Engine, tablets: Iterable[TabletId], _seq: int) -> None:
    engine.unlist(tablets)


def _counts_on(database: Database, tablet: TabletId) -> bool:
    """Whether sequences still count there: the rows of its table lie elsewhere, the table is there."""
    return tablet.table in database.catalog.tables and tablet.user not in database.erasing


def _keys_of(
    view: View, tablets: Iterable[TabletId], counts_on: Callable[[TabletId], bool]
) -> Iterator[bytes]:
    for tablet in tablets:
        ranges = row_ranges(tablet) if counts_on(tablet) else tablet_ranges(tablet)
        for start, stop in ranges:
            yield from view.scan_keys(start, stop)
        for key in (intent_key(tablet), note_key(tablet)):
            if view.system_get(key) is not None:
                yield key


async def _in_thread(call: Callable[[], T]) -> T:
    return await trio.to_thread.run_sync(call)
