"""What was made of rows is kept within bounds, and never another row's."""

from hypothesis import given, settings
from hypothesis import strategies as st

from storage.tail.encodings import Encodings, SentRows

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 11), st.lists(st.integers(0, 60), unique=True)),
        st.tuples(st.just("since"), st.integers(0, 60), st.none()),
    ),
    max_size=30,
)


def made_of(shape, ordinal):
    return f"{shape} {ordinal}".encode() * (ordinal % 7)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, most=st.sampled_from([1000, 5000, 1 << 20]))
def test_what_is_there_was_made_of_that_row_in_that_shape_and_the_size_is_bounded(steps, most):
    kept = Encodings(most)
    first = 0
    for step, number, ordinals in steps:
        if step == "put":
            present = [at for at in ordinals if at >= first]
            kept.put(number, present, [made_of(number, at) for at in present])
        else:
            first = max(first, number)
            kept.since(first)
        assert kept.size_bytes <= most
        for shape in range(12):
            for at, data in kept.shapes.get(shape, {}).items():
                assert data == made_of(shape, at)
                assert at >= first
    for shape in range(12, 36):  # Others push all of these out, and nothing is left of their size.
        assert not kept.of(shape)
    assert kept.size_bytes == 0


def test_what_was_just_kept_is_found():
    kept = Encodings()
    kept.put("text", [5, 3], [b"five", b"three"])
    assert kept.of("text") == {5: b"five", 3: b"three"}
    assert not kept.of("binary")


def test_when_there_is_no_room_the_oldest_go_first():
    kept = Encodings(10_000)
    for ordinal in range(200):
        kept.put("text", [ordinal], [b"x"])
        assert ordinal in kept.of("text")
    assert 0 not in kept.of("text")
    assert 190 in kept.of("text")


def test_one_answer_does_not_push_out_all_others():
    kept = Encodings(10_000)
    kept.put("text", [1], [b"x"])
    kept.put("text", range(2, 100), [b"x"] * 98)
    assert set(kept.of("text")) == {1}


KEYS = st.integers(0, 30).map(lambda number: b"%d" % number)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 11), KEYS),
        st.tuples(st.just("written"), st.none(), KEYS),
        st.tuples(st.just("clear"), st.none(), st.none()),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(steps=CHANGES, most=st.sampled_from([600, 3000, 1 << 20]))
def test_what_is_sent_of_a_key_was_made_since_its_last_write(steps, most):
    sent = SentRows(most)
    versions = {}
    for step, shape, key in steps:
        if step == "put":
            sent.put(shape, key, b"%d of %s" % (versions.get(key, 0), key))
        elif step == "written":
            versions[key] = versions.get(key, 0) + 1
            sent.written(key)
        else:
            sent.clear()
        assert sent.size_bytes <= most
        for found in sent.shapes.values():
            for at, made in found.items():
                assert made == b"%d of %s" % (versions.get(at, 0), at)
    for found in list(sent.shapes.values()):
        for key in list(found):
            sent.written(key)
    assert sent.size_bytes == 0


def test_what_was_just_sent_is_found_until_it_is_written():
    sent = SentRows()
    sent.put("text", b"k", b"one")
    sent.put("binary", b"k", b"1")
    sent.put("text", b"other", b"two")
    assert sent.of("text")[b"k"] == b"one"
    sent.written(b"k")
    assert not sent.of("binary")
    assert sent.of("text") == {b"other": b"two"}
