"""The statement files of `conformance/files/own` beside PostgreSQL 15, and how such files are read."""

from pathlib import Path

import pytest

from conformance.files import logictest
from conformance.files.counting import FOLLOWS, SAME, Counts, count
from conformance.files.link import Link
from conformance.files.psql_script import Command, Reader, Statement
from conformance.files.running import Run
from conformance.fuzz.sides import Answer

OWN = Path(__file__).parents[2] / "conformance" / "files" / "own"


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(OWN.glob("*.sql")), ids=lambda path: path.stem)
def test_the_files_statements_are_answered_as_by_postgresql(servers, path):
    server, theirs = servers
    links = Link(theirs), Link(f"host={server.directory} port={server.port} user=root dbname=kalam")
    for link in links:
        link.run(f"CREATE SCHEMA file_{path.stem}")
        link.run(f"SET search_path = file_{path.stem}")
    told: list[str] = []
    counts = Run(path.stem, *links, told.append).file(path)
    for link in links:
        link.run(f"DROP SCHEMA file_{path.stem} CASCADE")
        link.close()
    assert told == []
    assert counts.verdicts[SAME] == counts.statements > 10


SCRIPT = r"""
\set name 'a''b'
SELECT :'name', :"name", $$a;b$$, E'\';', 'x::y'::text -- a comment;
  ; /* one /* within */ another; */ SELECT 1 AS one, 'a (' \gset p_
SELECT :p_one; COPY t FROM stdin;
1\ta;
\.
CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;
\if :no
\endif
SELECT (1; 2)"""


def test_a_psql_script_is_the_statements_that_psql_would_send():
    variables = {"name": "a'b"}
    found = []
    for step in Reader(SCRIPT, variables).steps():
        found.append(step)
        if isinstance(step, Statement) and step.ends_by.startswith("gset"):
            variables["p_one"] = "1"
    assert found == [
        Command("set", r"name 'a''b'", 2),
        Statement("""SELECT 'a''b', "a'b", $$a;b$$, E'\\';', 'x::y'::text""", 3),
        Statement("SELECT 1 AS one, 'a ('", 4, "gset p_"),
        Statement("SELECT 1", 5),
        Statement("COPY t FROM stdin", 5, data="1\\ta;\n"),
        Statement(
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; "
            "SELECT 2; END",
            8,
        ),
        Command("if", ":no", 9),
        Command("endif", "", 10),
        Statement("SELECT (1; 2)", 11),
    ]


LOGICTEST = """# about
statement ok
CREATE TABLE t (
  a int)

skipif postgresql
query I rowsort
SELECT 1 # not here
----
1

onlyif mysql
statement ok
SELECT 2

query II nosort label-1
SELECT a,
  b FROM t
----
1 2

halt

statement ok
SELECT 3
"""


def test_an_sqllogictest_file_gives_what_postgresql_is_asked():
    assert [(s.text, s.line) for s in logictest.statements(LOGICTEST)] == [
        ("CREATE TABLE t (\n  a int)", 2),
        ("SELECT a,\n  b FROM t", 16),
    ]


ROWS = Answer("SELECT 2", (("a", 23, -1),), ((b"1",), (b"2",)))
TURNED = Answer("SELECT 2", (("a", 23, -1),), ((b"2",), (b"1",)))
REFUSED = Answer(error=("0A000", "no"))
MISSING = Answer(error=("42P01", 'relation "t" does not exist'))


@pytest.mark.parametrize(
    ("text", "theirs", "ours", "follows", "kind"),
    [
        ("SELECT a FROM t", ROWS, ROWS, False, "same"),
        ("SELECT a FROM t", ROWS, TURNED, False, "same"),
        ("SELECT a FROM t ORDER BY a", ROWS, TURNED, False, "different"),
        ("SELECT a FROM (SELECT a FROM t ORDER BY a) s", ROWS, TURNED, False, "same"),
        ("SELECT a FROM t", ROWS, REFUSED, False, "refused"),
        ("SELECT a FROM t", ROWS, MISSING, False, "refused"),
        ("SELECT a FROM t", MISSING, MISSING, False, "same"),
        ("SELECT a FROM t", MISSING, ROWS, False, "different"),
        ("SELECT a FROM t", MISSING, ROWS, True, "refused"),
        ("SELECT a FROM t", ROWS, Answer(error=("XX000", "bug")), True, "XX000"),
    ],
)
def test_a_statement_counts_as_one_of_four(text, theirs, ours, follows, kind):
    counts = Counts()
    assert count(counts, text, theirs, ours, follows=follows) == kind
    assert counts.verdicts == {kind: 1}
    assert (FOLLOWS in counts.kinds) == (follows and kind == "refused")
