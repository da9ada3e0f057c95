"""Random subscriptions to random tables that change at random: each ends with what a SELECT shows.

Usage: python -m conformance.fuzz.followed [--seed N] [--rounds N] [--only ROUND]

In a round each form of a subscription has a query of its own, or one that another has too, and begins
before, between or behind the changes. What it is told is applied by key, as every client does; that must be
what its query shows then, in the same texts.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final
from urllib.parse import quote

from conformance.fuzz.expressions import Expressions, literal
from conformance.fuzz.roads import Copy, Roads
from conformance.fuzz.tables import Changes, Table, make_tables
from conformance.fuzz.vocabulary import DEFINITIONS
from tests.wire import followers
from tests.wire.followers import EndedError, Follower
from tests.wire.raw import RawClient, _fields, message, query
from tests.wire.server import KalamServer

CHANGES: Final = 24
FOLLOWERS: Final = 8
PROGRESS: Final = "100ms"
"""After so long a silence a follower is told how far it has been told everything."""

Rows = dict[tuple[str | None, ...], Any]


class ByNotification(Follower):
    """Forms 1 and 4: rows as objects. Gives them as the other forms do, the row as one text."""

    def read(self, statement: str) -> Iterator[followers.Row]:
        self.client.send(query(statement))
        while True:
            kind, body = self.client.receive()
            if kind == "E":
                raise EndedError(_fields(body))
            if kind == "A":
                yield from _told(json.loads(body[4:].split(b"\0")[1]))

    @staticmethod
    def listening(table: str, where: str) -> str:
        """The statement of form 4."""
        asked = [f"where={quote(where)}"] if where else []
        name = "?".join([table, "&".join([*asked, "snapshot=true", f"progress={PROGRESS}"])])
        return 'LISTEN "{}"'.format(name.replace('"', '""'))


def _told(change: dict[str, Any]) -> Iterator[followers.Row]:
    match change["op"]:
        case "error":
            raise EndedError({"C": change["code"], "S": "ERROR", "M": change["message"]})
        case "insert" | "update" | "delete":
            row = json.dumps(change.get("row"), sort_keys=True)
            yield change["seq"], change["op"], "", *change["key"], row
        case "progress" | "truncate":
            yield change["seq"], change["op"], ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A subscription's query. keys: how many of its first columns are the key."""

    table: Table
    where: str
    shown: tuple[str, ...]

    @property
    def keys(self) -> int:
        return self.table.keys

    def text(self, *more: str) -> str:
        """The query, with more columns."""
        columns = [column.name for column in self.table.columns[: self.keys]]
        shown = [f"{text} AS x{at}" for at, text in enumerate(self.shown)]
        where = f" WHERE {self.where}" if self.where else ""
        return f"SELECT {', '.join([*columns, *shown, *more])} FROM {self.table.name}{where}"


@dataclass
class Following:
    """A follower, and what a client of it shows."""

    asked: Asked
    by: Follower
    shown: Rows = field(default_factory=dict)

    def catch_up(self, seq: int) -> None:
        """Apply everything up to a commit. Raises EndedError."""
        for told, op, _, *values in self.by.rows:
            key, rest = tuple(values[: self.asked.keys]), tuple(values[self.asked.keys :])
            match op:
                case "insert" | "update":
                    self.shown[key] = rest
                case "delete":
                    self.shown.pop(key, None)
                case "truncate":
                    self.shown.clear()
                case "progress":
                    if int(told or 0) >= seq:
                        return


