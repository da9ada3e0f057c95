"""Locks: who waits, in which order, and when a wait is refused."""

import pytest
import trio
import trio.testing

from catalog.errors import DeadlockDetectedError, LockNotAvailableError
from kalam_pg.query.locks import LockOwner, LockTable


def test_a_lock_is_taken_once_and_its_owner_may_take_it_again():
    locks, one, two = LockTable(), LockOwner(), LockOwner()
    assert locks.lock_nowait(one, "a")
    assert locks.lock_nowait(one, "a")
    assert not locks.lock_nowait(two, "a")
    locks.release_all(one)
    assert locks.lock_nowait(two, "a")


async def test_waiters_get_the_lock_in_the_order_they_came(nursery):
    locks, holder = LockTable(), LockOwner()
    locks.lock_nowait(holder, "a")
    got: list[int] = []

    async def wait(number: int, owner: LockOwner) -> None:
        assert await locks.lock(owner, "a")
        got.append(number)
        locks.release_all(owner)

    for number in range(3):
        nursery.start_soon(wait, number, LockOwner())
        await trio.testing.wait_all_tasks_blocked()
    assert got == []
    locks.release_all(holder)
    await trio.testing.wait_all_tasks_blocked()
    assert got == [0, 1, 2]
    assert locks.lock_nowait(LockOwner(), "a")


async def test_a_wait_that_would_close_a_circle_is_refused(nursery):
    locks, one, two = LockTable(), LockOwner(), LockOwner()
    locks.lock_nowait(one, "a")
    locks.lock_nowait(two, "b")
    nursery.start_soon(locks.lock, one, "b")
    await trio.testing.wait_all_tasks_blocked()
    with pytest.raises(DeadlockDetectedError, match="deadlock detected"):
        await locks.lock(two, "a")
    locks.release_all(two)
    await trio.testing.wait_all_tasks_blocked()
    assert one.held == ["a", "b"]


async def test_a_lock_just_handed_on_is_waited_for_like_any_other(nursery):
    """Its new owner has it, but has not run since: it does not wait any more."""
    locks, first, second, third = LockTable(), LockOwner(), LockOwner(), LockOwner()
    locks.lock_nowait(first, "a")
    nursery.start_soon(locks.lock, second, "a")
    await trio.testing.wait_all_tasks_blocked()
    locks.release_all(first)
    assert second.waiting_for is None
    nursery.start_soon(locks.lock, third, "a")
    await trio.testing.wait_all_tasks_blocked()
    assert second.held == ["a"]
    locks.release_all(second)
    await trio.testing.wait_all_tasks_blocked()
    assert third.held == ["a"]


async def test_a_wait_ends_at_the_lock_timeout_and_leaves_the_queue(autojump_clock):
    locks, one, two = LockTable(), LockOwner(), LockOwner()
    locks.lock_nowait(one, "a")
    with pytest.raises(LockNotAvailableError, match="canceling statement due to lock timeout"):
        await locks.lock(two, "a", timeout_s=5)
    locks.release_all(one)
    assert locks.lock_nowait(LockOwner(), "a")


async def test_a_cancelled_waiter_does_not_keep_the_lock(nursery):
    locks, holder, waiter = LockTable(), LockOwner(), LockOwner()
    locks.lock_nowait(holder, "a")
    with trio.CancelScope() as scope:
        scope.cancel()
        await locks.lock(waiter, "a")
    locks.release_all(holder)
    assert locks.lock_nowait(LockOwner(), "a")


async def test_a_definition_waits_for_writers_and_keeps_new_ones_out(nursery):
    locks, writer, definer, late = LockTable(), LockOwner(), LockOwner(), LockOwner()
    assert locks.write_table_nowait(writer, 7)
    defined = trio.Event()

    async def define() -> None:
        await locks.define_table(definer, 7)
        defined.set()

    nursery.start_soon(define)
    await trio.testing.wait_all_tasks_blocked()
    assert not defined.is_set()
    locks.release_all(writer)
    await trio.testing.wait_all_tasks_blocked()
    assert defined.is_set()
    assert not locks.write_table_nowait(late, 7)
    locks.release_all(definer)
    assert locks.write_table_nowait(late, 7)
