"""Run every case through every front end, hot and cold, and say which differ.

Usage: python -m conformance.sql.run [SCRIPT …]

Prints each difference and a table of counts; exits 1 if an answer is wrong.
"""

import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal

import psycopg

from conformance.buenavista.serve import serve
from conformance.sql.cases import Answer, Case, Script, read, scripts
from conformance.sql.frontends import FrontEnd, InProcess, Wire, comparable
from conformance.sql.refusals import REFUSED
from kalam_pg import embed
from tests.wire.server import KalamServer

FRONT_ENDS = ("simple", "extended", "binary", "embed", "buenavista")
Kind = Literal["SHARED", "USER"]
_names = count(1)
_CREATE_TABLE = re.compile(r"create table\b(?!.*\bwith \()", re.IGNORECASE | re.DOTALL)
_CHANGES = re.compile(r"insert|update|delete|truncate|execute", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One statement's answer by one front end. verdict: right, refused (as listed), or wrong."""

    case: Case
    front_end: str
    answer: Answer
    verdict: Literal["right", "refused", "wrong"]

    def __str__(self) -> str:
        wanted = comparable(self.case, self.front_end).answer
        assert wanted is not None
        return "\n".join(
            [
                f"{self.case} {self.front_end}: {self.verdict}: {self.case.sql}",
                *(f"  wanted {line[3:]}" for line in wanted.lines()),
                *(f"  got    {line[3:]}" for line in self.answer.lines()),
            ]
        )


def run(script: Script, front_end: FrontEnd, kind: Kind = "SHARED", *, cold: bool) -> list[Outcome]:
    """The script in a namespace of its own.

    Args:
        kind: Of the tables that the script makes without saying.
        cold: Flush every table after each change outside a block, so that all reads meet segments.
    """
    namespace = f"{script.name}_{next(_names)}"
    must(front_end, f"CREATE NAMESPACE {namespace}")
    must(front_end, f"SET search_path TO {namespace}")
    outcomes = []
    for case in script.cases:
        sql = case.sql
        if kind == "USER" and _CREATE_TABLE.match(sql):
            sql += " WITH (TYPE = 'USER')"
        answer = front_end.ask(sql)
        outcomes.append(
            Outcome(case, front_end.name, answer, verdict(case, answer, front_end.name))
        )
        if cold and _CHANGES.match(sql) and not front_end.in_block():
            must(front_end, f"STORAGE FLUSH ALL IN {namespace}")
    if front_end.in_block():
        must(front_end, "ROLLBACK")
    return outcomes


def verdict(case: Case, answer: Answer, front_end: str) -> Literal["right", "refused", "wrong"]:
    """Whether the answer is the expected one, a listed refusal, or neither."""
    refused = answer.error is not None and answer.error[0] in {"0A000", "42883", ""}
    if case.sql in REFUSED:
        return "refused" if refused else "wrong"
    return "right" if comparable(case, front_end).accepts(answer) else "wrong"


def must(front_end: FrontEnd, sql: str) -> None:
    """Run what is no case."""
    answer = front_end.ask(sql)
    assert answer.error is None, f"{sql}: {answer.error}"


@contextmanager
def open_front_ends(directory: Path) -> Iterator[dict[str, FrontEnd]]:
    """All of them: a server in a process of its own, and a database in this one."""
    with ExitStack() as stack:
        server = KalamServer(directory / "server").start()
        stack.callback(server.stop)
        found: dict[str, FrontEnd] = {
            name: Wire(name, stack.enter_context(server.root()))
            for name in ("simple", "extended", "binary")
        }
        database = stack.enter_context(embed.open(directory / "embedded", workers=1))
        session = stack.enter_context(database.connect("root").create_session())
        found["embed"] = InProcess(session)
        port = stack.enter_context(serve(database, "root"))
        found["buenavista"] = Wire("buenavista", stack.enter_context(connect_buena_vista(port)))
        yield found


def connect_buena_vista(port: int) -> psycopg.Connection:
    """A connection to what `conformance.buenavista.serve` serves."""
    return psycopg.connect(
        host="127.0.0.1", port=port, user="root", dbname="kalam", sslmode="disable", autocommit=True
    )


def main(*paths: str) -> int:
    chosen = [read(Path(path)) for path in paths] if paths else scripts()
    counts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as directory, open_front_ends(Path(directory)) as front_ends:
        for script in chosen:
            for name, front_end in front_ends.items():
                for kind, cold in (("SHARED", False), ("USER", False), ("USER", True)):
                    for outcome in run(script, front_end, kind, cold=cold):  # type: ignore[arg-type]
                        counts[name, outcome.verdict] += 1
                        if outcome.verdict == "wrong":
                            print(f"{kind} {'cold' if cold else 'hot'} {outcome}", end="\n\n")
    print(f"{'':12}{'right':>8}{'refused':>8}{'wrong':>8}")
    for name in FRONT_ENDS:
        row = "".join(f"{counts[name, v]:8}" for v in ("right", "refused", "wrong"))
        print(f"{name:12}{row}")
    return int(any(v == "wrong" for _, v in counts))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
