"""Blocks that load many rows, read and change them, beside PostgreSQL 15: forty are many to this server.

Usage: python -m conformance.fuzz.loads [--seed N] [--rounds N] [--only ROUND]

What is loaded are segments before anybody commits: random statements follow in the same transaction and
others, with savepoints, constraints, definitions, flushes and compactions between. Prints the first
difference of each round with the statements before it; ends with 1 if there was one.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from conformance.fuzz.sides import Answer, Side
from conformance.fuzz.verdicts import REFUSED, RIGHT, verdict
from tests.wire import postgresql
from tests.wire.server import KalamServer

STEPS: Final = 60
_SCHEMA: Final = "loaded"
_TOLD: Final = 14

_TABLES: Final = (
    "p (id int PRIMARY KEY, v int)",
    "c (id int PRIMARY KEY, u int UNIQUE, p int REFERENCES p ON DELETE {action}, s text)",
    "t (id bigint PRIMARY KEY, n int, s text)",
    "k (a int, b int, s text, PRIMARY KEY (a, b))",
    "x (id int PRIMARY KEY{deferred}, d int UNIQUE DEFERRABLE INITIALLY {when}, n int, g int, s text)",
)
_INDEXES: Final = (
    "ON x (lower(s))",
    "ON x (n) WHERE g > 0",
    "ON x (n, g) NULLS NOT DISTINCT",
    "ON x ((n + d)) WHERE s LIKE '%1%'",
)
_ACTIONS: Final = ("NO ACTION", "CASCADE", "SET NULL")
_KEY: Final = {"k": "b"}
_NUMBER: Final = {"t": "n", "c": "p", "p": "v", "k": "a", "x": "g"}
_BLOCKS: Final = (
    *["BEGIN"] * 5,
    "BEGIN ISOLATION LEVEL REPEATABLE READ",
    "BEGIN ISOLATION LEVEL SERIALIZABLE",
)


@dataclass(frozen=True, slots=True)
class Step:
    """A statement, with what a COPY sends."""

    text: str
    lines: str = ""

    def __str__(self) -> str:
        return f"{self.text} -- {self.lines.count(chr(10))} lines" if self.lines else self.text

    def ask(self, side: Side) -> Answer:
        return side.copy(self.text, self.lines) if self.lines else side.run(self.text)


class Script:
    """Draws one statement after the other. made: tables that it has made; they may be gone."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.in_block = False
        self.made: list[str] = []
        self._savepoints: list[str] = []
        self._names = 0

    def begin(self) -> list[str]:
        """The tables; an `{options}` stands where ours say that they are everybody's."""
        words = {
            "action": self.random.choice(_ACTIONS),
            "deferred": self.random.choice(("", " DEFERRABLE")),
            "when": self.random.choice(("DEFERRED", "IMMEDIATE")),
        }
        tables = [f"CREATE TABLE {one.format(**words)}{{options}}" for one in _TABLES]
        some = self.random.sample(_INDEXES, self.random.randrange(3))
        tables += [f"CREATE UNIQUE INDEX {one}" for one in some]
        return [*tables, "INSERT INTO p SELECT g, g FROM generate_series(0, 39) g"]

    def next(self) -> Step:
        chance = self.random.random()
        if not self.in_block and chance < 0.3:
            self.in_block, self._savepoints = True, []
            return Step(self.random.choice(_BLOCKS))
        if self.in_block and chance < 0.12:
            self.in_block = False
            return Step(self.random.choice(("COMMIT", "COMMIT", "COMMIT", "ROLLBACK")))
        if self.in_block and chance < 0.22:
            return Step(self._savepoint())
        if chance < 0.55:
            return self._load()
        kinds: list[Callable[[], str]] = [self._question] * 3
        kinds += [self._change] * 4
        kinds += [self._definition, self._several, self._caught]
        return Step(self.random.choice(kinds)())

    def _several(self) -> str:
        """Statements of one message: a transaction without a block, or a part of one."""
        kinds = (self._inserted, self._definition, self._change, self._question)
        return "; ".join(self.random.choice(kinds)() for _ in range(self.random.randrange(2, 6)))

    def _caught(self) -> str:
        """A block of PL/pgSQL that takes back a part of what it does."""
        kinds = (self._inserted, self._definition, self._change)

        def some() -> str:
            made = [self.random.choice(kinds)() for _ in range(self.random.randrange(3))]
            return "".join(f" {one};" for one in made if not one.startswith(("SELECT", "WITH")))

        fails = self.random.choice(("PERFORM 1/0;", "PERFORM 1/0;", ""))
        inner = f"BEGIN{some()} {fails} EXCEPTION WHEN others THEN NULL; END"
        return f"DO $$ BEGIN{some()} {inner};{some()} END $$"

    def _inserted(self) -> str:
        while True:
            step = self._load()
            if not step.lines and "RETURNING" not in step.text:
                return step.text

    def _savepoint(self) -> str:
        chance = self.random.random()
        if self._savepoints and chance < 0.5:
            return f"ROLLBACK TO {self.random.choice(self._savepoints)}"
        if self._savepoints and chance < 0.6:
            return f"RELEASE {self._savepoints.pop()}"
        self._savepoints.append(f"s{self._number()}")
        return f"SAVEPOINT {self._savepoints[-1]}"

    def _load(self) -> Step:
        random = self.random
        table, count = random.choice("ttccpkxx"), random.choice((5, 60, 150))
        first = random.choice((0, 0, 100, 200, 500, 1000, 5000, random.randrange(20000))) + 1
        twice = random.random() < 0.1
        if random.random() < 0.4:
            rows = [_line(table, n, n % 37 if twice else n) for n in range(first, first + count)]
            return Step(f"COPY {table} FROM STDIN", "".join(rows))
        tail = random.choice((*[""] * 6, " ON CONFLICT DO NOTHING", " RETURNING 1"))
        if random.random() < 0.15:
            query = {
                "t": f"SELECT id + {first + 30000}, n, s FROM t",
                "c": f"SELECT id + {first + 40000}, u + {first + 40000}, p, s FROM c",
                "p": f"SELECT id + {first + 10000}, v FROM p",
                "k": f"SELECT a, b + {first + 10000}, s FROM k",
                "x": f"SELECT id + {first + 50000}, d + 60000, n, g + 70000, s || {first} FROM x",
            }[table]
            return Step(f"INSERT INTO {table} {query}{tail}")
        key = "g % 37" if twice else "g"
        unique = random.choice(("g", "g", "g % 50", "g + 3"))
        parent = random.choice(("g % 40", "g % 40", "NULL", "g % 300"))
        query = {
            "t": f"SELECT {key}, g % 7, 'row ' || g",
            "c": f"SELECT {key}, {unique}, {parent}, 's' || g",
            "p": f"SELECT {key}, g % 5",
            "k": f"SELECT g % 3, {key}, 'k' || g",
            "x": f"SELECT {key}, {unique}, {parent}, g % 3 - 1, 'X' || g",
        }[table]
        series = f"generate_series({first}, {first + count - 1}) g"
        return Step(f"INSERT INTO {table} {query} FROM {series}{tail}")

    def _question(self) -> str:
        random, table = self.random, self.random.choice("tcpkx")
        key, number = _KEY.get(table, "id"), _NUMBER[table]
        some = ", ".join(str(random.randrange(most)) for most in (200, 1200, 6000))
        return random.choice(
            (
                f"SELECT count(*), sum({key}), min({key}), max({number}) FROM {table}",
                f"SELECT * FROM {table} WHERE {key} IN ({some})",
                f"SELECT * FROM {table} ORDER BY {key} DESC, {number} LIMIT 5",
                f"SELECT {number}, count(*) FROM {table} GROUP BY 1",
                "SELECT count(*), count(p.id), sum(p.v) FROM c LEFT JOIN p ON p.id = c.p",
                f"SELECT * FROM c WHERE u = {random.randrange(300)}",
                f"SELECT * FROM x WHERE lower(s) = 'x{random.randrange(300)}'",
                f"SELECT * FROM x WHERE d = {random.randrange(300)} ORDER BY id",
                f"SELECT id FROM t WHERE n = 3 AND id > {random.randrange(500)} ORDER BY id LIMIT 4",
            )
        )

    def _change(self) -> str:
        random, table, fifth = self.random, self.random.choice("tcpkx"), self.random.randrange(5)
        key, number = _KEY.get(table, "id"), _NUMBER[table]
        more = "s = s || '!'" if table in "ckx" else f"{number} = {number} + 1"
        some = f"generate_series({fifth * 20}, {fifth * 20 + 30}) g"
        return random.choice(
            (
                f"UPDATE {table} SET {more} WHERE {key} % 5 = {fifth}",
                f"UPDATE t SET id = id + 100000 WHERE id % 50 = {fifth}",
                f"UPDATE c SET u = u + 1 WHERE id % 50 = {fifth}",
                f"UPDATE x SET d = d + 1, n = n + 2 WHERE id % 10 <> {fifth}",
                f"UPDATE x SET id = id + 1 WHERE id < {40 * fifth}",
                f"SET CONSTRAINTS ALL {random.choice(('IMMEDIATE', 'DEFERRED'))}",
                f"DELETE FROM {table} WHERE {key} % 7 = {fifth}",
                f"DELETE FROM p WHERE id > {random.randrange(30, 300)}",
                f"INSERT INTO t VALUES ({random.randrange(400)}, 1, 'one')"
                " ON CONFLICT (id) DO UPDATE SET n = t.n + 10, s = excluded.s",
                f"INSERT INTO c VALUES ({random.randrange(9000)}, {random.randrange(9000)}, {fifth}, 'x')",
                f"SELECT * FROM t WHERE id = {random.randrange(300)} FOR UPDATE",
                f"TRUNCATE {random.choice(('t', 'c', 'k', 'p CASCADE', 't, k', 'x'))}",
                f"MERGE INTO t USING (SELECT g FROM {some}) q ON t.id = q.g"
                " WHEN MATCHED AND g % 2 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET n = 99"
                " WHEN NOT MATCHED THEN INSERT VALUES (g, 0, 'merged')",
                f"WITH gone AS (DELETE FROM t WHERE id % 11 = {fifth} RETURNING *)"
                " SELECT count(*), sum(n) FROM gone",
            )
        )

    def _definition(self) -> str:
        random = self.random
        if self.made and random.random() < 0.5:
            table = random.choice(self.made)
            first = 700_000 + 1000 * self._number()
            return random.choice(
                (
                    f"SELECT count(*), max(id) FROM {table}",
                    f"INSERT INTO {table} SELECT g + {first}, 1, 'e' FROM generate_series(1, 90) g",
                    f"UPDATE {table} SET n = n + 1 WHERE id % 3 = 0",
                    f"DELETE FROM {table} WHERE id % 2 = 0",
                    f"CREATE UNIQUE INDEX ON {table} (id)",
                    f"ALTER TABLE {table} ADD PRIMARY KEY (id)",
                    f"ALTER TABLE {table} ADD UNIQUE (n, id)",
                    f"DROP TABLE {table}",
                )
            )
        name = f"e{self._number()}"
        made = random.choice(
            (
                f"CREATE TABLE {name} AS SELECT id, n, s FROM t",
                f"CREATE TABLE {name} (id bigint PRIMARY KEY, n int, s text)",
                f"ALTER TABLE t ADD COLUMN {name} int DEFAULT 1; ALTER TABLE t DROP COLUMN {name}",
                "ALTER TABLE t DROP CONSTRAINT t_pkey;"
                " ALTER TABLE t ADD CONSTRAINT t_pkey PRIMARY KEY (id)",
                f"CREATE INDEX {name} ON t (n)",
                f"CREATE UNIQUE INDEX {name} ON t (n, id)",
                f"ALTER TABLE k ADD CONSTRAINT {name} CHECK (b >= {random.choice((0, 0, 50))})",
                f"ALTER TABLE t ADD CONSTRAINT {name} UNIQUE (s, id)",
                f"CREATE UNIQUE INDEX {name} {random.choice(_INDEXES)}",
                "ALTER TABLE x DROP CONSTRAINT x_pkey;"
                f" ALTER TABLE x ADD CONSTRAINT x_pkey PRIMARY KEY (id){random.choice(('', ' DEFERRABLE'))}",
            )
        )
        if made.startswith("CREATE TABLE"):
            self.made.append(name)
        return made

    def _number(self) -> int:
        self._names += 1
        return self._names


