# ruff: noqa: E501 - statements stand on one line each
"""Where the engine is known to answer other than PostgreSQL, the server does not.

`docs/explanation/engine-traps.md` says what it would do and how that is avoided.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.fuzz.sides import Side
from conformance.fuzz.verdicts import REFUSED, RIGHT, verdict
from tests.wire.server import KalamServer

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "engine-traps.md"
SETUP = """
CREATE TABLE l (id int PRIMARY KEY, b int, n int, pad text);
INSERT INTO l VALUES (1, 1, -9), (2, 2, 5), (3, NULL, NULL);
CREATE TABLE r (id int PRIMARY KEY, b int, n int, pad text);
INSERT INTO r VALUES (1, 1, 1), (2, 2, 2), (3, 3, 3);
CREATE TABLE m (id int PRIMARY KEY, k int, x float8, u uuid, d numeric, f boolean, j jsonb, a int[], pad text);
INSERT INTO m VALUES
  (1, 1, 1, '00000000-0000-0000-0000-000000000003', 1.5, true, '[1, 2]', '{1}'),
  (2, 1, 'NaN', '00000000-0000-0000-0000-000000000001', 2.5, NULL, '{"a": 1}', '{2}'),
  (3, 2, 5, '00000000-0000-0000-0000-000000000002', 0.5, false, '1', NULL),
  (4, NULL, '-Infinity', NULL, NULL, NULL, NULL, '{1}')
