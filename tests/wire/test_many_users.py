"""Many users with a few rows each; `conformance/many_users.py` does the same with ten thousand."""

from pathlib import Path

import pytest

from conformance.many_users import ManyUsers
from tests.wire.server import KalamServer


@pytest.mark.slow
def test_every_users_rows_are_there_before_and_after_a_flush_and_a_restart(tmp_path: Path):
    server = KalamServer(tmp_path).start()
    try:
        many = ManyUsers(server, 400)
        many.create()
        many.insert()
        many.read()
        many.flush()
        many.read()
        many.restart()
        many.read()
    finally:
        server.stop()
