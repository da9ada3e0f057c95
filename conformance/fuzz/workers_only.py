"""The server, answering nothing itself that a worker can: `… workers_only python -m kalam_pg serve …`."""

import sys

from kalam_pg.cli import main
from kalam_pg.query.local import plan

plan.COST_US_MAX = -1
del sys.argv[1:4]
main()
