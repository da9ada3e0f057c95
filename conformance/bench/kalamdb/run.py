"""Both servers in turns, scenario by scenario."""

import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from conformance.bench import servers
from conformance.bench.kalamdb import live, many, statements
from conformance.bench.kalamdb.client import NAMESPACE, Client, RefusedError, Scenario, Work
from conformance.bench.kalamdb.published import MEDIANS_MS
from conformance.bench.servers import Server

TARGET = 0.5
"""Of PostgreSQL's speed, what every scenario is to have at least."""

ONCE_MIN = 3
"""Times that even a slow one is done in a round."""


@dataclass(frozen=True, slots=True)
class Line:
    """Milliseconds, medians of all rounds; None for what a server refused, with its words."""

    scenario: Scenario
    theirs: float | None
    ours: float | None
    said: str = ""

    @property
    def name(self) -> str:
        """As KalamDB calls it."""
        return self.scenario.__name__

    @property
    def published(self) -> float:
        """KalamDB's median."""
        return MEDIANS_MS[self.name]

    @property
    def against_postgresql(self) -> float:
        """How many times as quick as PostgreSQL."""
        return self.theirs / self.ours if self.ours and self.theirs else 0.0

    @property
    def against_kalamdb(self) -> float:
        """How many times as quick as KalamDB said that it is."""
        return self.published / self.ours if self.ours else 0.0


def scenarios() -> list[Scenario]:
    """All that are measured, in the order of the published list."""
    found = {s.__name__: s for s in (*statements.SCENARIOS, *many.SCENARIOS, *live.SCENARIOS)}
    return [found[name] for name in MEDIANS_MS]


def measure_all(chosen: Sequence[Scenario], rounds: int, seconds: float) -> "list[Line]":
    """Start both servers and measure; prints what is measured as it is."""
    with ExitStack() as stack:
        both = (stack.enter_context(servers.postgres(300)), stack.enter_context(servers.kalam()))
        for server in both:
            session = Client(server)
            session.root.run(f"CREATE SCHEMA {NAMESPACE}")
            if server.is_kalam:  # Tables are not anybody's to make.
                session.root.run(f"ALTER USER {server.user} SET ROLE 'dba'")
            session.close()
        lines = []
        for scenario in chosen:
            lines.append(_measure(scenario, both, rounds, seconds))
            print(shown(lines[-1]), flush=True)
        return lines


def _measure(scenario: Scenario, both: tuple[Server, Server], rounds: int, seconds: float) -> Line:
    clients = [Client(server) for server in both]
    took: list[list[float]] = [[], []]
    said = ""
    try:
        work: list[Work | None] = []
        for client in clients:
            try:
                work.append(_warm(scenario(client)))
            except RefusedError as exc:
                work.append(None)
                said = str(exc)
        numbers = [_FIRST] * 2
        for _ in range(rounds):
            for at, one in enumerate(work):
                if one is not None:
                    numbers[at] = _round(one, numbers[at], seconds, took[at])
    finally:
        for client in clients:
            client.close()
    medians = [statistics.median(values) * 1000 if values else None for values in took]
    return Line(scenario, medians[0], medians[1], said)


_FIRST = 10


def _warm(work: Work) -> Work:
    for number in range(_FIRST):
        work.before(number)
        work.once(number)
    return work


def _round(work: Work, number: int, seconds: float, into: list[float]) -> int:
    """Do it again and again for so long; the next number."""
    end = time.perf_counter() + seconds
    count = 0
    while count < ONCE_MIN or time.perf_counter() < end:
        work.before(number)
        began = time.perf_counter()
        work.once(number)
        into.append(time.perf_counter() - began)
        number += 1
        count += 1
    return number


HEAD = (
    "| scenario | PostgreSQL 15, ms | kalam_pg, ms | of its speed | KalamDB said, ms | of its speed | |\n"
    "|---|---:|---:|---:|---:|---:|---|"
)


def shown(line: Line) -> str:
    """A line of the table; what misses a target is marked."""
    if line.ours is None:
        return (
            f"| {line.name} | {_ms(line.theirs)} | - | - | {line.published:g} | - |"
            f" refused: {line.said} |"
        )
    slower = [
        name
        for name, missed in (
            ("PostgreSQL / 2", line.against_postgresql < TARGET),
            ("KalamDB", line.against_kalamdb < 1),
        )
        if missed
    ]
    note = f"slower than {' and '.join(slower)}" if slower else ""
    return (
        f"| {line.name} | {_ms(line.theirs)} | {_ms(line.ours)} | **{line.against_postgresql:.2f}** |"
        f" {line.published:g} | {line.against_kalamdb:.1f} | {note} |"
    )


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if value < 10 else f"{value:.1f}"
