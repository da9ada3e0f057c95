"""Clients that break the protocol, hang, lie and vanish. After each, another session still works."""

# ruff: noqa: E501 -- one case a line

import os
import signal
import socket
import struct
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from tests.wire.raw import (
    DESCRIBE,
    SYNC,
    TERMINATE,
    RawClient,
    bind,
    execute,
    message,
    parse,
    query,
    startup,
)
from tests.wire.server import KalamServer

pytestmark = pytest.mark.slow

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
GSS_REQUEST = struct.pack("!ii", 8, 80877104)


@pytest.fixture(scope="module")
def bystander(server: KalamServer) -> Iterator[RawClient]:
    """A session that has nothing to do with any of this."""
    with RawClient(server) as root:
        root.simple("CREATE NAMESPACE hostile; CREATE TABLE hostile.t (id INT PRIMARY KEY, v TEXT)")
        root.simple("CREATE TABLE hostile.u (id INT PRIMARY KEY, v TEXT) WITH (TYPE = 'USER')")
    with RawClient(server, "bob") as bob:
        yield bob


@pytest.fixture(autouse=True)
def _nobody_else_notices(server: KalamServer, bystander: RawClient) -> Iterator[None]:
    yield
    assert server.process is not None
    assert server.process.poll() is None
    assert bystander.simple("SELECT 1").rows == [("1",)]
    with RawClient(server, "alice") as alice:
        assert alice.simple("SELECT count(*) FROM hostile.t").tags == ["SELECT 1"]


def open_socket(server: KalamServer) -> socket.socket:
    """A TCP connection on which nothing has been said."""
    return socket.create_connection(("127.0.0.1", server.port), 10)


def read_all(sock: socket.socket) -> bytes:
    """Everything until the server closes."""
    data = b""
    with suppress(ConnectionError):
        while part := sock.recv(1 << 16):
            data += part
    return data


# ------------------------------------------------------------------ before authentication

