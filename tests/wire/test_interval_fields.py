"""Intervals that are restricted to some fields: side by side with PostgreSQL 15."""

# ruff: noqa: E501 -- one statement a line

import psycopg
import pytest

from tests.wire.side_by_side import Side, differences

STATEMENTS = """
    SELECT interval '5' minute, interval '1' year, interval '1.5' second, interval '90' second, interval '-5' day, interval '5' hour
    SELECT interval '1 day 02:03:04.5678' hour to minute, interval '1 day 02:03:04.5678' second(2), interval '1 2:03' day to hour, interval '1 2:03' day to minute, interval '1 2:03:04' day to second
    SELECT interval '1-2' year to month, interval '2 years 3 months' year, interval '1 2' day to minute
    SELECT interval '1:2' minute to second, interval '1:2' hour to second, interval '123 11' day to hour, interval '123 11' day
    SELECT interval '1.5' minute
    SELECT interval '1.5' month
    SELECT interval '2.5' hour, interval '1.5' day
    SELECT interval '1 day' minute, interval '1 day 5' hour, interval '5 5' minute
    SELECT '5'::interval minute, cast('5' as interval hour), interval '12:34.5678' minute to second(2)
    SELECT interval '4 mon' year, interval '14 mon' year, interval '1 day 25 hours' day
    CREATE TABLE iv (a interval minute, b interval day to second(2), c interval(1))
    INSERT INTO iv VALUES ('5', '1 2:03:04.567', '1.55 seconds'), ('1:02:03', '3', '1:2:3.456')
    SELECT * FROM iv
    SELECT interval(2) '1.2345 seconds', interval '1.2345' second(2)
    SELECT make_interval(mins => 5)::interval hour
    INSERT INTO iv (a) VALUES ('7'), ('1 hour'), ('3:4')
    INSERT INTO iv (a) SELECT '9'
    INSERT INTO iv (b) VALUES ('5:6'), (interval '2 days 3.456 seconds')
    UPDATE iv SET a = '11' WHERE b IS NOT NULL
    SELECT * FROM iv ORDER BY a, b, c
    SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'iv'::regclass AND attnum > 0 ORDER BY attnum
    SELECT interval '-1 day -2:03:04.567' hour, interval '-14 mon' year, interval '-3.6' minute
    SELECT '5'::text::interval minute, interval '1:2' minute to second, interval '12:34' minute to second, interval '-12:34' minute to second, interval '1:2:3' minute to second
    SELECT interval 'P1DT2H3M4.567S' day to minute, interval '1 2' day to hour, interval '123 11' day to hour
    SELECT interval '123 11' day
    SELECT interval '1 2' day to minute
    """


@pytest.fixture
def sides(servers):
    server, theirs = servers
    with server.root() as ours, psycopg.connect(theirs, autocommit=True) as other:
        yield Side(ours), Side(other)


@pytest.mark.slow
def test_fields_and_digits_are_postgresqls(sides):
    assert differences(sides, STATEMENTS) == []


def test_a_literal_means_the_same_where_its_statement_is_known_already(servers):
    # The first text is planned; those like it are only read.
    server, _ = servers
    with server.root() as root:
        root.execute("DROP TABLE IF EXISTS minutes")
        root.execute("CREATE TABLE minutes (id int PRIMARY KEY, m interval minute)")
        for at, text in enumerate(("1 hour", "2 hours", "7", "7", "1:2:3", "-1:2:3")):
            root.execute(f"INSERT INTO minutes VALUES ({at}, '{text}')")  # type: ignore[arg-type]
        rows = root.execute("SELECT m::text FROM minutes ORDER BY id").fetchall()
        told = ["01:00:00", "02:00:00", "00:07:00", "00:07:00", "01:02:00", "-01:02:00"]
        assert [m for (m,) in rows] == told
