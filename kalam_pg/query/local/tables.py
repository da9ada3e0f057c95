"""The rows of a tablet as a statement sees them, when they are all in memory."""

from kalam_pg.query.execution import Execution
from kalam_pg.query.net_change import NetChange
from kalam_pg.query.tail_loads import load
from kalam_pg.query.waits import Steps
from storage.keys import key_maker
from storage.layout import Layout, Row
from storage.stream import StreamTablet
from storage.tablet import Tablet
from storage.tail.live_rows import LiveRows

OVERLAID_ROWS_MAX = 2000
"""Of so many rows the keys are made to find those that the transaction has changed: 1 µs each."""


def live_rows(x: Execution, tablet: Tablet | StreamTablet, rows_max: int) -> Steps[LiveRows | None]:
    """What the statement sees of a tablet, its transaction's own changes too.

    None: some of it is only in segments, or it has more rows. A tail that is not in memory is loaded.
    """
    view = x.view_of(tablet.id.table)
    if isinstance(tablet, Tablet) and not tablet.warm(view):
        if not tablet.is_hot(view):
            return None
        yield from load(x, tablet, view)
    live = tablet.live_rows(view, rows_max)
    changes = x.own_changes(tablet.id)
    if live is None or not changes:
        return live
    if len(live) > OVERLAID_ROWS_MAX or len(live) + len(changes) > rows_max:
        return None
    return _overlaid(live, tablet.layout, changes)


def _overlaid(live: LiveRows, layout: Layout, changes: dict[bytes, NetChange]) -> LiveRows:
    """The rows with a transaction's own changes in place of what they replace, at the end."""
    key_of = key_maker(layout.key, [layout.columns[at].kind for at in layout.key])
    rows: list[Row] = []
    seqs: list[int] = []
    for row, seq in live.whole(len(layout.columns)):
        if key_of(row) not in changes:
            rows.append(row)
            seqs.append(seq)
    own = [change.row for change in changes.values() if change.row is not None]
    return LiveRows((), [*rows, *own], [*seqs, *[0] * len(own)])
