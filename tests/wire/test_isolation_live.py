"""Nothing crosses: two users open every kind of stream on the same names, and write canaries.

What each hears must have come from its own rows, or from a table that all may read.
"""

import json
from contextlib import ExitStack

import psycopg
import pytest

from tests.wire.followers import FORMS, EndedError
from tests.wire.server import PASSWORD

HEARD_S = 20.0
USERS = ("alice", "bob")


@pytest.fixture
def table(server, chat):
    with server.root() as root:
        root.execute(
            f"CREATE TABLE {chat}.m (id int PRIMARY KEY, owner text, body text) WITH (TYPE = 'USER');"
            f"CREATE TABLE {chat}.own (id int PRIMARY KEY, body text) WITH (TYPE = 'USER');"
            f"CREATE TABLE {chat}.secret (id int PRIMARY KEY, body text)"
            " WITH (TYPE = 'SHARED', ACCESS_LEVEL = 'RESTRICTED')"
        )
    return f"{chat}.m"


def streams(table, token):
    """Every way to open a stream, some of which ask for another user's rows as hard as they can."""
    return [
        f"SUBSCRIBE TO {table} OPTIONS (channel = 'all')",
        f"SUBSCRIBE TO {table} WHERE owner <> current_user OR true OPTIONS (channel = 'others')",
        f"SUBSCRIBE TO SELECT id, body FROM {table} OPTIONS (channel = 'columns', flush = true)",
        f"SUBSCRIBE TO {table} OPTIONS (channel = 'since', from_seq = '{token}')",
        f"SUBSCRIBE TO {table} OPTIONS (channel = 'newest', last_rows = 10, progress = '100ms')",
        f'LISTEN "{table}"',
        f'LISTEN "{table}?snapshot=true"',
        f'LISTEN "{table}?where=owner%20IN%20(%27alice%27,%27bob%27)&last_rows=100"',
        f'LISTEN "{table}?from_seq={token}&old=true"',
        f"LISTEN \"{table}?bigint=number\" SINCE '{token}'",
    ]


def hear_the_last(connection, channels):
    """Everything that is told on the channels up to the change of row 999."""
    told, left = [], set(channels)
    while left:
        for one in connection.notifies(timeout=HEARD_S, stop_after=1):
            told.append(one.payload)
            payload = json.loads(one.payload)
            if payload.get("key") == ["999"] and one.channel in left:
                left.discard(one.channel)
            assert payload["op"] != "error", payload
    return told


@pytest.mark.slow
def test_every_stream_tells_its_users_own_rows_and_no_others(server, table):
    with ExitStack() as opened:
        connections = {user: opened.enter_context(server.connect(user)) for user in USERS}
        writers = {user: opened.enter_context(server.connect(user)) for user in USERS}
        heard = {user: [] for user in USERS}
        _open_all(server, table, connections, heard)
        _write_canaries(server, table, writers)
        for user, connection in connections.items():
            channels = [name for (name,) in connection.execute("SELECT pg_listening_channels()")]
            assert len(channels) == len(streams(table, 0))
            heard[user] += hear_the_last(connection, channels)
            assert sum(f"{user}-canary" in one for one in heard[user]) > 20
            assert sum("by carol" in one for one in heard[user]) >= 5
            for other in {*USERS, "carol", "secret"} - {user}:
                assert not [one for one in heard[user] if f"{other}-canary" in one]
            listed = connection.execute("SELECT user_name FROM system.live_queries").fetchall()
            assert set(listed) == {(user,)}


def _open_all(server, table, connections, heard):
    with server.connect("alice") as first:  # A token from before all that follows.
        first.execute(f"INSERT INTO {table} VALUES (0, 'alice', 'alice-canary')")
        (token,) = first.execute(f"SELECT _seq FROM {table}").fetchone()
    for user, connection in connections.items():
        with server.connect(user) as writer:
            writer.execute(f"INSERT INTO {table} VALUES (1, '{user}', '{user}-canary')")
        for statement in streams(table, token):
            cursor = connection.execute(statement)
            if cursor.description:
                heard[user] += [str(row) for row in cursor]


def _write_canaries(server, table, writers):
    with server.connect("carol") as carol:  # A service writes its own, and for each of them.
        carol.execute(f"INSERT INTO {table} VALUES (2, 'carol', 'carol-canary')")
        for user in USERS:
            carol.execute(
                f"EXECUTE AS USER '{user}'"
                f" (INSERT INTO {table} VALUES (3, '{user}', '{user}-canary by carol'))"
            )
    for user, writer in writers.items():
        writer.execute(f"UPDATE {table} SET body = body || ' again'")
        writer.execute(f"DELETE FROM {table} WHERE id = 1")
        writer.execute(f"NOTIFY plain, '{user}-canary'")
    with server.root() as root:
        secret = table.replace(".m", ".secret")
        root.execute(f"INSERT INTO {secret} VALUES (1, 'secret-canary')")
        root.execute(f"STORAGE FLUSH TABLE {table}")
    for user, writer in writers.items():
        writer.execute(f"INSERT INTO {table} VALUES (999, '{user}', '{user}-canary')")


