"""Many users with a few rows each; `conformance/many_users.py` does the same with ten thousand."""

from pathlib import Path

import pytest

from conformance.many_users import ManyUsers
from tests.wire.server import KalamServer


def everybody_is_shown(server: KalamServer) -> None:
    """What nobody has asked for since the start is in the system's relations all the same."""
    with server.root() as root:
        stats = "SELECT count(*), sum(cold_rows), sum(hot_rows), sum(segments) FROM system.stats"
        assert root.execute(stats).fetchall() == [(400, 4000, 0, 400)]
        segments = "SELECT count(DISTINCT user_name), sum(rows) FROM system.segments"
        assert root.execute(segments).fetchall() == [(400, 4000)]
        manifests = "SELECT count(*), min(version), max(version) FROM system.manifests"
        assert root.execute(manifests).fetchall() == [(400, 1, 1)]


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
        everybody_is_shown(server)
        many.read()
    finally:
        server.stop()
