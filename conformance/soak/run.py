"""A soak from beginning to end: rounds of clients and faults, a rest after each, a new life after some."""

import time
from collections.abc import Sequence
from pathlib import Path
from threading import Thread

from conformance.soak import invariants, report
from conformance.soak.actors import Actor, Owner
from conformance.soak.client import BUSY, LATE_S, STATEMENT_TIMEOUT_S
from conformance.soak.contenders import Auditor, Counter, QueueWorker, Scratcher, Teller
from conformance.soak.faults import Faults
from conformance.soak.ledger import Ledger, Violation
from conformance.soak.messengers import Messenger
from conformance.soak.owners import Definer, Writer
from conformance.soak.processes import Held
from conformance.soak.tables import set_up
from conformance.soak.visitors import Canceler, Housekeeper, Newcomer, Rude, SlowReader
from conformance.soak.world import USERS, World

ROUND_S = 12.0
DEFINERS = 2
CHAPTER = 5
"""So many rounds with new lives of the server, then so many without."""


class Soak:
    """One soak. without: names of actors' classes and of faults that take no part."""

    def __init__(self, directory: Path, seed: int, without: Sequence[str] = ()) -> None:
        self.world = World(directory, seed)
        self.without = frozenset(without)
        self.random = self.world.random("rounds")
        self.ledgers: dict[str, Ledger] = {}
        self._log_read = 0
        self._life = 0
        self._first_rest: Held | None = None

    def run(self, seconds: float) -> bool:
        """Whether nothing that must not be was seen."""
        world, deadline = self.world, time.monotonic() + seconds
        try:
            world.start()
            set_up(world)
            self._make_namespaces()
            while not world.failed.is_set() and time.monotonic() < deadline:
                world.counts["rounds"] += 1
                self._round(min(ROUND_S, max(3.0, deadline - time.monotonic())))
                if not world.failed.is_set():
                    self._rest()
        except Violation as exc:
            world.fail("rest", str(exc))
        finally:
            report.line(world, "what was done:\n" + report.summary(world))
            if world.failed.is_set():
                world.last_words()
                report.line(world, "FAILED\n" + report.failure(world))
            world.close()
        return not world.failed.is_set()

    def actors(self) -> list[Actor]:
        """Everybody, new for each round."""
        world = self.world
        owners = [
            *(self._owner(Writer, number, user) for number, user in enumerate((*USERS, "ann"))),
            *(self._owner(Definer, number, "root") for number in range(DEFINERS)),
        ]
        others: list[Actor] = [
            *(Teller(world, f"teller {user}", user) for user in USERS[:2]),
            *(Auditor(world, f"auditor {user}", user) for user in USERS[:2]),
            *(Counter(world, f"counter {user}", user, world.tallies) for user in USERS[:2]),
            *(Scratcher(world, f"scratcher {n}", "root", world.scratch) for n in range(3)),
            *(QueueWorker(world, f"queue {user}", user, world.jobs) for user in USERS),
            *(Messenger(world, f"messenger {n}", "eve") for n in range(2)),
            Canceler(world, "canceler", "guest"),
            Rude(world, "rude", "eve"),
            Housekeeper(world, "housekeeper", "root"),
            SlowReader(world, "slow reader", "ben"),
            Newcomer(world, "newcomer", "eve"),
        ]
        return [actor for actor in (*owners, *others) if type(actor).__name__ not in self.without]

    def _owner(self, cls: type, number: int, user: str) -> Owner:
        name = f"{cls.__name__.lower()} {number}"
        ledger = self.ledgers.setdefault(name, Ledger(name))
        return cls(self.world, name, user, ledger, number)

    def _make_namespaces(self) -> None:
        client = self.world.connect("root", self.world.diary("root"))
        for number in range(DEFINERS):
            client.ask(f"CREATE NAMESPACE d{number}")
        client.close()

    def _round(self, seconds: float) -> None:
        world = self.world
        world.round_over.clear()
        self.clients = self.actors()
        spared = {"kill_server", "stop_server"} if self._is_calm() else set()
        threads = [
            Thread(target=one.run, name=one.name, daemon=True)
            for one in (*self.clients, Faults(world, self.without | spared))
        ]
        for thread in threads:
            thread.start()
        world.round_over.wait(seconds)
        world.round_over.set()
        # A statement has its timeout; a server that is just being started, its time for that.
        patience = time.monotonic() + 30 + STATEMENT_TIMEOUT_S + LATE_S * BUSY
        for thread in threads:
            thread.join(max(0.0, patience - time.monotonic()))
            if thread.is_alive():
                world.fail(thread.name, "does not come to its end")

    def _rest(self) -> None:
        """All clients are gone: compare, and now and then begin a new life."""
        world = self.world
        world.check_alive()
        if world.life != self._life:
            self._life, self._first_rest = world.life, None
        held = invariants.check_rest(world, self._first_rest)
        self._first_rest = self._first_rest or held
        self._compare()
        done = world.counts["transactions committed"]
        report.line(
            world, f"round {world.counts['rounds']}, life {world.life}: {done} committed; {held}"
        )
        if not self._is_calm() and self.random.random() < 0.5:
            self._new_life()

    def _is_calm(self) -> bool:
        """Whether the server lives on: a leak shows in a life that lasts."""
        return self.world.counts["rounds"] % (2 * CHAPTER) > CHAPTER

    def _compare(self) -> None:
        invariants.check_data(self.world, [a for a in self.clients if isinstance(a, Owner)])
        invariants.check_sums(self.world)
        self._log_read = invariants.check_log(self.world, self._log_read)

    def _new_life(self) -> None:
        world, kill = self.world, self.random.random() < 0.5
        before = invariants.catalogue(world)
        world.end(kill=kill)
        if not kill:
            world.check_directory()
        world.start()
        invariants.check_catalogue(before, invariants.catalogue(world))
        self._compare()
