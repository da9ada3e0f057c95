"""Servers that begin as copies of a process which has imported what a server is made of.

A start takes a fifth of the time so. What such a server does is the same but for this: its memory is shared
with the process that it is a copy of, and what C libraries read of the environment is not its own.
"""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn, Self, TextIO

from kalam_pg import allocator, cli
from kalam_pg.engines import fork_server
from kalam_pg.engines.forked import FLUSH_WORKER, WORKER, Forked, ForkServer, Program, environment

_IMPORTED = (
    *("kalam_pg.server.instance", "kalam_pg.server.factory", WORKER, FLUSH_WORKER, __name__),
)
_OF_THE_LIBRARIES = ("PYTHON", "MALLOC", "MIMALLOC", "GLIBC", "LD_", "OMP_", "OPENBLAS")


class Copies:
    """Makes servers; a context manager. It costs nothing before the first."""

    def __init__(self) -> None:
        self._forks = ForkServer(*_IMPORTED)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._forks.__exit__(*exc)

    @staticmethod
    def are_like(environment: Mapping[str, str]) -> bool:
        """Whether a copy does all that a server with these variables does."""
        return not any(name.startswith(_OF_THE_LIBRARIES) for name in environment)

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> "Copy":
        """Run `kalam` with these arguments. environment: what it has beside this process's own."""
        # It is told that its allocator was chosen: by itself it would begin once more.
        whole = {**os.environ, allocator.PYTHON: "malloc", **environment}
        output, its_output = os.pipe()
        errors, its_errors = os.pipe()
        try:
            forked = self._forks.fork(
                __name__,
                "kalam",
                [json.dumps(whole), *command],
                stderr=its_errors,
                descriptors=[its_output],
            )
        finally:
            os.close(its_output)
            os.close(its_errors)
        return Copy(
            forked, os.fdopen(output, encoding="utf-8"), os.fdopen(errors, encoding="utf-8")
        )


class Copy:
    """A server's process, used like a `subprocess.Popen`."""

    def __init__(self, forked: Forked, stdout: TextIO, stderr: TextIO) -> None:
        self._forked = forked
        self.pid = forked.started()
        self.stdout, self.stderr = stdout, stderr

    def __del__(self) -> None:
        self._forked.close()

    @property
    def returncode(self) -> int | None:
        return self._forked.poll()

    def poll(self) -> int | None:
        return self._forked.poll()

    def wait(self, timeout: float | None = None) -> int:
        try:
            return self._forked.wait(timeout)
        except TimeoutError as exc:
            raise subprocess.TimeoutExpired("kalam", timeout or 0) from exc

    def send_signal(self, number: int) -> None:
        self._forked.send_signal(number)

    def kill(self) -> None:
        self._forked.kill()


def main(descriptors: list[int], arguments: list[str]) -> int:
    """In the copy: be the server."""
    (output,) = descriptors
    os.dup2(output, 1)
    os.close(output)
    sys.stdout = io.TextIOWrapper(os.fdopen(os.dup(1), "wb"), line_buffering=True)
    environment, *command = arguments
    os.environ.clear()
    os.environ.update(json.loads(environment))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _begin_as_copies()
    try:
        cli.main(command, prog_name="kalam")
    finally:
        sys.stdout.flush()


def _begin_as_copies() -> None:
    """The server's fork server is a copy of this process: the first one, while there are no threads."""
    anew = ForkServer.program

    def program(control: int, modules: Sequence[str]) -> Program:
        ForkServer.program = staticmethod(anew)
        pid = os.fork()
        if pid == 0:
            _fork_workers(control, modules)
        return _Child(pid)

    ForkServer.program = staticmethod(program)


def _fork_workers(control: int, modules: Sequence[str]) -> NoReturn:
    """Be a fork server, and have no more than a new program would."""
    status = 1
    try:
        os.setpgid(0, 0)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        os.closerange(3, control)
        os.closerange(control + 1, os.sysconf("SC_OPEN_MAX"))
        own = environment()
        os.environ.clear()
        os.environ.update(own)
        status = fork_server.main([str(control), *modules])
    finally:
        os._exit(status)


class _Child:
    """A process of ours, as a `Popen` is one."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
