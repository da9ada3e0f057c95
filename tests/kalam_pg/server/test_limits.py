"""Counting connections, failures and cancel requests."""

import pytest

from catalog.errors import TooManyConnectionsError
from kalam_pg.server.cancel import CancelRegistry
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
    limits.authenticate("alice", "a")
    assert limits.connect("b") is None


def test_one_address_cannot_take_all_and_unix_sockets_do_not_count():
    limits = ConnectionLimits(per_address=1)
    assert limits.connect("a") is None
    assert limits.connect("a") is not None
    assert limits.connect("b") is None
    assert [limits.connect("") for _ in range(3)] == [None, None, None]


def test_unix_sockets_have_places_of_their_own():
    limits = ConnectionLimits(total=2, pre_authentication=2, reserved=1)
    assert [limits.connect("a"), limits.connect("b")] == [None, None]
    assert limits.connect("c") is not None
    limits.disconnect("c", None)
    assert limits.connect("") is None
    assert limits.connect("") is not None
    assert (limits.unauthenticated, limits.is_full) == (2, True)


def test_who_guesses_passwords_counts_as_one_who_is_not_known_for_a_while():
    limits = ConnectionLimits(pre_authentication=2)
    limits.hold("a")
    limits.hold("a")
    assert limits.is_full
    assert limits.crowd("b") == "a"
    assert limits.crowd("a") == ""
    limits.let_go("a")
    assert not limits.is_full


def test_a_user_has_a_limit_and_a_refused_one_is_not_counted_for_it():
    limits = ConnectionLimits(per_user=1)
    limits.connect("a")
    limits.connect("b")
    limits.authenticate("alice", "a")
    with pytest.raises(TooManyConnectionsError, match='role "alice"'):
        limits.authenticate("alice", "b")
    limits.disconnect("b", None)
    limits.disconnect("a", "alice")
    limits.connect("a")
    limits.authenticate("alice", "a")
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
    registry = CancelRegistry()
    one = registry.register(lambda: cancelled.append(1))
    two = registry.register(lambda: cancelled.append(2))
    assert one != two
    assert registry.key(one, 2) != registry.key(two, 2)
    assert registry.request(one, registry.key(one, 2))
    assert registry.request(two, registry.key(two, 0))
    assert len(registry.key(two, 0)) == 4
    assert not registry.request(one, registry.key(two, 2))
    assert not registry.request(one, registry.key(one, 2)[:5])
    assert not registry.request(99, bytes(32))
    assert cancelled == [1, 2]
    registry.unregister(one)
    assert not registry.request(one, bytes(32))


def test_a_right_key_works_whatever_wrong_ones_came():
    cancelled = []
    registry = CancelRegistry()
    one = registry.register(lambda: cancelled.append(1))
    key = registry.key(one, 0)
    for _ in range(1000):
        assert not registry.request(one, b"no!!")
    assert registry.request(one, key)
    assert cancelled == [1]


def test_a_key_is_good_at_its_full_length_only():
    registry = CancelRegistry()
    new, old = registry.register(lambda: None), registry.register(lambda: None)
    long, short = registry.key(new, 2), registry.key(old, 0)
    assert (len(long), len(short)) == (32, 4)
    assert not any(registry.request(new, long[:size]) for size in range(32))
    assert registry.request(new, long)
    assert registry.request(old, short)
