"""Several sessions in one script, on one server: who answers at each step, and who waits for a lock.

A script has a line for each statement, `session: statement`. After each of them everybody is given time
to answer or to be seen waiting in pg_locks, so a transcript tells exactly who waited for whom, on ours and
on PostgreSQL alike.
"""

import select
import time
from collections.abc import Callable
from difflib import unified_diff
from typing import Any

import psycopg
from psycopg.pq import ExecStatus, PGconn, PGresult

from tests.wire.server import KalamServer

TIMEOUT_S = 15.0
PATIENCE_S = 0.04

_WAITING = b"SELECT pid FROM pg_locks WHERE NOT granted"


SETUP = """
    DROP TABLE IF EXISTS t CASCADE
    DROP TABLE IF EXISTS u CASCADE
    DROP TABLE IF EXISTS w CASCADE
    DROP TABLE IF EXISTS w2 CASCADE
    DROP SCHEMA IF EXISTS s1 CASCADE
    CREATE TABLE t (id INT PRIMARY KEY, n INT, s TEXT)
    CREATE TABLE u (id INT PRIMARY KEY, n INT)
    INSERT INTO t VALUES (1, 10, 'a'), (2, 20, 'b'), (3, 30, 'c')
    INSERT INTO u VALUES (1, 1), (2, 2)
"""
"""Tables that the scripts may use, made anew for each."""


def transcript(
    connect: Callable[[], psycopg.Connection[Any]], setup: str, script: str
) -> list[str]:
    """What every session was told, step by step. `setup` runs before, each line by itself."""
    with connect() as control:
        for statement in filter(None, map(str.strip, setup.split("\n"))):
            control.execute(statement.encode())
        run = _Run(connect, control.pgconn)
        try:
            for line in filter(None, map(str.strip, script.split("\n"))):
                name, _, statement = line.partition(":")
                run.step(name, statement.strip())
        finally:
            run.close()
    return run.told


def differences(
    servers: tuple[KalamServer, str], script: str, *, more: str = "", then: str = ""
) -> str:
    """Where our transcript differs from PostgreSQL's.

    more: what is in the tables beside. then: what ours does once they are there.
    """
    server, theirs = servers
    wanted = transcript(
        lambda: psycopg.connect(theirs, autocommit=True, options="-c deadlock_timeout=1ms"),
        SETUP + more,
        script,
    )
    ours = transcript(server.root, SETUP + more + then, script)
    return "\n".join(unified_diff(wanted, ours, "PostgreSQL", "ours", n=2, lineterm=""))


class _Run:
    def __init__(self, connect: Callable[[], psycopg.Connection[Any]], control: PGconn) -> None:
        self.told: list[str] = []
        self._connect = connect
        self._control = control
        self._sessions: dict[str, psycopg.Connection[Any]] = {}
        self._busy: dict[str, PGconn] = {}

    def step(self, name: str, statement: str) -> None:
        """Send a statement, and note who answers."""
        if name not in self._sessions:
            self._sessions[name] = self._connect()
        connection = self._sessions[name].pgconn
        assert name not in self._busy, f"{name} still waits at {statement}"
        self.told.append(f"> {name}: {statement}")
        before = set(self._busy)
        connection.send_query(statement.encode())
        self._busy[name] = connection
        answered = self._settle()
        for session in sorted(answered):
            self.told += [f"{session}: {line}" for line in answered[session]]
        self.told += [f"{session} waits" for session in sorted(set(self._busy) - before)]

    def _settle(self) -> dict[str, list[str]]:
        """Read until nobody runs: each has answered or waits for a lock."""
        answered: dict[str, list[str]] = {}
        deadline = time.monotonic() + TIMEOUT_S
        seen = 0
        while self._busy:
            # A wait that is over at once (a deadlock, a short lock_timeout) is none.
            pause_s = PATIENCE_S if seen else 0.01
            readable, _, _ = select.select([c.socket for c in self._busy.values()], [], [], pause_s)
            for name, connection in list(self._busy.items()):
                if connection.socket in readable:
                    connection.consume_input()
                    if not connection.is_busy():
                        answered[name] = _answer(connection)
                        del self._busy[name]
            seen = seen + 1 if not readable and self._all_wait() else 0
            if seen == 2:
                break
            assert time.monotonic() < deadline, f"{sorted(self._busy)} neither answer nor wait"
        return answered

    def _all_wait(self) -> bool:
        result = self._control.exec_(_WAITING)
        assert result.status == ExecStatus.TUPLES_OK, result.error_message
        pids = {int(result.get_value(row, 0) or b"0") for row in range(result.ntuples)}
        return all(connection.backend_pid in pids for connection in self._busy.values())

    def close(self) -> None:
        for connection in self._sessions.values():
            connection.close()


def _answer(connection: PGconn) -> list[str]:
    found: list[str] = []
    while (result := connection.get_result()) is not None:
        found.append(_shown(result))
    return found


def _shown(result: PGresult) -> str:
    if result.status == ExecStatus.FATAL_ERROR:
        sqlstate = (result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) or b"").decode()
        message = result.error_field(psycopg.pq.DiagnosticField.MESSAGE_PRIMARY) or b""
        return f"{sqlstate} {message.decode()}"
    tag = (result.command_status or b"").decode()
    if result.status != ExecStatus.TUPLES_OK:
        return tag
    rows = [
        ",".join((result.get_value(row, at) or b"null").decode() for at in range(result.nfields))
        for row in range(result.ntuples)
    ]
    return f"{tag} {' '.join(rows)}".rstrip()
