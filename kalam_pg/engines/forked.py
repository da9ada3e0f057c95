"""The parent's side of the fork server: starting it, and what it forks, which is used like a `Popen`."""

import errno
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol, Self

from kalam_pg import allocator
from kalam_pg.engines.fork_server import MESSAGE_BYTES_MAX, NUMBER

WORKER: Final = "kalam_pg.engines.worker"
FLUSH_WORKER: Final = "kalam_pg.jobs.flush_worker"

_LOST_WITH_ITS_PARENT: Final = -signal.SIGKILL
"""The status of what was forked by a fork server that is no more: the kernel has killed it."""


class Forked:
    """A process that was asked for; before it is there `pid` is None. For any thread."""

    def __init__(self, told: socket.socket) -> None:
        told.setblocking(False)
        self._told = told
        self._hearing = threading.Lock()
        self._pidfd = -1
        self._pid: int | None = None
        self._status: int | None = None

    @property
    def pid(self) -> int | None:
        """Its number, once it has one."""
        self._hear()
        return self._pid

    def fileno(self) -> int:
        """What is readable when `poll` may say more, and for ever after the end."""
        return self._told.fileno()

    def started(self) -> int:
        """Wait until it is there; its number. Raises OSError: it could not be forked."""
        while (pid := self.pid) is None:
            if self._status is not None:
                raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            select.select([self._told], [], [])
        return pid

    def poll(self) -> int | None:
        """Its status when it has ended: -N is signal N."""
        self._hear()
        return self._status

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises TimeoutError."""
        while (status := self.poll()) is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise TimeoutError
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal if it is there and has not ended."""
        self._hear()
        if self._pidfd >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def kill(self) -> None:
        """SIGKILL; one that is not there yet will not be."""
        if self.pid is None and self._status is None:
            # What has come just before is still heard, and else that this is its end.
            self._told.shutdown(socket.SHUT_RDWR)
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Forget a process that has ended."""
        self._told.close()
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1

    def _hear(self) -> None:
        with self._hearing:
            self._hear_all()

    def _hear_all(self) -> None:
        while self._status is None:
            try:
                data, descriptors, _, _ = socket.recv_fds(self._told, NUMBER.size, 1)
            except BlockingIOError:
                return
            except ConnectionResetError:
                data, descriptors = b"", []
            if descriptors:
                (self._pid,), (self._pidfd,) = NUMBER.unpack(data), descriptors
            else:
                self._status = NUMBER.unpack(data)[0] if data else _LOST_WITH_ITS_PARENT


class Program(Protocol):
    """A fork server's process, as a `Popen` is one."""

    @property
    def pid(self) -> int: ...

    def kill(self) -> None: ...

    def wait(self) -> int: ...


def _new_program(control: int, modules: Sequence[str]) -> Program:
    return subprocess.Popen(  # noqa: S603
        [
            *(sys.executable, "-X", "faulthandler", "-m", "kalam_pg.engines.fork_server"),
            *(str(control), *modules),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=(control,),
        process_group=0,  # Ctrl-C at the server's terminal is the server's to handle.
        env=environment(),
    )


class ForkServer:
    """A fork server, which is started again when it was lost; a context manager. For any thread.

    It ends when this process does, however that ends, and so does all that it has forked.
    """

    program: Callable[[int, Sequence[str]], Program] = staticmethod(_new_program)
    """Starts one, given its end of the control socket and the modules; they are imported beside us."""

    def __init__(self, *modules: str) -> None:
        """modules: what the processes run; they are imported before anything is forked."""
        self._modules = modules
        self._lock = threading.Lock()
        self._process: Program | None = None
        self._control: socket.socket | None = None
        self._closed = False

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it, and with it all that it has forked."""
        with self._lock:
            self._closed = True
            self._end()

    def fork(
        self,
        module: str,
        name: str,
        arguments: Sequence[str],
        *,
        stderr: int,
        descriptors: Sequence[int],
    ) -> Forked:
        """Ask for a process that calls `main(descriptors, arguments)` of `module`.

        It returns at once; `stderr` and `descriptors` are copied. name: what `ps` is to call it, whose
        command line is the fork server's; up to 15 bytes.

        Raises:
            OSError: There is no fork server and none can be started.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        message = json.dumps([module, name, list(arguments)]).encode()
        assert len(message) <= MESSAGE_BYTES_MAX
        try:
            with theirs, self._lock:
                self._send(message, [theirs.fileno(), stderr, *descriptors])
        except BaseException:
            ours.close()
            raise
        return Forked(ours)

    def _send(self, message: bytes, descriptors: list[int]) -> None:
        for again in (True, False):
            if self._control is None:
                self._start()
            assert self._control is not None
            try:
                socket.send_fds(self._control, [message], descriptors)
            except (BrokenPipeError, ConnectionResetError):
                self._end()
                if not again:
                    raise
            else:
                return

    def _start(self) -> None:
        if self._closed:
            raise BrokenPipeError("the fork server was closed")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                self._process = self.program(theirs.fileno(), self._modules)
        except BaseException:
            ours.close()
            raise
        self._control = ours

    def _end(self) -> None:
        process, self._process = self._process, None
        control, self._control = self._control, None
        if control is not None:
            control.close()
        if process is not None:
            process.kill()
            process.wait()


def environment() -> dict[str, str]:
    """Nothing of the server's environment but what Python and the libraries need to start."""
    kept = (
        *("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TZDIR", "PYTHONPATH", "VIRTUAL_ENV", "TMPDIR"),
        *allocator.VARIABLES,
    )
    root = str(Path(__file__).parents[2])
    found = {name: os.environ[name] for name in kept if name in os.environ}
    # The packages beside this file are importable there too, however the server was started.
    found["PYTHONPATH"] = os.pathsep.join(filter(None, (root, found.get("PYTHONPATH"))))
    # No library starts a thread by being imported: the linear algebra of NumPy, and Arrow's second
    # allocator, which nothing uses.
    found["OMP_NUM_THREADS"] = "1"
    found["OPENBLAS_NUM_THREADS"] = "1"
    found["JE_ARROW_MALLOC_CONF"] = "background_thread:false"
    # Allocators set memory aside: mimalloc (Arrow's and DataFusion's) a GiB at a time, of which a query of 40
    # small files took two, glibc 64 MiB for each thread. That would count as the query's.
    found["MIMALLOC_ARENA_RESERVE"] = "64MiB"
    found["MALLOC_ARENA_MAX"] = "2"
    # A worker has much for a moment, and others must have it then: as mimalloc has it by itself.
    found["MIMALLOC_PURGE_DELAY"] = "10"
    found["MIMALLOC_ALLOW_THP"] = os.environ.get("MIMALLOC_ALLOW_THP", "0")
    return found
