"""The server, to which forty rows are many: `… small_loads python -m kalam_pg serve …`."""

import sys

from kalam_pg.cli import main
from kalam_pg.query import loads

loads.LARGE_BYTES = 1500  # type: ignore[misc]
from kalam_pg.query import large_insert  # noqa: E402 -- it has the bound above by name

large_insert.LARGE_ROWS = 40  # type: ignore[misc]
del sys.argv[1:4]
main()
