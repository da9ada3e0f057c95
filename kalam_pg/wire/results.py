"""Sending an engine's answer: chunks of DataRow messages, no faster than the client reads."""

from typing import TYPE_CHECKING

from kalam_pg.engines.request import ResultStream
from kalam_pg.query.engine_answer import EngineAnswer
from kalam_pg.query.waits import Steps

if TYPE_CHECKING:
    from kalam_pg.wire.session import Session


def pump(session: "Session", answer: EngineAnswer) -> Steps[int]:
    """Forward every chunk; the number of rows sent. A cancelled pump stops the query."""
    transport = session.transport
    assert session.sql is not None
    timeout_s = int(session.sql.settings["statement_timeout"]) / 1000.0

    async def forward(stream: ResultStream) -> int:
        count = 0
        async for chunk in stream.lend():
            transport.write(chunk.data)
            count += chunk.rows
            await transport.drain()
        return count

    return (yield from answer.use(forward, last=True, timeout_s=timeout_s))
