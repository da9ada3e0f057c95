"""The loop over real sockets: answers, Work, back-pressure, and nothing one client does hurts another."""

import socket
from collections.abc import Callable

import pytest
import trio
import trio.testing

from catalog.errors import AdminShutdownError
from kalam_pg.pgwire.messages import (
    Bind,
    CommandComplete,
    DataRow,
    Describe,
    ErrorResponse,
    Execute,
    Parse,
    Query,
    Sync,
    Terminate,
)
from kalam_pg.server import connection as connection_module
from kalam_pg.server import strangers
from kalam_pg.server.channel import HIGH_WATER_BYTES
from kalam_pg.server.limits import ConnectionLimits
from kalam_pg.server.loop_options import LoopOptions
from tests import frontend
from tests.kalam_pg.server.fakes import (
    CHUNK,
    Client,
    FakeServices,
    Served,
    serving,
)


async def settled(condition: Callable[[], bool]) -> None:
    """Until `condition` holds, letting everything else run; 5 s at most."""
    with trio.fail_after(5):
        while not condition():
            await trio.testing.wait_all_tasks_blocked(0.001)


def code(message) -> str:
    assert isinstance(message, ErrorResponse), message
    return dict(message.fields)["C"]


async def alive(served: Served) -> None:
    """Other clients are served."""
    other = await served.connect()
    assert DataRow((b"1",)) in await other.query("SELECT 1")
    await other.stream.aclose()


async def test_a_query_is_answered():
    async with serving() as served:
        client = await served.connect()
        assert DataRow((b"1",)) in await client.query("SELECT 1")


async def test_a_pipeline_is_answered_with_one_send():
    async with serving() as served:
        client = await served.connect()
        for _ in range(3):
            await client.send(
                Parse("", "SELECT 1"), Bind("", ""), Describe("P", ""), Execute(""), Sync()
            )
            data = await client.stream.receive_some()
            client.decoder.feed(data)
            answers = [type(message).__name__ for message in iter(client.decoder.next, None)]
            assert answers == [
                "ParseComplete", "BindComplete", "RowDescription", "DataRow", "CommandComplete",
                "ReadyForQuery",
            ]  # fmt: skip


async def test_a_message_may_come_byte_by_byte():
    async with serving() as served:
        client = await served.open()
        wire = frontend.startup_message({"user": "alice"}) + frontend.encode(Query("SELECT 1"))
        for byte in wire:
            await client.stream.send_all(bytes([byte]))
            await trio.testing.wait_all_tasks_blocked(0)
        await client.until_ready()
        assert DataRow((b"1",)) in await client.until_ready()


async def test_work_is_waited_for_and_messages_behind_it_too():
    async with serving() as served:
        client = await served.connect()
        await client.send(Query("wait"), Query("SELECT 1"))
        await settled(lambda: bool(served.services.waits))
        await alive(served)
        served.services.waits[0].resume()
        assert len(await client.until_ready()) == 4
        assert len(await client.until_ready()) == 4


async def test_answers_before_long_work_do_not_wait_for_it():
    async with serving() as served:
        client = await served.connect()
        await client.send(Query("SELECT 1"), Query("wait"))
        with trio.fail_after(5):
            await client.until_ready()
        assert not served.services.waits[0].cancelled
        served.services.waits[0].resume()
        await client.until_ready()


async def test_work_done_at_once_does_not_recurse_and_lets_others_in():
    async with serving() as served:
        client = await served.connect()
        other = await served.connect()
        await client.send(*[Query("now")] * 2000)
        assert len(await other.query("SELECT 1")) == 4
        for _ in range(2000):
            await client.until_ready()


async def test_a_pause_goes_on_by_itself():
    async with serving() as served:
        client = await served.connect()
        await client.send(*[Query("pause")] * 5)
        for _ in range(5):
            await client.until_ready()


