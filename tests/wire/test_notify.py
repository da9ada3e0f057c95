"""LISTEN and NOTIFY between users, roles and sessions that come, go and do not read; and every driver's
own way to hear of them.
"""

import asyncio
import socket
import threading
from contextlib import closing

import asyncpg
import pg8000.native
import psycopg
import pytest

from tests.wire.raw import RawClient, execute, message, parse, query
from tests.wire.server import PASSWORD

HEARD_S = 20.0
"""How long a notification that must come may take on a busy machine."""


def hears(connection, count):
    """(channel, payload) of the next `count` notifications."""
    found = [(n.channel, n.payload) for n in connection.notifies(timeout=HEARD_S, stop_after=count)]
    assert len(found) >= count, found
    return found


def hears_nothing_more(connection, channel):
    """What it hears from now on begins with what it tells itself."""
    connection.execute(f"NOTIFY \"{channel}\", 'the end'")
    assert hears(connection, 1) == [(channel, "the end")]


# ------------------------------------------------------------------ drivers


def test_psycopg_hears_while_it_waits_and_while_it_works(server):
    with server.connect("alice") as listener, server.connect("alice") as sender:
        listener.execute("LISTEN room")
        sender.execute("NOTIFY room, '1'")
        with sender.transaction():
            sender.execute("NOTIFY room, '2'")
            sender.execute("SELECT pg_notify('room', %s)", ["3"])
        assert hears(listener, 3) == [("room", "1"), ("room", "2"), ("room", "3")]
        seen = []
        listener.add_notify_handler(lambda n: seen.append((n.pid, n.payload)))
        sender.execute("NOTIFY room, '4'")
        listener.execute("SELECT 1")
        assert seen == [(sender.info.backend_pid, "4")]


def test_asyncpg_hears_by_a_callback_and_its_pool_resets(server):
    async def run():
        heard: asyncio.Queue[tuple[int, str, str]] = asyncio.Queue()

        def note(_connection, pid, channel, payload):
            heard.put_nowait((pid, channel, payload))

        async with asyncpg.create_pool(server.dsn("alice"), min_size=1, max_size=1) as pool:
            sender = await asyncpg.connect(server.dsn("alice"))
            async with pool.acquire() as listener:
                await listener.add_listener("room", note)
                await sender.execute("NOTIFY room, 'x'")
                async with sender.transaction():
                    await sender.execute("SELECT pg_notify('room', $1)", "y")
                pid = sender.get_server_pid()
                assert [await heard.get() for _ in "xy"] == [
                    (pid, "room", "x"),
                    (pid, "room", "y"),
                ]
                await listener.remove_listener("room", note)
            # Returned and taken again, it is the same connection, and listens to nothing.
            async with pool.acquire() as again:
                await again.add_listener("other", note)
                assert await again.fetch("SELECT pg_listening_channels()") == [("other",)]
                await again.remove_listener("other", note)
            async with pool.acquire() as again:
                assert await again.fetch("SELECT pg_listening_channels()") == []
            await sender.close()

    asyncio.run(asyncio.wait_for(run(), HEARD_S * 3))


def test_asyncpgs_own_reset_of_a_connection_works(server):
    async def run():
        connection = await asyncpg.connect(server.dsn("alice"))
        await connection.execute("LISTEN room; SET search_path TO x")
        await connection.reset()
        assert await connection.fetch("SELECT pg_listening_channels()") == []
        assert "x" not in await connection.fetchval("SHOW search_path")
        await connection.close()

    asyncio.run(asyncio.wait_for(run(), HEARD_S))


def test_pg8000_finds_them_after_its_next_statement(server):
    with (
        closing(
            pg8000.native.Connection(
                "alice", host="127.0.0.1", port=server.port, password=PASSWORD, database="kalam"
            )
        ) as listener,
        server.connect("alice") as sender,
    ):
        listener.run("LISTEN room")
        sender.execute("NOTIFY room, 'x'")
        listener.run("SELECT pg_notify('room', :it)", it="y")
        sent = [(channel, payload) for _, channel, payload in listener.notifications]
        assert sent == [("room", "x"), ("room", "y")]


# ------------------------------------------------------------------ users and roles


