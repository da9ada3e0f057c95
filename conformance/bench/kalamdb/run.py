"""Both servers in turns, scenario by scenario."""

import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

from conformance.bench import servers
from conformance.bench.kalamdb import live, many, statements
from conformance.bench.kalamdb.client import (
    NAMESPACE,
    Client,
    RefusedError,
    Scenario,
    Work,
    nothing,
)
from conformance.bench.kalamdb.published import MEDIANS_MS
from conformance.bench.servers import Server

TARGET = 0.5
"""Of PostgreSQL's speed, what every scenario is to have at least."""

ONCE_MIN = 3
"""Times that even a slow one is done in a round."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What one thing took, in ms: until it was answered (a median), and of processors (a mean)."""

    ms: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Line:
    """What a scenario took both servers; None for what a server refused, with its words."""

    scenario: Scenario
    theirs: Taken | None
    ours: Taken | None
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
        return self.theirs.ms / self.ours.ms if self.ours and self.theirs else 0.0

    @property
    def against_postgresql_cpu(self) -> float:
        """PostgreSQL's processor time for one of ours: what else the machine does hardly matters."""
        return self.theirs.cpu_ms / self.ours.cpu_ms if self.ours and self.theirs else 0.0

    @property
    def against_kalamdb(self) -> float:
        """How many times as quick as KalamDB said that it is."""
        return self.published / self.ours.ms if self.ours else 0.0


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
    took = [_Times(client.server) for client in clients]
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
                    numbers[at] = took[at].round(one, numbers[at], seconds)
    finally:
        for client in clients:
            client.close()
    return Line(scenario, took[0].taken(), took[1].taken(), said)


@dataclass(slots=True)
class _Times:
    """What a server has taken in all rounds: seconds of each time, and of its processors."""

    server: Server
    each_s: list[float] = field(default_factory=list)
    cpu_s: float = 0.0

    def round(self, work: Work, number: int, seconds: float) -> int:
        """Do it again and again for so long; the next number."""
        processes = self.server.processes()
        cpu_s = partial(self.server.cpu_s, processes)
        prepares = work.before is not nothing
        end = time.perf_counter() + seconds
        count, begun_cpu_s = 0, cpu_s()
        while count < ONCE_MIN or time.perf_counter() < end:
            if prepares:
                work.before(number)
                begun_cpu_s = cpu_s()
            began = time.perf_counter()
            work.once(number)
            self.each_s.append(time.perf_counter() - began)
            if prepares:
                self.cpu_s += cpu_s() - begun_cpu_s
            number += 1
            count += 1
        if not prepares:  # A look between any two would let the server's caches grow cold.
            self.cpu_s += cpu_s() - begun_cpu_s
        return number

    def taken(self) -> Taken | None:
        """In milliseconds; None if it was never done."""
        if not self.each_s:
            return None
        cpu_s = self.cpu_s / len(self.each_s)
        return Taken(statistics.median(self.each_s) * 1000, cpu_s * 1000)


_FIRST = 10


def _warm(work: Work) -> Work:
    for number in range(_FIRST):
        work.before(number)
        work.once(number)
    return work


HEAD = (
    "| scenario | PostgreSQL 15, ms | kalam_pg, ms | of its speed | by processor time |"
    " KalamDB said, ms | of its speed | |\n"
    "|---|---:|---:|---:|---:|---:|---:|---|"
)


def shown(line: Line) -> str:
    """A line of the table; what misses a target is marked."""
    theirs, ours = line.theirs, line.ours
    if ours is None:
        return (
            f"| {line.name} | {_ms(theirs)} | - | - | - | {line.published:g} | - |"
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
        f"| {line.name} | {_ms(theirs)} | {_ms(ours)} | **{line.against_postgresql:.2f}** |"
        f" {line.against_postgresql_cpu:.2f} ({theirs.cpu_ms if theirs else 0.0:.3f} / {ours.cpu_ms:.3f}) |"
        f" {line.published:g} | {line.against_kalamdb:.1f} | {note} |"
    )


def _ms(taken: Taken | None) -> str:
    return "-" if taken is None else f"{taken.ms:.3f}" if taken.ms < 10 else f"{taken.ms:.1f}"