async def test_a_second_resume_of_the_same_work_means_nothing():
    async with serving() as served:
        client = await served.connect()
        await client.send(Query("wait"), Query("wait"))
        await settled(lambda: len(served.services.waits) == 1)
        first = served.services.waits[0]
        first.resume()
        first.resume()
        await client.until_ready()
        await settled(lambda: len(served.services.waits) == 2)
        first.resume()
        await trio.testing.wait_all_tasks_blocked()
        assert client.decoder.next() is None
        served.services.waits[1].resume()
        await client.until_ready()


async def test_another_thread_resumes_through_the_loop():
    async with serving() as served:
        client = await served.connect()
        await client.send(Query("wait"))
        await settled(lambda: bool(served.services.waits))
        wait = served.services.waits[0]
        await trio.to_thread.run_sync(served.loop.run_sync_soon, wait.resume)
        await client.until_ready()


async def test_what_was_not_asked_for_is_sent_too():
    async with serving() as served:
        client = await served.connect()
        await client.query("later")


@pytest.mark.slow
async def test_a_stream_is_paced_by_its_reader():
    async with serving() as served:
        client = await served.connect()
        await client.send(Query("stream 200"))
        connection = served.services.sessions[0].transport
        await settled(lambda: connection.unsent > HIGH_WATER_BYTES)
        # Nothing is read, so nothing more is made than the mark and one chunk.
        await trio.testing.wait_all_tasks_blocked()
        assert connection.unsent <= HIGH_WATER_BYTES + len(CHUNK)
        await alive(served)
        messages = await client.until_ready()
        assert sum(isinstance(message, DataRow) for message in messages) == 200


def rows_of(messages):
    return sum(isinstance(message, DataRow) for message in messages)


async def test_what_is_lent_is_sent_as_it_is_read_and_never_copied():
    async with serving() as served:
        client = await served.connect()
        await client.send(Query("SELECT 1"), Query("lend 200"), Query("SELECT 1"))
        connection = served.services.sessions[0].transport
        await settled(lambda: connection.is_blocked)
        await trio.testing.wait_all_tasks_blocked()
        assert (connection.unsent, served.services.lent[0].done) == (0, 0)
        await alive(served)
        assert [rows_of(await client.until_ready()) for _ in range(3)] == [1, 200, 1]
        assert served.services.lent[0].done == 1


async def test_what_is_lent_comes_to_the_end_of_its_message_when_it_is_cancelled():
    async with serving() as served:
        client = await served.connect()
        await client.send(Query("lend 200"))
        connection = served.services.sessions[0].transport
        await settled(lambda: connection.is_blocked)
        served.loop.cancel(connection.process_id)
        await client.send(Query("SELECT 1"))
        assert [rows_of(await client.until_ready()) for _ in range(2)] == [200, 1]
        assert served.services.lent[0].done == 0


async def test_who_is_lent_something_and_does_not_read_is_ended():
    async with serving(options=LoopOptions(reader_patience_s=0.05)) as served:
        client = await served.connect()
        await client.send(Query("lend 200"))
        await settled(lambda: served.services.sessions[0].ended == 1)
        await alive(served)
        await client.stream.aclose()


async def test_who_ends_while_something_is_lent_reads_it_to_its_end():
    async with serving() as served:
        client = await served.connect()
        await client.send(Query("lend 200"))
        connection = served.services.sessions[0].transport
        await settled(lambda: connection.is_blocked)
        served.loop.terminate(connection.process_id, AdminShutdownError("the end"))
        messages = await client.until_end()
        assert rows_of(messages) == 200
        assert type(messages[-1]) is ErrorResponse


async def test_an_answer_goes_on_when_the_last_of_it_is_sent_by_a_turn():
    async with serving() as served:
        client = await served.connect()
        await client.send(Query("wait"))
        await settled(lambda: bool(served.services.waits))
        connection = served.services.sessions[0].transport
        while not connection.is_blocked:
            connection.write(CHUNK)
        served.services.waits[0].resume()
        # The reader makes room before the loop looks at its sockets: no event will say so any more.
        sock = client.stream.socket._sock
        while connection.is_blocked:
            client.decoder.feed(sock.recv(1 << 20))
            served.loop._settle()
        with trio.fail_after(5):
            await client.until_ready()


