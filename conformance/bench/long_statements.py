"""`python -m conformance.bench.long_statements`: statements of very many constants, beside PostgreSQL 15.

Each is new to the server whenever it is sent, as what an application makes of a list is. What is told is
processor time of all of a server's processes: read, bound, planned, run and answered, the
least of the rounds.
The last column is the longest that a session which asks small questions all the time waited meanwhile.
"""

import argparse
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import psycopg
from psycopg import pq

from conformance.bench import servers
from conformance.bench.servers import Server

LIMIT_S = 0.5
TIMES = 3
"""What is asked: no longer than that, or than so many times PostgreSQL's."""

ROWS = 2000
SCHEMA = "lists"

Statement = tuple[str, list[bytes] | None]
"""A text, and its parameters as text; None: by the simple protocol."""


def _ors(tag: int) -> Statement:
    tests = " OR ".join(f"id = {n}" for n in range(2000))
    return f"SELECT count(*) AS c{tag} FROM long WHERE {tests}", None


def _mixed_ors(tag: int) -> Statement:
    tests = " OR ".join(f"(id = {n} AND name <> 'n{n}')" for n in range(1000))
    return f"SELECT count(*) AS c{tag} FROM long WHERE {tests} OR weight > 1e9", None


def _in_parameters(tag: int) -> Statement:
    marks = ", ".join(f"${n + 1}" for n in range(30_000))
    return f"SELECT count(*) AS c{tag} FROM long WHERE id IN ({marks})", _texts(30_000)


def _in_literals(tag: int) -> Statement:
    return f"SELECT count(*) AS c{tag} FROM long WHERE id IN ({_listed(30_000)})", None


def _not_in_strings(tag: int) -> Statement:
    items = ", ".join(f"'n{n}'" for n in range(30_000))
    return f"SELECT count(*) AS c{tag} FROM long WHERE name NOT IN ({items})", None


def _any_array(tag: int) -> Statement:
    array = "{" + ",".join(map(str, range(100_000))) + "}"
    return f"SELECT count(*) AS c{tag} FROM long WHERE id = ANY($1::bigint[])", [array.encode()]


def _array_literals(tag: int) -> Statement:
    return f"SELECT count(*) AS c{tag} FROM long WHERE id = ANY(ARRAY[{_listed(30_000)}])", None


def _values_parameters(tag: int) -> Statement:
    rows = ", ".join(f"(${n + 1}, ${n + 2})" for n in range(0, 60_000, 2))
    first = rows.replace("($1, $2)", "($1::int, $2::text)", 1)
    return f"SELECT count(*) AS c{tag} FROM (VALUES {first}) v (a, b)", _texts(60_000)


def _values_literals(tag: int) -> Statement:
    rows = ", ".join(f"({n}, 'n{n}')" for n in range(30_000))
    return f"SELECT count(*) AS c{tag} FROM (VALUES {rows}) v (a, b)", None


def _joined_values(tag: int) -> Statement:
    rows = ", ".join(f"({n}, 'n{n}')" for n in range(10_000))
    return (
        f"SELECT count(*) AS c{tag} FROM long JOIN (VALUES {rows}) v (a, b) ON v.a = long.id"
    ), None


def _insert_parameters(tag: int) -> Statement:
    rows = ", ".join(f"(${n + 1}, ${n + 2}, ${n + 3})" for n in range(0, 3000, 3))
    values: list[bytes] = []
    for n in range(1000):
        values += [str(10_000_000 + tag * 1000 + n).encode(), b"name", b"1.5"]
    return f"INSERT INTO many (id, name, weight) VALUES {rows} RETURNING id AS c{tag}", values


def _insert_literals(tag: int) -> Statement:
    base = 10_000_000 + tag * 5000
    rows = ", ".join(f"({base + n}, 'n{n}', 1.5)" for n in range(5000))
    return f"INSERT INTO many (id, name, weight) VALUES {rows}", None


def _texts(count: int) -> list[bytes]:
    return [str(n).encode() for n in range(count)]


def _listed(count: int) -> str:
    return ", ".join(map(str, range(count)))


