"""Rows by a column with an index: found by it at once, whatever has become of the rows, as in PostgreSQL."""

from collections.abc import Iterator

import pytest

from tests.wire.server import KalamServer
from tests.wire.side_by_side import Side, both, differences

pytestmark = pytest.mark.slow

ROWS = 20_000
"""More than an index by value is tried for where values hardly repeat. In a block they stay in the log."""

FEWER = 9000
"""More than a read takes into an index."""

SETUP = f"""
    DROP TABLE IF EXISTS people
    CREATE TABLE people (id int PRIMARY KEY, email text, room int, number bigint, code varchar(20), u uuid)
    CREATE INDEX people_email ON people (email)
    CREATE INDEX people_number ON people (number, id)
    CREATE INDEX people_code ON people (code)
    CREATE INDEX people_room ON people (room)
    CREATE INDEX people_u ON people (u)
    BEGIN
    INSERT INTO people SELECT n, 'user' || (n * 7) % {ROWS} || '@x.org', n % 300, (n::bigint * 7919) % {ROWS}, 'c' || n, ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid FROM generate_series(1, {ROWS}) n
    COMMIT
"""  # noqa: E501

ASKED = """
    SELECT * FROM people WHERE email = 'user77@x.org' ORDER BY id
    SELECT * FROM people WHERE email = 'nobody'
    SELECT id FROM people WHERE email = 'user70@x.org' AND id = 10
    SELECT id FROM people WHERE email = 'user70@x.org' AND id > 10 ORDER BY id
    SELECT id, email FROM people WHERE number = 7919 ORDER BY id
    SELECT id FROM people WHERE number = 7919::smallint ORDER BY id
    SELECT id FROM people WHERE number = 99999999999
    SELECT id FROM people WHERE room = 7::smallint ORDER BY id DESC LIMIT 3
    SELECT id FROM people WHERE room = 7 ORDER BY email, id LIMIT 3
    SELECT id FROM people WHERE code = 'c19999'
    SELECT id FROM people WHERE u = '00000000-0000-0000-0000-000000000042'
    SELECT id FROM people WHERE email IN ('user77@x.org', 'user7@x.org', 'nobody', 'user7@x.org') ORDER BY id
    SELECT id FROM people WHERE email IN ('user77@x.org', NULL) ORDER BY id
    SELECT id FROM people WHERE email = ANY ('{user77@x.org,user14@x.org}') ORDER BY id
    SELECT id FROM people WHERE email = ANY (NULL::text[])
    SELECT id FROM people WHERE code IN ('c1', 'c2', 'c3') AND id <> 2 ORDER BY id DESC
    SELECT id FROM people WHERE room IN (3, 4) ORDER BY id LIMIT 5 OFFSET 2
    SELECT count(*) FROM people WHERE room IN (3, 4)
    SELECT id FROM people WHERE number IN (1, 2, 3) ORDER BY id
    SELECT id FROM people WHERE email NOT IN ('a') AND id < 3 ORDER BY id
    SELECT id FROM people WHERE u IN ('00000000-0000-0000-0000-000000000042') ORDER BY id
    SELECT id FROM people WHERE email = 'user77@x.org' ORDER BY id FOR UPDATE
    SELECT email FROM people WHERE email IS NULL ORDER BY id
"""

CHANGES = {
    "as written": "",
    "changed": """
        UPDATE people SET email = 'user77@x.org' WHERE email = 'user70@x.org'
        UPDATE people SET number = 7919 WHERE code IN ('c4', 'c5')
        DELETE FROM people WHERE number = 7919 AND id < 5
        UPDATE people SET email = NULL WHERE id = 9
        INSERT INTO people VALUES (-1, 'user7@x.org', 7, 3, 'c1', NULL)
        DELETE FROM people WHERE email = 'user14@x.org' RETURNING id
    """,
    "one row a thousand times": "\n".join(
        f"UPDATE people SET room = {n} WHERE code = 'c19999'" for n in range(60)
    ),
}


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    with both(tmp_path_factory.mktemp("indexes")) as made:
        yield made


def lines(script: str) -> list[str]:
    """Its statements, one a line."""
    return [line.strip() for line in script.split("\n") if line.strip()]


def ways(side: Side, statement: str) -> str:
    """The plan, in one text."""
    return "\n".join(row[0] for row in side.connection.execute(f"EXPLAIN {statement}".encode()))


