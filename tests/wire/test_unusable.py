"""No statement, setting or failure leaves a session that cannot be used or reset."""

from collections.abc import Iterator

import pytest

from tests.wire.raw import RawClient
from tests.wire.server import KalamServer

pytestmark = pytest.mark.slow

SERIALIZABLE = [
    "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "SET default_transaction_isolation = serializable",
    "SET default_transaction_isolation TO 'SERIALIZABLE'",
    "SET LOCAL default_transaction_isolation = serializable",
    "SET transaction_isolation = 'serializable'",
    "SET TRANSACTION_ISOLATION TO serializable",
    "BEGIN ISOLATION LEVEL SERIALIZABLE",
    "START TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY",
]

RESETS = ["RESET ALL", "DISCARD ALL", "ROLLBACK", "BEGIN", "SELECT 1", "COMMIT"]


@pytest.fixture
def client(server: KalamServer) -> Iterator[RawClient]:
    with RawClient(server, "alice") as found:
        yield found


def status(client: RawClient) -> bytes:
    """ReadyForQuery's letter, as it came last."""
    return bytes(client.received[-1:])


def usable(client: RawClient) -> bool:
    """Whether everything that a pool sends between two of its users works."""
    return all(client.simple(text).sqlstate is None for text in RESETS) and status(client) == b"I"


@pytest.mark.parametrize("text", SERIALIZABLE)
def test_serializable_leaves_a_session_that_can_be_reset(client: RawClient, text: str):
    answer = client.simple(text)
    assert answer.sqlstate is None
    client.simple("ROLLBACK")
    assert usable(client)
    assert client.simple("SHOW transaction_isolation").rows == [("read committed",)]


def test_a_begin_that_fails_in_a_text_of_several_statements_leaves_no_block(client: RawClient):
    answer = client.simple("SELECT id FROM (VALUES (1)) v(id); BEGIN ISOLATION LEVEL SERIALIZABLE")
    assert (answer.sqlstate, status(client)) == ("25001", b"I")
    assert usable(client)


def test_serializable_in_the_startup_packet_is_the_sessions_default(server: KalamServer):
    options = "-c default_transaction_isolation=serializable"
    with server.connect("alice", options=options) as alice:
        for statement in "SHOW default_transaction_isolation", "SHOW transaction_isolation":
            assert alice.execute(statement).fetchone() == ("serializable",)
        alice.execute("RESET ALL")
        assert alice.execute("SHOW transaction_isolation").fetchone() == ("serializable",)


@pytest.mark.parametrize(
    "text",
    [
        "SET transaction_isolation = 'bogus'",
        "SET transaction_read_only = 'bogus'",
        "SET statement_timeout = 'inf'",
        "SET extra_float_digits = 'nan'",
        "SET TIME ZONE 'nan'",
        "SET TIME ZONE '-inf'",
        "SET default_transaction_isolation = 'none'",
    ],
)
def test_a_value_that_means_nothing_is_22023(client: RawClient, text: str):
    assert client.simple(text).sqlstate == "22023"
    assert usable(client)


@pytest.mark.parametrize(
    "how", ["RESET transaction_isolation", "SET transaction_isolation TO DEFAULT"]
)
def test_resetting_the_isolation_of_a_transaction_is_setting_it(client: RawClient, how: str):
    client.simple("BEGIN ISOLATION LEVEL REPEATABLE READ")
    client.simple(how)
    assert client.simple("SHOW transaction_isolation").rows == [("read committed",)]
    client.simple("ROLLBACK")
    assert usable(client)


ODD = [
    "SET search_path TO ''",
    'SET search_path TO "no such schema", \'"\'',
    "SET a.b = 'c'",
    "SET statement_timeout = 1",
    "SET lock_timeout = 1",
    "SET default_transaction_read_only = on",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "SET default_transaction_isolation = 'read uncommitted'",
    "SET default_transaction_deferrable = on",
    "SET TIME ZONE '-14:59'",
    "SET TIME ZONE -0.5",
    "SET TIME ZONE 'Antarctica/Troll'",
    "SET DateStyle = 'YMD'",
    "SET extra_float_digits = -15",
    "SET bytea_output = 'escape'",
    "SET client_min_messages = error",
    "SET ROLE alice",
    "SET SESSION AUTHORIZATION alice",
    "SET idle_session_timeout = '1h'",
    "SET work_mem = '64kB'",
    "SET row_security = off",
    "SET application_name = ''",
]


@pytest.mark.parametrize("text", ODD)
def test_whatever_is_set_can_be_reset(client: RawClient, text: str):
    client.simple(text)
    assert usable(client)
    client.simple("BEGIN")
    client.simple(text)
    client.simple("SELECT 1/0")
    client.simple("ROLLBACK")
    assert usable(client)
