"""Declared indexes over rows in segments: used for values, ranges and orders, and right as PostgreSQL 15 is."""

import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest

from tests.wire.server import KalamServer, files_of
from tests.wire.side_by_side import Side, both, differences

pytestmark = pytest.mark.slow

ROWS = 9000
"""Of one commit: a segment that is worth index files, and no tail reaches back over it."""

TABLE = """
    CREATE TABLE mails (id int PRIMARY KEY, email text, room int, at timestamp, amount numeric, ratio float8, state varchar(10), doc jsonb)
"""

INDEXES = """
    CREATE INDEX mails_email ON mails (email)
    CREATE INDEX mails_lower ON mails (lower(email))
    CREATE INDEX mails_k ON mails ((doc ->> 'k'))
    CREATE INDEX mails_room ON mails (room, at DESC)
    CREATE INDEX mails_amount ON mails (amount DESC NULLS LAST, id)
    CREATE INDEX mails_ratio ON mails (ratio)
    CREATE INDEX mails_open ON mails (at) WHERE state = 'open'
"""

FILL = """
    INSERT INTO mails SELECT n, 'User' || (n * 7) % 9000 || '@x.org', nullif(n % 300, 7), timestamp '2026-01-01' + (n * 7919) % 9000 * interval '1 minute', CASE WHEN n % 50 = 0 THEN NULL WHEN n % 51 = 0 THEN 'NaN' ELSE (n % 1000) / 10.0 - 20 END, CASE WHEN n % 40 = 0 THEN NULL WHEN n % 41 = 0 THEN 'NaN' WHEN n % 43 = 0 THEN '-0' ELSE (n % 500) / 8.0 - 10 END, CASE n % 90 WHEN 0 THEN 'open' ELSE 'done' END, jsonb_build_object('k', 'k' || n % 2000, 'n', n % 7) FROM generate_series({first}, {last}) n
"""

# ruff: noqa: E501 -- statements are seen whole
BY_INDEX = {
    "SELECT id FROM mails WHERE email = 'User77@x.org' ORDER BY id": "mails_email",
    "SELECT id FROM mails WHERE lower(email) = 'user77@x.org' ORDER BY id": "mails_lower",
    "SELECT id FROM mails WHERE doc ->> 'k' = 'k77' ORDER BY id": "mails_k",
    "SELECT id, at FROM mails WHERE room = 5 ORDER BY at DESC, id LIMIT 5": "mails_room",
    "SELECT id, at FROM mails WHERE room = 5 ORDER BY at, id LIMIT 5": "mails_room",
    "SELECT id, at FROM mails WHERE room = 5 AND at < '2026-01-03' ORDER BY at DESC, id LIMIT 5": "mails_room",
    "SELECT id FROM mails WHERE room = 5 AND at >= '2026-01-03' AND at < '2026-01-05' ORDER BY id": "mails_room",
    "SELECT id, amount FROM mails ORDER BY amount DESC NULLS LAST, id LIMIT 5": "mails_amount",
    "SELECT id, amount FROM mails ORDER BY amount NULLS FIRST, id DESC LIMIT 5": "mails_amount",
    "SELECT id, ratio FROM mails ORDER BY ratio DESC NULLS LAST, id LIMIT 5": None,
    "SELECT id, ratio FROM mails ORDER BY ratio, id LIMIT 5": "mails_ratio",
    "SELECT id FROM mails WHERE ratio = 0 ORDER BY id": "mails_ratio",
    "SELECT id FROM mails WHERE state = 'open' ORDER BY at DESC, id LIMIT 3": "mails_open",
    "SELECT id FROM mails WHERE state = 'open' AND at < '2026-01-01 12:00' ORDER BY id": "mails_open",
    "SELECT id FROM mails WHERE amount = 3.10 ORDER BY id": "mails_amount",
    "SELECT id FROM mails WHERE amount = 'NaN' ORDER BY id": "mails_amount",
    "SELECT count(*) FROM mails WHERE room = 5": "mails_room",
    "SELECT count(*) FROM mails WHERE email = 'nobody'": "mails_email",
    "SELECT id FROM mails WHERE room = 5 AND id % 2 = 1 ORDER BY at DESC, id LIMIT 3": "mails_room",
    "SELECT id FROM mails WHERE room = 5 AND (at, id) < ('2026-01-03', 100) ORDER BY at DESC, id DESC LIMIT 3": "mails_room",
    "SELECT id FROM mails WHERE room = NULL ORDER BY at LIMIT 3": None,
    "SELECT id FROM mails WHERE email IN ('User77@x.org', 'nobody', 'User7@x.org', NULL) ORDER BY id": "mails_email",
    "SELECT id FROM mails WHERE lower(email) = ANY ('{user77@x.org,user7@x.org,user7@x.org}') ORDER BY id": "mails_lower",
    "SELECT id FROM mails WHERE room IN (5, 6, 5) AND at < '2026-01-02' ORDER BY at DESC, id LIMIT 3": "mails_room",
    "SELECT id FROM mails WHERE amount IN (3.1, 3.10, 'NaN') ORDER BY id": "mails_amount",
    "SELECT id FROM mails WHERE email = ANY (NULL::text[])": None,
    "SELECT count(*) FROM mails WHERE email IN ('User77@x.org', 'User7@x.org')": None,
    "SELECT email FROM mails WHERE lower(email) = 'user77@x.org' AND id > 0 ORDER BY at DESC LIMIT 1": "mails_lower",
}