def test_rows_are_found_as_by_postgresql_whatever_has_become_of_them(sides: tuple[Side, Side]):
    ours, _ = sides
    assert differences(sides, SETUP) == []
    for name, changes in CHANGES.items():
        assert differences(sides, changes + ASKED) == [], name
    ours.ask("STORAGE FLUSH TABLE people")
    assert differences(sides, ASKED) == []
    more = """
        BEGIN ISOLATION LEVEL REPEATABLE READ
        SELECT count(*) FROM people
    """
    assert differences(sides, more + ASKED.replace(" FOR UPDATE", "") + "COMMIT") == []
    block = """
        BEGIN
        INSERT INTO people VALUES (-2, 'user77@x.org', 7, 7919, 'c2', NULL), (-3, 'other', 8, 5, 'c3', NULL)
        UPDATE people SET email = 'user14@x.org' WHERE email = 'user77@x.org' AND id > 0
        DELETE FROM people WHERE room = 7 AND id BETWEEN 100 AND 2000
        UPDATE people SET room = 7 WHERE id IN (11, 12, 19000)
        UPDATE people SET id = -4 WHERE number = 7919 AND id = -2
    """
    assert differences(sides, block + ASKED + "ROLLBACK") == []
    altered = """
        ALTER TABLE people RENAME COLUMN email TO mail
        DROP INDEX people_room
        ALTER TABLE people ALTER COLUMN room TYPE bigint
        DROP INDEX people_number
    """
    assert differences(sides, altered + ASKED.replace("email", "mail")) == []
    emptied = "TRUNCATE people\nINSERT INTO people VALUES (1, 'user77@x.org', 7, 7919, 'c1', NULL)"
    assert differences(sides, emptied + ASKED.replace("email", "mail")) == []


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM people WHERE email = 'user77@x.org'",
        "SELECT * FROM people WHERE number = 5::smallint",
        "SELECT * FROM people WHERE email IN ('user77@x.org', 'user7@x.org')",
        "SELECT * FROM people WHERE code = ANY ('{c1,c2}')",
        "UPDATE people SET room = 1 WHERE email = 'user77@x.org'",
        "DELETE FROM people WHERE code = 'c1'",
    ],
)
def test_the_first_read_is_by_the_index_already(sides: tuple[Side, Side], statement: str):
    ours, _ = sides
    for made in lines(SETUP.replace(str(ROWS), str(FEWER))):
        ours.ask(made)
    assert "Tail Index Scan on people" in ways(ours, statement)


def test_without_an_index_that_was_declared_others_are_not_kept_waiting(sides: tuple[Side, Side]):
    ours, _ = sides
    for made in lines(SETUP.replace(str(ROWS), str(FEWER))):
        ours.ask(made.replace("CREATE INDEX people_email ON people (email)", ""))
    found = [ways(ours, "SELECT * FROM people WHERE email = 'user77@x.org'") for _ in range(20)]
    assert "Tail Index Scan" not in found[0]
    assert "Tail Index Scan" in found[-1]


def test_an_index_is_used_after_a_restart_and_over_a_blocks_own_changes(
    tmp_path_factory: pytest.TempPathFactory,
):
    server = KalamServer(tmp_path_factory.mktemp("again") / "data").start()
    try:
        with server.root() as root:
            for made in lines(SETUP):
                # Loaded they would not be hot.
                tail = " ON CONFLICT DO NOTHING" if made.startswith("INSERT") else ""
                root.execute(f"{made}{tail}".encode())
        server.kill()
        server.start()
        with server.root() as root:
            asked = "SELECT id FROM people WHERE email = 'user77@x.org'"
            plan = "\n".join(row[0] for row in root.execute(f"EXPLAIN {asked}".encode()))
            assert "Tail Index Scan on people" in plan
            assert root.execute(asked.encode()).fetchall() == [(11,)]
            root.execute("BEGIN")
            root.execute("INSERT INTO people (id, email) VALUES (-9, 'user77@x.org')")
            plan = "\n".join(row[0] for row in root.execute(f"EXPLAIN {asked}".encode()))
            assert "Tail Index Scan on people" in plan
            assert sorted(root.execute(asked.encode()).fetchall()) == [(-9,), (11,)]
            root.execute("ROLLBACK")
    finally:
        server.stop()