@dataclass
class Round:
    """Its course. counts: what has come of each subscription."""

    server: KalamServer
    random: Random
    counts: Counter[str]
    show: Callable[[str], None]
    name: str
    followings: list[Following] = field(default_factory=list)
    queries: list[Asked] = field(default_factory=list)

    def run(self) -> None:
        self.writer = RawClient(self.server, "root")
        try:
            tables = self._make()
            changes, roads = Changes(self.random, tables), Roads(self.random, tables)
            for at in range(CHANGES):
                if len(self.followings) < FOLLOWERS and (self.random.random() < 0.4 or not at):
                    self._follow(self.random.choice(tables))
                self._change(changes, roads, tables)
            self._compare()
        finally:
            for one in self.followings:
                one.by.client.close()
            self.writer.close()

    def _make(self) -> list[Table]:
        tables = make_tables(self.random)
        for definition in DEFINITIONS:
            self.writer.simple(definition)  # It may be there already.
        for table in tables:
            self.writer.simple(f"DROP TABLE IF EXISTS {table.name} CASCADE")
            kind = self.random.choice(("USER", "SHARED"))
            made = self.writer.simple(table.create(f" WITH (TYPE = '{kind}')"))
            assert made.sqlstate is None, made
            self.writer.simple(Changes(self.random, tables).fill(table, self.random.randint(0, 9)))
        self.writer.simple("CREATE TABLE IF NOT EXISTS fence (id int PRIMARY KEY)")
        return tables

    # ---------------------------------------------------------------- followers

    def _query(self, table: Table) -> Asked:
        """A new one, or one that somebody follows."""
        known = [one for one in self.queries if one.table == table]
        if known and self.random.random() < 0.3:
            return self.random.choice(known)
        made = Expressions(self.random, table.leaves(table.name))
        where = str(made.of("bool", 2)) if self.random.random() < 0.8 else ""
        kinds = [self.random.choice(table.columns).kind for _ in range(self.random.randint(1, 3))]
        asked = Asked(table, where, tuple([str(made.of(kind, 2)) for kind in kinds]))
        self.queries.append(asked)
        return asked

    def _follow(self, table: Table) -> None:
        asked = self._query(table)
        made: Follower
        if self.random.random() < 0.3:
            made = self._listen(asked)
        else:
            form = self.random.choice(followers.FORMS)
            made = form(self.server, "root", asked.text(), progress=PROGRESS)
        following = Following(asked, made)
        try:
            following.catch_up(0)  # Its snapshot is read, and whatever comes with it.
        except EndedError as exc:
            made.client.close()
            self._count(exc, asked)
        else:
            self.followings.append(following)

    def _listen(self, asked: Asked) -> Follower:
        made = ByNotification(self.server, "root", "")
        made.rows = made.read(made.listening(asked.table.name, asked.where))
        return made

    def _count(self, exc: EndedError, asked: Asked) -> None:
        self.counts[f"{exc.sqlstate} {exc.message[:60]}"] += 1
        if exc.sqlstate.startswith(("XX", "57")):
            self._wrong("ended", asked, f"{exc.sqlstate} {exc.message}")

    # ------------------------------------------------------------------ changes

    def _change(self, changes: Changes, roads: Roads, tables: Sequence[Table]) -> None:
        """A statement, a longer road, or a transaction with a savepoint; then perhaps a flush."""
        random, table = self.random, self.random.choice(tables)
        if random.random() < 0.3:
            for step in roads.steps():
                self._step(step)
        elif random.random() < 0.1:
            column = random.choice(table.columns[: table.keys])
            value = literal(random, column.kind, nulls=0)
            self.writer.simple(
                f"UPDATE {table.name} SET {column.name} = {value} {self._some(table)}"
            )
        elif random.random() < 0.7:
            self.writer.simple(str(changes.change()))
        else:
            steps = [
                "BEGIN",
                changes.change(),
                changes.fill(table, 3),
                "SAVEPOINT s",
                changes.change(),
            ]
            steps.append(random.choice(("ROLLBACK TO s", "RELEASE s")))
            steps += [changes.change(), random.choice(("COMMIT", "COMMIT", "ROLLBACK"))]
            for step in steps:
                self.writer.simple(str(step))
        what = random.random()
        if what < 0.1:
            self.writer.simple(f"STORAGE FLUSH TABLE {table.name}")
        elif what < 0.13:
            self.writer.simple(f"STORAGE COMPACT TABLE {table.name}")
        elif what < 0.16:
            self.writer.simple(f"TRUNCATE {table.name}")

    def _step(self, step: str | Copy) -> None:
        if isinstance(step, Copy):
            end = message(b"f", b"no more\0") if step.failing else message(b"c")
            self.writer.send(query(step.text) + message(b"d", step.lines.encode()) + end)
            answer = self.writer.answer()
        else:
            answer = self.writer.simple(step)
        self.counts[
            f"{str(getattr(step, 'text', step)).split(' ')[0]}: {answer.sqlstate or 'done'}"
        ] += 1
        if answer.sqlstate is not None and answer.sqlstate.startswith("XX"):
            self.show(f"## {self.name} {step}: {answer.errors}")

    def _some(self, table: Table) -> str:
        """A condition that few rows fulfil."""
        column = self.random.choice(table.columns)
        return f"WHERE {column.name} = {literal(self.random, column.kind, nulls=0)}"

    # ---------------------------------------------------------------- comparing

    def _compare(self) -> None:
        """Everybody has what a SELECT shows now."""
        self.writer.simple("DELETE FROM fence")
        self.writer.simple("INSERT INTO fence VALUES (1)")
        fence = self.writer.simple("SELECT _seq FROM fence")
        seq = int(fence.rows[0][0] or 0)
        for one in self.followings:
            try:
                one.catch_up(seq)
            except EndedError as exc:
                self._count(exc, one.asked)
                continue
            expected = self._expected(one)
            if expected is None:
                self.counts["not to be computed"] += 1
            elif one.shown != expected:
                self._wrong(type(one.by).__name__, one.asked, _difference(one.shown, expected))
                self.counts["wrong"] += 1
            else:
                self.counts["right"] += 1
                self.counts["rows"] += len(expected)

    def _expected(self, one: Following) -> Rows | None:
        asked = one.asked
        if isinstance(one.by, ByNotification):
            again = Following(asked, self._listen(asked))
            try:
                again.catch_up(0)
            except EndedError:
                return None
            finally:
                again.by.client.close()
            self._keys(asked, again.shown)
            return again.shown
        answer = self.writer.simple(asked.text())
        if answer.sqlstate is not None:
            return None
        keys = asked.keys
        return {row[:keys]: row[keys:] for row in answer.rows}

    def _keys(self, asked: Asked, shown: Rows) -> None:
        """A snapshot in objects has the keys that a SELECT has."""
        answer = self.writer.simple(asked.text())
        if answer.sqlstate is None and {row[: asked.keys] for row in answer.rows} != set(shown):
            self._wrong("snapshot", asked, f"{sorted(map(str, shown))} {answer.rows}")
            self.counts["wrong"] += 1

    def _wrong(self, what: str, asked: Asked, text: str) -> None:
        self.show(f"## {self.name} {what}: {asked.text()}\n   {asked.table.create()}\n   {text}")


