"""The command `kalam`: serve, user, check; without one of these it is the interactive shell.

Each command imports what it needs when it runs, so that `kalam --version` and a mistyped option
answer at once. What goes wrong is one line on standard error and exit status 1.
"""

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from kalam_pg import __version__, allocator
from kalam_pg.config import Config, ConfigError, load
from storage.errors import KalamError

ROLES: Final = ("user", "service", "dba", "system")


def _settings(command: Callable[..., None]) -> Callable[..., None]:
    """The options that every command has: which server is meant."""
    for option in (
        click.option("--config", "file", type=click.Path(path_type=Path), help="TOML file."),
        click.option("--port", metavar="N", help="Port, and number of the Unix socket."),
        click.option("--data", "data_directory", metavar="DIR", help="Data directory."),
    ):
        command = option(command)
    return command


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="kalam", message="%(prog)s %(version)s")
@_settings
@click.option("--host", metavar="H", help="Server's address, or the directory of its socket.")
@click.option("--user", "-U", "name", metavar="NAME", help="Role to be.")
@click.option("--command", "-c", "text", metavar="TEXT", help="Run this, and end.")
@click.pass_context
def main(
    context: click.Context,
    /,
    file: Path | None,
    host: str | None,
    name: str | None,
    text: str | None,
    **flags: str | None,
) -> None:
    """KalamDB, spoken over the PostgreSQL protocol.

    Without a command it is a shell: on the server of the data directory, or another one.
    """
    if context.invoked_subcommand is not None:
        if any((file, host, name, text, *flags.values())):
            raise click.UsageError("options of a command stand behind it")
        return
    parameters = _where(_load(file, flags), host, name, flags["port"])
    shell = importlib.import_module("kalam_pg.shell.shell")
    raise SystemExit(shell.run(parameters, text))


def _where(
    config: Config, host: str | None, name: str | None, port: str | None
) -> dict[str, str | int]:
    """What libpq connects with: options, then its own variables, then the server of the data directory."""
    parameters: dict[str, str | int] = {"dbname": "kalam"}
    directory = config.socket_directory.absolute()
    is_here = (directory / f".s.PGSQL.{config.port}").is_socket()
    if host is not None:
        parameters["host"] = host
    elif "PGHOST" not in os.environ:
        parameters["host"] = str(directory) if is_here else "127.0.0.1"
        if is_here:
            parameters["user"] = "root"
    if port is not None or "PGPORT" not in os.environ:
        parameters["port"] = config.port
    if name is not None:
        parameters["user"] = name
    elif "PGUSER" in os.environ:
        parameters.pop("user", None)
    return parameters


@main.command()
@_settings
@click.option("--host", metavar="H", help="Address to listen on.")
def serve(file: Path | None, **flags: str | None) -> None:
    """Serve until SIGTERM (waits for clients), SIGINT (ends them) or SIGQUIT (at once)."""
    config = _load(file, flags)
    allocator.settle()
    instance = importlib.import_module("kalam_pg.server.instance")
    try:
        instance.run(config)
    except KalamError as exc:
        _fail(exc.message)
    except OSError as exc:
        _fail(str(exc))


@main.group()
def user() -> None:
    """Manage users."""


@user.command()
@_settings
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default="user", show_default=True)
@click.option(
    "--password-file",
    type=click.Path(path_type=Path),
    help="File whose first line is the password; without it, it is asked for.",
)
def create(
    file: Path | None, name: str, role: str, password_file: Path | None, **flags: str | None
) -> None:
    """Create a user in a running server, through its Unix socket, as the user who runs it."""
    config = _load(file, flags)
    password = _password(password_file)
    # A driver of a second is a lot to wait for in `kalam --version`.
    psycopg = importlib.import_module("psycopg")
    statement = psycopg.sql.SQL("CREATE USER {} WITH PASSWORD {} ROLE {}").format(
        psycopg.sql.Literal(name), psycopg.sql.Literal(password), psycopg.sql.Literal(role)
    )
    try:
        with _connect(psycopg, config) as connection:
            connection.execute(statement)
    except psycopg.Error as exc:
        _fail(exc.diag.message_primary or str(exc).splitlines()[0])
    click.echo(f"created user {name}")


@main.command()
@_settings
def check(file: Path | None, **flags: str | None) -> None:
    """Check a data directory that no server is using; every inconsistency is one line."""
    config = _load(file, flags)
    if not config.data_directory.is_dir():
        _fail(f"{config.data_directory}: no such directory")
    checker = importlib.import_module("storage.check")
    codec = importlib.import_module("catalog.codec")
    try:
        found = checker.check(
            config.data_directory,
            exists=lambda log, table: any(
                log.get(key) is not None for key in (codec.table_key(table), codec.index_key(table))
            ),
        )
        problems = [str(problem) for problem in found]
    except KalamError as exc:
        _fail(exc.message)
    except OSError as exc:
        _fail(str(exc))
    for problem in problems:
        click.echo(problem)
    if problems:
        raise SystemExit(1)
    click.echo(f"{config.data_directory}: no problems found")


def _load(file: Path | None, flags: dict[str, str | None]) -> Config:
    try:
        return load(file, flags=flags)
    except ConfigError as exc:
        _fail(exc.message)


def _connect(psycopg: Any, config: Config) -> Any:  # noqa: ANN401 - psycopg is imported late
    """A connection as `root`, by the Unix socket."""
    return psycopg.connect(
        host=str(config.socket_directory.absolute()),
        port=config.port,
        user="root",
        dbname="kalam",
        autocommit=True,
        connect_timeout=10,
    )


def _password(file: Path | None) -> str:
    if file is None:
        prompted: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return prompted
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as exc:
        _fail(f"{file}: {exc.strerror}")
    except UnicodeDecodeError:
        _fail(f"{file}: not UTF-8")
    if not lines or not lines[0]:
        _fail(f"{file}: there is no password in its first line")
    return lines[0]


def _fail(message: str) -> NoReturn:
    click.echo("kalam: " + " ".join(message.split("\n")), err=True)
    raise SystemExit(1)
