"""The tutorial's commands, typed into psql, print what the tutorial says."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.wire.server import PASSWORD, KalamServer

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial" / "chat.md"
README = ROOT / "README.md"
STEP = re.compile(r"```psql (\w+)\n(.*?)```\s*```output\n(.*?)```", re.DOTALL)


def run(server: KalamServer, user: str, text: str) -> str:
    psql = shutil.which("psql")
    assert psql is not None, "psql is not installed"
    host = str(server.directory) if user == "root" else "127.0.0.1"
    done = subprocess.run(
        [psql, "-X", "-h", host, "-p", str(server.port), "-U", user, "kalam"],
        input=text, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PGPASSWORD": PASSWORD},
    )  # fmt: skip
    return done.stdout + done.stderr


@pytest.mark.slow
def test_the_tutorial_prints_what_it_says(tmp_path):
    steps = STEP.findall(TUTORIAL.read_text())
    assert len(steps) > 8
    server = KalamServer(tmp_path / "data").start()
    try:
        for user, text, output in steps:
            assert run(server, user, text) == output, text
    finally:
        server.stop()


@pytest.mark.slow
def test_the_line_that_connects_does_where_make_run_was_typed(tmp_path):
    """The very lines of the README and the tutorial, and the one that the server prints."""
    server = KalamServer(tmp_path / "data", KALAM_HOST="").start(port=5433)
    try:
        lines = [server.connects_by]
        for page in (README, TUTORIAL):
            (line,) = re.findall(r"^    (psql .*)$", page.read_text(), re.MULTILINE)
            lines.append(line)
        for line in lines:
            done = subprocess.run(
                ["/bin/sh", "-c", f"{line} -X -A -t -c 'SELECT current_user'"],
                cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert (done.stdout, done.stderr) == ("root\n", ""), line
    finally:
        server.stop()
