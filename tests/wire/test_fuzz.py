"""A slice of `conformance.fuzz`: some rounds of random statements beside PostgreSQL 15."""

import pytest

from conformance.fuzz.rounds import Totals, run_round
from conformance.fuzz.sides import Side

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("number", [1, 2])
def test_random_statements_are_answered_as_by_postgresql_or_refused(servers, number):
    server, theirs = servers
    told: list[str] = []
    both = Side(theirs), Side(f"host={server.directory} port={server.port} user=root dbname=kalam")
    totals = Totals()
    run_round(5, number, *both, totals, show=told.append, queries=20)
    for side in both:
        side.close()
    assert told == []
    assert totals.verdicts["right"] > totals.statements // 2
