"""Loading what a large COPY sends, or many rows of a query: they become segments in a process, and those
the transaction's.

What this way cannot do, or finds that it cannot know, is left to the general way, with nothing changed:
it tells which line is wrong, waits for whom it has to wait, and takes longer.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

import trio

from catalog.model import Table, TableKind
from kalam_pg.failures import report
from kalam_pg.jobs import load_entries, load_recipes
from kalam_pg.jobs.compacting import note_flushed, tombstones_before
from kalam_pg.jobs.host import FlushHost, LoadHost
from kalam_pg.jobs.indexing import note_segments
from kalam_pg.jobs.job_list import Jobs
from kalam_pg.jobs.load_jobs import LoadJob
from kalam_pg.jobs.put_loaded import put_loaded
from kalam_pg.query import references
from kalam_pg.query.database import Database
from kalam_pg.query.execution import Execution
from kalam_pg.query.foreign_keys import Reference
from kalam_pg.query.loads import Ahead, Loaded, PutRows, Putting, in_order, put_before
from kalam_pg.query.locks.modes import EXCLUSIVE
from kalam_pg.query.row_spool import SentRows
from kalam_pg.query.rows import Entries, Place, Target
from kalam_pg.query.rules import Closure, RowRules
from kalam_pg.query.spool import Sent
from kalam_pg.query.transaction import READ_COMMITTED, Transaction
from kalam_pg.query.waits import Steps, run_async
from kalam_pg.rows.copy_columns import RefusedError
from kalam_pg.rows.copy_pieces import CopyText
from kalam_pg.supervision import guarded
from storage.cold.flush import flush
from storage.cold.load import Load
from storage.cold.load_keys import distinct_values, is_taken
from storage.cold.manifest import Segment
from storage.engine import WriteSet
from storage.errors import FeatureNotSupportedError, KalamError
from storage.ids import TabletId
from storage.log.log_entry import Op, decode_entry
from storage.tablet import Tablet

T = TypeVar("T")

_DELETIONS: Final = (Op.DELETE, Op.TRUNCATE)

_AGAIN_S: Final = 60.0
"""At the latest, when the disk has refused the name of what is committed."""


def is_for(rules: RowRules) -> bool:
    """Whether a table asks nothing of its rows that only the general way looks after."""
    table = rules.table
    if table.kind is TableKind.STREAM or table.temporary:
        return False
    return all(map(load_entries.is_for, rules.unique))


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

    def load(self, x: Execution, target: Target, sent: Sent) -> Steps[int | None]:
        """See `Road`. Raises 57014, and 23503 of what refers to a row that is not there."""
        added = yield from self._loaded(x, target, sent)
        if added is None:
            yield from put_before(x, target)
            return None
        rows = added[0]
        layout = target.rules.table.layout
        put = partial(put_loaded, target.rules, x.user, layout, rows.new)
        self.keep(x.transaction, added, put)
        for one in target.rules.references:
            yield from self._refer(x, one, rows)
        return rows.load.rows - rows.rows

    def _refer(self, x: Execution, one: Reference, rows: "_Added") -> Steps[None]:
        columns = [one.table.layout.columns[at] for at in one.columns]
        fs, values = self.database.engine.fs, None
        lease = x.transaction.memory.lease(0)
        try:
            for segment in rows.new:
                values = yield from self.in_thread(
                    x, partial(distinct_values, fs, rows.load.id, segment, columns, values)
                )
                lease.grow(values.nbytes - lease.size)
            if values is not None:
                yield from references.refer_all(x, one, values)
        finally:
            lease.end()

    def may(self, x: Execution, target: Target) -> bool:
        """See `Road`."""
        transaction = x.transaction
        places: list[Place] = [target, *target.indexes]
        return not any(
            at.id in transaction.changes or self.database.hub.follows(at.id) for at in places
        )

    def _loaded(self, x: Execution, target: Target, sent: Sent) -> Steps["list[_Added] | None"]:
        """What is added to which tablet, that of the rows first; None: nothing is."""
        if not self.may(x, target):
            return None
        recipe = yield from load_recipes.recipe_of(x, target.rules, self.sent, self.where)
        entries = _makings(target.rules)
        if recipe is None or entries is None:
            return None
        given = yield from load_recipes.given(x, target.rules, self.sent, sent.lines)
        if given is None:
            return None
        # A number of its own, so that no other commit's is on its rows.
        number = partial(self.database.committer.commit, WriteSet([], [], [], sync=False))
        seq = (yield from run_async(number)).seq
        host = LoadHost(self.database)
        added: list[_Added] = []
        places: list[Target | Entries] = [target, *target.indexes]
        for at in places:
            here = self._added(x, host, at)
            if here is not None:
                added.append(here)
                if isinstance(at, Entries):
                    making = entries[at.rule.index.id]
                    job = load_entries.job_of(
                        making, target.rules.table, target.id, added[0].new, seq
                    )
                else:
                    job = LoadJob(self.form, recipe, seq, given)
                pieces = iter(()) if isinstance(at, Entries) else sent.pieces()
                if (yield from self.in_thread(x, partial(self.written, here.load, job, pieces))):
                    continue
            _take_back(added)
            return None
        if all(self._guarded(x, one.load.id) for one in added) and (
            yield from self.in_thread(x, partial(self.are_new, host, added, seq))
        ):
            if x.transaction.isolation == READ_COMMITTED:
                return added
            tablet = added[0].load.id
            if not (yield from self.in_thread(x, partial(_has_lost, host, tablet, x.view.seq))):
                return added
        _take_back(added)
        return None

    def _added(self, x: Execution, host: LoadHost, at: Target | Entries) -> "_Added | None":
        """A tablet that rows may be added to, with what the transaction has loaded into it, or None."""
        loaded = x.transaction.loads.get(at.id)
        if loaded is not None and loaded.ahead is not None:
            return None  # What is written ahead for good is one thing, what is put another.
        if loaded is not None:
            loaded.load.choose(loaded.segments, loaded.rows)
            return _Added(loaded.load, loaded.segments, loaded.rows, loaded.puts)
        table = at.rule.entries if isinstance(at, Entries) else at.rules.table
        return self.begun(x, host, table)

    def begun(self, x: Execution, host: LoadHost, table: Table) -> "_Added | None":
        """The same of a tablet that it has loaded nothing into."""
        transaction, database = x.transaction, self.database
        tablet = database.tablet(table, x.user)
        if not isinstance(tablet, Tablet):
            return None
        newest = tablet.newest_reading()
        if newest.layout != table.layout:
            return None
        if database.stored_as(tablet.id.table) is None:
            if database.engine.unflushed(tablet.id):
                return None  # Its rows were written ahead, to where nobody flushes them.
            database.building.add(tablet.id.table)
            transaction.on_end.append(partial(database.building.discard, tablet.id.table))
        load = Load(host, newest, alone=tablet.id in transaction.emptied)
        transaction.on_end.append(partial(_ended, database, self.jobs, table, load))
        return _Added(load)

    def keep(
        self,
        transaction: Transaction,
        added: "Sequence[_Added]",
        put: PutRows | None,
        *,
        ahead: Ahead | None = None,
    ) -> None:
        """They are the transaction's, until it is taken back to before that. put, ahead: see `Loaded`."""
        loads = dict(transaction.loads)
        for one in added:
            load, puts = one.load, one.puts
            if one is added[0] and put is not None:
                puts = (*puts, in_order(put))
            reading = load.reading(load.tablet.layout)
            loads[load.id] = Loaded(load, load.segments, load.rows, puts, reading, ahead)
        transaction.restoring_loads()
        transaction.loads = loads

    def in_thread(self, x: Execution, call: Callable[[], T]) -> Steps[T]:
        """What a thread of the loads' own answers. Raises 57014."""
        # Whoever has to wait for a thread has none meanwhile, and other work of the server has its own.
        waiting = partial(self.jobs.load_threads.run, x.payer, call, abandon=False)
        found: T = yield from run_async(waiting, timeout_s=x.statement_timeout_s)
        return found

    def written(self, load: Load, job: LoadJob, pieces: Iterator[bytes]) -> bool:
        """In a thread: whether what is sent has become segments."""
        try:
            with closing(self.jobs.load_process.load(job, pieces)) as segments:
                load.write(segments)
        except RefusedError:
            return False
        except KalamError as exc:
            report("a load is done row by row", exc, user=load.id.user, table=load.id.table)
            return False
        return True

    def _guarded(self, x: Execution, tablet: TabletId) -> bool:
        """Whether nobody else writes to the tablet, nor does until the transaction ends.

        Who has locked rows of it may have new ones, perhaps with the same keys: that is for the general
        way to wait for.
        """
        locks = self.database.locks
        locks.guard(tablet)
        return locks.lock_nowait(x.transaction, tablet, EXCLUSIVE)

    def are_new(self, host: FlushHost, added: "Sequence[_Added]", seq: int) -> bool:
        """In a thread, while nobody writes to the tablets: whether none of the keys is there.

        seq: of the new rows.
        """
        return all(self._is_new(host, one, seq) for one in added)

    def _is_new(self, host: FlushHost, one: "_Added", seq: int) -> bool:
        load, tablet = one.load, one.load.tablet
        try:
            old = one.segments
            if not load.alone:
                if host.run_on_loop(lambda: host.unflushed(tablet.id)):
                    flush(host, tablet, encoder=self.jobs.flush_process.encode)
                old = (*tablet.manifest.segments, *old)
                if self._lack_tombstones(host, tablet.id, seq):
                    return False
            return not is_taken(host.fs, tablet.id, tablet.layout, one.new, old)
        except KalamError as exc:
            report("a load is done row by row", exc, user=load.id.user, table=load.id.table)
            return False

    def _lack_tombstones(self, host: FlushHost, tablet: TabletId, seq: int) -> bool:
        """Whether segments may have nothing any more of a key that was deleted behind commit `seq`.

        The log's index knows it as deleted then, by a later commit than that of the row that is loaded.
        """
        before = host.run_on_loop(lambda: self._tombstones_before(tablet))
        if before <= seq:
            return False
        view = host.run_on_loop(host.acquire)
        try:
            return next(view.log(tablet, seq), None) is not None
        finally:
            host.run_on_loop(view.release)

    def _tombstones_before(self, tablet: TabletId) -> int:
        table = self.database.stored_as(tablet.table)
        return 0 if table is None else tombstones_before(self.database, table)


