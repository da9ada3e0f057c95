"""A client that sends more than it reads is answered as far as it reads, whatever it asks for."""

import pytest

from kalam_pg.pgwire.messages import Describe
from kalam_pg.wire.protocols import PAUSE
from kalam_pg.wire.session import OUTBOX_BYTES_MAX
from tests import frontend
from tests.kalam_pg.wire.clients import Client, serving

WIDE = "SELECT " + ", ".join(f"1 AS {'c' * 50}{n}" for n in range(1600))
ASKED = 40
FIRST = b"c" * 50 + b"0\0"
"""Of the columns that every answer names."""


@pytest.mark.parametrize("before", ["SELECT 1", "BEGIN"])
async def test_many_answers_of_one_turn_wait_for_the_reader(tmp_path, before):
    async with serving(tmp_path) as server:
        client = Client(server)
        await client.prepare("wide", WIDE)
        await client.query(before)
        session = client.session
        session.feed(frontend.encode(Describe("S", "wide")) * ASKED)
        told, largest, work = 0, 0, PAUSE
        while work is PAUSE:
            work = session.advance()
            largest = max(largest, len(session.outbox))
            told += session.outbox.count(FIRST)
            session.outbox.clear()  # Its client has read all that there was.
        assert work is None
        assert told == ASKED
        assert largest < OUTBOX_BYTES_MAX + (256 << 10)
