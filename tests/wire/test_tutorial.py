"""The tutorial's commands, typed into psql, print what the tutorial says."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.wire.server import PASSWORD, KalamServer

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial" / "chat.md"
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
