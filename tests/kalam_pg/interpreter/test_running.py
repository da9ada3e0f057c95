"""What a run may take is its thread's time: however long others keep it waiting."""

import pytest

from kalam_pg.interpreter import running
from kalam_pg.interpreter.running import Budget, TooLargeError


class Clocks:
    """The time that has passed, and what the thread had of it."""

    def __init__(self, monkeypatch):
        self.now_s = self.used_s = 0.0
        self.looks = 0
        monkeypatch.setattr(running, "perf_counter", lambda: self.now_s)
        monkeypatch.setattr(running, "thread_time", self._used)

    def _used(self):
        self.looks += 1
        return self.used_s

    def go_on(self, seconds, *, share):
        self.now_s += seconds
        self.used_s += seconds * share


@pytest.mark.parametrize("share", [1.0, 0.5, 0.125])
def test_a_budget_is_used_up_by_the_threads_own_time_alone(monkeypatch, share):
    clocks = Clocks(monkeypatch)
    budget = Budget(8.0)
    while clocks.used_s <= 8.0:
        budget.check()
        clocks.go_on(0.25, share=share)
    with pytest.raises(TooLargeError):
        budget.check()


def test_the_threads_clock_is_looked_at_when_it_may_be_used_up_and_seldom_before(monkeypatch):
    clocks = Clocks(monkeypatch)
    budget = Budget(8.0)
    for _ in range(1000):
        clocks.go_on(0.0078125, share=0.5)
        budget.check()
    assert clocks.looks == 1
    clocks.go_on(1.0, share=0.5)
    budget.check()
    assert clocks.looks == 2