@pytest.mark.slow
async def test_a_client_that_does_not_read_is_not_read_from():
    async with serving() as served:
        client = await served.connect()
        session = served.services.sessions[0]
        await client.send(Query("rows 200"))
        await settled(lambda: session.transport.unsent > 0)
        fed = session.fed
        await client.send(Query("SELECT 1"), Query("SELECT 1"))
        await alive(served)
        assert session.fed == fed
        await client.until_ready()
        await client.until_ready()
        await client.until_ready()


async def test_a_reader_without_end_of_patience_is_ended():
    options = LoopOptions(reader_patience_s=0.05)
    async with serving(options=options) as served:
        client = await served.connect()
        await client.send(Query("stream 200"))
        session = served.services.sessions[0]
        await settled(lambda: session.ended == 1)
        await alive(served)


async def test_a_reader_may_take_its_time_where_nothing_waits_for_it():
    options = LoopOptions(reader_patience_s=0.05)
    async with serving(options=options) as served:
        client, impatient = await served.connect(), await served.connect()
        await client.send(Query("patient 200"))
        await impatient.send(Query("stream 200"))
        patient, other = served.services.sessions
        await settled(lambda: other.ended == 1)
        assert patient.ended == 0
        await client.until_ready()


async def test_only_so_much_is_read_ahead_of_work():
    async with serving() as served:
        client = await served.connect()
        session = served.services.sessions[0]
        await client.send(Query("wait"))
        await settled(lambda: bool(served.services.waits))
        fed = session.fed
        ahead = frontend.encode(Query("SELECT 1 -- " + "x" * 1000))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.stream.send_all, ahead * 500)
            await settled(lambda: session.fed > fed)
            await trio.testing.wait_all_tasks_blocked(0.01)
            limit = connection_module.READ_AHEAD_BYTES_MAX + connection_module.READ_BYTES
            assert session.fed - fed <= limit
            served.services.waits[0].resume()
            for _ in range(501):
                await client.until_ready()


async def test_what_is_read_ahead_does_not_grow_with_the_works_that_a_peer_asks_for():
    async with serving() as served:
        client = await served.connect()
        session = served.services.sessions[0]
        asked = frontend.encode(Query("wait" + " " * 3000))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.stream.send_all, asked * 200)
            limit = connection_module.READ_AHEAD_BYTES_MAX + connection_module.READ_BYTES
            for done in range(200):
                await settled(lambda done=done: len(served.services.waits) > done)
                await trio.testing.wait_all_tasks_blocked()
                assert session.unread <= limit
                served.services.waits[done].resume()
            for _ in range(200):
                await client.until_ready()


@pytest.mark.parametrize("query", ["boom", "boom work"])
async def test_a_bug_in_one_session_ends_that_one_with_a_reference(query, capsys):
    async with serving() as served:
        client = await served.connect()
        await client.send(Query(query))
        with trio.fail_after(5):
            messages = await client.until_end()
        assert code(messages[-1]) == "XX000"
        assert "secret" not in str(messages)
        await settled(lambda: served.services.sessions[0].ended == 1)
        await alive(served)
    captured = capsys.readouterr()
    assert "secret" not in captured.out + captured.err


