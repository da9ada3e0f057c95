"""The chat-and-AI walk-through, as two users, with real clients; then again after everything that can
happen to a server: a flush, a restart, kill -9.
"""

import asyncpg
import psycopg
import pytest

from tests.wire.server import KalamServer

HISTORY = (
    "SELECT role_id, content FROM {}.messages WHERE conversation_id = 1 ORDER BY created_at, id"
)


def converse(connection: psycopg.Connection, chat: str, who: str) -> None:
    """The seed's steps 2 and 3."""
    connection.execute(f"INSERT INTO {chat}.conversations (id, title) VALUES (1, 'Chat of {who}')")
    connection.execute(
        f"""INSERT INTO {chat}.messages (conversation_id, role_id, content) VALUES
              (1, 'user', 'Hello from {who}'),
              (1, 'assistant', 'Hi {who}! How can I help you today?')"""
    )
    connection.execute(
        f"""INSERT INTO {chat}.typing_events (conversation_id, user_id, event_type)
              VALUES (1, '{who}', 'typing')"""
    )


def expect(connection: psycopg.Connection, chat: str, who: str) -> None:
    """Everything `who` wrote, and nothing else."""
    assert connection.execute(HISTORY.format(chat)).fetchall() == [
        ("user", f"Hello from {who}"),
        ("assistant", f"Hi {who}! How can I help you today?"),
    ]
    title = connection.execute(f"SELECT title FROM {chat}.conversations WHERE id = 1").fetchone()
    assert title == (f"Chat of {who}",)


def test_two_users_run_the_same_text_and_see_their_own_rows(server: KalamServer, chat: str):
    with server.connect("alice") as alice, server.connect("bob") as bob:
        converse(alice, chat, "alice")
        converse(bob, chat, "bob")
        expect(alice, chat, "alice")
        expect(bob, chat, "bob")
        typing = f"SELECT user_id, event_type FROM {chat}.typing_events WHERE conversation_id = 1"
        assert alice.execute(typing).fetchall() == [("alice", "typing")]
        assert bob.execute(typing).fetchall() == [("bob", "typing")]


def test_psql_prints_the_conversation(server: KalamServer, chat: str):
    with server.connect("alice") as alice:
        converse(alice, chat, "alice")
    printed = server.psql(HISTORY.format(chat), user="alice")
    assert printed == "user|Hello from alice\nassistant|Hi alice! How can I help you today?\n"


def test_a_flush_changes_no_answer(server: KalamServer, chat: str):
    with server.connect("alice") as alice, server.connect("bob") as bob, server.root() as root:
        converse(alice, chat, "alice")
        converse(bob, chat, "bob")
        root.execute(f"STORAGE FLUSH TABLE {chat}.messages")
        root.execute(f"STORAGE FLUSH TABLE {chat}.conversations")
        expect(alice, chat, "alice")
        expect(bob, chat, "bob")
        cold = alice.execute(f"SHOW STATS FOR TABLE {chat}.messages").fetchone()
        assert cold is not None
        assert (cold[0], cold[2], cold[4]) == (0, 2, 1)
        alice.execute(f"UPDATE {chat}.messages SET content = 'edited' WHERE role_id = 'user'")
        alice.execute(f"DELETE FROM {chat}.messages WHERE role_id = 'assistant'")
        assert alice.execute(HISTORY.format(chat)).fetchall() == [("user", "edited")]
        root.execute(f"STORAGE FLUSH TABLE {chat}.messages")
        assert alice.execute(HISTORY.format(chat)).fetchall() == [("user", "edited")]
        expect(bob, chat, "bob")


async def test_asyncpg_prepares_pipelines_and_walks_cursors(server: KalamServer, chat: str):
    # trio runs the test; asyncpg needs asyncio, so it has a loop of its own in a thread.
    import asyncio

    import trio

    async def talk() -> list[str]:
        connection = await asyncpg.connect(server.dsn("alice"))
        try:
            await connection.executemany(
                f"INSERT INTO {chat}.messages (conversation_id, role_id, content) VALUES ($1, $2, $3)",
                [(1, "user", f"message {n}") for n in range(20)],
            )
            async with connection.transaction():
                query = (
                    f"SELECT content FROM {chat}.messages WHERE conversation_id = $1 ORDER BY id"
                )
                return [r["content"] async for r in connection.cursor(query, 1, prefetch=6)]
        finally:
            await connection.close()

    seen = await trio.to_thread.run_sync(lambda: asyncio.run(talk()))
    assert seen == [f"message {n}" for n in range(20)]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_restart_and_kill_9_lose_nothing(tmp_path, how: str):
    server = KalamServer(tmp_path / "data").start()
    try:
        with server.root() as root:
            root.execute("CREATE NAMESPACE chat")
            for table, columns in (
                ("conversations", "title TEXT NOT NULL, created_at TIMESTAMP DEFAULT NOW()"),
                (
                    "messages",
                    "conversation_id BIGINT NOT NULL, role_id TEXT NOT NULL,"
                    " content TEXT NOT NULL, created_at TIMESTAMP DEFAULT NOW()",
                ),
            ):
                root.execute(
                    f"CREATE TABLE chat.{table} (id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(),"
                    f" {columns}) WITH (TYPE = 'USER')"
                )
            root.execute(
                "CREATE TABLE chat.typing_events (id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(),"
                " conversation_id BIGINT, user_id TEXT, event_type TEXT)"
                " WITH (TYPE = 'STREAM', TTL_SECONDS = 30)"
            )
            root.execute("CREATE USER alice WITH PASSWORD 'a password'")
        with server.connect("alice") as alice:
            converse(alice, "chat", "alice")
        getattr(server, how)()
        server.start()
        with server.connect("alice") as alice:
            expect(alice, "chat", "alice")
            assert alice.execute("SELECT count(*) FROM chat.typing_events").fetchone() == (0,)
    finally:
        server.stop()


@pytest.mark.slow
def test_kill_9_in_the_middle_of_inserts_loses_no_acknowledged_row(tmp_path):
    server = KalamServer(tmp_path / "data").start()
    acknowledged: list[int] = []
    try:
        with server.root() as root:
            root.execute("CREATE NAMESPACE chat")
            root.execute("CREATE TABLE chat.m (id INT PRIMARY KEY, t TEXT) WITH (TYPE = 'USER')")
        for round_ in range(3):
            root = server.root()
            for n in range(round_ * 1000, round_ * 1000 + 200):
                root.execute("INSERT INTO chat.m VALUES (%s, 'x')", (n,))
                acknowledged.append(n)
            server.kill()
            root.close()
            server.start()
            with server.root() as root:
                rows = root.execute("SELECT id FROM chat.m ORDER BY id").fetchall()
                assert [row[0] for row in rows] == acknowledged
    finally:
        server.stop()
