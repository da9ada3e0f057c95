"""The stream of an engine's answer, used by one statement after the other."""

import pytest
import trio

from catalog.errors import DivisionByZeroError, FeatureNotSupportedError, QueryCanceledError
from kalam_pg.engines.errors import internal_error
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


class Chunks(Stream):
    """An answer of some chunks, or an error in place of one."""

    def __init__(self, *chunks):
        self._chunks = iter(chunks)

    def __aiter__(self):
        return self

    async def __anext__(self):
        chunk = next(self._chunks, None)
        if chunk is None:
            raise StopAsyncIteration
        if isinstance(chunk, Exception):
            raise chunk
        return chunk


class Answers:
    """Answers one query behind the other."""

    def __init__(self, *streams):
        self._streams = iter(streams)

    async def run(self, _query, _limits):
        return next(self._streams)


async def _read(*streams):
    """The chunks that a statement is given, or the error."""
    query = EngineQuery("", (), (), ArrowResult(), {})
    answer = EngineAnswer(Answers(*streams), query, Limits(), lambda: query)

    async def every(stream):
        return [chunk async for chunk in stream]

    steps = answer.use(every, last=True)
    step = next(steps)
    async with trio.open_nursery() as nursery:
        ended = trio.Event()
        step.start(ended.set, nursery.start_soon)
        await ended.wait()
    steps.close()
    return step.error or step.value


@pytest.mark.parametrize(
    "failure", [internal_error("a bug"), FeatureNotSupportedError("not in the engine")]
)
async def test_a_program_answers_what_the_engine_cannot_or_fails_at(failure):
    broken = Chunks(failure)
    assert await _read(broken, Chunks(1, 2)) == [1, 2]
    assert broken.closed


async def test_no_program_answers_what_is_an_error_of_the_statement():
    wrong = DivisionByZeroError("division by zero")
    assert await _read(Chunks(wrong), Chunks(1)) is wrong


async def test_no_program_answers_once_rows_have_come():
    bug = internal_error("a bug")
    assert await _read(Chunks(1, bug), Chunks(1, 2)) is bug
