"""What trim notes of a log stays true, whatever it is asked next."""

import pytest

from storage.cold.flush import flush
from storage.cold.trim import ToTrim, trim, trim_together
from storage.fs import OS
from storage.keys import meta_key
from storage.log.log_entry import Op
from storage.log.retained import RETAINED, unpack_retained
from storage.tablet import Tablet
from tests.storage.fake_log import TABLET, FakeEngine, Write
from tests.storage.test_tablet import LAYOUT


@pytest.mark.parametrize(
    ("keep_rows", "oldest"), [(0, None), (1, 8), (2, 8), (3, 6), (5, 4), (6, 4), (8, 2), (9, 0)]
)
def test_a_trim_leaves_the_newest_rows_that_are_to_stay_hot(tmp_path, keep_rows, oldest):
    engine = FakeEngine(OS)
    tablet = engine.tablet = Tablet(
        TABLET, LAYOUT, fs=OS, directory=tmp_path, current=engine.acquire
    )
    commits = []
    for number in range(0, 10, 2):  # Two rows in a commit: it stays whole.
        rows = [(number, "", 0), (number + 1, "", 0)]
        commits.append(
            engine.commit(*[Write(Op.INSERT, tablet.key_of(row), row, None) for row in rows])
        )
    flush(engine, tablet)
    every = ToTrim(TABLET, tablet.schema, 1 << 62, keep_rows)
    (result,) = trim_together(engine, [every])
    left = [seq for seq, _ in engine.entries]
    assert min(left, default=None) == (None if oldest is None else commits[oldest // 2])
    assert result.entries == 10 - len(left)
    (again,) = trim_together(engine, [every])
    assert again.entries == 0


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
