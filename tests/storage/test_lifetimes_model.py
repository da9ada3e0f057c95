"""Tables that come, change and go while few tablets are open, against a dict: no view ever changes."""

import shutil
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from storage import failpoints
from storage.check import check
from storage.cold.collect import collect, erase
from storage.cold.compaction import compact_together
from storage.cold.directories import tablets_in
from storage.cold.flush import flush_together
from storage.cold.manifest import files_of, load
from storage.cold.point_read import SegmentReader
from storage.cold.tiering import everything
from storage.cold.trim import trim, untrimmed
from storage.engine import Engine
from storage.errors import IoError, KalamError
from storage.fs import OS
from storage.ids import TabletId
from storage.keys import tablet_ranges
from storage.log.recovery import intent_key
from storage.schema import Schema
from storage.tablet import ColdNeeded
from tests.storage.crash_image import crash_image
from tests.storage.engine_fixtures import (
    LAYOUT,
    OPTIONS,
    commit,
    delete,
    insert,
    key_of,
    truncate,
    update,
)
from tests.storage.test_engine_model import Host, scan

KEYS = st.sets(st.integers(0, 3), min_size=1)
WHICH = st.integers(0, 1)  # One of the two tablets there are.
COMPACTION_STEPS = [
    "compact.chosen",
    "compact.file_written",
    "compact.merged",
    "publish.files_durable",
    "publish.renamed",
    "publish.manifest_linked",
]
STEPS = [
    "flush.intent",
    "flush.file_written",
    "publish.files_durable",
    "publish.renamed",
    "publish.manifest_written",
    "publish.names_durable",
    "publish.manifest_linked",
    "publish.manifest_durable",
]


