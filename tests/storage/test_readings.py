"""A table that is altered: rows of every version in every other, whoever reads, writes or flushes."""

import shutil
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from storage.arrow import column_name, to_rows
from storage.cold.compaction import compact_together
from storage.cold.flush import flush
from storage.engine import Write
from storage.errors import DataCorruptedError
from storage.layout import Column, Layout
from storage.log.log_entry import Op
from tests.storage.engine_fixtures import TABLET, commit, key_of, open_engine, write_set
from tests.storage.test_engine_model import Host

KEY = Column(1, "id", "int", pa.int64())


def layout_of(version, columns):
    """A version of a table; columns: missing values by column id."""
    others = [Column(c, f"n{c}", "int", pa.int64(), missing) for c, missing in columns.items()]
    return Layout(version, (KEY, *others), (0,))


def seen(tablet, view):
    """What a reading gives of a view, by key: from memory and files, by scan and by key alike."""
    while (scan := tablet.scan(view)) is None:
        tablet.install(tablet.load(view))
    hidden = set() if scan.superseded is None else set(scan.superseded.column(0).to_pylist())
    rows = {}
    for segment in scan.segments:
        table = pq.read_table(segment.path)
        for row, gone in zip(
            to_rows(table, tablet.layout), table.column("_deleted").to_pylist(), strict=True
        ):
            rows.pop(row[0], None)
            if not gone and row[0] not in hidden:
                rows[row[0]] = row
    for _, batch in scan.batches:
        rows |= {row[0]: row for row in to_rows(batch, tablet.layout)}
    for key, row in rows.items():
        assert tablet.get_cold(view, key_of(key)).row == row
    return rows


class Altered(RuleBasedStateMachine):
    """`rows[key]` is what each column id holds; `versions[n]` its columns and what older rows have there."""

    def __init__(self):
        super().__init__()
        self.path = Path(tempfile.mkdtemp(prefix="kalam-readings-"))
        self.rows, self.versions, self.readers, self.columns = {}, [{2: None}], [], 2

    @initialize()
    def start(self):
        self.engine = open_engine(self.path, tablet_factory=None)
        self.engine.learn_layouts(TABLET.table, self.layouts)
        self.tablet = self.engine.tablet(TABLET, self.layouts[-1])

    @property
    def layouts(self):
        return [layout_of(n, columns) for n, columns in enumerate(self.versions, 1)]

    @rule(key=st.integers(0, 5), value=st.integers(0, 99))
    def write(self, key, value):
        columns = self.versions[-1]
        row = (key, *[value + column for column in columns])
        commit(
            self.engine,
            Write(TABLET, Op.UPDATE, key_of(key), row, None, len(self.versions), None),
        )
        self.rows[key] = dict(zip(columns, row[1:], strict=True))

    @rule(missing=st.none() | st.integers(100, 110))
    def add_column(self, missing):
        self.columns += 1
        self.alter({**self.versions[-1], self.columns: missing})

    @precondition(lambda self: self.versions[-1])
    @rule()
    def drop_column(self):
        first, *_ = self.versions[-1]
        self.alter({c: m for c, m in self.versions[-1].items() if c != first})

    def alter(self, columns):
        """Commit another version with a row of it, as a transaction that alters and writes does."""
        self.readers.append((self.tablet, self.engine.acquire(), self.expected(self.versions[-1])))
        self.versions.append(columns)
        row = (7, *columns)
        one = write_set(Write(TABLET, Op.UPDATE, key_of(7), row, None, len(self.versions), None))
        one.layouts = [(TABLET.table, self.layouts)]
        self.engine.publish(self.engine.write_group([one]))
        self.rows[7] = {column: column for column in columns}
        self.tablet = self.engine.tablet(TABLET, self.layouts[-1])

    @rule()
    def flush(self):
        flush(Host(self.engine), self.engine.opened(TABLET))

    @rule()
    def compact(self):
        compact_together(Host(self.engine), [self.tablet], lambda segments, _: segments, 0)

    @rule(reader=st.data())
    def a_reader_ends(self, reader):
        if self.readers:
            at = reader.draw(st.integers(0, len(self.readers) - 1))
            self.readers.pop(at)[1].release()

    @rule()
    def crash(self):
        for _, view, _ in self.readers:
            view.release()
        self.readers = []
        self.engine.close()
        self.start()

    def expected(self, columns):
        return {
            key: (key, *[row.get(column, missing) for column, missing in columns.items()])
            for key, row in self.rows.items()
        }

    @invariant()
    def everybody_sees_the_columns_that_they_began_with(self):
        if hasattr(self, "tablet"):
            with self.engine.acquire() as view:
                assert seen(self.tablet, view) == self.expected(self.versions[-1])
            for tablet, view, rows in self.readers:
                assert seen(tablet, view) == rows

    def teardown(self):
        if hasattr(self, "engine"):
            self.engine.close()
        shutil.rmtree(self.path)


TestAltered = Altered.TestCase
TestAltered.settings = settings(max_examples=6, stateful_step_count=12, deadline=None)


def test_what_nobody_has_committed_is_nobodys_but_the_readers(tmp_path):
    engine = open_engine(tmp_path, tablet_factory=None)
    tablet = engine.tablet(TABLET, layout_of(1, {2: None}))
    commit(engine, Write(TABLET, Op.INSERT, key_of(1), (1, 5), None, 1, 0))
    own = tablet.reading(layout_of(2, {2: None, 3: 8}))
    with engine.acquire() as view:
        assert seen(own, view) == {1: (1, 5, 8)}
        assert seen(engine.tablet(TABLET, layout_of(1, {2: None})), view) == {1: (1, 5)}
    other = tablet.reading(layout_of(2, {4: 9}))  # Another transaction's second version.
    with engine.acquire() as view:
        assert seen(other, view) == {1: (1, 9)}
    engine.close()


def test_a_flush_that_knows_no_newer_version_refuses_its_rows_and_loses_nothing(tmp_path):
    engine = open_engine(tmp_path, tablet_factory=None)
    tablet = engine.tablet(TABLET, layout_of(1, {2: None}))
    commit(engine, Write(TABLET, Op.INSERT, key_of(1), (1, 5, 6), None, 2, 0))
    with pytest.raises(DataCorruptedError, match="unknown schema version 2"):
        flush(Host(engine), tablet)
    engine.learn_layouts(TABLET.table, [layout_of(2, {2: None, 3: None})])
    flush(Host(engine), tablet)
    newest = engine.tablet(TABLET, layout_of(2, {2: None, 3: None}))
    with engine.acquire() as view:
        assert seen(newest, view) == {1: (1, 5, 6)}
    engine.close()


def test_columns_are_called_by_the_id_of_where_their_values_lie():
    assert [column_name(c) for c in layout_of(1, {2: None, 9: None}).columns] == ["c1", "c2", "c9"]


def test_a_view_reads_a_column_that_was_dropped_and_compacted_since():
    """The compaction is put off as long as the view is held."""
    machine = Altered()
    machine.start()
    machine.add_column(missing=None)
    machine.flush()
    machine.drop_column()
    machine.compact()
    machine.everybody_sees_the_columns_that_they_began_with()
    for _, view, _ in machine.readers:
        view.release()
    machine.readers = []
    machine.compact()
    machine.everybody_sees_the_columns_that_they_began_with()
    machine.teardown()
