"""Loading what a large COPY sends: its rows become segments in a process, and those the transaction's.

What this way cannot do, or finds that it cannot know, is left to the general way, with nothing changed:
it tells which line is wrong, waits for whom it has to wait, and takes longer.
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Final

import trio

from catalog.model import Table, TableKind
from kalam_pg.failures import report
from kalam_pg.jobs import load_recipes
from kalam_pg.jobs.compacting import note_flushed
from kalam_pg.jobs.host import FlushHost
from kalam_pg.jobs.indexing import note_segments
from kalam_pg.jobs.job_list import Jobs
from kalam_pg.jobs.load_jobs import LoadJob
from kalam_pg.query.database import Database
from kalam_pg.query.execution import Execution
from kalam_pg.query.loads import Loaded, PutRows
from kalam_pg.query.locks.modes import EXCLUSIVE
from kalam_pg.query.row_spool import SentRows
from kalam_pg.query.rows import Target
from kalam_pg.query.rules import Closure, RowRules
from kalam_pg.query.spool import Sent
from kalam_pg.query.waits import Steps, run_async
from kalam_pg.rows.copy_columns import RefusedError
from kalam_pg.rows.copy_pieces import CopyText
from kalam_pg.supervision import guarded
from storage.cold.flush import flush
from storage.cold.load import Load
from storage.cold.load_keys import is_taken
from storage.engine import WriteSet
from storage.errors import KalamError
from storage.tablet import Tablet

_AGAIN_S: Final = 60.0
"""At the latest, when the disk has refused the name of what is committed."""


def is_for(rules: RowRules) -> bool:
    """Whether a table asks nothing of its rows that only the general way looks after."""
    table = rules.table
    if table.kind is TableKind.STREAM or table.temporary:
        return False
    return not (rules.unique or rules.references or rules.referenced)


@dataclass(frozen=True, slots=True)
class Bulk:
    """`query.loads.Road` for one statement.

    form: how what is sent is read. sent, where: see `load_recipes.recipe_of`.
    """

    database: Database
    jobs: Jobs
    form: CopyText | SentRows
    sent: Sequence[int | None]
    where: Closure | None

    def load(self, x: Execution, target: Target, sent: Sent, put: PutRows) -> Steps[int | None]:
        """See `Road`. Raises 57014."""
        tablet = target.tablet
        if not isinstance(tablet, Tablet) or not self.may(x, target):
            return None
        newest = tablet.newest_reading()
        if newest.layout != target.rules.table.layout:
            return None
        recipe = yield from load_recipes.recipe_of(x, target.rules, self.sent, self.where)
        if recipe is None:
            return None
        given = yield from load_recipes.given(x, target.rules, self.sent, sent.lines)
        if given is None:
            return None
        host = FlushHost(self.database)
        load = Load(host, newest)
        transaction = x.transaction
        end = partial(_ended, self.database, self.jobs, target.rules.table, load)
        transaction.on_end.append(end)
        loaded = Loaded(load, put, partial(_soon, load.discard))
        # A number of its own, so that no other commit's is on its rows.
        number = partial(self.database.committer.commit, WriteSet([], [], [], sync=False))
        seq = (yield from run_async(number)).seq
        job = LoadJob(self.form, recipe, seq, given)
        written = yield from self._in_thread(x, partial(self._written, load, job, sent))
        if (
            written
            and self._guarded(x, target)
            and (yield from self._in_thread(x, partial(self._are_new, host, load)))
        ):
            transaction.loads[target.id] = loaded
            return load.rows
        loaded.discard()
        return None

    def may(self, x: Execution, target: Target) -> bool:
        """See `Road`."""
        transaction, tablet = x.transaction, target.id
        if transaction.reads is not None or transaction.has_savepoints or transaction.has_defined:
            return False
        if tablet in transaction.changes or tablet in transaction.emptied:
            return False
        if tablet in transaction.loads or self.database.hub.follows(tablet):
            return False
        return self.database.catalog.stored_as(tablet.table) is not None

    def _in_thread(self, x: Execution, call: Callable[[], bool]) -> Steps[bool]:
        # Whoever has to wait for a thread has none meanwhile, and other work of the server has its own.
        waiting = partial(self.jobs.load_threads.run, x.payer, call, abandon=False)
        found: bool = yield from run_async(waiting, timeout_s=x.statement_timeout_s)
        return found

    def _written(self, load: Load, job: LoadJob, sent: Sent) -> bool:
        """In a thread: whether what is sent has become segments."""
        try:
            with closing(self.jobs.load_process.load(job, sent.pieces())) as segments:
                load.write(segments)
        except RefusedError:
            return False
        except KalamError as exc:
            report("a load is done row by row", exc, user=load.id.user, table=load.id.table)
            return False
        return True

    def _guarded(self, x: Execution, target: Target) -> bool:
        """Whether nobody else writes to the tablet, nor does until the transaction ends.

        Who has locked rows of it may have new ones, perhaps with the same keys: that is for the general
        way to wait for.
        """
        locks = self.database.locks
        locks.guard(target.id)
        return locks.lock_nowait(x.transaction, target.id, EXCLUSIVE)

    def _are_new(self, host: FlushHost, load: Load) -> bool:
        """In a thread, while nobody writes to the tablet: whether none of the keys is there."""
        tablet = load.tablet
        try:
            if host.run_on_loop(lambda: host.unflushed(tablet.id)):
                flush(host, tablet, encoder=self.jobs.flush_process.encode)
            old = tablet.manifest.segments
            return not is_taken(host.fs, tablet.id, tablet.layout, load.segments, old)
        except KalamError as exc:
            report("a load is done row by row", exc, user=load.id.user, table=load.id.table)
            return False


def enter(jobs: Jobs, loads: list[Load], user: int, timeout_s: float) -> Steps[None]:
    """Before a COMMIT is handed over: take the tablets' turns. Raises what the disk refuses, 57014."""

    def enter_all() -> None:
        for load in sorted(loads, key=lambda load: load.id):
            load.enter()

    waiting = partial(jobs.enter_threads.run, user, enter_all, abandon=False)
    yield from run_async(waiting, timeout_s=timeout_s)


def _ended(database: Database, jobs: Jobs, table: Table, load: Load) -> None:
    """The transaction has ended: what it has loaded is there, or goes."""
    if not load.published and load.is_committed(database.engine.system_get):
        load.publish()  # Nobody knew before: the log was to be opened again.
    if load.published:
        trio.lowlevel.spawn_system_task(_link, database, jobs, table, load)
    else:
        _soon(load.discard)


async def _link(database: Database, jobs: Jobs, table: Table, load: Load) -> None:
    """Give what is committed its name on the disk. Until then the log has it, and a start finds it there."""
    linked = trio.Event()
    jobs.links.add(linked)
    try:
        await _link_some_time(load)
    finally:
        jobs.links.discard(linked)
        linked.set()
    note_flushed(database, jobs, table, load.tablet)
    note_segments(database, load.tablet.newest_reading())


async def _link_some_time(load: Load) -> None:
    delay_s = 1.0
    while True:
        try:
            await trio.to_thread.run_sync(load.link)
        except Exception as exc:  # noqa: BLE001 -- it is committed, whatever it is
            report("a load that is committed could not be named", exc, table=load.id.table)
            await trio.sleep(delay_s)
            delay_s = min(2 * delay_s, _AGAIN_S)
        else:
            return


def _soon(call: Callable[[], None]) -> None:
    """Do it in a thread, whatever becomes of who asked."""

    async def run() -> None:
        await trio.to_thread.run_sync(guarded, call)

    trio.lowlevel.spawn_system_task(run)
