"""The actors that want the same rows: of a bank, of counters, of a queue, of a table that is cleared."""

import math
import time

from conformance.soak.actors import Actor, short
from conformance.soak.client import LostError, RefusedError
from conformance.soak.ledger import Jobs, Outcome, Scratch, Span, Tally, Violation
from conformance.soak.tables import ACCOUNTS, ACCOUNTS_SUM, PURSE_SUM, SCRATCH, WALLETS
from conformance.soak.world import World

LEVELS = ("READ COMMITTED", "REPEATABLE READ")
PURSE = (
    "SELECT (SELECT sum(balance) FROM soak.wallets)"
    " + (SELECT balance FROM soak.pots WHERE owner = '{}')"
)


class Contender(Actor):
    """An actor whose transactions may fail because of others, and then are given up."""

    def transact(self, *texts: tuple[str, tuple[str, ...], str]) -> Outcome:
        """A block of (text, parameters, wanted tag)s, committed most of the time."""
        try:
            self.say(f"BEGIN ISOLATION LEVEL {self.random.choice(LEVELS)}")
            for text, parameters, tag in texts:
                answer = self.say(text, parameters)
                if answer.tags[-1:] != [tag]:
                    raise Violation(f"{text} {parameters}: {answer.tags}, not {tag}")
        except LostError:
            self.lost()
            return Outcome.ABANDONED
        except RefusedError as exc:
            self.refused(exc)
            self.rollback()
            return Outcome.ABANDONED
        return self.finish(commit=self.random.random() < 0.8)

    def alone(self, text: str, parameters: tuple[str, ...]) -> Outcome:
        """A statement that is a transaction, perhaps lost."""
        assert self.client is not None
        if self.random.random() < self.accident:
            sent = self.client.go(self.random, text, parameters)
            self.lost()
            return Outcome.UNKNOWN if sent else Outcome.ABANDONED
        try:
            self.client.ask(text, parameters, "prepared")
        except LostError:
            self.lost()
            return Outcome.UNKNOWN
        except RefusedError as exc:
            self.refused(exc)
            return Outcome.UNKNOWN if exc.sqlstate in {"08007", "40003"} else Outcome.ABANDONED
        return Outcome.COMMITTED


class Teller(Contender):
    """Moves money between accounts of all, and between the user's wallets and pot."""

    def step(self) -> None:
        amount = str(self.random.randint(1, 20))
        if self.random.random() < 0.5:
            one, other = self.random.sample(range(1, ACCOUNTS + 1), 2)
            move = "UPDATE soak.accounts SET balance = balance {} $2 WHERE id = $1"
            outcome = self.transact(
                (move.format("-"), (str(one), amount), "UPDATE 1"),
                (move.format("+"), (str(other), amount), "UPDATE 1"),
            )
        elif self.random.random() < 0.3:
            self.one_statement(amount)
            return
        else:
            wallet = str(self.random.randint(1, WALLETS))
            to_pot = (
                f"UPDATE soak.pots SET balance = balance + $1 WHERE owner = '{self.user}'",
                (amount,),
                "UPDATE 1",
            )
            from_wallet = (
                "UPDATE soak.wallets SET balance = balance - $2 WHERE id = $1",
                (wallet, amount),
                "UPDATE 1",
            )
            pair = [to_pot, from_wallet]
            self.random.shuffle(pair)
            outcome = self.transact(*pair)
        self.world.count(f"transfers {outcome.value}")

    def one_statement(self, amount: str) -> None:
        """A transfer that is one UPDATE of two rows, and a transaction of its own."""
        one, other = self.random.sample(range(1, ACCOUNTS + 1), 2)
        answer = self.say(
            "UPDATE soak.accounts SET balance = balance + CASE id WHEN $1 THEN -$3::int ELSE $3::int END"
            " WHERE id IN ($1, $2)",
            (str(one), str(other), amount),
        )
        if answer.tags != ["UPDATE 2"]:
            raise Violation(f"a transfer of two rows: {answer.tags}")


