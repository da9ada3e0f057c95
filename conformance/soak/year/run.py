"""The year: weeks of work under faults, and a checkpoint after each."""

import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from conformance.soak.ledger import Violation
from conformance.soak.waiting import until
from conformance.soak.year import questions, upkeep
from conformance.soak.year.life import Life
from conformance.soak.year.people import NAMESPACE, Outage, Person, make_tables, week_of
from conformance.soak.year.pulse import Pulse
from conformance.soak.year.verdict import Year, percentile
from tests.wire.server import PASSWORD, KalamServer

THREADS = 4
SETTLED_S = 60.0
"""How long flushes and compactions may take to come to rest at a checkpoint."""

_WEEK_S = 7 * 24 * 3600.0
_PULSE = "pulse"


class Soak:
    """users: how many. weeks: how many. seconds: that all of it is to take, about."""

    def __init__(
        self, directory: Path, seed: int, *, users: int, weeks: int, seconds: float, busy: float
    ) -> None:
        self._directory = directory
        self._seed = seed
        self._random = Random(seed)
        self._faults = Random(seed)
        self._weeks = weeks
        self._week_s = seconds / weeks
        self._outage = Outage()
        self._year = Year()
        self._began_s = time.monotonic()
        server = self._server = KalamServer(directory / "data")
        server.within = (
            *(sys.executable, "-m", "conformance.soak.year.clock"),
            *(repr(time.time()), repr(_WEEK_S / self._week_s)),
        )
        self._people = [
            Person(
                server,
                self._outage,
                f"user{number:03}",
                Life(f"{seed} {number}", busy * 30 / (number + 3)),
            )
            for number in range(users)
        ]

    def run(self, postgres: str) -> bool:
        """Live through it; whether everything was right. Tells what it sees.

        postgres: what psycopg connects to PostgreSQL with, where nobody has tables yet.
        """
        with ExitStack() as stack:
            self._server.start()
            stack.callback(self._server.stop)
            names = [*(person.name for person in self._people), _PULSE]
            make_tables(self._server, names, postgres)
            stack.callback(self._hang_up)
            theirs: dict[str, Any] = conninfo_to_dict(postgres)
            self._pulse = Pulse({**theirs, "options": f"-c search_path={_PULSE}"})
            checks = stack.enter_context(
                psycopg.connect(postgres, autocommit=True, prepare_threshold=None)
            )
            for person in self._people:
                person.begin(checks)
            for week in range(self._weeks):
                self._live(week, postgres)
                self._check(week, checks, names)
                self._rest(week)
        return self._tell_all()

    @property
    def lives(self) -> int:
        """How often the server was started."""
        return self._outage.lives

    # A week.

    def _live(self, week: int, postgres: str) -> None:
        """Everybody's transactions, with whatever befalls the server meanwhile."""
        errors: list[BaseException] = []

        def work(number: int) -> None:
            try:
                week_of(
                    self._people[number::THREADS], week, f"{self._seed} {week} {number}", postgres
                )
            except BaseException as exc:  # noqa: BLE001 -- it is raised again in the main thread
                errors.append(exc)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
        self._pulse.start(self._pulse_dsn())
        for thread in threads:
            thread.start()
        if self._befalls(3):
            threads[0].join(self._faults.random() * self._week_s / 2)
            self._kill()
        for thread in threads:
            thread.join()
        self._pulse.stop()
        if errors:
            raise errors[0]

    def _befalls(self, of: int) -> bool:
        """Once in so many times."""
        return self._faults.randrange(of) == 0

    def _kill(self) -> None:
        self._outage.begin()
        self._server.kill()
        self._pulse.stop()
        self._server.start()
        self._pulse.start(self._pulse_dsn())
        self._outage.end()

    def _restart(self) -> None:
        self._hang_up()
        self._outage.begin()
        self._server.stop()
        self._server.start()
        self._outage.end()

    def _pulse_dsn(self) -> dict[str, Any]:
        return {
            "host": "127.0.0.1",
            "port": self._server.port,
            "dbname": "kalam",
            "user": _PULSE,
            "password": PASSWORD,
            "options": f"-c search_path={NAMESPACE}",
        }

    # A checkpoint.

    def _check(self, week: int, checks: psycopg.Connection[Any], names: Sequence[str]) -> None:
        """Ask both, then ours alone by the clock; look at the disk now and then."""
        if self._befalls(4):
            self._restart()
        try:
            until(lambda: upkeep.crowded(self._server), SETTLED_S)
        except Violation as exc:
            self._year.wrong.append(f"week {week}: {exc}")
        last = week == self._weeks - 1
        some = (
            self._people if last else self._random.sample(self._people, len(self._people) // 3 + 1)
        )
        wrong = questions.compare(some, week, self._random, checks)
        self._year.wrong += [f"week {week}: {one}" for one in wrong]
        times = questions.measure(self._people, self._random, checks)
        told = self._year.week(times)
        kept = upkeep.kept(self._server, checks, list(names))
        self._year.kept.append(kept)
        self._tell(f"week {week + 1}, life {self._outage.lives}: {told}; {kept}")
        for one in wrong:
            self._tell(one)

    def _rest(self, week: int) -> None:
        """Let the week end when it should."""
        ends_s = self._began_s + (week + 1) * self._week_s
        threading.Event().wait(max(0.0, ends_s - time.monotonic()))

    def _hang_up(self) -> None:
        for person in self._people:
            person.close()

    # What is told.

    def _tell(self, text: str) -> None:
        print(f"{time.monotonic() - self._began_s:8.1f} s  {text}", flush=True)

    def _tell_all(self) -> bool:
        for name, took in zip(("ours", "PostgreSQL"), self._pulse.took, strict=True):
            figures = " ".join(f"{percentile(took, of):.2f}" for of in (50, 99, 99.9, 100))
            self._tell(f"{len(took)} INSERTs meanwhile, {name}: p50 p99 p99.9 max {figures} ms")
        wrong = self._year.judge()
        for one in wrong:
            self._tell(f"WRONG {one}")
        if wrong:
            print("".join(self._server.errors[-40:]))
        self._tell(f"{len(wrong)} wrong in {self._weeks} weeks, {self._outage.lives} lives")
        return not wrong
