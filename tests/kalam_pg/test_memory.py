"""The accounts of memory, held to a model of plain sums."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import OutOfMemoryError
from kalam_pg.memory import OWN_BYTES, STEP, Accounts

KINDS = ("input", "portals", "changed rows")
SESSION_MAX, SERVER_MAX = 40 * STEP, 100 * STEP

SIZES = st.one_of(
    st.integers(-3 * STEP, 3 * STEP),
    st.integers(-40, 40),
    st.integers(0, 50).map(lambda n: n * STEP),
)
STEPS = st.lists(
    st.tuples(
        st.integers(0, 7),
        st.sampled_from(KINDS),
        st.sampled_from(("add", "set", "note", "close")),
        SIZES,
    ),
    max_size=120,
)


class Session:
    """What the model knows of one: sums by kind, and whether it was ended."""

    def __init__(self, accounts, user):
        self.account = accounts.open(user)
        self.user = user
        self.account.end = self.end
        self.held = dict.fromkeys(KINDS, 0)
        self.ended = None
        self.closed = False

    def end(self, error):
        assert self.ended is None, "a session is ended once"
        self.ended = error

    @property
    def counts(self):
        return self.ended is None and not self.closed

    @property
    def total(self):
        return sum(self.held.values())


@given(STEPS)
def test_what_accounts_say_is_what_their_sessions_hold_but_for_a_step_of_each_kind(steps):
    accounts = Accounts(SESSION_MAX, SERVER_MAX)
    sessions = [Session(accounts, number % 3) for number in range(8)]
    slack, noted = STEP * len(KINDS), False
    for number, kind, what, size in steps:
        session = sessions[number]
        if not session.counts:
            continue
        holding = session.account.holding(kind)
        before = [one.ended for one in sessions]
        old = session.held[kind]
        new = old + size if what == "add" else size
        if what == "close":
            session.account.close()
            session.closed, session.held = True, dict.fromkeys(KINDS, 0)
            continue
        if new < 0:
            continue
        try:
            if what == "note":
                holding.note(new)
            elif what == "set":
                holding.set(new)
            else:
                holding.add(size)
            session.held[kind] = new
        except OutOfMemoryError:
            assert holding.bytes == old, "nothing has changed"
            everybody = sum(one.total for one in sessions if one.counts)
            assert session.total + size > SESSION_MAX - slack or (
                everybody + size > SERVER_MAX - 8 * slack
            )
        for one, was in zip(sessions, before, strict=True):
            if one.ended is not None and was is None:
                assert one is not session, "who asks is refused, not ended"
                assert one.user != session.user, "nobody is ended for what their own user asks"
        assert session.account.total == pytest.approx(session.total, abs=slack)
        counted = sum(one.total for one in sessions if one.counts)
        assert accounts.total == pytest.approx(counted, abs=8 * slack)
        noted = noted or what == "note"
        if not noted:
            assert accounts.total <= SERVER_MAX
            assert all(one.account.total <= SESSION_MAX for one in sessions if one.counts)


def test_small_changes_are_not_told_and_cost_no_account_anything():
    accounts = Accounts(SESSION_MAX, SERVER_MAX)
    holding = accounts.open(1).holding("input")
    for _ in range(STEP - 1):
        holding.add(1)
    assert accounts.total == 0
    holding.add(1)
    assert accounts.total == STEP
    holding.set(1)
    assert accounts.total == STEP  # A byte less than a step was given back.
    holding.set(0)
    assert accounts.total == 0


def test_a_session_is_refused_beyond_its_bound_and_told_what_holds_how_much():
    accounts = Accounts(SESSION_MAX, SERVER_MAX)
    account = accounts.open(1)
    account.holding("portals").add(30 * STEP)
    account.holding("input").add(5)
    with pytest.raises(OutOfMemoryError, match="out of memory") as caught:
        account.holding("changed rows").add(11 * STEP)
    assert caught.value.sqlstate == "53200"
    assert caught.value.detail == (
        f"Failed on request of size {11 * STEP}: this session holds 1 MB (portals 1 MB), "
        "and it may hold 2 MB."
    )
    assert "session_memory_max" in caught.value.hint
    account.holding("changed rows").add(10 * STEP)
    assert account.total == SESSION_MAX


def test_beyond_the_servers_bound_the_user_who_holds_most_gives_way():
    accounts = Accounts(SESSION_MAX, SERVER_MAX)
    ended = []

    def session(user, name, size):
        account = accounts.open(user)
        account.end = lambda error: ended.append((name, error.sqlstate))
        account.holding("changed rows").add(size)
        return account

    first = session(1, "first", 30 * STEP)
    session(1, "largest", 38 * STEP)
    other = session(2, "other", 20 * STEP)
    with pytest.raises(OutOfMemoryError) as caught:  # Its user holds most.
        first.holding("portals").add(10 * STEP + 13 * STEP // 2)
    with pytest.raises(OutOfMemoryError) as caught:
        session(1, "third", 13 * STEP)
    assert "memory_max" in caught.value.hint
    assert "20" not in caught.value.detail, "nothing is told of what others hold"
    assert not ended
    other.holding("portals").add(19 * STEP)
    assert ended == [("largest", "57P01")]
    assert accounts.total == (30 + 39) * STEP


def test_what_a_session_held_counts_for_nobody_when_it_has_ended():
    accounts = Accounts(SESSION_MAX, SERVER_MAX)
    account = accounts.open(1)
    lease = account.holding("parameters").lease(10 * STEP)
    lease.grow(5 * STEP)
    assert accounts.total == 15 * STEP
    account.close()
    account.close()
    assert accounts.total == 0
    lease.end()
    lease.end()
    assert accounts.total == 0


def test_without_bounds_nothing_is_refused():
    account = Accounts().open(1)
    account.holding("input").add(1 << 50)
    account.check(1 << 50)
    assert account.room > 1 << 60


def test_what_can_be_read_again_gives_way_before_any_session():
    accounts, kept, ended = Accounts(0, SERVER_MAX), [60 * STEP], []
    accounts.cached = lambda: kept[0]
    accounts.shrink = lambda most: kept.append(min(kept.pop(), most))
    account = accounts.open(1)
    account.end = ended.append
    account.holding("portals").add(40 * STEP)
    assert kept == [60 * STEP]
    account.holding("portals").add(STEP)
    assert kept[0] < 60 * STEP
    accounts.open(2).holding("portals").add(50 * STEP)
    assert not ended


def test_what_the_server_itself_takes_leaves_less_for_sessions_but_half_of_all():
    accounts = Accounts(0, 10 * OWN_BYTES)
    large, small = Session(accounts, 1), Session(accounts, 2)
    large.account.grow(6 * OWN_BYTES)
    accounts.own = lambda: 4 * OWN_BYTES  # Of which one is nobody's business.
    with pytest.raises(OutOfMemoryError):
        large.account.grow(2 * OWN_BYTES)
    small.account.grow(OWN_BYTES)
    assert large.ended is None
    small.account.grow(1)
    assert large.ended is not None
    accounts.own = lambda: 100 * OWN_BYTES
    small.account.grow(4 * OWN_BYTES - 1)
    with pytest.raises(OutOfMemoryError):
        small.account.grow(1)
