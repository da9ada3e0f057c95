"""LISTEN and NOTIFY as plain data, against a model of PostgreSQL's rules for each user."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from catalog.errors import InvalidParameterValueError
from kalam_pg.live.channels import Channels, Listener, Notification, Pending
from storage.ids import NO_USER

ALICE, BOB = 7, 8


def pending(*notified: tuple[int, str, str]) -> Pending:
    made = Pending()
    for user, channel, payload in notified:
        made.notify(user, channel, payload)
    return made


def listener(channels: Channels, user: int, *names: str, bytes_max: int = 10_000) -> Listener:
    made = Listener(channels, user, lambda: None, lambda: None, bytes_max)
    listen(made, *names)
    return made


def listen(to: Listener, *names: str, user: int | None = None) -> tuple[str, ...]:
    asked = Pending()
    for name in names:
        asked.listen(to.user if user is None else user, name)
    return to.commit(to.user, asked.asked)


def heard(by: Listener) -> list[tuple[str, str]]:
    return [(told.channel, told.payload) for told in by.take()]


def test_a_notification_reaches_every_session_of_its_user_that_listens_and_nobody_else():
    channels = Channels()
    both = [listener(channels, ALICE, "a"), listener(channels, ALICE, "a", "b")]
    others = [listener(channels, BOB, "a"), listener(channels, ALICE, "b")]
    channels.publish(3, pending((ALICE, "a", "x")))
    assert [each.take() for each in both] == [[Notification(3, "a", "x")]] * 2
    assert [each.take() for each in others] == [[], []]


def test_the_same_notification_of_one_transaction_is_told_once_where_it_came_first():
    channels = Channels()
    ear = listener(channels, ALICE, "a", "b")
    channels.publish(
        1,
        pending((ALICE, "a", "1"), (ALICE, "b", "1"), (ALICE, "a", "2"), (ALICE, "a", "1")),
    )
    assert heard(ear) == [("a", "1"), ("b", "1"), ("a", "2")]


def test_an_announcement_reaches_every_user_that_listens_for_it():
    channels = Channels()
    ears = [listener(channels, ALICE, "*:news"), listener(channels, BOB, "*:news")]
    channels.publish(1, pending((ALICE, "*:news", "x")))
    assert [heard(ear) for ear in ears] == [[("*:news", "x")]] * 2


def test_a_savepoint_takes_back_what_was_asked_since():
    asked = pending((ALICE, "a", "1"))
    asked.listen(ALICE, "a")
    mark = asked.mark()
    asked.notify(ALICE, "a", "2")
    asked.notify(ALICE, "a", "1")
    asked.unlisten(ALICE, None)
    asked.back_to(mark)
    assert list(asked.notified) == [(ALICE, "a", "1")]
    assert [(one.listen, one.channel) for one in asked.asked] == [(True, "a")]


def test_requests_count_in_their_order():
    ear = listener(Channels(), ALICE)
    asked = Pending()
    for name in ("a", "b", "c"):
        asked.listen(ALICE, name)
    asked.unlisten(ALICE, "b")
    ear.commit(ALICE, asked.asked)
    assert list(ear.names) == ["a", "c"]
    asked.unlisten(ALICE, None)
    asked.listen(ALICE, "d")
    ear.commit(ALICE, asked.asked)
    assert list(ear.names) == ["d"]


def test_what_has_come_of_a_channel_is_forgotten_with_it():
    channels = Channels()
    ear = listener(channels, ALICE, "a", "b")
    channels.publish(1, pending((ALICE, "a", "1"), (ALICE, "b", "2")))
    asked = Pending()
    asked.unlisten(ALICE, "a")
    ear.commit(ALICE, asked.asked)
    assert heard(ear) == [("b", "2")]
    assert ear.heard_bytes == 0


def test_another_user_has_other_channels_and_those_of_before_end():
    channels = Channels()
    ear = listener(channels, ALICE, "a", "*:news", "b")
    assert ear.commit(BOB, ()) == ("a", "b")
    channels.publish(1, pending((ALICE, "a", "1"), (BOB, "a", "2"), (BOB, "*:news", "3")))
    assert heard(ear) == [("*:news", "3")]
    assert listen(ear, "a", user=BOB) == ()
    channels.publish(1, pending((ALICE, "a", "1"), (BOB, "a", "2")))
    assert heard(ear) == [("a", "2")]
    assert ear.commit(ALICE, ()) == ("a",)
    assert list(ear.names) == ["*:news"]


def test_what_was_asked_as_somebody_the_session_is_no_more_has_ended_at_once():
    ear = listener(Channels(), ALICE, "a")
    assert listen(ear, "x", "*:y", user=BOB) == ("x",)
    assert list(ear.names) == ["a", "*:y"]


def test_a_listener_that_takes_nothing_is_ended_and_costs_nobody_else_anything():
    channels = Channels()
    ended: list[str] = []
    slow = Listener(channels, ALICE, lambda: None, lambda: ended.append("slow"), 1000)
    listen(slow, "a", "b")
    other = listener(channels, ALICE, "a", bytes_max=100_000)
    for number in range(50):
        channels.publish(1, pending((ALICE, "a", str(number))))
    assert ended == ["slow"]
    assert (slow.take(), slow.heard_bytes, list(slow.names)) == ([], 0, [])
    assert heard(other) == [("a", str(number)) for number in range(50)]
    other.close()
    assert len(channels) == 0


def test_a_listener_that_raises_costs_itself_and_not_the_commit():
    channels = Channels()

    def fail() -> None:
        raise RuntimeError("a bug")

    broken = Listener(channels, ALICE, fail, lambda: None)
    listen(broken, "a")
    other = listener(channels, ALICE, "a")
    channels.publish(1, pending((ALICE, "a", "1")))
    assert heard(other) == [("a", "1")]
    assert not broken.names


def test_a_listener_takes_as_much_as_it_wants_in_order():
    channels = Channels()
    ear = listener(channels, ALICE, "a", bytes_max=100_000)
    for number in range(100):
        channels.publish(1, pending((ALICE, "a", str(number))))
    taken: list[tuple[str, str]] = []
    while ear.waits:
        part = [(told.channel, told.payload) for told in ear.take(1000)]
        assert 0 < len(part) < 20
        taken += part
    assert taken == [("a", str(number)) for number in range(100)]
    assert ear.usage == 0


def test_usage_is_that_of_the_fullest_queue_among_the_users_sessions():
    channels = Channels()
    ear = listener(channels, ALICE, "a")
    full = listener(channels, ALICE, "a", bytes_max=300)
    listener(channels, BOB, "a", bytes_max=200)
    channels.publish(1, pending((ALICE, "a", "1"), (BOB, "a", "1")))
    assert 0.3 < channels.usage(ear) < 0.5
    full.take()
    assert 0 < channels.usage(ear) < 0.1
    assert channels.usage(None) == 0


@pytest.mark.parametrize(
    ("channel", "payload", "message"),
    [
        ("", "", "channel name cannot be empty"),
        ("x" * 64, "", "channel name too long"),
        ("é" * 32, "", "channel name too long"),
        ("x", "p" * 8000, "payload string too long"),
        ("x", "é" * 4000, "payload string too long"),
    ],
)
def test_what_postgresql_does_not_send_is_refused_in_its_words(channel, payload, message):
    with pytest.raises(InvalidParameterValueError) as raised:
        Pending().notify(ALICE, channel, payload)
    assert raised.value.message == message


def test_the_longest_channel_and_payload_are_sent():
    made = pending((ALICE, "x" * 63, "p" * 7999), (ALICE, "é" * 31, "é" * 3999))
    assert len(made.notified) == 2


NAMES = st.sampled_from(["a", "b", "*:n"])
USERS = st.sampled_from([ALICE, BOB])


class Sessions(RuleBasedStateMachine):
    """Any interleaving of sessions that listen, change users, notify and take, against sets."""

    sessions = Bundle("sessions")

    def __init__(self) -> None:
        super().__init__()
        self.channels = Channels()
        self.model: dict[int, tuple[int, set[str], list[tuple[str, str]]]] = {}
        self.listeners: list[Listener] = []

    @rule(target=sessions, user=USERS)
    def connect(self, user):
        self.listeners.append(listener(self.channels, user, bytes_max=1 << 30))
        number = len(self.listeners) - 1
        self.model[number] = (user, set(), [])
        return number

    def ask(self, number: int, user: int, asked: Pending) -> None:
        was, names, queue = self.model[number]
        if user != was:
            names = {name for name in names if name.startswith("*:")}
            queue = [told for told in queue if told[0] in names]
        for one in asked.asked:
            if one.channel is None:
                names = set()
            elif one.listen:
                names |= {one.channel}
            else:
                names -= {one.channel}
            queue = [told for told in queue if told[0] in names]
        self.model[number] = (user, names, queue)
        self.listeners[number].commit(user, asked.asked)

    @rule(number=sessions, user=USERS, names=st.lists(NAMES, max_size=3), leaves=st.sets(NAMES))
    def commit(self, number, user, names, leaves):
        asked = Pending()
        for name in names:
            asked.listen(user, name)
        for name in sorted(leaves):
            asked.unlisten(user, name)
        self.ask(number, user, asked)

    @rule(number=sessions)
    def leave_all(self, number):
        asked = Pending()
        asked.unlisten(ALICE, None)
        self.ask(number, self.model[number][0], asked)

    @rule(sender=USERS, sent=st.lists(st.tuples(NAMES, st.sampled_from("12")), max_size=5))
    def notify(self, sender, sent):
        for user, names, queue in self.model.values():
            queue += [
                told
                for told in dict.fromkeys(sent)
                if told[0] in names and (user == sender or told[0].startswith("*:"))
            ]
        made = pending(*((sender, *told) for told in sent))
        self.channels.publish(1, made)

    @rule(number=sessions, most=st.integers(1, 400))
    def take(self, number, most):
        taken = [(told.channel, told.payload) for told in self.listeners[number].take(most)]
        queue = self.model[number][2]
        assert taken == queue[: len(taken)]
        assert taken or not queue
        del queue[: len(taken)]

    @invariant()
    def listens_to_what_the_model_does(self):
        for number, (user, names, queue) in self.model.items():
            ear = self.listeners[number]
            assert (ear.user, set(ear.names), ear.waits) == (user, names, bool(queue))

    def teardown(self):
        for number, ear in enumerate(self.listeners):
            assert heard(ear) == self.model[number][2]
            assert ear.heard_bytes == 0
            ear.close()
        assert len(self.channels) == 0


TestSessions = Sessions.TestCase
assert NO_USER not in (ALICE, BOB)
