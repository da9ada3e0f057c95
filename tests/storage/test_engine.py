"""Groups are numbered, checked, written as one and shown as one."""

from dataclasses import replace

import pytest

from storage.cold.trim import LogEntry
from storage.engine import Engine, WriteSet
from storage.errors import DataCorruptedError, KalamError, SerializationError
from storage.keys import log_key, meta_key, system_key
from storage.log.log_entry import Op, decode_entry
from storage.log.view import View
from tests.storage.crash_image import crash_image
from tests.storage.engine_fixtures import (
    LAYOUT,
    OPTIONS,
    OTHER,
    TABLET,
    ManualClock,
    commit,
    delete,
    insert,
    key_of,
    open_engine,
    read,
    truncate,
    update,
    write_set,
)


@pytest.fixture
def engine(tmp_path):
    opened = open_engine(tmp_path / "data")
    yield opened
    opened.close()


def test_a_commit_is_seen_from_its_publication_on(engine):
    group = engine.write_group([write_set(insert(1, "a"))])
    assert read(engine, 1) is None
    assert engine.current.seq < group.view.seq
    engine.publish(group)
    assert read(engine, 1) == "a"
    assert engine.current.seq == group.sets[0].seq


def test_sets_of_a_group_are_numbered_in_their_order(engine):
    sets = [write_set(insert(number, "x")) for number in range(5)]
    group = engine.write_group(sets)
    seqs = [one.seq for one in sets]
    assert seqs == sorted(set(seqs))
    assert group.view.seq == seqs[-1]
    assert group.sets == tuple(sets)


def test_a_transaction_over_two_tablets_has_one_number_and_counts_its_writes_over_both(engine):
    seq = commit(engine, insert(1, "a"), insert(1, "b", tablet=OTHER), insert(2, "c"))
    view = engine.current
    assert [(s, n) for s, n, _ in view.log(TABLET)] == [(seq, 0), (seq, 2)]
    assert [(s, n) for s, n, _ in view.log(OTHER)] == [(seq, 1)]
    assert (read(view, 1), read(view, 1, tablet=OTHER)) == ("a", "b")


def test_the_log_keeps_every_version_with_what_it_replaced(engine):
    commit(engine, insert(1, "a"))
    commit(engine, update(1, "b", "a"))
    commit(engine, delete(1, "b"))
    entries = [decode_entry(data) for _, _, data in engine.current.log(TABLET)]
    assert [(e.op, e.row, e.old) for e in entries] == [
        (Op.INSERT, (1, "a"), None),
        (Op.UPDATE, (1, "b"), (1, "a")),
        (Op.DELETE, (1, "b"), (1, "b")),
    ]
    tombstone = engine.current.find(TABLET, key_of(1))
    assert tombstone.op is Op.DELETE
    assert tombstone.row == (1, "b")


def test_the_log_is_read_after_a_commit_and_in_both_directions(engine):
    seqs = [commit(engine, insert(number)) for number in range(40)]
    view = engine.current
    assert [s for s, _, _ in view.log(TABLET, seqs[9])] == seqs[10:]
    assert [s for s, _, _ in view.log(TABLET, seqs[9], reverse=True)] == seqs[:9:-1]
    assert view.log_length(TABLET, seqs[9]) == 30


def test_the_index_is_read_in_key_order_between_bounds(engine):
    seqs = {number: commit(engine, insert(number)) for number in (5, 1, 3, -2)}
    commit(engine, insert(4, tablet=OTHER))

    def found(low, high, **how):
        view = engine.current
        return [(k, view.position(TABLET, k)[0]) for k in view.keys(TABLET, low, high, **how)]

    everything = [(key_of(number), seqs[number]) for number in (-2, 1, 3, 5)]
    assert found(None, None) == everything
    assert found(None, None, reverse=True) == everything[::-1]
    assert found(key_of(1), key_of(5)) == everything[1:3]
    assert found(key_of(2), None, reverse=True) == everything[:1:-1]


# What a write assumed.


def test_a_write_that_assumed_right_is_written(engine):
    seq = commit(engine, insert(1, "a", assumed=0))
    seq = commit(engine, update(1, "b", "a", assumed=seq))
    seq = commit(engine, delete(1, "b", assumed=seq))
    commit(engine, insert(1, "c", assumed=0))
    assert read(engine, 1) == "c"


def test_an_insert_may_name_the_tombstone_that_it_replaces(engine):
    commit(engine, insert(1, "a"))
    tombstone = commit(engine, delete(1, "a"))
    commit(engine, insert(1, "b", assumed=tombstone))
    assert read(engine, 1) == "b"


