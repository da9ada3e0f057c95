"""The fork server: `python -m kalam_pg.engines.fork_server FD MODULE...` forks the server's processes.

It imports what they run, once, and forks one whenever a message on socket FD asks for it. A process that
begins so has its modules already: it costs 20 ms of a processor and 8 MB of memory of its own, where one
that imports them costs 750 ms and 130 MB (decision 0058). What forks must have one thread, since fork(2)
copies only the thread that calls it and leaves locks of others locked for ever; so nothing runs here but
imports, and no library may start a thread by being imported.

A message is one JSON array, `[module, name, [argument, ...]]`, with descriptors: the process's status
socket, its standard error, then those that `main(descriptors, arguments)` of the module is called with. Over
the status socket go the process's number with a descriptor of it, as soon as it is there, and its status
when it ends.
"""

import ctypes
import gc
import importlib
import importlib.abc
import json
import os
import resource
import selectors
import signal
import socket
import struct
import sys
import traceback
from dataclasses import dataclass
from typing import Final, NoReturn

MESSAGE_BYTES_MAX: Final = 64 << 10
DESCRIPTORS_MAX: Final = 16
NUMBER: Final = struct.Struct("<i")
"""What goes over a status socket: a process's number, then its status (-N is signal N)."""

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_ENDED_BY_AN_EXCEPTION = 1


def main(arguments: list[str]) -> int:
    """Import, then fork until the parent closes its end; what was forked dies with this process."""
    descriptor, *modules = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    leave_out_pandas()
    for module in modules:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # A collection in a child would write to every object, and so copy its page.
    with socket.socket(fileno=int(descriptor)) as control:
        _Forks(control).serve()
    return 0


def leave_out_pandas() -> None:
    """Arrow imports pandas where it finds it: 0.15 s and 30 MB, for conversions that nobody asks for."""
    sys.meta_path.insert(0, _LeftOut())


class _LeftOut(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("the processes of a server do without it", name=fullname)


@dataclass(frozen=True, slots=True)
class _Request:
    module: str
    name: str
    arguments: list[str]
    status: socket.socket
    stderr: int
    descriptors: list[int]

    def close(self) -> None:
        for descriptor in (self.stderr, *self.descriptors):
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class _Child:
    pid: int
    pidfd: int
    status: socket.socket

    def close(self) -> None:
        self.status.close()
        os.close(self.pidfd)


class _Forks:
    """The loop: messages, and processes that end."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._pid = os.getpid()
        self._children: dict[int, _Child] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)

    def serve(self) -> None:
        """Until end of file."""
        while True:
            for key, _ in self._selector.select():
                if isinstance(key.data, _Child):
                    self._reap(key.data)
                elif (request := _receive(self._control)) is None:
                    return
                else:
                    self._fork(request)

    def _fork(self, request: _Request) -> None:
        try:
            pid = os.fork()
        except OSError as exc:  # Its status socket closes without a word: the parent sees a loss.
            os.write(request.stderr, f"fork: {exc.strerror}".encode())
            request.status.close()
        else:
            if pid == 0:
                self._become(request)
            child = _Child(pid, os.pidfd_open(pid), request.status)
            self._children[pid] = child
            self._selector.register(child.pidfd, selectors.EVENT_READ, child)
            if not _tell(child.status, pid, child.pidfd):  # Nobody wants it any more.
                os.kill(pid, signal.SIGKILL)
        request.close()

    def _become(self, request: _Request) -> NoReturn:
        """In the child: be the process that was asked for, and never return to the loop."""
        status = _ENDED_BY_AN_EXCEPTION
        try:
            os.dup2(request.stderr, sys.stderr.fileno())
            self._leave(request)
            status = importlib.import_module(request.module).main(
                request.descriptors, request.arguments
            )
        except SystemExit as exc:
            status = exc.code if isinstance(exc.code, int) else _ENDED_BY_AN_EXCEPTION
        except BaseException:  # noqa: BLE001 -- nobody is above
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _leave(self, request: _Request) -> None:
        """Be a process of its own, without what belongs to the loop: a socket closes with who has it."""
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != self._pid:  # It died before we asked.
            raise SystemExit(_ENDED_BY_AN_EXCEPTION)
        os.setpgid(0, 0)  # Ctrl-C at the server's terminal is the server's to handle.
        _prctl(_PR_SET_NAME, ctypes.c_char_p(request.name.encode()))
        self._selector.close()
        self._control.close()
        request.status.close()
        os.close(request.stderr)
        for child in self._children.values():
            child.close()

    def _reap(self, child: _Child) -> None:
        _, status = os.waitpid(child.pid, 0)
        self._selector.unregister(child.pidfd)
        del self._children[child.pid]
        _tell(child.status, os.waitstatus_to_exitcode(status))
        child.close()


def _tell(status: socket.socket, number: int, *descriptors: int) -> bool:
    """Send a number to who asked for the process; False: they have gone."""
    try:
        socket.send_fds(status, [NUMBER.pack(number)], descriptors)
    except OSError:
        return False
    return True


def _prctl(option: int, value: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _receive(control: socket.socket) -> _Request | None:
    """The next request; None at end of file."""
    data, descriptors, _, _ = socket.recv_fds(control, MESSAGE_BYTES_MAX, DESCRIPTORS_MAX)
    if not data:
        return None
    module, name, arguments = json.loads(data)
    status, stderr, *others = descriptors
    return _Request(module, name, arguments, socket.socket(fileno=status), stderr, others)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
