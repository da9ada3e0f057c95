"""Rows of segments that a statement is going to change, locked and read some hundred at a time.

One by one each of them is a way to a thread and back, and a search in a row group.
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


def read_ahead(x: Execution, target: Place, keys: Sequence[bytes], mode: Mode) -> Steps[bool]:
    """Lock these rows, up to the first that must be waited for, and know what segments have of them.

    False: nothing was read, since the first of them is in memory, or there are few. Raises 57014.
    """
    tablet = target.tablet
    if len(keys) < FEW or not isinstance(tablet, Tablet):
        return False
    if not isinstance(tablet.get(x.database.engine.current, keys[0]), ColdNeeded):
        return False
    wanted = unchanged(x, target, keys)
    count = x.database.locks.lock_rows_nowait(x.transaction, target.id, wanted, mode)
    wanted = wanted[:count]
    if count < FEW:
        return False
    with x.database.engine.acquire() as view:  # Of now: what is locked stays so.
        read = partial(trio.to_thread.run_sync, tablet.get_all_cold, view, wanted)
        found = yield from run_async(read, timeout_s=x.statement_timeout_s)
    x.cold = {(target.id, key): row for key, row in zip(wanted, found, strict=True)}
    return True