async def test_a_session_that_closes_has_its_last_words_read():
    async with serving() as served:
        client = await served.connect()
        # More than the session reads: a plain close would reset and lose the error.
        await client.send(Query("die"), *[Query("SELECT 1")] * 100)
        with trio.fail_after(5):
            messages = await client.until_end()
        assert code(messages[-1]) == "28P01"
        await client.stream.aclose()
        await settled(lambda: served.loop.connections == 0)


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(b"\x7f\xff\xff\xff", id="2 GB"),
        pytest.param(b"\0\0\0\x04", id="too short"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", id="another protocol"),
        pytest.param(b"\0" * 64, id="zeros"),
        pytest.param(b"\xff" * 64, id="ones"),
    ],
)
async def test_garbage_before_a_session_is_told_so(wire):
    async with serving() as served:
        client = await served.open()
        await client.stream.send_all(wire)
        with trio.fail_after(5):
            messages = await client.until_end()
        assert code(messages[-1]) == "08P01"
        assert not served.services.sessions
        await alive(served)


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(b"Q\x7f\xff\xff\xff", id="2 GB"),
        pytest.param(b"Q\xff\xff\xff\xff", id="negative"),
        pytest.param(b"\x00\x01\x02\x03\x04\x05\x06", id="unknown type"),
    ],
)
async def test_garbage_in_a_session_is_told_so(wire):
    async with serving() as served:
        client = await served.connect()
        await client.stream.send_all(wire)
        with trio.fail_after(5):
            messages = await client.until_end()
        assert code(messages[-1]) == "08P01"
        await alive(served)


async def test_half_a_message_and_goodbye_release_the_session():
    async with serving() as served:
        client = await served.connect()
        await client.stream.send_all(frontend.encode(Query("SELECT 1"))[:-3])
        await client.stream.aclose()
        await settled(lambda: served.services.sessions[0].ended == 1)
        assert served.loop.connections == 0


async def test_a_client_that_vanishes_has_its_work_cancelled():
    async with serving() as served:
        client = await served.connect()
        await client.send(Query("wait"))
        await settled(lambda: bool(served.services.waits))
        linger = b"\x01\0\0\0\0\0\0\0"  # SO_LINGER 0: close sends a reset.
        client.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        await client.stream.aclose()
        await settled(lambda: served.services.sessions[0].ended == 1)
        assert served.services.waits[0].cancelled
        assert served.loop.connections == 0


async def test_what_was_sent_before_the_end_is_still_done():
    async with serving() as served:
        client = await served.connect()
        session = served.services.sessions[0]
        await client.send(Query("wait"), Query("SELECT 1"))
        await client.stream.send_eof()
        await settled(lambda: session.saw_eof)
        served.services.waits[0].resume()
        messages = await client.until_end()
        assert sum(isinstance(message, CommandComplete) for message in messages) == 2
        await settled(lambda: session.ended == 1)


async def test_what_would_be_waited_for_after_the_end_is_stopped():
    """The end is told once: between two waits nobody was there to hear of it."""
    async with serving() as served:
        client = await served.connect()
        session = served.services.sessions[0]
        await client.send(Query("wait"), Query("wait"), Query("SELECT 1"))
        await client.stream.send_eof()
        await settled(lambda: session.saw_eof)
        served.services.waits[0].resume()
        await settled(lambda: len(served.services.waits) == 2)
        assert served.services.waits[1].cancelled
        served.services.waits[1].resume()
        messages = await client.until_end()
        assert sum(isinstance(message, CommandComplete) for message in messages) == 3


async def test_terminate_closes():
    async with serving() as served:
        client = await served.connect()
        await client.send(Terminate())
        assert await client.until_end() == []
        await settled(lambda: served.services.sessions[0].ended == 1)


async def test_a_connection_can_be_ended_from_outside():
    async with serving() as served:
        client = await served.connect()
        await client.send(Query("wait"))
        await settled(lambda: bool(served.services.waits))
        assert served.loop.terminate(client.process_id, AdminShutdownError("ended"))
        messages = await client.until_end()
        assert code(messages[-1]) == "57P01"
        assert served.services.waits[0].cancelled
        assert not served.loop.terminate(client.process_id, AdminShutdownError("ended"))


async def test_a_silent_connection_is_closed_before_authentication():
    async with serving(options=LoopOptions(authentication_timeout_s=0.05)) as served:
        silent = await served.open()
        client = await served.connect()
        with trio.fail_after(5):
            assert await silent.until_end() == []
        assert len(await client.query("SELECT 1")) == 4


