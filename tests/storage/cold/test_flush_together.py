"""Tablets flushed together: each is as safe as alone, and they share what they wait for."""

import pytest

from storage import failpoints
from storage.cold.flush import flush_together
from storage.errors import DataCorruptedError, IoError, KalamError
from storage.fs import OS
from storage.ids import TabletId
from storage.keys import log_key
from tests.storage.crashing_fs import CrashError, CrashingFs
from tests.storage.engine_fixtures import LAYOUT, commit, delete, insert, open_engine, update
from tests.storage.test_engine_model import Host, scan

TABLETS = [TabletId(user, 3) for user in (9, 7, 8)]


class Street:
    """Tablets side by side: flushed once or never, and changed since."""

    def __init__(self, path, tablets=TABLETS):
        self.path = path
        self.ids = tablets
        self.rows = {}
        self.open()
        for number, tablet in enumerate(tablets):
            rows = self.rows[tablet] = {}
            for key in range(4):
                rows[key] = (commit(self.engine, insert(key, "a", tablet=tablet)), "a")
            if number % 2:
                flush_together(self.host, [self.tablets[tablet]])
                rows[1] = (commit(self.engine, update(1, "b", "a", tablet=tablet)), "b")
                commit(self.engine, delete(2, "a", tablet=tablet))
                del rows[2]

    def open(self):
        self.engine = open_engine(self.path, tablet_factory=None)
        self.tablets = {tablet: self.engine.tablet(tablet, LAYOUT) for tablet in self.ids}
        self.host = Host(self.engine)

    def use(self, fs):
        self.host.fs = fs

    def flush(self):
        return flush_together(self.host, list(self.tablets.values()))

    def reopen(self):
        self.engine.close()
        self.open()

    def check(self):
        view = self.engine.current
        assert {tablet: scan(self.tablets[tablet], view) for tablet in self.ids} == self.rows

    def go_on(self):
        """All is there; another flush brings everything to cold and leaves nobody dirty."""
        self.check()
        self.use(OS)
        assert not any(isinstance(answer, KalamError) for answer in self.flush())
        assert not self.engine.dirty_tablets()
        assert all(
            tablet.manifest.rows == len(self.rows[tablet.id]) for tablet in self.tablets.values()
        )
        self.check()
        self.reopen()
        assert not self.engine.dirty_tablets()
        self.check()
        self.engine.close()


@pytest.fixture(scope="module")
def changes(tmp_path_factory):
    """How many file operations a flush of the street takes."""
    street = Street(tmp_path_factory.mktemp("counted"))
    fs = CrashingFs()
    street.use(fs)
    street.flush()
    street.engine.close()
    return fs.changes


@pytest.mark.slow
@pytest.mark.parametrize("power", [False, True], ids=["kill", "power loss"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_at_any_file_operation_changes_no_row_of_anybody(tmp_path, changes, after, power):
    assert changes > 15
    for number in range(1, changes + 1):
        street = Street(tmp_path / str(number))
        fs = CrashingFs(number, after=after)
        street.use(fs)
        with pytest.raises(CrashError):
            street.flush()
        if power:
            fs.lose_power()
        street.reopen()
        street.go_on()


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_refusal_at_any_file_operation_is_told_and_the_next_flush_succeeds(
    tmp_path, changes, after
):
    for number in range(1, changes + 1):
        street = Street(tmp_path / str(number))
        fs = CrashingFs(number, after=after, error=IoError)
        street.use(fs)
        try:
            street.flush()
        except IoError:
            pass
        else:
            assert number > fs.changes - len(TABLETS), "only removing a temporary name may fail"
        street.go_on()


def test_many_share_their_waits(tmp_path):
    """One for all files, one for segments' names and manifests' contents, one for their names."""
    street = Street(tmp_path, [TabletId(user, 3) for user in range(12)])
    syncs = []

    class Counting(CrashingFs):
        def sync_many(self, paths):
            syncs.append(len(paths))
            super().sync_many(paths)

        def sync_file(self, path):
            raise AssertionError

        sync_directory = sync_file

    street.use(Counting())
    commits = []
    begin, note = street.host.begin_flush, street.host.note
    street.host.begin_flush = lambda tablets, seq: (
        commits.append(len(tablets)),
        begin(tablets, seq),
    )
    street.host.note = lambda manifests, ended: (
        commits.append(len(manifests)),
        note(manifests, ended),
    )
    assert [answer.segments for answer in street.flush()] == [1] * 12
    assert len(syncs) == 3
    assert min(syncs) == 12
    assert commits == [12, 12]
    street.check()
    street.engine.close()


def test_what_was_flushed_survives_the_loss_of_power(tmp_path):
    street = Street(tmp_path)
    fs = CrashingFs()
    street.use(fs)
    street.flush()
    fs.lose_power()
    street.reopen()
    assert not street.engine.dirty_tablets()
    assert all(tablet.manifest.version for tablet in street.tablets.values())
    street.go_on()


def test_a_damaged_entry_is_its_tablets_own(tmp_path):
    street = Street(tmp_path)
    hurt = TABLETS[0]
    seq, _ = street.rows[hurt][0]
    street.engine._log.store.write([(log_key(hurt, seq, 0), b"\1nonsense")], sync=False)
    commit(street.engine, insert(1, "", tablet=TabletId(1, 1)))  # A view that shows it.
    broken, *others = street.flush()
    assert isinstance(broken, DataCorruptedError)
    assert [answer.rows for answer in others] == [2, 4]
    assert set(street.engine.dirty_tablets()) == {hurt, TabletId(1, 1)}
    street.engine.close()


def test_a_flush_that_ended_after_its_manifest_is_not_due_for_ever(tmp_path):
    street = Street(tmp_path)
    with failpoints.armed("publish.swapped", "crash"), pytest.raises(failpoints.FailpointError):
        street.flush()
    assert set(street.engine.dirty_tablets()) == set(TABLETS)
    assert [answer.version for answer in street.flush()] == [0, 0, 0]
    street.go_on()


def test_what_is_committed_during_a_flush_is_dirty_after_it(tmp_path):
    street = Street(tmp_path)
    late = TABLETS[2]
    with failpoints.armed(
        "flush.encoded", lambda: commit(street.engine, insert(77, "late", tablet=late))
    ):
        street.flush()
    assert {tablet: d.rows for tablet, d in street.engine.dirty_tablets().items()} == {late: 1}
    assert scan(street.tablets[late], street.engine.current)[77][1] == "late"
    street.engine.close()
