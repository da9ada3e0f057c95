"""Threads that users share: no user has all of them, and each is counted until it has ended."""

import threading

import trio

from kalam_pg.query.user_threads import UserThreads

MALLORY, VICTIM = 1, 2


async def test_what_one_user_asks_for_leaves_a_thread_to_the_others():
    threads, go_on = UserThreads(3), threading.Event()
    both, begun = trio.Event(), list[int]()
    token = trio.lowlevel.current_trio_token()

    def long() -> None:
        begun.append(MALLORY)
        if len(begun) == 2:
            token.run_sync_soon(both.set)
        go_on.wait(10)

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(threads.run, MALLORY, long)
        await both.wait()
        assert await threads.run(VICTIM, lambda: "answered") == "answered"
        assert len(begun) == 2
        go_on.set()
    assert len(begun) == 50


async def test_a_thread_that_nobody_waits_for_any_more_still_counts():
    threads, go_on, begun = UserThreads(2), threading.Event(), trio.Event()
    token = trio.lowlevel.current_trio_token()

    def long() -> None:
        token.run_sync_soon(begun.set)
        go_on.wait(10)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(threads.run, MALLORY, long)
        await begun.wait()
        nursery.cancel_scope.cancel()
    with trio.move_on_after(0.05):
        await threads.run(MALLORY, lambda: None)
        raise AssertionError("it has no thread left")
    assert await threads.run(VICTIM, lambda: 1) == 1
    go_on.set()
    with trio.fail_after(10):
        assert await threads.run(MALLORY, lambda: 2) == 2
