"""Random changes of definitions beside PostgreSQL 15, by two sessions, over kills, flushes and held snapshots

Usage: python -m conformance.fuzz.altered [--seed N] [--rounds N] [--only ROUND]

A round begins with a few tables that have rows, each other's keys, views, types and sequences. What there
is is asked of PostgreSQL before each step, so that most steps mean something. One session defines and
changes, in blocks with savepoints or without; another reads, changes, or wants what is locked. Our server is
killed now and then, and flushes and compacts while blocks are open. After each COMMIT, each error and each
start both have the same rows, and definitions that read alike. Prints the first difference of each round with
the statements before it; ends with 1 if there was one.
"""

# ruff: noqa: E501 -- queries and statements

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from conformance.fuzz.loads import Totals
from conformance.fuzz.sides import Answer, Side
from conformance.fuzz.verdicts import REFUSED, RIGHT, verdict
from tests.wire import postgresql
from tests.wire.server import KalamServer

STEPS: Final = 70
_SCHEMA: Final = "altered"
_TOLD: Final = 25

_TYPES: Final = {
    "integer": ("1", "2", "7", "-5", "NULL", "40000", "3000000000"),
    "bigint": ("1", "2", "8", "NULL", "5000000000"),
    "smallint": ("1", "2", "3", "NULL"),
    "text": ("'a'", "'b'", "'12'", "'zz top'", "NULL", "''"),
    "character varying(6)": ("'a'", "'b'", "'34'", "'toolong'", "NULL"),
    "numeric(8,2)": ("1.5", "2", "-7.25", "NULL"),
    "boolean": ("true", "false", "NULL"),
    "date": ("'2026-01-01'", "'1999-12-31'", "NULL"),
    "timestamp with time zone": ("'2026-01-01 10:00+00'", "NULL"),
    "jsonb": ("""'{"a": 1}'""", "'[1, 2]'", "NULL"),
    "integer[]": ("'{1,2}'", "'{}'", "NULL"),
    "uuid": ("'00000000-0000-0000-0000-000000000001'", "NULL"),
    "mood": ("'sad'", "'ok'", "NULL"),
    "posint": ("1", "5", "-1", "NULL"),
    "double precision": ("1.5", "-0.25", "NULL"),
}
_KEYS: Final = ("integer", "bigint", "text", "date", "uuid", "mood", "posint")
_BEGUN: Final = (
    "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')",
    "CREATE DOMAIN posint AS integer CHECK (VALUE > 0)",
    "CREATE TABLE t0 (id integer PRIMARY KEY, a text, n integer DEFAULT 5, m mood, CHECK (n < 1000)){options}",
    "CREATE TABLE t1 (id serial PRIMARY KEY, r integer REFERENCES t0 ON DELETE CASCADE, d date, p posint,"
    " UNIQUE (r, d)){options}",
    "CREATE TABLE t2 (k text, v numeric(8,2), j jsonb, g integer GENERATED ALWAYS AS (length(k)) STORED)"
    "{options}",
    "INSERT INTO t0 SELECT g, 'a' || g, g * 3, (ARRAY['sad', 'ok', 'happy'])[1 + g % 3]::mood"
    " FROM generate_series(1, 25) g",
    "INSERT INTO t1 (r, d, p) SELECT 1 + g % 25, date '2026-01-01' + g, g FROM generate_series(1, 40) g",
    "INSERT INTO t2 SELECT 'k' || g, g / 4.0, jsonb_build_object('g', g) FROM generate_series(1, 30) g",
    "CREATE VIEW w0 AS SELECT id, a, n FROM t0 WHERE n > 10",
    "CREATE VIEW w1 AS SELECT t1.id, t0.a, t1.d FROM t1 JOIN t0 ON t0.id = t1.r",
    "CREATE INDEX i0 ON t0 (a, n DESC)",
    "CREATE UNIQUE INDEX i1 ON t2 (k) WHERE v > 3",
    "COMMENT ON COLUMN t0.a IS 'what it is'",
)

_COLUMNS: Final = """SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attidentity, a.attgenerated
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_namespace s ON s.oid = c.relnamespace
    WHERE s.nspname = 'altered' AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, a.attnum"""
_CONSTRAINTS: Final = """SELECT r.relname, c.conname, c.contype FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid
    JOIN pg_namespace s ON s.oid = r.relnamespace WHERE s.nspname = 'altered' ORDER BY 1, 2"""
