"""Index files: what they find is what all rows sorted say, and nothing depends on their being there."""

import random
from dataclasses import replace
from io import BytesIO

import pytest

from storage.cold import index_file, index_reader
from storage.cold.counting import count_rows
from storage.cold.decoded import DECODED
from storage.cold.directories import Directories
from storage.cold.extents import Condition, SortKey
from storage.cold.first_rows import Limits, Question, TooMuchError, Work
from storage.cold.index_file import Entry
from storage.cold.index_keys import Bound, KeyPart, between, first_parts, key_of
from storage.cold.index_reader import IndexLostError, Reach
from storage.cold.indexed_rows import Walk, rows_by_index
from storage.cold.indexing import IndexJob, build, drop_index_file, publish_index
from storage.cold.manifest import Segment
from storage.cold.point_read import NotInMemoryError
from storage.cold.segment import encode_segments
from storage.errors import DataCorruptedError, DiskFullError, KalamError
from storage.fs import OS
from tests.storage.cold.lives import KINDS, TESTS, VALUES, Life, in_order, meets, ranked

MARK = "0123456789abcdef"


def a_segment(rows=10, path="/x/segment-1-ab.parquet"):
    return Segment(path, rows, 1, "ab" * 32, 1, 1, b"", b"", 0, 0, "")


# ------------------------------------------------------------------ keys


