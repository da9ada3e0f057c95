"""Processes that begin as a copy of one that has imported what they run."""

import os
import select
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kalam_pg.engines.fork_server import NUMBER
from kalam_pg.engines.forked import WORKER, Forked, ForkServer

MODULE = "tests.kalam_pg.engines.forkable"
PATIENCE_S = 30


@pytest.fixture(scope="module")
def forks() -> Iterator[ForkServer]:
    with ForkServer(MODULE) as forks:
        yield forks


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def forked(
    stack: ExitStack, forks: ForkServer, *arguments: str
) -> tuple[Forked, socket.socket, int]:
    """A process, the socket to it, and its standard error; all closed in the end."""
    ours, theirs = socket.socketpair()
    stack.enter_context(ours)
    ours.settimeout(PATIENCE_S)
    stderr = os.memfd_create("stderr")
    stack.callback(os.close, stderr)
    with theirs:
        process = forks.fork(
            MODULE, "kalam:test", arguments, stderr=stderr, descriptors=[theirs.fileno()]
        )
    stack.callback(process.close)
    stack.callback(process.kill)
    return process, ours, stderr


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("end", "0"), 0, ""),
        (("end", "7"), 7, ""),
        (("exit", "3"), 3, ""),
        (("fail", "no such thing"), 1, "ValueError: no such thing"),
        (("die", str(signal.SIGKILL.value)), -signal.SIGKILL, ""),
        (("die", str(signal.SIGSEGV.value)), -signal.SIGSEGV, "Segmentation fault"),
    ],
)
def test_its_status_and_its_last_words_are_told(stack, forks, arguments, status, words):
    process, _, stderr = forked(stack, forks, *arguments)
    assert process.wait(PATIENCE_S) == status
    assert words in os.pread(stderr, 10_000, 0).decode()
    assert process.poll() == status
    process.kill()  # Of what has ended: nothing.
    assert process.wait() == status


def test_it_has_nothing_open_but_what_it_was_given(stack, forks):
    others = [forked(stack, forks, "wait") for _ in range(3)]
    for _, link, _ in others:
        assert link.recv(10) == b"here"
    _, link, _ = forked(stack, forks, "open files")
    assert link.recv(10_000) == b"[]"


def test_it_has_a_name_and_a_group_of_its_own(stack, forks):
    _, link, _ = forked(stack, forks, "name")
    assert link.recv(100) == b"kalam:test True"


def test_a_signal_ends_it_and_it_alone(stack, forks):
    first, link, _ = forked(stack, forks, "wait")
    assert first.started() == first.pid
    other, other_link, _ = forked(stack, forks, "wait")
    assert (link.recv(10), other_link.recv(10)) == (b"here", b"here")
    with pytest.raises(TimeoutError):
        first.wait(0)
    first.send_signal(signal.SIGTERM)
    assert first.wait(PATIENCE_S) == -signal.SIGTERM
    assert other.poll() is None


def test_what_is_killed_before_it_is_there_never_is(stack, forks):
    assert forks._process is not None
    os.kill(forks._process.pid, signal.SIGSTOP)
    try:
        process, link, _ = forked(stack, forks, "wait")
        assert process.pid is None
        process.kill()
        with pytest.raises(BlockingIOError):
            process.started()
        assert process.wait(0) == -signal.SIGKILL
    finally:
        os.kill(forks._process.pid, signal.SIGCONT)
    while link.recv(10) == b"here":  # It may have got so far. Then its end of the socket closes.
        pass


class TellsAtLast(socket.socket):
    """The socket of a process that comes to be just when it is not wanted any more."""

    def shutdown(self, how: int, /) -> None:
        with socket.socket(fileno=self.teller) as teller:
            socket.send_fds(teller, [NUMBER.pack(self.child)], [self.pidfd])
        super().shutdown(how)

    teller = pidfd = child = -1


def test_what_comes_to_be_while_it_is_killed_ends(stack):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    child = stack.enter_context(subprocess.Popen(["sleep", "1000"]))
    stack.callback(child.kill)
    told = TellsAtLast(fileno=ours.detach())
    told.teller, told.pidfd, told.child = theirs.detach(), os.pidfd_open(child.pid), child.pid
    stack.callback(os.close, told.pidfd)
    process = Forked(told)
    stack.callback(process.close)
    process.kill()
    assert child.wait(PATIENCE_S) == -signal.SIGKILL
    assert process.wait(0) == -signal.SIGKILL


def test_when_the_fork_server_is_lost_so_is_what_it_forked_and_the_next_has_another(stack, forks):
    process, link, _ = forked(stack, forks, "wait")
    assert link.recv(10) == b"here"
    assert forks._process is not None
    lost = forks._process
    # It may be heard before its number has come, which goes another way.
    pidfd = os.pidfd_open(process.started())
    stack.callback(os.close, pidfd)
    lost.kill()
    assert process.wait(PATIENCE_S) == -signal.SIGKILL
    assert select.select([pidfd], [], [], PATIENCE_S)[0], "it has ended"
    lost.wait()
    process, _, _ = forked(stack, forks, "end", "5")
    assert process.wait(PATIENCE_S) == 5
    assert forks._process is not lost


def test_after_its_end_nothing_is_forked(stack):
    with ForkServer(MODULE) as forks:
        process, link, _ = forked(stack, forks, "wait")
        assert link.recv(10) == b"here"
    assert process.wait(PATIENCE_S) == -signal.SIGKILL
    with pytest.raises(BrokenPipeError):
        forked(stack, forks, "wait")


def test_nothing_stays_open(forks):
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = open_files()
    for _ in range(5):
        with ExitStack() as stack:
            process, _, _ = forked(stack, forks, "end", "0")
            assert process.wait(PATIENCE_S) == 0
    assert open_files() == before


@pytest.mark.slow
def test_what_a_worker_needs_starts_no_thread_by_being_imported(stack):
    with ForkServer(WORKER, MODULE) as forks:
        process, _, _ = forked(stack, forks, "end", "0")  # Answered after its imports.
        assert process.wait(PATIENCE_S) == 0
        assert forks._process is not None
        tasks = Path(f"/proc/{forks._process.pid}/task").iterdir()
        assert len([(task / "comm").read_text() for task in tasks]) == 1
