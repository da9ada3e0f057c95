"""Half a minute of `conformance.soak`: whatever befalls a server and its clients, what was promised holds."""

import pytest

from conformance.soak.run import Soak

SECONDS = 15
SEED = 20261128


@pytest.mark.slow
def test_what_was_promised_holds_whatever_befalls_the_server_and_its_clients(tmp_path):
    assert Soak(tmp_path, SEED).run(SECONDS), "what it saw is printed above"
