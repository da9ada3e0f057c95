"""A key that is in the log's index is never said to be absent; most others are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.absent import KNOWN_MAX, TABLETS_MAX, AbsentKeys
from storage.fs import OS
from storage.hot import HotStore
from storage.ids import TabletId
from storage.keys import encode_key, index_key

TABLET, OTHER = TabletId(7, 3), TabletId(7, 4)


def key(number, tablet=TABLET):
    return index_key(tablet, encode_key((number,), ("int",)))


@pytest.fixture
def store(tmp_path):
    opened = HotStore(OS, tmp_path / "log", create=True)
    yield opened
    opened.close()


def put(store, absent, *numbers):
    store.write([(key(number), b"x") for number in numbers], sync=False)
    for number in numbers:
        absent.wrote(TABLET, key(number))


def test_what_was_there_before_the_first_question_is_known(store):
    store.write([(key(1), b"x")], sync=False)
    absent = AbsentKeys(store)
    assert not absent.surely(TABLET, key(1))
    assert absent.surely(TABLET, key(2))
    assert absent.surely(OTHER, key(1, OTHER))


def test_of_a_long_index_nothing_is_sure(store):
    store.write([(key(number), b"x") for number in range(KNOWN_MAX + 1)], sync=False)
    absent = AbsentKeys(store)
    assert not absent.surely(TABLET, key(1 << 40))
    store.write([(key(number), None) for number in range(KNOWN_MAX)], sync=False)
    absent.forget(TABLET)
    assert absent.surely(TABLET, key(1 << 40))
    assert not absent.surely(TABLET, key(KNOWN_MAX))


def test_nearly_every_new_key_is_surely_absent(store):
    absent = AbsentKeys(store)
    assert absent.surely(TABLET, key(0))
    for number in range(20_000):
        absent.wrote(TABLET, key(number))
    assert not any(absent.surely(TABLET, key(number)) for number in range(20_000))
    unsure = sum(not absent.surely(TABLET, key(number)) for number in range(20_000, 30_000))
    assert unsure < 500


def test_more_tablets_than_are_kept_begin_anew(store):
    absent = AbsentKeys(store)
    put(store, absent, 1)
    for user in range(2 * TABLETS_MAX):
        assert absent.surely(TabletId(user + 100, 1), key(1, TabletId(user + 100, 1)))
    assert not absent.surely(TABLET, key(1))
    assert absent.surely(TABLET, key(2))


steps = st.lists(
    st.tuples(st.sampled_from(("put", "drop", "trim", "ask")), st.integers(0, 30)), max_size=60
)


@settings(max_examples=40, deadline=None)
@given(steps=steps)
def test_a_key_that_is_there_is_never_said_to_be_absent(steps, tmp_path_factory):
    store = HotStore(OS, tmp_path_factory.mktemp("absent") / "log", create=True)
    absent = AbsentKeys(store)
    there = set()
    for what, number in steps:
        if what == "put":
            put(store, absent, number)
            there.add(number)
        elif what == "ask":
            absent.surely(TABLET, key(number))
        else:
            store.write([(key(number), None)], sync=False)
            there.discard(number)
            if what == "trim":
                absent.forget(TABLET)
        assert not any(absent.surely(TABLET, key(n)) for n in there)
    store.close()
