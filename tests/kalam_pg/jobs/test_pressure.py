"""Writers wait when flush or compaction is far behind, a little and then longer, and no more afterwards."""

from types import SimpleNamespace

import pytest
import structlog

from kalam_pg.jobs.pressure import (
    BEHIND_ROWS,
    BEHIND_RUNS,
    LATE,
    PAUSE_S_MAX,
    due_rows,
    late_rows,
    pause_s,
    press,
)


def tablet(runs, segments_each=1):
    segments = [
        SimpleNamespace(continues=at > 0) for _ in range(runs) for at in range(segments_each)
    ]
    return SimpleNamespace(manifest=SimpleNamespace(segments=segments))


def test_nobody_waits_as_long_as_flushes_and_compactions_keep_up():
    assert late_rows(LATE * 100, 100) == 0
    assert pause_s(BEHIND_ROWS, [tablet(BEHIND_RUNS), tablet(3)]) == 0.0
    assert pause_s(0, [tablet(BEHIND_RUNS, segments_each=5)]) == 0.0  # Runs count, not their files.
    assert pause_s(0, []) == 0.0


@pytest.mark.parametrize(
    ("late", "runs", "share"),
    [
        (3 * BEHIND_ROWS, 0, 0.5),
        (5 * BEHIND_ROWS, 0, 1.0),
        (500 * BEHIND_ROWS, 0, 1.0),
        (0, BEHIND_RUNS * 3 // 2, 0.5),
        (3 * BEHIND_ROWS, 2 * BEHIND_RUNS, 1.0),
    ],
)
def test_the_more_there_is_to_do_the_longer_they_wait_up_to_a_bound(late, runs, share):
    assert pause_s(late, [tablet(1), tablet(runs)]) == pytest.approx(PAUSE_S_MAX * share)


def test_a_tablet_is_flushed_by_its_policy_or_by_what_may_be_hot():
    def table(rows, hot):
        return SimpleNamespace(options=SimpleNamespace(flush_rows=rows, hot_row_limit=hot))

    assert [due_rows(table(*options), 7) for options in ((0, 0), (5, 0), (0, 3), (5, 3))] == [
        7,
        5,
        3,
        3,
    ]


def test_the_log_says_when_writers_begin_to_wait_and_when_they_do_no_more():
    committer = SimpleNamespace(pause_s=0.0)
    with structlog.testing.capture_logs() as lines:
        for pause in (0.0, 0.01, 0.02, 0.0, 0.0):
            press(committer, pause)
            assert committer.pause_s == pause
    assert [line["event"] for line in lines] == [
        "writers wait for flush and compaction",
        "writers wait no more",
    ]
