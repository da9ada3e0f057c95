"""Bytes, Arrow and sequence numbers: the log, its index, segments, manifests and tablets.

Storage knows no SQL and no PostgreSQL. `storage.engine` is the door; `storage.errors` holds the one
root of every error in the project.
"""

import os

# Before Arrow is loaded: it would take huge pages, and to clear these made the first read of a segment
# ten times as slow as the next one (15 ms for 16 000 rows).
os.environ.setdefault("MIMALLOC_ALLOW_THP", "0")

# What is freed goes back when much of it is free (`kalam_pg.server.heap`), and not after 10 ms: to map it
# again takes 2 µs for each 4 kB, 5 ms for a read of fifty rows after a pause.
os.environ.setdefault("MIMALLOC_PURGE_DELAY", "3600000")