def test_two_users_channels_of_one_name_are_two_channels(server):
    with server.connect("alice") as alice, server.connect("bob") as bob, server.root() as root:
        sessions = {"alice": alice, "bob": bob, "root": root}
        for session in sessions.values():
            session.execute("LISTEN room")
        for name, session in sessions.items():
            session.execute(f"NOTIFY room, 'of {name}'")
        for name, session in sessions.items():
            assert hears(session, 1) == [("room", f"of {name}")]
            hears_nothing_more(session, "room")


def test_a_service_tells_one_user_by_acting_for_them(server):
    with server.connect("alice") as alice, server.connect("bob") as bob:
        alice.execute("LISTEN typing")
        bob.execute("LISTEN typing")
        with server.connect("carol") as carol:
            carol.execute("LISTEN typing")
            carol.execute("EXECUTE AS USER 'alice' (NOTIFY typing, 'one')")
            carol.execute("EXECUTE AS USER 'alice' (SELECT pg_notify('typing', 'two'))")
            with carol.transaction():
                carol.execute("EXECUTE AS USER 'bob' (NOTIFY typing, 'three')")
                carol.execute("NOTIFY typing, 'four'")
            assert hears(carol, 1) == [("typing", "four")]
        assert hears(alice, 2) == [("typing", "one"), ("typing", "two")]
        assert hears(bob, 1) == [("typing", "three")]
        for session in (alice, bob):
            hears_nothing_more(session, "typing")


