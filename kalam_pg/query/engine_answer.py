"""An engine's answer, with somebody to close it from before it is asked for until it has ended.

A worker is given while nobody looks: between that and the statement's next turn the client may be gone,
and a statement that gets no turn closes nothing. So one task asks, reads and closes; the statement only
tells it what to do next, and whoever owns the `EngineAnswer` (see `Execution.own`) ends that task by
`close`, at any time.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from math import inf
from typing import Any, TypeAlias, TypeVar

import trio

from catalog.errors import FeatureNotSupportedError, QueryCanceledError
from kalam_pg.engines.request import Engine, EngineQuery, Limits, ResultStream, WireChunk
from kalam_pg.failures import report
from kalam_pg.memory import Lease
from kalam_pg.query.waits import Resume, Spawn, Steps, Wait, wait
from storage.errors import KalamError

T = TypeVar("T")

Reserve: TypeAlias = Callable[[], EngineQuery | None]
"""What to ask when the engine cannot run a query; None: there is nothing."""

STOOD_IN = "a program answered for the engine"
"""What is logged of a fault of the translation, or of the engine, that cost nobody an answer."""


class EngineAnswer:
    """The answer to one query: asked for at its first use, over when a use fails or is the last."""

    __slots__ = (
        "_closed", "_engine", "_lease", "_limits", "_query", "_reserve", "_running", "_scope", "_use",
        "_wake",
    )  # fmt: skip

    def __init__(
        self,
        engine: Engine,
        query: EngineQuery,
        limits: Limits,
        reserve: Reserve | None = None,
        lease: Lease | None = None,
    ) -> None:
        """lease: of the query's own bytes, which ends with the answer."""
        self._engine = engine
        self._query: EngineQuery | None = query
        self._limits = limits
        self._reserve = reserve
        self._lease = lease
        self._closed = False
        self._running = False
        self._scope = trio.CancelScope()
        self._use: _Use | None = None
        self._wake = trio.Event()

    @property
    def user(self) -> int:
        """Whose query it is."""
        return self._limits.user

    def use(
        self,
        function: Callable[[ResultStream], Awaitable[T]],
        *,
        last: bool = False,
        timeout_s: float = 0.0,
    ) -> Steps[T]:
        """Let the task that has the stream run `function`. One use at a time.

        last: the worker is given back before the statement goes on. timeout_s: 0 is none; when it
        passes this raises 57014, and the answer is over.
        """
        assert not self._closed, "the answer is over"
        value: T = yield from wait(_Use(self, function, last=last, timeout_s=timeout_s))
        return value

    def close(self) -> None:
        """Stop the query if it runs; its worker is free, or killed, soon after. Again is no error."""
        self._closed = True
        self._scope.cancel()
        if not self._running and self._lease is not None:
            self._lease.end()

    def _begin(self, use: "_Use", spawn: Spawn) -> None:
        self._use = use
        self._wake.set()
        if not self._running:
            self._running = True
            spawn(self._run)

    async def _run(self) -> None:
        try:
            with self._scope:
                await self._serve()
        finally:
            self._closed = True
            if self._lease is not None:
                self._lease.end()
            # No circle is left: the query may have parameters of many megabytes.
            use, self._use = self._use, None
            if use is not None:
                use.end()

    async def _serve(self) -> None:
        stream: ResultStream | None = None
        try:
            while (use := self._use) is not None:
                try:
                    with use.scope:
                        if stream is None:
                            stream = await self._ask()
                        use.value = await use.function(stream)
                        # Who asked it to stop is not asked to ask again, though it was done by then.
                        use.done = not use.scope.cancel_called
                except Exception as exc:  # noqa: BLE001 -- handed to the statement, which knows what to say
                    use.error = exc
                if use.last or not use.done:
                    return
                self._use, self._wake = None, trio.Event()
                use.end()
                await self._wake.wait()
        finally:
            if stream is not None:
                with trio.CancelScope(shield=True):
                    await stream.aclose()

    async def _ask(self) -> ResultStream:
        query, self._query = self._query, None
        assert query is not None, "it is asked once"
        stream = await self._engine.run(query, self._limits)
        if self._reserve is None:
            return stream
        return _WithReserve(stream, self._reserve, lambda q: self._engine.run(q, self._limits))


class _WithReserve:
    """An answer that begins again as that of another query, if the engine cannot run the first."""

    def __init__(
        self,
        stream: ResultStream,
        reserve: Reserve,
        run: Callable[[EngineQuery], Awaitable[ResultStream]],
    ) -> None:
        self._stream = stream
        self._chunks = aiter(stream)
        self._reserve: Reserve | None = reserve
        self._run = run
        self._lends = False

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    def lend(self) -> AsyncIterator[WireChunk]:
        """See `request.ResultStream`."""
        self._lends = True
        self._chunks = self._stream.lend()
        return self

    async def __anext__(self) -> Any:  # noqa: ANN401 -- as the query's result is
        try:
            chunk = await anext(self._chunks)
        except KalamError as exc:
            if not isinstance(exc, FeatureNotSupportedError) and exc.sqlstate != "XX000":
                raise
            query = None if self._reserve is None else self._reserve()
            if query is None:
                raise
            if exc.sqlstate == "XX000":
                report(STOOD_IN, exc)
        else:
            self._reserve = None
            return chunk
        self._reserve = None
        await self._stream.aclose()
        self._stream = await self._run(query)
        self._chunks = self._stream.lend() if self._lends else aiter(self._stream)
        return await anext(self._chunks)

    async def aclose(self) -> None:
        """Stop whichever query runs."""
        await self._stream.aclose()


class _Use(Wait):
    """What a statement has the task do, and waits for."""

    __slots__ = ("_answer", "_resume", "_timeout_s", "_why", "done", "function", "last", "scope")

    def __init__(
        self,
        answer: EngineAnswer,
        function: Callable[[ResultStream], Awaitable[object]],
        *,
        last: bool,
        timeout_s: float,
    ) -> None:
        super().__init__()
        self.function = function
        self.last = last
        self.done = False
        self.scope = trio.CancelScope()
        self._answer = answer
        self._timeout_s = timeout_s
        self._why: BaseException = QueryCanceledError(
            "canceling statement due to statement timeout"
        )
        self._resume: Resume | None = None

    def start(self, resume: Resume, spawn: Spawn) -> None:
        self._resume = resume
        self.scope.deadline = trio.current_time() + self._timeout_s if self._timeout_s else inf
        self._answer._begin(self, spawn)  # noqa: SLF001 -- a part of it

    def cancel(self, error: BaseException | None = None) -> None:
        self._why = error or QueryCanceledError("canceling statement due to user request")
        self.scope.cancel()

    def end(self) -> None:
        """Let the statement go on."""
        if not self.done and self.error is None:
            self.error = self._why
        assert self._resume is not None
        self._resume()
