"""The rest of an answer that nobody reads now, out of the way: in a file, so that its worker is free.

A cursor that is not read on, a statement that waits for a lock and a client that does not read would each
keep a worker as long as they like. When others wait for one, the pool has what they have not read yet
written to a file without a name, and they read it there.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import trio

from kalam_pg.engines.errors import internal_error
from kalam_pg.engines.process import RECEIVE_BYTES, WorkerLostError, WorkerProcess, why_lost
from kalam_pg.engines.protocol import WorkerFrame, decode_done, decode_placed
from kalam_pg.failures import report
from storage.errors import KalamError
from storage.fs import ScratchFile

if TYPE_CHECKING:
    from kalam_pg.engines.pool import Pool


class Parked:
    """Frames on their way from a worker to a file, and from there to who reads the answer."""

    def __init__(
        self,
        pool: "Pool",
        worker: WorkerProcess,
        new_file: Callable[[], ScratchFile],
        *,
        long: bool,
    ) -> None:
        """long: whether the query's text is (`process.why_lost`)."""
        self._pool = pool
        self._worker = worker
        self._new_file = new_file
        self._long = long
        self._file: ScratchFile | None = None
        self._frames: list[tuple[WorkerFrame, int, int]] = []  # kind, offset and size of each
        self._read = 0
        self._more = trio.Event()
        self._scope = trio.CancelScope()
        self._closed = False
        self._over = False
        self._error: KalamError | None = None

    async def fill(self) -> None:
        """Empty the worker and give it back. To be run as a task of its own."""
        worker, done = self._worker, False
        try:
            with self._scope:
                self._file = await trio.to_thread.run_sync(self._new_file)
                while not done:
                    kind, body = await worker.receive()
                    if kind is WorkerFrame.DONE:
                        worker.held.difference_update(decode_done(body).dropped)
                        done = True
                    else:
                        await self._put(*self._copied(kind, body))
        except WorkerLostError:
            worker.put_down()
            with trio.CancelScope(shield=True):
                await worker.gone.wait()
            self._error = why_lost(worker, long=self._long)
        except KalamError as exc:  # The disk is full.
            self._error = exc
        except Exception as exc:  # noqa: BLE001 -- the worker sends nonsense
            report("worker_unreadable", exc)
            self._error = internal_error("a worker's answer cannot be read")
        finally:
            self._over = True
            self._more.set()
            if done or worker.gone.is_set():
                self._pool.release(worker, usable=done)
            else:
                self._pool.stop(worker)
            if self._closed and self._file is not None:
                self._file.close()

    async def frame(self, admit: Callable[[int], None]) -> tuple[WorkerFrame, bytes]:
        """The next frame, DONE behind the last. Raises why there is not all of them.

        admit: as `WorkerProcess.receive` has it.
        """
        while self._read == len(self._frames):
            if self._error is not None:
                raise self._error
            if self._over:
                return WorkerFrame.DONE, b""
            self._more = trio.Event()
            await self._more.wait()
        kind, offset, size = self._frames[self._read]
        if size > RECEIVE_BYTES:
            admit(size)
        self._read += 1
        assert self._file is not None
        read = partial(self._file.read, size, offset)
        return kind, await trio.to_thread.run_sync(read, abandon_on_cancel=True)

    def close(self) -> None:
        """Nobody reads on. Again is no error."""
        self._closed = True
        self._scope.cancel()
        if self._over and self._file is not None:
            self._file.close()

    def _copied(self, kind: WorkerFrame, body: bytes) -> tuple[WorkerFrame, bytes]:
        """A frame with what it says out of the worker's area, where it cannot stay."""
        if kind is not WorkerFrame.PLACED:
            return kind, body
        rows = self._worker.area.rows
        placed = decode_placed(body, len(rows))
        data = bytes(rows[placed.start : placed.start + placed.size])
        self._worker.send_nowait(WorkerFrame.TAKEN)
        return WorkerFrame.ROWS, placed.rows.to_bytes(4, "little") + data

    async def _put(self, kind: WorkerFrame, body: bytes) -> None:
        assert self._file is not None
        offset = await trio.to_thread.run_sync(self._file.append, body)
        self._frames.append((kind, offset, len(body)))
        self._more.set()
