# ruff: noqa: E501 - statements stand on one line each
"""Shapes of queries, side by side with PostgreSQL 15: over rows in memory, by a program in a worker, and
over flushed rows. DataFusion answers few of them right; the others are programs over rows
(`kalam_pg.interpreter`).
"""

from collections.abc import Iterator

import pytest

from tests.wire import postgresql
from tests.wire.side_by_side import Side, both, differences

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not postgresql.installed(), reason="needs Debian's package postgresql-15"),
]

SETUP = """
    CREATE TABLE t (id int PRIMARY KEY, k int, n numeric, s text, f float8, d date, ts timestamp, a int[], b boolean, j jsonb)
    INSERT INTO t VALUES (1, 1, 1.5, 'a', 0.5, '2024-01-01', '2024-01-01 10:00', '{1,2,3}', true, '{"x":1}'), (2, 1, 2.5, 'b', 1.5, '2024-01-05', '2024-01-01 11:00', '{2}', false, '[1,2]'), (3, 2, NULL, 'c', 'NaN', '2024-01-05', '2024-01-02 10:00', '{}', NULL, NULL)
    INSERT INTO t VALUES (4, 2, 4.5, NULL, -1, '2024-02-01', NULL, NULL, true, '{"x":null}'), (5, NULL, 4.5, 'e', 'Infinity', NULL, '2024-01-03 10:30', '{5,NULL,7}', false, '"z"'), (6, 3, -1.0, 'a', 0.5, '2023-12-31', '2024-01-01 09:00', '{9,8}', true, '7')
    CREATE TABLE u (id int PRIMARY KEY, k int, v text, p int)
    INSERT INTO u VALUES (1, 1, 'p', NULL), (2, 1, 'q', 1), (3, 2, 'r', 1), (4, 2, NULL, 3), (5, 4, 's', 4), (6, NULL, 't', 2)
    """
"""Both servers' tables: with NULLs, ties, NaN, and keys that are in one of them only."""

