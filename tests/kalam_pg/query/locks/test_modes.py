"""Which modes keep each other out: PostgreSQL's tables 13.2 and 13.3, as its manual prints them."""

import pytest

from kalam_pg.query.locks import modes
from kalam_pg.query.locks.modes import CONFLICTS, covers, kept_out

TABLES = """
    ACCESS_SHARE            . . . . . . . x
    ROW_SHARE               . . . . . . x x
    ROW_EXCLUSIVE           . . . . x x x x
    SHARE_UPDATE_EXCLUSIVE  . . . x x x x x
    SHARE                   . . x x . x x x
    SHARE_ROW_EXCLUSIVE     . . x x x x x x
    EXCLUSIVE               . x x x x x x x
    ACCESS_EXCLUSIVE        x x x x x x x x
"""
ROWS = """
    FOR_KEY_SHARE      . . . x
    FOR_SHARE          . . x x
    FOR_NO_KEY_UPDATE  . x x x
    FOR_UPDATE         x x x x
"""


@pytest.mark.parametrize("table", [TABLES, ROWS])
def test_modes_conflict_as_the_manual_says(table):
    lines = [line.split() for line in table.split("\n") if line.strip()]
    numbers = [getattr(modes, name) for name, *_ in lines]
    for number, (_, *marks) in zip(numbers, lines, strict=True):
        wanted = {n for n, mark in zip(numbers, marks, strict=True) if mark == "x"}
        assert {n for n in numbers if CONFLICTS[number] & n} == wanted


def test_a_mode_covers_those_that_keep_out_no_more_than_it_does():
    for held in CONFLICTS:
        for wanted in CONFLICTS:
            assert covers(held, wanted) == (CONFLICTS[wanted] | kept_out(held) == kept_out(held))
    assert covers(modes.FOR_UPDATE, modes.FOR_KEY_SHARE)
    assert not covers(modes.FOR_SHARE, modes.FOR_NO_KEY_UPDATE)
    assert not covers(modes.SHARE, modes.ROW_EXCLUSIVE)
    assert covers(modes.SHARE | modes.ROW_EXCLUSIVE, modes.ROW_EXCLUSIVE)