def _difference(shown: Rows, expected: Rows) -> str:
    keys = [key for key in {*shown, *expected} if shown.get(key) != expected.get(key)]
    return "\n   ".join(
        [f"{key}: told {shown.get(key)}, is {expected.get(key)}" for key in keys[:5]]
    )


def run_round(
    server: KalamServer, seed: int, number: int, counts: Counter[str], show: Callable[[str], None]
) -> None:
    """The round of that number."""
    name = f"--seed {seed} --only {number}"
    Round(server, Random(f"followed/{seed}/{number}"), counts, show, name).run()


def main() -> int:
    """Exit status 0 when nobody was told anything wrong."""
    parser = argparse.ArgumentParser(prog="python -m conformance.fuzz.followed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--only", type=int, help="a single round, as a difference names it")
    arguments = parser.parse_args()
    counts: Counter[str] = Counter()
    told: list[str] = []

    def show(text: str) -> None:
        told.append(text)
        print(text, flush=True)

    numbers = range(arguments.rounds) if arguments.only is None else [arguments.only]
    with tempfile.TemporaryDirectory(prefix="followed") as directory:
        server = KalamServer(Path(directory) / "kalam").start()
        try:
            for number in numbers:
                run_round(server, arguments.seed, number, counts, show)
        finally:
            server.stop()
    for what, count in counts.most_common():
        print(f"{count:8} {what}")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
