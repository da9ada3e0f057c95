"""Rows that are known before a query runs are the same to it spelled out and given as arrays."""

import pytest

from tests.kalam_pg.sql.oracle import Database

DATABASE = Database()
VALUES = {
    "bool": ["true", "false"],
    "int2": ["1", "'-32768'"],
    "int8": ["9223372036854775807", "0"],
    "float4": ["'NaN'", "'-Infinity'", "1.5"],
    "float8": ["'NaN'", "'-0'", "1e300"],
    "numeric": ["1.50", "'NaN'", "'Infinity'", "123456789012345678901234567890.5"],
    "numeric(6,2)": ["1.5", "-0.01"],
    "text": ["''", "'ä\nb'"],
    "char(3)": ["'a'", "'abc'"],
    "bytea": [r"'\x00ff'", "''"],
    "uuid": ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"],
    "date": ["'2024-02-29'", "'infinity'"],
    "time": ["'24:00'", "'00:00:00.000001'"],
    "timestamp": ["'2024-02-29 12:00'", "'-infinity'"],
    "timestamptz": ["'2024-02-29 12:00+02'", "'infinity'"],
    "interval": ["'1 mon -1 day 00:00:01'"],
    "json": ["""'{"a": 1}'"""],
    "jsonb": ["""'{"a": [1, null]}'""", "'null'"],
    "int[]": ["'{1,NULL}'", "'{}'"],
    "text[]": ["""'{"a b",NULL}'"""],
    "numeric[]": ["'{1.50,NaN}'"],
}


@pytest.mark.parametrize("kind", VALUES)
def test_given_and_spelled_rows_are_the_same(kind, monkeypatch):
    items = [f"({at}, {value}::{kind})" for at, value in enumerate([*VALUES[kind], "NULL"])]
    query = f"SELECT b, b::text FROM (VALUES {', '.join(items)}) v(a, b) ORDER BY a"
    answers = []
    for most in (0, 1000):
        monkeypatch.setattr("kalam_pg.sql.datafusion_rows.SPELLED_ROWS_MAX", most)
        monkeypatch.setattr("kalam_pg.sql.datafusion_from.SPELLED_ROWS_MAX", most)
        _, emitted = DATABASE.emit(query)
        assert bool(emitted.given) == (most == 0)
        answers.append(DATABASE.query(query))
    assert answers[0] == answers[1]


def test_a_set_of_many_rows_is_given_and_may_be_joined_with_itself():
    query = "SELECT count(*), count(DISTINCT a.n) FROM unnest(array_fill(7, ARRAY[99])) a(n)"
    assert DATABASE.query(f"{query} JOIN unnest(array_fill(7, ARRAY[99])) b(n) USING (n)") == [
        ("9801", "1")
    ]
