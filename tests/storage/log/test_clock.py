"""Numbers only go up, stay under a durable reservation, and keep their node's bits."""

from hypothesis import given
from hypothesis import strategies as st

from storage.log.clock import EPOCH_MS, HybridClock, Reservation, SystemClock, seq_at, us_of

NOON_MS = EPOCH_MS + 50_000_000_000


class ManualClock:
    """A clock that says what it is told."""

    def __init__(self, ms=NOON_MS):
        self.ms = ms

    def now_us(self):
        return self.ms * 1000


def counter(clock, *, node=5, last=0, through=0):
    durable = []
    reservation = Reservation(clock, through, durable.append)
    return HybridClock(reservation, node, last), reservation, durable


def fields(number):
    return (number >> 22) + EPOCH_MS, (number >> 12) & 1023, number & 4095


def test_a_number_is_time_node_and_counter():
    clock = ManualClock()
    numbers, _, _ = counter(clock)
    assert fields(numbers.next()) == (NOON_MS, 5, 0)
    assert fields(numbers.next()) == (NOON_MS, 5, 1)
    clock.ms += 1
    assert fields(numbers.next()) == (NOON_MS + 1, 5, 0)


def test_a_number_may_follow_another_without_a_look_at_the_clock():
    clock = ManualClock()
    numbers, reservation, durable = counter(clock)
    assert fields(numbers.next()) == (NOON_MS, 5, 0)
    clock.ms += 7
    assert fields(numbers.follow()) == (NOON_MS, 5, 1)
    for _ in range(4094):
        numbers.follow()
    assert fields(numbers.last) == (NOON_MS, 5, 4095)
    assert fields(numbers.follow()) == (NOON_MS + 7, 5, 0)
    reservation.through = numbers.last
    written = len(durable)
    number = numbers.follow()
    assert len(durable) == written + 1
    assert durable[-1] > number


def test_a_used_up_counter_borrows_the_next_millisecond_and_never_the_nodes_bits():
    numbers, _, _ = counter(ManualClock(), node=1023)
    given_ = [numbers.next() for _ in range(4096 * 2 + 1)]
    assert fields(given_[4095]) == (NOON_MS, 1023, 4095)
    assert fields(given_[4096]) == (NOON_MS + 1, 1023, 0)
    assert fields(given_[8192]) == (NOON_MS + 2, 1023, 0)
    assert given_ == sorted(set(given_))


@given(st.lists(st.integers(-5000, 5000), max_size=60), st.integers(0, 1023))
def test_numbers_go_up_whatever_the_clock_does(steps, node):
    clock = ManualClock()
    numbers, reservation, durable = counter(clock, node=node)
    last = 0
    for step in steps:
        clock.ms += step
        number = numbers.next()
        assert number > last
        assert fields(number)[1] == node
        assert number <= reservation.through == durable[-1]
        last = number


@given(st.lists(st.tuples(st.integers(-20_000, 20_000), st.integers(1, 3)), min_size=1, max_size=8))
def test_no_number_is_given_twice_over_restarts_when_only_the_reservation_survives(lives):
    clock = ManualClock()
    through, seen = 0, set()
    for step, count in lives:
        clock.ms += step
        numbers, reservation, _ = counter(clock, last=through, through=through)
        for _ in range(count):
            number = numbers.next()
            assert number not in seen
            seen.add(number)
        through = reservation.through


def test_a_restart_with_another_node_keeps_going_up():
    clock = ManualClock()
    numbers, _, _ = counter(clock, node=700)
    last = numbers.next()
    other, _, _ = counter(clock, node=3, last=last)
    number = other.next()
    assert number > last
    assert fields(number)[1] == 3


def test_two_counters_share_a_reservation_and_pass_it_neither():
    clock = ManualClock()
    durable = []
    reservation = Reservation(clock, 0, durable.append)
    one, two = HybridClock(reservation, 1, 0), HybridClock(reservation, 1, 0)
    one.next()
    two.next()
    assert len(durable) == 1
    clock.ms += 11_000  # Beyond the ten seconds that were reserved.
    assert two.next() <= durable[-1]
    assert len(durable) == 2


def test_a_reservation_is_extended_early_only_when_it_is_short():
    clock = ManualClock()
    numbers, reservation, durable = counter(clock)
    last = numbers.next()
    reservation.extend_early(last)
    assert len(durable) == 1
    clock.ms += 6_000
    reservation.extend_early(last)
    assert len(durable) == 2
    numbers.next()
    assert len(durable) == 2


def test_a_reservation_that_cannot_be_made_durable_gives_no_number():
    def refuse(_through):
        raise OSError

    numbers = HybridClock(Reservation(ManualClock(), 0, refuse), 0, 0)
    for _ in range(2):
        try:
            number = numbers.next()
        except OSError:
            number = None
        assert number is None


def test_the_time_of_a_number_is_its_millisecond():
    now_us = SystemClock().now_us()
    assert us_of(seq_at(now_us)) == now_us // 1000 * 1000