async def cancel_request(served: Served, process_id: int, key: bytes) -> bytes:
    """What comes back: always nothing."""
    client = await served.open()
    await client.stream.send_all(frontend.cancel_request(process_id, key))
    return await client.stream.receive_some()


@pytest.mark.parametrize(("minor", "size"), [(0, 4), (2, 32)])
async def test_a_cancel_request_needs_the_key(minor, size):
    async with serving() as served:
        client = await served.connect(minor=minor)
        assert len(client.secret_key) == size
        await client.send(Query("wait"))
        await settled(lambda: bool(served.services.waits))
        wait = served.services.waits[0]
        assert await cancel_request(served, client.process_id, bytes(size)) == b""
        assert await cancel_request(served, 99, client.secret_key) == b""
        assert not wait.cancelled
        assert await cancel_request(served, client.process_id, client.secret_key) == b""
        await client.until_ready()
        assert wait.cancelled == 1


async def test_one_connection_too_many_is_told_so():
    async with serving(limits=ConnectionLimits(total=2)) as served:
        first, _second = await served.connect(), await served.connect()
        third = await served.open()
        await third.stream.send_all(frontend.SSL_REQUEST)
        assert await third.stream.receive_some(1) == b"N"
        await third.stream.send_all(frontend.startup_message({"user": "alice"}))
        messages = await third.until_end()
        assert code(messages[-1]) == "53300"
        assert dict(messages[-1].fields)["M"] == "sorry, too many clients already"
        await third.stream.aclose()
        await first.stream.aclose()
        await settled(lambda: served.loop.connections == 1)
        await alive(served)


async def test_the_oldest_of_silent_connections_makes_room_for_who_comes(monkeypatch):
    async with serving(limits=ConnectionLimits(pre_authentication=3)) as served:
        silent = [await served.open() for _ in range(3)]
        await settled(lambda: served.loop.connections == 3)
        refused = await served.open()  # All have just come.
        await refused.stream.send_all(frontend.startup_message({"user": "alice"}))
        assert code((await refused.until_end())[-1]) == "53300"
        await refused.stream.aclose()
        await settled(lambda: served.loop.connections == 3)
        monkeypatch.setattr(strangers, "STRANGER_S", 0.0)
        await alive(served)
        with trio.fail_after(5):
            assert await silent[0].until_end() == []


async def test_plaintext_behind_an_ssl_request_closes_without_a_word():
    async with serving() as served:
        client = await served.open()
        wire = frontend.SSL_REQUEST + frontend.startup_message({"user": "alice"})
        await client.stream.send_all(wire)
        with trio.fail_after(5):
            assert await client.stream.receive_some() == b""


@pytest.mark.parametrize("request_", [frontend.SSL_REQUEST, frontend.GSSENC_REQUEST])
async def test_encryption_that_is_not_there_is_declined_once(request_):
    async with serving() as served:
        client = await served.open()
        await client.stream.send_all(request_)
        assert await client.stream.receive_some() == b"N"
        await client.stream.send_all(request_)
        assert code((await client.until_end())[-1]) == "08P01"


async def test_ending_the_loop_ends_every_session():
    services = FakeServices()
    async with serving(services) as served:
        await served.connect()
        client = await served.connect()
        await client.send(Query("wait"))
        await settled(lambda: bool(services.waits))
    assert [session.ended for session in services.sessions] == [1, 1]
    assert services.waits[0].cancelled


@pytest.mark.slow
async def test_a_thousand_idle_connections_cost_nothing_but_memory():
    async with serving() as served:
        clients: list[Client] = []

        async def one() -> None:
            clients.append(await served.connect())

        async with trio.open_nursery() as nursery:
            for _ in range(1000):
                nursery.start_soon(one)
        assert served.loop.connections == 1000
        assert len(await clients[500].query("SELECT 1")) == 4
        for client in clients:
            await client.stream.aclose()
        await settled(lambda: served.loop.connections == 0)
