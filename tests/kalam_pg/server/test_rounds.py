"""Rounds of the loop: what waits for their end, and what comes from other threads."""

import threading

import trio

from tests.kalam_pg.server.fakes import serving


async def test_a_callback_for_the_end_of_the_turn_runs_also_when_no_socket_is_ready():
    async with serving() as served:
        ran = trio.Event()
        served.loop.at_turn_end(ran.set)
        await ran.wait()


async def test_what_fails_at_the_end_of_a_turn_keeps_nobody_else_from_it():
    async with serving() as served:
        ran = trio.Event()

        def fails() -> None:
            raise ZeroDivisionError

        served.loop.at_turn_end(fails)
        served.loop.at_turn_end(ran.set)
        await ran.wait()
        await served.connect()


async def test_callbacks_from_threads_run_in_the_loops_thread_and_in_their_order():
    async with serving() as served:
        here = threading.get_ident()
        seen: list[tuple[int, int]] = []
        last = trio.Event()

        def note(number: int) -> None:
            seen.append((number, threading.get_ident()))
            if number == 99:
                last.set()

        def call() -> None:
            for number in range(100):
                served.loop.run_sync_soon(lambda n=number: note(n))

        await trio.to_thread.run_sync(call)
        await last.wait()
        assert seen == [(number, here) for number in range(100)]


async def test_a_callback_that_comes_after_the_end_of_the_loop_still_runs():
    async with serving() as served:
        loop = served.loop
    ran = trio.Event()
    await trio.to_thread.run_sync(loop.run_sync_soon, ran.set)
    await ran.wait()


async def test_work_that_goes_on_when_the_loop_is_ended_still_has_its_rounds():
    """A commit is waited for to its end: rounds make its group, and a thread has it published."""
    through: list[str] = []
    async with serving() as served:
        loop = served.loop
        await served.connect()
        (connection,) = loop._connections.values()
        begun = trio.Event()

        async def work() -> None:
            begun.set()
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True), trio.fail_after(5):
                    for soon in (loop.at_turn_end, loop.run_sync_soon):
                        ran = trio.Event()
                        soon(ran.set)
                        await ran.wait()
                        through.append(soon.__name__)

        loop.spawn(connection, work)
        await begun.wait()
    assert through == ["at_turn_end", "run_sync_soon"]
