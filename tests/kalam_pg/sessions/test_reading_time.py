"""What it took to read a statement is not given to it again when it runs."""

from contextlib import suppress

import pytest

from kalam_pg.sessions import reading_time
from kalam_pg.sessions.reading_time import ReadingTime


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(reading_time, "monotonic", lambda: now[0])
    return now


def test_reading_and_planning_take_from_the_statements_time(clock):
    reading = ReadingTime()
    assert reading.run_s("0") == 0.0
    for took_s, left_s in ((0.2, 0.3), (0.1, 0.2)):
        with reading:
            clock[0] += took_s
        assert reading.left_s("500") == pytest.approx(left_s)
    assert reading.run_s("500") == pytest.approx(0.2)
    assert reading.run_s("500") == 0.5, "the next statement of the text"


def test_a_statement_that_failed_leaves_nothing_to_the_next(clock):
    reading = ReadingTime()
    with suppress(ValueError), reading:
        clock[0] += 9.0
        raise ValueError
    assert 0.0 < reading.left_s("500") < 0.001
    reading.begin()
    assert reading.left_s("500") == 0.5
