"""TABLESAMPLE over rows wherever they lie; what it answers is in `conformance/files/own/tablesample.sql`."""

from collections.abc import Iterator

import pytest

from tests.wire.server import KalamServer

KEYS = {
    "int4": "i",
    "text": "'k' || i",
    "numeric": "i / 4.0",
    "uuid": "md5(i::text)::uuid",
    "timestamptz": "timestamptz '2024-01-01 00:00Z' + i * interval '1 hour'",
}


@pytest.fixture
def schema(server: KalamServer) -> Iterator[KalamServer]:
    with server.root() as root:
        root.execute("CREATE SCHEMA sampled")
    yield server
    with server.root() as root:
        root.execute("DROP SCHEMA sampled CASCADE")


@pytest.mark.parametrize("kind", ["USER", "SHARED"])
def test_a_repeatable_sample_is_the_same_hot_cold_and_in_between(
    schema: KalamServer, kind: str
) -> None:
    with schema.root() as root:
        for name, made in KEYS.items():
            table = f"sampled.of_{name}"
            root.execute(
                f"CREATE TABLE {table} (k {name} PRIMARY KEY, n int) WITH (TYPE = '{kind}')"
            )
            root.execute(f"INSERT INTO {table} SELECT {made}, i FROM generate_series(1, 2000) i")
            asked = (
                f"SELECT n FROM {table} TABLESAMPLE BERNOULLI (10) REPEATABLE (3) ORDER BY n",
                f"SELECT n % 7, count(*) FROM {table} TABLESAMPLE SYSTEM (30) REPEATABLE (3) "
                "GROUP BY 1 ORDER BY 1",
                f"SELECT n FROM {table} t TABLESAMPLE SYSTEM (50) REPEATABLE (3) WHERE n < 20 "
                "ORDER BY n LIMIT 5",
            )
            hot = [root.execute(text).fetchall() for text in asked]
            assert 120 < len(hot[0]) < 280
            root.execute(f"STORAGE FLUSH TABLE {table}")
            assert [root.execute(text).fetchall() for text in asked] == hot
            root.execute(f"UPDATE {table} SET n = n WHERE n % 100 = 0")
            assert [root.execute(text).fetchall() for text in asked] == hot


def test_without_a_seed_each_statement_has_another_sample(schema: KalamServer) -> None:
    with schema.root() as root:
        root.execute("CREATE TABLE sampled.t AS SELECT i FROM generate_series(1, 1000) i")
        asked = "SELECT sum(i) FROM sampled.t TABLESAMPLE BERNOULLI (50)"
        found = {root.execute(asked, prepare=True).fetchone() for _ in range(10)}
        assert len(found) > 5
