"""What a session listens to is in its account."""

from kalam_pg.pgwire.messages import ErrorResponse, Query
from kalam_pg.sessions.listening import LISTENED_BYTES
from tests.kalam_pg.wire.clients import Client, serving, tags

CHANNELS = 500


async def test_a_session_cannot_listen_to_more_than_its_account_allows(tmp_path):
    async with serving(tmp_path) as server:
        accounts = server.services.database.accounts
        client = Client(server)
        accounts.session_max = accounts.total + 8 * CHANNELS * LISTENED_BYTES
        listened = 0
        while listened < 40 * CHANNELS:
            names = [f"c{n}" for n in range(listened, listened + CHANNELS)]
            answers = await client.ask(Query("; ".join(f"LISTEN {name}" for name in names)))
            if any(isinstance(one, ErrorResponse) for one in answers):
                break
            listened += CHANNELS
        assert "53200" in tags(answers)
        assert CHANNELS <= listened <= 8 * CHANNELS
        await client.query("UNLISTEN *")
        assert tags(await client.ask(Query("; ".join(["LISTEN again"] * CHANNELS))))[0] == "LISTEN"