class Lifetimes(RuleBasedStateMachine):
    """`rows[tablet][key]`: (seq, body). `held`: (view, what it shows, segments it was given).

    Two tables exist at any time; `gone`: dropped tables, by the commit that did it. Most rules write
    before they do what they are there for, so that there is something to it.
    """

    def __init__(self):
        super().__init__()
        self.path = Path(tempfile.mkdtemp(prefix="kalam-lifetimes-"))
        self.lives = self.numbers = 0
        self.next_table = 3
        self.rows = {}
        self.gone = {}
        self.held = []

    @initialize()
    def start(self):
        self.open()
        for _ in range(2):
            self.create()

    def create(self):
        self.rows[TabletId(7, self.next_table)] = {}
        self.next_table += 1

    def open(self):
        options = replace(OPTIONS, tablets_max=1)
        self.engine = Engine.open(self.path / str(self.lives), options=options)
        self.host = Host(self.engine)
        self.host.exists = lambda tablet: tablet.table not in self.gone

    def teardown(self):
        if hasattr(self, "engine"):
            self.release_all()
            self.everything_goes_that_should()
            self.engine.close()
            assert list(check(self.path / str(self.lives))) == []
        shutil.rmtree(self.path)

    def everything_goes_that_should(self):
        """With no view left, what is on disk is what the newest manifests name."""
        self.erase_what_was_dropped()
        for tablet in self.rows:
            self.trim_and_collect(tablet)
        assert list(untrimmed(self.engine.current)) == []
        assert not {tablet.table for tablet in self.engine.current.tablets()} & self.gone.keys()
        for tablet in tablets_in(OS, self.engine.cold_directory):
            directory = self.engine.tablet_directory(tablet)
            assert set(OS.listdir(directory)) == files_of([load(OS, directory, tablet)])
            assert tablet in self.rows
        everything_is_as_in_the_model(self)

    def release_all(self):
        for view, _, _ in self.held:
            view.release()
        self.held.clear()

    def tablet_at(self, which):
        return sorted(self.rows)[which % len(self.rows)]

    def open_tablet(self, tablet):
        return self.engine.tablet(tablet, LAYOUT)

    # What users do.

    @rule(which=WHICH, keys=KEYS, remove=st.booleans())
    def change(self, which, keys, remove=False):
        tablet = self.tablet_at(which)
        rows, writes, after = self.rows[tablet], [], {}
        for key in keys:
            seq, body = rows.get(key, (0, None))
            self.numbers += 1
            new = f"v{self.numbers}"
            if body is None:
                writes.append(insert(key, new, tablet=tablet, assumed=None))
            elif remove:
                writes.append(delete(key, body, tablet=tablet, assumed=None))
                new = None
            else:
                writes.append(update(key, new, body, tablet=tablet, assumed=None))
            after[key] = new
        seq = commit(self.engine, *writes)
        for key, new in after.items():
            if new is None:
                del rows[key]
            else:
                rows[key] = (seq, new)

    @rule(which=WHICH, keys=KEYS, together=st.booleans())
    def truncate_and_fill(self, which, keys, together):
        if together:
            self.truncate(which, keys)
        else:
            self.truncate(which)
            self.change(which, keys)

    def truncate(self, which, keys=()):
        """In one transaction: the tablet's rows go, and these come."""
        tablet = self.tablet_at(which)
        fresh = [insert(key, "fresh", tablet=tablet, assumed=None) for key in sorted(keys)]
        seq = commit(self.engine, truncate(tablet=tablet), *fresh)
        self.rows[tablet] = dict.fromkeys(keys, (seq, "fresh"))

    @rule(which=WHICH, keys=KEYS)
    def fill_and_drop(self, which, keys):
        self.change(which, keys)
        self.drop(self.tablet_at(which).table)

    def drop(self, table):
        seq = commit(self.engine, system=[(b"\1Sdropped", str(table).encode())])
        self.gone[table] = seq
        self.engine.forget_table(table)
        del self.rows[TabletId(7, table)]
        self.create()

    @precondition(lambda self: len(self.held) < 3)
    @rule(which=WHICH, keys=KEYS, running=st.booleans(), cold=st.booleans())
    def hold_a_view(self, which, keys, running, cold=False):
        self.change(which, keys)
        if cold:  # What it sees is in segments alone.
            self.flush(which, together=False)
            self.trim_and_collect(self.tablet_at(which))
        view = self.engine.acquire()
        shown = {tablet: dict(rows) for tablet, rows in self.rows.items()}
        segments = ()
        if running:
            segments = scanned(self.open_tablet(self.tablet_at(which)), view).segments
        self.held.append((view, shown, [(s, self.tablet_at(which)) for s in segments]))

    @precondition(lambda self: self.held)
    @rule(at=st.integers(0, 2))
    def release_a_view(self, at):
        view, _, _ = self.held.pop(at % len(self.held))
        view.release()

    # What goes on beside them.

    @rule(which=WHICH, keys=KEYS, together=st.booleans(), trimmed=st.booleans())
    def change_and_flush(self, which, keys, together, trimmed):
        self.change(which, keys)
        self.flush(which, together)
        if trimmed:
            self.trim_and_collect(self.tablet_at(which))

    @rule(which=WHICH, keys=KEYS)
    def flush_and_evict(self, which, keys):
        self.change(which, keys)
        self.flush(which, together=False)
        self.evict()

    def flush(self, which, together):
        tablets = sorted(self.rows) if together else [self.tablet_at(which)]
        answers = flush_together(self.host, [self.open_tablet(tablet) for tablet in tablets])
        assert not any(isinstance(answer, KalamError) for answer in answers)

    @rule(which=WHICH, keys=KEYS, step=st.sampled_from(STEPS))
    def flush_and_fail(self, which, keys, step):
        self.change(which, keys)
        with failpoints.armed(step, "eio"), suppress(IoError):
            flush_together(self.host, [self.open_tablet(self.tablet_at(which))])

    @rule(which=WHICH, keys=KEYS, step=st.sampled_from(STEPS), drop=st.booleans())
    def flush_while_its_rows_go(self, which, keys, step, drop):
        self.change(which, keys)
        tablet = self.tablet_at(which)

        def goes():
            if drop:
                self.drop(tablet.table)
                self.erase_what_was_dropped()
            else:
                self.truncate(which)

        with failpoints.armed(step, goes):
            flush_together(self.host, [self.open_tablet(tablet)])

    @rule(which=WHICH, keys=KEYS, fails=st.booleans(), running=st.booleans())
    def compact(self, which, keys, fails, running):
        self.change(which, keys)
        self.flush(which, together=False)
        if running and len(self.held) < 3:
            self.hold_a_view(which, keys, running=True)
        tablet = self.open_tablet(self.tablet_at(which))
        action = "eio" if fails else lambda: None
        with failpoints.armed("publish.manifest_linked", action), suppress(IoError):
            (answer,) = compact_together(self.host, [tablet], everything, 0)
            assert not isinstance(answer, KalamError), answer
        collect(self.host, tablet.id, tablet.directory)

    @rule(which=WHICH, keys=KEYS, step=st.sampled_from(COMPACTION_STEPS), what=st.integers(0, 2))
    def compact_while_its_rows_go(self, which, keys, step, what):
        """They are dropped, or truncated, or more of them are flushed."""
        self.change_and_flush(which, keys, together=False, trimmed=False)
        self.change_and_flush(which, keys, together=False, trimmed=False)
        tablet = self.tablet_at(which)

        def goes():
            if what == 0:
                self.drop(tablet.table)
                self.erase_what_was_dropped()
            elif what == 1:
                self.truncate(which)
            if what and not step.startswith("publish.m") and step != "publish.names_durable":
                self.flush(which, together=False)
                self.collect_all()

        with failpoints.armed(step, goes):
            (answer,) = compact_together(self.host, [self.open_tablet(tablet)], everything, 2**62)
        assert not isinstance(answer, KalamError), answer

    @rule(which=WHICH)
    def trim_and_collect_one(self, which):
        self.trim_and_collect(self.tablet_at(which))

    def trim_and_collect(self, tablet):
        trim(self.host, tablet, Schema(tablet, LAYOUT), retained_from=2**63)
        collect(self.host, tablet, self.engine.tablet_directory(tablet))

    @rule()
    def collect_all(self):
        for tablet in list(tablets_in(OS, self.engine.cold_directory)):
            collect(self.host, tablet, self.engine.tablet_directory(tablet))

    @rule()
    def erase_what_was_dropped(self):
        oldest = self.engine.oldest_view_seq()
        engine = self.engine
        found = {*engine.current.tablets(), *tablets_in(OS, engine.cold_directory)}
        orphans = [
            tablet
            for tablet in sorted(found)
            if self.gone.get(tablet.table, oldest + 1) <= oldest
            and not engine.directories.written(tablet)
        ]
        erase(OS, engine.directories, [(t, engine.tablet_directory(t)) for t in orphans])
        with engine.acquire() as view:
            keys = [
                key
                for tablet in orphans
                for start, stop in tablet_ranges(tablet)
                for key in view.scan_keys(start, stop)
            ]
        keys += [intent_key(tablet) for tablet in orphans]
        commit(engine, system=[(key, None) for key in keys])

    @rule()
    def evict(self):
        """Somebody else's tablet is the only one that is kept open."""
        self.engine.tablet(TabletId(1, 1), LAYOUT)
        assert {tablet.id for tablet in self.engine.open_tablets()} == {TabletId(1, 1)}

    @rule()
    def restart(self):
        self.release_all()
        self.engine.close()
        self.open()

    @rule()
    def crash(self):
        self.release_all()
        before = self.path / str(self.lives)
        self.lives += 1
        crash_image(before, self.path / str(self.lives))
        self.engine.close()
        shutil.rmtree(before)
        self.open()

    @invariant()
    def no_view_has_changed(self):
        if hasattr(self, "engine"):
            everything_is_as_in_the_model(self)
            for view, shown, segments in self.held:
                for tablet, rows in shown.items():
                    compare(self.open_tablet(tablet), view, rows)
                for segment, tablet in segments:
                    assert SegmentReader(OS, segment, tablet).read().num_rows == segment.rows


def everything_is_as_in_the_model(model):
    for tablet, rows in model.rows.items():
        compare(model.open_tablet(tablet), model.engine.current, rows)


def scanned(tablet, view):
    found = tablet.scan(view)
    if found is None:
        tablet.install(tablet.load(view))
        found = tablet.scan(view)
    return found


def compare(tablet, view, rows):
    assert scan(tablet, view) == rows
    for key in range(4):
        found = tablet.get(view, key_of(key))
        if isinstance(found, ColdNeeded):
            found = tablet.get_cold(view, key_of(key))
        assert (None if found is None else (found.seq, found.row[1])) == rows.get(key)


Lifetimes.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
test_no_view_changes_and_nothing_is_left = pytest.mark.slow(Lifetimes.TestCase)
