"""Constant defaults as the catalogue shows them, which migration tools compare, beside PostgreSQL 15."""

from collections.abc import Iterator

import pytest

from tests.wire.side_by_side import Side, both, differences

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    with both(tmp_path_factory.mktemp("defaults")) as found:
        yield found


DEFAULTS = (
    ("int", "3"),
    ("int", "'3'"),
    ("int", "-3"),
    ("smallint", "0"),
    ("bigint", "0"),
    ("bigint", "9999999999"),
    ("bigint", "'-5'"),
    ("numeric", "1"),
    ("numeric", "'1'"),
    ("numeric(10,2)", "1.50"),
    ("numeric(4,2)", "'12.345'"),
    ("float8", "1.5"),
    ("float8", "'2.5'"),
    ("real", "0"),
    ("bool", "true"),
    ("bool", "'t'"),
    ("bool", "false"),
    ("varchar(50)", "'x'"),
    ("varchar(2)", "'abc'"),
    ("char(5)", "'abc'"),
    ("text", "'x'"),
    ("text", "''"),
    ("text", "'it''s'"),
    ("text", "'a\\b'"),
    ("text", "E'x\\ny'"),
    ("text", "NULL"),
    ("jsonb", "'{}'"),
    ("jsonb", "'{}'::jsonb"),
    ("date", "'2020-01-01'"),
    ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"),
    ("bytea", "'\\x01'"),
    ("int[]", "'{1,2}'"),
    ("timestamptz", "now()"),
)

SHOWN = "SELECT column_name, column_default FROM information_schema.columns WHERE table_name = 't'"


def test_they_are_shown_and_taken_as_by_postgresql(sides: tuple[Side, Side]) -> None:
    columns = ", ".join(f"c{n} {of} DEFAULT {text}" for n, (of, text) in enumerate(DEFAULTS))
    alters = "\n".join(
        f"ALTER TABLE u ADD COLUMN d{n} {of} DEFAULT {text}"
        for n, (of, text) in enumerate(DEFAULTS)
        if text != "'abc'" or of != "varchar(2)"  # Refused for the rows that are there.
    )
    script = f"""
        CREATE TABLE t ({columns})
        {SHOWN} ORDER BY ordinal_position
        INSERT INTO t DEFAULT VALUES
        INSERT INTO t (c18) VALUES ('ab')
        SELECT c0, c1, c2, c5, c6, c9, c10, c12, c15, c17, c19, c20, c23, c24, c25, c28, c30, c31 FROM t
        ALTER TABLE t ALTER COLUMN c1 SET DEFAULT '77'
        ALTER TABLE t ALTER COLUMN c20 SET DEFAULT 'other'
        ALTER TABLE t ALTER COLUMN c21 SET DEFAULT NULL
        {SHOWN} AND column_name IN ('c1', 'c20', 'c21') ORDER BY 1
        INSERT INTO t (c18) VALUES ('cd') RETURNING c1, c20, c21
        CREATE TABLE u (id int)
        INSERT INTO u VALUES (1)
        {alters}
        SELECT d0, d1, d8, d9, d15, d17, d20, d22, d26, d28, d31 FROM u
        {SHOWN.replace("'t'", "'u'")} ORDER BY ordinal_position
        CREATE TABLE v (a int DEFAULT 'x')
        CREATE TABLE v (a timestamp DEFAULT 'epoch', b text DEFAULT lower('A'))
        INSERT INTO v DEFAULT VALUES RETURNING *
    """
    found = [(s, a[:3], b[:3]) for s, a, b in differences(sides, script) if a[:3] != b[:3]]
    assert found == []
