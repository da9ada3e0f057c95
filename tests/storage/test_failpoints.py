"""Failpoints do nothing until armed, and then what they were told, once, at the right hit."""

import subprocess
import sys

import pytest

from storage import failpoints
from storage.errors import DiskFullError, IoError


def test_a_point_that_nobody_armed_does_nothing():
    failpoints.hit("nowhere")


def test_an_armed_point_acts_at_its_hit_and_only_then():
    seen = []
    with failpoints.armed("here", lambda: seen.append(1), at=2):
        failpoints.hit("elsewhere")
        failpoints.hit("here")
        assert seen == []
        failpoints.hit("here")
        failpoints.hit("here")
    failpoints.hit("here")
    assert seen == [1]


@pytest.mark.parametrize(
    ("action", "error"),
    [("eio", IoError), ("enospc", DiskFullError), ("crash", failpoints.FailpointError)],
)
def test_the_actions_are_the_ways_that_a_disk_or_process_fails(action, error):
    with failpoints.armed("here", action), pytest.raises(error):
        failpoints.hit("here")


@pytest.mark.slow
def test_the_environment_kills_a_process_at_a_point():
    program = (
        "from storage import failpoints as f; f.arm_from_environment(); "
        "f.hit('a'); print('one', flush=True); f.hit('a'); print('two', flush=True)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"KALAM_FAILPOINTS": "a:kill@2", "PYTHONPATH": "."},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -9
    assert done.stdout == b"one\n"


def test_a_malformed_environment_is_refused():
    with pytest.raises(ValueError, match="explode"):
        failpoints.arm_from_environment("a:explode")