ASKED = "\n".join(BY_INDEX)

CHANGES = {
    "hidden by the log": """
        UPDATE mails SET email = 'User77@x.org', room = 5 WHERE id IN (3, 4)
        UPDATE mails SET amount = 99999, ratio = 'infinity', at = '2030-01-01' WHERE id IN (10, 305)
        DELETE FROM mails WHERE email = 'User77@x.org' AND id > 100
        UPDATE mails SET state = 'done' WHERE state = 'open' AND id < 1000
        DELETE FROM mails WHERE room = 5 AND at > '2026-01-05'
        INSERT INTO mails VALUES (-1, 'USER77@X.ORG', 5, '2026-01-02', NULL, '-0', 'open', '{"k": "k77"}')
    """,
    "hidden by a segment": "STORAGE FLUSH TABLE mails",
    "with a row a thousand times": "\n".join(
        f"UPDATE mails SET room = 5, at = '2026-02-{day:02}' WHERE id = 17" for day in range(1, 29)
    ),
    "compacted": "STORAGE FLUSH TABLE mails\nSTORAGE COMPACT TABLE mails",
}


def lines(script: str) -> list[str]:
    """Its statements, one a line."""
    return [line.strip() for line in script.split("\n") if line.strip()]


def ask(sides: tuple[Side, Side], script: str) -> None:
    """Both do this; what moves files is ours alone."""
    ours, theirs = sides
    for statement in lines(script):
        found = ours.ask(statement)
        if not statement.startswith("STORAGE"):
            assert found == theirs.ask(statement)


def plan(connection: psycopg.Connection[Any], statement: str) -> str:
    """The plan, in one text."""
    return "\n".join(row[0] for row in connection.execute(f"EXPLAIN {statement}".encode()))


def wait_for_files(connection: psycopg.Connection[Any], directory: Path, count: int) -> None:
    """Until there are so many index files, and no job that makes any."""
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        connection.execute("SELECT 1 FROM generate_series(1, 100000) LIMIT 1")
        running = connection.execute(
            "SELECT 1 FROM system.jobs WHERE job_type = 'index' AND status = 'running'"
        ).fetchone()
        if running is None and len(files(directory)) == count:
            return
    raise AssertionError(f"{len(files(directory))} index files and not {count}")


def wait_for_index(connection: psycopg.Connection[Any], index: str, statement: str) -> None:
    """Until a statement is answered by an index."""
    give_up = time.monotonic() + 60
    while f"Index: {index}" not in plan(connection, statement):
        assert time.monotonic() < give_up, plan(connection, statement)


def files(directory: Path) -> list[Path]:
    """The index files of a data directory."""
    return list((directory / "cold").rglob("index-*"))


def filled(ask_both: tuple[Side, Side], *, indexes: str = INDEXES) -> None:
    ours, _ = ask_both
    ask(ask_both, "DROP TABLE IF EXISTS mails" + TABLE + indexes)
    for first in (1, 1 + ROWS):
        ask(ask_both, FILL.format(first=first, last=first + ROWS - 1))
        ours.ask("STORAGE FLUSH TABLE mails")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cold-indexes")


