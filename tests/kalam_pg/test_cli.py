"""The command: a server as a process, around fake sessions; and errors of one line."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from kalam_pg import __version__
from kalam_pg.cli import main
from tests.kalam_pg.server.fakes import PASSWORD

ROOT = Path(__file__).parents[2]
SERVE = [sys.executable, "-m", "tests.kalam_pg.server.fake_kalam", "serve", "--port", "0"]


def kalam(*arguments: str, **options) -> Result:
    return CliRunner().invoke(main, arguments, **options)


def test_version_and_help():
    assert kalam("--version").output == f"kalam {__version__}\n"
    for command in ("serve", "user", "check"):
        assert command in kalam("--help").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serve", "--port", "x"], "kalam: --port: expected a whole number, got 'x'\n"),
        (["serve", "--config", "no.toml"], "kalam: no.toml: No such file or directory\n"),
        (["check", "--data", "no/such/dir"], "kalam: no/such/dir: no such directory\n"),
        (
            ["user", "create", "a", "--password-file", "no.txt"],
            "kalam: no.txt: No such file or directory\n",
        ),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_1(arguments, message):
    result = kalam(*arguments)
    assert (result.exit_code, result.stderr, result.stdout) == (1, message, "")


def test_user_create_without_a_server_says_so(tmp_path):
    secret = tmp_path / "password"
    secret.write_text("secret\n")
    arguments = ["--data", str(tmp_path), "--password-file", str(secret)]
    result = kalam("user", "create", "alice", *arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("kalam: ")
    assert result.stderr.count("\n") == 1
    assert "secret" not in result.stderr


def test_an_empty_password_file_is_refused(tmp_path):
    secret = tmp_path / "password"
    secret.write_text("\n")
    result = kalam("user", "create", "alice", "--password-file", str(secret))
    assert "there is no password in its first line" in result.stderr


@contextmanager
def server(directory: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], int, str]]:
    """A server process with its port and the psql line it printed."""
    process = subprocess.Popen(
        [*SERVE, "--data", str(directory), *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert ready.startswith("ready 127.0.0.1:"), process.communicate()
        yield process, int(ready.rpartition(":")[2]), process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, errors = process.communicate(timeout=10)
    return process.returncode, errors


@pytest.mark.slow
def test_a_server_says_ready_and_the_line_that_connects(tmp_path):
    with server(tmp_path) as (process, port, psql):
        assert psql == f"psql -h {tmp_path} -p {port} kalam"
        options = {"host": "127.0.0.1", "port": port, "user": "alice", "password": PASSWORD}
        with psycopg.connect(**options, autocommit=True) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
            # A smart end waits for the client, a fast one does not.
            process.send_signal(signal.SIGTERM)
            assert connection.execute("SELECT 1").fetchone() == (1,)
            process.send_signal(signal.SIGINT)
            code, errors = ended(process)
            with pytest.raises(psycopg.errors.AdminShutdown):
                connection.execute("SELECT 1")
        assert code == 0
        assert "mode=smart" in errors
        assert "mode=fast" in errors
        assert not list(tmp_path.glob(".s.PGSQL.*"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_server_without_clients_ends_at_once_by_each_signal(tmp_path, number):
    with server(tmp_path) as (process, _, _):
        process.send_signal(number)
        assert ended(process)[0] == 0


@pytest.mark.slow
def test_a_port_in_use_is_one_line_and_exit_1(tmp_path):
    with server(tmp_path / "a") as (_, port, _):
        second = subprocess.run(
            [*SERVE[:-1], str(port), "--data", str(tmp_path / "b")],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=20,
            env={**os.environ, "KALAM_LOG_LEVEL": "error"},
            check=False,
        )
    assert second.returncode == 1
    assert second.stdout == ""
    assert second.stderr == f"kalam: cannot listen on 127.0.0.1:{port}: Address already in use\n"
