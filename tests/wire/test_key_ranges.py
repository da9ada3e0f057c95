"""Rows from one key to another: along the keys, whatever has become of the rows, as PostgreSQL tells them."""

from collections.abc import Iterator
from random import Random

import pytest

from tests.wire.side_by_side import Side, both, differences

pytestmark = pytest.mark.slow

SETUP = """
    DROP TABLE IF EXISTS notes
    CREATE TABLE notes (id bigint PRIMARY KEY, body text, score double precision)
    INSERT INTO notes SELECT n * 3, 'note ' || n, n % 7 FROM generate_series(-500, 2500) n
    DROP TABLE IF EXISTS pages
    CREATE TABLE pages (at timestamptz, id int, body text, PRIMARY KEY (at, id))
    INSERT INTO pages SELECT '2026-01-01 00:00Z'::timestamptz + (n / 3) * interval '1 hour', n % 3, 'page ' || n FROM generate_series(0, 3000) n
"""  # noqa: E501

EDGES = """
    SELECT id FROM notes WHERE id > 9223372036854775806 ORDER BY id
    SELECT id FROM notes WHERE id <= 9223372036854775807 ORDER BY id DESC LIMIT 2
    SELECT id FROM notes WHERE id >= -9223372036854775808 ORDER BY id LIMIT 2
    SELECT id FROM notes WHERE id < -9223372036854775808
    SELECT id FROM notes WHERE id > NULL ORDER BY id
    SELECT id FROM notes WHERE id > 10 AND id < NULL::int
    SELECT id FROM notes WHERE id > 100 AND id < 90
    SELECT id FROM notes WHERE id BETWEEN 30 AND 60 ORDER BY id
    SELECT id FROM notes WHERE id > 30 AND id > 60 AND id < 90::smallint AND 80 >= id ORDER BY body
    SELECT id FROM notes WHERE id > 30 ORDER BY id LIMIT 0
    SELECT id FROM notes WHERE id > 30 ORDER BY id LIMIT 3 OFFSET 4
    SELECT id FROM notes WHERE id > 30 ORDER BY id DESC LIMIT 3 OFFSET 4
    SELECT id, body FROM notes WHERE id > 30 AND score = 3 ORDER BY id LIMIT 3
    SELECT id, body FROM notes WHERE id < 6000 AND body LIKE '%9' ORDER BY id DESC LIMIT 3
    SELECT id FROM notes ORDER BY id LIMIT 3
    SELECT id FROM notes ORDER BY id NULLS FIRST LIMIT 3
    SELECT id FROM notes WHERE id > 300 ORDER BY score, id LIMIT 5
    SELECT count(*), min(id), max(id) FROM notes WHERE id >= 3000 AND id < 3300
    SELECT * FROM pages WHERE at >= '2026-01-05 00:00Z' AND at < '2026-01-05 04:00Z' ORDER BY at, id
    SELECT * FROM pages WHERE (at, id) > ('2026-01-05 00:00Z', 1) ORDER BY at, id LIMIT 5
    SELECT at FROM pages WHERE at < '2026-01-05 00:00Z' ORDER BY at DESC LIMIT 4
    SELECT * FROM pages WHERE at > '2026-01-05 00:00Z' AND id = 1 ORDER BY at LIMIT 2
    SELECT id FROM notes WHERE id > 30 ORDER BY id LIMIT 3 FOR UPDATE
"""


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    with both(tmp_path_factory.mktemp("ranges")) as made:
        yield made


def question(random: Random) -> str:
    """A SELECT of a part of the keys, whose order is told as far as it shows."""
    low = random.randint(-1600, 7600)
    high = low + random.choice((0, 1, 40, 900, 5000))
    parts = [f"id {random.choice(('>', '>='))} {low}", f"id {random.choice(('<', '<='))} {high}"]
    parts = random.sample(parts, random.choice((1, 2, 2)))
    if random.random() < 0.3:
        parts.append(random.choice(("score < 3", "body LIKE '%7%'", "id % 2 = 0")))
    order = random.choice(("id", "id DESC", "score, id", "body DESC, id"))
    bounds = random.choice(("", " LIMIT 1", " LIMIT 20", " LIMIT 7 OFFSET 5", " LIMIT 700"))
    return f"SELECT * FROM notes WHERE {' AND '.join(parts)} ORDER BY {order}{bounds}"


def change(random: Random) -> str:
    """An UPDATE, DELETE or INSERT of a part of the keys."""
    low = random.randint(-1600, 7600)
    within = f"id >= {low} AND id < {low + random.choice((10, 200))}"
    return random.choice(
        (
            f"DELETE FROM notes WHERE {within}",
            f"UPDATE notes SET body = body || '+' WHERE {within} AND score > 2",
            f"UPDATE notes SET id = id + 1 WHERE {within} AND id % 3 = 0 AND id % 2 = 0",
            f"INSERT INTO notes SELECT n, 'new', 1 FROM generate_series({low}, {low + 30}) n ON CONFLICT DO NOTHING",  # noqa: E501
        )
    )


def test_parts_of_the_keys_are_as_in_postgresql(sides: tuple[Side, Side]):
    assert differences(sides, SETUP + EDGES) == []
    for seed in range(3):
        random = Random(seed)
        script = [question(random) if random.random() < 0.7 else change(random) for _ in range(60)]
        assert differences(sides, "\n".join(script)) == [], seed
        block = [question(random) if random.random() < 0.6 else change(random) for _ in range(20)]
        undone = ["BEGIN ISOLATION LEVEL REPEATABLE READ", *block, "ROLLBACK"]
        assert differences(sides, "\n".join(undone) + EDGES) == [], seed
    ours, _ = sides
    ours.ask("STORAGE FLUSH TABLE notes")
    random = Random(99)
    script = [question(random) if random.random() < 0.7 else change(random) for _ in range(30)]
    assert differences(sides, "\n".join(script) + EDGES) == []
    assert differences(sides, f"TRUNCATE notes\n{change(random)}\n{change(random)}" + EDGES) == []


def test_a_key_that_was_written_again_and_again_is_one_row(sides: tuple[Side, Side]):
    again = [f"UPDATE notes SET body = 'time {n}' WHERE id >= 300 AND id < 330" for n in range(40)]
    assert differences(sides, SETUP + "\n".join(again) + EDGES) == []


@pytest.mark.parametrize(
    ("statement", "way"),
    [
        (
            "SELECT * FROM notes WHERE id < 6000 ORDER BY id DESC LIMIT 50",
            "Key Range Scan on notes",
        ),
        ("SELECT * FROM notes WHERE id > 300 AND id <= 330", "Key Range Scan on notes"),
        ("SELECT * FROM notes ORDER BY id LIMIT 5", "Key Range Scan on notes"),
        ("DELETE FROM notes WHERE id >= 300 AND id < 600", "Key Range Scan on notes"),
        ("SELECT * FROM pages WHERE at < '2026-01-02 00:00Z'", "Key Range Scan on pages"),
        ("SELECT * FROM notes WHERE id > 300", "Local Query"),
    ],
)
def test_what_is_within_a_part_of_the_keys_costs_no_look_at_others(
    sides: tuple[Side, Side], statement: str, way: str
):
    ours, _ = sides
    for made in SETUP.split("\n"):
        if made.strip():
            ours.ask(made)
    plan = "\n".join(row[0] for row in ours.connection.execute(f"EXPLAIN {statement}".encode()))
    assert way in plan
