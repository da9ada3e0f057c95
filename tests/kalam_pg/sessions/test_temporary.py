"""What is left of a session's temporary objects when they, or the session, are gone: nothing."""

import pytest

from catalog.errors import OutOfMemoryError, UndefinedTableError
from kalam_pg.query.waits import drive
from storage.keys import system_key
from tests.kalam_pg.sessions.test_run_text import run, session

MADE = """
CREATE TEMP TABLE t (id serial PRIMARY KEY, body text UNIQUE);
CREATE TEMP VIEW v AS SELECT body FROM t;
INSERT INTO t (body) VALUES ('a'), ('b')
"""


def left(database):
    """What the server has of temporary objects."""
    streams = database.engine.streams
    numbers = [at for at in database.counters._counters if at[0].table]
    temporaries = database.temporaries
    return (len(streams), streams.lasting_size, numbers, temporaries.tables, temporaries.sessions)


NOTHING = (0, 0, [], {}, {})


async def test_a_session_that_ends_leaves_nothing(tmp_path):
    async with session(tmp_path) as new:
        sql = new()
        await run(sql, MADE)
        await run(sql, "BEGIN; INSERT INTO t (body) VALUES ('c'); CREATE TEMP TABLE other (a int)")
        assert left(sql.database) != NOTHING
        sql.close()
        assert left(sql.database) == NOTHING


@pytest.mark.parametrize("text", ["DISCARD TEMP", "DISCARD ALL", "DROP TABLE t CASCADE"])
async def test_a_session_without_any_is_like_all_others(tmp_path, text):
    async with session(tmp_path) as new:
        sql = new()
        await run(sql, MADE)
        assert sql.snapshot is not sql.database.catalog
        await run(sql, text)
        assert left(sql.database) == NOTHING
        assert sql.snapshot is sql.database.catalog
        assert sql.cache is new().cache
        sql.close()


async def test_what_is_rolled_back_was_never_there(tmp_path):
    async with session(tmp_path) as new:
        sql = new()
        await run(sql, "BEGIN;" + MADE)
        await run(sql, "ROLLBACK")
        assert left(sql.database) == NOTHING
        with pytest.raises(UndefinedTableError):
            await run(sql, "SELECT * FROM t")
        sql.close()


def stored(engine):
    """The records of the catalogue."""
    kinds = ("catalog", "namespace", "table", "table_version", "index", "view", "sequence")
    return [record for kind in kinds for record in engine.system_scan(system_key(kind))]


async def test_nothing_of_them_is_written(tmp_path):
    async with session(tmp_path) as new:
        sql = new()
        before = stored(sql.database.engine)
        await run(sql, "CREATE TEMP SEQUENCE s; SELECT setval('s', 7)")
        await run(
            sql, MADE + "; ALTER TABLE t ADD COLUMN c int; CREATE INDEX i ON t (c); DROP VIEW v"
        )
        await run(sql, "DROP TABLE t; SELECT nextval('s'); DROP SEQUENCE s")
        assert stored(sql.database.engine) == before
        sql.close()


async def test_a_commit_that_is_under_way_when_the_session_ends_leaves_nothing(tmp_path):
    async with session(tmp_path) as new:
        sql = new()
        await run(sql, "BEGIN;" + MADE)
        steps = sql.commit()
        waiting = next(steps)
        sql.close()
        assert sql.transaction is not None  # The committer has it.

        def until_told():
            yield waiting

        await drive(until_told())
        steps.close()
        assert left(sql.database) == NOTHING


async def test_one_session_may_not_take_all_memory(tmp_path):
    async with session(tmp_path) as new:
        sql = new()
        sql.database.session_temporary_bytes_max = 100_000
        await run(sql, "CREATE TEMP TABLE t (id int)")
        with pytest.raises(OutOfMemoryError):
            await run(sql, "INSERT INTO t SELECT generate_series(1, 1000)")
        await run(sql, "INSERT INTO t SELECT generate_series(1, 100)")
        with pytest.raises(OutOfMemoryError):
            await run(sql, "BEGIN; INSERT INTO t SELECT generate_series(1, 200); COMMIT")
        assert (await run(sql, "SELECT count(*) FROM t"))[0] == [(100,)]
        sql.close()
