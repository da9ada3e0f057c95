"""Two weeks of `conformance.soak.year`: after flushes, a kill and a restart the rows are PostgreSQL's."""

import pytest

from conformance.soak.year.run import Soak

SEED = 239


@pytest.mark.slow
def test_some_weeks_of_some_users_end_as_in_postgresql(servers, tmp_path):
    soak = Soak(tmp_path, SEED, users=3, weeks=2, seconds=3.0, busy=8)
    assert soak.run(servers[1]), "what it saw is printed above"
    assert soak.lives == 3, "with this seed the server is killed and started again"
