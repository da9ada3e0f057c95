"""SQL cases as data: scripts whose statements carry PostgreSQL's answers as comments.

A script is blocks parted by blank lines; a block is prose (`-- …` lines), one statement, and its answer:

    -- NULLs sort last.
    SELECT id, name FROM t ORDER BY name;
    --: ["id int4", "name text"]
    --: ["1", "Alice"]
    --: ["4", null]

    INSERT INTO t VALUES (1);
    --! 23505 duplicate key value violates unique constraint "t_pkey"

`--:` is the list of columns (name and type) and then the rows, each value in text form, or else the
command tag; `--!` is a SQLSTATE and the message. The set-up of a case is what stands above it: a script
runs from top to bottom in one session with a namespace of its own on the search path. Rows are compared
in any order unless the statement has ORDER BY. The first line of a script may be `--@ kalamdb`: its
answers are ours and not recorded from PostgreSQL (`record.py` leaves them alone).
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

DIRECTORY = Path(__file__).parent / "cases"
_ORDERED = re.compile(r"\border\s+by\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a statement answers: columns and rows, or a tag, or an error.

    columns: name and pg_type name of each; None when it returns no rows. rows: values in text form.
    error: SQLSTATE ("" where a front end does not tell) and message.
    """

    columns: tuple[tuple[str, str], ...] | None = None
    rows: tuple[tuple[str | None, ...], ...] = ()
    tag: str = ""
    error: tuple[str, str] | None = None

    def lines(self) -> list[str]:
        """As a script has it."""
        if self.error is not None:
            return [f"--! {' '.join(self.error)}"]
        if self.columns is None:
            return [f"--: {self.tag}"]
        heads = [f"{name} {type_}" for name, type_ in self.columns]
        return [f"--: {json.dumps(row, ensure_ascii=False)}" for row in (heads, *self.rows)]

    def in_any_order(self) -> "Answer":
        """With its rows sorted."""
        rows = sorted(self.rows, key=lambda row: [(v is None, v or "") for v in row])
        return Answer(self.columns, tuple(rows), self.tag, self.error)


@dataclass(frozen=True, slots=True)
class Case:
    """One statement of a script. answer: None where none is written yet."""

    script: str
    line: int
    prose: str
    sql: str
    answer: Answer | None

    def __str__(self) -> str:
        return f"{self.script}:{self.line}"

    def accepts(self, answer: Answer) -> bool:
        """Whether an answer is the expected one. Tags of rows are not compared."""
        assert self.answer is not None
        wanted = self.answer
        if not _ORDERED.search(self.sql):
            wanted, answer = wanted.in_any_order(), answer.in_any_order()
        if wanted.columns is not None:
            return (wanted.columns, wanted.rows) == (answer.columns, answer.rows)
        return (wanted.tag, wanted.error) == (answer.tag, answer.error)


@dataclass(frozen=True, slots=True)
class Script:
    """A file of cases. kalamdb: its answers are not PostgreSQL's."""

    path: Path
    kalamdb: bool
    cases: tuple[Case, ...]

    @property
    def name(self) -> str:
        return self.path.stem


def scripts(directory: Path = DIRECTORY) -> list[Script]:
    """Every script, by name."""
    return [read(path) for path in sorted(directory.glob("*.sql"))]


def read(path: Path) -> Script:
    """A script."""
    text = path.read_text(encoding="utf-8")
    return Script(path, text.startswith("--@ kalamdb"), tuple(_cases(path.stem, text)))


def write(script: Script, answers: Sequence[Answer]) -> None:
    """The script again, with these answers; prose that belongs to no statement stays."""
    blocks = []
    found = dict(zip((case.line for case in script.cases), answers, strict=True))
    for line, block in _blocks(script.path.read_text(encoding="utf-8")):
        kept = [text for text in block if not text.startswith(("--:", "--!"))]
        blocks.append("\n".join(kept + (found[line].lines() if line in found else [])))
    script.path.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")


def _cases(name: str, text: str) -> Iterator[Case]:
    for line, block in _blocks(text):
        prose = [t.removeprefix("--").strip() for t in block if t.startswith(("-- ", "--@"))]
        answer = [t for t in block if t.startswith(("--:", "--!"))]
        sql = "\n".join(t for t in block if not t.startswith("--")).strip().rstrip(";")
        if sql:
            yield Case(name, line, " ".join(prose), sql, _answer(answer) if answer else None)


def _blocks(text: str) -> Iterator[tuple[int, list[str]]]:
    block: list[str] = []
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.strip():
            block.append(line)
        elif block:
            yield number - len(block), block
            block = []


def _answer(lines: list[str]) -> Answer:
    if lines[0].startswith("--!"):
        sqlstate, _, message = lines[0][4:].partition(" ")
        return Answer(error=(sqlstate, message))
    if not lines[0].startswith("--: ["):
        return Answer(tag=lines[0][4:])
    heads, *rows = (json.loads(line[4:]) for line in lines)
    columns = tuple((head.rpartition(" ")[0], head.rpartition(" ")[2]) for head in heads)
    return Answer(columns, tuple(tuple(row) for row in rows))
