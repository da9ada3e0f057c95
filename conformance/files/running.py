"""One statement file on both servers."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from conformance.files.counting import DIFFERENT, ELSEWHERE, INTERNAL, REFUSED, Counts, count
from conformance.files.link import Link
from conformance.files.logictest import statements
from conformance.files.psql_script import Command, Reader, Statement
from conformance.fuzz.sides import Answer

SETTINGS = (
    "SET DateStyle = 'Postgres, MDY'",
    "SET IntervalStyle = 'postgres_verbose'",
    "SET TimeZone = 'PST8PDT'",
)
"""What PostgreSQL's regression tests are run with; where we have no such setting, neither side has it."""

_PLANS = re.compile(r"\s*(EXPLAIN|VACUUM|ANALYZE|CLUSTER|REINDEX)\b", re.IGNORECASE)
_COPIED = re.compile(r'\s*COPY\s+("?[\w.]+"?)[^;]*?\bFROM\b', re.IGNORECASE)
_MADE = re.compile(r"\s*CREATE\s+TABLE\s+(\w+)\s+AS\b", re.IGNORECASE)
_CHANGED = re.compile(
    r"""\s*(?:(?:CREATE|ALTER|DROP)\b(?:\s+(?:OR\s+REPLACE|TEMP|TEMPORARY|UNLOGGED|LOCAL|GLOBAL|RECURSIVE|UNIQUE))*
        \s+(?:MATERIALIZED\s+)?\w+(?:\s+IF\s+(?:NOT\s+)?EXISTS)?
        | INSERT\s+INTO | UPDATE(?:\s+ONLY)? | DELETE\s+FROM(?:\s+ONLY)? | TRUNCATE(?:\s+TABLE)?
        | COPY | PREPARE | DECLARE | SELECT\b.*\bINTO(?:\s+(?:TEMP|TEMPORARY|TABLE))*
        | MERGE\s+INTO)
        \s+"?(?:\w+\.)?(\w+)""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_INDEXED = re.compile(
    r"\s*CREATE\s+UNIQUE\s+INDEX\b.*?\bON\s+(?:ONLY\s+)?(\w+)", re.IGNORECASE | re.DOTALL
)
_SETTING = re.compile(r"\s*SET\s+(?:SESSION\s+|LOCAL\s+)?(\w+)\s*(?:=|\bTO\b)", re.IGNORECASE)
_WORD = re.compile(r"\w+")
_ARGUMENT = re.compile(r"'((?:[^']|'')*)'|(\S+)")
_TRUE = {"1", "t", "true", "on", "yes", "y"}


@dataclass
class Run:
    """A file's course. show: is told of what is not the same."""

    name: str
    theirs: Link
    ours: Link
    show: Callable[[str], None]
    counts: Counts = field(default_factory=Counts)
    variables: dict[str, str] = field(default_factory=dict)
    setup: bool = False
    _taken: list[bool] = field(default_factory=list)
    _lacking: set[str] = field(default_factory=set)
    """What is not here, or other than there, since a statement that makes or changes it was refused."""

    def file(self, path: Path) -> Counts:
        """Run it."""
        text = path.read_text(encoding="utf-8", errors="replace")
        self._settings()
        for step in self._steps(path, text):
            if isinstance(step, Statement):
                self._ask(step)
            elif step.name in {"q", "quit"} and all(self._taken):
                break
            else:
                self._command(step)
        return self.counts

    def _settings(self) -> None:
        for setting in SETTINGS:
            if self.ours.run(setting).error is None:
                self.theirs.run(setting)

    def _steps(self, path: Path, text: str) -> Iterator[Statement | Command]:
        if path.suffix == ".sql":
            return Reader(text, self.variables).steps()
        return statements(text)

    def _ask(self, step: Statement) -> None:
        if not all(self._taken):
            return
        if _PLANS.match(step.text):
            # A plan is each server's own; it is asked for, since it may end a block by failing.
            self.theirs.send(step.text)
            self.ours.send(step.text)
            return
        theirs = self.theirs.send(step.text, step.data)
        ours = self.ours.send(step.text, step.data)
        if step.ends_by.startswith("gset") and theirs.rows:
            prefix = step.ends_by[4:].strip()
            for column, value in zip(theirs.columns, theirs.rows[0], strict=True):
                self.variables[prefix + column[0]] = (value or b"").decode()
        self._compare(step, theirs, ours)
        if theirs.error is None and ours.error is not None:
            self._supply(step.text)
            self._unset(step.text)
        if step.ends_by == "gexec":
            for text in [(row[0] or b"").decode() for row in theirs.rows or () if row]:
                self._ask(Statement(text, step.line))

    def _supply(self, text: str) -> None:
        """Give us the rows that PostgreSQL has loaded where we do not load; in a setup, tables too."""
        copied = _COPIED.match(text)
        made = _MADE.match(text) if self.setup else None
        if made:
            self.ours.create(made[1], self.theirs)
        if copied or made:
            self.ours.fill((copied or made)[1], self.theirs)

    def _unset(self, text: str) -> None:
        """Give PostgreSQL our value of a setting that we refuse to set."""
        found = _SETTING.match(text)
        shown = self.ours.run(f"SHOW {found[1]}").rows if found else None
        if found and shown and shown[0][0] is not None:
            self.theirs.run(f"SET {found[1]} = '{shown[0][0].decode()}'")

    def _compare(self, step: Statement, theirs: Answer, ours: Answer) -> None:
        if theirs.error is not None and theirs.error[0] in ELSEWHERE:
            return
        follows = bool(self._lacking) and any(
            word in self._lacking for word in _WORD.findall(step.text.lower())
        )
        kind = count(self.counts, step.text, theirs, ours, follows=follows)
        if kind == REFUSED and (made := _INDEXED.match(step.text) or _CHANGED.match(step.text)):
            self._lacking.add(made[1].lower())
        if kind in {DIFFERENT, INTERNAL, REFUSED}:
            shown = " ".join(step.text.split())[:600]
            names = ""
            if kind == DIFFERENT and theirs.columns != ours.columns:
                names = f"\n   pg   {theirs.columns}\n   ours {ours.columns}"
            self.show(
                f"## {self.name}:{step.line} {kind}: {shown}{names}\n   pg   {theirs}\n   ours {ours}"
            )

    def _command(self, step: Command) -> None:
        """What changes the course: \\if and its like, \\set, \\c."""
        match step.name:
            case "if":
                self._taken.append(step.arguments.lower() in _TRUE)
            case "elif" if self._taken:
                self._taken[-1] = not self._taken[-1] and step.arguments.lower() in _TRUE
            case "else" if self._taken:
                self._taken[-1] = not self._taken[-1]
            case "endif" if self._taken:
                self._taken.pop()
            case "set" if all(self._taken):
                name, _, value = step.arguments.partition(" ")
                self.variables[name] = self._joined(value)
            case "c" | "connect":
                for side in (self.theirs, self.ours):
                    side.close()
                    side.reopen()
                self._settings()
                user = step.arguments.split()[1:2]
                if user and user != ["-"]:
                    for side in (self.theirs, self.ours):
                        side.run(f"SET SESSION AUTHORIZATION {user[0]}")
            case _:
                pass

    def _joined(self, arguments: str) -> str:
        """What \\set makes of its arguments: values and quoted texts, one behind the other."""
        return "".join(
            [
                quoted.replace("''", "'") or self.variables.get(plain.removeprefix(":"), plain)
                for quoted, plain in _ARGUMENT.findall(arguments)
            ]
        )
