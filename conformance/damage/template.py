"""A data directory with many small tablets, and copies of it at an earlier time."""

import shutil
from functools import partial
from pathlib import Path

import trio

from kalam_pg import embed
from kalam_pg.jobs.indexing import IndexFiles
from kalam_pg.jobs.job_list import Jobs
from kalam_pg.jobs.retention import retain
from kalam_pg.query.database import Database
from storage.cold import index_file
from tests.wire.server import PASSWORD

USERS = ("ada", "bob")
WIDE_EVERY = 4
"""Every so many tables have more rows: their segments are compressed, and read in pieces."""

INDEXED_EVERY = 8
"""And so many have an index and yet more, so that segments have index files."""


Place = tuple[str, str]
"""A tablet: whose of which table."""


def prepare(directory: Path, tables: int, *, trimmed: bool) -> tuple[Path, dict[Place, Path]]:
    """Make `directory`; returns a copy of its cold files from before the last flush, and the tablets' own.

    Each tablet has three runs, with updated and deleted rows among them, and some rows in the log alone.
    trimmed: those are all that the log has.
    """
    older = directory.with_name(f"{directory.name}-older")
    with embed.open(directory, workers=1) as database:
        root = database.connect().create_session()
        for user in USERS:
            root.execute_sql(f"CREATE USER {user} PASSWORD '{PASSWORD}'")
        options = "TYPE = 'USER'" + (", CHANGE_RETENTION_HOURS = 0" if trimmed else "")
        names = [f"t{number}" for number in range(tables)]
        for name in names:
            root.execute_sql(
                f"CREATE TABLE {name} (id INT PRIMARY KEY, k INT, body TEXT) WITH ({options})"
            )
        for name in filter(_is_indexed, names):
            root.execute_sql(f"CREATE INDEX ON {name} (k, id)")
        sessions = [database.connect(user).create_session() for user in USERS]
        for step in range(4):
            for name in names:
                rows = _rows(name)
                for session in sessions:
                    for text in _changes(name, rows, step):
                        session.execute_sql(text)
            if step == 2:
                shutil.copytree(directory / "cold", older)
            if step < 3:
                for name in names:
                    root.execute_sql(f"STORAGE FLUSH TABLE {name}")
        services = database._services  # noqa: SLF001 -- no session can ask for it
        assert services is not None
        # Older manifests go: of one that is lost then, nobody could tell.
        database.wait(lambda: retain(services.database, services.jobs))
        database.wait(partial(_indexed, services.database, services.jobs))
        catalog, store = services.database.catalog, services.database.store
        users = {user: store.user_by_name(user) for user in USERS}
        ids = {table.name: table.id for table in catalog.tables.values()}
        places = {
            (user, name): Path(str(found.id)) / str(ids[name])
            for user, found in users.items()
            if found is not None
            for name in names
        }
    return older, places


async def _indexed(database: Database, jobs: Jobs) -> None:
    """The index files are there, whoever makes them."""
    await IndexFiles(database, jobs).build_due()
    while True:
        if not any(job.type == "index" and job.status == "running" for job in jobs):
            return
        await trio.sleep(0.01)


def _is_indexed(name: str) -> bool:
    return int(name.removeprefix("t")) % INDEXED_EVERY == 1


def _rows(name: str) -> int:
    """How many each step puts into a table."""
    if _is_indexed(name):
        return index_file.ROWS_MIN
    return 900 if int(name.removeprefix("t")) % WIDE_EVERY == 0 else 30


def _changes(table: str, rows: int, step: int) -> list[str]:
    """What happens to a tablet before each of its flushes, and after the last."""
    start = rows * step
    count = rows if step < 3 else 5
    values = f"SELECT g, g % 7, 'text ' || g FROM generate_series({start + 1}, {start + count}) g"
    found = [f"INSERT INTO {table} {values}"]
    if step:
        found += [
            f"UPDATE {table} SET k = 100 WHERE id % 11 = {step}",
            f"DELETE FROM {table} WHERE id % 13 = {step}",
        ]
    return found