PLACES = {
    "in this process": ("hot", "on"),
    "in a worker": ("hot", "off"),
    "flushed": ("cold", "on"),
}
"""By what rows are read: the schema of the tables, and whether this process may answer."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory) -> Iterator[tuple[Side, Side]]:
    with both(tmp_path_factory.mktemp("shapes")) as found:
        for schema in ("hot", "cold"):
            assert not differences(found, f"CREATE SCHEMA {schema}\nSET search_path TO {schema}")
            assert not differences(found, SETUP)
        for table in ("t", "u"):
            found[0].ask(f"STORAGE FLUSH TABLE cold.{table}")
        yield found


@pytest.fixture(params=PLACES)
def sides(request, servers) -> tuple[Side, Side]:
    schema, in_process = PLACES[request.param]
    assert not differences(servers, f"SET search_path TO {schema}")
    servers[0].ask(f"SET kalam.in_process_queries = {in_process}")
    return servers


SCRIPTS = {
    "correlated subqueries": """
        SELECT id, (SELECT v FROM u WHERE u.k = t.k ORDER BY u.id LIMIT 1) FROM t ORDER BY id
        SELECT id, (SELECT v FROM u WHERE u.k = t.k ORDER BY u.id OFFSET 1 LIMIT 1) FROM t ORDER BY id
        SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k GROUP BY u.k HAVING count(*) > 1) ORDER BY id
        SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k UNION SELECT 1 WHERE t.id = 5) ORDER BY id
        SELECT id FROM t WHERE id IN (SELECT u.id FROM u WHERE u.k = t.k UNION ALL SELECT t.id FROM u WHERE u.p = t.k) ORDER BY id
        SELECT id, (SELECT count(*) FROM (SELECT v FROM u WHERE u.k = t.k LIMIT 1) s) FROM t ORDER BY id
        SELECT id, ARRAY(SELECT v FROM u WHERE u.k = t.k ORDER BY v DESC LIMIT 2) FROM t ORDER BY id
        SELECT id, ARRAY(SELECT DISTINCT v FROM u WHERE u.k = t.k ORDER BY v) FROM t ORDER BY id
        SELECT id, (SELECT max(x) FROM (SELECT u.id AS x FROM u WHERE u.k = t.k UNION SELECT t.id * 10) s) FROM t ORDER BY id
        SELECT id, (SELECT string_agg(v, ',') FROM (SELECT v FROM u WHERE u.k = t.k ORDER BY id DESC) s) FROM t ORDER BY id
        SELECT id, (SELECT json_agg(json_build_object('v', v, 'id', t.id) ORDER BY u.id) FROM u WHERE u.k = t.k) FROM t ORDER BY id
        SELECT id, (SELECT jsonb_agg(x) FROM (SELECT v, id FROM u WHERE u.k = t.k ORDER BY id LIMIT 2) x) FROM t ORDER BY id
        SELECT id, (SELECT row_to_json(x) FROM (SELECT v, u.id, t.s FROM u WHERE u.k = t.k ORDER BY u.id LIMIT 1) x) FROM t ORDER BY id
        SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k AND EXISTS (SELECT 1 FROM u z WHERE z.p = u.id AND z.id > t.id)) ORDER BY id
        SELECT id FROM t WHERE k = ANY (SELECT u.k FROM u WHERE u.id > ALL (SELECT z.p FROM u z WHERE z.k = t.k AND z.p IS NOT NULL)) ORDER BY id
        SELECT id, (SELECT (SELECT (SELECT t.s || u.v || z.id FROM u z WHERE z.id = u.p)) FROM u WHERE u.id = t.id) FROM t ORDER BY id
        SELECT id FROM t WHERE n > (SELECT avg(n) FROM t x WHERE x.k = t.k) ORDER BY id
        SELECT id FROM t ORDER BY (SELECT v FROM u WHERE u.id = t.id) DESC NULLS LAST, id
        SELECT id, (SELECT v FROM u WHERE u.k = t.k) FROM t ORDER BY id
        SELECT id FROM t WHERE random() < 2 AND id = (SELECT id FROM u WHERE u.id = t.id AND random() < 2) ORDER BY id
        """,
    "subqueries in aggregates, joins and bounds": """
        SELECT sum((SELECT count(*) FROM u WHERE u.k = t.k)) FROM t
        SELECT k, sum((SELECT max(u.id) FROM u WHERE u.k = t.k ORDER BY 1 LIMIT 1)) FROM t GROUP BY k ORDER BY k
        SELECT max((SELECT v FROM u WHERE u.id = t.id)) FROM t
        SELECT t.id, u.id FROM t JOIN u ON u.id = (SELECT max(id) FROM u u2 WHERE u2.k = t.k) ORDER BY 1
        SELECT t.id, u.id FROM t LEFT JOIN u ON u.k = t.k AND u.id IN (SELECT p FROM u) ORDER BY 1, 2
        SELECT t.id, u.id FROM t LEFT JOIN u ON EXISTS (SELECT 1 FROM u z WHERE z.p = u.id AND z.k = t.k) ORDER BY 1, 2
        SELECT t.id, u.id FROM t FULL JOIN u ON u.k = t.k AND u.id > (SELECT min(id) FROM u) ORDER BY 1, 2
        SELECT id FROM t ORDER BY id LIMIT (SELECT count(*) FROM u WHERE k = 1)
        SELECT id FROM t ORDER BY id LIMIT (SELECT 2) OFFSET (SELECT 1)
        """,
    "recursion": """
        WITH RECURSIVE r(id, p, path) AS (SELECT id, p, ARRAY[id] FROM u WHERE p IS NULL UNION ALL SELECT u.id, u.p, r.path || u.id FROM u JOIN r ON u.p = r.id) SELECT * FROM r ORDER BY path
        WITH RECURSIVE r AS ((SELECT id FROM t ORDER BY id LIMIT 1) UNION ALL SELECT (SELECT t.id FROM t WHERE t.id > r.id ORDER BY t.id LIMIT 1) FROM r WHERE r.id IS NOT NULL) SELECT * FROM r ORDER BY 1
        WITH RECURSIVE r AS (SELECT 1.0 AS n UNION SELECT n / 2 FROM r WHERE n > 0.2) SELECT * FROM r ORDER BY 1
        WITH RECURSIVE a AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM a WHERE n < 3), b AS (SELECT n FROM a UNION ALL SELECT n * 10 FROM b WHERE n < 100) SELECT * FROM b ORDER BY 1
        """,
}


@pytest.mark.parametrize("subject", SCRIPTS)
def test_a_shape_is_answered_as_postgresql_does(sides, subject):
    assert not differences(sides, SCRIPTS[subject])
