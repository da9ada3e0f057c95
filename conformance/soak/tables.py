"""The users and tables that all actors use, and what their numbers must come to."""

from typing import Final

from conformance.soak.world import USERS, World
from tests.wire.server import PASSWORD


def set_up(world: World) -> None:
    """The users and tables that all use."""
    client = world.connect("root", world.diary("root"))
    for user in (*USERS, "guest"):
        client.ask(f"CREATE USER {user} WITH PASSWORD '{PASSWORD}' ROLE 'user'")
    client.ask("CREATE NAMESPACE soak; USE soak")
    for text in TABLES:
        client.ask(text)
    client.close()


SCRATCH: Final = "CREATE TABLE soak.scratch (id bigint primary key, by text) WITH (TYPE = 'SHARED')"
"""What is dropped and made again."""

TABLES: Final = (
    # What a writer owns a part of.
    "CREATE TABLE soak.notes (id bigint primary key, body text not null, n int)"
    " WITH (TYPE = 'USER', FLUSH_POLICY = 'rows:500', CHANGE_RETENTION_HOURS = 0)",
    "CREATE TABLE soak.board (id bigint primary key, body text not null, n int)"
    " WITH (TYPE = 'SHARED', FLUSH_POLICY = 'rows:500', CHANGE_RETENTION_HOURS = 0)",
    # What a commit leaves that only says "here I am".
    "CREATE TABLE soak.fences (who text primary key, n int) WITH (TYPE = 'SHARED')",
    # The bank: the sum of the accounts is constant, and of each user's wallets with their own pot.
    "CREATE TABLE soak.accounts (id int primary key, balance bigint not null check (balance > -1000000))"
    " WITH (TYPE = 'SHARED', FLUSH_POLICY = 'rows:300', CHANGE_RETENTION_HOURS = 0)",
    "CREATE TABLE soak.wallets (id int primary key, balance bigint not null)"
    " WITH (TYPE = 'USER', FLUSH_POLICY = 'rows:300', CHANGE_RETENTION_HOURS = 0)",
    "CREATE TABLE soak.pots (owner text primary key, balance bigint not null) WITH (TYPE = 'SHARED')",
    # What all add to, and what is taken once.
    "CREATE TABLE soak.counters (id int primary key, n bigint not null) WITH (TYPE = 'SHARED')",
    "INSERT INTO soak.counters VALUES (1, 0), (2, 0)",
    "CREATE TABLE soak.queue (id bigint primary key, payload text)"
    " WITH (TYPE = 'SHARED', FLUSH_POLICY = 'rows:200', CHANGE_RETENTION_HOURS = 0)",
    "CREATE TABLE soak.done (id bigint primary key, by text)"
    " WITH (TYPE = 'USER', FLUSH_POLICY = 'rows:200', CHANGE_RETENTION_HOURS = 0)",
    "GRANT ALL ON soak.board, soak.fences, soak.accounts, soak.pots, soak.counters, soak.queue TO PUBLIC",
    "INSERT INTO soak.accounts SELECT n, 100 FROM generate_series(1, 12) AS g(n)",
    SCRATCH,
    "CREATE TABLE soak.told (id bigint primary key default snowflake_id(), by text) WITH (TYPE = 'USER')",
    *(f"INSERT INTO soak.pots VALUES ('{user}', 100)" for user in USERS),
    *(
        f"EXECUTE AS USER '{user}'"
        " (INSERT INTO soak.wallets SELECT n, 100 FROM generate_series(1, 6) AS g(n))"
        for user in USERS
    ),
)
ACCOUNTS, ACCOUNTS_SUM = 12, 1200
WALLETS, PURSE_SUM = 6, 700
