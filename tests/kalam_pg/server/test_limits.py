"""Counting connections, failures and cancel requests."""

import pytest

from catalog.errors import TooManyConnectionsError
from kalam_pg.server.cancel import WINDOW_S, WRONG_KEYS_MAX, CancelRegistry
from kalam_pg.server.limits import (
    DELAY_MAX_S,
    FAILURES_FORGOTTEN_S,
    FAILURES_KEPT_MAX,
    ConnectionLimits,
    FailureBackoff,
)


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_one_more_than_the_total_is_refused_until_someone_goes():
    limits = ConnectionLimits(total=2)
    assert limits.connect("a") is None
    assert limits.connect("b") is None
    refusal = limits.connect("c")
    assert refusal is not None
    assert refusal.message == "sorry, too many clients already"
    limits.disconnect("c", None)
    limits.disconnect("a", None)
    assert limits.connect("d") is None


def test_those_who_have_not_said_who_they_are_have_a_limit_of_their_own():
    limits = ConnectionLimits(pre_authentication=1)
    assert limits.connect("a") is None
    assert limits.connect("b") is not None
    limits.disconnect("b", None)
    limits.authenticate("alice")
    assert limits.connect("b") is None


def test_one_address_cannot_take_all_and_unix_sockets_do_not_count():
    limits = ConnectionLimits(per_address=1)
    assert limits.connect("a") is None
    assert limits.connect("a") is not None
    assert limits.connect("b") is None
    assert [limits.connect("") for _ in range(3)] == [None, None, None]


def test_a_user_has_a_limit_and_a_refused_one_is_not_counted_for_it():
    limits = ConnectionLimits(per_user=1)
    limits.connect("a")
    limits.connect("b")
    limits.authenticate("alice")
    with pytest.raises(TooManyConnectionsError, match='role "alice"'):
        limits.authenticate("alice")
    limits.disconnect("b", None)
    limits.disconnect("a", "alice")
    limits.connect("a")
    limits.authenticate("alice")
    assert (limits.connected, limits.unauthenticated) == (1, 0)


def test_each_failure_makes_the_next_wait_longer_up_to_a_limit():
    backoff = FailureBackoff(Clock())
    delays = []
    for _ in range(12):
        delays.append(backoff.delay_s("a", "alice"))
        backoff.failed("a", "alice")
    assert delays[:5] == [0.0, 0.1, 0.2, 0.4, 0.8]
    assert delays[-1] == DELAY_MAX_S
    # The same user elsewhere is not locked out by it.
    assert backoff.delay_s("b", "alice") == 0.0
    backoff.succeeded("a", "alice")
    assert backoff.delay_s("a", "alice") == 0.0


def test_failures_are_forgotten_and_bounded():
    clock = Clock()
    backoff = FailureBackoff(clock)
    for _ in range(5):
        backoff.failed("a", "alice")
    clock.now += FAILURES_FORGOTTEN_S + 1
    assert backoff.delay_s("a", "alice") == 0.0
    backoff.failed("a", "alice")
    assert backoff.delay_s("a", "alice") == 0.1
    for number in range(FAILURES_KEPT_MAX):
        backoff.failed("a", f"user {number}")
    assert backoff.delay_s("a", "alice") == 0.0


def test_a_cancel_request_needs_number_and_key():
    cancelled = []
    registry = CancelRegistry(Clock())
    one = registry.register(lambda: cancelled.append(1))
    two = registry.register(lambda: cancelled.append(2))
    assert one != two
    assert registry.key(one, 2) != registry.key(two, 2)
    assert registry.request(one, registry.key(one, 2))
    assert registry.request(two, registry.key(two, 0))
    assert not registry.request(one, registry.key(two, 2))
    assert not registry.request(one, registry.key(one, 2)[:5])
    assert not registry.request(99, bytes(32))
    assert cancelled == [1, 2]
    registry.unregister(one)
    assert not registry.request(one, bytes(32))


def test_guessing_keys_is_limited():
    clock = Clock()
    registry = CancelRegistry(clock)
    one = registry.register(lambda: None)
    for _ in range(WRONG_KEYS_MAX):
        assert not registry.request(one, b"no!!")
    assert not registry.request(one, registry.key(one, 0))
    clock.now += WINDOW_S + 1
    assert registry.request(one, registry.key(one, 0))
