"""Generated columns: told beside PostgreSQL 15, over rows hot and cold, of every user, copied and kept."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.wire.server import KalamServer
from tests.wire.side_by_side import Side, both, differences

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    with both(tmp_path_factory.mktemp("generated")) as found:
        yield found


MADE = """
CREATE TABLE g(a int, b int GENERATED ALWAYS AS (a*2) STORED)
INSERT INTO g VALUES (1), (2) RETURNING *
INSERT INTO g(a,b) VALUES (3, DEFAULT) RETURNING *
INSERT INTO g VALUES (4, 5)
INSERT INTO g(a) SELECT 10 RETURNING b
INSERT INTO g SELECT 1, 2
INSERT INTO g(b) VALUES (1)
INSERT INTO g(a, b) OVERRIDING SYSTEM VALUE VALUES (1, 2)
UPDATE g SET a = 5 WHERE a = 1 RETURNING *
UPDATE g SET b = 3
UPDATE g SET b = DEFAULT WHERE a = 2 RETURNING *
INSERT INTO g DEFAULT VALUES RETURNING *
SELECT * FROM g ORDER BY a
CREATE TABLE g2(a int, b int GENERATED ALWAYS AS (c) STORED, c int GENERATED ALWAYS AS (a+1) STORED)
CREATE TABLE g2(a int, b int GENERATED ALWAYS AS (random()) STORED)
CREATE TABLE g2(a int, b int GENERATED ALWAYS AS (sum(a)) STORED)
CREATE TABLE g2(a int, b int GENERATED ALWAYS AS ((SELECT 1)) STORED)
CREATE TABLE g2(a int, b int GENERATED ALWAYS AS (row_number() over ()) STORED)
CREATE TABLE g2(a int, b int GENERATED ALWAYS AS (generate_series(1,2)) STORED)
CREATE TABLE g2(a int, b int GENERATED ALWAYS AS ('x'||a) STORED)
CREATE TABLE g2(a int, b int GENERATED ALWAYS AS (nope) STORED)
CREATE TABLE g2(a int, b int GENERATED ALWAYS AS (b+1) STORED)
CREATE TABLE g2(a int, b int GENERATED ALWAYS AS (extract(epoch FROM current_timestamp)::int) STORED)
CREATE TABLE g2(a int PRIMARY KEY, b text GENERATED ALWAYS AS ('k' || abs(a)) STORED UNIQUE)
CREATE TABLE g3(a int, b text NOT NULL GENERATED ALWAYS AS (CASE WHEN a > 0 THEN 'p' END) STORED)
INSERT INTO g3 VALUES (1)
INSERT INTO g3 VALUES (-1)
ALTER TABLE g ADD COLUMN c text GENERATED ALWAYS AS (lower(g) || 'x') STORED
ALTER TABLE g ADD COLUMN c text GENERATED ALWAYS AS (lower(a::varchar) || 'x') STORED
ALTER TABLE g ADD COLUMN d text DEFAULT 'q'
ALTER TABLE g ADD COLUMN e text GENERATED ALWAYS AS (upper(d)) STORED, ADD COLUMN f int
SELECT * FROM g ORDER BY a
INSERT INTO g(a, d) VALUES (77, 'zz') RETURNING *
INSERT INTO g(a) VALUES (1) RETURNING c
ALTER TABLE g ALTER COLUMN b SET DEFAULT 3
ALTER TABLE g ALTER COLUMN b DROP DEFAULT
ALTER TABLE g ALTER COLUMN a DROP EXPRESSION
ALTER TABLE g ALTER COLUMN a DROP EXPRESSION IF EXISTS
ALTER TABLE g ALTER COLUMN a TYPE bigint
ALTER TABLE g ALTER COLUMN b TYPE bigint
ALTER TABLE g RENAME COLUMN a TO aa
UPDATE g SET aa = aa + 1 WHERE aa = 77 RETURNING *
ALTER TABLE g ALTER COLUMN e DROP EXPRESSION
INSERT INTO g(d, e) VALUES ('a', 'own') RETURNING *
CREATE TABLE r(a int PRIMARY KEY)
CREATE TABLE f(a int, b int GENERATED ALWAYS AS (a) STORED REFERENCES r ON DELETE SET NULL)
CREATE TABLE f(a int, b int GENERATED ALWAYS AS (a) STORED REFERENCES r ON UPDATE CASCADE)
CREATE TABLE f(a int, b int GENERATED ALWAYS AS (a) STORED REFERENCES r ON DELETE CASCADE)
INSERT INTO f VALUES (1)
INSERT INTO r VALUES (1), (2)
INSERT INTO f VALUES (1), (2)
DELETE FROM r WHERE a = 1
SELECT * FROM f
ALTER TABLE f ALTER COLUMN b TYPE bigint USING 1
SELECT attname, attgenerated, atthasdef FROM pg_attribute WHERE attrelid='f'::regclass AND attnum > 0
CREATE TABLE l1 (LIKE f INCLUDING GENERATED)
CREATE TABLE l2 (LIKE f)
CREATE TABLE u(id int PRIMARY KEY, v text, n int GENERATED ALWAYS AS (length(v)) STORED)
CREATE UNIQUE INDEX ON u(n)
INSERT INTO u VALUES (1, 'abc')
INSERT INTO u VALUES (2, 'xyz')
INSERT INTO u VALUES (1, 'abcd') ON CONFLICT (id) DO UPDATE SET v = excluded.v || excluded.n RETURNING *
CREATE TABLE pk(a int, b int GENERATED ALWAYS AS (a % 10) STORED PRIMARY KEY)
INSERT INTO pk VALUES (13)
INSERT INTO pk VALUES (23)
UPDATE pk SET a = 25 RETURNING *
INSERT INTO pk VALUES (23)
SELECT * FROM pk ORDER BY b
UPDATE pk SET a = 15 WHERE b = 3
CREATE VIEW gv AS SELECT * FROM pk
SELECT * FROM gv ORDER BY 1
BEGIN
INSERT INTO pk VALUES (38)
SAVEPOINT a
UPDATE pk SET a = 39 WHERE b = 8
SELECT * FROM pk ORDER BY b
ROLLBACK TO a
SELECT * FROM pk ORDER BY b
ROLLBACK
CREATE TABLE ee(a int, b int GENERATED ALWAYS AS (a/0) STORED)
INSERT INTO ee VALUES (1)
CREATE TABLE ar(a int[], b jsonb, bb int GENERATED ALWAYS AS (a[1]) STORED)
ALTER TABLE ar ADD COLUMN k text GENERATED ALWAYS AS (b->>'x') STORED
INSERT INTO ar(a, b) VALUES ('{7,8}', '{"x":"y"}') RETURNING *
SELECT column_default, generation_expression FROM information_schema.columns WHERE column_name='n'
SELECT pg_get_expr(adbin, adrelid, true) FROM pg_attrdef WHERE adrelid='u'::regclass
"""


def test_every_statement_is_answered_as_postgresql_does(sides: tuple[Side, Side]) -> None:
    assert differences(sides, MADE) == []


COPIED = [
    ("COPY c FROM STDIN", "1\tone\n2\ttwo\n"),
    ("COPY c (v, id) FROM STDIN WITH (FORMAT csv)", "three,3\n"),
    ("COPY c (n) FROM STDIN", ""),
    ("COPY c FROM STDIN WHERE n > 3", "4\tfour\n"),
    ("COPY c FROM STDIN WHERE id > 4", "4\tfour\n5\tfive\n"),
]


OF_PARTS = """
CREATE TYPE place AS (x int, y numeric)
CREATE TABLE parts(id int PRIMARY KEY, p place, y numeric GENERATED ALWAYS AS ((p).y * 2) STORED, \
  z numeric GENERATED ALWAYS AS (coalesce((p).y, 0)) STORED)
