"""Rows that a transaction has loaded become changes of it, one by one: as they were made, and perhaps read
since. To make them anew would give them other numbers, and whatever else a default takes.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import trio

from catalog.model import User
from kalam_pg.query import elsewhere
from kalam_pg.query.at_once import AtOnce
from kalam_pg.query.execution import Execution
from kalam_pg.query.insert import open_target
from kalam_pg.query.row_changes import insert
from kalam_pg.query.rows import Target
from kalam_pg.query.rules import RowRules
from kalam_pg.query.waits import STRIDE, Pace, Steps, run_async
from storage.arrow import to_rows
from storage.cold.manifest import Segment
from storage.cold.point_read import SegmentReader
from storage.fs import FileSystem
from storage.ids import TabletId
from storage.layout import Layout, Row


def put_loaded(
    rules: RowRules, user: User, layout: Layout, segments: Sequence[Segment], x: Execution
) -> Steps[None]:
    """Put the rows of segments that a user's load has written; whose statement it is now is another matter.

    Raises what putting rows raises, and DataCorruptedError.
    """
    whose, x.user = x.user, user
    try:
        target = open_target(x, rules)
        read = _groups(x.database.engine.fs, target.id, layout, segments)
        while rows := (yield from _next(x, read)):
            yield from _put(x, target, rows)
        yield from x.settle()
    finally:
        x.user = whose


def _groups(
    fs: FileSystem, tablet: TabletId, layout: Layout, segments: Sequence[Segment]
) -> Iterator[Sequence[Row]]:
    """In a thread: the rows of a row group each."""
    for segment in segments:
        reader = SegmentReader(fs, segment, tablet)
        for group in range(len(reader.load_head().first_keys)):
            yield to_rows(reader.read_groups([group]), layout)


def _next(x: Execution, read: Iterator[Sequence[Row]]) -> Steps[Sequence[Row]]:
    """The next of them; none: that was all."""
    reading = partial(trio.to_thread.run_sync, next, read, ())
    rows: Sequence[Row] = yield from run_async(reading, timeout_s=x.statement_timeout_s)
    return rows


def _put(x: Execution, target: Target, rows: Sequence[Row]) -> Steps[None]:
    at_once, pace, at = AtOnce.of(x, target), Pace(), 0
    while at < len(rows):
        count = 0 if at_once is None else at_once.insert(rows[at : at + STRIDE], 0)
        if not count:
            count = 1
            yield from elsewhere.checked(x, target.rules, rows[at])
            yield from insert(x, target, rows[at])
        at += count
        if pace.is_due():
            yield from elsewhere.rest(x, pace)
