"""A key that is in the log's index is never said to be absent; most others are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.fs import OS
from storage.ids import TabletId
from storage.keys import encode_key, index_key
from storage.log.absent_keys import KNOWN_MAX, TABLETS_MAX, AbsentKeys
from storage.log.hot import HotStore

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
    assert not absent.claim(TABLET, key(1))
    assert absent.claim(TABLET, key(2))
    assert absent.claim(OTHER, key(1, OTHER))


def test_of_a_long_index_nothing_is_sure(store):
    store.write([(key(number), b"x") for number in range(KNOWN_MAX + 1)], sync=False)
    absent = AbsentKeys(store)
    assert not absent.claim(TABLET, key(1 << 40))
    store.write([(key(number), None) for number in range(KNOWN_MAX)], sync=False)
    absent.forget(TABLET)
    assert not absent.claim(TABLET, key(1 << 40))
    absent.begin_group()
    assert absent.claim(TABLET, key(1 << 40))
    assert not absent.claim(TABLET, key(KNOWN_MAX))


def test_nearly_every_new_key_is_surely_absent(store):
    absent = AbsentKeys(store)
    assert absent.claim(TABLET, key(0))
    for number in range(20_000):
        absent.wrote(TABLET, key(number))
    assert not any(absent.claim(TABLET, key(number)) for number in range(20_000))
    unsure = sum(not absent.claim(TABLET, key(number)) for number in range(20_000, 30_000))
    assert unsure < 500


def test_more_tablets_than_are_kept_begin_anew_after_the_group(store):
    absent = AbsentKeys(store)
    absent.wrote(TABLET, key(1))
    others = [TabletId(user + 100, 1) for user in range(TABLETS_MAX + 1)]
    assert all(absent.claim(other, key(1, other)) for other in others)
    assert not absent.claim(TABLET, key(1))
    store.write([(key(1), b"x")], sync=False)
    absent.begin_group()
    assert not absent.claim(TABLET, key(1))
    assert absent.claim(TABLET, key(2))


group = st.lists(
    st.tuples(st.sampled_from(("put", "drop", "trim", "ask")), st.integers(0, 20)), max_size=12
)


@settings(max_examples=60, deadline=None)
@given(groups=st.lists(group, max_size=8))
def test_a_key_that_is_there_is_never_said_to_be_absent(groups, tmp_path_factory):
    """A group reaches the store when it ends; until then its own keys are the group writer's business."""
    store = HotStore(OS, tmp_path_factory.mktemp("absent") / "log", create=True)
    absent = AbsentKeys(store)
    there = set()
    for steps in groups:
        absent.begin_group()
        batch = {}
        for what, number in steps:
            if what == "put":
                absent.wrote(TABLET, key(number))
                batch[number] = b"x"
            elif what == "ask":
                absent.claim(TABLET, key(number))
            else:
                batch[number] = None
                if what == "trim":
                    absent.forget(TABLET)
            assert not any(absent.claim(TABLET, key(n)) for n in there)
        store.write([(key(number), value) for number, value in batch.items()], sync=False)
        there |= {number for number, value in batch.items() if value}
        there -= {number for number, value in batch.items() if value is None}
    absent.begin_group()
    assert not any(absent.claim(TABLET, key(n)) for n in there)
    store.close()