@pytest.mark.parametrize(
    "stale",
    [
        lambda first, second: insert(1, "x", assumed=0),
        lambda first, second: update(1, "x", "a", assumed=first),
        lambda first, second: delete(1, "a", assumed=first),
        lambda first, second: update(1, "x", "a", assumed=second + 1),
    ],
)
def test_a_write_whose_assumption_fell_is_left_out(engine, stale):
    first = commit(engine, insert(1, "a"))
    second = commit(engine, update(1, "b", "a"))
    with pytest.raises(SerializationError):
        commit(engine, stale(first, second))
    assert read(engine, 1) == "b"


def test_an_update_of_a_row_that_was_deleted_is_left_out(engine):
    first = commit(engine, insert(1, "a"))
    commit(engine, delete(1, "a"))
    with pytest.raises(SerializationError):
        commit(engine, update(1, "b", "a", assumed=first))


def test_assumptions_are_checked_against_earlier_sets_of_the_group(engine):
    first, second = write_set(insert(1, "a")), write_set(insert(1, "b"), insert(2, "b"))
    third = write_set(insert(3, "c"))
    group = engine.write_group([first, second, third])
    engine.publish(group)
    assert group.sets == (first, third)
    assert isinstance(second.error, SerializationError)
    # Nothing of the set that failed is there, not even its other key.
    assert [read(engine, number) for number in (1, 2, 3)] == ["a", None, "c"]


def test_a_key_that_only_a_segment_holds_is_taken_at_its_word(engine):
    commit(engine, update(1, "b", "a", assumed=12345))
    assert read(engine, 1) == "b"


def test_validate_sees_the_number_and_may_refuse(engine):
    class RefusedError(KalamError):
        """a test"""

    numbers = []

    def refuse(seq):
        numbers.append(seq)
        raise RefusedError("no")

    with pytest.raises(RefusedError):
        commit(engine, insert(1, "a"), validate=refuse)
    assert read(engine, 1) is None
    seq = commit(engine, insert(1, "a"), validate=numbers.append)
    assert numbers[1] == seq > numbers[0]


def test_validate_sees_the_newest_commit_of_a_tablet_in_the_group_too(engine):
    seen = []
    before = commit(engine, insert(1))
    first = write_set(insert(2, tablet=OTHER))
    second = write_set(
        insert(3), validate=lambda _seq: seen.extend(map(engine.newest_commit, (TABLET, OTHER)))
    )
    engine.publish(engine.write_group([first, second]))
    assert seen == [before, first.seq]


def test_a_failed_group_changes_nothing_and_may_be_published(engine):
    before = engine.current
    engine.publish(engine.write_group([write_set(update(1, "b", "a", assumed=5), insert(1))]))
    failing = write_set(insert(1, "z", assumed=0))
    engine.publish(engine.write_group([failing]))
    assert failing.error is not None
    assert engine.current.seq >= before.seq


# Durability.


def test_a_group_is_synced_when_one_member_asks(engine):
    group = engine.write_group([write_set(insert(1)), write_set(insert(2), sync=True)])
    assert group.synced
    assert engine.durable_seq == group.view.seq
    assert not engine.write_group([write_set(insert(3))]).synced


def test_a_system_change_that_need_not_be_is_synced_with_the_next_that_must(engine):
    record = (system_key("table", 1), b"x")
    group = engine.write_group([WriteSet([], [], [record], sync=False, system_sync=False)])
    engine.publish(group)
    assert not group.synced
    assert engine.durable_seq < group.view.seq == engine.current.catalog_version
    assert engine.system_get(record[0]) == b"x"
    assert commit(engine, insert(1), sync=True) == engine.durable_seq


def test_a_system_change_is_synced_unless_it_says_otherwise(engine):
    seq = commit(engine, system=[(system_key("table", 1), b"x")])
    assert engine.durable_seq == seq
    assert engine.system_get(system_key("table", 1)) == b"x"
    assert engine.current.catalog_version == seq
    commit(engine, insert(1))
    assert engine.current.catalog_version == seq


def test_sync_log_makes_everything_durable(engine):
    seq = commit(engine, insert(1))
    assert engine.durable_seq < seq
    engine.sync_log()
    assert engine.durable_seq == seq


def test_system_records_are_scanned_by_their_prefix(engine):
    keys = [system_key("a", 1), system_key("a", 2), system_key("aa", 1)]
    commit(engine, system=[(key, b"v") for key in keys])
    assert [key for key, _ in engine.system_scan(system_key("a"))] == keys[:2]
    commit(engine, system=[(keys[0], None)])
    assert [key for key, _ in engine.system_scan(system_key("a"))] == keys[1:2]


# Views.