def sort_values(kind):
    return [None, *VALUES[kind]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("nulls_first", [False, True])
def test_keys_sort_as_the_order_says_forwards_and_backwards(kind, descending, nulls_first):
    key = SortKey(0, "int" if kind == "time" else kind, descending, nulls_first)
    other = SortKey(0, key.kind, not descending, not nulls_first)
    part = KeyPart(key.kind, descending, nulls_first)
    values = sort_values(kind)
    made = sorted((part.rank(value), n) for n, value in enumerate(values))
    wanted = sorted(values, key=lambda value: in_order((key,))((value,)))
    assert [ranked(key, (values[n],)) for _, n in made] == [ranked(key, (v,)) for v in wanted]
    for value in values:
        data = b"xy" + part.rank(value) + b"more"
        assert part.end(data, 2) == len(data) - 4
        for order, backward in ((key, False), (other, True)):
            found = first_parts(data, 2, [part], every=False, backward=backward)
            assert found == order.rank(value)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("kind", ["int", "text", "float"])
def test_a_reach_has_the_entries_that_meet_the_comparisons(kind, descending):
    randomly = random.Random(kind + str(descending))
    parts = [KeyPart("int", False, False), KeyPart(kind, descending, randomly.random() < 0.5)]
    rows = [(a, b) for a in (None, 1, 2) for b in sort_values(kind)]
    for operator in ("<", "<=", ">", ">="):
        for value in VALUES[kind]:
            for second in (None, Bound(randomly.choice(list(TESTS)[1:]), VALUES[kind][0])):
                bounds = [Bound(operator, value), *([second] if second else [])]
                low, high = between(parts, [1], bounds)
                found = [row for row in rows if low <= key_of(parts, row) < high]
                conditions = [Condition(0, "int", "=", 1)]
                conditions += [Condition(1, kind, b.operator, b.value) for b in bounds]
                assert found == [row for row in rows if meets(row, conditions)]


# ------------------------------------------------------------------ files


@pytest.fixture
def entries():
    return [Entry(b"%05d" % (n // 3), n) for n in range(2000)]


def test_a_file_gives_what_was_written_block_by_block(tmp_path, entries, monkeypatch):
    monkeypatch.setattr(index_file, "ROWS_MIN", 0)
    segment = a_segment(2000, str(tmp_path / "segment-1-ab.parquet"))
    path = index_reader.path_of(segment, MARK)
    assert index_file.segment_and_mark(path.name) == (segment.file, MARK)
    assert index_reader.open_index(OS, segment, MARK) is None
    path.write_bytes(b"".join(index_file.encode(segment.sha256, entries)))
    index_reader.note_written(OS, segment, MARK)
    index = index_reader.open_index(OS, segment, MARK)
    for low, high in ((b"", b"z"), (b"00100", b"00200"), (b"00512", b"00512"), (b"9", b"a")):
        wanted = [entry for entry in entries if low <= entry.key < high]
        assert list(index.entries(Reach(low, high))) == wanted
        assert list(index.entries(Reach(low, high, backward=True))) == wanted[::-1]
        assert index.count(Reach(low, high)) == len(wanted)
    DECODED.forget(segment.path)
    with pytest.raises(NotInMemoryError):
        index_reader.open_index(OS, segment, MARK, in_memory=True)


@pytest.mark.parametrize("together", [1, 7, 700, 5000])
def test_entries_are_sorted_in_whatever_portions(monkeypatch, together):
    monkeypatch.setattr(index_file, "SORTED_TOGETHER", together)
    monkeypatch.setattr(index_file, "BLOCK_ENTRIES", 10)
    randomly = random.Random(together)
    entries = [Entry(randomly.choice((b"a", b"ab", b"b", b"")), row) for row in range(2000)]
    sorter = index_file.Sorter()
    for entry in entries:
        sorter.add(entry)
    assert list(sorter.sorted()) == sorted(entries)


def test_no_flipped_bit_passes(entries):
    segment = a_segment(2000)
    data = b"".join(index_file.encode(segment.sha256, entries))
    index_file.check(BytesIO(data), segment)
    randomly = random.Random(5)
    for at in randomly.sample(range(len(data)), 200):
        damaged = bytearray(data)
        damaged[at] ^= 1 << randomly.randrange(8)
        with pytest.raises(DataCorruptedError):
            index_file.check(BytesIO(bytes(damaged)), segment)
    for length in (0, 5, 20, len(data) - 1):
        with pytest.raises(DataCorruptedError):
            index_file.check(BytesIO(data[:length]), segment)
    with pytest.raises(DataCorruptedError):
        index_file.check(BytesIO(data + b"\0"), segment)
    with pytest.raises(DataCorruptedError, match="that of another"):
        index_file.check(BytesIO(data), replace(segment, sha256="cd" * 32))


# ------------------------------------------------------------------ rows


class IndexedLife(Life):
    """A tablet of which some segments have files of an index."""

    def index(self):
        """Make the files for some of the segments; (positions, parts) of the index."""
        randomly = self.random
        width = len(self.layout.columns)
        positions = randomly.sample(range(width), randomly.choice((1, 2, 2, 3)))
        parts = [
            KeyPart(self.layout.columns[at].kind, randomly.random() < 0.4, randomly.random() < 0.4)
            for at in positions
        ]
        for segment in self.tablet.manifest.segments:
            if randomly.random() < 0.8:
                job = IndexJob(
                    self.tablet.id, segment, self.layout, tuple(positions), MARK, b"packed"
                )
                data = build(job, lambda row: key_of(parts, [row[at] for at in positions]))
                index_reader.path_of(segment, MARK).write_bytes(b"".join(data))
                index_reader.note_written(OS, segment, MARK)
        return positions, parts

    def check_index(self, positions, parts):
        changes, rows = self.own_changes()
        question, walk = self.walk(positions, parts)
        sight = self.sight(changes)
        found = rows_by_index(sight, question, walk, Work(Limits()), lambda: None)
        meeting = [row for row in rows if meets(row, question.conditions)]
        if not walk.rest:
            counted = count_rows(sight, question.conditions, Work(Limits()), lambda: None, walk)
            assert counted == len(meeting)
        if found is None:
            return False
        self.are_the_first(found, meeting, question)
        return True

    def value(self, at):
        if at == 0:
            return self.random.choice([row[0] for row in self.rows.values()] or [self.row(1)[0]])
        return self.random.choice(VALUES[KINDS[at - 1]])

    def walk(self, positions, parts):
        """A question and the part of the index that a planner would take for it."""
        randomly, columns = self.random, self.layout.columns
        equal = randomly.randint(0, len(parts))
        conditions = [
            Condition(at, columns[at].kind, "=", self.value(at)) for at in positions[:equal]
        ]
        bounds = []
        if equal < len(parts) and randomly.random() < 0.5:
            at = positions[equal]
            bounds = [Bound(randomly.choice(list(TESTS)[1:]), self.value(at))]
            conditions += [Condition(at, columns[at].kind, b.operator, b.value) for b in bounds]
        covered = len(conditions)
        if randomly.random() < 0.3:
            at = randomly.randrange(1, len(columns))
            operator = randomly.choice(list(TESTS))
            conditions.append(Condition(at, columns[at].kind, operator, self.value(at)))
        backward = randomly.random() < 0.5
        ordered = randomly.randint(0, len(parts) - equal)
        order = [
            SortKey(at, part.kind, part.descending != backward, part.nulls_first != backward)
            for at, part in list(zip(positions, parts, strict=True))[equal : equal + ordered]
        ]
        taken = {key.position for key in order}
        others = [at for at in range(len(columns)) if at not in taken]
        if randomly.random() < 0.3:
            at = randomly.choice(others)
            order.append(SortKey(at, columns[at].kind, randomly.random() < 0.5, True))
        every = randomly.random() < 0.2
        where = randomly.choice((None, None, lambda row: row[1] is not None and row[1] % 2 == 1))
        question = Question(
            tuple(conditions),
            tuple(order),
            100 if every else randomly.choice((1, 2, 5, 100)),
            every,
            where,
            frozenset() if where is None else frozenset({1}),
            frozenset(randomly.sample(range(len(columns)), 3)) | {0},
        )
        values = [condition.value for condition in conditions[:equal]]
        low, high = between(parts, values, bounds)
        prefix = len(key_of(parts[:equal], values))
        reach = Reach(low, high, backward)
        rest = tuple(conditions[covered:])
        return question, Walk(MARK, tuple(parts), equal, prefix, (reach,), ordered, rest)


@pytest.mark.slow
def test_rows_by_an_index_are_those_of_all_rows_sorted(tmp_path, monkeypatch):
    monkeypatch.setitem(encode_segments.__kwdefaults__, "group_rows", 3)
    monkeypatch.setattr(index_file, "ROWS_MIN", 0)
    monkeypatch.setattr(index_file, "BLOCK_ENTRIES", 4)
    monkeypatch.setattr("storage.cold.segment.TINY_BYTES", 0)
    monkeypatch.setattr("storage.cold.new_run.INLINE_BYTES", 0)
    answered = 0
    for seed in range(9):
        monkeypatch.setattr("storage.cold.sight.KNOWN_ROWS_MAX", seed % 2 * 1000)
        life = IndexedLife(seed, tmp_path / str(seed))
        life.live()
        positions, parts = life.index()
        for _ in range(50):
            answered += life.check_index(positions, parts)
    assert answered > 200


# ------------------------------------------------------------------ a segment's file


@pytest.fixture
def life(tmp_path, monkeypatch):
    monkeypatch.setattr(index_file, "ROWS_MIN", 0)
    for seed in range(20):
        life = IndexedLife(seed, tmp_path / str(seed))
        life.live()
        if life.tablet.manifest.segments:
            return life
    raise AssertionError("no seed has segments")


def a_job(life):
    return IndexJob(life.tablet.id, life.tablet.manifest.segments[0], life.layout, (1,), MARK, b"")


def by_the_second(row):
    return KeyPart("int", descending=False, nulls_first=False).rank(row[1])


@pytest.mark.parametrize("why", ["too long", "no value"])
def test_a_segment_may_have_no_index_for_ever(life, why):
    def entry(row):
        if why == "too long":
            return b"x" * 5000
        raise KalamError("division by zero")

    job = a_job(life)
    data = b"".join(build(job, entry))
    index_reader.path_of(job.segment, MARK).write_bytes(data)
    assert index_reader.open_index(OS, job.segment, MARK) is None
    assert index_reader.has_file(OS, job.segment, MARK), "it is not tried again"


def test_a_damaged_file_is_found_out_and_removed(life):
    job = a_job(life)
    path = index_reader.path_of(job.segment, MARK)
    path.write_bytes(b"".join(build(job, by_the_second))[:-1])
    parts = (KeyPart("int", descending=False, nulls_first=False),)
    walk = Walk(MARK, parts, 0, 0, (Reach(b"", b"\xff"),), 1, ())
    order = (SortKey(1, "int", descending=False, nulls_first=False),)
    question = Question((), order, 5, False, None, frozenset(), frozenset({0}))
    with pytest.raises(IndexLostError) as lost:
        rows_by_index(life.sight({}), question, walk, Work(Limits()), lambda: None)
    assert drop_index_file(life.sight({}), lost.value)
    assert not path.exists()
    assert rows_by_index(life.sight({}), question, walk, Work(Limits()), lambda: None) is None


def test_what_takes_too_much_is_left_to_others(life):
    job = a_job(life)
    index_reader.path_of(job.segment, MARK).write_bytes(b"".join(build(job, by_the_second)))
    parts = (KeyPart("int", descending=False, nulls_first=False),)
    walk = Walk(MARK, parts, 0, 0, (Reach(b"", b"\xff"),), 1, ())
    question = Question((), (), 100, True, None, frozenset(), frozenset({0}))
    with pytest.raises(TooMuchError):
        rows_by_index(life.sight({}), question, walk, Work(Limits(looked_at=0)), lambda: None)


class FakeHost:
    """What making a file needs of the engine."""

    def __init__(self, fs=OS, *, exists=True):
        self.fs = fs
        self.directories = Directories()
        self._exists = exists

    def exists(self, _tablet):
        return self._exists

    def run_on_loop(self, call):
        return call()


class SmallDisk:
    """A disk with little room."""

    def __getattr__(self, name):
        return getattr(OS, name)

    def free_bytes(self, _path):
        return 1 << 20


def names_in(life):
    return sorted(path.name for path in life.directory.iterdir() if "index-" in path.name)


def test_a_file_is_published_once(life):
    job = a_job(life)
    data = build(job, by_the_second)
    for _ in range(2):  # Somebody else was quicker.
        assert publish_index(FakeHost(), job, 100, data)
    assert names_in(life) == [index_reader.path_of(job.segment, MARK).name]


def test_nothing_is_written_for_what_is_gone(life):
    job = a_job(life)
    data = build(job, by_the_second)
    assert not publish_index(FakeHost(exists=False), job, 100, data)
    for place in (life.directory, life.directory / "gone"):
        segment = replace(job.segment, path=str(place / "segment-9-ab.parquet"))
        assert not publish_index(FakeHost(), replace(job, segment=segment), 100, data)
    with pytest.raises(DiskFullError):
        publish_index(FakeHost(SmallDisk()), job, 100, data)
    assert names_in(life) == []
