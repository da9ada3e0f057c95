"""What equal subscriptions tell is made once; what differs in anything is made by itself."""

import gc

import pytest

from catalog.types.registry import INT8
from catalog.types.table import TypeContext
from kalam_pg.live.alike import KEPT_CHARACTERS, KEPT_COMMITS, Kinds
from kalam_pg.live.commits import Commit, RowChange
from kalam_pg.live.filter import is_exact
from kalam_pg.live.payload import ChangeEncoder
from storage.log.log_entry import Op


def commit(seq, *places):
    return Commit(seq, tuple(RowChange(n, Op.INSERT, ("x",), None) for n in places))


class Maker:
    """Makes objects, and counts how often."""

    def __init__(self, size=10):
        self.made = []
        self.size = size

    def __call__(self, made):
        self.made.append(made)
        for change in made.changes:
            yield f"{made.seq}.{change.n}".ljust(self.size)


def test_equal_ones_share_what_the_first_of_them_has_made():
    kinds, make = Kinds(), Maker()
    one, two = kinds.of("kind"), kinds.of("kind")
    assert one is two
    for seq in range(5):
        assert one.told(commit(seq, 0, 1), make) == two.told(commit(seq, 0, 1), make)
    assert len(make.made) == 5
    # After a token in its middle the rest of a commit is something else.
    assert [text.strip() for text in two.told(commit(3, 1), make)] == ["3.1"]


def test_what_is_sent_is_made_once_for_channels_of_one_name():
    kinds, make = Kinds(), Maker()
    one, _two = kinds.of("kind"), kinds.of("kind")
    first = commit(1, 0, 1)
    told = one.telling(first, "news", make)
    assert (told.objects, told.bodies[0]) == (2, b"news\0" + b"1.0".ljust(10) + b"\0")
    assert one.telling(first, "news", make) is told
    assert one.telling(first, "mine", make).bodies[1].startswith(b"mine\0001.1")
    assert one.telling(commit(2, 0), "news", make).bodies[0].startswith(b"news\0002.0")
    assert len(make.made) == 2


def test_what_writes_a_query_s_changes_is_one_for_all_whose_rows_they_are():
    kinds = Kinds()

    def make():
        return ChangeEncoder("s.t", [("a", INT8)], [INT8], TypeContext())

    first = kinds.encoder("query", make)
    assert kinds.encoder("query", make) is first
    assert kinds.encoder("other", make) is not first
    assert kinds.encoder(None, make) is not kinds.encoder(None, make)
    del first
    gc.collect()
    assert not kinds._encoders


@pytest.mark.parametrize("key", [None, "other"])
def test_others_make_their_own(key):
    kinds, ours, theirs = Kinds(), Maker(), Maker()
    first, second = kinds.of("kind"), kinds.of(key)
    first.told(commit(1, 0), ours)
    second.told(commit(1, 0), theirs)
    assert len(ours.made) == len(theirs.made) == 1
    assert not first._made, "nobody would take it"


@pytest.mark.parametrize("size", [10, 10_000])
def test_what_is_kept_is_bounded(size):
    kinds, make = Kinds(), Maker(size)
    first, _second = kinds.of("kind"), kinds.of("kind")
    for seq in range(2 * KEPT_COMMITS):
        first.told(commit(seq, 0), make)
    assert len(first._made) <= KEPT_COMMITS
    assert sum(len(text) for made in first._made.values() for text in made) <= KEPT_CHARACTERS
    assert first._characters == sum(len(text) for made in first._made.values() for text in made)


def test_nothing_is_left_when_the_last_has_gone():
    kinds = Kinds()
    one, two = kinds.of("kind"), kinds.of("kind")
    del one, two
    gc.collect()
    assert not kinds._kinds
    assert not kinds.of("kind").is_shared


def test_values_that_only_compare_equal_are_not_the_same():
    assert is_exact((1, "a", None, ("b", True)))
    assert not is_exact((1, (-0.0,)))
