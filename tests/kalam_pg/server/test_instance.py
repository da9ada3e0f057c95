"""A whole server around fake sessions: TLS, SCRAM, the Unix socket, and the ways it ends."""

import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import psycopg
import pytest
import trio
import trio.testing

from kalam_pg.config import Config, ConfigError
from kalam_pg.pgwire.messages import DataRow, ErrorResponse, Query
from kalam_pg.server.instance import Ready, serve
from kalam_pg.server.shutdown import Mode
from tests import frontend
from tests.kalam_pg.server.fakes import PASSWORD, Client, FakeServices


@asynccontextmanager
async def running(
    tmp_path, services: FakeServices | None = None, **settings: object
) -> AsyncIterator[Ready]:
    config = Config(data_directory=tmp_path, port=0, **settings)
    async with trio.open_nursery() as nursery:
        ready = await nursery.start(serve, config, services or FakeServices(scram=True))
        yield ready
        ready.shut_down(Mode.IMMEDIATE)


def select_one(ready: Ready, **options) -> tuple[object, psycopg.Connection]:
    """What psycopg gets for SELECT 1; libpq's own TLS and SCRAM."""
    options = {"host": "127.0.0.1", "port": ready.port, "user": "alice", "dbname": "kalam",
               "password": PASSWORD, "connect_timeout": 10, **options}  # fmt: skip
    with psycopg.connect(**options, autocommit=True) as connection:
        row = connection.execute("SELECT 1").fetchone()
        assert row is not None
        return row[0], connection


async def psycopg_gets_one(ready: Ready, **options) -> None:
    one, _ = await trio.to_thread.run_sync(partial(select_one, ready, **options))
    assert one == 1


async def psycopg_fails(ready: Ready, **options) -> str:
    with pytest.raises(psycopg.OperationalError) as raised:
        await trio.to_thread.run_sync(partial(select_one, ready, **options))
    return str(raised.value)


async def test_psycopg_comes_in_with_scram(tmp_path):
    async with running(tmp_path) as ready:
        await psycopg_gets_one(ready)
        wrong = await psycopg_fails(ready, password="wrong")
        unknown = await psycopg_fails(ready, user="nobody")
        assert 'password authentication failed for user "alice"' in wrong
        assert 'password authentication failed for user "nobody"' in unknown


async def test_the_unix_socket_knows_who_is_there(tmp_path):
    services = FakeServices()
    async with running(tmp_path, services) as ready:
        await psycopg_gets_one(ready, host=str(tmp_path), password=None)
        peer = services.sessions[0].peer
        assert (peer.kind, peer.uid, peer.tls) == ("unix", os.getuid(), None)
        assert ready.psql == f"psql -h {tmp_path} -p {ready.port} kalam"
    assert not list(tmp_path.glob(".s.PGSQL.*"))


@pytest.mark.slow
async def test_tls_with_a_certificate_of_its_own_and_channel_binding(tmp_path):
    services = FakeServices(scram=True)
    async with running(tmp_path, services, tls="on", tls_self_signed=True) as ready:
        await psycopg_gets_one(ready, sslmode="require", channel_binding="require")
        await psycopg_gets_one(
            ready, sslmode="verify-full", sslrootcert=str(tmp_path / "server.crt")
        )
        await psycopg_gets_one(ready, sslmode="disable")
        assert (tmp_path / "server.key").stat().st_mode & 0o077 == 0
        tls = [session.peer.tls for session in services.sessions]
        assert [info.version if info else None for info in tls] == ["TLSv1.3", "TLSv1.3", None]


async def test_tls_required_refuses_plaintext_before_asking_for_a_password(tmp_path):
    services = FakeServices(scram=True)
    async with running(tmp_path, services, tls="require", tls_self_signed=True) as ready:
        message = await psycopg_fails(ready, sslmode="disable")
        assert "requires an encrypted connection" in message
        assert not services.sessions
        await psycopg_gets_one(ready, sslmode="require")
        await psycopg_gets_one(ready, host=str(tmp_path))


async def direct_tls(ready: Ready, tmp_path, protocols: list[str]) -> trio.SSLStream:
    context = ssl.create_default_context(cafile=tmp_path / "server.crt")
    if protocols:
        context.set_alpn_protocols(protocols)
    plain = await trio.open_tcp_stream("127.0.0.1", ready.port)
    return trio.SSLStream(plain, context, server_hostname="localhost", https_compatible=True)