_RELATIONS: Final = """SELECT c.relkind, c.relname FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
    WHERE s.nspname = 'altered' AND c.relkind IN ('i', 'v', 'S') ORDER BY 1, 2"""
_DEFINED: Final = (
    """SELECT c.relname, a.attname, CASE c.relkind WHEN 'r' THEN format_type(a.atttypid, a.atttypmod) END, a.attnotnull, a.attidentity, a.attgenerated,
    col_description(c.oid, a.attnum), d.oid IS NOT NULL FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum JOIN pg_namespace s ON s.oid = c.relnamespace
    WHERE s.nspname = 'altered' AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped
    AND a.attname <> '_rowid'""",
    """SELECT r.relname, c.conname, c.contype, c.condeferrable, c.condeferred, c.convalidated, f.relname,
    CASE WHEN c.contype <> 'c' THEN pg_get_constraintdef(c.oid) END
    FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid LEFT JOIN pg_class f ON f.oid = c.confrelid
    JOIN pg_namespace s ON s.oid = r.relnamespace WHERE s.nspname = 'altered'""",
    """SELECT r.relname, i.relname, x.indisunique, x.indisprimary, x.indimmediate, x.indpred IS NULL,
    CASE WHEN x.indexprs IS NULL AND x.indpred IS NULL THEN pg_get_indexdef(i.oid) END
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class r ON r.oid = x.indrelid
    JOIN pg_namespace s ON s.oid = r.relnamespace WHERE s.nspname = 'altered'""",
    """SELECT sequencename, data_type::text, start_value, min_value, max_value, increment_by, cycle FROM pg_sequences
    WHERE schemaname = 'altered'""",
    """SELECT t.typname, e.enumlabel FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid
    JOIN pg_namespace s ON s.oid = t.typnamespace WHERE s.nspname = 'altered' ORDER BY 1, e.enumsortorder""",
)


@dataclass
class There:
    """What there is, as PostgreSQL tells."""

    tables: dict[str, list[tuple[str, str, str, str]]] = field(default_factory=dict)
    constraints: list[tuple[str, str, str]] = field(default_factory=list)
    indexes: list[str] = field(default_factory=list)
    views: list[str] = field(default_factory=list)
    sequences: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, side: Side) -> "There":
        found = cls()
        for table, column, of, identity, generated in _texts(side.run(_COLUMNS)):
            found.tables.setdefault(table, []).append((column, of, identity, generated))
        for table, name, kind in _texts(side.run(_CONSTRAINTS)):
            found.constraints.append((table, name, kind))
        lists = {"i": found.indexes, "v": found.views, "S": found.sequences}
        for kind, name in _texts(side.run(_RELATIONS)):
            lists[kind].append(name)
        return found


def _texts(answer: Answer) -> Iterator[tuple[str, ...]]:
    for row in answer.rows or ():
        yield tuple(["" if value is None else value.decode() for value in row])


