"""One fork server for all tests of jobs in a process; it starts with the first that needs it."""

from kalam_pg.engines.forked import FLUSH_WORKER, ForkServer

FORKS = ForkServer(FLUSH_WORKER)
