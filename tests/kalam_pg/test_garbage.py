"""Collections look at what is new, and at everything only when there is little of it."""

import gc
import weakref

import pytest

from kalam_pg import garbage
from kalam_pg.garbage import (
    CLOSED_MAX,
    EVERY_S,
    FREED_BYTES,
    LARGE_BYTES,
    MUCH_BYTES,
    PATIENCE_S,
    PUT_ASIDE_MAX,
    REFUSED_S,
    YOUNG,
    YOUNG_MAX,
    Collector,
    Uncollected,
)
from kalam_pg.memory import Accounts


class Node:
    """Something that may stand in a circle."""

    def __init__(self):
        self.other = self


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def collector():
    accounts, clock = Accounts(), Clock()
    made = Collector(accounts, clock)
    thresholds = gc.get_threshold()
    made.begin()
    yield made, accounts, clock
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def grow_old():
    """Have the middle generation collected as often as Python waits before it looks at all."""
    for _ in range(YOUNG):
        gc.collect(1)


def circle():
    node = Node()
    return weakref.ref(node)


def test_python_itself_never_looks_at_everything(collector):
    assert gc.get_threshold()[2] > 1_000_000


def test_what_is_new_and_in_a_circle_is_found(collector):
    grow_old()
    seen = circle()
    collector[0].look()
    assert seen() is None
    assert gc.get_count()[2] == 0


def test_nothing_is_done_before_it_is_due(collector):
    seen = circle()
    collector[0].look()
    assert seen() is not None
    gc.collect()


def test_what_large_sessions_hold_is_put_aside_without_a_look(collector):
    made, accounts, clock = collector
    account = accounts.open(1)
    account.holding("portals").add(LARGE_BYTES + FREED_BYTES)
    node = Node()
    seen = weakref.ref(node)
    grow_old()
    made.look()
    del node
    grow_old()
    made.look()
    assert seen() is not None, "it was put aside"
    account.close()
    made.look()
    assert seen() is not None, "not so soon"
    clock.now = EVERY_S
    made.look()
    assert seen() is None, "much has gone: everything was looked at"


@pytest.mark.parametrize(("times", "found"), [(YOUNG_MAX - 1, True), (YOUNG_MAX, False)])
def test_what_is_very_much_at_once_is_put_aside(collector, times, found):
    node = Node()
    seen = weakref.ref(node)
    for _ in range(times):
        gc.collect(1)
    del node
    collector[0].look()
    assert (seen() is None) is found
    assert gc.get_count()[2] == 0


def test_what_was_put_aside_often_is_looked_at_though_never_much_at_a_time(collector):
    made, accounts, clock = collector
    account = accounts.open(1)
    node = Node()
    seen = weakref.ref(node)
    clock.now = EVERY_S
    for _ in range(PUT_ASIDE_MAX):
        account.holding("changed rows").note(LARGE_BYTES + 1)
        grow_old()
        made.look()
        node = None
        account.holding("changed rows").note(0)
    assert seen() is not None
    made.look()
    assert seen() is None


def test_when_many_sessions_have_ended_everything_is_looked_at(collector):
    made, accounts, clock = collector
    node = Node()
    seen = weakref.ref(node)
    gc.freeze()
    del node
    clock.now = EVERY_S
    for _ in range(CLOSED_MAX - 1):
        accounts.open(1).close()
    made.look()
    assert seen() is not None
    accounts.open(1).close()
    made.look()
    assert seen() is None


def test_not_everything_is_looked_at_while_much_is_kept_but_in_the_end_it_is():
    accounts, clock, in_use = Accounts(), Clock(), [MUCH_BYTES]
    made = Collector(accounts, clock, lambda: in_use[0])
    thresholds = gc.get_threshold()
    made.begin()
    try:
        for waits_s, kept in ((REFUSED_S, 0), (PATIENCE_S, 2 * MUCH_BYTES)):
            node = Node()
            seen = weakref.ref(node)
            gc.freeze()
            del node
            for _ in range(CLOSED_MAX):
                accounts.open(1).close()
            in_use[0] = 2 * MUCH_BYTES + 1
            clock.now += EVERY_S
            made.look()
            clock.now += waits_s - 1
            made.look()
            assert seen() is not None
            in_use[0] = MUCH_BYTES + kept
            clock.now += REFUSED_S
            made.look()
            assert seen() is None
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def test_a_large_tree_is_not_looked_at_when_it_has_been_read(monkeypatch):
    monkeypatch.setattr(garbage, "LARGE_TREE", 50)
    reading = Uncollected()
    was = gc.isenabled()
    try:
        with reading:
            assert not gc.isenabled()
            with reading:
                tree = [[] for _ in range(200)]
            assert not gc.isenabled()
        assert gc.isenabled()
        assert reading.put_aside == 1
        young = {id(one) for one in gc.get_objects(generation=0)}
        assert not any(id(one) in young for one in tree)
    finally:
        gc.unfreeze()
        if not was:
            gc.disable()
