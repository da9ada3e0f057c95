"""What trim notes of a log stays true, whatever it is asked next."""

from storage.cold.flush import flush
from storage.cold.trim import trim
from storage.fs import OS
from storage.keys import meta_key
from storage.log.log_entry import Op
from storage.log.retained import RETAINED, unpack_retained
from storage.tablet import Tablet
from tests.storage.fake_log import TABLET, FakeEngine, Write
from tests.storage.test_tablet import LAYOUT


def test_a_trim_that_would_keep_more_does_not_say_that_it_is_there(tmp_path):
    engine = FakeEngine(OS)
    tablet = engine.tablet = Tablet(
        TABLET, LAYOUT, fs=OS, directory=tmp_path, current=engine.acquire
    )
    for number in range(5):
        row = (number, "", 0)
        engine.commit(Write(Op.INSERT, tablet.key_of(row), row, None))
    flush(engine, tablet)
    for retained_from in (5, 2):
        trim(engine, TABLET, tablet.schema, retained_from=retained_from)
        assert min(seq for seq, _ in engine.entries) == 5
        assert unpack_retained(engine.system[meta_key(TABLET, RETAINED)]).complete_from == 5
