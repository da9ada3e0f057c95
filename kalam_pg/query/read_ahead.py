"""Rows that a statement is going to change, locked and read together where some of them may be in segments.

One by one each of those is a search in a row group, and perhaps a way to a thread and back.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

import trio

from kalam_pg.query.execution import Execution
from kalam_pg.query.locks.modes import Mode
from kalam_pg.query.rows import Place, unchanged
from kalam_pg.query.waits import Steps, run_async
from storage.tablet import ColdNeeded, Tablet

FEW: Final = 8
"""Fewer are read one by one."""

AHEAD: Final = 256
"""So many are read at a time: a millisecond or two where they are in memory."""


def read_ahead(x: Execution, target: Place, keys: Sequence[bytes], mode: Mode) -> Steps[None]:
    """Lock these rows, up to the first that must be waited for, and know what they are (`Execution.cold`).

    Nothing is done where all rows are in memory anyway. Raises 57014.
    """
    tablet = target.tablet
    if not isinstance(tablet, Tablet) or not tablet.manifest.segments:
        return
    wanted = unchanged(x, target, keys)
    count = x.database.locks.lock_rows_nowait(x.transaction, target.id, wanted, mode)
    wanted = wanted[:count]
    if count < FEW:
        return
    # Of now: what is locked stays so.
    found = tablet.get_all(x.database.engine.current, wanted)
    cold = [key for key, row in zip(wanted, found, strict=True) if isinstance(row, ColdNeeded)]
    known = dict(zip(wanted, found, strict=True))
    if cold:
        with x.database.engine.acquire() as view:
            read = partial(trio.to_thread.run_sync, tablet.get_all_cold, view, cold)
            rows = yield from run_async(read, timeout_s=x.statement_timeout_s)
        known.update(zip(cold, rows, strict=True))
    x.cold = {
        (target.id, key): row for key, row in known.items() if not isinstance(row, ColdNeeded)
    }