def test_a_user_cannot_tell_another_user(server):
    with server.connect("alice") as alice:
        for statement in (
            "EXECUTE AS USER 'bob' (NOTIFY room, 'x')",
            "NOTIFY \"*:news\", 'x'",
            "SELECT pg_notify('*:news', 'x')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                alice.execute(statement)
    with server.connect("carol") as carol:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            carol.execute("EXECUTE AS USER 'alice' (NOTIFY \"*:news\", 'x')")
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            carol.execute("EXECUTE AS USER 'alice' (LISTEN room)")


def test_an_announcement_reaches_everybody_who_listens_for_it(server):
    with server.connect("alice") as alice, server.connect("bob") as bob:
        alice.execute('LISTEN "*:news"')
        bob.execute('LISTEN "*:news"')
        for number, name in enumerate(("carol", "dora")):
            with server.connect(name) as sender:
                sender.execute(f"NOTIFY \"*:news\", '{number}'")
        for session in (alice, bob):
            assert hears(session, 2) == [("*:news", "0"), ("*:news", "1")]


def test_another_role_has_other_channels_and_a_session_is_told_which_have_ended(server):
    notices: list[str] = []
    with server.connect("carol") as carol, server.connect("alice") as alice:
        carol.add_notice_handler(lambda diagnostic: notices.append(diagnostic.message_primary))
        carol.execute('LISTEN room; LISTEN "*:news"')
        carol.execute("SET ROLE alice")
        assert notices == ["stopped listening on room"]
        alice.execute("NOTIFY room, 'not listened to'")
        carol.execute("LISTEN room")
        alice.execute("NOTIFY room, 'as alice'")
        assert hears(carol, 1) == [("room", "as alice")]
        carol.execute("RESET ROLE")
        assert notices == ["stopped listening on room"] * 2
        channels = carol.execute("SELECT pg_listening_channels()").fetchall()
        assert channels == [("*:news",)]


def test_a_role_that_is_taken_back_leaves_the_channels(server):
    notices: list[str] = []
    with server.connect("carol") as carol, server.connect("carol") as sender:
        carol.add_notice_handler(lambda diagnostic: notices.append(diagnostic.message_primary))
        carol.execute("LISTEN room")
        carol.execute("BEGIN; SET LOCAL ROLE alice; COMMIT")
        carol.execute("BEGIN; SET ROLE alice")
        sender.execute("NOTIFY room, 'meanwhile'")
        carol.execute("ROLLBACK")
        carol.execute("EXECUTE AS USER 'alice' (SELECT 1)")
        assert hears(carol, 1) == [("room", "meanwhile")]
        assert notices == []
        # What was asked for as alice has nobody to hear it after the end.
        carol.execute("BEGIN; SET LOCAL ROLE alice; LISTEN other; COMMIT")
        assert notices == ["stopped listening on other"]
        hears_nothing_more(carol, "room")


def test_a_tables_channel_is_the_tables_and_nobody_notifies_on_it(server, chat):
    with server.connect("alice") as alice:
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            alice.execute(f'NOTIFY "{chat}.messages"')
        with pytest.raises(psycopg.errors.UndefinedTable):
            alice.execute(f'LISTEN "{chat}.mesages?last_rows=5"')
        # Names as PostgreSQL's users have them are channels, whatever tables there are.
        alice.execute(f"USE {chat}; LISTEN messages; NOTIFY messages, 'x'")
        assert hears(alice, 1) == [("messages", "x")]


# ------------------------------------------------------------------ commits


def test_what_a_commit_tells_can_be_read_when_it_is_told(server, chat):
    with server.connect("alice") as listener, server.connect("alice") as sender:
        listener.execute("LISTEN written")
        for number in range(20):
            with sender.transaction():
                sender.execute(
                    f"INSERT INTO {chat}.messages (id, conversation_id, role_id, content)"
                    " VALUES (%s, 1, 'user', 'x')",
                    [number],
                )
                sender.execute("SELECT pg_notify('written', %s)", [str(number)])
            ((_, payload),) = hears(listener, 1)
            found = listener.execute(
                f"SELECT id FROM {chat}.messages WHERE id = %s", [int(payload)]
            ).fetchall()
            assert found == [(number,)]


def test_notifications_come_in_the_order_of_the_commits(server, chat):
    """Writers in parallel: what a listener hears is in the order in which the rows were numbered."""
    with server.root() as root:
        root.execute(f"CREATE TABLE {chat}.log (id text PRIMARY KEY) WITH (TYPE = 'USER')")
    with server.connect("alice") as listener:
        listener.execute("LISTEN log")

        def write(name: str) -> None:
            with server.connect("alice") as sender:
                for number in range(25):
                    with sender.transaction():
                        at = f"{name}{number}"
                        sender.execute(f"INSERT INTO {chat}.log VALUES (%s)", [at])
                        sender.execute("SELECT pg_notify('log', %s)", [at])

        threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        told = [payload for _, payload in hears(listener, 100)]
        rows = listener.execute(f"SELECT id FROM {chat}.log ORDER BY _seq").fetchall()
        assert told == [at for (at,) in rows]


def test_a_rolled_back_or_failed_transaction_tells_nothing(server, chat):
    with server.connect("alice") as alice:
        alice.execute("LISTEN room")
        alice.execute("BEGIN; NOTIFY room, '1'; ROLLBACK")
        with pytest.raises(psycopg.errors.UniqueViolation):
            alice.execute(
                f"""NOTIFY room, '2';
                INSERT INTO {chat}.conversations (id, title) VALUES (1, 'a');
                INSERT INTO {chat}.conversations (id, title) VALUES (1, 'b');"""
            )
        hears_nothing_more(alice, "room")


def test_a_commit_tells_though_its_client_is_gone(server):
    with server.connect("alice") as listener:
        listener.execute("LISTEN room")
        for number in range(10):
            sender = RawClient(server, "alice")
            sender.send(query(f"NOTIFY room, '{number}'"))
            sender.socket.shutdown(socket.SHUT_RDWR)
            sender.close()
        # A text that arrived was run; whether it arrived before the end, the network decides.
        with server.connect("alice") as last:
            last.execute("NOTIFY room, 'last'")
        told = [payload for _, payload in hears(listener, 11)]
        assert told == [*map(str, range(10)), "last"]


def test_who_is_told_and_what_is_there_agree_whatever_became_of_the_sender(server, chat):
    with server.root() as root:
        root.execute(f"CREATE TABLE {chat}.ledger (id int PRIMARY KEY) WITH (TYPE = 'USER')")
    with server.connect("alice") as listener:
        listener.execute("LISTEN ledger")
        for number in range(40):
            sender = RawClient(server, "alice")
            text = f"INSERT INTO {chat}.ledger VALUES ({number}); NOTIFY ledger, '{number}'"
            # Some go without a word, some are cut off in the middle of the text.
            sender.send(query(text)[: None if number % 4 else -10])
            sender.close()
        with server.root() as root:
            while sessions_of(root, "alice") > 1:
                pass  # What they sent is dealt with when they are gone.
        listener.execute("NOTIFY ledger, 'last'")
        told: list[str] = []
        while not told or told[-1] != "last":
            told += [payload for _, payload in hears(listener, 1)]
        rows = listener.execute(f"SELECT id FROM {chat}.ledger ORDER BY _seq").fetchall()
        assert told[:-1] == [str(number) for (number,) in rows]
        # A text may be given up between its statements when its client is gone: as a whole, then.
        assert rows
        assert all(number % 4 for (number,) in rows)


def sessions_of(root, user):
    (count,) = root.execute(
        "SELECT count(*) FROM system.sessions WHERE user_name = %s", [user]
    ).fetchone()
    return count


# ------------------------------------------------------------------ sessions that do not listen well


def test_an_answer_is_never_interrupted(server):
    """A result of many rows, sent while notifications come: they follow it."""
    with RawClient(server, "alice") as listener, server.connect("alice") as sender:
        listener.simple("LISTEN room")
        listener.send(query("SELECT repeat('x', 10000) FROM generate_series(1, 2000)"))
        for number in range(100):
            sender.execute("SELECT pg_notify('room', %s)", [str(number)])
        kinds = listener.answer().kinds
        while kinds.count("A") < 100:
            kinds += listener.receive()[0]
        assert kinds.replace("A", "") == "T" + "D" * 2000 + "CZ"
        assert "A" not in kinds[: kinds.index("C")]
        # Those that came while it was sent are told before the session says that it is ready.
        assert set(kinds[kinds.index("C") + 1 :]) <= set("AZ")


def test_nothing_is_told_to_a_session_in_the_middle_of_something(server):
    with RawClient(server, "alice") as listener, server.connect("alice") as sender:
        listener.simple("LISTEN room; LISTEN done")
        listener.send(parse("SELECT 1") + message(b"H"))
        assert listener.receive()[0] == "1"
        sender.execute("NOTIFY room, '1'")
        listener.send(message(b"B", b"\0\0\0\0\0\0\0\0") + execute() + message(b"H"))
        assert [listener.receive()[0] for _ in range(3)] == ["2", "D", "C"]
        listener.send(message(b"S"))
        assert listener.answer().kinds == "AZ"


@pytest.mark.slow
def test_a_session_that_reads_nothing_is_ended_and_nobody_waits_for_it(server):
    with (
        RawClient(server, "alice") as deaf,
        server.connect("alice") as listener,
        server.connect("alice") as sender,
    ):
        deaf.simple("LISTEN room")
        listener.execute("LISTEN room")
        size, sent, batch = 7000, 0, 200
        while sent * size < 40_000_000:  # Its queue, and all that two sockets may hold.
            with sender.pipeline():
                for _ in range(batch):
                    sender.execute("SELECT pg_notify('room', %s)", [f"{sent} {'x' * size}"])
                    sent += 1
            told = hears(listener, batch)
            assert [payload.split()[0] for _, payload in told] == [
                str(number) for number in range(sent - batch, sent)
            ]
        # What it could have read comes first, then why it was ended.
        kinds = ""
        while (kind := deaf.receive()[0]) != "":
            kinds += kind
        assert kinds == "A" * (len(kinds) - 1) + "E"
        assert 0 < len(kinds) < sent
        assert b"C53400\0" in deaf.received[-400:]
        assert b"does not read its notifications" in deaf.received[-400:]


def test_an_idle_timeout_is_not_put_off_by_notifications(server):
    with RawClient(server, "alice") as listener, server.connect("alice") as sender:
        listener.simple("LISTEN room")
        listener.simple("SET idle_session_timeout = '500ms'")
        stopped = threading.Event()

        def talk() -> None:
            while not stopped.wait(0.05):
                sender.execute("NOTIFY room")

        thread = threading.Thread(target=talk)
        thread.start()
        try:
            kinds = ""
            while not kinds.endswith("E"):
                kinds += listener.receive()[0]
                assert len(kinds) < 200
        finally:
            stopped.set()
            thread.join()
        assert b"C57P05\0" in listener.received
