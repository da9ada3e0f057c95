"""Timers come in order, once, and not when cancelled; the clock is trio's mock one."""

import trio

from kalam_pg.server.timers import Timers


async def test_they_run_in_order_of_their_time(autojump_clock, nursery):
    timers, ran = Timers(), []
    nursery.start_soon(timers.run)
    for delay in (3.0, 1.0, 2.0):
        timers.call_later(delay, lambda delay=delay: ran.append((delay, trio.current_time())))
    await trio.sleep(10)
    assert [delay for delay, _ in ran] == [1.0, 2.0, 3.0]
    assert [round(at - ran[0][1], 3) for _, at in ran] == [0.0, 1.0, 2.0]
    nursery.cancel_scope.cancel()


async def test_one_that_is_sooner_than_all_others_wakes_the_task(autojump_clock, nursery):
    timers, ran = Timers(), []
    nursery.start_soon(timers.run)
    timers.call_later(100.0, lambda: ran.append("late"))
    await trio.sleep(1)
    timers.call_later(1.0, lambda: ran.append("soon"))
    await trio.sleep(2)
    assert ran == ["soon"]
    nursery.cancel_scope.cancel()


async def test_a_cancelled_one_does_not_run(autojump_clock, nursery):
    timers, ran = Timers(), []
    nursery.start_soon(timers.run)
    timer = timers.call_later(1.0, lambda: ran.append("cancelled"))
    timers.call_later(2.0, lambda: ran.append("kept"))
    timer.cancel()
    timer.cancel()
    await trio.sleep(5)
    assert ran == ["kept"]
    nursery.cancel_scope.cancel()


async def test_cancelled_ones_do_not_pile_up(autojump_clock, nursery):
    timers = Timers()
    nursery.start_soon(timers.run)
    kept = []
    timers.call_later(60.0, lambda: kept.append(1))
    for _ in range(10_000):
        timers.call_later(30.0, lambda: kept.append(0)).cancel()
    assert timers.pending < 3000
    await trio.sleep(61)
    assert kept == [1]
    nursery.cancel_scope.cancel()