class Auditor(Contender):
    """Looks at the sums, in every way that there is to read them."""

    def step(self) -> None:
        way = self.random.choice(
            (self.at_once, self.twice, self.by_cursor, self.row_by_row, self.purse)
        )
        way()
        self.world.count("audits")

    def at_once(self) -> None:
        """One statement."""
        self._sum(
            self.say("SELECT sum(balance), count(*) FROM soak.accounts").rows, "one statement"
        )

    def purse(self) -> None:
        """One statement over a USER and a SHARED table."""
        rows = self.say(PURSE.format(self.user)).rows
        if rows != [(str(PURSE_SUM),)]:
            raise Violation(f"{self.user}'s wallets and pot: {rows}, not {PURSE_SUM}")

    def twice(self) -> None:
        """A snapshot gives the same rows whenever it is asked."""
        self.say("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        query = "SELECT id, balance FROM soak.accounts ORDER BY id"
        first = self.say(query).rows
        self.purse()
        second = self.say(query, how="simple").rows
        self.finish()
        if first != second:
            raise Violation(f"one snapshot, two answers: {short(first)} and {short(second)}")
        self._sum([(str(sum(int(balance) for _, balance in first)), str(len(first)))], "a snapshot")

    def by_cursor(self) -> None:
        """A cursor's rows are of one moment."""
        self.say("BEGIN")
        self.say("DECLARE c CURSOR FOR SELECT balance FROM soak.accounts", how="simple")
        found = []
        while rows := self.say(f"FETCH {self.random.randint(1, 5)} FROM c", how="simple").rows:
            found += [int(balance) for (balance,) in rows]
        self.finish()
        self._sum([(str(sum(found)), str(len(found)))], "a cursor")

    def row_by_row(self) -> None:
        """Locked one after another, nothing can change what was read."""
        self.say("BEGIN")
        found = [
            int(
                self.say(
                    "SELECT balance FROM soak.accounts WHERE id = $1 FOR UPDATE", (str(n),)
                ).rows[0][0]
            )
            for n in range(1, ACCOUNTS + 1)
        ]
        self.finish()
        self._sum([(str(sum(found)), str(len(found)))], "rows locked one by one")

    @staticmethod
    def _sum(rows: list, how: str) -> None:
        if rows != [(str(ACCOUNTS_SUM), str(ACCOUNTS))]:
            raise Violation(f"the accounts by {how}: {rows}, not {ACCOUNTS_SUM} in {ACCOUNTS}")


class Counter(Contender):
    """Adds one to what everybody adds to."""

    def __init__(self, world: World, name: str, user: str, tallies: dict[int, Tally]) -> None:
        super().__init__(world, name, user)
        self.tallies = tallies

    def step(self) -> None:
        number = self.random.choice(list(self.tallies))
        add = "UPDATE soak.counters SET n = n + 1 WHERE id = $1"
        if self.random.random() < 0.5:
            outcome = self.transact((add, (str(number),), "UPDATE 1"))
        else:
            outcome = self.alone(add, (str(number),))
        self.tallies[number].settle(outcome)


class QueueWorker(Contender):
    """Puts work into the queue of all, or takes one piece of it and says so in the user's own table."""

    def __init__(self, world: World, name: str, user: str, jobs: Jobs) -> None:
        super().__init__(world, name, user)
        self.jobs = jobs

    def step(self) -> None:
        if self.random.random() < 0.5:
            number = self.jobs.new()
            put = (
                "INSERT INTO soak.queue VALUES ($1, $2)",
                (str(number), f"job {number}"),
                "INSERT 0 1",
            )
            self.jobs.settle(self.transact(put), number)
        else:
            self.take()

    def take(self) -> None:
        """One job, if there is one that nobody else has."""
        skip = self.random.choice(("", " SKIP LOCKED"))
        try:
            self.say(f"BEGIN ISOLATION LEVEL {self.random.choice(LEVELS)}")
            found = self.say(f"SELECT id FROM soak.queue ORDER BY id LIMIT 1 FOR UPDATE{skip}").rows
            for (number,) in found:
                gone = self.say("DELETE FROM soak.queue WHERE id = $1", (number,))
                if gone.tags != ["DELETE 1"]:
                    raise Violation(f"job {number} was locked by us, and then: {gone.tags}")
                self.say("INSERT INTO soak.done VALUES ($1, $2)", (number, self.name))
                self.world.count("jobs taken")
        except LostError:
            self.lost()
        except RefusedError as exc:
            self.refused(exc)
            self.rollback()
        else:
            self.finish(commit=self.random.random() < 0.8)


class Scratcher(Contender):
    """Inserts into a table that it and others drop, make again and truncate."""

    CLEARINGS = (
        ("TRUNCATE soak.scratch",),
        ("DROP TABLE soak.scratch", SCRATCH),
        ("BEGIN", "DROP TABLE soak.scratch", SCRATCH, "COMMIT"),
        ("BEGIN", "DELETE FROM soak.scratch", "COMMIT"),
    )
    ABSENT = "42P01"
    THERE = "42P07"

    def __init__(self, world: World, name: str, user: str, scratch: Scratch) -> None:
        super().__init__(world, name, user)
        self.scratch = scratch

    def step(self) -> None:
        began = time.monotonic()
        if self.random.random() < 0.08:
            outcome = self.clear()
            self.scratch.cleared(self._span(began, outcome))
        else:
            number = self.scratch.new()
            put = ("INSERT INTO soak.scratch VALUES ($1, $2)", (str(number), self.name))
            outcome = self.alone(*put) if self.random.random() < 0.7 else self.in_block(*put)
            self.scratch.inserted(number, self._span(began, outcome))

    def clear(self) -> Outcome:
        """One way to empty it; of one that stopped half-way it is not asked how far it came."""
        texts = self.random.choice(self.CLEARINGS)
        assert self.client is not None
        try:
            for text in texts:
                self.client.ask(text, how=self.random.choice(("simple", "extended")))
        except LostError:
            self.lost()
            return Outcome.UNKNOWN
        except RefusedError as exc:
            self.refused(exc)
            if texts[0] == "BEGIN":
                self.rollback()
            elif exc.sqlstate == self.ABSENT:
                self.make()
            return Outcome.UNKNOWN
        return Outcome.COMMITTED

    def make(self) -> None:
        """Somebody was stopped between DROP and CREATE."""
        assert self.client is not None
        try:
            self.client.ask(SCRATCH)
        except RefusedError as exc:
            self.refused(exc)

    def in_block(self, text: str, parameters: tuple[str, ...]) -> Outcome:
        return self.transact((text, parameters, "INSERT 0 1"))

    def refused(self, exc: RefusedError, *expected: str) -> None:
        super().refused(exc, self.ABSENT, self.THERE, *expected)

    @staticmethod
    def _span(began: float, outcome: Outcome) -> Span:
        ended = math.inf if outcome is Outcome.UNKNOWN else time.monotonic()
        return Span(began, ended, outcome)