async def refused(stream: trio.SSLStream) -> bool:
    """Whether a StartupMessage is answered by nothing but the end of the connection."""
    try:
        await stream.send_all(frontend.startup_message({"user": "alice"}))
        return await stream.receive_some() == b""
    except (trio.BrokenResourceError, ssl.SSLError):
        return True


async def test_direct_tls_needs_alpn(tmp_path):
    services = FakeServices()
    async with running(tmp_path, services, tls="on", tls_self_signed=True) as ready:
        async with await direct_tls(ready, tmp_path, ["postgresql"]) as stream:
            client = Client(stream)
            await stream.send_all(frontend.startup_message({"user": "alice"}))
            await client.until_ready()
            await client.send(Query("stream 20"))
            messages = await client.until_ready()
            assert sum(isinstance(message, DataRow) for message in messages) == 20
        async with await direct_tls(ready, tmp_path, []) as stream:
            assert await refused(stream)
        assert len(services.sessions) == 1


async def test_plaintext_behind_the_ssl_request_never_reaches_a_session(tmp_path):
    services = FakeServices()
    async with running(tmp_path, services, tls="on", tls_self_signed=True) as ready:
        stream = await trio.open_tcp_stream("127.0.0.1", ready.port)
        async with stream:
            injected = frontend.startup_message({"user": "mallory"})
            await stream.send_all(frontend.SSL_REQUEST + injected)
            assert await stream.receive_some() == b""
    assert not services.sessions


async def test_garbage_instead_of_a_tls_handshake_closes(tmp_path):
    async with running(tmp_path, tls="on", tls_self_signed=True) as ready:
        stream = await trio.open_tcp_stream("127.0.0.1", ready.port)
        async with stream:
            await stream.send_all(frontend.SSL_REQUEST)
            assert await stream.receive_some(1) == b"S"
            await stream.send_all(b"\x16garbage" * 10)
            with trio.fail_after(5):
                while await stream.receive_some():
                    pass
        await psycopg_gets_one(ready)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tls": "on"}, "tls_self_signed"),
        ({"tls": "on", "tls_certificate": "x.crt"}, "go together"),
        ({"tls": "on", "tls_certificate": "no.crt", "tls_key": "no.key"}, "no.crt"),
    ],
)
async def test_tls_that_cannot_be_set_up_is_a_config_error(tmp_path, settings, message):
    paths = {name: tmp_path / value if name != "tls" else value for name, value in settings.items()}
    config = Config(data_directory=tmp_path, port=0, **paths)
    with pytest.raises(ConfigError, match=message):
        await serve(config, FakeServices())


async def a_client(ready: Ready) -> Client:
    client = Client(await trio.open_tcp_stream("127.0.0.1", ready.port))
    await client.stream.send_all(frontend.startup_message({"user": "alice"}))
    await client.until_ready()
    return client


@pytest.mark.parametrize("last", [Mode.SMART, Mode.FAST, Mode.IMMEDIATE])
async def test_the_three_ways_to_end(tmp_path, nursery, last):
    services = FakeServices()
    ready = await nursery.start(serve, Config(data_directory=tmp_path, port=0), services)
    client = await a_client(ready)
    ready.shut_down(Mode.SMART)
    with pytest.raises(OSError, match="all attempts to connect"):
        await trio.open_tcp_stream("127.0.0.1", ready.port)
    # Smart: who is there stays, and is served.
    assert len(await client.query("SELECT 1")) == 4
    async with client.stream:
        if last is Mode.FAST:
            ready.shut_down(Mode.FAST)
            messages = await client.until_end()
            assert isinstance(messages[-1], ErrorResponse)
            assert ("C", "57P01") in messages[-1].fields
        elif last is Mode.IMMEDIATE:
            ready.shut_down(Mode.IMMEDIATE)
            assert await client.until_end() == []
    with trio.fail_after(5):
        while nursery.child_tasks:
            await trio.testing.wait_all_tasks_blocked(0.001)
    assert services.modes[0] is Mode.SMART
    assert services.modes[-1] is last
    assert services.sessions[0].ended == 1
    ready.shut_down(Mode.FAST)  # Too late, and harmless.
