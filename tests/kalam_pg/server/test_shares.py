"""How long rounds of the event loop are shared out among users."""

from collections import deque

from kalam_pg.server.loop import Loop
from kalam_pg.server.shares import CALM_S, CROWDED_S, SHARE_S, Shares
from kalam_pg.wire.protocols import Peer


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def round_of(shares: Shares, clock: Clock, asked: list[str], step_s: float) -> list[str]:
    """Who had a step, each of which takes so long."""
    shares.begin()
    had = []
    for user in asked:
        if shares.may(user):
            had.append(user)
            clock.now_s += step_s
    return had


def test_one_user_with_many_sessions_has_little_of_a_round_and_others_have_their_steps():
    clock = Clock()
    shares = Shares(clock)
    asked = ["mallory"] * 20 + ["victim"] + ["mallory"] * 20 + ["victim", "other"]
    assert round_of(shares, clock, asked, SHARE_S * 0.6) == [
        *("mallory", "mallory", "victim", "victim", "other"),
    ]
    assert round_of(shares, clock, asked, SHARE_S * 3) == ["mallory", "victim", "other"]
    assert round_of(shares, clock, asked, 0.0) == asked


def test_what_is_done_for_everybody_is_nobodys_step():
    clock = Clock()
    shares = Shares(clock)
    for _ in range(3):  # Whoever was last in a round has nothing of it in the next.
        shares.begin()
        clock.now_s += SHARE_S * 4  # The commits of a round, for one.
        assert shares.may("last")
        clock.now_s += SHARE_S / 4
        shares.stop()
        clock.now_s += SHARE_S * 4
        assert shares.may("last")
    assert round_of(shares, clock, ["last"] * 3, SHARE_S * 2) == ["last"]


def test_time_is_shared_after_a_long_round_until_there_was_none_for_a_while():
    clock = Clock()
    shares = Shares(clock)
    shares.took(CROWDED_S / 2)
    assert not shares.crowded
    shares.took(CROWDED_S * 2)
    shares.rest()
    assert shares.crowded
    clock.now_s += CALM_S * 2
    assert shares.crowded
    shares.rest()
    assert not shares.crowded


class Waiting:
    """A connection that always has something to do."""

    def __init__(self, user: str, clock: Clock, ready: "deque[Waiting]") -> None:
        self.user = user
        self.peer = Peer("tcp", address="10.0.0.1")
        self.turns = 0
        self._clock = clock
        self._ready = ready

    def turn(self) -> None:
        self.turns += 1
        self._clock.now_s += 1.5 * SHARE_S
        self._ready.append(self)


def test_sessions_of_one_user_have_their_turns_in_turns():
    clock = Clock()
    loop = object.__new__(Loop)
    loop._ready = ready = deque()
    loop._shares = shares = Shares(clock)
    loop.guarded = lambda _connection, call: call()  # type: ignore[method-assign]
    all_of_them = [Waiting(user, clock, ready) for user in ("alice", "alice", "alice", "bob")]
    ready.extend(all_of_them)
    shares.took(2 * CROWDED_S)
    for _ in range(30):
        shares.took(2 * CROWDED_S)
        shares.begin()
        loop._give_turns()
    assert [one.turns for one in all_of_them] == [10, 10, 10, 30]


def test_who_has_not_shown_who_they_are_share_by_address():
    clock = Clock()
    shares = Shares(clock)
    shares.begin()
    had = []
    for user, address in (
        *[(None, "10.0.0.1"), (None, "10.0.0.1"), (None, "10.0.0.2"), (None, "10.0.0.1")],
        ("10.0.0.1", "10.0.0.1"),  # Who is called as an address is none of its strangers.
    ):
        had.append(shares.may(user, address))
        clock.now_s += SHARE_S * 2
    assert had == [True, False, True, False, True]