CASES: dict[str, Callable[[int], Statement]] = {
    "2000 equalities by OR": _ors,
    "1000 conditions by OR, mixed": _mixed_ors,
    "IN of 30 000 parameters": _in_parameters,
    "IN of 30 000 numbers": _in_literals,
    "NOT IN of 30 000 strings": _not_in_strings,
    "= ANY($1) of 100 000": _any_array,
    "= ANY(ARRAY[30 000])": _array_literals,
    "VALUES of 60 000 parameters": _values_parameters,
    "VALUES of 60 000 literals": _values_literals,
    "join with VALUES of 20 000 literals": _joined_values,
    "INSERT of 1000 rows, parameters": _insert_parameters,
    "INSERT of 5000 rows, literals": _insert_literals,
}


class _Victim:
    """A session beside, and the longest that it waited for an answer."""

    def __init__(self, server: Server) -> None:
        self._connection = server.connect()
        self._ended = threading.Event()
        self.longest_s = 0.0
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        while not self._ended.is_set():
            began = time.perf_counter()
            self._connection.execute("SELECT 1")
            self.longest_s = max(self.longest_s, time.perf_counter() - began)
            time.sleep(0.002)

    def end(self) -> None:
        """End it."""
        self._ended.set()
        self._thread.join()
        self._connection.close()


def _run(server: Server, connection: psycopg.Connection, statement: Statement) -> float:
    """Send it; processor seconds."""
    text, values = statement
    processes = server.processes()
    before = server.cpu_s(processes)
    if values is None:
        result = connection.pgconn.exec_(text.encode())
    else:
        result = connection.pgconn.exec_params(text.encode(), values)
    if result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
        raise RuntimeError(result.error_message.decode())
    return server.cpu_s(processes) - before


def _prepare(connection: psycopg.Connection) -> None:
    connection.execute(f"SET search_path TO {SCHEMA}".encode())
    for table in ("long", "many"):
        connection.execute(
            f"CREATE TABLE {table} (id bigint PRIMARY KEY, name text, weight double precision)".encode()
        )
    rows = ", ".join(f"({n}, 'n{n}', {n}.5)" for n in range(ROWS))
    connection.execute(f"INSERT INTO long VALUES {rows}".encode())


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(
        prog="python -m conformance.bench.long_statements", description=__doc__
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    options = parser.parse_args()
    chosen = {name: make for name, make in CASES.items() if options.only in name}
    with ExitStack() as stack:
        both = (stack.enter_context(servers.postgres()), stack.enter_context(servers.kalam()))
        connections = []
        for server in both:
            with _admin(server) as admin:
                if server.is_kalam:
                    admin.execute(f"ALTER USER {server.user} SET ROLE 'dba'".encode())
                admin.execute(f"CREATE SCHEMA {SCHEMA}".encode())
                if not server.is_kalam:
                    admin.execute(f"GRANT ALL ON SCHEMA {SCHEMA} TO {server.user}".encode())
            connections.append(stack.enter_context(server.connect()))
            _prepare(connections[-1])
        print("| statement | PostgreSQL 15, s | kalam_pg, s | times | victim, ms |")
        print("|---|---:|---:|---:|---:|", flush=True)
        tag = 0
        for name, make in chosen.items():
            took: list[list[float]] = [[], []]
            waited_s = 0.0
            for _ in range(options.rounds):
                for at, server in enumerate(both):
                    tag += 1
                    took[at].append(_run(server, connections[at], make(tag)))
                tag += 1
                victim = _Victim(both[1])
                try:
                    _run(both[1], connections[1], make(tag))
                finally:
                    victim.end()
                waited_s = max(waited_s, victim.longest_s)
            theirs, ours = min(took[0]), min(took[1])
            mark = "" if ours <= max(LIMIT_S, TIMES * theirs) else " (over)"
            print(
                f"| {name} | {theirs:.3f} | {ours:.3f}{mark} | {ours / theirs:.1f} |"
                f" {waited_s * 1000:.0f} |",
                flush=True,
            )


def _admin(server: Server) -> psycopg.Connection:
    owner = server.owner or "root"
    return psycopg.connect(
        host=str(server.unix_path.parent),
        port=server.port,
        user=owner,
        dbname=server.database,
        autocommit=True,
    )


main()