INSERT INTO parts VALUES (1, row(1, 2.5)), (2, NULL) RETURNING *
UPDATE parts SET p.y = 4 WHERE id = 1 RETURNING *
CREATE UNIQUE INDEX parts_y ON parts (((p).y))
CREATE TABLE made(id int PRIMARY KEY, p place GENERATED ALWAYS AS (row(id, 2.5)::place) STORED)
INSERT INTO made VALUES (3) RETURNING *
CREATE TABLE sliced(id int PRIMARY KEY, a int[], e int GENERATED ALWAYS AS (a[1]) STORED, \
  s int[] GENERATED ALWAYS AS (a[2:]) STORED, t int[] GENERATED ALWAYS AS (a[:id]) STORED)
INSERT INTO sliced VALUES (1, '{5,6,7}'), (2, '{}') RETURNING *
DROP TABLE parts, made, sliced
DROP TYPE place
"""


def test_parts_of_rows_and_arrays_may_be_in_them(sides: tuple[Side, Side]) -> None:
    assert differences(sides, OF_PARTS.replace("\\\n", "")) == []


def test_an_attribute_that_one_uses_is_not_renamed(server: KalamServer) -> None:
    with server.root() as root:
        root.execute("CREATE TYPE spot AS (x int, y int)")
        root.execute("CREATE TABLE spots(p spot, d int GENERATED ALWAYS AS ((p).y) STORED)")
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="generated column d"):
            root.execute("ALTER TYPE spot RENAME ATTRIBUTE y TO z")
        root.execute("INSERT INTO spots VALUES (row(1, 2))")
        assert root.execute("SELECT d FROM spots").fetchone() == (2,)


def test_copy_leaves_them_out_and_computes_them(sides: tuple[Side, Side]) -> None:
    told = []
    for side in sides:
        connection = side.connection
        connection.execute(
            "CREATE TABLE c (id int PRIMARY KEY, n int GENERATED ALWAYS AS (length(v)) STORED, v text)"
        )
        found: list[object] = []
        for statement, data in COPIED:
            try:
                with connection.cursor().copy(statement) as copy:  # type: ignore[call-overload]
                    copy.write(data)
            except psycopg.Error as exc:
                found.append((exc.sqlstate, exc.diag.message_primary, exc.diag.message_detail))
        for statement in (
            "COPY c TO STDOUT",
            "COPY c (n) TO STDOUT",
            "COPY (SELECT * FROM c) TO STDOUT",
        ):
            try:
                with connection.cursor().copy(statement) as copy:  # type: ignore[call-overload]
                    found.append(sorted(bytes(part) for part in copy))
            except psycopg.Error as exc:
                found.append((exc.sqlstate, exc.diag.message_primary, exc.diag.message_detail))
        told.append(found)
    assert told[0] == told[1]


def test_one_is_added_to_the_cold_rows_of_every_user_and_kept(server: KalamServer) -> None:
    with server.root() as root, server.connect("alice") as alice, server.connect("bob") as bob:
        root.execute("CREATE NAMESPACE gc")
        root.execute("CREATE TABLE gc.m (id INT PRIMARY KEY, body TEXT) WITH (TYPE = 'USER')")
        for user in (alice, bob):
            user.execute("INSERT INTO gc.m SELECT i, repeat('x', i) FROM generate_series(1, 300) i")
        root.execute("STORAGE FLUSH TABLE gc.m")
        root.execute(
            "ALTER TABLE gc.m ADD COLUMN size INT GENERATED ALWAYS AS (length(body)) STORED"
        )
        alice.execute("UPDATE gc.m SET body = 'short' WHERE id = 300")
        for _ in range(4):  # Prepared, and quick where it may be.
            bob.execute("INSERT INTO gc.m VALUES (%s, %s)", (1000 + _, "abc"), prepare=True)
            bob.execute("UPDATE gc.m SET body = %s WHERE id = %s", ("abcd", 1000 + _), prepare=True)
        root.execute("STORAGE FLUSH TABLE gc.m")
    server.kill()
    server.start()
    with server.root() as root, server.connect("alice") as alice, server.connect("bob") as bob:
        wrong = "SELECT count(*), count(*) FILTER (WHERE size <> length(body)) FROM gc.m"
        assert alice.execute(wrong).fetchall() == [(300, 0)]
        assert bob.execute(wrong).fetchall() == [(304, 0)]
        assert bob.execute("SELECT size FROM gc.m WHERE id = 1003").fetchall() == [(4,)]
        alice.execute("INSERT INTO gc.m VALUES (2000, %s)", ("y" * 5000,))
        root.execute(
            "ALTER TABLE gc.m ADD COLUMN sum TEXT GENERATED ALWAYS AS (md5(repeat(body, 300))) STORED"
        )
        wrong = "SELECT count(*) FROM gc.m WHERE sum <> md5(repeat(body, 300))"
        assert alice.execute(wrong).fetchall() == [(0,)]
        alice.execute(
            "INSERT INTO gc.m VALUES (2001, %s)", ("z" * 100_000,)
        )  # Takes long: elsewhere.
        assert alice.execute(wrong).fetchall() == [(0,)]
        root.execute("DROP NAMESPACE gc CASCADE")