def _line(table: str, n: int, key: int) -> str:
    fields: tuple[object, ...] = {
        "t": (key, n % 7, f"copied row number {n}"),
        "c": (key, n, n % 40, "\\N"),
        "p": (key, n % 5),
        "k": (n % 3, key, f"kk{n}"),
        "x": (key, n, n, "\\N" if n % 3 else 1, f"xx{n}"),
    }[table]
    return "\t".join(map(str, fields)) + "\n"


@dataclass
class Totals:
    """What a run has seen: verdicts, and what was refused."""

    statements: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def failures(self) -> int:
        return sum(count for of, count in self.verdicts.items() if of not in (RIGHT, REFUSED))


def run_round(
    seed: int,
    number: int,
    theirs: Side,
    ours: Side,
    totals: Totals,
    show: Callable[[str], None],
    *,
    steps: int = STEPS,
) -> None:
    """One set of tables; it ends with the first difference, or the first thing that is refused."""
    random = Random(f"{seed}/{number}")
    script = Script(random)
    for side, options in ((theirs, ""), (ours, " WITH (TYPE = 'SHARED')")):
        side.run("SET client_min_messages = error")
        side.run(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE")
        side.run(f"CREATE SCHEMA {_SCHEMA}")
        side.run(f"SET search_path = {_SCHEMA}")
        random.seed(f"{seed}/{number}")
        for text in script.begin():
            side.run(text.format(options=options))
    said: list[Step] = []
    for _ in range(steps):
        step = script.next()
        said.append(step)
        if not script.in_block and random.random() < 0.08:
            how = random.choice(("FLUSH", "COMPACT"))
            ours.run(f"STORAGE {how} TABLE {_SCHEMA}.{random.choice('tcpkx')}")
        expected, found = step.ask(theirs), step.ask(ours)
        of = verdict(expected, found, ordered=False, statement=step.text)
        totals.statements += 1
        totals.verdicts[of] += 1
        if of == REFUSED and found.error is not None:
            totals.refused[found.error[1]] += 1
        if of not in (RIGHT, REFUSED):
            before = "\n    ".join(map(str, said[-_TOLD:]))
            show(f"{of}, --seed {seed} --only {number}\n    {before}\n  {expected}\n  {found}")
        if of != RIGHT:
            break
        if expected.error is not None and script.in_block and random.random() < 0.7:
            script.in_block = False
            theirs.run("ROLLBACK")
            ours.run("ROLLBACK")
    for side in (theirs, ours):
        side.run("ROLLBACK")
        side.run(f"DROP SCHEMA {_SCHEMA} CASCADE")
        side.run("RESET search_path")


@contextmanager
def small_server(directory: Path) -> Iterator[Side]:
    """A server to which few rows are many, as a side."""
    server = KalamServer(directory)
    server.within = (sys.executable, "-m", "conformance.fuzz.small_loads")
    server.start()
    try:
        ours = Side(f"host={server.directory} port={server.port} user=root dbname=kalam")
        yield ours
        ours.close()
    finally:
        server.stop()


def _say(text: str) -> None:
    print(text, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m conformance.fuzz.loads")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--only", type=int, help="a single round, as a difference names it")
    asked = parser.parse_args()
    totals = Totals()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="loads")))
        theirs = Side(stack.enter_context(postgresql.running(directory)))
        stack.callback(theirs.close)
        ours = stack.enter_context(small_server(directory / "kalam"))
        for number in range(asked.rounds) if asked.only is None else (asked.only,):
            run_round(asked.seed, number, theirs, ours, totals, _say)
    print(f"{totals.statements} statements: {dict(totals.verdicts.most_common())}")
    for message, count in totals.refused.most_common():
        print(f"{count:7} refused: {message}")
    return 1 if totals.failures else 0


if __name__ == "__main__":
    sys.exit(main())
