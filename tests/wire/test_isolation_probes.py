"""A slice of `conformance.isolation`: nobody is told of, or answered otherwise for, what another has."""

import pytest

from conformance.isolation.run import run
from tests.wire.server import KalamServer

pytestmark = pytest.mark.slow


def test_generated_probes_tell_nobody_of_what_another_has(server: KalamServer):
    tally = run(server, 3, 400, lambda _line: None, part=45)
    assert not tally.leaks
    assert not tally.moved
    assert tally.outcomes["answered"] > 100
