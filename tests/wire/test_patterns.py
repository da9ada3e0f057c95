"""Patterns that take long hold nobody else, and end when they are cancelled; random ones are PostgreSQL's."""

from random import Random

import psycopg
import pytest

from conformance.fuzz.patterns import Comparison
from conformance.fuzz.sides import Side

pytestmark = pytest.mark.slow

ENDLESS = r"'^(a+)(a+)(a+)(a+)\1\2\3\4c\1\2\3\4a$'"
TEXT = "repeat('a', 400) || 'c' || repeat('a', 300)"


@pytest.mark.parametrize(
    "statement",
    [
        f"SELECT {TEXT} ~ {ENDLESS}",
        f"SELECT id FROM endless WHERE regexp_replace(s, {ENDLESS}, '') = ''",
        f"SELECT 1 FROM regexp_matches({TEXT}, {ENDLESS}, 'g')",
        f"INSERT INTO endless VALUES (2, substring({TEXT} from {ENDLESS}))",
    ],
)
def test_others_are_answered_while_a_pattern_takes_for_ever_and_a_cancel_ends_it(
    servers, statement
):
    with servers[0].root() as busy, servers[0].root() as other:
        other.execute("CREATE TABLE IF NOT EXISTS endless (id integer PRIMARY KEY, s text)")
        other.execute(f"INSERT INTO endless VALUES (1, {TEXT}) ON CONFLICT DO NOTHING")
        busy.pgconn.send_query(statement.encode())
        assert other.execute("SELECT 1").fetchone() == (1,)
        busy.cancel_safe()
        result = busy.pgconn.get_result()
        assert result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) == b"57014"
        assert busy.pgconn.get_result() is None
        assert busy.execute("SELECT 2").fetchone() == (2,)
        other.execute("DROP TABLE endless")


def test_random_patterns_are_answered_as_by_postgresql(servers, capsys):
    server, theirs = servers
    both = Side(theirs), Side(f"host={server.directory} port={server.port} user=root dbname=kalam")
    comparison = Comparison(*both, Random(7))
    comparison.run(40)
    for side in both:
        side.run("DROP TABLE texts")
        side.close()
    assert capsys.readouterr().out == ""
    assert comparison.counts == {"right": 120}
