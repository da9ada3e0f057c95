"""`make setup` finds a Python that can make a virtual environment, or says in one line what is missing;
and it says what it does before it does it."""

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMES = ("python3.12", "python3.11", "python3", "python")
SCRIPT = """#!/bin/sh
case "$*" in
  *version_info*) exit {version} ;;
  *ensurepip*) exit {venv} ;;
  *--version*) echo "Python 3.99" ;;
  *"-m venv"*) echo "made by {name}"; exit 7 ;;
esac
"""
# One that makes an environment whose Python says what it was told to do.
WHOLE = SCRIPT.replace(
    "exit 7",
    """mkdir -p .venv/bin
    printf '#!/bin/sh\\necho "doing: $*"\\n' >.venv/bin/python; chmod +x .venv/bin/python""",
)

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


def setup(
    directory: Path, script: str = SCRIPT, **pythons: tuple[bool, bool]
) -> subprocess.CompletedProcess[str]:
    """`make setup` where there are only these: (has the right version, has venv). It ends at `-m venv`."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, directory)
    programs = directory / "bin"
    programs.mkdir()
    for name in NAMES:
        # A name that is not given hides one that is installed.
        version, venv = pythons.get(name.replace(".", "_"), (False, False))
        path = programs / name
        path.write_text(script.format(name=name, version=int(not version), venv=int(not venv)))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    # These tests may have been begun by a make, which tells those below it so.
    own = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", "setup"],
        cwd=directory,
        env={**own, "PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_first_that_can_make_an_environment_is_taken(tmp_path):
    assert "made by python3.12" in setup(tmp_path, python3_12=(True, True)).stdout


def test_one_without_venv_is_passed_over_for_a_later_one_that_has_it(tmp_path):
    done = setup(tmp_path, python3_12=(True, False), python3=(True, True))
    assert "made by python3\n" in done.stdout


def test_without_a_fitting_version_one_line_says_so(tmp_path):
    done = setup(tmp_path, python3=(False, True))
    assert done.returncode
    assert done.stderr.splitlines()[0] == (
        "kalam_pg needs Python 3.11 or 3.12: install the package python3.11 or python3.12"
    )


def test_without_venv_one_line_says_so(tmp_path):
    done = setup(tmp_path, python3_11=(True, False), python3=(False, True))
    assert done.returncode
    assert done.stderr.splitlines()[0] == (
        "kalam_pg needs Python's venv module: install the package python3-venv"
    )


def test_each_long_step_is_announced_before_it_is_done(tmp_path):
    done = setup(tmp_path, WHOLE, python3_11=(True, True))
    assert done.returncode == 0, done.stderr
    packages = len(
        re.findall(r"^[\w.-]+==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    )
    assert [line.partition(" --quiet")[0] for line in done.stdout.splitlines()] == [
        "Making a virtual environment in .venv with python3.11 (Python 3.99) …",
        "made by python3.11",
        f"Installing {packages} packages from requirements.lock; that takes a minute or a few …",
        "doing: -m pip install",
        "Installing kalam_pg itself …",
        "doing: -m pip install",
        "Set up.",
    ]
