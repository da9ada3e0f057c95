"""Back-pressure: what is written waits when flush or compaction falls far behind.

Without it a log would grow until the disk is full, or a tablet's segments until each question merges
hundreds of them. So the committer pauses before each group, ever longer the more there is to do, up to
`PAUSE_S_MAX`: a group takes all that wait by then, so what is slowed is who waits for each answer.
"""

from collections.abc import Iterable

import structlog

from catalog.model import Table
from kalam_pg.query.committer import Committer
from storage.cold.manifest import runs
from storage.cold.tiering import RUNS_MAX
from storage.tablet import Tablet

PAUSE_S_MAX = 0.02
"""Before a group. One session's commits come 50 times a second then, those of a thousand all together."""

BEHIND_ROWS = 1_000_000
"""Rows that should have been flushed long ago, with which writers begin to wait: some seconds of the flush
process, and some 300 MB of log. At five times as many the pause is longest."""

LATE = 4
"""A tablet is behind with the rows beyond so many times its policy's."""

BEHIND_RUNS = 4 * RUNS_MAX
"""Runs of a tablet with which writers begin to wait for compaction. At twice as many the pause is longest."""

_log = structlog.get_logger()


def late_rows(rows: int, due_at: int) -> int:
    """How many of a tablet's unflushed rows should not be there. due_at: with how many it is flushed."""
    return max(0, rows - LATE * due_at)


def pause_s(late: int, crowded: Iterable[Tablet]) -> float:
    """How long each group is to wait. late: `late_rows` of all tablets; crowded: tablets to compact."""
    most = max((len(runs(tablet.manifest.segments)) for tablet in crowded), default=0)
    behind = max(
        (late - BEHIND_ROWS) / (4 * BEHIND_ROWS),
        (most - BEHIND_RUNS) / BEHIND_RUNS,
    )
    return PAUSE_S_MAX * min(1.0, max(0.0, behind))


def press(committer: Committer, pause: float) -> None:
    """Have writers wait so long from now on; the log says when that begins and ends."""
    if bool(pause) != bool(committer.pause_s):
        _log.info("writers wait for flush and compaction" if pause else "writers wait no more")
    committer.pause_s = pause


def due_rows(table: Table, default: int) -> int:
    """With how many unflushed rows a tablet of the table is flushed. default: without a policy by rows."""
    options = table.options
    rows = options.flush_rows or default
    return min(rows, options.hot_row_limit) if options.hot_row_limit else rows
