"""A background step that fails is logged, backed off and tried again, and costs nobody else anything."""

from itertools import pairwise

import pytest
import structlog
import trio

from kalam_pg.supervision import Backoff, Supervisor, ending_of, failure_of, guarded, persist


class PanicError(BaseException):
    """As an extension module's: no Exception."""


@pytest.fixture
def lines():
    with structlog.testing.capture_logs() as found:
        yield found


def times(limit, failing=lambda _count: False, error=ValueError):
    """A step that notes when it ran, and fails when told to."""
    ran = []

    async def step():
        ran.append(trio.current_time())
        if failing(len(ran)):
            raise error("secret")
        await trio.lowlevel.checkpoint()

    return ran, step


def gaps(ran):
    return [round(after - before) for before, after in pairwise(ran)]


async def test_a_step_is_repeated_a_period_after_it_ended(autojump_clock):
    ran, step = times(4)
    async with Supervisor() as supervisor:
        began = trio.current_time()
        supervisor.every("tick", 5.0, step)
        await trio.sleep(21)
    assert round(ran[0] - began) == 5
    assert gaps(ran) == [5, 5, 5]


async def test_a_step_may_begin_at_once(autojump_clock):
    ran, step = times(4)
    async with Supervisor() as supervisor:
        supervisor.every("tick", 5.0, step, at_once=True)
        await trio.sleep(6)
    assert gaps(ran) == [5]


async def test_a_step_that_fails_pauses_longer_each_time_and_then_goes_on_as_before(
    autojump_clock, lines
):
    ran, step = times(0, lambda count: 2 <= count <= 9)
    async with Supervisor() as supervisor:
        supervisor.every("tick", 1.0, step)
        await trio.sleep(200)
    assert gaps(ran)[:11] == [1, 1, 2, 4, 8, 16, 32, 60, 60, 1, 1]
    assert len(lines) == 8
    assert lines[0]["task"] == "tick"
    assert lines[0]["error"] == "ValueError"


@pytest.mark.parametrize("error", [ValueError, OSError, PanicError])
async def test_a_task_that_fails_ends_nobody_else(autojump_clock, lines, error):
    ran, step = times(0)
    _, failing = times(0, lambda _count: True, error)
    async with Supervisor() as supervisor:
        supervisor.every("good", 1.0, step)
        supervisor.every("bad", 1.0, failing)
        supervisor.soon("once", failing)
        await trio.sleep(10.5)
    assert len(ran) == 10
    assert {line["task"] for line in lines} == {"bad", "once"}


async def test_a_step_that_is_woken_has_its_turn_now_and_once(autojump_clock):
    ran, step = times(0)
    async with Supervisor() as supervisor:
        periodic = supervisor.every("rare", float("inf"), step)
        await trio.sleep(100)
        assert not ran
        for _ in range(3):
            periodic.wake()
        await trio.sleep(1)
    assert len(ran) == 1


async def test_who_is_woken_during_its_turn_has_another(autojump_clock):
    turns = []
    async with Supervisor() as supervisor:

        async def step():
            turns.append(trio.current_time())
            await trio.sleep(2)

        periodic = supervisor.every("rare", float("inf"), step, at_once=True)
        await trio.sleep(1)
        periodic.wake()
        await trio.sleep(10)
    assert gaps(turns) == [2]


async def test_waking_does_not_shorten_the_pause_of_a_failure(autojump_clock, lines):
    ran, step = times(0, lambda _count: True)
    async with Supervisor() as supervisor:
        periodic = supervisor.every("rare", float("inf"), step, at_once=True)
        for _ in range(70):
            periodic.wake()
            await trio.sleep(0.1)
    assert gaps(ran) == [1, 2]


async def test_the_end_of_the_supervisor_ends_everything(autojump_clock):
    ended = []

    async def forever():
        try:
            await trio.sleep_forever()
        finally:
            ended.append(1)

    async with Supervisor() as supervisor:
        supervisor.soon("one", forever)
        supervisor.every("two", 1.0, forever)
        await trio.sleep(2)
        assert supervisor.running
    assert ended == [1, 1]
    assert not supervisor.running
    supervisor.soon("late", forever)  # Nothing comes of it.


async def test_what_the_caller_raises_comes_through_as_it_is(autojump_clock):
    async def raising():
        async with Supervisor() as supervisor:
            supervisor.soon("one", trio.sleep_forever)
            raise KeyError

    with pytest.raises(KeyError):
        await raising()


async def test_a_failure_beside_a_cancellation_is_logged_and_the_cancellation_goes_on(lines):
    async def failing():
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("on the way out")

    async def both():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(failing)
            nursery.start_soon(trio.sleep_forever)

    async with Supervisor() as supervisor:
        supervisor.soon("both", both)
        await trio.testing.wait_all_tasks_blocked()
    assert [line["error"] for line in lines] == ["ValueError from Cancelled"]


async def test_persisting_answers_at_last(autojump_clock, lines):
    ran, step = times(0, lambda count: count < 3)

    async def answering():
        await step()
        return "answer"

    assert await persist("worker", answering) == "answer"
    assert gaps(ran) == [1, 2]


def test_what_ends_a_task_is_told_from_what_fails():
    bug = ValueError("bug")
    ending = KeyboardInterrupt()
    assert (failure_of(bug), ending_of(bug)) == (bug, None)
    assert (failure_of(ending), ending_of(ending)) == (None, ending)
    inner = BaseExceptionGroup("inner", [bug, ending])
    group = BaseExceptionGroup("outer", [inner])
    assert failure_of(group) is bug
    found = ending_of(group)
    assert isinstance(found, BaseExceptionGroup)
    assert found.exceptions[0].exceptions == (ending,)


def test_pauses_double_up_to_a_limit():
    backoff = Backoff()
    assert [backoff.failed() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    for _ in range(5000):
        assert backoff.failed() == 60


def test_a_callback_that_fails_is_logged(lines):
    def failing():
        raise ValueError

    guarded(failing)
    assert lines[0]["event"] == "callback failed"