def test_a_held_view_does_not_change(engine):
    commit(engine, insert(1, "a"))
    with engine.acquire() as view:
        commit(engine, update(1, "b", "a"), insert(2, "c"))
        assert (read(view, 1), read(view, 2)) == ("a", None)
        assert [s for s, _, _ in view.log(TABLET)] == [view.seq]
        assert (read(engine, 1), read(engine, 2)) == ("b", "c")


def test_the_oldest_view_is_the_oldest_that_somebody_holds(engine):
    first = commit(engine, insert(1))
    view = engine.acquire()
    again = engine.acquire()
    second = commit(engine, insert(2))
    assert engine.oldest_view_seq() == first
    view.release()
    assert engine.oldest_view_seq() == first
    again.release()
    assert engine.oldest_view_seq() == second
    assert again.closed


def test_a_commit_survives_reopening_and_numbers_go_on(tmp_path):
    engine = open_engine(tmp_path / "data")
    seq = commit(engine, insert(1, "a"))
    engine.close()
    engine = open_engine(tmp_path / "data")
    assert read(engine, 1) == "a"
    assert engine.current.seq == seq
    assert commit(engine, insert(2, "b")) > seq
    engine.close()


def test_after_closing_a_held_view_is_a_serialization_failure(tmp_path):
    engine = open_engine(tmp_path / "data")
    commit(engine, insert(1, "a"))
    view = engine.acquire()
    engine.close()
    with pytest.raises(SerializationError):
        read(view, 1)
    view.release()


# Tablets in use.


def test_a_tablet_in_use_hears_of_its_commits_in_order(engine):
    tablet = engine.tablet(TABLET, LAYOUT)
    assert engine.tablet(TABLET, LAYOUT) is tablet
    engine.tablet(OTHER, LAYOUT)
    first = commit(engine, insert(1, "a"), insert(1, "x", tablet=OTHER), insert(2, "b"))
    second = commit(engine, delete(1, "a"))
    assert tablet.appended == [(first, [(1, "a"), (2, "b")]), (second, [(1, "a")])]


def test_hooks_hear_of_a_group_after_it_is_visible(engine):
    seen = []
    engine.on_publish.append(lambda group: seen.append((group.view.seq, engine.current.seq)))
    seq = commit(engine, insert(1))
    assert seen == [(seq, seq)]


def test_dirty_tablets_are_those_with_entries_in_no_segment(engine):
    commit(engine, insert(1), insert(2), insert(1, tablet=OTHER))
    commit(engine, insert(3))
    flushed = engine.unflushed(TABLET)
    commit(engine, insert(4))
    dirty = engine.dirty_tablets()
    assert {tablet: found.rows for tablet, found in dirty.items()} == {TABLET: 4, OTHER: 1}
    engine.flushed(TABLET, flushed)
    assert engine.dirty_tablets()[TABLET].rows == engine.unflushed(TABLET) == 1
    engine.flushed(TABLET, 1)
    assert set(engine.dirty_tablets()) == {OTHER}
    assert engine.unflushed(TABLET) == 0


def test_a_tablet_let_go_of_is_the_same_one_while_somebody_uses_it(tmp_path):
    engine = open_engine(tmp_path / "data", options=replace(OPTIONS, tablets_max=1))
    tablet = engine.tablet(TABLET, LAYOUT)
    engine.tablet(OTHER, LAYOUT)
    assert engine.tablet(TABLET, LAYOUT) is tablet
    del tablet
    engine.tablet(OTHER, LAYOUT)
    assert [found.id for found in engine.open_tablets()] == [OTHER]
    engine.close()


def test_a_tablet_that_only_its_user_still_has_gives_its_tail_back_too(tmp_path):
    options = replace(OPTIONS, tablets_max=1, tail_bytes_max=0)
    engine = Engine.open(tmp_path / "data", options=options)
    commit(engine, insert(1, "a"))
    tablet = engine.tablet(TABLET, LAYOUT)
    with engine.acquire() as view:
        assert tablet.scan(view) is not None
    engine.tablet(OTHER, LAYOUT)
    assert tablet.tail_bytes
    engine.relieve_memory()
    assert not tablet.tail_bytes
    engine.close()


def test_a_large_tail_that_nobody_uses_is_let_go_after_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr("storage.tablets._LOOKS", 2)
    engine = Engine.open(tmp_path / "data", options=OPTIONS)
    used, unused = engine.tablet(TABLET, LAYOUT), engine.tablet(OTHER, LAYOUT)
    commit(engine, insert(1, "a"), insert(1, "a", tablet=OTHER))

    def look(*tablets):
        for tablet in tablets:
            with engine.acquire() as view:
                assert tablet.scan(view) is not None
        engine.rest_tails()

    look(used, unused)
    for _ in range(4):
        look(used)
    assert unused.tail_bytes, "it is small"
    monkeypatch.setattr("storage.tablets._LARGE_TAIL", 0)
    look(used)
    assert used.tail_bytes
    assert not unused.tail_bytes
    with engine.acquire() as view:
        assert unused.scan(view) is not None
    engine.close()


