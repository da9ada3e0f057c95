"""What one session can make the server keep, beside its rows, is bounded in bytes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wire.raw import SYNC, RawClient, bind, execute, parse
from tests.wire.server import KalamServer

pytestmark = pytest.mark.slow


@pytest.fixture
def client(server: KalamServer) -> Iterator[RawClient]:
    with RawClient(server, "alice") as found:
        yield found


def memory_mb(server: KalamServer) -> float:
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def test_settings_of_ones_own_are_53400_when_they_are_too_many(
    client: RawClient, server: KalamServer
):
    before = memory_mb(server)
    value = "x" * 500_000
    answers = [client.simple(f"SET own.n{n} = '{value}'").sqlstate for n in range(12)]
    assert answers[:7] == [None] * 7
    assert answers[-1] == "53400"
    client.simple("BEGIN")
    answers = [client.simple(f"SET own.n1 = '{n}{value}'").sqlstate for n in range(12)]
    assert "53400" in answers
    client.simple("ROLLBACK")
    for name in range(12):
        client.simple(f"RESET own.n{name}")
    assert client.simple(f"SET own.n1 = '{value}'").sqlstate is None
    assert memory_mb(server) - before < 64


def test_a_setting_may_be_changed_for_ever(client: RawClient):
    value = "x" * 100_000
    for n in range(100):
        assert client.simple(f"SET own.one = '{n}{value}'").sqlstate is None


def test_open_portals_are_53400_when_they_are_too_many(client: RawClient):
    client.simple("BEGIN")
    client.send(parse("SELECT $1::text", "s") + SYNC)
    client.answer()
    for n in range(1000):
        client.send(bind((b"x",), statement="s", portal=f"p{n}"))
    client.send(bind((b"x",), statement="s", portal="more") + SYNC)
    assert client.answer().sqlstate == "53400"
    client.simple("ROLLBACK")
    client.simple("BEGIN")
    client.send(bind((b"x",), statement="s", portal="p") + execute(0, "p") + SYNC)
    assert client.answer().rows == [("x",)]
    client.simple("ROLLBACK")


def test_a_pipeline_whose_client_does_not_read_waits(client: RawClient, server: KalamServer):
    before = memory_mb(server)
    text = "SELECT repeat('x', 100000)"
    client.send(parse(text, "s") + SYNC)
    client.answer()
    one = bind(statement="s") + execute(0)
    client.send(one * 2000 + SYNC)  # Two hundred megabytes of answers, unread.
    with RawClient(server, "bob") as other:
        for _ in range(20):
            assert other.simple("SELECT 1").rows == [("1",)]
    assert memory_mb(server) - before < 64
    count = 0
    while (kind := client.receive())[0] != "Z":
        count += kind[0] == "D"
        if len(client.received) > 1 << 22:
            del client.received[: client._read]
            client._read = 0
    assert count == 2000
