"""Who looks at a tablet sees the same of it whether or not anybody has it open."""

import pytest

from storage.cold.flush import flush
from storage.looks import look, tablets_of
from tests.storage.engine_fixtures import (
    LAYOUT,
    OTHER,
    TABLET,
    commit,
    insert,
    open_engine,
    truncate,
)
from tests.storage.test_engine_model import Host

COUNTS = {
    "new": (0, 0, 0),
    "hot": (2, 0, 0),
    "cold": (0, 2, 1),
    "both": (1, 2, 1),
    "truncated": (0, 0, 0),
    "begun anew": (1, 0, 0),
    "cold again": (0, 1, 1),
}
"""Hot rows, cold rows and segments."""


@pytest.mark.parametrize("state", COUNTS)
def test_an_open_tablet_and_a_closed_one_look_alike(tmp_path, state):
    engine = open_engine(tmp_path, tablet_factory=None)
    tablet = engine.tablet(TABLET, LAYOUT)
    steps = [
        lambda: None,
        lambda: commit(engine, insert(1), insert(2)),
        lambda: flush(Host(engine), tablet),
        lambda: commit(engine, insert(3)),
        lambda: commit(engine, truncate()),
        lambda: commit(engine, insert(4)),
        lambda: flush(Host(engine), tablet),
    ]
    for step in steps[: list(COUNTS).index(state) + 1]:
        step()
    seen = looked_at(engine)
    assert seen == COUNTS[state]
    engine.close()
    engine = open_engine(tmp_path, tablet_factory=None)
    assert engine.opened(TABLET) is None
    assert looked_at(engine) == seen
    assert engine.opened(TABLET) is None
    engine.close()


def looked_at(engine):
    with engine.acquire() as view:
        stats = look(engine, view, TABLET).stats()
    return stats.hot_rows, stats.cold_rows, stats.segments


def test_every_tablet_is_told_once_and_a_users_alone(tmp_path):
    engine = open_engine(tmp_path, tablet_factory=None)
    for number in (1, 2):
        commit(engine, insert(number), insert(number, tablet=OTHER))
        flush(Host(engine), engine.tablet(TABLET, LAYOUT))
    engine.close()
    engine = open_engine(tmp_path, tablet_factory=None)
    commit(engine, insert(3))
    with engine.acquire() as view:
        assert sorted(tablets_of(engine, view)) == [TABLET, OTHER]
        assert list(tablets_of(engine, view, TABLET.user)) == [TABLET]
        assert list(tablets_of(engine, view, OTHER.user)) == [OTHER]
        assert list(tablets_of(engine, view, 99)) == []
    engine.close()
