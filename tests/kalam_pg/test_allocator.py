"""Python's objects have their memory of the C library, in every process of a server."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kalam_pg.allocator import environment
from kalam_pg.engines import forked
from tests.kalam_pg.test_cli import ROOT, SERVE


@pytest.mark.parametrize(
    ("given", "tunables"),
    [
        ({}, "glibc.malloc.tcache_count=200"),
        (
            {"GLIBC_TUNABLES": "glibc.malloc.arena_max=1"},
            "glibc.malloc.arena_max=1:glibc.malloc.tcache_count=200",
        ),
        ({"GLIBC_TUNABLES": "glibc.malloc.tcache_count=3"}, "glibc.malloc.tcache_count=3"),
    ],
)
def test_what_is_said_of_the_library_stays(given, tunables):
    found = environment({**given, "OTHER": "1"})
    assert found == {"OTHER": "1", "PYTHONMALLOC": "malloc", "GLIBC_TUNABLES": tunables}


def test_the_processes_of_a_server_have_its_allocator(monkeypatch):
    monkeypatch.setenv("PYTHONMALLOC", "malloc")
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=9")
    found = forked.environment()
    assert found["PYTHONMALLOC"] == "malloc"
    assert found["GLIBC_TUNABLES"] == "glibc.malloc.tcache_count=9"


@pytest.mark.slow
@pytest.mark.parametrize("asked", [None, "pymalloc"])
def test_a_server_begins_again_with_it_unless_it_was_asked_for_another(tmp_path, asked):
    own = {name: value for name, value in os.environ.items() if name != "PYTHONMALLOC"}
    process = subprocess.Popen(
        [*SERVE, "--data", str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**own, **({} if asked is None else {"PYTHONMALLOC": asked})},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready ")
        # As the kernel has it: what the process was begun with, under the number that it always had.
        variables = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
        command = Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")
    finally:
        process.send_signal(signal.SIGQUIT)
        process.communicate()
    assert f"PYTHONMALLOC={asked or 'malloc'}".encode() in variables
    assert command[1:-1] == [one.encode() for one in [*SERVE[1:], "--data", str(tmp_path)]]
    assert command[0] == sys.executable.encode()
