"""Long mixed sessions beside PostgreSQL 15: definitions of every kind, their changes, and questions of them.

Usage: python -m conformance.fuzz.sessions [--seed N] [--steps N] [--only ROUND] [--workers]
                                           [--postgresql DSN --kalam DSN]

A round makes tables with constraints, indexes, views, functions, materialized views and temporary tables;
then come changes (MERGE, through views, WHERE CURRENT OF, COPY, upserts with subqueries, savepoints), changes
of definitions over flushed rows, statements prepared before, and queries over all of it. What is the input of
what is up to chance. Prints each difference, then how many statements of which kind there were. A round ends
with the first difference that leaves the two databases unlike.
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Callable
from random import Random

from conformance.fuzz.__main__ import servers
from conformance.fuzz.definitions import Definitions
from conformance.fuzz.expressions import Expressions
from conformance.fuzz.pieces import Part
from conformance.fuzz.roads import Copy, Roads
from conformance.fuzz.rounds import Round, Totals
from conformance.fuzz.shapes import Shapes
from conformance.fuzz.sides import Answer, Side
from conformance.fuzz.tables import Changes, Table
from conformance.fuzz.verdicts import NO_FAILURES, REFUSED, RIGHT, verdict
from conformance.fuzz.vocabulary import DEFINITIONS, KINDS

STEPS = 60
_SCHEMA = "fuzzed"
_NO_COLLATION, _NOT_IMMUTABLE = "42P22", "42P17"
_KIND = re.compile(
    r"^\s*(WITH|SELECT|INSERT|UPDATE|DELETE|MERGE|COPY|DO|FETCH|MOVE|EXECUTE|PREPARE|REFRESH"
    r"|CREATE (?:UNIQUE )?(?:TEMP )?(?:MATERIALIZED )?\w+|ALTER TABLE \w+ (?:ADD|DROP|RENAME|ALTER)|\w+)"
)


class _UnlikeError(Exception):
    """The two databases are not alike any more."""


class Session(Round):
    """A round of such a session. kinds: how many statements of which kind there were."""

    kinds: Counter[str]

    def run(self) -> None:
        self.kinds = Counter()
        self.definitions = Definitions(self.random)
        for side in (self.theirs, self.ours):
            side.run("SET client_min_messages = error")
            side.run(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE")
            side.run(f"CREATE SCHEMA {_SCHEMA}")
            side.run(f"SET search_path = {_SCHEMA}")
            for definition in DEFINITIONS:
                side.run(definition)
        try:
            self._session()
        except _UnlikeError:
            pass
        finally:
            for side in (self.theirs, self.ours):
                side.run("ROLLBACK")
                side.run("DISCARD ALL")
                side.run("SET TIME ZONE 'UTC'")
                side.run("SET statement_timeout = '20s'")

    def _session(self) -> None:
        for _ in range(self.random.choice((2, 3))):
            if not self._define(self.definitions.table()):
                self.definitions.tables.pop()
        if not self.definitions.tables:
            return
        self.tables = self.definitions.tables
        self._fill()
        for _ in range(self.random.choice((1, 2, 3))):
            self._define(self.definitions.index())
        self._prepared = self._hundreds = 0
        for _ in range(self.queries):
            self._step()
        for derived in self.definitions.derived:
            self._compare(f"SELECT * FROM {derived.name}", ordered=False, form="simple")

    def _step(self) -> None:
        random = self.random
        (made,) = random.choices(
            (self._question, self._shape, self._change_rows, self._road, self._derived, self._of_functions,
             self._altered, self._cursor, self._prepare, self._upsert, self._copied_out, self._refreshed),
            (24, 5, 14, 10, 6, 8, 5, 4, 5, 5, 4, 3),
        )  # fmt: skip
        made()

    # -------------------------------------------------------------- steps

    def _question(self) -> None:
        made = self.definitions.queries().query()
        self._compare(made.text, made.ordered)

    def _shape(self) -> None:
        # In binary a row tells the numbers of its fields' types, which are each side's own.
        form = self.random.choice(("simple", "text"))
        self._compare(
            Shapes(self.random, self.definitions.tables).query(), ordered=False, form=form
        )

    def _change_rows(self) -> None:
        self._change(Changes(self.random, self.definitions.tables))

    def _change(self, changes: Changes) -> None:
        super()._change(changes)
        if self.random.random() < 0.5:
            self._flush(self.random.choice(self.definitions.tables))

    def _road(self) -> None:
        self._run_all(Roads(self.random, self.definitions.tables, ordered=True).steps())
        self._compare_tables()

    def _derived(self) -> None:
        definitions = self.definitions
        if len(definitions.derived) > 6:
            gone = definitions.derived.pop(0)
            kind = "FUNCTION" if "(" in gone.name else "VIEW"
            for side in (self.theirs, self.ours):
                for what in (kind, "MATERIALIZED VIEW", "TABLE"):
                    side.run(f"DROP {what} IF EXISTS {gone.name.split('(')[0]} CASCADE")
            definitions.derived = [d for d in definitions.derived if self._is_there(d)]
        if not self._define(definitions.derive()):
            definitions.derived.pop()

    def _is_there(self, derived: Table) -> bool:
        asked = f"SELECT 1 FROM {derived.name} LIMIT 0"
        return self.theirs.run(asked).error is None and self.ours.run(asked).error is None

    def _of_functions(self) -> None:
        if not self.definitions.functions or self.random.random() < 0.3:
            if not self._define(self.definitions.function()):
                self.definitions.functions.pop()
            return
        self._compare(self.definitions.call(), ordered=False)

    def _altered(self) -> None:
        text, old, new = self.definitions.alter()
        if self._define(text):
            self.definitions.put(old, new)
        self._compare_tables()
        self.definitions.derived = [d for d in self.definitions.derived if self._is_there(d)]

    def _cursor(self) -> None:
        made = self.definitions.queries().query()
        if not made.ordered:
            return
        self._run_all(["BEGIN", f"DECLARE k SCROLL CURSOR FOR {made.text}"])
        for _ in range(self.random.randint(2, 6)):
            way = self.random.choice(
                ("NEXT", "PRIOR", "FIRST", "LAST", "ABSOLUTE 2", "ABSOLUTE -1", "RELATIVE 2", "RELATIVE -1",
                 "RELATIVE 0", "FORWARD 3", "BACKWARD 2", "ALL", "BACKWARD ALL")
            )  # fmt: skip
            self._ordered(f"{self.random.choice(('FETCH', 'FETCH', 'MOVE'))} {way} FROM k")
        self._run_all(["COMMIT"])

    def _ordered(self, text: str) -> None:
        self._compare(text, ordered=True, shrink=False, form="simple")

    def _prepare(self) -> None:
        """A statement that is asked again, perhaps after what it names has changed."""
        if self._prepared and self.random.random() < 0.6:
            self._compare(
                f"EXECUTE p{self.random.randint(1, self._prepared)}",
                ordered=False,
                form="simple",
                shrink=False,
            )
            return
        made = self.definitions.queries().query()
        if self._define(f"PREPARE p{self._prepared + 1} AS {made.text}"):
            self._prepared += 1

    def _upsert(self) -> None:
        """ON CONFLICT and RETURNING with subqueries."""
        random, table = self.random, self.random.choice(self.definitions.tables)
        other = random.choice(self.definitions.tables)
        changes = Changes(random, self.definitions.tables)
        column = random.choice(table.others())
        seen = [*table.leaves(table.name), *table.leaves("excluded")]
        value = Expressions(random, seen).of(column.kind, 1)
        rows = Expressions(random, other.leaves("o"), None, seen)
        if random.random() < 0.6 and KINDS[column.kind].sorts:
            inner = (
                f"SELECT {rows.of(column.kind, 1)} FROM {other.name} o WHERE {rows.of('bool', 1)}"
            )
            value = f"({inner} ORDER BY 1 LIMIT 1)"  # type: ignore[assignment]
        back = Expressions(random, other.leaves("o"), None, table.leaves(table.name))
        returned = f"(SELECT count(*) FROM {other.name} o WHERE {back.of('bool', 1)})"
        self._compare(
            f"INSERT INTO {table.name} ({table.names()}) VALUES ({', '.join(map(str, changes.row(table)))})"
            f" ON CONFLICT ({table.key}) DO UPDATE SET {column.name} = {value}"
            f" RETURNING {table.key}, {returned}",
            ordered=False, shrink=False,
        )  # fmt: skip
        self._compare_tables()

    def _copied_out(self) -> None:
        made = self.definitions.queries().query()
        options = self.random.choice(
            ("", " (FORMAT csv, HEADER)", " (FORMAT csv, FORCE_QUOTE *)", " (NULL '-')")
        )
        text = f"COPY ({made.text}) TO STDOUT{options}"
        answers = [side.copied(text) for side in (self.theirs, self.ours)]
        if not made.ordered:
            answers = [(error, sorted(lines)) for error, lines in answers]
        self._note(text)
        theirs, ours = [
            Answer(rows=tuple([(line,) for line in lines]), error=error) for error, lines in answers
        ]
        found = verdict(theirs, ours, ordered=made.ordered, statement=text)
        self.totals.verdicts[found] += 1
        if found not in NO_FAILURES:
            self._tell(found, text, theirs, ours)

    def _refreshed(self) -> None:
        for derived in self.definitions.derived:
            self.theirs.run(f"REFRESH MATERIALIZED VIEW {derived.name}")
            self.ours.run(f"REFRESH MATERIALIZED VIEW {derived.name}")
        self._flush(self.random.choice(self.definitions.tables))

    # -------------------------------------------------------------- running

    def _define(self, text: str) -> bool:
        """Whether both have made it; what only one has made is unmade."""
        self._note(text)
        self.totals.statements += 1
        theirs, ours = self.theirs.run(text), self.ours.run(text)
        found = verdict(theirs, ours, ordered=False, statement=text)
        if theirs.error is not None and theirs.error[0] == _NO_COLLATION:
            found = RIGHT  # It asks for one of constants, in a generated column alone.
        if ours.error is not None and ours.error[0] == _NOT_IMMUTABLE:
            found = REFUSED  # Of constants PostgreSQL asks for less, once it has computed them.
        self.totals.verdicts[found] += 1
        if found == REFUSED and ours.error:
            self.totals.refusals[re.sub(r'"[^"]*"|\d+', "…", ours.error[1])] += 1
        if found not in NO_FAILURES:
            self._tell(f"definition {found}", text, theirs, ours)
        if theirs.error is None and ours.error is None:
            return True
        made = re.match(r"CREATE (?:UNIQUE |TEMP )?((?:MATERIALIZED )?\w+) (\w+)", text)
        for side, answer in ((self.theirs, theirs), (self.ours, ours)):
            if made and answer.error is None:
                side.run(f"DROP {made[1]} {made[2]} CASCADE")
        return False

    def _run_all(self, steps: list[str | Copy]) -> None:
        failed = False
        for step in steps:
            if isinstance(step, Copy):
                self._note(step.text)
                self.totals.statements += 1
                theirs, ours = [
                    side.copy(step.text, step.lines, failing=step.failing)
                    for side in (self.theirs, self.ours)
                ]
                found = verdict(theirs, ours, ordered=False, statement=step.text)
                self.totals.verdicts[found] += 1
                if found not in NO_FAILURES:
                    self._tell(found, step.text + "\n" + step.lines[:500], theirs, ours)
                if found != "right":
                    self._forget(step.text)
                failed = failed or theirs.error is not None
            else:
                self._compare(step, ordered=False, shrink=False, form="simple")
        if failed:
            self._number_on()

    def _number_on(self) -> None:
        """Have serial columns go on with the same numbers.

        A COPY that fails has taken some of rows behind the one that it failed with: of how many is up to the
        server's buffers.
        """
        self._hundreds += 1
        for table in self.definitions.tables:
            for side in (self.theirs, self.ours):
                side.run(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', 's'), {self._hundreds * 100})"
                )

    def _tell(self, what: str, statement: str, theirs: Answer, ours: Answer) -> None:
        super()._tell(what, statement, theirs, ours)
        asks = statement.lstrip("(").startswith(("SELECT", "WITH", "FETCH", "COPY (", "EXECUTE"))
        if not asks or statement.startswith("SELECT c0"):
            raise _UnlikeError

    def _note(self, text: str) -> None:
        found = _KIND.match(text)
        self.kinds[found[1].upper() if found else "?"] += 1

    def _compare(
        self, statement: Part, ordered: bool, *, shrink: bool = True, form: str = ""
    ) -> None:
        self._note(str(statement))
        super()._compare(statement, ordered, shrink=shrink, form=form)

    def _compare_tables(self) -> None:
        for table in self.definitions.tables:
            names = ", ".join([column.name for column in table.columns])
            whole = f"SELECT {names} FROM {table.name}"
            super()._compare(whole, ordered=False, shrink=False, form="simple")

    def _forget(self, statement: Part) -> None:
        """After a change that one side has not made, the rows are made alike again."""
        for side in (self.theirs, self.ours):
            side.run("ROLLBACK")
            for table in reversed(self.definitions.tables):
                side.run(f"TRUNCATE {table.name} CASCADE")


def run_round(
    seed: int, number: int, theirs: Side, ours: Side, totals: Totals, show: Callable[[str], None],
    steps: int = STEPS,
) -> Counter[str]:  # fmt: skip
    """The session of that number, or so many steps of it: how many statements of which kind there were."""
    name = f"--seed {seed} --only {number}"
    session = Session(name, Random(f"session/{seed}/{number}"), theirs, ours, totals, show, steps)
    session.run()
    return session.kinds


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m conformance.fuzz.sessions")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--only", type=int, help="a single round, as a difference names it")
    parser.add_argument("--workers", action="store_true", help="ask all questions of the workers")
    parser.add_argument("--postgresql", default="")
    parser.add_argument("--kalam", default="")
    arguments = parser.parse_args()
    totals, kinds = Totals(), Counter[str]()
    dsns = arguments.postgresql, arguments.kalam
    with servers(*dsns, workers=arguments.workers) as (theirs, ours):
        numbers = (
            [arguments.only] if arguments.only is not None else range(-(-arguments.steps // STEPS))
        )
        for number in numbers:
            kinds += run_round(
                arguments.seed, number, theirs, ours, totals, lambda text: print(text, flush=True)
            )
    print(totals)
    print(", ".join([f"{count} {kind}" for kind, count in kinds.most_common()]))
    return 1 if totals.failures else 0


if __name__ == "__main__":
    sys.exit(main())