def build(
    jobs: Jobs,
    x: Execution,
    table: Table,
    job_of: Callable[[int], LoadJob],
    spool: Sent | None,
    put: PutRows | None,
) -> Steps[Load | None]:
    """Load rows, or entries, into an empty tablet that the transaction alone knows. None: nothing was loaded.

    put: writes them ahead, later, where they are not to stay loaded. job_of: given the number of all of them.
    spool: what is sent. Raises 57014.
    """
    bulk = Bulk(x.database, jobs, SentRows(()), (), None)
    added = bulk.begun(x, LoadHost(x.database), table)
    if added is None or added.segments:
        return None
    load = added.load
    number = partial(x.database.committer.commit, WriteSet([], [], [], sync=False))
    seq = (yield from run_async(number)).seq
    pieces = iter(()) if spool is None else spool.pieces()
    if (yield from bulk.in_thread(x, partial(bulk.written, load, job_of(seq), pieces))) and (
        yield from bulk.in_thread(x, partial(bulk.are_new, LoadHost(x.database), [added], seq))
    ):
        bulk.keep(x.transaction, [added], put, ahead=Ahead())
        return load
    _take_back([added])
    return None


def _has_lost(host: FlushHost, tablet: TabletId, seq: int) -> bool:
    """In a thread, while nobody writes to the tablet: whether rows were deleted behind commit `seq`.

    Keys of theirs are not for a transaction that sees the rows: `query.rows.taken` tells it so.
    """
    view = host.run_on_loop(host.acquire)
    try:
        return any(decode_entry(entry).op in _DELETIONS for _, _, entry in view.log(tablet, seq))
    finally:
        host.run_on_loop(view.release)


def _makings(rules: RowRules) -> dict[int, load_entries.Making] | None:
    """How the rows' entries are made, by index; None: one of them only the server can make."""
    try:
        return {r.index.id: load_entries.making(r, rules.table) for r in rules.unique}
    except FeatureNotSupportedError:
        return None


@dataclass(frozen=True, slots=True)
class _Added:
    """What is added to a tablet. segments, rows, puts: of what the transaction had loaded into it before."""

    load: Load
    segments: tuple[Segment, ...] = ()
    rows: int = 0
    puts: tuple[Putting, ...] = ()

    @property
    def new(self) -> tuple[Segment, ...]:
        """What has been written since."""
        return self.load.segments[len(self.segments) :]


def _take_back(added: Sequence[_Added]) -> None:
    """Nothing was added: the files go, where a tablet has others at the transaction's end."""
    for one in added:
        one.load.choose(one.segments, one.rows)
        if not one.segments:
            _soon(one.load.discard)


def enter(jobs: Jobs, loads: list[Load], user: int, timeout_s: float) -> Steps[None]:
    """Before a COMMIT is handed over: take the tablets' turns. Raises what the disk refuses, 57014.

    Whoever flushes one of them waits from here on: what takes long has been done before.
    """

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
