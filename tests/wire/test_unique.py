"""UNIQUE constraints: what a client is told, and who waits for whom, as on PostgreSQL 15."""

# ruff: noqa: E501 -- one statement a line

from collections.abc import Iterator

import psycopg
import pytest

from tests.wire.interleaved import differences
from tests.wire.server import KalamServer
from tests.wire.side_by_side import Side
from tests.wire.side_by_side import differences as answered_differently

pytestmark = pytest.mark.slow


STATEMENTS = """
CREATE TABLE a (id int PRIMARY KEY, email text UNIQUE, x int, y int, CONSTRAINT xy UNIQUE (x, y))
INSERT INTO a VALUES (1, 'one', 1, 1), (2, 'two', 1, 2)
INSERT INTO a VALUES (3, 'one', 2, 2)
INSERT INTO a VALUES (3, 'three', 1, 2)
INSERT INTO a VALUES (1, 'one', 1, 1)
INSERT INTO a VALUES (3, NULL, 1, NULL), (4, NULL, 1, NULL)
INSERT INTO a VALUES (5, 'five', 5, 5), (6, 'five', 6, 6)
UPDATE a SET email = 'two' WHERE id = 1
UPDATE a SET email = 'one' WHERE id = 1
UPDATE a SET email = 'two' WHERE id = 2
UPDATE a SET email = 'uno' WHERE id = 1
INSERT INTO a VALUES (7, 'one', 7, 7)
UPDATE a SET id = 8 WHERE id = 7
INSERT INTO a VALUES (7, 'one', 8, 8)
DELETE FROM a WHERE email = 'one'
INSERT INTO a VALUES (7, 'one', 7, 7)
UPDATE a SET x = 1, y = 1 WHERE id = 7
SELECT * FROM a ORDER BY id
INSERT INTO a VALUES (9, 'one', 9, 9) ON CONFLICT DO NOTHING
INSERT INTO a VALUES (9, 'one', 9, 9) ON CONFLICT (email) DO NOTHING
INSERT INTO a VALUES (9, 'one', 9, 9) ON CONFLICT (x, y) DO NOTHING
INSERT INTO a VALUES (9, 'one', 9, 9) ON CONFLICT (id) DO NOTHING
INSERT INTO a VALUES (9, 'one', 9, 9) ON CONFLICT (email) DO UPDATE SET x = excluded.x + a.x RETURNING *
INSERT INTO a VALUES (9, 'nine', 16, 7) ON CONFLICT ON CONSTRAINT xy DO UPDATE SET email = excluded.email RETURNING *
INSERT INTO a VALUES (9, 'nine', 16, 7) ON CONFLICT (y, x) DO UPDATE SET id = excluded.id RETURNING *
INSERT INTO a VALUES (10, 'nine', 16, 8) ON CONFLICT (y, x) DO UPDATE SET id = excluded.id RETURNING *
INSERT INTO a VALUES (10, 'ten', 1, 1), (11, 'ten', 1, 1) ON CONFLICT (email) DO UPDATE SET x = 3
INSERT INTO a VALUES (10, 'ten', 10, 1), (11, 'ten', 11, 1) ON CONFLICT (email) DO UPDATE SET x = 3
INSERT INTO a VALUES (10, 'uno', 10, 1), (11, 'uno', 11, 1) ON CONFLICT (email) DO UPDATE SET x = 3
INSERT INTO a VALUES (10, 'uno', 10, 1), (11, 'uno', 11, 1) ON CONFLICT (email) DO NOTHING
INSERT INTO a VALUES (10, 'x', 10, 1) ON CONFLICT (x) DO NOTHING
INSERT INTO a VALUES (10, 'x', 10, 1) ON CONFLICT ON CONSTRAINT no_such DO NOTHING
INSERT INTO a VALUES (10, 'x', 10, 1) ON CONFLICT DO UPDATE SET x = 1
SELECT * FROM a ORDER BY id
UPDATE a SET x = x + 1, y = y + 1 WHERE id IN (1, 2)
UPDATE a SET x = 77
TRUNCATE a
INSERT INTO a VALUES (7, 'one', 7, 7)
INSERT INTO a VALUES (8, 'one', 8, 7)
DROP TABLE a
CREATE TABLE b (id int PRIMARY KEY, v int, UNIQUE NULLS NOT DISTINCT (v))
SELECT pg_get_constraintdef(oid), pg_get_indexdef(conindid) FROM pg_constraint WHERE conrelid = 'b'::regclass ORDER BY 1
SELECT indnullsnotdistinct, indisunique, indisprimary, indkey FROM pg_index WHERE indrelid = 'b'::regclass ORDER BY 3
INSERT INTO b VALUES (1, NULL)
INSERT INTO b VALUES (2, NULL)
INSERT INTO b VALUES (2, NULL) ON CONFLICT (v) DO UPDATE SET id = excluded.id RETURNING *
DROP TABLE b
CREATE TABLE b (v int UNIQUE, w int UNIQUE UNIQUE, id int UNIQUE PRIMARY KEY, UNIQUE (v), UNIQUE (w, v))
SELECT conname, contype, conkey FROM pg_constraint WHERE conrelid = 'b'::regclass ORDER BY conname
SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'b' ORDER BY 1
CREATE TABLE b_v_key (a int)
CREATE TABLE b_c_key (a int)
DROP TABLE b
CREATE TABLE b (c int UNIQUE, d int CONSTRAINT b_c_key1 UNIQUE)
CREATE TABLE b (c int UNIQUE, d int CONSTRAINT b_c_key UNIQUE)
CREATE TABLE b (c int UNIQUE, d int CONSTRAINT b_c_key2 UNIQUE)
SELECT conname FROM pg_constraint WHERE conrelid = 'b'::regclass ORDER BY conname
CREATE TABLE l (LIKE b INCLUDING ALL)
SELECT conname FROM pg_constraint WHERE conrelid = 'l'::regclass ORDER BY conname
INSERT INTO l VALUES (1, 1)
INSERT INTO l VALUES (1, 2)
CREATE TABLE e (a int UNIQUE, b json UNIQUE)
CREATE TABLE e (a int, UNIQUE (a, a))
CREATE TABLE e (a int, UNIQUE (z))
CREATE TABLE e (a numeric UNIQUE, b float8 UNIQUE)
INSERT INTO e VALUES (1.0, '-0'), (2, 'NaN')
INSERT INTO e VALUES (1.00, 1)
INSERT INTO e VALUES (3, 0)
INSERT INTO e VALUES (3, 'NaN')
BEGIN
INSERT INTO e VALUES (5, 5)
DELETE FROM e WHERE a = 5
INSERT INTO e VALUES (5, 6)
INSERT INTO e VALUES (6, 5)
SAVEPOINT s
INSERT INTO e VALUES (6, 7)
ROLLBACK TO s
DELETE FROM e WHERE a = 6
INSERT INTO e VALUES (6, 7)
ROLLBACK TO s
INSERT INTO e VALUES (7, 5)
COMMIT
SELECT * FROM e ORDER BY a
INSERT INTO e SELECT 100 + n, n / 2 FROM generate_series(100, 104) n
INSERT INTO e SELECT 100 + n, n FROM generate_series(100, 104) n
UPDATE e SET b = 0 - b WHERE a > 199
"""