@pytest.mark.parametrize(
    "statement",
    [
        "SUBSCRIBE TO {secret}",
        "SUBSCRIBE TO {secret} OPTIONS (from_seq = 1)",
        'LISTEN "{secret}"',
        'LISTEN "{secret}?snapshot=true"',
        "LISTEN \"{secret}\" SINCE '1'",
        "EXPLAIN SUBSCRIBE TO {secret}",
        "NOTIFY \"{secret}\", 'x'",
    ],
)
def test_a_table_that_may_not_be_read_may_not_be_followed(server, table, statement):
    with server.connect("alice") as alice:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            alice.execute(statement.format(secret=table.replace(".m", ".secret")))
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            alice.execute(f"SUBSCRIBE TO {table} WHERE id IN (SELECT id FROM {table})")


def test_a_service_that_acts_for_a_user_hears_only_that_users_rows(server, table):
    with server.connect("carol") as carol, server.connect("alice") as alice:
        alice.execute(f"INSERT INTO {table} VALUES (1, 'alice', 'alice-canary')")
        carol.execute(f"INSERT INTO {table} VALUES (1, 'carol', 'carol-canary')")
        carol.execute("SET ROLE alice")
        assert [row[2] for row in carol.execute(f"SUBSCRIBE TO {table}")] == ["alice-canary"]
        carol.execute(f'LISTEN "{table}?snapshot=true"')
        told = [one.payload for one in carol.notifies(timeout=HEARD_S, stop_after=3)]
        assert "alice-canary" in told[1]
        carol.execute("RESET ROLE")  # Both end: what comes now is not hers.
        alice.execute(f"INSERT INTO {table} VALUES (2, 'alice', 'alice-canary')")
        carol.execute(f"INSERT INTO {table} VALUES (2, 'carol', 'carol-canary')")
        ends = [json.loads(one.payload) for one in carol.notifies(timeout=HEARD_S, stop_after=2)]
        assert [(one["op"], one["code"]) for one in ends] == [("error", "42501")] * 2
        carol.execute("LISTEN y; NOTIFY y, '1'")
        assert [one.channel for one in carol.notifies(timeout=HEARD_S, stop_after=1)] == ["y"]


# ------------------------------------------------------------------ forms that give rows

KINDS = {
    "USER": "WITH (TYPE = 'USER')",
    "STREAM": "WITH (TYPE = 'STREAM', TTL_SECONDS = 3600)",
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_form_that_gives_rows_gives_a_users_own_and_no_others(server, chat, form, kind):
    table = f"{chat}.rows"
    with server.root() as root:
        root.execute(
            f"CREATE TABLE {table} (id int PRIMARY KEY, owner text, body text) {KINDS[kind]}"
        )
    hostile = f"SELECT id, owner, body FROM {table} WHERE owner <> current_user OR true"
    with ExitStack() as opened:
        writers = {user: opened.enter_context(server.connect(user)) for user in USERS}
        carol = opened.enter_context(server.connect("carol"))
        for user, writer in writers.items():
            writer.execute(f"INSERT INTO {table} VALUES (1, '{user}', '{user}-canary')")
        followers = {
            user: opened.enter_context(form(server, user, hostile, flush="on", progress="100ms"))
            for user in USERS
        }
        heard = {user: follower.next(1) for user, follower in followers.items()}
        carol.execute(f"INSERT INTO {table} VALUES (2, 'carol', 'carol-canary')")
        for user, writer in writers.items():
            carol.execute(
                f"EXECUTE AS USER '{user}'"
                f" (INSERT INTO {table} VALUES (3, '{user}', '{user}-canary by carol'))"
            )
            writer.execute(f"UPDATE {table} SET body = body || ' again'")
            writer.execute(f"TRUNCATE {table}")
            writer.execute(f"INSERT INTO {table} VALUES (999, '{user}', '{user}-canary')")
        ops = ["insert", "insert", "update", "update", "truncate", "insert"]
        for user, follower in followers.items():
            told = heard[user]
            while told[-1][3] != "999":
                told += [row for row in follower.next(1) if row[1] not in ("progress", "flush")]
            assert [row[1] for row in told] == ops
            assert {row[4] for row in told} == {user, None}
            assert all(row[5] is None or row[5].startswith(f"{user}-canary") for row in told)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("befalls", "state"),
    [
        ("DROP USER {who}", "57P01"),
        ("ALTER USER {who} SET ROLE 'user'", "42501"),
        ("REVOKE SELECT ON {table} FROM {who}", "42501"),
        ("DROP TABLE {table}", "42P01"),
    ],
)
def test_who_may_read_no_more_is_told_nothing_more(server, chat, form, befalls, state):
    """The rows that are committed after that are none of theirs."""
    table, who = f"{chat}.s", f"{chat}_who"
    with server.root() as root:
        rank = "service" if "ALTER" in befalls else "user"
        access = "PRIVATE" if "ALTER" in befalls else "RESTRICTED"
        root.execute(
            f"CREATE USER {who} WITH PASSWORD '{PASSWORD}' ROLE '{rank}';"
            f"CREATE TABLE {table} (id int PRIMARY KEY, body text) WITH (ACCESS_LEVEL = '{access}');"
            f"INSERT INTO {table} VALUES (1, 'before')"
        )
        if rank == "user":
            root.execute(f"GRANT SELECT ON {table} TO {who}")
        with form(server, who, table) as follower:
            assert follower.next(1)[0][4] == "before"
            root.execute(befalls.format(table=table, who=who))
            if "TABLE" not in befalls:
                root.execute(f"INSERT INTO {table} VALUES (2, 'after')")
            with pytest.raises(EndedError) as ended:
                follower.next(1)
            assert ended.value.sqlstate == state
        if "USER" in befalls:
            root.execute(f"DROP USER IF EXISTS {who}")
