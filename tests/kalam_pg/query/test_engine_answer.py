"""The stream of an engine's answer, used by one statement after the other."""

import trio

from catalog.errors import QueryCanceledError
from kalam_pg.engines.request import ArrowResult, EngineQuery, Limits
from kalam_pg.query.engine_answer import EngineAnswer


class Stream:
    """An answer without rows, which knows whether it was closed."""

    closed = False

    async def aclose(self):
        self.closed = True


class Engine:
    """Answers everything with the one stream."""

    def __init__(self):
        self.stream = Stream()

    async def run(self, _query, _limits):
        return self.stream


async def test_what_is_done_when_it_is_cancelled_is_cancelled_all_the_same():
    engine = Engine()
    query = EngineQuery("", (), (), ArrowResult(), {})
    answer = EngineAnswer(engine, query, Limits())

    async def almost_done(_stream):
        step.cancel()  # There is no checkpoint behind it that would notice.
        return 1

    step = next(answer.use(almost_done))
    async with trio.open_nursery() as nursery:
        ended = trio.Event()
        step.start(ended.set, nursery.start_soon)
        await ended.wait()
    assert isinstance(step.error, QueryCanceledError)
    assert engine.stream.closed