def test_statements_are_answered_as_postgresql_answers_them(
    servers: tuple[KalamServer, str],
) -> None:
    server, theirs = servers
    with server.root() as ours, psycopg.connect(theirs, autocommit=True) as oracle:
        different = answered_differently((Side(ours), Side(oracle)), STATEMENTS)
        assert not different, "\n".join(f"{s}\n  {a}\n  {b}" for s, a, b in different)


def scripts() -> Iterator[tuple[str, str]]:
    changes = {
        "inserted": "INSERT INTO q VALUES (9, 30, 0)",
        "moved to": "UPDATE q SET v = 30 WHERE id = 1",
        "moved from": "UPDATE q SET v = 40 WHERE v = 10",
        "deleted": "DELETE FROM q WHERE v = 10",
        "changed beside": "UPDATE q SET n = 1 WHERE v = 10",
        "upserted": "INSERT INTO q VALUES (9, 10, 7) ON CONFLICT (v) DO UPDATE SET n = excluded.n",
        "deleted and put back": "WITH d AS (DELETE FROM q WHERE v = 20) SELECT 1",
    }
    others = (
        "INSERT INTO q VALUES (8, 10, 0)",
        "INSERT INTO q VALUES (8, 30, 0)",
        "UPDATE q SET v = 10 WHERE id = 2",
        "UPDATE q SET v = 30 WHERE id = 2",
        "INSERT INTO q VALUES (8, 10, 5) ON CONFLICT (v) DO NOTHING",
        "INSERT INTO q VALUES (8, 30, 5) ON CONFLICT DO NOTHING",
        "INSERT INTO q VALUES (8, 10, 5) ON CONFLICT (v) DO UPDATE SET n = q.n + excluded.n",
        "INSERT INTO q VALUES (8, 30, 5) ON CONFLICT (v) DO UPDATE SET n = q.n + excluded.n",
    )
    for name, change in changes.items():
        for other in others:
            for end in ("COMMIT", "ROLLBACK"):
                yield (
                    f"{name}, {end}: {other}",
                    f"""
                    a: DROP TABLE IF EXISTS q
                    a: CREATE TABLE q (id int PRIMARY KEY, v int UNIQUE, n int)
                    a: INSERT INTO q VALUES (1, 10, 0), (2, 20, 0)
                    a: BEGIN
                    a: {change}
                    b: {other}
                    a: {end}
                    a: SELECT * FROM q ORDER BY id
                    """,
                )


SCRIPTS = dict(scripts())
SHORT = [
    name
    for name in SCRIPTS
    if name.startswith(("moved from, ROLLBACK", "changed beside, COMMIT", "inserted, COMMIT"))
    and ("ON CONFLICT (v) DO UPDATE" in name or "INSERT INTO q VALUES (8, 10, 0)" in name)
]
"""Some of each kind; the others say the same of other ways to change a row."""


@pytest.mark.parametrize("name", SHORT)
def test_sessions_wait_for_each_other_as_on_postgresql(
    servers: tuple[KalamServer, str], name: str
) -> None:
    different = differences(servers, SCRIPTS[name])
    assert not different, different
