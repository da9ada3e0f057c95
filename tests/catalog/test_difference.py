"""A difference makes of any catalogue what was made of one: its own objects as they became, no others."""

from hypothesis import given
from hypothesis import strategies as st

from catalog.difference import difference
from catalog.model import Namespace
from catalog.snapshot import Snapshot

NAMES = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 9), max_size=6)


def catalog(namespaces: dict[str, int], version: int = 1) -> Snapshot:
    made = {name: Namespace(number, name, 10, 0) for name, number in namespaces.items()}
    return Snapshot(version, made, {}, {})


def edited(before: Snapshot, names: dict[str, int], *, keys: str) -> Snapshot:
    """The catalogue with `names` in place of what it has of these keys."""
    kept = {name: space for name, space in before.namespaces.items() if name not in keys}
    for name, number in names.items():
        if name in keys:
            there = before.namespaces.get(name)
            same = there is not None and there.id == number
            kept[name] = there if same else Namespace(number, name, 10, 0)
    return Snapshot(before.version + 1, kept, {}, {})


@given(NAMES, NAMES)
def test_over_the_catalogue_it_was_made_in_it_makes_the_same(one, two):
    before = catalog(one)
    after = edited(before, two, keys="abcdef")
    assert difference(before, after).over(before).namespaces == after.namespaces
    assert bool(difference(before, after)) == (before.namespaces != after.namespaces)


@given(NAMES, NAMES, NAMES)
def test_what_others_have_made_meanwhile_stays(one, mine, theirs):
    before = catalog(one)
    own = difference(before, edited(before, mine, keys="abc"))
    committed = edited(before, theirs, keys="def")
    both = own.over(committed)
    assert both.namespaces == edited(committed, mine, keys="abc").namespaces
    assert both.version == committed.version + 1


@given(NAMES, NAMES, NAMES)
def test_one_after_the_other_is_one(one, two, three):
    before = catalog(one)
    between = edited(before, two, keys="abcdef")
    after = edited(between, three, keys="abcdef")
    joined = difference(before, between).then(difference(between, after))
    assert joined.over(before).namespaces == after.namespaces