"""
FLUSHED_TOGETHER = ("l", "r", "m")
TRAPS = {
    "filters by name": """
        SELECT l.id, r.id FROM l RIGHT JOIN r ON l.b = r.b WHERE l.n + r.n > 0 ORDER BY 2
        SELECT l.id, r.id FROM l FULL JOIN r ON l.b = r.b WHERE coalesce(l.n, r.n) > 0 ORDER BY 1, 2
        SELECT x.n, y.n FROM (SELECT b, n FROM l) x RIGHT JOIN (SELECT b, n FROM r) y ON x.b = y.b WHERE x.n > 0 OR y.n > 2 ORDER BY 1, 2
        """,
    "outputs before the filter": """
        SELECT id, k / (id - 1) FROM m WHERE id > 1 ORDER BY id
        SELECT id, d ^ (k - 1.5), k FROM m WHERE id > 1 AND k < 3 ORDER BY id
        SELECT id, repeat('x', k) || (10 / (k - 1))::text FROM m WHERE id > 2 ORDER BY id
        SELECT id, (k / (id - 1))::text || d FROM m WHERE id IN (2, 3) OR id > 3 ORDER BY id
        SELECT DISTINCT id, k / (id - 1) + n FROM m JOIN l USING (id) WHERE id > 1 ORDER BY 1
        SELECT id FROM m WHERE id > 1 ORDER BY k / (id - 1), id
        """,
    "calls in calls": "SELECT k, sum(abs(abs(abs(abs(abs(abs(abs(abs(abs(abs(abs(abs(abs(abs(abs(abs(abs(abs(abs(abs(id))))))))))))))))))))) FROM m GROUP BY k ORDER BY k",
    "filters of aggregates": "SELECT min(k), max(k), min(d), max(d) FROM m",
    "NaN in statistics": """
        SELECT id FROM m WHERE x <> 3 ORDER BY id
        SELECT id FROM m WHERE x > 3 ORDER BY id
        SELECT id FROM m WHERE NOT x = 3 ORDER BY id
        SELECT id FROM m ORDER BY x DESC LIMIT 2
        """,
    "NaN in min and max": """
        SELECT min(x), max(x) FROM m
        SELECT k, min(x), max(x), max(x::real) FROM m GROUP BY k ORDER BY k
        SELECT id, max(x) OVER (ORDER BY id), min(x) OVER (ORDER BY id DESC) FROM m ORDER BY id
        """,
    "NaN of either sign": """
        SELECT id FROM m WHERE x = -x ORDER BY id
        SELECT -x, count(*) FROM (SELECT 0 * x FROM m WHERE k = 2) s(x) GROUP BY -x
        SELECT -x, count(*) FROM (SELECT x FROM m UNION ALL SELECT -x FROM m) s GROUP BY -x ORDER BY 1
        """,
    "order below the top": """
        SELECT * FROM (SELECT id, x FROM m ORDER BY x DESC, id) s LIMIT 3
        SELECT array_agg(id), string_agg(id::text, '-') FROM (SELECT id FROM m ORDER BY u DESC NULLS LAST) s
        WITH s AS (SELECT id FROM m ORDER BY id DESC) SELECT id, row_number() OVER () FROM s
        SELECT id * 2 FROM (SELECT id FROM (SELECT id FROM m ORDER BY id DESC LIMIT 3) s WHERE id <> 3) s
        """,
    "OFFSET below the top": """
        SELECT * FROM (SELECT k, array_agg(a ORDER BY id) AS l FROM m GROUP BY k ORDER BY 1 DESC NULLS LAST, 2 LIMIT 2 OFFSET 1) s
        SELECT id FROM (SELECT id, d FROM m ORDER BY d, id LIMIT 2 OFFSET 1) s ORDER BY d, id
        SELECT count(*) FROM (SELECT id FROM m OFFSET 1) s
        SELECT id FROM m WHERE id IN (SELECT id FROM m ORDER BY id LIMIT 2 OFFSET 1) ORDER BY id
        """,
    "rows of UNION ALL": """
        SELECT 3 UNION ALL SELECT 1 UNION ALL SELECT 2
        (SELECT id FROM m ORDER BY id DESC) UNION ALL (SELECT id FROM r ORDER BY id) LIMIT 5
        """,
    "many set operations": f"""
        SELECT count(*) FROM ({" UNION ALL ".join(["SELECT id FROM m"] * 40)}) s
        SELECT count(*) FROM ({" UNION ".join(["SELECT id FROM m"] * 40)}) s
        {" EXCEPT ".join(["SELECT id FROM m"] * 20)}
        """,
    "common table expressions": """
        WITH q AS (SELECT id, gen_random_uuid() AS x FROM m) SELECT count(*) FROM q a JOIN q b ON a.id = b.id AND a.x = b.x
        WITH q AS (SELECT k FROM m ORDER BY id LIMIT 3), w AS (SELECT k FROM q) SELECT count(*) FROM q, w
        WITH RECURSIVE q AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM q WHERE n < 4) SELECT a.n, b.n FROM q a JOIN q b ON a.n = b.n + 1 ORDER BY 1
        """,
    "volatile subqueries": """
        SELECT count(*) FROM (SELECT random() AS r FROM m) s WHERE s.r <> s.r
        SELECT count(*) FROM (SELECT id, random() AS r FROM m) s CROSS JOIN LATERAL (SELECT s.r AS d) x WHERE x.d = s.r
        SELECT (SELECT random()) = (SELECT random())
        """,
    "NOT IN of a constant": """
        SELECT id FROM r WHERE 3 NOT IN (SELECT k FROM m)
        SELECT id FROM r WHERE NULL::int NOT IN (SELECT id FROM m)
        SELECT id FROM r WHERE id NOT IN (SELECT k FROM m)
        """,
    "lists of alternatives": """
        SELECT id FROM m WHERE k NOT IN (1) OR k NOT IN (2) ORDER BY id
        SELECT id, NOT (k IN (1, 2) AND k NOT IN (1, 3)) FROM m ORDER BY id
        """,
    "EXISTS over what is computed": """
        SELECT id FROM m WHERE EXISTS (SELECT 1 FROM (SELECT NULL::int AS c, count(*) FROM r) s WHERE s.c = s.c)
        SELECT id FROM m WHERE EXISTS (SELECT 1 FROM r WHERE r.id = m.k) ORDER BY id
        SELECT id FROM m WHERE NOT EXISTS (SELECT 1 FROM r OFFSET 3) ORDER BY id
        """,
    "conditions below aggregates": """
        SELECT 1 FROM (SELECT 1 AS c, count(*) FROM m) s WHERE s.c > 2
        SELECT n FROM (SELECT 1 AS c, n FROM (SELECT k, count(*) AS n FROM m GROUP BY ROLLUP (k)) s) u WHERE c > 2
        """,
    "constants in grouping sets": """
        SELECT c, count(*) FROM (SELECT 'a' AS c FROM m) s GROUP BY GROUPING SETS ((c), ()) ORDER BY 2, 1 NULLS FIRST
        SELECT a, d, count(*), grouping(a) FROM m GROUP BY CUBE (a, d) ORDER BY 1, 2, 3, 4
        """,
    "unique after unnest": """
        SELECT id, e FROM m, jsonb_array_elements(j) e WHERE jsonb_typeof(j) = 'array' ORDER BY 1, 2
        SELECT s.id, (SELECT count(*) FROM jsonb_array_elements(s.d)) FROM (SELECT id, '[1, 2]'::jsonb AS d FROM m) s ORDER BY 1
        SELECT count(*) FROM m, LATERAL unnest(ARRAY[m.id, m.id]) e
        """,
    "HAVING in a scalar subquery": """
        SELECT id, (SELECT count(*) FROM r WHERE r.b = m.k HAVING count(*) = 0) FROM m ORDER BY 1
        SELECT (SELECT sum(id) FROM m HAVING count(*) > 10)
        """,
    "HAVING without GROUP BY": """
        SELECT 1 FROM m HAVING true
        SELECT 1 FROM m WHERE false HAVING 1 < 2
        SELECT 'x' FROM m HAVING 2 < 1
        """,
    "windows of correlated subqueries": "SELECT r.id, ARRAY(SELECT rank() OVER (ORDER BY m.id) FROM m WHERE m.k = r.b) FROM r ORDER BY 1",
    "constants below windows": """
        SELECT l.id, rank() OVER (ORDER BY s.c DESC) FROM l RIGHT JOIN (SELECT (SELECT count(*) FROM m), id, 1::bigint AS c FROM r) s ON s.id = l.id ORDER BY 1
        SELECT m.id, sum(m.k) OVER (PARTITION BY s.c ORDER BY abs(s.c) <= 1) FROM m, (SELECT count(*)::int AS c FROM r) s ORDER BY 1
        """,
    "computed window keys": """
        SELECT id, rank() OVER (ORDER BY -abs(k)), row_number() OVER (PARTITION BY -abs(k) ORDER BY abs(id) <= 2, id) FROM m ORDER BY id
        SELECT k, rank() OVER (ORDER BY -abs(sum(id))) FROM m GROUP BY k ORDER BY k
        """,
    "RANGE frames": """
        SELECT id, rank() OVER (ORDER BY u), lag(id) OVER (ORDER BY d), sum(id) OVER (ORDER BY a), first_value(id) OVER (ORDER BY j DESC) FROM m ORDER BY id
        SELECT id, sum(id) OVER (ORDER BY d RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) FROM m ORDER BY id
        """,
    "CASE over booleans": """
        SELECT id FROM m WHERE CASE WHEN id = 2 THEN false ELSE 10 / (id - 2) > 4 END ORDER BY id
        SELECT id FROM m WHERE id <> 2 AND 10 / (id - 2) > 4 ORDER BY id
        """,
    "CASE of what it tests": """
        SELECT DISTINCT CASE WHEN b = 2 AND id > 1 THEN b ELSE 0 END FROM l ORDER BY 1
        SELECT DISTINCT CASE WHEN l.b = r.b THEN l.b::bigint ELSE 0 END, l.id FROM l CROSS JOIN r ORDER BY 2, 1
        SELECT CASE WHEN n > 1 AND b > 1 THEN n WHEN b < 9 AND n < 9 THEN b ELSE -1 END, count(*) FROM l GROUP BY 1 ORDER BY 1
        """,
    "FILTER of aggregates": "SELECT sum(10 / (id - 2)) FILTER (WHERE id <> 2), array_agg(10 / (id - 2) ORDER BY id) FILTER (WHERE id <> 2) FROM m",
    "IS TRUE as a condition": "SELECT count(*) FILTER (WHERE f IS NOT TRUE), count(*) FILTER (WHERE f IS FALSE), bool_or(f IS UNKNOWN) FROM m",
    "sums of constants": """
        SELECT sum(3::smallint) FROM m WHERE id > 9
        SELECT sum(x) FROM (SELECT 2.5::float8 AS x FROM m WHERE id > 9) a
        SELECT sum(9223372036854775807), sum(4) FROM m
        """,
    "DISTINCT of a NULL constant": "SELECT count(DISTINCT NULL::int), count(*) FROM m",
    "DISTINCT of two constants": "SELECT count(DISTINCT 1), count(DISTINCT 2.5) FROM m WHERE false OR id < 0",
    "constants in parts of a UNION": """
        (SELECT 2.5, 0 FROM m) UNION ALL (SELECT (SELECT 0.5 FROM r RIGHT JOIN l ON r.id = l.id + 9 ORDER BY 1 LIMIT 1), -1 FROM l) ORDER BY 2 DESC, 1 LIMIT 1
        (SELECT 9 FROM m WHERE f IS NOT NULL) UNION ALL (SELECT b FROM l) LIMIT 2
        """,
    "sets beside an order": """
        SELECT id, generate_series(1, 30) FROM m ORDER BY id LIMIT 7
        SELECT id, generate_series(1, 300) FROM m WHERE k = 1 ORDER BY x DESC LIMIT 20 OFFSET 295
        SELECT id, unnest(ARRAY[9, 8, 7, id]) AS u FROM m ORDER BY u DESC, id LIMIT 6
        SELECT array_agg(s) FROM (SELECT generate_series(1, 20) AS s FROM m ORDER BY id DESC LIMIT 25) q
        """,
    "an ORDER BY key twice": "SELECT array_agg(DISTINCT k ORDER BY k DESC), array_agg(k ORDER BY k, k) FROM m",
    "joins by what is not distinct": """
        SELECT l.id, y.w FROM l JOIN LATERAL (SELECT m.id AS w FROM m WHERE l.n = 5 OR true) y ON true JOIN r ON r.id = y.w ORDER BY 1, 2
        SELECT l.id, x.id, r.id FROM l JOIN l x ON x.b IS NOT DISTINCT FROM l.b JOIN r ON r.id = x.id ORDER BY 1
        SELECT l.id, x.id FROM l, l x, r WHERE NOT x.n IS DISTINCT FROM l.n AND r.id = x.id ORDER BY 1
        SELECT m.id, x.id FROM m, m x, r WHERE x.a IS NOT DISTINCT FROM m.a AND lower(m.u::text) IS NOT DISTINCT FROM upper(x.u::text) AND r.id = x.id ORDER BY 1, 2
        SELECT m.id, x.id, x.f IS DISTINCT FROM m.f, x.u IS DISTINCT FROM m.u, x.x IS NOT DISTINCT FROM m.x, x.d IS DISTINCT FROM m.d FROM m, m x ORDER BY 1, 2
        """,
}  # fmt: skip


@pytest.fixture(scope="module")
def sides(servers: tuple[KalamServer, str]) -> Iterator[tuple[Side, Side]]:
    server, theirs = servers
    ours = f"host={server.directory} port={server.port} user=root dbname=kalam"
    both = Side(ours), Side(theirs)
    for side in both:
        for statement in ("CREATE SCHEMA traps", "SET search_path = traps", *SETUP.split(";")):
            answer = side.run(statement)
            assert answer.error is None, str(answer)
    yield both
    for side in both:
        side.run("DROP SCHEMA traps CASCADE")
        side.close()


def statements(name: str) -> list[str]:
    return [line.strip() for line in TRAPS[name].strip().splitlines()]


def compare(sides: tuple[Side, Side], name: str) -> list[str]:
    wrong = []
    for statement in statements(name):
        ours, theirs = (side.run(statement) for side in sides)
        found = verdict(theirs, ours, ordered=True, statement=statement)
        if found not in {RIGHT, REFUSED}:
            wrong.append(f"{found}: {statement}\n  {theirs}\n  {ours}")
    return wrong


def test_every_trap_that_is_told_of_has_its_statements():
    told = re.findall(r"^\| ([^|]+?) \|", PAGE.read_text(), re.MULTILINE)
    assert told[1:] == list(TRAPS)


@pytest.mark.parametrize("name", TRAPS)
def test_over_hot_rows_the_answers_are_postgresqls(sides, name):
    assert compare(sides, name) == []


@pytest.fixture(scope="module")
def flushed(sides: tuple[Side, Side]) -> tuple[Side, Side]:
    """Each table in two files that no worker keeps in memory."""
    ours, _ = sides
    for table in FLUSHED_TOGETHER:
        for parity in (0, 1):
            filled = "SELECT string_agg(md5(g::text), '') FROM generate_series(1, 2200) g"
            text = f"UPDATE {table} SET pad = ({filled}) WHERE id % 2 = {parity}"
            assert ours.run(text).error is None
            assert ours.run(f"STORAGE FLUSH TABLE traps.{table}").error is None
    return sides


@pytest.mark.parametrize("name", TRAPS)
def test_over_flushed_rows_the_answers_are_postgresqls(flushed, name):
    assert compare(flushed, name) == []
