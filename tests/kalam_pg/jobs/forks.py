"""One fork server for all tests of jobs in a process; it starts with the first that needs it."""

from kalam_pg.engines.forked import ForkServer
from kalam_pg.jobs.flush_process import FLUSH_WORKER

FORKS = ForkServer(FLUSH_WORKER)
