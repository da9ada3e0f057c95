# ruff: noqa: E501 - statements stand on one line each
"""Sums, comparisons, arithmetic and patterns over whole columns: as PostgreSQL 15, wherever the rows are.

Whole columns go through Arrow (`functions.numeric_columns`, `functions.vectors`), single rows do not.
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
    CREATE TABLE t (id int PRIMARY KEY, g int, n numeric, p numeric(12,2), odd numeric, i int, s smallint, b bigint, f float8, r real, v interval, w text)
    INSERT INTO t SELECT x, x % 3, (x * 37 % 101) * 0.25 - 3, x / 7.0, CASE WHEN x % 11 = 0 THEN NULL WHEN x % 5 = 0 THEN x ELSE x * 1.250 - 40 END, x * 7 - 300, x - 70, x * 1000000007 - 70000000000, x / 4.0 - 9, x / 8.0, x * interval '1 hour', CASE WHEN x % 9 = 0 THEN NULL WHEN x % 13 = 0 THEN 'it''s ' || x || 'x' ELSE 'name ' || x || ' of a name' || chr(97 + x % 26) END FROM generate_series(1, 150) x
    CREATE TABLE e (id int PRIMARY KEY, g int, n numeric, m numeric, b bigint, f float8)
    INSERT INTO e SELECT x, x % 2, x, CASE x WHEN 3 THEN 'NaN' WHEN 50 THEN 'Infinity' ELSE x END, CASE x WHEN 1 THEN -9223372036854775807 - 1 WHEN 2 THEN 9223372036854775807 ELSE x - 50 END, CASE x WHEN 7 THEN 1e308 WHEN 8 THEN 1e-308 WHEN 9 THEN 'NaN' ELSE x END FROM generate_series(1, 100) x
    INSERT INTO e VALUES (101, 2, 1e90, -1e90, NULL, NULL), (102, 2, 0.000000000000000000000000000000000000000000000000000000000000001, 1, NULL, 0)
    """
QUERIES = """
    SELECT sum(n), avg(n), min(n), max(n), count(n) FROM t
    SELECT sum(odd), avg(odd), min(odd), max(odd), count(odd) FROM t
    SELECT g, sum(odd), avg(odd), min(odd), max(odd) FROM t GROUP BY g ORDER BY g
    SELECT id % 50 AS k, sum(odd), avg(n), max(odd) FROM t GROUP BY k ORDER BY k
    SELECT sum(n) FILTER (WHERE g = 1), max(n) FILTER (WHERE id < 0), sum(DISTINCT n), avg(DISTINCT odd) FROM t
    SELECT sum(n), avg(n), max(n) FROM t WHERE id < 0
    SELECT sum(p), avg(p), sum(p * n), sum(n + 1), sum(n * i), avg(n / 3) FROM t
    SELECT sum(n * 2), sum(n * odd), sum(odd - n), max(odd + 0.001), min(n * 0.00000012), sum(odd::float8) FROM t
    SELECT id, n * odd, n + odd, n - 1.2500, odd * 0, n * 0.0000001, n::float8 FROM t WHERE id % 13 = 0 ORDER BY id
    SELECT id, n * 3, m + 1, m - n, m::float8 FROM e WHERE id IN (1, 3, 50, 99, 101, 102) ORDER BY id
    SELECT count(*) FROM t WHERE n > 5
    SELECT count(*) FROM t WHERE 5.250 <= n AND n <> 7.2500 AND odd < 100
    SELECT id FROM t WHERE n = 2.5 OR odd = 20 OR odd = -38.75 ORDER BY id
    SELECT count(*) FROM t WHERE n BETWEEN -1 AND 10.0001 AND NOT odd >= 55.5
    SELECT id FROM t WHERE n > p AND n = odd OR n > 'NaN' ORDER BY id
    SELECT sum(n), avg(n), max(n), min(n) FROM e
    SELECT g, sum(n), max(n), min(m), max(m), avg(m) FROM e GROUP BY g ORDER BY g
    SELECT sum(m), avg(m), max(m), min(m) FROM e WHERE g < 2
    SELECT count(*) FROM e WHERE n > 50
    SELECT id FROM e WHERE m >= 'Infinity' OR m < -5 OR n < 1 OR n > 1e80 ORDER BY id
    SELECT sum(i % 7), sum(i / 7), sum(s % 3::smallint), sum(s / 2::smallint), sum(b % 10), sum(b / 1000003) FROM t
    SELECT id, i % -4, i / -4, b % 1, b / 1, s / 3, s % -2::smallint FROM t WHERE id % 29 = 0 ORDER BY id
    SELECT sum(b % -1), min(b % 9223372036854775807), max(b / -7) FROM e
    SELECT sum(b / -1) FROM e
    SELECT count(*) FROM e WHERE b % 0 = 1
    SELECT count(*) FROM e WHERE id > 2 AND b / -1 < 3
    SELECT count(*) FROM t WHERE i % NULL = 1
    SELECT sum(f * 2 + i), sum(f * f), sum(f / 4), sum(r * 2), sum(r + f), max(f - r) FROM t
    SELECT sum(f * 2) FROM e WHERE id <> 7 AND id <> 9
    SELECT sum(f * 2) FROM e
    SELECT sum(f * 10) FROM e WHERE id = 7
    SELECT sum(f * f) FROM e WHERE id = 8
    SELECT sum(f + 1), max(f * 0) FROM e WHERE id IN (9, 10, 102)
    SELECT sum(1 / f) FROM e
    SELECT date_trunc('hour', timestamp '2024-01-01' + v) AS h, count(*), sum(f) FROM t GROUP BY h ORDER BY h LIMIT 5
    SELECT date_trunc(CASE WHEN g = 1 THEN 'hour' ELSE 'day' END, timestamp '2024-01-01' + v), count(*) FROM t GROUP BY 1 ORDER BY 1 LIMIT 5
    SELECT count(*) FROM t WHERE w LIKE '%1%am%'
    SELECT id FROM t WHERE w LIKE 'name_1%z' OR w LIKE '%7%7%' OR w LIKE '%''%x' ORDER BY id
    SELECT count(*) FROM t WHERE w NOT LIKE '%1%z' AND w LIKE '%_a%e%'
    SELECT max(n), min(n) FROM (VALUES (1.0), (1.00), (1.000), (0.50), (0.5)) x(n)
    SELECT max(v), min(v) FROM (VALUES (interval '1 month'), (interval '30 days')) x(v)
    """
PLACES = {"hot": "on", "in a worker": "off", "flushed": "on"}


@pytest.fixture(scope="module")
def servers(tmp_path_factory) -> Iterator[tuple[Side, Side]]:
    with both(tmp_path_factory.mktemp("columns")) as found:
        assert not differences(found, SETUP)
        yield found


@pytest.mark.parametrize("place", PLACES)
def test_columns_are_reckoned_with_as_in_postgresql(servers, place):
    servers[0].ask(f"SET kalam.in_process_queries = {PLACES[place]}")
    if place == "flushed":
        for table in ("t", "e"):
            servers[0].ask(f"STORAGE FLUSH TABLE {table}")
    assert not differences(servers, QUERIES)
