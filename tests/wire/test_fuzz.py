"""Slices of `conformance.fuzz`: random statements beside PostgreSQL 15, subscriptions, known texts, calls."""

from collections import Counter

import pytest

from conformance.fuzz import altered, calls, followed, known, loads, sessions
from conformance.fuzz.rounds import Totals, run_round
from conformance.fuzz.sides import Side
from tests.wire.server import KalamServer

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


def test_a_random_session_is_answered_as_by_postgresql_or_refused(servers):
    server, theirs = servers
    told: list[str] = []
    both = Side(theirs), Side(f"host={server.directory} port={server.port} user=root dbname=kalam")
    totals = Totals()
    kinds = sessions.run_round(5, 1, *both, totals, told.append, steps=20)
    for side in both:
        side.close()
    assert told == []
    assert len(kinds) > 5
    assert totals.verdicts["right"] > totals.statements // 2


def test_random_subscriptions_end_with_what_a_select_shows(servers):
    told: list[str] = []
    counts: Counter[str] = Counter()
    followed.run_round(servers[0], 5, 1, counts, told.append)
    assert told == []
    assert counts["right"] >= 4


def test_texts_known_by_their_shape_say_what_they_say_in_the_general_way(servers):
    told: list[str] = []
    counts = known.run_round(servers[0], 5, 1, told.append, forms=26)
    assert told == []
    assert counts["answered"] >= 40


def test_blocks_that_load_read_and_change_end_as_in_postgresql(servers, tmp_path):
    told: list[str] = []
    totals = loads.Totals()
    theirs = Side(servers[1])
    with loads.small_server(tmp_path / "data") as ours:
        ours.run("CREATE TABLE public.many (id int PRIMARY KEY) WITH (TYPE = 'SHARED')")
        ours.run("INSERT INTO public.many SELECT generate_series(1, 50)")
        answer = ours.run("SELECT count(*) FROM system.segments")
        assert answer.rows == ((b"1",),), "fifty are many"
        for number in range(2):
            loads.run_round(5, number, theirs, ours, totals, told.append, steps=30)
    theirs.close()
    assert told == []
    assert totals.verdicts["right"] == totals.statements == 60


@pytest.mark.parametrize("number", [1, 2])
def test_definitions_that_change_over_flushes_and_kills_are_postgresqls(servers, tmp_path, number):
    totals = altered.Totals()
    server = KalamServer(tmp_path / "kalam").start()
    try:
        one = altered.Round(5, number, servers[1], server)
        one.run(totals, steps=25)
        one.close()
    finally:
        server.stop()
    assert one.wrong == "", one.said
    assert totals.verdicts["right"] > totals.statements // 2


def test_calls_with_values_at_the_edges_of_their_types_are_answered_as_by_postgresql(servers):
    server, theirs = servers
    told: list[str] = []
    both = Side(theirs), Side(f"host={server.directory} port={server.port} user=root dbname=kalam")
    totals = calls.compare(*both, told.append, draws=2, part=slice(3, None, 60))
    for side in both:
        side.close()
    assert told == []
    assert totals.verdicts["right"] > totals.calls
