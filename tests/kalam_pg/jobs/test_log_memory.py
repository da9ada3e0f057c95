"""What LevelDB has in memory of a large commit is a table soon, and counts until then."""

import pytest
import trio

from kalam_pg.jobs.log_memory import COPIES, LogMemory
from kalam_pg.query import committer
from kalam_pg.supervision import Supervisor
from storage.engine import WriteSet
from tests.kalam_pg.jobs.test_host import TABLETS, database
from tests.storage.engine_fixtures import insert


def in_memory(engine) -> int:
    """What LevelDB says."""
    return int(engine._log.store._db.get_property(b"leveldb.approximate-memory-usage"))


@pytest.mark.parametrize("size", [1 << 20, 3 << 20])
async def test_a_large_commit_is_soon_out_of_leveldbs_memory(tmp_path, monkeypatch, size):
    monkeypatch.setattr(committer, "LARGE_BYTES", 2 << 20)
    monkeypatch.setattr(committer, "INLINE_BYTES_MAX", 1)
    async with database(tmp_path) as db:
        memory = LogMemory(db)

        async with Supervisor() as supervisor:
            memory.begin(supervisor)
            large = WriteSet([insert(1, "x" * size, tablet=TABLETS[0])], [], [], sync=False)
            large.weight = size
            await db.committer.commit(large)
            if size > committer.LARGE_BYTES:
                assert memory.bytes == COPIES * size
                with trio.fail_after(10):
                    while memory.bytes:
                        await trio.lowlevel.checkpoint()
                assert in_memory(db.engine) < size
            else:
                assert memory.bytes == 0
                assert in_memory(db.engine) >= size
        assert db.engine.current.seq
