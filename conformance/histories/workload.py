"""Random transactions on two tables: lists that grow at their end, and sets whose members come and go.

What a session does is drawn from the seed; how the sessions meet is the machine's. Each operation has several
spellings, so that a history goes through keys, ranges, filters, joins, aggregates, cursors and locks alike.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any, Final

import psycopg

from conformance.histories.history import (
    Add,
    Append,
    History,
    Members,
    Operation,
    Read,
    Remove,
    Transaction,
)

KEYS: Final = 10
GROUPS: Final = 4

RETRIED: Final = ("40001", "40P01", "23505")
"""What ends a transaction that another one was in the way of."""

SETUP: Final = (
    "DROP TABLE IF EXISTS lists",
    "DROP TABLE IF EXISTS members",
    "CREATE TABLE lists (id int PRIMARY KEY, half int NOT NULL, v text NOT NULL) WITH (TYPE = '{kind}')",
    "CREATE TABLE members (x bigint PRIMARY KEY, g int NOT NULL, UNIQUE (g, x)) WITH (TYPE = '{kind}')",
    "INSERT INTO lists SELECT n, n % 2, '' FROM generate_series(0, {last}) n",
)

_READS: Final = (
    "SELECT id, v FROM lists WHERE id = {a}",
    "SELECT id, v FROM lists WHERE id IN ({a}, {b})",
    "SELECT id, v FROM lists WHERE id BETWEEN {low} AND {high} ORDER BY id DESC",
    "SELECT id, v FROM lists WHERE half = {half}",
    "SELECT id, max(v) FROM lists WHERE half = {half} GROUP BY id",
    "SELECT a.id, a.v FROM lists a JOIN lists b ON b.id = a.id WHERE a.id = {a}",
    "SELECT id, v FROM lists ORDER BY id LIMIT 3",
    "WITH w AS (SELECT * FROM lists WHERE id = {a}) SELECT id, v FROM w",
    "SELECT id, v FROM lists WHERE id = (SELECT min(id) FROM lists WHERE id >= {a})",
    "SELECT id, v FROM lists WHERE id = {a} FOR SHARE",
    "SELECT id, v FROM lists WHERE id = {a} FOR UPDATE",
)

_MEMBERS: Final = (
    "SELECT x FROM members WHERE g = {g}",
    "SELECT array_agg(x) FROM members WHERE g = {g}",
    "SELECT x FROM members WHERE g = {g} ORDER BY x DESC",
    "SELECT m.x FROM members m JOIN lists l ON l.id = m.g WHERE m.g = {g}",
    "SELECT x FROM members WHERE g + 0 = {g} UNION SELECT x FROM members WHERE g = {g}",
    "SELECT x FROM members WHERE g = {g} FOR KEY SHARE",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does. level: of every transaction. kind: of both tables. flushed: how many flushes."""

    seed: int
    transactions: int
    level: str
    sessions: int = 6
    kind: str = "SHARED"
    flushed: int = 3


def run(connect: Callable[[], psycopg.Connection[Any]], plan: Plan) -> History:
    """The history of one run on tables made anew."""
    with connect() as control:
        for statement in SETUP:
            control.execute(statement.format(kind=plan.kind, last=KEYS - 1).encode())
        elements, numbers = count(1), count(1)
        sessions = [_Session(connect, plan, at, elements, numbers) for at in range(plan.sessions)]
        threads = [threading.Thread(target=session.run) for session in sessions]
        for thread in threads:
            thread.start()
        _flush(control, plan, sessions)
        for thread in threads:
            thread.join()
        for session in sessions:
            if session.failure is not None:
                raise session.failure
        lists = {
            key: _elements(v) for key, v in control.execute("SELECT id, v FROM lists").fetchall()
        }
        sets: dict[int, set[int]] = {}
        for group, element in control.execute("SELECT g, x FROM members").fetchall():
            sets.setdefault(group, set()).add(element)
    done = [transaction for session in sessions for transaction in session.done]
    return History(done, lists, {group: frozenset(found) for group, found in sets.items()})


def _flush(control: psycopg.Connection[Any], plan: Plan, sessions: "Sequence[_Session]") -> None:
    """Move the rows to segments at places of the run that are evenly apart."""
    for number in range(plan.flushed):
        wanted = plan.transactions * (number + 1) // (plan.flushed + 1)
        while sum(len(session.done) for session in sessions) < wanted:
            if any(session.failure is not None for session in sessions):
                return
            time.sleep(0.005)  # The sessions, which are timed, tell nobody how far they are.
        for table in ("lists", "members"):
            control.execute(f"STORAGE FLUSH TABLE {table}".encode())


