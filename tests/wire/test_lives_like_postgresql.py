"""Random lives of a table, flushed and compacted at any time, beside PostgreSQL 15: answers are the same."""

from random import Random
from typing import Any

import psycopg
import pytest

pytestmark = pytest.mark.slow

KEYS = {
    "int": [str(n) for n in range(20)],
    "numeric": ["0", "0.0", "0.00", "1", "1.0", "1.50", "1.5", "-2", "'NaN'", "3", "3.000"],
    "text": ["''", "'a'", "'b'", "'ab'", "'é'", "'zz'", "'a '", "'A'"],
    "uuid": [f"'00000000-0000-0000-0000-{n:012d}'" for n in range(9)],
    "timestamp": ["'infinity'", "'-infinity'", "'2024-01-01'", "'2024-01-01 00:00:01'"],
    "interval": ["'1 day'", "'24 hours'", "'1 mon'", "'30 days'"],
    "float8": ["'NaN'", "0", "'-0'", "1.5", "'infinity'"],
}
"""Values of key columns; some are one key in two spellings."""

MANY = 300
"""Rows of one commit that no tail reaches back over: what was flushed with them is read from segments."""

MORE_KEYS = {
    "int": "{}",
    "numeric": "{}.50",
    "text": "'r{}'",
    "uuid": "'00000000-0000-0000-0001-{:012d}'",
    "timestamp": "timestamp '2023-01-01' + {} * interval '1 s'",
    "interval": "'{} sec'",
    "float8": "{}.25",
}
"""More values of key columns, by number."""

FLUSH = "STORAGE FLUSH TABLE lived"
COMPACT = "STORAGE COMPACT TABLE lived"
LARGE = "repeat('y', 5000)"
"""A segment with it is no small file."""