@pytest.fixture(scope="module")
def sides(directory: Path) -> Iterator[tuple[Side, Side]]:
    with both(directory) as made:
        yield made


def test_rows_are_found_by_indexes_whatever_has_become_of_them(
    sides: tuple[Side, Side], directory: Path
):
    ours, _ = sides
    filled(sides)
    assert differences(sides, ASKED) == [], "before the files are there"
    wait_for_files(ours.connection, directory / "kalam", 14)
    for statement, index in BY_INDEX.items():
        assert (f"Index: {index}" in plan(ours.connection, statement)) == bool(index), statement
    assert differences(sides, ASKED) == []
    for name, changes in CHANGES.items():
        ask(sides, changes)
        assert differences(sides, ASKED) == [], name
    ask(sides, "BEGIN")
    ask(sides, CHANGES["hidden by the log"].replace("-1,", "-2,"))
    assert differences(sides, ASKED) == [], "with a block's own changes"
    ask(sides, "ROLLBACK")
    wait_for_index(ours.connection, "mails_room", "SELECT count(*) FROM mails WHERE room = 5")
    altered = """
        ALTER TABLE mails RENAME COLUMN email TO mail
        DROP INDEX mails_room
        ALTER TABLE mails ALTER COLUMN room TYPE bigint
        CREATE INDEX mails_room ON mails (room)
        DROP INDEX mails_amount
        ALTER TABLE mails DROP COLUMN ratio
        ALTER TABLE mails ADD COLUMN ratio float8 DEFAULT 0
    """
    ask(sides, altered)
    assert differences(sides, ASKED.replace("email", "mail")) == []
    wait_for_index(ours.connection, "mails_room", "SELECT count(*) FROM mails WHERE room = 5")
    ask(sides, "CREATE INDEX ON mails (ratio)\nUPDATE mails SET ratio = 1.5 WHERE id % 1000 = 0")
    assert differences(sides, ASKED.replace("email", "mail")) == []


VALUES = {
    "email": ["'User77@x.org'", "'User5'", "'V'"],
    "lower(email)": ["'user77@x.org'", "'user5'"],
    "doc ->> 'k'": ["'k77'", "'k1999'", "'kk'"],
    "room": ["5", "299", "8::smallint", "-1"],
    "at": ["'2026-01-03'", "'2026-01-07 06:00'", "'infinity'", "'2025-01-01'"],
    "amount": ["3.1", "3.100", "'NaN'", "-20", "79.90", "1000"],
    "ratio": ["0", "'-0'", "'NaN'", "1.25", "'infinity'"],
    "state": ["'open'", "'done'"],
}


def question(random: Random) -> str:
    """A random question that indexes may answer."""
    column = random.choice(list(VALUES))
    parts = []
    for one in random.sample([column, *VALUES], random.randint(1, 2)):
        operator = random.choice(("=", "=", "<", "<=", ">", ">="))
        parts.append(f"{one} {operator} {random.choice(VALUES[one])}")
    if random.random() < 0.2:
        parts.append("id % 3 = 1")
    where = " AND ".join(parts)
    if random.random() < 0.25:
        return f"SELECT count(*) FROM mails WHERE {where}"
    if random.random() < 0.2:
        where = "id > 0" if random.random() < 0.5 else "state = 'open'"
    keys = random.sample([one for one in VALUES if one != "doc ->> 'k'"], random.randint(0, 2))
    order = ", ".join(
        f"{key} {random.choice(('', 'DESC', 'DESC NULLS LAST', 'NULLS FIRST'))}"
        for key in (*keys, "id")
    )
    limit = random.choice(("LIMIT 3", "LIMIT 3", "LIMIT 60 OFFSET 2", "LIMIT 0"))
    return f"SELECT id, at, amount, ratio FROM mails WHERE {where} ORDER BY {order} {limit}"


def test_random_questions_have_postgresqls_answers(sides: tuple[Side, Side], directory: Path):
    ours, _ = sides
    random = Random(1)
    filled(sides)
    wait_for_files(ours.connection, directory / "kalam", 14)
    for name, changes in {"in segments": "", **CHANGES}.items():
        ask(sides, changes)
        questions = "\n".join(question(random) for _ in range(50))
        assert differences(sides, questions) == [], name