BEFORE: dict[str, bytes] = {
    "zeros": bytes(64),
    "ones": b"\xff" * 64,
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a TLS hello": bytes.fromhex("16030100a5010000a10303") + bytes(160),
    "a 2 GB length": struct.pack("!i", 0x7FFFFFFF) + b"\0\3\0\0",
    "a negative length": struct.pack("!i", -1) + bytes(20),
    "a length that does not hold itself": struct.pack("!i", 3),
    "a length just above the limit": struct.pack("!i", 10_001) + bytes(10_001),
    "no terminator": message(b"", struct.pack("!hh", 3, 0) + b"user\0alice\0"),
    "half a pair": message(b"", struct.pack("!hh", 3, 0) + b"user\0"),
    "no user": message(b"", struct.pack("!hh", 3, 0) + b"database\0kalam\0\0"),
    "bytes after the end": message(b"", struct.pack("!hh", 3, 0) + b"user\0alice\0\0junk"),
    "not UTF-8": message(b"", struct.pack("!hh", 3, 0) + b"user\0\xff\xfe\0\0"),
    "protocol 2": message(b"", struct.pack("!hh", 2, 0) + b"user\0alice\0\0"),
    "protocol 9": message(b"", struct.pack("!hh", 9, 0) + b"user\0alice\0\0"),
    "an unknown database": startup("alice", database="other"),
    "a bad option": startup("alice", TimeZone="Nowhere/Land"),
    "SSLRequest twice": SSL_REQUEST + SSL_REQUEST,
    "plaintext behind SSLRequest": SSL_REQUEST + startup("alice"),
    "a cancel that is too long": message(b"", struct.pack("!i", 80877102) + bytes(500)),
    "a cancel of nobody": message(b"", struct.pack("!iii", 80877102, 1, 1)),
    "a query instead of a password": startup("alice") + query("SELECT 1"),
    "an empty password": startup("alice") + message(b"p"),
    "an unknown mechanism": startup("alice") + message(b"p", b"PLAIN\0" + bytes(4)),
    "a mechanism and a lie": startup("alice") + message(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", 9999) + b"n,,"),
    "a bad SCRAM message": startup("alice") + message(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", 7) + b"n,,r=\0\xff"),
    "a huge SCRAM message": startup("alice") + message(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", 900_000) + b"n,,n=,r=" + b"x" * 899_992),
    "a 2 GB password": startup("alice") + b"p" + struct.pack("!i", 0x7FFFFFFF),
}  # fmt: skip


@pytest.mark.parametrize("what", BEFORE)
@pytest.mark.parametrize("split", [False, True], ids=["whole", "byte by byte"])
def test_garbage_before_authentication_ends_that_connection(
    server: KalamServer, what: str, split: bool
):
    data = BEFORE[what]
    with open_socket(server) as sock, suppress(ConnectionError):
        if split and len(data) < 1000:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in data:
                sock.send(bytes([byte]))
        else:
            sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        answer = read_all(sock).lstrip(b"N")
        # An error in the protocol's form, or silence; and never a way in.
        assert answer[:1] in (b"", b"E", b"R", b"v")
        assert b"R\0\0\0\x08\0\0\0\0" not in answer
        assert b"Z\0\0\0\x05" not in answer


@pytest.mark.parametrize("length", [0, 1, 4, 7, 30])
def test_half_a_startup_packet_then_silence_or_an_end(server: KalamServer, length: int):
    silent = open_socket(server)
    silent.sendall(startup("alice")[:length])
    with open_socket(server) as sock:
        sock.sendall(startup("alice")[:length])
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b""
    silent.close()


def test_a_request_for_encryption_that_is_not_there_is_answered_no(server: KalamServer):
    with open_socket(server) as sock:
        for request in (GSS_REQUEST, SSL_REQUEST):
            sock.sendall(request)
            assert sock.recv(1) == b"N"
        sock.sendall(startup("alice"))
        assert sock.recv(1) == b"R"


@pytest.mark.parametrize("user", ["alice", "nobody", "carol", "", "a" * 5000, "röt", "a'; DROP"])
def test_a_wrong_password_reads_the_same_for_everybody(server: KalamServer, user: str):
    with RawClient(server, "x", login=False) as client:
        client.send(startup(user))
        error = client.authenticate("wrong").errors[0]
        assert error["S"] == "FATAL"
        if user:
            assert error["C"] == "28P01"
            shown = user.encode()[:63].decode(errors="ignore")
            assert error["M"] in (
                f'password authentication failed for user "{user}"',
                f'password authentication failed for user "{shown}"',
            )
        assert client.closed_by_server()


# ------------------------------------------------------------------ after authentication

FATAL: dict[str, bytes] = {
    "an unknown message": message(b"~", b"x"),
    "zeros": bytes(64),
    "a 2 GB length": b"Q" + struct.pack("!i", 0x7FFFFFFF),
    "a negative length": b"Q" + struct.pack("!i", -5),
    "a length that does not hold itself": b"Q" + struct.pack("!i", 3),
    "a startup packet": startup("alice"),
    "a password": message(b"p", b"again"),
}


@pytest.mark.parametrize("what", FATAL)
def test_a_message_that_cannot_be_read_ends_its_session(server: KalamServer, what: str):
    with RawClient(server, "alice") as client:
        with suppress(ConnectionError):
            client.send(FATAL[what])
        answer = client.answer()
        assert answer.sqlstate == "08P01", answer
        assert answer.errors[0]["S"] == "FATAL"
        assert answer.kinds.endswith("E")


def _parse_with(oids: bytes) -> bytes:
    return message(b"P", b"\0SELECT 1\0" + oids)


BROKEN: dict[str, bytes] = {
    "a query without its end": message(b"Q", b"SELECT 1"),
    "bytes after a query": message(b"Q", b"SELECT 1\0more"),
    "a parse that ends early": message(b"P", b"\0SELECT"),
    "more types than there are": _parse_with(struct.pack("!h", 1000)),
    "a negative number of types": _parse_with(struct.pack("!h", -1)),
    "a bind that ends early": message(b"B", b"\0\0" + struct.pack("!hh", 0, 3)),
    "a parameter longer than the message": message(b"B", b"\0\0" + struct.pack("!hhi", 0, 1, 1 << 30)),
    "a parameter of length -2": message(b"B", b"\0\0" + struct.pack("!hhi", 0, 1, -2) + struct.pack("!h", 0)),
    "a describe of neither": message(b"D", b"X\0"),
    "a close of neither": message(b"C", b"X\0"),
    "an execute that ends early": message(b"E", b"\0\0"),
    "a sync with a body": message(b"S", b"body"),
    "a function call that ends early": message(b"F", struct.pack("!ihh", 1, 0, 9)),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_a_message_with_a_broken_body_is_08p01(server: KalamServer, what: str):
    with RawClient(server, "alice") as client:
        # A Query ends with its own ReadyForQuery, whatever became of it.
        client.send(BROKEN[what] + (b"" if BROKEN[what][:1] in b"QF" else SYNC))
        answer = client.answer()
        assert answer.sqlstate == "08P01", answer
        if answer.kinds.endswith("Z"):
            assert client.simple("SELECT 1").rows == [("1",)]


def _sequence(*parts: bytes) -> bytes:
    return b"".join(parts) + SYNC


WRONG: dict[str, tuple[bytes, str]] = {
    "execute of no portal": (execute(), "34000"),
    "describe of no portal": (DESCRIBE, "34000"),
    "describe of no statement": (message(b"D", b"Sx\0"), "26000"),
    "bind of no statement": (bind(statement="x"), "26000"),
    "a statement twice": (parse("SELECT 1", "s") + parse("SELECT 1", "s"), "42P05"),
    "a portal twice": (parse("SELECT 1") + bind(portal="p") + bind(portal="p"), "42P03"),
    "too few parameters": (parse("SELECT $1::int") + bind(), "08P01"),
    "too many parameters": (parse("SELECT 1") + bind([b"1"]), "08P01"),
    "a wrong number of formats": (parse("SELECT $1::int") + bind([b"1"], formats=[0, 0]), "08P01"),
    "an unknown format": (parse("SELECT $1::int") + bind([b"1"], formats=[7]), "22023"),
    "an unknown result format": (parse("SELECT 1") + bind(results=[7]) + execute(), "22023"),
    "a wrong number of result formats": (parse("SELECT 1") + bind(results=[0, 0]), "08P01"),
    "three bytes of integer": (parse("SELECT $1::int") + bind([b"\0\0\1"], formats=[1]), "22P03"),
    "nine bytes of bigint": (parse("SELECT $1::bigint") + bind([bytes(9)], formats=[1]), "22P03"),
    "no bytes of float": (parse("SELECT $1::float8") + bind([b""], formats=[1]), "22P03"),
    "two bytes of boolean": (parse("SELECT $1::bool") + bind([b"\1\1"], formats=[1]), "22P03"),
    "fifteen bytes of uuid": (parse("SELECT $1::uuid") + bind([bytes(15)], formats=[1]), "22P03"),
    "a numeric that lies": (parse("SELECT $1::numeric") + bind([struct.pack("!hhhh", 9, 0, 0, 0)], formats=[1]), "22P03"),
    "an array that lies": (parse("SELECT $1::int[]") + bind([struct.pack("!iiiii", 1, 0, 23, 1 << 30, 1)], formats=[1]), "22P03"),
    "an array of seven dimensions": (parse("SELECT $1::int[]") + bind([struct.pack("!iii", 7, 0, 23)], formats=[1]), "54000"),
    "a bad timestamp": (parse("SELECT $1::timestamp") + bind([bytes(7)], formats=[1]), "22P03"),
    "a jsonb of version 9": (parse("SELECT $1::jsonb") + bind([b"\x09{}"], formats=[1]), "22P03"),
    "bad JSON": (parse("SELECT $1::json") + bind([b"{"]), "22P02"),
    "a word for a number": (parse("SELECT $1::int") + bind([b"one"]), "22P02"),
    "a number too large": (parse("SELECT $1::int") + bind([b"99999999999"]), "22003"),
    "invalid UTF-8": (parse("SELECT $1::text") + bind([b"a\xff\xfeb"]), "22021"),
    "invalid UTF-8 in binary": (parse("SELECT $1::text") + bind([b"a\xff\xfeb"], formats=[1]), "22021"),
    "a surrogate": (parse("SELECT $1::text") + bind([b"\xed\xa0\x80"]), "22021"),
    "NUL in text": (parse("SELECT $1::text") + bind([b"a\0b"]), "22021"),
    "NUL in binary text": (parse("SELECT $1::text") + bind([b"a\0b"], formats=[1]), "22021"),
    "two statements in one": (parse("SELECT 1; SELECT 2"), "42601"),
    "an unknown table": (parse("SELECT * FROM hostile.nothing"), "42P01"),
    "an unknown column": (parse("SELECT nothing FROM hostile.t"), "42703"),
    "an unknown function": (parse("SELECT nothing(1)"), "42883"),
    "an unknown schema": (parse("SELECT * FROM nothing.t"), "42P01"),
    "an unknown type": (parse("SELECT 1::nothing"), "42704"),
    "an unknown parameter type": (parse("SELECT $1", types=[999_999]), "0A000"),
    "a parameter without a type": (parse("SELECT $1 + $2"), "42725"),
    "parameter 70000": (parse("SELECT $70000"), "42P02"),
    "parameter 0": (parse("SELECT $0"), "42P02"),
    "nonsense": (parse("FROBNICATE THE TABLE"), "42601"),
    "an unterminated string": (parse("SELECT 'abc"), "42601"),
    "an unterminated comment": (parse("SELECT 1 /* abc"), "42601"),
    "an unterminated dollar quote": (parse("SELECT $$abc"), "42601"),
    "an unterminated name": (parse('SELECT "abc'), "42601"),
    "an empty name": (parse('SELECT ""'), "42601"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_and_the_session_goes_on(server: KalamServer, what: str):
    data, sqlstate = WRONG[what]
    with RawClient(server, "alice") as client:
        client.send(_sequence(data, parse("SELECT 'skipped'"), bind(), execute()))
        answer = client.answer()
        assert answer.kinds[-2:] == "EZ", answer
        assert answer.rows == []
        for field in ("S", "V", "C", "M"):
            assert answer.errors[0][field]
        found = answer.sqlstate
        assert client.simple("SELECT 1").rows == [("1",)]
        assert client.extended("SELECT $1::int", b"7").rows == [("7",)]
        assert found == sqlstate, answer.errors


def test_copy_messages_from_nowhere_are_ignored(server: KalamServer):
    with RawClient(server, "alice") as client:
        client.send(message(b"d", b"data") + message(b"c") + message(b"f", b"why\0"))
        assert client.simple("SELECT 1").rows == [("1",)]


def test_a_thousand_parameters_and_too_many(server: KalamServer):
    with RawClient(server, "alice") as client:
        marks = ", ".join(f"${n}::int" for n in range(1, 1001))
        answer = client.extended(f"SELECT ARRAY[{marks}]", *[b"5"] * 1000)
        assert answer.rows == [("{" + ",".join(["5"] * 1000) + "}",)]
        client.send(parse("SELECT 1") + bind([b"1"] * 65_000) + SYNC)
        assert client.answer().sqlstate == "08P01"
        assert client.simple("SELECT 1").rows == [("1",)]


def test_half_a_message_then_the_rest_much_later(server: KalamServer, bystander: RawClient):
    with RawClient(server, "alice") as client:
        data = query("SELECT 'late'")
        client.send(data[:7])
        assert bystander.simple("SELECT 1").rows == [("1",)]
        client.send(data[7:])
        assert client.answer().rows == [("late",)]
        client.send(data[:9])  # … and then it is gone.


def test_a_hundred_thousand_bytes_declared_and_never_sent(server: KalamServer):
    clients = [RawClient(server, "alice") for _ in range(20)]
    for client in clients:
        client.send(b"Q" + struct.pack("!i", 1_000_000) + b"SELECT")
    for client in clients:
        client.close()


EMPTY = ("", ";", ";;", " ; \n ;", "-- nothing", "/* nothing */", "/* a /* b */ c */ ;")


@pytest.mark.parametrize("text", EMPTY)
def test_an_empty_query_is_answered_as_empty(server: KalamServer, text: str):
    with RawClient(server, "alice") as client:
        assert client.simple(text).kinds == "IZ"
        client.send(parse(text) + bind() + DESCRIBE + execute() + SYNC)
        assert client.answer().kinds == "12nIZ"
        answer = client.simple(f"SELECT 1;{text};")
        assert (answer.rows, answer.kinds) == ([("1",)], "TDCZ")


# ------------------------------------------------------------------ in the middle of things

LONG = "SELECT count(*) FROM generate_series(1, 20000) a, generate_series(1, 20000) b, generate_series(1, 100) c WHERE (a * b + c) % 7 = 3"
MANY = "SELECT g, repeat('x', 100) FROM generate_series(1, 100000) g"


def workers(server: KalamServer) -> list[int]:
    """The processes that run queries: what the server's fork server has forked."""
    assert server.process is not None
    forks = children(server.process.pid)
    return [pid for fork_server in forks for pid in children(fork_server)]


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    return [int(pid) for t in tasks.iterdir() for pid in (t / "children").read_text().split()]


def cpu_ticks(pid: int) -> int:
    """User time of a process; of one that is gone, none."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def busy_worker(server: KalamServer, among: Collection[int] = ()) -> int:
    """The worker that uses the processor, once there is one. A new one does, too, while it starts."""
    before: dict[int, int] = {}
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        # One that the test before has lost may just be replaced.
        for pid in among or workers(server):
            if cpu_ticks(pid) - before.setdefault(pid, cpu_ticks(pid)) > 5:
                return pid
        time.sleep(0.02)  # Another process's use of the processor can only be asked for.
    raise AssertionError("no worker is busy")


def test_a_query_whose_worker_is_killed_is_tried_once_more_and_ends_with_an_error(
    server: KalamServer, bystander: RawClient
):
    with RawClient(server, "alice") as client:
        client.send(query(LONG))
        first = busy_worker(server)
        others = set(workers(server)) - {first}
        os.kill(first, signal.SIGKILL)
        os.kill(busy_worker(server, others), signal.SIGKILL)
        assert client.answer().sqlstate == "58000"
        assert bystander.simple("SELECT count(*) FROM generate_series(1, 1000) g").rows == [
            ("1000",)
        ]
        assert client.simple("SELECT count(*) FROM generate_series(1, 9) g").rows == [("9",)]


def test_every_worker_killed_at_once_is_survived(server: KalamServer):
    for pid in workers(server):
        os.kill(pid, signal.SIGSEGV)
    with RawClient(server, "alice") as client:
        client.simple("SELECT count(*) FROM generate_series(1, 10) g, generate_series(1, 10) h")
        text = "SELECT count(*) FROM generate_series(1, 10) g, generate_series(1, 10) h"
        assert client.simple(text).rows == [("100",)]


def test_statement_timeout_ends_a_long_query(server: KalamServer):
    with RawClient(server, "alice") as client:
        client.simple("SET statement_timeout = '100ms'")
        start = time.monotonic()
        answer = client.simple(LONG)
        assert answer.sqlstate == "57014"
        assert "statement timeout" in answer.errors[0]["M"]
        assert time.monotonic() - start < 5
        assert client.extended(LONG).sqlstate == "57014"
        client.simple("SET statement_timeout = 0")
        assert client.simple("SELECT 1").rows == [("1",)]


def cancel(server: KalamServer, key: bytes) -> None:
    """Send a CancelRequest on a connection of its own."""
    with open_socket(server) as sock:
        sock.sendall(message(b"", struct.pack("!i", 80877102) + key))
        assert read_all(sock) == b""


def test_a_cancel_request_ends_the_query_of_its_key_only(server: KalamServer, bystander: RawClient):
    with RawClient(server, "alice") as client:
        client.send(query(LONG))
        busy_worker(server)
        pid, secret = client.key[:4], client.key[4:]
        # A wrong secret, another's process, nobody's: nothing happens.
        for wrong in (pid + bytes(4), bystander.key[:4] + secret, bytes(8)):
            cancel(server, wrong)
        assert bystander.simple("SELECT 1").rows == [("1",)]
        cancel(server, client.key)
        answer = client.answer()
        assert answer.sqlstate == "57014"
        assert "user request" in answer.errors[0]["M"]
        # One that comes late cancels nothing.
        cancel(server, client.key)
        assert client.simple("SELECT 1").rows == [("1",)]


def test_psycopg_cancels_and_goes_on(server: KalamServer):
    with server.connect("alice") as connection:
        connection.execute("SET statement_timeout = '10s'")
        with connection.cursor() as cursor:
            import threading

            timer = threading.Timer(0.5, connection.cancel)
            timer.start()
            with pytest.raises(psycopg.errors.QueryCanceled):
                cursor.execute(LONG)
            timer.join()
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_slow_reader_of_a_large_result_gets_all_of_it(server: KalamServer, bystander: RawClient):
    with RawClient(server, "alice") as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.send(query(MANY))
        for _ in range(5):
            client.received += client.socket.recv(2000)
            assert bystander.simple("SELECT count(*) FROM generate_series(1, 100) g").rows == [
                ("100",)
            ]
        answer = client.answer()
        assert len(answer.rows) == 100_000
        assert answer.tags == ["SELECT 100000"]


@pytest.mark.parametrize("how", ["close", "reset", "terminate"])
def test_a_client_that_leaves_in_the_middle_of_a_result(server: KalamServer, how: str):
    for _ in range(5):
        client = RawClient(server, "alice")
        client.send(query(MANY))
        client.socket.recv(5000)
        if how == "reset":
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif how == "terminate":
            client.send(TERMINATE)
        client.close()


@pytest.mark.parametrize("text", [LONG, "BEGIN; UPDATE hostile.u SET v = 'x'", f"BEGIN; {LONG}"])
def test_a_client_that_leaves_in_the_middle_of_a_statement(server: KalamServer, text: str):
    for _ in range(3):
        client = RawClient(server, "alice")
        client.send(query(text))
        client.close()


def test_a_pipeline_that_is_never_read_is_not_kept_in_memory(
    server: KalamServer, bystander: RawClient
):
    """A client that only writes is not read from, so it cannot fill the server with answers."""
    with RawClient(server, "alice") as client:
        client.socket.settimeout(1)
        one = query("SELECT repeat('x', 100000)") * 100
        with suppress(TimeoutError):
            for _ in range(200):
                client.send(one)
        assert server.process is not None
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        resident_kb = int(status.partition("VmRSS:")[2].split()[0])
        assert resident_kb < 1_000_000
        assert bystander.simple("SELECT 1").rows == [("1",)]


def test_a_thousand_idle_connections(server: KalamServer, bystander: RawClient):
    clients: list[RawClient] = []
    try:
        for _ in range(1000):
            client = RawClient(server, "root")
            clients.append(client)
        assert bystander.simple("SELECT 1").rows == [("1",)]
        for client in (clients[0], clients[500], clients[-1]):
            assert client.simple("SELECT count(*) FROM hostile.t").tags == ["SELECT 1"]
    finally:
        for client in clients:
            client.close()


def _repeat(action: Callable[[], None], times: int) -> None:
    for _ in range(times):
        action()


def test_connections_that_come_and_go_leave_nothing_behind(server: KalamServer):
    assert server.process is not None
    descriptors = Path(f"/proc/{server.process.pid}/fd")

    def come_and_go() -> None:
        with RawClient(server) as client:
            client.send(query("SELECT count(*) FROM generate_series(1, 10) g") + TERMINATE)
            client.closed_by_server()

    _repeat(come_and_go, 5)
    before = len(list(descriptors.iterdir()))
    _repeat(come_and_go, 50)
    assert len(list(descriptors.iterdir())) <= before + 5