class Life:
    """One table, with a key of one or two columns, and what may happen to it."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.kinds = random.sample(list(KEYS), random.choice((1, 1, 2)))
        self.key = ", ".join(f"k{at}" for at in range(len(self.kinds)))
        # As text: Python has no infinite time.
        self.shown = ", ".join(f"k{at}::text" for at in range(len(self.kinds)))

    def create(self) -> str:
        columns = ", ".join(f"k{at} {kind}" for at, kind in enumerate(self.kinds))
        return f"CREATE TABLE lived ({columns}, v TEXT, n INT, PRIMARY KEY ({self.key}))"

    def many(self) -> str:
        """An INSERT of many rows, whose keys come nowhere else."""
        others = [self.random.choice(KEYS[kind]) for kind in self.kinds[1:]]
        first = MORE_KEYS[self.kinds[0]]
        rows = (
            f"({', '.join([first.format(number), *others])}, 'y', {number % 11})"
            for number in range(100, 100 + MANY)
        )
        return f"INSERT INTO lived VALUES {', '.join(rows)}"

    def change(self) -> str:
        random = self.random
        values = [random.choice(KEYS[kind]) for kind in self.kinds]
        where = self.where(values)
        n = random.choice((*range(10), "NULL"))
        row = f"{', '.join(values)}, {random.choice(('$$x$$', LARGE))}, {n}"
        insert = f"INSERT INTO lived VALUES ({row})"
        return random.choice(
            (
                insert,
                f"{insert} ON CONFLICT ({self.key}) DO UPDATE SET n = excluded.n",
                f"UPDATE lived SET n = n + 1 WHERE {where}",
                f"UPDATE lived SET k0 = {values[0]} WHERE {where}",
                "UPDATE lived SET n = n + 1 WHERE n < 5",
                f"DELETE FROM lived WHERE {where}",
                "DELETE FROM lived WHERE n = 3",
                *(FLUSH,) * 4,
                COMPACT,
                random.choice(("TRUNCATE lived", *(FLUSH,) * 9)),
            )
        )

    def where(self, values: list[str]) -> str:
        return " AND ".join(f"k{at} = {value}::{self.kinds[at]}" for at, value in enumerate(values))

    def questions(self) -> list[str]:
        random = self.random
        values = [random.choice(KEYS[kind]) for kind in self.kinds]
        up, down = random.choice(((">", ""), ("<", "DESC"), (">=", ""), ("<=", "DESC")))
        keyset = ", ".join(
            f"{value}::{kind}" for value, kind in zip(values, self.kinds, strict=True)
        )
        along = ", ".join(f"k{at} {down}" for at in range(len(self.kinds)))
        nulls = random.choice(("", "NULLS FIRST", "NULLS LAST"))
        n, limit = random.randint(0, 9), random.choice((1, 3, 10))
        rows = f"SELECT {self.shown}, n, length(v) FROM lived"
        first = [
            f"{rows} ORDER BY {along} LIMIT {limit}",
            f"{rows} WHERE ({self.key}) {up} ({keyset}) ORDER BY {along} LIMIT {limit}",
            f"{rows} WHERE ({self.key}) {up} ({keyset}) ORDER BY {along}",
            f"{rows} WHERE k0 {up} {values[0]}::{self.kinds[0]} ORDER BY {along} LIMIT {limit}",
            f"{rows} ORDER BY n {down} {nulls}, {along} LIMIT {limit} OFFSET 1",
            f"{rows} WHERE n = {n} ORDER BY {along} LIMIT {limit}",
            f"{rows} WHERE n = {n} AND v LIKE 'y%' ORDER BY {along}",
            f"{rows} WHERE n {up} {n} ORDER BY n {down}, {along} LIMIT {limit}",
            f"SELECT n FROM lived WHERE n {up} {n} ORDER BY n {down} LIMIT {limit}",
            f"SELECT count(*) FROM lived WHERE n = {n}",
            f"SELECT count(*) FROM lived WHERE n {up} {n} AND k0 {up} {values[0]}::{self.kinds[0]}",
        ]
        return random.sample(first, 2) + random.sample(
            [
                "SELECT count(*), sum(n), count(v) FROM lived",
                f"SELECT {self.shown}, n, length(v) FROM lived",
                "SELECT n, count(*) FROM lived GROUP BY n",
                f"SELECT max(n) FROM lived WHERE {self.where(values)}",
                "SELECT count(*) FROM lived WHERE v LIKE 'y%'",
            ],
            2,
        )


def told(connection: psycopg.Connection[Any], statement: str) -> object:
    """Rows, in their order if it is asked for, how many rows were changed, or a SQLSTATE."""
    try:
        cursor = connection.execute(statement)
    except psycopg.Error as exc:
        return exc.sqlstate
    if cursor.description is None:
        return cursor.rowcount
    rows = list(map(str, cursor.fetchall()))
    return rows if "ORDER BY" in statement else sorted(rows)


class Beside:
    """The same said to both, now and then in a transaction block."""

    def __init__(
        self, life: Life, ours: psycopg.Connection[Any], theirs: psycopg.Connection[Any]
    ) -> None:
        self.life = life
        self.ours, self.theirs = ours, theirs
        self.said: list[str] = []
        self.in_block = False

    def both(self, statement: str) -> None:
        for connection in (self.ours, self.theirs):
            connection.execute(statement)

    def step(self) -> None:
        """One change, and some questions after it."""
        change = self.life.change()
        if self.life.random.random() < 0.15:
            self.end() if self.in_block else self.begin()
        if change in {FLUSH, COMPACT}:
            self.end()
            self.ours.execute(change)
            self.said.append(change)
        else:
            self.same(change)
        if self.theirs.info.transaction_status is psycopg.pq.TransactionStatus.INERROR:
            self.end("ROLLBACK")
        for question in self.life.questions():
            self.same(question)
        if not self.in_block and self.life.random.random() < 0.2:
            self.ours.execute("SET kalam.in_process_queries = off")
            self.same(question)
            self.ours.execute("RESET kalam.in_process_queries")

    def same(self, statement: str) -> None:
        self.said.append(statement)
        wanted = told(self.theirs, statement)
        assert told(self.ours, statement) == wanted, (self.life.create(), self.said)

    def begin(self) -> None:
        self.in_block = True
        self.said.append("BEGIN")
        self.both("BEGIN")

    def end(self, how: str = "") -> None:
        if self.in_block:
            self.in_block = False
            self.said.append(how or self.life.random.choice(("COMMIT", "ROLLBACK")))
            self.both(self.said[-1])


@pytest.mark.parametrize("seed", range(4))
def test_a_table_that_is_flushed_at_any_time_answers_as_in_postgresql(servers, seed):
    server, theirs = servers
    random = Random(seed)
    with server.root() as ours, psycopg.connect(theirs, autocommit=True) as postgres:
        for _ in range(4):
            beside = Beside(Life(random), ours, postgres)
            beside.both("DROP TABLE IF EXISTS lived")
            beside.both(beside.life.create())
            if random.random() < 0.6:
                beside.both(beside.life.many())
                ours.execute(FLUSH)
            for _ in range(random.randint(10, 40)):
                beside.step()
            beside.end()
        beside.both("DROP TABLE lived")


def test_what_is_no_number_is_found_cold_where_all_others_are_alike(servers):
    server, _ = servers
    with server.root() as root:
        root.execute("CREATE TABLE alike (id INT PRIMARY KEY, x FLOAT8)")
        root.execute("INSERT INTO alike SELECT g, 3 FROM generate_series(1, 300) g")
        root.execute("UPDATE alike SET x = 'NaN' WHERE id = 7")
        root.execute("STORAGE FLUSH TABLE alike")
        for condition in ("x <> 3", "x > 3", "NOT x = 3", "x = 'NaN'"):
            assert root.execute(f"SELECT id FROM alike WHERE {condition}").fetchall() == [(7,)]
        root.execute("DROP TABLE alike")