# ------------------------------------------------------------------ faults


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KalamServer]:
    made = KalamServer(tmp_path / "data")
    yield made
    made.stop()


FOUND = "SELECT id FROM mails WHERE email = 'User77@x.org'"


def fill(root: psycopg.Connection[Any], indexes: str) -> None:
    for statement in lines(TABLE + FILL.format(first=1, last=ROWS)):
        root.execute(statement.encode())
    root.execute("STORAGE FLUSH TABLE mails")
    for statement in lines(indexes):
        root.execute(statement.encode())


def ask_until_lost(root: psycopg.Connection[Any], indexes: str) -> None:
    root.execute(";".join(lines(indexes)).encode())  # All of them, or none.
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        root.execute(FOUND)


@pytest.mark.parametrize("point", ["index.written", "index.named"])
def test_a_kill_while_files_are_made_loses_nothing_and_they_are_made_after_it(server, point):
    server.start(KALAM_FAILPOINTS=f"{point}:kill@2")
    root = server.root()
    fill(root, "")
    with pytest.raises(psycopg.OperationalError):
        ask_until_lost(root, INDEXES)
    server.kill()
    server.start(KALAM_FAILPOINTS="", KALAM_RETENTION_INTERVAL_S="1")
    with server.root() as root:
        assert root.execute(FOUND).fetchall() == [(11,)]
        wait_for_files(root, server.directory, 7)
        assert "Index: mails_email" in plan(root, FOUND)
        assert root.execute(FOUND).fetchall() == [(11,)]
        give_up = time.monotonic() + 60
        while "tmp-index-" in str(files_of(server.directory / "cold")):
            assert time.monotonic() < give_up
            root.execute("SELECT 1 FROM generate_series(1, 100000) LIMIT 1")


@pytest.mark.parametrize("action", ["enospc", "eio", "crash"])
def test_a_disk_that_refuses_leaves_reads_as_they_were(server, action):
    server.start(KALAM_FAILPOINTS=f"index.written:{action}")
    with server.root() as root:
        fill(root, "CREATE INDEX mails_email ON mails (email)")
        give_up = time.monotonic() + 60
        while not (failed := failures(root)):
            assert time.monotonic() < give_up
            assert root.execute(FOUND).fetchall() == [(11,)]
        expected = {"enospc": "53100: ", "eio": "58030: ", "crash": "XX000: "}[action]
        assert failed[0].startswith(expected)
        wait_for_files(root, server.directory, 1)
        assert "Index: mails_email" in plan(root, FOUND)


def failures(root: psycopg.Connection[Any]) -> list[str]:
    """The errors of jobs that were to make index files."""
    found = root.execute("SELECT job_type, status, error FROM system.jobs").fetchall()
    return [error for kind, status, error in found if (kind, status) == ("index", "failed")]


def test_a_damaged_file_is_found_out_and_made_again(server):
    server.start()
    with server.root() as root:
        fill(root, "CREATE INDEX mails_email ON mails (email)")
        wait_for_files(root, server.directory, 1)
    server.stop()
    (path,) = files(server.directory)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    server.start()
    with server.root() as root:
        for n in range(0, ROWS, 300):
            asked = f"SELECT count(*), min(email) FROM mails WHERE email = 'User{n}@x.org'"
            assert root.execute(asked.encode()).fetchall() == [(1, f"User{n}@x.org")]
            found = root.execute(f"SELECT email FROM mails WHERE email = 'User{n}@x.org'".encode())
            assert found.fetchall() == [(f"User{n}@x.org",)]
        wait_for_files(root, server.directory, 1)
    assert path.read_bytes() != bytes(data)


def test_what_was_dropped_leaves_no_files(server):
    server.start(KALAM_RETENTION_INTERVAL_S="1")
    with server.root() as root:
        fill(root, INDEXES)
        wait_for_files(root, server.directory, 7)
        root.execute("DROP INDEX mails_email, mails_k")
        wait_for_files(root, server.directory, 5)
        root.execute("DROP TABLE mails")
        wait_for_files(root, server.directory, 0)
