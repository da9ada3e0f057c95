"""A slice of `conformance.damage`: damaged tablets tell XX001, whole ones go on, and check finds each."""

import pytest

from conformance.damage.run import rounds


@pytest.mark.slow
def test_whoever_asks_a_damaged_tablet_is_told_and_everybody_else_is_answered(tmp_path):
    (tally,) = rounds(tmp_path, tables=4, count=1, seed=3)
    assert tally.wrong == []
    assert tally.at_random + tally.aimed > 2
    assert tally.told > 0
    assert tally.asked == 8 * 22
