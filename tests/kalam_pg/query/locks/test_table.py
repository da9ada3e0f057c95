"""The lock table against a model of it, and the rules that one reads about it."""

from collections.abc import Hashable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from catalog.errors import DeadlockDetectedError
from kalam_pg.query.locks.modes import (
    ACCESS_EXCLUSIVE,
    CONFLICTS,
    EXCLUSIVE,
    FOR_KEY_SHARE,
    FOR_NO_KEY_UPDATE,
    FOR_SHARE,
    FOR_UPDATE,
    ROW_EXCLUSIVE,
    ROW_SHARE,
    SHARE,
    covers,
)
from kalam_pg.query.locks.state import LockOwner, RowOwner
from kalam_pg.query.locks.table import LockStatistics, LockTable
from storage.ids import TabletId

ROW_MODES = (FOR_KEY_SHARE, FOR_SHARE, FOR_NO_KEY_UPDATE, FOR_UPDATE)
TABLE_MODES = (ROW_SHARE, ROW_EXCLUSIVE, SHARE, EXCLUSIVE, ACCESS_EXCLUSIVE)
TABLES = (7,)
ROWS = tuple((TabletId(1, table), key) for table in TABLES for key in (b"a", b"b"))
CATALOGUE = ("catalog",)

ASKED = st.one_of(
    st.tuples(st.sampled_from(ROWS), st.sampled_from(ROW_MODES)),
    st.tuples(st.sampled_from(TABLES), st.sampled_from(TABLE_MODES)),
    st.just((CATALOGUE, EXCLUSIVE)),
)
OWNERS = st.integers(0, 4)


class Model:
    """Who has taken what, in their order, and who queues. Owners are numbers; everything is looked for."""

    def __init__(self) -> None:
        self.taken: dict[int, list[tuple[Hashable, int]]] = {}
        self.queues: dict[Hashable, list[tuple[int, int]]] = {}

    def modes(self, owner: int, name: Hashable) -> int:
        found = 0
        for taken, mode in self.taken.get(owner, ()):
            found |= mode if taken == name else 0
        return found

    def place(self, owner: int, name: Hashable) -> int:
        own, queue = self.modes(owner, name), self.queues.get(name, [])
        return next((at for at, (_, m) in enumerate(queue) if own & CONFLICTS[m]), len(queue))

    def blockers(self, owner: int, name: Hashable, mode: int, ahead: int) -> set[int]:
        holders = {o for o in self.taken if o != owner and self.modes(o, name) & CONFLICTS[mode]}
        return holders | {o for o, m in self.queues.get(name, [])[:ahead] if m & CONFLICTS[mode]}

    def waits_for(self, owner: int) -> set[int]:
        for name, queue in self.queues.items():
            for at, (waiting, mode) in enumerate(queue):
                if waiting == owner:
                    return self.blockers(owner, name, mode, at)
        return set()

    def take_nowait(self, owner: int, name: Hashable, mode: int) -> bool:
        own = self.modes(owner, name)
        if own and covers(own, mode):
            return True
        if self.blockers(owner, name, mode, self.place(owner, name)):
            return False
        self.taken.setdefault(owner, []).append((name, mode))
        return True

    def ask(self, owner: int, name: Hashable, mode: int) -> str:
        if self.take_nowait(owner, name, mode):
            return "granted"
        queue = self.queues.setdefault(name, [])
        queue.insert(self.place(owner, name), (owner, mode))
        reached, open_ = set[int](), self.waits_for(owner)
        while open_:
            reached |= open_
            open_ = {o for other in open_ for o in self.waits_for(other)} - reached
        if owner in reached:
            queue.remove((owner, mode))
            return "deadlock"
        return "queued"

    def release(self, owner: int, mark: int) -> None:
        for queue in self.queues.values():
            queue[:] = [entry for entry in queue if entry[0] != owner]
        del self.taken.get(owner, [])[mark:]
        self.settle()

    def settle(self) -> None:
        for name, queue in self.queues.items():
            for at, (owner, mode) in enumerate(queue):
                if not self.blockers(owner, name, mode, at):
                    del queue[at]
                    self.taken.setdefault(owner, []).append((name, mode))
                    self.settle()
                    return


