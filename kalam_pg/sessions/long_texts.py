"""Texts that take long to read: read in a thread, so that the other sessions are served meanwhile.

A megabyte of SQL takes seconds to parse and bind. In a thread it takes as long, but the event loop has
its turn when it wants one (`server.instance.SWITCH_INTERVAL_S`). Short texts are read at once: a hop to
a thread and back costs 50-80 µs.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from kalam_pg.query.aside import aside
from kalam_pg.query.waits import Steps, breathe
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql.statements import Statement

T = TypeVar("T")

LONG_CHARS = 4096
"""Longer texts are read in a thread: those below take at most some 10 ms."""

BRACKETS_MAX = 40
"""Shorter texts with more of them may nest so deep that they take as long."""

BETWEENS_MAX = 7
"""BETWEEN binds its operand twice, so where they nest the work doubles with each of them."""

ALONE_S = 0.005
"""So long a text of many short statements runs before the other sessions have their turn."""


def statements(sql: SqlSession, text: str) -> Steps[tuple[Statement, ...]]:
    """The statements of a message. Raises 42601, 54001, and 57014 when the statement's time is over."""
    if not is_long(text) or sql.cache.knows(text):
        return sql.cache.statements(text)
    timeout_s = int(sql.settings["statement_timeout"]) / 1000.0
    return (yield from aside(lambda: sql.cache.statements(text), timeout_s=timeout_s))


def is_long(text: str) -> bool:
    """Whether to read a text may take long."""
    return (
        len(text) > LONG_CHARS
        or text.count("(") > BRACKETS_MAX
        or (text.count(" ") > BETWEENS_MAX and text.lower().count("between") > BETWEENS_MAX)
    )


def in_turn(sql: SqlSession, text: str, function: Callable[[], T]) -> Steps[T]:
    """What `function`, whose work grows with the text, returns."""
    if not is_long(text):
        return function()
    timeout_s = int(sql.settings["statement_timeout"]) / 1000.0
    return (yield from aside(function, timeout_s=timeout_s))


class Turns:
    """Lets the other sessions have a turn between the statements of one text."""

    __slots__ = ("_since",)

    def __init__(self) -> None:
        self._since = time.monotonic()

    def next(self) -> Steps[None]:
        """To be called between two statements."""
        if time.monotonic() - self._since > ALONE_S:
            yield from breathe()
            self._since = time.monotonic()
