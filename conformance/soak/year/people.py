"""The users on both servers: each transaction on ours first, then, when it is known to be committed, on
PostgreSQL.
"""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import Any

import psycopg

from conformance.soak.waiting import pause
from conformance.soak.year.life import INDEXES, STEP, TABLES, Life, Statement, Transaction
from tests.wire.server import PASSWORD, KalamServer

NAMESPACE = "year"
_BACK_S = 60.0
"""How long a client tries to get back to a server that was killed."""

_OPTIONS = {
    "messages": "FLUSH_POLICY = 'rows:150,interval:20'",
    "marks": "FLUSH_POLICY = 'interval:15'",
    "pulse": "FLUSH_POLICY = 'rows:1000'",
}
_HOURS = "CHANGE_RETENTION_HOURS = 24, DELETED_RETENTION_HOURS = 168"


def make_tables(server: KalamServer, names: Sequence[str], postgres: str) -> None:
    """The users and their tables: here each has a tablet, in PostgreSQL a schema."""
    with server.root() as root:
        root.execute(f"CREATE NAMESPACE {NAMESPACE}")
        for table, columns in TABLES.items():
            options = f"WITH (TYPE = 'USER', {_OPTIONS[table]}, {_HOURS})"
            root.execute(f"CREATE TABLE {NAMESPACE}.{table} ({columns}) {options}")
        for name in names:
            root.execute(f"CREATE USER {name} WITH PASSWORD '{PASSWORD}' ROLE 'user'")
    with psycopg.connect(postgres, autocommit=True) as root:
        for name in names:
            root.execute(f"CREATE SCHEMA {name}; SET search_path = {name}")
            for table, columns in TABLES.items():
                root.execute(f"CREATE TABLE {table} ({columns})")
            for index in INDEXES:
                root.execute(index)


class Outage:
    """Tells the clients that the server is away on purpose, and how often it was."""

    def __init__(self) -> None:
        self._there = threading.Event()
        self._there.set()
        self.lives = 1

    def begin(self) -> None:
        """The server is about to go."""
        self.lives += 1
        self._there.clear()

    def end(self) -> None:
        """It is back."""
        self._there.set()

    def wait_until_over(self) -> None:
        """Return when the server is there."""
        self._there.wait()


class Person:
    """One user, with a connection to ours that is opened anew when it is lost."""

    def __init__(self, server: KalamServer, outage: Outage, name: str, life: Life) -> None:
        self.name = name
        self.life = life
        self._server = server
        self._outage = outage
        self._connection: psycopg.Connection[Any] | None = None
        self._life = 0

    @property
    def connection(self) -> psycopg.Connection[Any]:
        """The connection to ours."""
        if self._connection is None or self._life != self._outage.lives:
            self._hang_up()
            self._outage.wait_until_over()
            self._life = self._outage.lives
            self._connection = self._server.connect(
                self.name, options=f"-c search_path={NAMESPACE}"
            )
        return self._connection

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()

    def do(self, transaction: Transaction, postgres: psycopg.Connection[Any]) -> None:
        """A transaction on both servers."""
        step = self.life.step
        while not self._commit(transaction):
            if self._progress() == step:
                break  # It was committed, and the server killed before it said so.
        with postgres.transaction():
            postgres.execute(f"SET LOCAL search_path = {self.name}")
            run(postgres, transaction)

    def begin(self, postgres: psycopg.Connection[Any]) -> None:
        """What a life begins with."""
        self.do(self.life.begin(), postgres)

    def ask(self, statement: Statement, postgres: psycopg.Connection[Any]) -> str:
        """Ask both servers; what is wrong with our answer, "" if nothing."""
        ours = self.connection.execute(*statement).fetchall()
        with postgres.transaction():
            postgres.execute(f"SET LOCAL search_path = {self.name}")
            theirs = postgres.execute(*statement).fetchall()
        if ours == theirs:
            return ""
        lacking = [row for row in theirs if row not in ours][:3]
        surplus = [row for row in ours if row not in theirs][:3]
        return (
            f"{self.name}: {statement} has {len(ours)} rows, not {len(theirs)}:"
            f" {surplus} should not be there, {lacking} should"
        )

    def _commit(self, transaction: Transaction) -> bool:
        """Whether ours said that it is committed."""
        try:
            with self.connection.transaction():
                run(self.connection, transaction)
        except psycopg.OperationalError:
            self._hang_up()
            return False
        return True

    def _progress(self) -> int:
        """The last transaction that ours has."""
        deadline = time.monotonic() + _BACK_S
        while True:
            try:
                found = self.connection.execute(
                    "SELECT last_read FROM marks WHERE conversation_id = %s", (STEP,)
                ).fetchone()
            except psycopg.OperationalError:
                self._hang_up()
                if time.monotonic() > deadline:
                    raise
                pause()
            else:
                return -1 if found is None else int(found[0])

    def _hang_up(self) -> None:
        with suppress(psycopg.Error):
            self.close()
        self._connection = None


def run(connection: psycopg.Connection[Any], transaction: Transaction) -> None:
    """The statements of a transaction."""
    for statement in transaction:
        connection.execute(*statement)


def week_of(people: Sequence[Person], week: int, seed: str, postgres: str) -> None:
    """A week of some users, one transaction of anybody at a time, in one thread."""
    random = Random(seed)
    with psycopg.connect(postgres, autocommit=True, prepare_threshold=None) as theirs:
        todo = [(person, person.life.week(week)) for person in people]
        while todo:
            at = random.randrange(len(todo))
            person, transactions = todo[at]
            transaction = next(transactions, None)
            if transaction is None:
                todo.pop(at)
            else:
                person.do(transaction, theirs)
