"""The table of states is complete, and says what the manual says."""

from typing import get_args

import pytest

from kalam_pg.pgwire.errors import ProtocolViolationError
from kalam_pg.pgwire.messages import (
    AuthenticationData,
    Bind,
    Close,
    CopyData,
    CopyDone,
    CopyFail,
    Describe,
    Execute,
    Flush,
    FrontendMessage,
    FunctionCall,
    Parse,
    Query,
    Sync,
    Terminate,
)
from kalam_pg.pgwire.states import EVENTS, TRANSITIONS, Event, State, after, legal, step

EXAMPLES = {
    type(message): message
    for message in (
        Query("SELECT 1"), Parse("", "SELECT 1"), Bind("", ""), Describe("P", ""), Execute(""),
        Close("P", ""), Flush(), Sync(), Terminate(), CopyData(b""), CopyDone(), CopyFail(""),
        FunctionCall(1), AuthenticationData(b""),
    )
}  # fmt: skip
READY = [State.IDLE, State.FAILED, State.EXTENDED]


def test_the_table_has_every_state_and_the_examples_every_message():
    assert set(TRANSITIONS) == set(EVENTS) == set(State)
    assert set(EXAMPLES) == set(get_args(FrontendMessage))


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("message", EXAMPLES.values(), ids=lambda message: type(message).__name__)
def test_step_takes_what_is_legal_and_refuses_the_rest(state, message):
    if legal(state, message):
        reached, handled = step(state, message)
        assert reached in State
        assert handled or reached is state
    else:
        with pytest.raises(ProtocolViolationError):
            step(state, message)


@pytest.mark.parametrize("state", [state for state in State if state is not State.CLOSED])
def test_a_client_may_always_say_goodbye(state):
    assert step(state, Terminate()) == (State.CLOSED, True)


def test_only_authentication_comes_before_authentication():
    accepted = {kind for kind, message in EXAMPLES.items() if legal(State.STARTUP, message)}
    assert accepted == {AuthenticationData, Terminate}
    assert not any(legal(state, AuthenticationData(b"")) for state in READY)


def test_an_error_in_an_extended_query_drops_everything_up_to_sync():
    state, _ = step(State.IDLE, Parse("", "SELEC"))
    state = after(state, Event.ERROR)
    for message in (Bind("", ""), Execute(""), Query("SELECT 1"), Flush(), CopyData(b"")):
        assert step(state, message) == (State.SKIP, False)
    state, handled = step(state, Sync())
    assert handled
    assert after(state, Event.READY_FAILED) is State.FAILED


def test_an_error_in_a_simple_query_drops_nothing():
    state, _ = step(State.IDLE, Query("SELEC"))
    assert after(state, Event.ERROR) is State.IDLE


@pytest.mark.parametrize(
    ("begin", "during", "ended", "failed"),
    [
        (Query("COPY t FROM STDIN"), State.COPY_IN, State.IDLE, State.IDLE),
        (Execute(""), State.COPY_IN_EXTENDED, State.EXTENDED, State.SKIP),
    ],
)
def test_copy_in_takes_data_and_ignores_flush_and_sync(begin, during, ended, failed):
    state, _ = step(State.IDLE, begin)
    state = after(state, Event.COPY_IN)
    assert state is during
    assert step(state, CopyData(b"x")) == (during, True)
    assert step(state, Flush()) == step(state, Sync()) == (during, False)
    with pytest.raises(ProtocolViolationError) as raised:
        step(state, Query("SELECT 1"))
    assert not raised.value.fatal
    assert step(state, CopyDone()) == step(state, CopyFail("")) == (ended, True)
    assert after(state, Event.ERROR) is failed


@pytest.mark.parametrize("state", READY)
def test_what_a_failed_copy_left_behind_is_dropped(state):
    for message in (CopyData(b""), CopyDone(), CopyFail("")):
        assert step(state, message) == (state, False)


def test_an_event_that_cannot_happen_is_a_bug():
    with pytest.raises(AssertionError):
        after(State.CLOSED, Event.READY)