class Steps:
    """Draws one statement after the other."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self._names = 0

    def name(self, letter: str) -> str:
        self._names += 1
        return f"{letter}{self._names + 9}"

    def next_number(self) -> int:
        """One that no sequence has come to."""
        self._names += 1
        return 1000 * self._names

    def literal(self, of: str) -> str:
        return self.random.choice(_TYPES.get(of) or _TYPES["text"])

    def next(self, there: There) -> str:
        if not there.tables:
            return _BEGUN[2].replace("{options}", "")
        kinds = [self._alter] * 8 + [self.change] * 7 + [self.question] * 2 + [self._other] * 4
        kinds += [self._caught]
        return self.random.choice(kinds)(there)

    # -------------------------------------------------------------- ALTER TABLE

    def _alter(self, there: There) -> str:
        random = self.random
        table = random.choice(list(there.tables))
        columns = there.tables[table]
        count = random.choice((1, 1, 1, 2, 3))
        if random.random() < 0.12:
            return self._renaming(there, table, columns)
        actions = [self._action(there, table, columns) for _ in range(count)]
        return f"ALTER TABLE {table} " + ", ".join(actions)

    def _action(self, there: There, table: str, columns: list[tuple[str, str, str, str]]) -> str:
        random = self.random
        column, of, identity, generated = random.choice(columns)
        cascade = random.choice(("", "", " CASCADE"))
        return random.choice(
            (
                lambda: self._added(columns),
                lambda: self._added(columns),
                lambda: f"DROP COLUMN {random.choice(('', 'IF EXISTS '))}{column}{cascade}",
                lambda: self._typed(column, of),
                lambda: self._typed(column, of),
                lambda: f"ALTER COLUMN {column} SET DEFAULT {_TYPES.get(of, _TYPES['text'])[0]}",
                lambda: f"ALTER COLUMN {column} DROP DEFAULT",
                lambda: f"ALTER COLUMN {column} SET NOT NULL",
                lambda: f"ALTER COLUMN {column} DROP NOT NULL",
                lambda: f"ALTER COLUMN {column} ADD GENERATED BY DEFAULT AS IDENTITY",
                lambda: (
                    f"ALTER COLUMN {column} DROP IDENTITY{' IF EXISTS' if not identity else ''}"
                ),
                lambda: f"ALTER COLUMN {column} DROP EXPRESSION{'' if generated else ' IF EXISTS'}",
                lambda: self._constraint(there, columns),
                lambda: self._constraint(there, columns),
                lambda: self._constraint(there, columns),
                lambda: self._dropped_constraint(there, table) + cascade,
                lambda: self._dropped_constraint(there, table) + cascade,
                lambda: f"VALIDATE CONSTRAINT {self._dropped_constraint(there, table)[16:]}",
            )
        )()

    def _added(self, columns: list[tuple[str, str, str, str]]) -> str:
        random, of = self.random, self.random.choice(tuple(_TYPES))
        text = f"ADD COLUMN {self.name('c')} {of}"
        source = random.choice(columns)
        tail = random.choice(
            (
                *("", "", "", " NOT NULL", " UNIQUE"),
                f" DEFAULT {_TYPES[of][0]}",
                f" NOT NULL DEFAULT {_TYPES[of][0]}",
                f" CHECK (true) DEFAULT {_TYPES[of][0]}",
            )
        )
        if random.random() < 0.1:
            return (
                f"ADD COLUMN {self.name('c')} text GENERATED ALWAYS AS ({source[0]}::text) STORED"
            )
        if random.random() < 0.1:
            how = random.choice(("serial", "int GENERATED ALWAYS AS IDENTITY", "bigserial UNIQUE"))
            return f"ADD COLUMN {self.name('c')} {how}"
        return text + tail

    def _typed(self, column: str, of: str) -> str:
        random = self.random
        target = random.choice(tuple(_TYPES))
        using = ""
        if random.random() < 0.7:
            using = random.choice(
                (
                    f" USING {self.literal(target)}::{target}",
                    f" USING CASE WHEN {column} IS NULL THEN NULL ELSE {self.literal(target)}::{target} END",
                    f" USING {column}::text::{target}",
                )
            )
        if random.random() < 0.3:
            target, using = {"integer": "bigint", "text": "text"}.get(of, "text"), ""
        return f"ALTER COLUMN {column} TYPE {target}{using}"

    def _constraint(self, there: There, columns: list[tuple[str, str, str, str]]) -> str:
        random = self.random
        name = f"CONSTRAINT {self.name('k')} " if random.random() < 0.7 else ""
        one = random.choice(columns)
        two = random.sample(columns, min(2, len(columns)))
        names = ", ".join([column for column, *_ in random.choice(([one], two))])
        late = random.choice(("", "", "", " DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED"))
        parent = random.choice(list(there.tables))
        valid = random.choice(("", "", " NOT VALID"))
        return (
            "ADD "
            + name
            + random.choice(
                (
                    f"CHECK ({one[0]} IS NOT NULL OR {one[0]} IS NULL){valid}",
                    f"CHECK ({one[0]}::text <> '7'){valid}",
                    f"UNIQUE ({names}){late}",
                    f"UNIQUE NULLS NOT DISTINCT ({names})",
                    f"PRIMARY KEY ({names}){late}",
                    f"PRIMARY KEY ({names})",
                    f"FOREIGN KEY ({one[0]}) REFERENCES {parent}{late}{valid}",
                    f"FOREIGN KEY ({one[0]}) REFERENCES {parent} ({random.choice(there.tables[parent])[0]})"
                    f" ON DELETE {random.choice(('CASCADE', 'SET NULL', 'NO ACTION'))}{valid}",
                )
            )
        )

    def _dropped_constraint(self, there: There, table: str) -> str:
        own = [name for of, name, _ in there.constraints if of == table] or ["nothing"]
        return f"DROP CONSTRAINT {self.random.choice(own)}"

    def _renaming(self, there: There, table: str, columns: list[tuple[str, str, str, str]]) -> str:
        random = self.random
        own = [name for of, name, _ in there.constraints if of == table] or ["nothing"]
        new = self.name("r")
        return random.choice(
            (
                f"ALTER TABLE {table} RENAME COLUMN {random.choice(columns)[0]} TO {new}",
                f"ALTER TABLE {table} RENAME COLUMN {random.choice(columns)[0]} TO {new}",
                f"ALTER TABLE {table} RENAME TO {new}",
                f"ALTER TABLE {table} RENAME CONSTRAINT {random.choice(own)} TO {new}",
                f"ALTER INDEX {random.choice(there.indexes or ['nothing'])} RENAME TO {new}",
            )
        )

    # -------------------------------------------------------------- other definitions

    def _other(self, there: There) -> str:
        random = self.random
        table = random.choice(list(there.tables))
        columns = there.tables[table]
        column, of, *_ = random.choice(columns)
        other = random.choice(columns)[0]
        unique = random.choice(("", "UNIQUE ", "UNIQUE "))
        some = random.choice(("", "", f" WHERE {other} IS NOT NULL"))
        more = random.choice(("", "", " NULLS NOT DISTINCT")) if unique else ""
        return random.choice(
            (
                lambda: f"CREATE {unique}INDEX {self.name('i')} ON {table} ({column}){more}{some}",
                lambda: (
                    f"CREATE {unique}INDEX {self.name('i')} ON {table} ({column}, {other}){some}"
                ),
                lambda: (
                    f"CREATE {unique}INDEX {self.name('i')} ON {table} (({column}::text || 'x'))"
                ),
                lambda: f"DROP INDEX {random.choice(there.indexes or ['nothing'])}",
                lambda: (
                    f"CREATE VIEW {self.name('v')} AS SELECT {column} AS x, {other} AS y FROM {table}"
                ),
                lambda: f"CREATE VIEW {self.name('v')} AS SELECT * FROM {table}",
                lambda: (
                    f"DROP VIEW {random.choice(there.views or ['nothing'])}"
                    + random.choice(("", " CASCADE"))
                ),
                lambda: f"CREATE TABLE {self.name('t')} AS SELECT * FROM {table}",
                lambda: f"CREATE TABLE {self.name('t')} (LIKE {table} INCLUDING ALL)",
                lambda: (
                    f"CREATE TABLE {self.name('t')} (id {random.choice(_KEYS)} PRIMARY KEY, x {of})"
                ),
                lambda: f"DROP TABLE {table}" + random.choice(("", " CASCADE")),
                lambda: (
                    f"ALTER TYPE mood RENAME VALUE '{random.choice(('sad', 'ok', 'glad'))}'"
                    f" TO '{random.choice(('glad', 'sad', 'ok'))}'"
                ),
                lambda: (
                    f"ALTER TYPE mood ADD VALUE '{self.name('m')}'"
                    + random.choice(("", " BEFORE 'ok'", " AFTER 'happy'"))
                ),
                lambda: (
                    "ALTER DOMAIN posint "
                    + random.choice(("SET DEFAULT 3", "DROP DEFAULT", "ADD CHECK (VALUE < 100000)"))
                ),
                lambda: f"COMMENT ON COLUMN {table}.{column} IS '{self.name('said')}'",
                lambda: f"COMMENT ON TABLE {table} IS NULL",
                lambda: f"TRUNCATE {table}" + random.choice(("", " RESTART IDENTITY", " CASCADE")),
                lambda: f"CREATE SEQUENCE {self.name('s')} START {random.randrange(1, 50)}",
                lambda: (
                    f"ALTER SEQUENCE {random.choice(there.sequences or ['nothing'])}"
                    + random.choice(
                        (" RESTART", " INCREMENT 2", " RESTART 77", " CYCLE", " MINVALUE -5")
                    )
                ),
                lambda: f"DROP SEQUENCE {random.choice(there.sequences or ['nothing'])}",
            )
        )()

    # -------------------------------------------------------------- rows

    def change(self, there: There) -> str:
        """A change of rows."""
        random = self.random
        table = random.choice(list(there.tables))
        columns = there.tables[table]
        settable = [c for c in columns if not c[3]] or columns
        some = random.sample(settable, random.randrange(1, len(settable) + 1))
        names = ", ".join([c[0] for c in some])
        values = ", ".join([self.literal(c[1]) for c in some])
        one = random.choice(settable)
        where = f"{random.choice(columns)[0]} IS NOT DISTINCT FROM {self.literal(random.choice(columns)[1])}"
        which = random.choice((where, f"{one[0]}::text > 'b'", "true", f"{one[0]} IS NULL"))
        return random.choice(
            (
                f"INSERT INTO {table} ({names}) VALUES ({values})",
                f"INSERT INTO {table} ({names}) VALUES ({values}) ON CONFLICT DO NOTHING",
                f"INSERT INTO {table} DEFAULT VALUES",
                f"INSERT INTO {table} ({names}) SELECT {names} FROM {table} ORDER BY {names}",
                f"UPDATE {table} SET {one[0]} = {self.literal(one[1])} WHERE {which}",
                f"UPDATE {table} SET {one[0]} = {one[0]} WHERE {which}",
                f"UPDATE {table} SET {one[0]} = DEFAULT WHERE {which}",
                f"DELETE FROM {table} WHERE {random.choice((where, where, f'{one[0]} IS NULL'))}",
            )
        )

    def question(self, there: There) -> str:
        """A query."""
        random = self.random
        source = random.choice([*there.tables, *there.views])
        if source in there.tables and random.random() < 0.5:
            column, of, *_ = random.choice(there.tables[source])
            return f"SELECT {column} FROM {source} WHERE {column} = {self.literal(of)}"
        return f"SELECT * FROM {source}"

    def _caught(self, there: There) -> str:
        made = [
            one
            for one in [self.random.choice((self._alter, self.change))(there) for _ in range(3)]
            if not one.startswith("SELECT")
        ]
        return (
            f"DO $$ BEGIN {made[0]}; BEGIN {made[1]}; {made[2]}; PERFORM 1/0;"
            " EXCEPTION WHEN others THEN NULL; END; END $$"
        )


class Round:
    """One set of tables, two sessions at each server."""

    def __init__(self, seed: int, number: int, cluster: str, server: KalamServer) -> None:
        self.random = Random(f"altered {seed}/{number}")
        self.steps = Steps(self.random)
        self.server, self.cluster = server, cluster
        self.said: list[str] = []
        self.wrong = ""
        self.refused = ""
        self.open()

    def open(self) -> None:
        """The sessions: one that defines, and another that looks on."""
        ours = f"host={self.server.directory} port={self.server.port} user=root dbname=kalam"
        self.theirs, self.ours = Side(self.cluster), Side(ours)
        self.their_other, self.our_other = Side(self.cluster), Side(ours)
        self.admin = Side(ours)
        for side in self.sides:
            side.run("SET client_min_messages = error")
            side.run(f"SET search_path = {_SCHEMA}")
            side.run("SET lock_timeout = '60ms'")

    @property
    def sides(self) -> tuple[Side, ...]:
        return self.theirs, self.ours, self.their_other, self.our_other

    def close(self) -> None:
        for side in (*self.sides, self.admin):
            side.close()

    def run(self, totals: Totals, steps: int) -> None:
        """Go on until the end, or the first difference."""
        for side, options in ((self.theirs, ""), (self.ours, " WITH (TYPE = 'SHARED')")):
            side.run(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE")
            side.run(f"CREATE SCHEMA {_SCHEMA}")
            for text in _BEGUN:
                answer = side.run(text.replace("{options}", options))
                assert answer.error is None, f"{text}: {answer}"
        in_block = failed = False
        savepoints: list[str] = []
        for _ in range(steps):
            chance = self.random.random()
            if chance < 0.06:
                self._aside()
            if chance > 0.985:
                self._killed()
                in_block = failed = False
                savepoints = []
            elif failed and savepoints and chance < 0.6:
                name = self.random.choice(savepoints)
                self._both(f"ROLLBACK TO {name}", totals)
                failed = False
            elif in_block and (failed or chance < 0.12):
                self._both(
                    "ROLLBACK" if failed else self.random.choice(("COMMIT", "COMMIT", "ROLLBACK")),
                    totals,
                )
                in_block = failed = False
                savepoints = []
                self._compared()
            elif not in_block and chance < 0.3:
                self._both("BEGIN", totals)
                in_block = True
            elif in_block and chance < 0.22:
                savepoints.append(self.steps.name("s"))
                self._both(f"SAVEPOINT {savepoints[-1]}", totals)
            elif chance > 0.93:
                self._other(totals)
            else:
                failed = self._both(
                    self.steps.next(There.of(self.theirs)) if not failed else "SELECT 1", totals
                )
                failed = failed and in_block
                if not in_block:
                    self._compared()
            if self.wrong or self.refused:
                break
        if not (self.wrong or self.refused):
            self._both("ROLLBACK", totals)
            self._compared()

    def _both(self, text: str, totals: Totals, *, other: bool = False) -> bool:
        """Whether it failed."""
        self.said.append(("(other) " if other else "") + text)
        theirs, ours = self.sides[2:] if other else self.sides[:2]
        expected, found = theirs.run(text), ours.run(text)
        of = verdict(expected, found, ordered=False, statement=text)
        if of == "sqlstate" and text.startswith(("ALTER TABLE", "DO ")) and ", " in text:
            of = RIGHT  # PostgreSQL takes actions in an order of its own.
        totals.statements += 1
        totals.verdicts[of] += 1
        if of == REFUSED:
            assert found.error is not None
            totals.refused[re.sub(r'"[^"]*"', '"…"', found.error[1])] += 1
            self.refused = found.error[1] if expected.error is None else ""
        elif other and expected.error is not None and expected.error[0] == "55P03":
            return True  # A definition that changes nothing locks nothing here.
        elif of != RIGHT:
            self.wrong = f"{of}\n  {expected}\n  {found}"
        return expected.error is not None

    def _aside(self) -> None:
        """What our server alone does, while a block may be open."""
        tables = [
            name
            for (name,) in _texts(
                self.admin.run(
                    f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{_SCHEMA}'"
                    " AND table_type = 'BASE TABLE'"
                )
            )
        ]
        if tables:
            how = self.random.choice(("FLUSH", "FLUSH", "COMPACT"))
            text = f"STORAGE {how} TABLE {_SCHEMA}.{self.random.choice(tables)}"
            self.admin.run("SET statement_timeout = '3s'")
            self.said.append(f"(aside) {text}: {self.admin.run(text)}")

    def _other(self, totals: Totals) -> None:
        """The other session: reads or changes what is not locked, or waits in vain."""
        there = There.of(self.their_other)
        if there.tables:
            text = self.random.choice((self.steps.question, self.steps.change))(there)
            for side in self.sides[2:]:
                side.run("BEGIN")
            failed = self._both(text, totals, other=True)
            for side in self.sides[2:]:
                side.run("ROLLBACK" if failed else "COMMIT")

    def _killed(self) -> None:
        """Our server is killed; PostgreSQL's sessions end with it."""
        self.said.append("(killed)")
        self.close()
        self.server.kill()
        self.server.start()
        self.open()
        self._compared()
        at = self.steps.next_number()
        for name in There.of(self.theirs).sequences:
            for side in self.sides[:2]:  # A range of numbers may be lost with a server.
                side.run(f"SELECT setval('{name}', {at})")

    def _compared(self) -> None:
        """Both have the same rows and definitions."""
        if self.wrong or self.refused:
            return
        there = There.of(self.theirs)
        queries = [f"SELECT * FROM {name}" for name in (*there.tables, *there.views)]
        for query in (*_DEFINED, *queries):
            expected, found = self.theirs.run(query), self.ours.run(query)
            of = verdict(expected, found, ordered=False, statement=query)
            if of != RIGHT and not (query in _DEFINED and of in ("types", "spelled")):
                self.wrong = (
                    f"{of} of {query}\n  {_left(expected, found)}\n  {_left(found, expected)}"
                )
                return


def _left(one: Answer, other: Answer) -> str:
    if one.rows is None or other.rows is None:
        return str(one)
    return str([row for row in one.rows if row not in other.rows][:6])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m conformance.fuzz.altered")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", type=int, help="a single round, as a difference names it")
    asked = parser.parse_args()
    totals, wrong = Totals(), 0
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="altered")))
        cluster = stack.enter_context(postgresql.running(directory))
        server = KalamServer(directory / "kalam").start()
        stack.callback(server.stop)
        for number in range(asked.rounds) if asked.only is None else (asked.only,):
            one = Round(asked.seed, number, cluster, server)
            one.run(totals, STEPS)
            one.close()
            if one.wrong:
                wrong += 1
                before = "\n    ".join(one.said[-_TOLD:])
                print(
                    f"--seed {asked.seed} --only {number}\n    {before}\n  {one.wrong}", flush=True
                )
    print(f"{totals.statements} statements: {dict(totals.verdicts.most_common())}")
    for message, count in totals.refused.most_common():
        print(f"{count:7} refused: {message}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
