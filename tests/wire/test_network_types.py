"""inet, cidr and macaddr through drivers, in text and binary, hot and cold."""

import asyncio
from ipaddress import ip_address, ip_interface, ip_network

import asyncpg
import pytest

HOSTS = "CREATE TABLE hosts (ip inet PRIMARY KEY, net cidr, mac macaddr)"
ROW = (ip_interface("10.1.2.3/8"), ip_network("10.0.0.0/8"), "08:00:2b:01:02:03")


@pytest.mark.parametrize("binary", [False, True])
def test_psycopg_reads_what_it_wrote(server, binary):
    with server.root() as root:
        root.execute("DROP TABLE IF EXISTS hosts")
        root.execute(HOSTS)
        form = "%b, %b, %t" if binary else "%t, %t, %t"
        root.execute(f"INSERT INTO hosts VALUES ({form})", ROW)
        root.execute("INSERT INTO hosts VALUES ('::1', '2001:db8::/32', NULL)")
        mac = bytes.fromhex("08002b010203") if binary else ROW[2]  # it has no loader of its own
        rows = [(*ROW[:2], mac), (ip_address("::1"), ip_network("2001:db8::/32"), None)]
        asked = root.cursor(binary=binary)
        for _ in ("hot", "cold"):
            assert asked.execute("SELECT * FROM hosts ORDER BY ip").fetchall() == rows
            found = asked.execute("SELECT mac FROM hosts WHERE ip = %s", (ROW[0],)).fetchall()
            assert found == [(mac,)]
            root.execute("STORAGE FLUSH TABLE hosts")


def test_asyncpg_reads_what_it_wrote(server):
    async def talk() -> None:
        connection = await asyncpg.connect(server.dsn("alice"))
        try:
            asked = "SELECT $1::inet, $2::cidr, $3::macaddr, $4::inet[]"
            values = [ROW[0], ROW[1], ROW[2], [ip_address("::1"), None]]
            assert list(await connection.fetchrow(asked, *values)) == values
        finally:
            await connection.close()

    asyncio.run(talk())
