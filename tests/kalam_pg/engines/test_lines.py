"""Who waits for a worker: users in turn, and within a user who came first."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from kalam_pg.engines.lines import Lines, Waiter


def everybody(_user: int) -> bool:
    return True


def served(lines: Lines) -> list[int]:
    found = []
    while (waiter := lines.next(everybody)) is not None:
        found.append(waiter.user)
    return found


def test_a_user_who_waits_often_waits_no_shorter():
    lines = Lines()
    for user in (1, 1, 1, 1, 2, 3, 3):
        lines.add(Waiter(user))
    assert served(lines) == [1, 2, 3, 1, 3, 1, 1]
    assert len(lines) == 0


def test_who_may_have_no_more_is_passed_over_and_keeps_its_place():
    lines = Lines()
    for user in (1, 2, 1):
        lines.add(Waiter(user))
    found = lines.next(lambda user: user != 1)
    assert found is not None
    assert found.user == 2
    assert lines.next(lambda user: user != 1) is None
    assert served(lines) == [1, 1]


@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "next"]), st.integers(1, 3))))
def test_lines_agree_with_a_list_for_each_user(steps: list[tuple[str, int]]):
    lines = Lines()
    model: dict[int, deque[Waiter]] = {1: deque(), 2: deque(), 3: deque()}
    for what, user in steps:
        if what == "add":
            waiter = Waiter(user)
            lines.add(waiter)
            model[user].append(waiter)
        elif what == "remove" and model[user]:
            lines.remove(model[user].pop())
        elif what == "next":
            found = lines.next(lambda of, user=user: of == user)
            assert found is (model[user].popleft() if model[user] else None)
        assert len(lines) == sum(map(len, model.values()))
