"""Texts that take long to read: read in a thread, so that the other sessions are served meanwhile.

A megabyte of SQL takes seconds to parse and bind. In a thread it takes as long, but the event loop has
its turn when it wants one (`server.instance.SWITCH_INTERVAL_S`). Short texts are read at once: a hop to
a thread and back costs 50-80 µs.
"""

import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from catalog.model import View
from kalam_pg.large_trees import large_trees
from kalam_pg.query.aside import aside
from kalam_pg.query.prepare import CACHED_TEXT_BYTES_MAX
from kalam_pg.query.waits import Steps, breathe
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql.function_weight import weight
from kalam_pg.sql.statements import Statement

T = TypeVar("T")

LONG_CHARS = 4096
"""Longer texts are read in a thread: those below take at most some 10 ms."""

BRACKETS_MAX = 40
"""Shorter texts with more of them may nest so deep that they take as long."""

VIEW_CHARS = 150
"""As many as so long a text beside its own: what a view under others costs when these are read."""

LONG_VIEW_CHARS = 2000
"""A view of more, with those that it reads, takes some 10 ms to read."""

BETWEENS_MAX = 7
"""BETWEEN binds its operand twice, so where they nest the work doubles with each of them."""

ALONE_S = 0.005
"""So long a text of many short statements runs before the other sessions have their turn."""


def statements(sql: SqlSession, text: str) -> Steps[tuple[Statement, ...]]:
    """The statements of a message. Raises 42601, 54001, and 57014 when the statement's time is over."""
    sql.reading.begin()
    if not is_long(text) or sql.cache.knows(text):
        return sql.cache.statements(text)
    found = yield from _aside(sql, lambda: sql.cache.statements(text))
    if len(text) > CACHED_TEXT_BYTES_MAX:
        large_trees.keep(found)
    return found


def is_long(text: str) -> bool:
    """Whether to read a text may take long."""
    return (
        len(text) > LONG_CHARS
        or text.count("(") > BRACKETS_MAX
        or (text.count(" ") > BETWEENS_MAX and text.lower().count("between") > BETWEENS_MAX)
    )


def is_long_here(sql: SqlSession, text: str) -> bool:
    """Whether to bind a text may take long, for itself or for the views that it reads."""
    if is_long(text):
        return True
    views = _long_views(sql.snapshot.views)
    return bool(views) and not (
        views.isdisjoint(_WORD.findall(text)) and views.isdisjoint(_WORD.findall(text.lower()))
    )


def _long_views(views: Mapping[int, View]) -> frozenset[str]:
    """The names of views that take long to read."""
    for known, names in _known_views:
        if known is views:
            return names
    sizes: dict[int, int] = {}
    for number in sorted(views):  # Those that a view reads are there before it, as a rule.
        view = views[number]
        under = sum([sizes.get(read, 0) for read in view.reads])
        sizes[number] = VIEW_CHARS + len(view.query) + under
    found = frozenset([views[n].name for n, size in sizes.items() if size > LONG_VIEW_CHARS])
    _known_views.appendleft((views, found))
    return found


_WORD: Final = re.compile(r"\w+")

_known_views: Final[deque[tuple[Mapping[int, View], frozenset[str]]]] = deque(maxlen=8)
"""Of the catalogues that were asked for last."""


def in_turn(sql: SqlSession, text: str, function: Callable[[], T]) -> Steps[T]:
    """What `function`, whose work grows with the text, returns."""
    if not is_long_here(sql, text) and weight(text, sql.snapshot) < LONG_CHARS:
        return function()
    found = yield from _aside(sql, function)
    if len(text) > CACHED_TEXT_BYTES_MAX:
        large_trees.keep((found,))
    return found


def _aside(sql: SqlSession, function: Callable[[], T]) -> Steps[T]:
    timeout_s = sql.reading.left_s(sql.settings["statement_timeout"])
    with sql.reading:
        return (yield from aside(function, user=sql.account.user, timeout_s=timeout_s))


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
