"""One round: some tables, their changes and flushes, and questions about them in between."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from conformance.fuzz.pieces import Part, rendered, smaller
from conformance.fuzz.queries import Queries
from conformance.fuzz.sides import FORMS, Answer, Side, ask_both
from conformance.fuzz.tables import Changes, Table, make_tables
from conformance.fuzz.verdicts import NO_FAILURES, REFUSED, verdict
from conformance.fuzz.vocabulary import DEFINITIONS

QUERIES_PER_ROUND = 60
_SHRINKING_STEPS_MAX = 400


@dataclass
class Totals:
    """What a run has seen. refusals: by message. stood_in: faults that a program made good."""

    statements: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    stood_in: list[str] = field(default_factory=list)

    @property
    def failures(self) -> int:
        return sum(n for v, n in self.verdicts.items() if v not in NO_FAILURES)

    def __str__(self) -> str:
        lines = [f"{self.statements} statements: {dict(self.verdicts.most_common())}"]
        lines += [f"{count:7} refused: {kind}" for kind, count in self.refusals.most_common(40)]
        lines += [f"stood in: {line.strip()[:800]}" for line in self.stood_in]
        return "\n".join(lines)


@dataclass
class Round:
    """The course of a round. `show` is told of each difference."""

    name: str
    random: Random
    theirs: Side
    ours: Side
    totals: Totals
    show: Callable[[str], None]
    queries: int = QUERIES_PER_ROUND
    tables: list[Table] = field(default_factory=list)

    def run(self) -> None:
        self.tables = make_tables(self.random)
        for side in (self.theirs, self.ours):
            for definition in DEFINITIONS:
                side.run(definition)  # It may be there already.
        for table in self.tables:
            for side in (self.theirs, self.ours):
                side.run(f"DROP TABLE IF EXISTS {table.name} CASCADE")
            users = " WITH (TYPE = 'USER')" if self.random.random() < 0.4 else ""
            self._both(table.create(), table.create(users))
        self._fill()
        queries = Queries(self.random, self.tables)
        changes = Changes(self.random, self.tables)
        for _ in range(self.queries):
            if self.random.random() < 0.15:
                self._change(changes)
            made = queries.query()
            self._compare(made.text, made.ordered)
        self._compare_tables()

    def _compare_tables(self) -> None:
        for table in self.tables:
            text = f"SELECT {table.names()} FROM {table.name}"
            self._compare(text, ordered=False, form="simple")

    def _both(self, text: str, ours_text: str = "") -> None:
        """What must be the same before anything can be compared."""
        theirs, ours = self.theirs.run(text), self.ours.run(ours_text or text)
        if theirs != ours:
            refused = ours.error is not None and ours.error[0] == "0A000"
            self.totals.verdicts[REFUSED if refused else "setup"] += 1
            self._tell("setup", text, theirs, ours)
            self._forget(text)

    def _fill(self) -> None:
        changes = Changes(self.random, self.tables)
        for table in self.tables:
            for _ in range(self.random.choice((0, 1, 1, 2, 3, 5))):
                self._both(changes.fill(table, self.random.randint(1, 6)))
                if table.large:
                    self._both(changes.pad(table))
                if self.random.random() < 0.3:
                    self._change(changes)
                self._flush(table)
            if self.random.random() < 0.6:
                self._both(changes.fill(table, self.random.randint(1, 4)))

    def _flush(self, table: Table) -> None:
        """Move what is hot into a segment; now and then the segments into one."""
        job = "COMPACT" if self.random.random() < 0.15 else "FLUSH"
        answer = self.ours.run(f"STORAGE {job} TABLE {table.name}")
        if answer.error is not None:
            self._tell(job.lower(), table.name, Answer(), answer)

    def _change(self, changes: Changes) -> None:
        """One change, or some in a transaction with a savepoint."""
        chance = self.random.random()
        if chance < 0.75:
            self._compare(changes.change(), ordered=False)
        else:
            end = self.random.choice(("COMMIT", "COMMIT", "ROLLBACK"))
            steps = [
                "BEGIN",
                changes.change(),
                "SAVEPOINT s",
                changes.change(),
                self.random.choice(("ROLLBACK TO s", "RELEASE s", "SELECT 1")),
                changes.change(),
                end,
            ]
            for step in steps:
                self._compare(step, ordered=False, shrink=False)
        if chance < 0.3:
            self._flush(self.random.choice(self.tables))
        self._compare_tables()

    # -------------------------------------------------------------- comparing

    def _compare(
        self, statement: Part, ordered: bool, *, shrink: bool = True, form: str = ""
    ) -> None:
        form = form or self.random.choice(FORMS)
        theirs, ours, found = self._ask(statement, form, ordered)
        self.totals.statements += 1
        self.totals.verdicts[found] += 1
        if found == REFUSED:
            assert ours.error is not None
            self.totals.refusals[re.sub(r'"[^"]*"|\d+', "…", ours.error[1])] += 1
            self._forget(statement)
        if found in NO_FAILURES:
            return
        changes = str(statement).startswith(("INSERT", "UPDATE", "DELETE"))
        whole = statement
        if shrink and not changes:
            statement, form = self._shrunk(statement, form, ordered, found)
            theirs, ours, _ = self._ask(statement, form, ordered)
        self._tell(f"{found} [{form}]", str(statement), theirs, ours)
        if whole is not statement:
            self.show(f"   shrunk from {whole}")
        if changes:
            self._forget(statement)

    def _forget(self, statement: Part) -> None:
        """After a change that one side has not made, the tables are made alike again."""
        found = re.match(r"(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)", str(statement))
        if found:
            for side in (self.theirs, self.ours):
                side.run("ROLLBACK")
                side.run(f"DELETE FROM {found[1]}")

    def _ask(self, statement: Part, form: str, ordered: bool) -> tuple[Answer, Answer, str]:
        sent = rendered(statement, parameters=form != "simple")
        theirs, ours = ask_both(self.theirs, self.ours, sent, form)
        return theirs, ours, verdict(theirs, ours, ordered=ordered, statement=sent.text)

    def _shrunk(self, statement: Part, form: str, ordered: bool, found: str) -> tuple[Part, str]:
        """The smallest statement that is answered wrong in the same way."""
        steps = 0
        if form != "simple" and self._ask(statement, "simple", ordered)[2] == found:
            form = "simple"
        again = True
        while again:
            again = False
            for smallest in smaller(statement):
                steps += 1
                if steps > _SHRINKING_STEPS_MAX:
                    return statement, form
                if (
                    len(str(smallest)) < len(str(statement))
                    and self._ask(smallest, form, ordered)[2] == found
                ):
                    statement, again = smallest, True
                    break
        return statement, form

    def _tell(self, what: str, statement: str, theirs: Answer, ours: Answer) -> None:
        named = [t for t in self.tables if re.search(rf"\b{t.name}\b", statement)]
        tables = "".join([f"\n   {table.create()}" for table in named])
        columns = ""
        if theirs.columns != ours.columns and not ours.error:
            columns = f"\n   pg   {theirs.columns}\n   ours {ours.columns}"
        self.show(
            f"## {self.name} {what}: {statement}{tables}{columns}\n   pg   {theirs}\n   ours {ours}"
        )


def run_round(
    seed: int,
    number: int,
    theirs: Side,
    ours: Side,
    totals: Totals,
    show: Callable[[str], None],
    queries: int = QUERIES_PER_ROUND,
) -> None:
    """The round of that number, or as many queries of it as are wanted."""
    name = f"--seed {seed} --only {number}"
    Round(name, Random(f"{seed}/{number}"), theirs, ours, totals, show, queries).run()
