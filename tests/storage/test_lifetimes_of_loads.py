"""What views read stays there whatever is loaded beside them, and a tablet has one list of manifests."""

import gc
import shutil
from dataclasses import replace

import pytest

from storage import failpoints
from storage.arrow import to_batch
from storage.check import check
from storage.cold.collect import collect
from storage.cold.compaction import compact_together
from storage.cold.flush import flush
from storage.cold.load import Load
from storage.cold.segment import encode_distinct
from storage.cold.trim import trim
from storage.engine import Engine
from storage.errors import DataCorruptedError, IoError
from storage.keys import meta_key
from storage.log.retained import RETAINED, unpack_retained
from tests.storage.engine_fixtures import LAYOUT, OTHER, TABLET, commit, insert, update
from tests.storage.test_engine_model import Host, loaded, scan
from tests.storage.test_lifetimes import ONE_OPEN, evict, rows


@pytest.fixture
def engine(tmp_path):
    engine = Engine.open(tmp_path / "data", options=ONE_OPEN)
    yield engine
    engine.close()


def test_a_load_that_has_no_name_yet_is_missed_when_its_files_are_lost(tmp_path):
    """The first of its tablet, so that the log has noted no manifest of it before."""
    engine = Engine.open(tmp_path / "data")
    directory = engine.tablet_directory(TABLET)
    with failpoints.armed("load.published", "eio"), pytest.raises(IoError):
        loaded(engine, engine.tablet(TABLET, LAYOUT), 1, "a")
    commit(engine, insert(2, "b", tablet=OTHER))
    engine.close()
    assert list(check(tmp_path / "data")) == []
    shutil.rmtree(directory)
    missed = {one.where for one in check(tmp_path / "data")}
    assert missed == {f"tablet {TABLET.user}/{TABLET.table}"}
    for _ in range(2):  # It is missed for ever.
        engine = Engine.open(tmp_path / "data")
        with pytest.raises(DataCorruptedError, match="has lost its newest manifest"):
            engine.tablet(TABLET, LAYOUT)
        assert scan(engine.tablet(OTHER, LAYOUT), engine.current)[2][1] == "b"
        engine.close()


def trimmed(engine, retained_from=2**63):
    trim(Host(engine), TABLET, engine.tablet(TABLET, LAYOUT).schema, retained_from=retained_from)


def test_what_a_view_from_before_a_load_reads_of_the_log_stays_there(engine):
    commit(engine, insert(1, "a"))
    with engine.acquire() as held:
        loaded(engine, engine.tablet(TABLET, LAYOUT), 2, "b")
        trimmed(engine)
        evict(engine)  # Its tail is made anew of what the log has now.
        assert rows(engine, held) == {1: "a"}
        assert rows(engine, engine.current) == {1: "a", 2: "b"}
    trimmed(engine)
    assert engine.current.log_length(TABLET) == 0


def test_a_load_is_no_reason_to_trim_what_is_to_be_retained(engine):
    first = commit(engine, insert(1, "a"))
    loaded(engine, engine.tablet(TABLET, LAYOUT), 2, "b")
    noted = engine.system_get(meta_key(TABLET, RETAINED))
    trimmed(engine, retained_from=first)
    assert engine.current.log_length(TABLET) == 1
    after = engine.system_get(meta_key(TABLET, RETAINED))
    assert unpack_retained(after).complete_from == unpack_retained(noted).complete_from


def test_what_a_statement_reads_stays_though_another_has_loaded_over_the_same_view(engine):
    """One that has emptied the tablet before: what it reads has none of the committed files."""
    commit(engine, insert(1, "a"))
    tablet = engine.tablet(TABLET, LAYOUT)
    flush(Host(engine), tablet)
    commit(engine, insert(2, "b"))
    flush(Host(engine), tablet)
    seq = commit(engine)
    load = Load(Host(engine), tablet, alone=True)
    load.write(encode_distinct([to_batch([(3, "c")], LAYOUT, [seq], [False])], LAYOUT))
    with engine.acquire() as view:
        found = tablet.scan(view)
        assert scan(load.reading(LAYOUT), view).keys() == {3}
        compact_together(Host(engine), [tablet], lambda segments, _before: segments, 0)
        collect(Host(engine), TABLET, tablet.directory)
        assert all(engine.fs.exists(tablet.directory / one.file) for one in found.segments)
    load.discard()


def test_a_tablet_that_is_used_in_an_older_version_is_not_opened_beside_it(engine):
    older = engine.tablet(TABLET, LAYOUT)
    commit(engine, insert(1, "a"))
    newest = replace(LAYOUT, version=2)
    engine.tablet(TABLET, newest)
    evict(engine)  # Nobody has it in the newest version any more.
    commit(engine, insert(2, "b"))
    again = engine.tablet(TABLET, newest)
    assert again.kept is older.kept
    flush(Host(engine), older)
    trimmed(engine)
    assert engine.current.log_length(TABLET) == 0
    for tablet in again, older, engine.tablet(TABLET, newest):
        assert {key: body for key, (_, body) in scan(tablet, engine.current).items()} == {
            1: "a",
            2: "b",
        }
    commit(engine, update(1, "edited", "a"))
    assert [scan(tablet, engine.current)[1][1] for tablet in (again, older)] == ["edited"] * 2
    del older, again, tablet
    gc.collect()
    evict(engine)
    assert engine.opened(TABLET) is None
    assert engine.tablet(OTHER, LAYOUT).kept is not engine.tablet(TABLET, newest).kept
