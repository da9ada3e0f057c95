"""A slice of `conformance.model`: the rules of segments keep everything right, and each of them is needed."""

import pytest

from conformance.model.schedules import all_but, failures
from conformance.model.world import RULES

SCHEDULES = 250


@pytest.mark.slow
def test_nobody_sees_what_they_should_not_whatever_is_done_in_any_order():
    assert next(failures(all_but(), SCHEDULES, seed=3), None) is None


@pytest.mark.parametrize("rule", RULES)
def test_without_any_of_the_rules_somebody_does(rule):
    assert next(failures(all_but(rule), 30 * SCHEDULES, seed=3), None) is not None
