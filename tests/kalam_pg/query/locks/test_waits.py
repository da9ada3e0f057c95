"""How a wait for a lock ends: once, and whatever ends it, the lock has one owner or none."""

import pytest
import trio
import trio.testing

from catalog.errors import DeadlockDetectedError, LockNotAvailableError, QueryCanceledError
from kalam_pg.query.locks.modes import FOR_UPDATE
from kalam_pg.query.locks.state import LockOwner
from kalam_pg.query.locks.table import LockTable
from kalam_pg.query.locks.waits import Patience, take

ROW = ("tablet", b"key")
FOREVER = Patience()


class Waiter:
    """A statement that wants the row, driven as a session drives it; `resumed` counts its turns."""

    def __init__(self, table, nursery, patience=FOREVER):
        self.owner = LockOwner()
        self.resumed = 0
        self._steps = take(table, self.owner, ROW, FOR_UPDATE, patience)
        self.wait = next(self._steps)
        self.wait.start(self._resume, nursery.start_soon)

    def _resume(self):
        self.resumed += 1

    def go_on(self):
        """Its turn has come. True: it has waited and got the lock."""
        with pytest.raises(StopIteration) as stopped:
            next(self._steps)
        return stopped.value.value


@pytest.fixture
def held():
    table, holder = LockTable(), LockOwner()
    assert table.lock_nowait(holder, ROW)
    yield table, holder
    table.check()
    assert table.statistics().locks == 0


async def test_a_free_lock_is_not_waited_for(nursery):
    table = LockTable()
    with pytest.raises(StopIteration) as stopped:
        next(take(table, LockOwner(), ROW, FOR_UPDATE, FOREVER))
    assert stopped.value.value is False


async def test_a_grant_resumes_the_statement_once(held, nursery):
    table, holder = held
    waiter = Waiter(table, nursery, Patience(lock_timeout_s=5))
    assert waiter.resumed == 0
    table.release_all(holder)
    assert waiter.resumed == 1
    assert waiter.go_on() is True
    table.release_all(waiter.owner)


async def test_a_cancelled_wait_leaves_the_lock_to_the_next(held, nursery):
    table, holder = held
    first, second = Waiter(table, nursery), Waiter(table, nursery)
    first.wait.cancel()
    table.release_all(holder)
    assert (first.resumed, second.resumed) == (1, 1)
    with pytest.raises(QueryCanceledError, match="user request"):
        first.go_on()
    assert second.go_on() is True
    table.release_all(second.owner)


@pytest.mark.parametrize("first", ["grant", "cancellation"])
async def test_a_grant_and_a_cancellation_in_one_turn_leave_one_owner(held, nursery, first):
    table, holder = held
    waiter = Waiter(table, nursery)
    if first == "grant":
        table.release_all(holder)
        waiter.wait.cancel()
        assert table.holders(ROW) == {waiter.owner: FOR_UPDATE}
    else:
        waiter.wait.cancel()
        table.release_all(holder)
        assert table.holders(ROW) == {}
    assert waiter.resumed == 1
    with pytest.raises(QueryCanceledError):
        waiter.go_on()
    table.release_all(waiter.owner)  # The statement failed: its transaction ends.


@pytest.mark.parametrize("granted", [False, True])
async def test_a_session_that_ends_while_it_waits_leaves_nothing(held, nursery, granted):
    table, holder = held
    waiter = Waiter(table, nursery)
    if granted:
        table.release_all(holder)
    waiter.wait.cancel()
    table.release_all(waiter.owner)
    table.release_all(holder)


async def test_timeouts_end_the_wait(held, nursery, autojump_clock):
    table, holder = held
    by_lock = Waiter(table, nursery, Patience(lock_timeout_s=5, statement_s=9))
    by_statement = Waiter(table, nursery, Patience(lock_timeout_s=9, statement_s=5))
    await trio.sleep(6)
    with pytest.raises(LockNotAvailableError, match="due to lock timeout"):
        by_lock.go_on()
    with pytest.raises(QueryCanceledError, match="due to statement timeout"):
        by_statement.go_on()
    assert (by_lock.resumed, by_statement.resumed) == (1, 1)
    table.release_all(holder)


async def test_a_grant_in_time_is_not_undone_by_a_timeout_that_comes_in_the_same_turn(
    held, nursery, mock_clock
):
    table, holder = held
    waiter = Waiter(table, nursery, Patience(lock_timeout_s=5))
    await trio.testing.wait_all_tasks_blocked()
    table.release_all(holder)
    mock_clock.jump(6)  # The turn took longer than was left.
    await trio.testing.wait_all_tasks_blocked()
    assert waiter.go_on() is True
    assert waiter.resumed == 1
    other = LockOwner()
    assert not table.lock_nowait(other, ROW)
    table.release_all(waiter.owner)


async def test_a_deadlock_is_raised_before_anything_waits(nursery):
    table, one, two = LockTable(), LockOwner(), LockOwner()
    table.lock_nowait(one, "a")
    table.lock_nowait(two, "b")
    next(take(table, one, "b", FOR_UPDATE, FOREVER))
    with pytest.raises(DeadlockDetectedError):
        next(take(table, two, "a", FOR_UPDATE, FOREVER))
    table.release_all(two)
    table.release_all(one)
