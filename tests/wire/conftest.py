"""Servers: one with users for a module of tests, one beside PostgreSQL for all that compare locks; and the
table and the connections of most tests of subscriptions."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.wire import postgresql
from tests.wire.server import PASSWORD, KalamServer

_names = count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KalamServer]:
    """A running server; alice and bob are users, carol is a service, dora a dba."""
    server = KalamServer(tmp_path_factory.mktemp("kalam")).start()
    with server.root() as root:
        for name, role in (
            ("alice", "user"),
            ("bob", "user"),
            ("carol", "service"),
            ("dora", "dba"),
        ):
            root.execute(f"CREATE USER {name} WITH PASSWORD '{PASSWORD}' ROLE '{role}'")
    yield server
    server.stop()


@pytest.fixture
def chat(server: KalamServer) -> str:
    """A namespace with the tables of the chat walk-through."""
    name = f"chat{next(_names)}"
    with server.root() as root:
        root.execute(
            f"""
            CREATE NAMESPACE {name};
            CREATE TABLE {name}.conversations (
              id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(),
              title TEXT NOT NULL,
              created_at TIMESTAMP DEFAULT NOW()
            ) WITH (TYPE = 'USER', FLUSH_POLICY = 'rows:1000');
            CREATE TABLE {name}.messages (
              id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(),
              conversation_id BIGINT NOT NULL,
              role_id TEXT NOT NULL,
              content TEXT NOT NULL,
              created_at TIMESTAMP DEFAULT NOW()
            ) WITH (TYPE = 'USER', FLUSH_POLICY = 'rows:1000');
            CREATE TABLE {name}.typing_events (
              id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(),
              conversation_id BIGINT NOT NULL,
              user_id TEXT NOT NULL,
              event_type TEXT NOT NULL,
              created_at TIMESTAMP DEFAULT NOW()
            ) WITH (TYPE = 'STREAM', TTL_SECONDS = 30);
            CREATE TABLE {name}.notes (id INT PRIMARY KEY, body TEXT) WITH (TYPE = 'SHARED');
            """
        )
    return name


@pytest.fixture(scope="session")
def side_by_side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[KalamServer, str]]:
    """Ours, and what psycopg connects to PostgreSQL with, running for all modules of a run."""
    if not postgresql.installed():
        pytest.skip("PostgreSQL 15 is not installed")
    directory: Path = tmp_path_factory.mktemp("locks")
    server = KalamServer(directory / "kalam").start()
    try:
        with postgresql.running(directory) as theirs:
            yield server, theirs
        with server.root() as root:
            assert root.execute("SELECT * FROM pg_locks").fetchall() == []
    finally:
        server.stop()


@pytest.fixture(scope="module")
def servers(side_by_side: tuple[KalamServer, str]) -> Iterator[tuple[KalamServer, str]]:
    """Both, and afterwards without what this module's tests made, whatever the order of modules."""
    server, theirs = side_by_side
    yield side_by_side
    with server.root() as root, psycopg.connect(theirs, autocommit=True) as other:
        for connection in root, other:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")


@pytest.fixture
def table(server: KalamServer, chat: str) -> str:
    """A USER table, its rows alice's and bob's own."""
    with server.root() as root:
        root.execute(
            f"CREATE TABLE {chat}.m (id int PRIMARY KEY, room int, body text) WITH (TYPE = 'USER')"
        )
    return f"{chat}.m"


@pytest.fixture
def alice(server: KalamServer) -> Iterator[psycopg.Connection[Any]]:
    """Who follows what is written."""
    with server.connect("alice") as connection:
        yield connection


@pytest.fixture
def writer(server: KalamServer) -> Iterator[psycopg.Connection[Any]]:
    """alice again, in a session of its own."""
    with server.connect("alice") as connection:
        yield connection