def test_what_comes_while_a_tablet_is_flushed_counts_by_its_bytes(tmp_path):
    engine = open_engine(tmp_path / "data")
    for number in range(4):
        commit(engine, insert(number, "x" * 1000))
    before = engine.dirty_tablets()[TABLET].bytes
    assert before > 4000
    engine._tablets.flushed(TABLET, 1, 0.0)
    assert engine.dirty_tablets()[TABLET].bytes == before // 4
    engine.close()


# Trim and truncate.


def test_trim_deletes_entries_and_the_index_entries_that_point_at_them(engine):
    first = commit(engine, insert(1, "a"), insert(2, "b"))
    commit(engine, update(2, "c", "b"))
    trim(engine, LogEntry(first, 0, key_of(1)), LogEntry(first, 1, key_of(2)))
    assert engine.current.find(TABLET, key_of(1)) is None
    assert read(engine, 2) == "c"
    assert engine.current.log_length(TABLET) == 1


def test_trim_sees_what_an_earlier_set_of_its_group_wrote(engine):
    first = commit(engine, insert(1, "a"))
    puts = []
    entries = [LogEntry(first, 0, key_of(1))]
    writer = write_set(update(1, "b", "a", assumed=first))
    trimmer = write_set(validate=lambda _seq: puts.extend(engine.trim_puts(TABLET, entries)))
    trimmer.system = puts
    engine.publish(engine.write_group([writer, trimmer]))
    assert read(engine, 1) == "b"


def trim(engine, *entries):
    puts = []
    one = write_set(validate=lambda _seq: puts.extend(engine.trim_puts(TABLET, entries)))
    one.system = puts
    engine.publish(engine.write_group([one]))
    assert one.error is None


def test_truncate_is_a_log_entry_that_begins_a_new_incarnation(engine):
    commit(engine, insert(1, "a"))
    seq = commit(engine, truncate())
    *_, (last, _, data) = engine.current.log(TABLET)
    assert (last, decode_entry(data).op) == (seq, Op.TRUNCATE)
    assert engine.system_get(meta_key(TABLET, "incarnation")) == seq.to_bytes(8)


def test_after_truncate_a_key_is_absent_also_within_the_group(engine):
    commit(engine, insert(1, "a"), insert(2, "b"))
    sets = [write_set(truncate()), write_set(insert(1, "c", assumed=0))]
    engine.publish(engine.write_group(sets))
    assert [one.error for one in sets] == [None, None]
    commit(engine, insert(2, "d", assumed=0))
    assert (read(engine, 1), read(engine, 2)) == ("c", "d")


def test_an_index_entry_that_points_at_nothing_is_corruption(engine):
    seq = commit(engine, insert(1, "a"))
    commit(engine, system=[(log_key(TABLET, seq, 0), None)])
    with pytest.raises(DataCorruptedError, match="missing"):
        read(engine, 1)


# Numbers.


def test_numbers_go_up_over_a_crash_with_a_clock_that_stepped_back(tmp_path):
    clock = ManualClock()
    engine = open_engine(tmp_path / "data", clock=clock)
    numbers = [engine.next_snowflake()]
    clock.us += 20_000_000  # Beyond the first reservation, with no commit in between.
    numbers += [engine.next_snowflake(), commit(engine, insert(1))]
    crash_image(tmp_path / "data", tmp_path / "copy")  # What kill -9 leaves.
    engine.close()
    clock.us -= 3_600_000_000
    engine = open_engine(tmp_path / "copy", clock=clock)
    assert min(engine.next_snowflake(), commit(engine, insert(9))) > max(numbers)
    engine.close()


@pytest.mark.parametrize("read_one", ["system_get", "system_scan"])
def test_a_thread_reads_system_records_while_the_loop_publishes(engine, monkeypatch, read_one):
    key = system_key("table", 1)
    commit(engine, system=[(key, b"before")])
    plainly = getattr(View, read_one)
    commits = [b"one", b"two"]

    def meanwhile(view, wanted):
        # The reading thread has the view and has not asked it yet: now the loop has its turn.
        if commits:
            commit(engine, system=[(key, commits.pop(0))])
        return plainly(view, wanted)

    monkeypatch.setattr(View, read_one, meanwhile)
    found = getattr(engine, read_one)(key)
    assert (found if isinstance(found, bytes) else dict(found)[key]) == b"two"
