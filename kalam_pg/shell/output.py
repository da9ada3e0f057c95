"""Where the shell writes: answers to one stream, errors to another."""

import sys
from contextlib import suppress
from typing import Final, TextIO

import psycopg

from kalam_pg.shell.tables import shown

_COLOURS: Final = {"insert": "32", "update": "33", "delete": "31"}


class Output:
    """Two streams. Colours only where the first is a terminal."""

    def __init__(self, answers: TextIO | None = None, errors: TextIO | None = None) -> None:
        self._answers = answers or sys.stdout
        self._errors = errors or sys.stderr
        self._has_colours = self._answers.isatty()

    def write(self, text: str) -> None:
        self._answers.write(text)
        self._answers.flush()

    def line(self, text: str) -> None:
        self.write(text + "\n")

    def bytes(self, block: bytes) -> None:
        """What COPY sends, as it is."""
        self._answers.flush()
        self._answers.buffer.write(block)
        self._answers.buffer.flush()

    def coloured(self, word: str) -> str:
        """The word of a change."""
        colour = _COLOURS.get(word)
        return f"\x1b[{colour}m{word}\x1b[0m" if colour and self._has_colours else word

    def error(self, text: str) -> None:
        """One or more lines that say what is wrong."""
        with suppress(OSError):
            self._answers.flush()
        self._errors.write(text + "\n")
        self._errors.flush()


def error_text(exc: psycopg.Error, statement: str) -> str:
    """An error as psql shows it: with the place in the statement, the detail and the hint."""
    diag = exc.diag
    if diag.message_primary is None:
        return str(exc).strip() or type(exc).__name__
    lines = [f"{diag.severity or 'ERROR'}:  {diag.message_primary}"]
    if diag.statement_position:
        lines += _place(statement, int(diag.statement_position) - 1)
    return "\n".join(lines + _more(diag))


def notice_text(diag: psycopg.errors.Diagnostic) -> str:
    """A notice or warning as psql shows it."""
    return "\n".join([f"{diag.severity}:  {diag.message_primary}", *_more(diag)])


def _more(diag: psycopg.errors.Diagnostic) -> list[str]:
    parts = (
        ("DETAIL", diag.message_detail), ("HINT", diag.message_hint), ("CONTEXT", diag.context),
    )  # fmt: skip
    return [f"{name}:  {text}" for name, text in parts if text]


def _place(statement: str, at: int) -> list[str]:
    """The line of a text that has character `at`, and a mark under that."""
    start = statement.rfind("\n", 0, at) + 1
    end = statement.find("\n", at)
    line = statement[start : end if end >= 0 else len(statement)]
    head = f"LINE {statement.count(chr(10), 0, at) + 1}: "
    return [head + shown(line), " " * (len(head) + len(shown(line[: at - start]))) + "^"]
