"""Two users (and a service, a dba and the system) with rows of the same keys, each marked as its owner's.

Everybody's `notes` have the keys 1, 2, 3 … with another count, another text (`CANARY`) and another number
for each role, so that a row, a count or a key of another's is seen wherever it comes out.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.wire.raw import Answer, RawClient
from tests.wire.server import KalamServer

ROLES = ("alice", "bob", "carol", "dora", "root")
COUNTS = {"alice": 2, "bob": 3, "carol": 1, "dora": 4, "root": 0}
PROTOCOLS: dict[str, Callable[..., Answer]] = {
    "simple": RawClient.simple,
    "extended": RawClient.extended,
}
SCHEMA = "iso"

Own = list[tuple[str, str, str]]
"""(id, secret, amount) of a role's rows in key order, as text."""


def own_rows(role: str) -> Own:
    """What `role` has in `notes`."""
    first = 7_300_000_000 + 10_000_000 * ROLES.index(role)
    return [(str(n), f"canary-of-{role}-{n}", str(first + n)) for n in range(1, COUNTS[role] + 1)]


def canaries(role: str) -> list[bytes]:
    """Bytes that only `role` may receive: texts, numbers, and the numbers in binary."""
    found = [b"canary-of-" + role.encode()]
    for _, _, amount in own_rows(role):
        found += [amount.encode(), int(amount).to_bytes(8, "big")]
    return found


def assert_sees_only_own(role: str, received: bytes) -> None:
    """No canary of anybody else is in what `role` received."""
    for other in ROLES:
        if other != role:
            for canary in canaries(other):
                assert canary not in received, f"{role} received {canary!r}, which is {other}'s"


SETUP = f"""
    CREATE NAMESPACE {SCHEMA};
    CREATE TABLE {SCHEMA}.notes (
      id BIGINT PRIMARY KEY, secret TEXT NOT NULL, amount BIGINT NOT NULL CHECK (amount > 0)
    ) WITH (TYPE = 'USER');
    CREATE TABLE {SCHEMA}.pairs (a INT, b TEXT, v TEXT, PRIMARY KEY (a, b)) WITH (TYPE = 'USER');
    CREATE TABLE {SCHEMA}.events (id BIGINT PRIMARY KEY, secret TEXT)
      WITH (TYPE = 'STREAM', TTL_SECONDS = 3600);
    CREATE TABLE {SCHEMA}.open (id INT PRIMARY KEY, body TEXT)
      WITH (TYPE = 'SHARED', ACCESS_LEVEL = 'PUBLIC');
    CREATE TABLE {SCHEMA}.closed (id INT PRIMARY KEY, body TEXT)
      WITH (TYPE = 'SHARED', ACCESS_LEVEL = 'PRIVATE');
    CREATE TABLE {SCHEMA}.granted (id INT PRIMARY KEY, body TEXT)
      WITH (TYPE = 'SHARED', ACCESS_LEVEL = 'RESTRICTED');
    CREATE VIEW {SCHEMA}.secrets AS SELECT id, secret FROM {SCHEMA}.notes;
    CREATE VIEW {SCHEMA}.peep AS SELECT body FROM {SCHEMA}.closed;
    INSERT INTO {SCHEMA}.open VALUES (1, 'for all');
    INSERT INTO {SCHEMA}.closed VALUES (1, 'service-and-up');
    INSERT INTO {SCHEMA}.granted VALUES (1, 'by-grant-only');
"""


def fill(client: RawClient) -> None:
    """Give a role its rows."""
    for id_, secret, amount in own_rows(client.user):
        for text in (
            f"INSERT INTO {SCHEMA}.notes VALUES ({id_}, '{secret}', {amount})",
            f"INSERT INTO {SCHEMA}.pairs VALUES ({id_}, 'k', '{secret}')",
            f"INSERT INTO {SCHEMA}.events VALUES ({id_}, '{secret}')",
        ):
            answer = client.simple(text)
            assert answer.tags == ["INSERT 0 1"], answer.errors


@dataclass
class House:
    """A server with everybody's rows in it, and an open connection for each."""

    server: KalamServer
    clients: dict[str, RawClient]

    def fresh(self, role: str) -> RawClient:
        """Another connection of a role."""
        return RawClient(self.server, role)

    def assert_untouched(self) -> None:
        """Everybody still has exactly their own rows."""
        for role, client in self.clients.items():
            answer = client.simple(f"SELECT * FROM {SCHEMA}.notes ORDER BY id")
            assert answer.rows == own_rows(role)


@contextmanager
def furnished(server: KalamServer) -> Iterator[House]:
    """Create the tables and the rows in a server that has the usual users."""
    with RawClient(server) as root:
        assert root.simple(SETUP).sqlstate is None
    house = House(server, {role: RawClient(server, role) for role in ROLES})
    for client in house.clients.values():
        fill(client)
    try:
        yield house
    finally:
        for client in house.clients.values():
            client.close()
