"""The two servers under test, each with a data directory of its own that goes when it ends."""

import getpass
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

REPOSITORY = Path(__file__).parents[2]
POSTGRES_BIN = Path("/usr/lib/postgresql/15/bin")
START_S = 30.0
USER = "bench"


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server listens, and who may work there."""

    name: str
    port: int
    password: str = field(repr=False)
    pid: int
    unix_path: Path
    host: str = "127.0.0.1"
    user: str = USER
    database: str = "postgres"
    owner: str = ""
    """PostgreSQL's superuser, who may come by the Unix socket; ours is root."""

    def processes(self) -> list[int]:
        """Its processes as they are now."""
        return _tree(self.pid)

    def cpu_s(self, processes: list[int]) -> float:
        """Processor time that these have taken so far, and those that have ended (in steps of 10 ms)."""
        return sum(map(_cpu_s, processes)) + _ended_s(self.pid)

    @property
    def is_kalam(self) -> bool:
        """Whether it is this project's."""
        return self.name == "kalam_pg"

    def environment(self, *, synchronous: bool = False) -> dict[str, str]:
        """What libpq programs need to connect."""
        return {
            **os.environ,
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGDATABASE": self.database,
            "PGSSLMODE": "disable",
            "PGOPTIONS": f"-c synchronous_commit={'on' if synchronous else 'off'}",
        }

    def connect(self) -> psycopg.Connection:
        """A connection that commits each statement, with synchronous_commit off."""
        return psycopg.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            dbname=self.database,
            sslmode="disable",
            autocommit=True,
            options="-c synchronous_commit=off",
        )


def _tree(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            with suppress(OSError):  # It has ended.
                found += map(int, task.read_text().split())
    return found


def _cpu_s(pid: int) -> float:
    """What one process has taken, exactly: its clock's number is made of its own (clock_getcpuclockid)."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0  # It has ended.


def _ended_s(pid: int) -> float:
    """What the children of a process had taken when they ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A TCP port that nobody uses now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def postgres(connections: int = 200) -> Iterator[Server]:
    """PostgreSQL 15 from Debian's package, as an unprivileged user when we are root."""
    directory = Path(tempfile.mkdtemp(prefix="bench-postgres-"))
    owner = "postgres" if os.getuid() == 0 else getpass.getuser()
    if os.getuid() == 0:
        account = pwd.getpwnam(owner)
        os.chown(directory, account.pw_uid, account.pw_gid)
    port, password = free_port(), secrets.token_hex(8)
    data = directory / "data"
    as_owner = ["runuser", "-u", owner, "--"] if os.getuid() == 0 else []
    subprocess.run(
        [*as_owner, POSTGRES_BIN / "initdb", "-D", data, "-A", "trust", "-E", "UTF8", "--locale=C"],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=directory,
    )
    # SCRAM over TCP, as the other server has it.
    hba = data / "pg_hba.conf"
    hba.write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
    process = subprocess.Popen(
        [
            *as_owner,
            POSTGRES_BIN / "postgres",
            *("-D", data, "-p", str(port), "-k", directory),
            *("-c", "listen_addresses=127.0.0.1", "-c", f"max_connections={connections}"),
            *("-c", "shared_buffers=256MB", "-c", "jit=off"),
        ],
        cwd=directory,
        stdout=subprocess.DEVNULL,
        stderr=(directory / "log").open("w"),
    )
    try:
        _wait_until_listening(process, directory / f".s.PGSQL.{port}", directory / "log")
        with _postgres_admin(directory, port, owner) as admin:
            admin.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{password}'")
            admin.execute(f"GRANT ALL ON DATABASE postgres TO {USER}")
            admin.execute((Path(__file__).parent / "sql" / "postgres.sql").read_bytes())
        pid = _first_child(process.pid, bool(as_owner))
        unix_path = directory / f".s.PGSQL.{port}"
        yield Server("PostgreSQL", port, password, pid, unix_path, owner=owner)
    finally:
        _stop(process, signal.SIGINT)
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def kalam(connections: int = 10_000, *, tls: bool = False) -> Iterator[Server]:
    """This server, from the source tree that this file is in. tls: it offers that, too."""
    directory = Path(tempfile.mkdtemp(prefix="bench-kalam-"))
    port, password = free_port(), secrets.token_hex(8)
    data = directory / "data"
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", "from kalam_pg.cli import main; main()"),
            *("serve", "--data", data, "--port", str(port)),
        ],
        cwd=os.environ.get("BENCH_SOURCE", REPOSITORY),
        env={
            **os.environ,
            "KALAM_MAX_CONNECTIONS": str(connections),
            **({"KALAM_TLS": "on", "KALAM_TLS_SELF_SIGNED": "on"} if tls else {}),
        },
        stdout=subprocess.DEVNULL,
        stderr=(directory / "log").open("w"),
    )
    try:
        _wait_until_listening(process, data / f".s.PGSQL.{port}", directory / "log")
        with psycopg.connect(
            host=str(data), port=port, user="root", dbname="kalam", autocommit=True
        ) as admin:
            for statement in (Path(__file__).parent / "sql" / "kalam.sql").read_text().split(";"):
                if statement.strip():
                    admin.execute(statement.encode())
            admin.execute(f"CREATE USER {USER} WITH PASSWORD '{password}' ROLE 'user'".encode())
        unix_path = data / f".s.PGSQL.{port}"
        yield Server("kalam_pg", port, password, process.pid, unix_path, database="kalam")
    finally:
        _stop(process, signal.SIGINT)
        shutil.rmtree(directory, ignore_errors=True)


def _postgres_admin(directory: Path, port: int, owner: str) -> psycopg.Connection:
    """A connection by the Unix socket, which PostgreSQL opens before it has started."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            return psycopg.connect(
                host=str(directory), port=port, user=owner, dbname="postgres", autocommit=True
            )
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)  # Another program's start: there is nothing to wait on but its socket.


def _first_child(pid: int, behind: bool) -> int:
    """The server's own process behind `runuser`."""
    if not behind:
        return pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else pid


def _wait_until_listening(process: "subprocess.Popen[bytes]", path: Path, log: Path) -> None:
    """Until the Unix socket accepts; the log is the error's text when the server ends instead."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended at start:\n{log.read_text()}")
        with socket.socket(socket.AF_UNIX) as sock:
            try:
                sock.connect(str(path))
            except OSError:
                time.sleep(0.05)  # As above.
            else:
                return
    raise RuntimeError(f"the server is not listening after {START_S} s:\n{log.read_text()}")


def _stop(process: "subprocess.Popen[bytes]", how: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
