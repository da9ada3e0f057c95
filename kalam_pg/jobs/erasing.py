"""Users who are no more: what there is of their rows goes from every file.

What is to be done is noted on the disk, in the commit that dropped the user, until it is done: it may be
cut off anywhere and is begun anew. From that commit on nobody writes for the user (`WriteSet.erased`), and
none of their tablets exists for a flush. What is deleted stays in LevelDB's files as long as a view from
before is held, and is merged away then (`storage.log.erasure`); who holds one for longer than `VIEWS_S`
loses it (40001). What others have of the user (rows of SHARED tables, backups) stays.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from typing import Final

import trio

from catalog import changes_user, codec
from catalog.erasing import DROPPED, KEPT_US, Erasing, erasing_key, owned
from catalog.model import User
from kalam_pg.jobs.job_list import Job, Jobs
from kalam_pg.jobs.retention import RETRY_S, erase_all
from kalam_pg.query.database import Database
from kalam_pg.supervision import Supervisor
from storage import failpoints
from storage.cold.directories import tablets_of
from storage.engine import Engine, WriteSet
from storage.errors import IoError, KalamError, SerializationError
from storage.ids import TabletId
from storage.keys import user_ranges
from storage.log.erasure import surround
from storage.log.hot import Put

INTERVAL_S: Final = 3600.0
"""How often is looked for users whose time is up. Who is purged goes at once."""

VIEWS_S: Final = 10.0
"""So long is waited for views from before the erasure, and for a moment when nobody holds any."""

_ROUNDS: Final = 8
"""Merges at most before it is said that something stays. Two are enough, unless somebody reads on and on."""


def start_erasure(database: Database, jobs: Jobs, supervisor: Supervisor) -> None:
    """Erase who was purged, also under an earlier server, and who was dropped long enough ago."""
    step = partial(erase_users, database, jobs)
    jobs.erasure = supervisor.every("user erasure", INTERVAL_S, step, at_once=True)


async def erase_users(database: Database, jobs: Jobs) -> None:
    """Erase everybody who is to be, one after the other, each as a job. Raises the first one's error."""
    await purge_due(database)
    errors: list[KalamError] = []
    for one in list(database.erasing.values()):
        try:
            parameters = {"user_id": str(one.user)}
            await jobs.run("user_erasure", parameters, partial(_erase, database, one))
        except KalamError as exc:
            errors.append(exc)
    if errors:
        raise errors[0]


# ------------------------------------------------------------------ whose time is up


async def purge_due(database: Database) -> None:
    """DROP USER … PURGE for everybody who was dropped long enough ago, and owns nothing."""
    noted = [codec.decode(data) for _, data in database.engine.system_scan(DROPPED)]
    for user_id in noted:
        user = database.store.read_user(user_id)
        dropped_us = None if user is None else user.deleted_at_us
        if user is None or dropped_us is None or dropped_us + KEPT_US > database.now_us():
            continue
        if owned(database.catalog, user):
            continue  # As PURGE would be refused. Its rows stay, and `system.users` tells of it.
        await _purge(database, user)


async def _purge(database: Database, user: User) -> None:
    change = changes_user.purge_user(database.catalog, database.store.reader(), user)

    def check(_seq: int) -> None:
        if database.engine.committed(codec.user_key(user.id)) != codec.encode_user(user):
            raise SerializationError("the user was changed meanwhile")

    puts = list(change.puts)
    write_set = WriteSet([], [], puts, sync=True, validate=check, erased=frozenset([user.id]))
    try:
        await database.committer.commit(write_set)
    except SerializationError:
        return  # Restored in the last moment, say.
    database.store.forget([user])
    database.note_erasing()


# ------------------------------------------------------------------ what they leave


async def _erase(database: Database, erasing: Erasing, job: Job) -> None:
    engine = database.engine
    engine.forget_user(erasing.user)
    database.shared_reads.forget_all()
    tablets = await trio.to_thread.run_sync(_tablets, engine, erasing.user)
    failpoints.hit("erase_user.begun")
    await erase_all(database, tablets, job)
    failpoints.hit("erase_user.deleted")
    await _merge_away(database, erasing)
    failpoints.hit("erase_user.merged")
    done: Put = (erasing_key(erasing.user), None)
    await database.committer.commit(WriteSet([], [], [done], sync=True))
    await _compact(engine, [done[0]])
    database.note_erasing()
    job.result = f"{len(tablets)} tablets"


def _tablets(engine: Engine, user: int) -> list[TabletId]:
    with engine.acquire() as view:
        there = chain(view.tablets(user), tablets_of(engine.fs, engine.cold_directory, user))
        return sorted(set(there))


async def _merge_away(database: Database, erasing: Erasing) -> None:
    """Have LevelDB's files forget what was deleted of a user. Raises IoError when somebody reads on."""
    engine, user = database.engine, erasing.user
    deleted_by = engine.current.seq
    await _until(lambda: engine.oldest_view_seq() >= deleted_by)
    around = surround(user)
    ranges = user_ranges(user)
    for _ in range(_ROUNDS):
        end: list[Put] = [(key, None) for key, _ in around]
        for write_set in (_begin(database, erasing, around), WriteSet([], [], end, sync=True)):
            await database.committer.commit(write_set)
            failpoints.hit("erase_user.surrounded")
            await _compact(engine, [*ranges, *erasing.keys])
        is_old = engine.oldest_view_seq() < deleted_by
        if not is_old and not await trio.to_thread.run_sync(engine.left_of, user):
            return
        await _renew(database)
    raise IoError("what a user leaves could not be merged away: it is being read")


def _begin(database: Database, erasing: Erasing, around: Sequence[Put]) -> WriteSet:
    """Surround what was a user's, and delete their own records anew: a deletion takes along what it meets.

    Not that of their name, if somebody else has it by now.
    """
    puts = list(around)

    def delete_records(_seq: int) -> None:
        free = [key for key in erasing.keys if database.engine.committed(key) is None]
        puts[len(around) :] = [(key, None) for key in free]

    return WriteSet([], [], puts, sync=True, validate=delete_records)


async def _renew(database: Database) -> None:
    """Have the log opened again: when nobody holds a view, if such a moment comes soon."""
    engine, committer = database.engine, database.committer
    await _until(lambda: not (engine.is_held or engine.is_used or committer.is_writing))
    while True:
        if not (engine.is_used or committer.is_writing):
            break
        await trio.sleep(RETRY_S / 10)
    engine.renew_log()


async def _compact(engine: Engine, places: Sequence[tuple[bytes, bytes] | bytes]) -> None:
    """Compact ranges, and where single keys lie."""
    for place in places:
        start, stop = (place, place + b"\0") if isinstance(place, bytes) else place
        await trio.to_thread.run_sync(engine.compact, start, stop)


async def _until(holds: Callable[[], bool]) -> None:
    """Wait until something holds, or for `VIEWS_S`. Whoever releases a view tells nobody."""
    with trio.move_on_after(VIEWS_S):
        while True:
            if holds():
                return
            await trio.sleep(RETRY_S / 10)