class Locking(RuleBasedStateMachine):
    """Whatever is asked, withdrawn and given back: the table and the model agree on everything."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.model = LockTable(), Model()
        self.owners = [LockOwner() for _ in range(5)]
        self.quick = {5 + at: RowOwner() for at in range(2)}
        self.requests: dict[int, object] = {}
        self.grants = [0] * 5
        self.marks: dict[int, list[int]] = {}

    @rule(owner=OWNERS, asked=ASKED)
    def ask(self, owner, asked):
        if self.owners[owner].waiting is not None:
            return
        wanted = self.model.ask(owner, *asked)
        try:
            request = self.table.request(self.owners[owner], *asked)
        except DeadlockDetectedError:
            assert wanted == "deadlock"
            return
        assert wanted == ("granted" if request is None else "queued")
        if request is not None:
            self.requests[owner] = request
            before = self.grants[owner]

            def granted() -> None:
                self.grants[owner] += 1
                assert self.grants[owner] == before + 1
                assert request.granted

            request.on_grant = granted

    @rule(owner=OWNERS, asked=ASKED)
    def ask_without_waiting(self, owner, asked):
        if self.owners[owner].waiting is None:
            wanted = self.model.take_nowait(owner, *asked)
            assert self.table.lock_nowait(self.owners[owner], *asked) == wanted

    @precondition(lambda self: self.requests)
    @rule(data=st.data())
    def withdraw(self, data):
        owner = data.draw(st.sampled_from(sorted(self.requests)))
        request = self.requests.pop(owner)
        if not request.granted:
            self.model.release(owner, len(self.model.taken.get(owner, ())))
        self.table.withdraw(request)

    @rule(owner=OWNERS)
    def savepoint(self, owner):
        self.marks.setdefault(owner, []).append(len(self.owners[owner].held))

    @precondition(lambda self: any(self.marks.values()))
    @rule(data=st.data())
    def rollback_to_savepoint(self, data):
        owner = data.draw(st.sampled_from(sorted(o for o, marks in self.marks.items() if marks)))
        mark = self.marks[owner].pop()
        self.model.release(owner, mark)
        self.table.release_to(self.owners[owner], mark)

    @rule(owner=OWNERS)
    def end(self, owner):
        self.marks.pop(owner, None)
        self.model.release(owner, 0)
        self.table.release_all(self.owners[owner])

    @rule(quick=st.sampled_from([5, 6]), row=st.sampled_from(ROWS))
    def one_row_at_once(self, quick, row):
        owner = self.quick[quick]
        if self.model.taken.get(quick):
            self.model.release(quick, 0)
            self.table.release_row(owner)
            return
        table = row[0].table
        free = not any(self.model.modes(o, row) for o in self.model.taken)
        wanted = free and self.model.take_nowait(quick, table, ROW_EXCLUSIVE)
        if wanted:
            self.model.taken[quick].append((row, FOR_UPDATE))
        assert self.table.lock_row_nowait(owner, table, row) == wanted

    @rule(quick=st.sampled_from([5, 6]), entry=st.sampled_from(ROWS))
    def an_entry_beside_the_row(self, quick, entry):
        taken = self.model.taken.get(quick)
        if not taken or any(name == entry for name, _ in taken):
            return
        wanted = not any(self.model.modes(o, entry) for o in self.model.taken)
        if wanted:
            taken.append((entry, FOR_UPDATE))
        assert self.table.lock_entry_nowait(self.quick[quick], entry) == wanted

    @invariant()
    def agree(self):
        self.table.check()
        waited_for = {entry.name for entry in self.table.entries() if not entry.granted}
        assert waited_for == {name for name, queue in self.model.queues.items() if queue}
        everybody = dict(enumerate([*self.owners, *self.quick.values()]))
        for name in (*ROWS, *TABLES, CATALOGUE):
            wanted = {everybody[o]: self.model.modes(o, name) for o in everybody}
            assert self.table.holders(name) == {o: m for o, m in wanted.items() if m}
        for number, owner in enumerate(self.owners):
            queued = any(o == number for queue in self.model.queues.values() for o, _ in queue)
            assert (owner.waiting is not None) == queued

    def teardown(self):
        for number, owner in enumerate(self.owners):
            self.table.release_all(owner)
            self.model.release(number, 0)
        for number, owner in self.quick.items():
            if self.model.taken.get(number):
                self.table.release_row(owner)
        assert self.table.statistics() == LockStatistics(0, 0, 0)


Locking.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestLocking = pytest.mark.slow(Locking.TestCase)


def owners(count: int) -> list[LockOwner]:
    found = [LockOwner() for _ in range(count)]
    for process, owner in enumerate(found, 1):
        owner.process = process
    return found


def test_a_writer_that_comes_after_a_drop_waits_behind_it():
    table = LockTable()
    writer, definer, late = owners(3)
    assert table.lock_nowait(writer, 7, ROW_EXCLUSIVE)
    assert table.request(definer, 7, ACCESS_EXCLUSIVE) is not None
    queued = table.request(late, 7, ROW_EXCLUSIVE)
    assert queued is not None
    assert table.lock_nowait(writer, 7, ROW_EXCLUSIVE)  # It has the table already.
    assert not table.lock_row_nowait(RowOwner(), 7, ROWS[0])
    table.release_all(writer)
    assert table.holders(7) == {definer: ACCESS_EXCLUSIVE}
    assert not queued.granted
    table.release_all(definer)
    assert queued.granted


def test_who_holds_a_lock_goes_before_those_that_wait_for_it():
    table = LockTable()
    one, two = owners(2)
    row = ROWS[0]
    assert table.lock_nowait(one, row, FOR_SHARE)
    queued = table.request(two, row, FOR_UPDATE)
    assert queued is not None
    assert table.lock_nowait(one, row, FOR_UPDATE)
    table.release_all(one)
    assert queued.granted


def test_who_may_share_a_row_does_not_pass_one_who_waits_for_it():
    table = LockTable()
    holder, writer, late, other = owners(4)
    row = ROWS[0]
    assert table.lock_nowait(holder, row, FOR_SHARE)
    assert table.lock_nowait(other, row, FOR_SHARE)
    first = table.request(writer, row, FOR_NO_KEY_UPDATE)
    second = table.request(late, row, FOR_SHARE)
    assert first is not None
    assert second is not None
    table.release_all(other)  # The queue is looked through, and nobody's turn has come.
    assert not first.granted
    assert not second.granted
    table.release_all(holder)
    assert first.granted
    assert not second.granted
    table.release_all(writer)
    assert second.granted


def test_two_that_share_a_row_and_both_want_it_alone_are_a_deadlock():
    table = LockTable()
    one, two = owners(2)
    row = ROWS[0]
    assert table.lock_nowait(one, row, FOR_SHARE)
    assert table.lock_nowait(two, row, FOR_SHARE)
    assert table.request(one, row, FOR_UPDATE) is not None
    with pytest.raises(DeadlockDetectedError):
        table.request(two, row, FOR_UPDATE)


def test_a_circle_through_a_row_a_table_and_the_catalogue_is_found_and_told():
    table = LockTable()
    one, two, three = owners(3)
    assert table.lock_nowait(one, ROWS[0])
    assert table.lock_nowait(two, 7, ROW_EXCLUSIVE)
    assert table.lock_nowait(three, CATALOGUE, EXCLUSIVE)
    assert table.request(two, ROWS[0]) is not None
    assert table.request(three, 7, ACCESS_EXCLUSIVE) is not None
    with pytest.raises(DeadlockDetectedError) as raised:
        table.request(one, CATALOGUE, EXCLUSIVE)
    assert str(raised.value) == "deadlock detected"
    assert raised.value.detail == (
        "Process 1 waits for ExclusiveLock on object; blocked by process 3.\n"
        "Process 3 waits for AccessExclusiveLock on relation 7; blocked by process 2.\n"
        "Process 2 waits for AccessExclusiveLock on tuple of relation 7; blocked by process 1."
    )
    table.release_all(one)  # The victim rolls back, and the others go on.
    assert two.waiting is None


def test_a_lock_raised_since_a_savepoint_is_what_it_was_before():
    table = LockTable()
    one, two = owners(2)
    row = ROWS[0]
    assert table.lock_nowait(one, row, FOR_KEY_SHARE)
    mark = len(one.held)
    assert table.lock_nowait(one, row, FOR_UPDATE)
    queued = table.request(two, row, FOR_SHARE)
    assert queued is not None
    table.release_to(one, mark)
    assert queued.granted
    assert table.holders(row) == {one: FOR_KEY_SHARE, two: FOR_SHARE}


def test_a_long_queue_is_searched_for_a_circle_in_a_time_that_grows_with_its_length():
    table = LockTable()
    (holder,) = owners(1)
    assert table.lock_nowait(holder, ROWS[0])
    crowd = owners(1500)
    for owner in crowd:
        assert table.request(owner, ROWS[0], FOR_NO_KEY_UPDATE) is not None
    assert table.statistics() == LockStatistics(locks=1, contended=1, waiting=1500)
    for owner in crowd:
        table.release_all(owner)
    table.release_all(holder)
    assert table.statistics() == LockStatistics(0, 0, 0)


# ------------------------------------------------------------------ all rows of a tablet

TABLET = ROWS[0][0]


def test_who_has_rows_of_a_guarded_tablet_or_waits_for_one_has_its_lock():
    table = LockTable()
    holder, waiting, other, truncating = owners(4)
    elsewhere = (TabletId(2, 7), b"a")
    assert table.lock_nowait(holder, ROWS[0])
    assert table.request(waiting, ROWS[0]) is not None
    assert table.lock_nowait(other, elsewhere)
    assert not table.is_guarded(TABLET)
    table.guard(TABLET)
    assert table.holders(TABLET) == {holder: ROW_EXCLUSIVE, waiting: ROW_EXCLUSIVE}
    alone = table.request(truncating, TABLET, ACCESS_EXCLUSIVE)
    assert alone is not None
    assert table.is_guarded(TABLET)
    assert table.lock_nowait(holder, TABLET, ROW_EXCLUSIVE), "it goes on"
    assert not table.lock_nowait(other, TABLET, ROW_EXCLUSIVE), "it comes later"
    table.check()
    table.release_all(holder)
    assert not alone.granted
    table.release_all(waiting)
    assert alone.granted
    table.check()
    table.release_all(truncating)
    table.release_all(other)
    assert not table.is_guarded(TABLET)
    assert table.statistics() == LockStatistics(0, 0, 0)


def test_a_quick_row_is_waited_for_and_none_is_taken_while_its_tablet_is_guarded():
    table = LockTable()
    quick = RowOwner()
    (truncating,) = owners(1)
    assert table.lock_row_nowait(quick, 7, ROWS[0])
    table.guard(TABLET)
    alone = table.request(truncating, TABLET, ACCESS_EXCLUSIVE)
    assert alone is not None
    assert not table.lock_row_nowait(RowOwner(), 7, ROWS[1])
    table.release_row(quick)
    assert alone.granted
    assert not table.lock_row_nowait(RowOwner(), 7, ROWS[1])
    table.release_all(truncating)
    assert table.lock_row_nowait(quick, 7, ROWS[1])
    table.release_row(quick)
    assert table.statistics() == LockStatistics(0, 0, 0)


def test_a_savepoint_that_is_undone_keeps_the_tablet_for_the_rows_from_before_it():
    table = LockTable()
    one, truncating = owners(2)
    assert table.lock_nowait(one, ROWS[0])
    mark = len(one.held)
    table.guard(TABLET)
    assert table.lock_nowait(one, TABLET, ACCESS_EXCLUSIVE)
    alone = table.request(truncating, TABLET, ACCESS_EXCLUSIVE)
    assert alone is not None
    for _ in range(2):
        table.release_to(one, mark)
        assert table.holders(TABLET) == {one: ROW_EXCLUSIVE}
        table.check()
    table.release_all(one)
    assert alone.granted


def test_what_was_guarded_and_is_held_no_more_takes_nothing():
    table = LockTable()
    (one,) = owners(1)
    for user in range(100):
        table.guard(TabletId(user, 7))
        assert table.lock_nowait(one, TabletId(user, 7), ACCESS_EXCLUSIVE)
        table.release_all(one)
    assert len(table._guarded) == 1


def test_rows_are_locked_as_far_as_none_must_be_waited_for():
    table = LockTable()
    first, second = owners(2)
    tablet, keys = TabletId(1, 7), [b"a", b"b", b"c", b"d"]
    assert table.lock_nowait(first, (tablet, b"b"), FOR_SHARE)
    assert table.lock_nowait(second, (tablet, b"c"))
    assert table.lock_rows_nowait(first, tablet, keys, FOR_NO_KEY_UPDATE) == 2
    assert table.holders((tablet, b"b")) == {first: FOR_SHARE | FOR_NO_KEY_UPDATE}
    assert not table.holders((tablet, b"d"))
    table.check()
    table.release_all(second)
    assert table.lock_rows_nowait(first, tablet, keys, FOR_NO_KEY_UPDATE) == 4
    table.check()
    table.release_to(first, 1)
    assert table.holders((tablet, b"b")) == {first: FOR_SHARE}
    table.guard(tablet)
    assert table.lock_rows_nowait(first, tablet, keys, FOR_UPDATE) == 0
    table.release_all(first)
    assert table.statistics() == LockStatistics(0, 0, 0)
