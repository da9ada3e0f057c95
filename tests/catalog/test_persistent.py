"""Persistent maps: each fork is a dictionary of its own, whatever becomes of the others."""

from hypothesis import given
from hypothesis import strategies as st

from catalog.persistent import PersistentMap, differing, forked

KEYS = st.integers(0, 60)
STEPS = st.lists(
    st.tuples(st.sampled_from(("put", "remove", "fork", "back")), KEYS, st.integers(1, 9)),
    max_size=300,
)


@given(st.dictionaries(KEYS, st.integers(1, 9)), STEPS)
def test_every_fork_has_what_a_dictionary_would_have(first, steps):
    forks = [(PersistentMap(first), dict(first))]
    for step, key, value in steps:
        made, model = forks[-1]
        match step:
            case "put":
                made[key] = model[key] = value
            case "remove":
                assert made.pop(key, None) == model.pop(key, None)
            case "fork":
                forks.append((made.fork(), dict(model)))
            case "back":  # An earlier one is changed, which is not shared.
                forks.append((forks[key % len(forks)][0].fork(), dict(forks[key % len(forks)][1])))
    for made, model in forks:
        assert made == model
        assert len(made) == len(model) == len(list(made))
        assert [made.get(key) for key in range(61)] == [model.get(key) for key in range(61)]
        assert [key for key in range(61) if key in made] == sorted(model)
        assert sorted(made.values()) == sorted(model.values())
    for one, a in forks[:10]:
        for other, b in forks[:10]:
            different = {key for key in range(61) if a.get(key) != b.get(key)}
            found = list(differing(one, other))
            assert different <= set(found)
            assert len(found) == len(set(found))


def test_what_two_forks_may_differ_in_is_what_was_changed_since():
    base = PersistentMap({number: str(number) for number in range(10_000)})
    one, other = base.fork(), base.fork()
    one[3], other[10_001] = "another", "new"
    del other[5]
    assert set(differing(one, other)) == {3, 5, 10_001}


def test_maps_are_made_of_any_others():
    first = {1: "one"}
    made = forked(first)
    made[2] = "two"
    assert (dict(first), dict(made)) == ({1: "one"}, {1: "one", 2: "two"})
    assert set(differing(first, made)) == {1, 2}
