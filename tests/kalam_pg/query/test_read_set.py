"""What is remembered of reads is bounded, and is never less than what was read."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import OutOfMemoryError
from kalam_pg.functions.table import EvalContext
from kalam_pg.live.commits import RowChange
from kalam_pg.query.read_set import (
    BYTES_MAX,
    CONDITIONS_MAX,
    KEYS_MAX,
    TABLETS_MAX,
    ReadSet,
    TabletReads,
)
from kalam_pg.query.validation import LATE_MAX, check
from storage.engine import Write, WriteSet
from storage.errors import KalamError, SerializationError
from storage.ids import TabletId
from storage.keys import encode_key
from storage.layout import Row, Value
from storage.log.log_entry import Op
from storage.schema import Schema
from tests.storage.engine_fixtures import LAYOUT, OTHER, TABLET, open_engine


def key(number: int) -> bytes:
    """Of a row of LAYOUT."""
    return encode_key((number,), ("int",))


def schema() -> Schema:
    return Schema(TABLET, LAYOUT)


def reads() -> TabletReads:
    return TabletReads(schema(), stream=False)


def body_is(text: str) -> Any:
    """A condition."""
    return lambda row, _context: row[1] == text


def inserted(number: int, body: Value = "x") -> RowChange:
    return RowChange(0, Op.INSERT, (number, body), None)


@given(st.lists(st.integers(-50, 50)), st.integers(-60, 60), st.integers(0, 8))
def test_a_key_that_was_asked_for_is_always_read(asked: list[int], other: int, exactly: int):
    made = reads()
    for place, number in enumerate(asked):
        made.add_key(key(number), coarsely=place >= exactly)
    assert all(made.has_read(inserted(number)) for number in asked)
    if len(asked) <= exactly:
        assert made.has_read(inserted(other)) == (other in asked)
    elif other < min(asked) or other > max(asked):
        assert not made.has_read(inserted(other))


def test_many_keys_are_remembered_as_a_range():
    made = reads()
    grew = [made.add_key(key(2 * number)) for number in range(KEYS_MAX)]
    assert min(grew) > 0
    assert not made.has_read(inserted(1))
    assert made.add_key(key(2 * KEYS_MAX)) == 0
    assert made.has_read(inserted(1))
    assert made.has_read(inserted(2 * KEYS_MAX))
    assert not made.has_read(inserted(2 * KEYS_MAX + 1))
    assert not made.is_whole


def test_many_conditions_are_remembered_as_the_whole_tablet():
    made = reads()
    for number in range(CONDITIONS_MAX):
        made.add_condition(number, body_is(str(number)), EvalContext)
    made.add_condition(0, body_is("0"), EvalContext)  # It is known already.
    assert not made.has_read(inserted(1, "other"))
    assert made.has_read(inserted(1, "7"))
    made.add_condition("one more", body_is("y"), EvalContext)
    assert made.is_whole
    assert made.has_read(inserted(1, "other"))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (RowChange(0, Op.INSERT, (1, "x"), None), True),
        (RowChange(0, Op.INSERT, (1, "y"), None), False),
        (RowChange(0, Op.UPDATE, (1, "y"), (1, "x")), True),
        (RowChange(0, Op.UPDATE, (1, "x"), (1, "y")), True),
        (RowChange(0, Op.UPDATE, (1, "y"), (1, "z")), False),
        (RowChange(0, Op.DELETE, (1, "x"), (1, "x")), True),
        (RowChange(0, Op.DELETE, (1, "y"), (1, "y")), False),
        (RowChange(0, Op.TRUNCATE, (), None), True),
        (RowChange(0, Op.LOAD, (), None), True),
    ],
)
def test_a_change_is_read_if_a_row_before_or_after_it_meets_a_condition(
    change: RowChange, expected: bool
):
    made = reads()
    made.add_condition("x", body_is("x"), EvalContext)
    assert made.has_read(change) is expected


def test_a_condition_that_raises_is_met():
    def divided(_row: Row, _context: EvalContext) -> Value:
        raise KalamError("division by zero")

    made = reads()
    made.add_condition("divided", divided, EvalContext)
    assert made.has_read(inserted(1))


def test_large_parameters_make_what_follows_coarse():
    made = ReadSet()
    one = made.of(TABLET, 5, schema, stream=False)
    assert made.through == 5
    assert made.of(TABLET, 9, schema, stream=False) is one
    assert made.through == 5
    context = EvalContext(params=("x" * BYTES_MAX,))
    made.grew(one.add_condition("x", body_is("x"), lambda: context))
    assert made.is_full
    one.add_condition("y", body_is("y"), EvalContext, coarsely=made.is_full)
    assert one.is_whole


def test_a_transaction_reads_so_many_tablets_and_no_more():
    made = ReadSet()
    for user in range(TABLETS_MAX):
        made.of(TabletId(user, 1), 1, schema, stream=False)
    with pytest.raises(OutOfMemoryError):
        made.of(TabletId(TABLETS_MAX, 1), 1, schema, stream=False)


# ------------------------------------------------------------------ in the committer


def insert(number: int, body: str = "x", *, tablet: TabletId = TABLET) -> WriteSet:
    write = Write(tablet, Op.INSERT, key(number), (number, body), None, 1, None)
    return WriteSet([write], [], [], sync=False)


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(tmp_path / "data")
    yield engine
    engine.close()


def write(engine, *sets: WriteSet) -> list[bool]:
    """Which of the sets of one group were written."""
    engine.publish(engine.write_group(sets))
    for one in sets:
        assert one.error is None or isinstance(one.error, SerializationError)
    return [one.error is None for one in sets]


def reader(engine, *, stream: bool = False, condition: str = "read") -> WriteSet:
    """A set of a transaction that has read rows with a body, in the snapshot that is current now."""
    made = ReadSet()
    one = made.of(TABLET, engine.current.seq, schema, stream=stream)
    one.add_condition(condition, body_is(condition), EvalContext)
    write_set = insert(1, tablet=OTHER)
    database = cast("Any", SimpleNamespace(engine=engine))
    write_set.validate = lambda seq: check(database, made, seq)
    return write_set


def test_what_was_committed_since_is_held_against_it(engine):
    assert write(engine, reader(engine)) == [True]
    stale, other = reader(engine), reader(engine)
    assert write(engine, insert(1, "other"), insert(2, "read", tablet=OTHER)) == [True, True]
    assert write(engine, other) == [True]
    assert write(engine, insert(3, "read")) == [True]
    assert write(engine, stale) == [False]
    assert write(engine, reader(engine)) == [True]


def test_so_are_earlier_members_of_the_group_and_later_ones_are_not(engine):
    first, second = reader(engine), reader(engine)
    assert write(engine, first, insert(1, "read"), second) == [True, True, False]
    # A member that is refused itself is nobody's conflict.
    stale, after = reader(engine), reader(engine)
    stale.writes[0] = Write(TABLET, Op.INSERT, key(9), (9, "read"), None, 1, None)
    assert write(engine, insert(5, "read"), stale) == [True, False]
    assert write(engine, after) == [False]


def test_more_than_can_be_looked_at_counts_as_a_change(engine):
    stale, other = reader(engine), reader(engine)
    writes = [
        Write(TABLET, Op.INSERT, key(number), (number, "other"), None, 1, None)
        for number in range(LATE_MAX + 1)
    ]
    many = WriteSet(writes, [], [], sync=False)
    assert write(engine, many, stale) == [True, False]
    assert write(engine, other) == [False]
    few = reader(engine)
    assert write(engine, WriteSet(writes[:LATE_MAX], [], [], sync=False), few) == [True, True]


def test_a_stream_is_asked_for_the_commit_of_its_newest_change(engine):
    made = reader(engine, stream=True)
    assert write(engine, made) == [True]
    stale = reader(engine, stream=True)
    write(engine, insert(1, tablet=OTHER))
    assert write(engine, stale) == [True]