class _Session:
    """One connection, and its part of the transactions."""

    def __init__(
        self,
        connect: Callable[[], psycopg.Connection[Any]],
        plan: Plan,
        number: int,
        elements: "count[int]",
        numbers: "count[int]",
    ) -> None:
        self.done: list[Transaction] = []
        self.failure: BaseException | None = None
        self._connect = connect
        self._plan = plan
        self._number = number
        self._random = Random(f"{plan.seed} {number}")
        self._elements = elements
        self._numbers = numbers

    def run(self) -> None:
        try:
            with self._connect() as connection:
                for _ in range(self._plan.transactions // self._plan.sessions):
                    self.done.append(self._transaction(connection))
        except BaseException as exc:  # noqa: BLE001 -- raised where the threads are joined
            self.failure = exc

    def _transaction(self, connection: psycopg.Connection[Any]) -> Transaction:
        made = Transaction(next(self._numbers), self._number, time.monotonic())
        level = self._plan.level
        try:
            connection.execute(f"BEGIN ISOLATION LEVEL {level}".encode())
            for _ in range(self._random.randint(1, 4)):
                if self._random.random() < 0.1:
                    self._taken_back(connection, made)
                else:
                    self._operation(connection, made)
            if self._random.random() < 0.05:
                connection.execute("ROLLBACK")
            else:
                connection.execute("COMMIT")
                made.committed = True
        except psycopg.Error as exc:
            if exc.sqlstate not in RETRIED:
                raise
            connection.execute("ROLLBACK")
        made.ended = time.monotonic()
        return made

    def _taken_back(self, connection: psycopg.Connection[Any], made: Transaction) -> None:
        """Something is written, and read, and taken back."""
        connection.execute("SAVEPOINT s")
        before = len(made.operations)
        self._write(connection, made)
        self._operation(connection, made)
        connection.execute("ROLLBACK TO s")
        done = made.operations[before:]
        made.undone.update([one.element for one in done if isinstance(one, Append | Add)])
        if any(isinstance(one, Remove) for one in done):
            # What was read since did not show what is there after all: nothing follows from that.
            made.operations[before:] = [o for o in done if not isinstance(o, Remove | Members)]

    def _operation(self, connection: psycopg.Connection[Any], made: Transaction) -> None:
        way = self._random.random()
        if way < 0.35:
            self._write(connection, made)
        elif way < 0.7:
            statement = self._filled(self._random.choice(_READS))
            for key, v in self._rows(connection, statement):
                made.operations.append(Read(key, _elements(v)))
        else:
            group = self._random.randrange(GROUPS)
            rows = self._rows(connection, self._random.choice(_MEMBERS).format(g=group))
            found = [x for (x,) in rows]
            if found and isinstance(found[0], list | None):
                found = found[0] or []
            made.operations.append(Members(group, frozenset(found)))

    def _write(self, connection: psycopg.Connection[Any], made: Transaction) -> None:
        key, group = self._random.randrange(KEYS), self._random.randrange(GROUPS)
        element = next(self._elements)
        way = self._random.randrange(6)
        if way == 0:
            for (v,) in connection.execute(
                "UPDATE lists SET v = v || %s WHERE id = %s RETURNING v", (f"{element},", key)
            ).fetchall():
                made.operations += [Append(key, element), Read(key, _elements(v))]
        elif way == 1:
            connection.execute(
                "INSERT INTO lists VALUES (%s, %s, %s) ON CONFLICT (id) DO UPDATE"
                " SET v = lists.v || excluded.v",
                (key, key % 2, f"{element},"),
            )
            made.operations.append(Append(key, element))
        elif way == 2:
            connection.execute(f"UPDATE lists SET v = v || '{element},' WHERE id = {key}".encode())
            made.operations.append(Append(key, element))
        elif way == 3:
            rows = connection.execute(
                "DELETE FROM members WHERE x = (SELECT min(x) FROM members WHERE g = %s) RETURNING x",
                (group,),
            ).fetchall()
            made.operations += [Remove(group, x) for (x,) in rows]
        else:
            connection.execute("INSERT INTO members VALUES (%s, %s)", (element, group))
            made.operations.append(Add(group, element))

    def _filled(self, statement: str) -> str:
        a, b = self._random.sample(range(KEYS), 2)
        low, high = sorted((a, b))
        return statement.format(a=a, b=b, low=low, high=high, half=self._random.randrange(2))

    def _rows(self, connection: psycopg.Connection[Any], statement: str) -> list[tuple[Any, ...]]:
        if self._random.random() < 0.1 and "FOR " not in statement:
            connection.execute(f"DECLARE c CURSOR FOR {statement}".encode())
            rows = connection.execute("FETCH ALL FROM c").fetchall()
            connection.execute("CLOSE c")
            return rows
        return connection.execute(
            statement.encode(), prepare=self._random.random() < 0.3
        ).fetchall()


def _elements(v: str) -> tuple[int, ...]:
    return tuple([int(part) for part in v.split(",") if part])


__all__ = ["Operation", "Plan", "run"]
