"""PostgreSQL 15's answers, over the wire in both protocols and formats, in process, and through Buena
Vista's front end (conformance/README.md).

`conformance/sql/refused.sql` lists what we refuse. It only shrinks: a listed statement that is answered
fails here, as does an unlisted one that is not answered as PostgreSQL does.
"""

import pytest

from conformance.sql import oracle
from conformance.sql.cases import scripts
from conformance.sql.refusals import REFUSED
from conformance.sql.run import FRONT_ENDS, Outcome, must, open_front_ends, run, verdict

ORACLE = oracle.cases()
SCRIPTS = scripts()


@pytest.fixture(scope="module")
def front_ends(tmp_path_factory):
    """Every way in; the oracle's table is made in both databases, in public."""
    with open_front_ends(tmp_path_factory.mktemp("conformance")) as found:
        for name in ("simple", "embed"):
            must(found[name], oracle.SETUP)
        yield found


@pytest.mark.slow
@pytest.mark.parametrize("name", FRONT_ENDS)
def test_every_statement_of_the_oracle_is_answered_as_postgresql_does_or_refused(front_ends, name):
    front_end = front_ends[name]
    must(front_end, "SET search_path TO public")
    outcomes = []
    for case in ORACLE:
        answer = front_end.ask(case.sql)
        outcomes.append(Outcome(case, name, answer, verdict(case, answer, name)))
    wrong = [str(outcome) for outcome in outcomes if outcome.verdict == "wrong"]
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "cold"), [("SHARED", False), ("USER", True)], ids=["shared-hot", "user-cold"]
)
@pytest.mark.parametrize("name", FRONT_ENDS)
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_every_script_runs_as_postgresql_runs_it(front_ends, script, name, kind, cold):
    outcomes = run(script, front_ends[name], kind, cold=cold)
    wrong = [str(outcome) for outcome in outcomes if outcome.verdict == "wrong"]
    assert not wrong, "\n".join(wrong)


def test_every_listed_refusal_is_of_a_statement_that_is_asked():
    asked = {case.sql for case in ORACLE} | {case.sql for s in SCRIPTS for case in s.cases}
    assert asked >= REFUSED
